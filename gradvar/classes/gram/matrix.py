r"""What a class of moderate size is, by its Gram matrix Gram_ij = E_x[h_i(x) h_j(x)].

However the matrix is had, the same is said of the class by it: whether Gram = I, whether Theorem 1's assumption on
the class holds (E h^2 <= 1, E h h' = 0), and the norm lambda_max(J Gram J)/|H| of the class covariance,
J = I - 11'/|H|.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array
from ...core.errors import NotApplicableError, TooLargeError
from .eigenvalue import top_eigenvalue
from .table import Table, gram, second_moments, smaller_gram

_EPS = float(np.finfo(np.float64).eps)
_LARGEST = 2**14
"""Rows of the largest matrix that is formed: 2 GiB."""


class Gram(ABC):
    """The Gram matrix of a class: itself, and what follows from it."""

    size: int

    @abstractmethod
    def matrix(self) -> Array:
        """Return E_x[h_i h_j], shape (m, m)."""

    @abstractmethod
    def second_moments(self) -> Array:
        """Return its diagonal E_x h^2, shape (m,)."""

    @abstractmethod
    def norm(self, centred: bool) -> float:
        """Return the largest eigenvalue of the (centred) matrix over m."""

    @property
    @abstractmethod
    def is_identity(self) -> bool:
        """Whether it is I, up to rounding where it is computed."""

    @property
    @abstractmethod
    def orthonormality(self) -> tuple[str, str]:
        """Whether E h^2 <= 1 and E h h' = 0, and the evidence."""


class _Computed(Gram):
    """A matrix of which each entry is a number with rounding."""

    rounding: float

    @cached_property
    def _defects(self) -> tuple[float, float, float]:
        """max |E h h'|, max E h^2 and min E h^2."""
        matrix = self.matrix()
        off = 0.0
        for i, row in enumerate(matrix):
            off = max(off, float(np.abs(row[:i]).max(initial=0.0)))
        diagonal = np.diagonal(matrix)
        return off, float(diagonal.max()), float(diagonal.min())

    @property
    def is_identity(self) -> bool:
        """Whether Gram = I up to rounding."""
        try:
            off, most, least = self._defects
        except TooLargeError:
            return False
        return off <= self.rounding and most <= 1 + self.rounding and least >= 1 - self.rounding

    @property
    def orthonormality(self) -> tuple[str, str]:
        """ "checked" or "failed", by all entries."""
        try:
            off, most, _ = self._defects
        except TooLargeError as error:
            return "failed", f"not known: {error}"
        evidence = f"Gram matrix of all {self.size:,} members: max |E h h'| = {off:.2g}, max E h^2 = {most:.6g}"
        return ("checked" if off <= self.rounding and most <= 1 + self.rounding else "failed"), evidence


class TableGram(_Computed):
    """The Gram matrix of a table of values, summed over its points."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.size, points = table.shape
        # Error of an inner product of n terms whose absolute values sum to at most 1, with room of 4.
        self.rounding = 4 * points * _EPS

    def matrix(self) -> Array:
        """Return E_x[h_i h_j], shape (m, m). Costs m^2 n/2."""
        return self._matrix

    def second_moments(self) -> Array:
        """Return E_x h^2, shape (m,). Costs m n."""
        return second_moments(self.table)

    def norm(self, centred: bool) -> float:
        """Return the norm, from centred values where it is that. Costs m n min(m, n)."""
        return self._centred_norm if centred else self._uncentred_norm

    @cached_property
    def _matrix(self) -> Array:
        check_size(self.size)
        return _frozen(gram(self.table))

    @cached_property
    def _centred_norm(self) -> float:
        check_size(min(self.table.shape))
        return top_eigenvalue(smaller_gram(self.table, centred=True)) / self.size

    @cached_property
    def _uncentred_norm(self) -> float:
        m, n = self.table.shape
        check_size(min(m, n))
        return top_eigenvalue(self._matrix if m <= n else smaller_gram(self.table, centred=False)) / m


class FormulaGram(_Computed):
    """A Gram matrix whose entries come from a closed form: `entries()` of shape (m, m)."""

    rounding = 64 * _EPS

    def __init__(self, size: int, entries: Callable[[], npt.ArrayLike]) -> None:
        self.size = size
        self._entries = entries

    def matrix(self) -> Array:
        """Return the entries."""
        return self._matrix

    def second_moments(self) -> Array:
        """Return the diagonal."""
        return np.array(np.diagonal(self._matrix))

    def norm(self, centred: bool) -> float:
        """Return the norm; the rows' and columns' means are subtracted where it is centred."""
        return self._centred_norm if centred else self._uncentred_norm

    @cached_property
    def _matrix(self) -> Array:
        check_size(self.size)
        return _frozen(np.array(self._entries(), dtype=np.float64))

    @cached_property
    def _centred_norm(self) -> float:
        centred = self._matrix - self._matrix.mean(axis=0)
        centred -= centred.mean(axis=1)[:, None]
        return top_eigenvalue(centred) / self.size

    @cached_property
    def _uncentred_norm(self) -> float:
        return top_eigenvalue(self._matrix) / self.size


class OrthonormalGram(Gram):
    """The Gram matrix of members of an orthonormal class, which may be repeated: [h_i = h_j].

    Parameters
    ----------
    labels : ndarray of int, shape (m,)
        Equal where the members are.
    proof : str
        Why different members are orthonormal.
    """

    def __init__(self, labels: npt.NDArray[np.intp], proof: str) -> None:
        self.size = labels.size
        self._labels = labels
        self._proof = proof
        self._counts = np.unique_counts(labels).counts

    def matrix(self) -> Array:
        """Return [h_i = h_j], shape (m, m)."""
        check_size(self.size)
        return np.asarray(self._labels[:, None] == self._labels, dtype=np.float64)

    def second_moments(self) -> Array:
        """Return ones."""
        return np.ones(self.size)

    def norm(self, centred: bool) -> float:
        """Return the norm, from how often members are repeated alone.

        On the span of the indicators of equal members the matrix is D, the diagonal of their counts c, and J the
        projection off q, q_i = (c_i/m)^1/2. A count that occurs twice is an eigenvalue; the others are those of a
        matrix of one row for each count.
        """
        counts, times = np.unique_counts(self._counts)
        if not centred:
            return float(counts[-1]) / self.size
        twice = float(counts[times > 1].max(initial=0))
        q = np.sqrt(counts * times / self.size)
        off = np.eye(counts.size) - np.outer(q, q)
        largest = top_eigenvalue(off * counts @ off) if counts.size > 1 else 0.0
        return max(twice, largest) / self.size

    @property
    def is_identity(self) -> bool:
        """Whether no member is repeated."""
        return self._counts.size == self.size

    @property
    def orthonormality(self) -> tuple[str, str]:
        """ "proved" where no member is repeated."""
        if self.is_identity:
            return "proved", f"{self._proof}; these members are different"
        repeated = int(self._counts[self._counts > 1].sum())
        return "failed", f"{repeated:,} of {self.size:,} members are equal to another, so E h h' = 1 for some pairs"


class UnknownGram(Gram):
    """A Gram matrix that cannot be had.

    Parameters
    ----------
    size : int
        Number of members.
    claimed : bool
        Whether the members come from a class that claims to be orthonormal, and are different.
    reason : str
        Why it is not known.
    """

    def __init__(self, size: int, claimed: bool, reason: str) -> None:
        self.size, self._claimed, self._reason = size, claimed, reason

    def matrix(self) -> Array:
        """Raise `NotApplicableError`."""
        raise NotApplicableError(self._reason)

    def second_moments(self) -> Array:
        """Raise `NotApplicableError`."""
        raise NotApplicableError(self._reason)

    def norm(self, centred: bool) -> float:
        """Raise `NotApplicableError`."""
        raise NotApplicableError(self._reason)

    @property
    def is_identity(self) -> bool:
        """What is claimed."""
        return self._claimed

    @property
    def orthonormality(self) -> tuple[str, str]:
        """ "claimed", or "failed"."""
        return ("claimed", f"not looked at: {self._reason}") if self._claimed else ("failed", self._reason)


class KnownByGram(ABC):
    """A mixin: what a class says of itself by its Gram matrix."""

    @property
    @abstractmethod
    def _gram(self) -> Gram:
        """The Gram matrix."""

    def gram(self) -> Array:
        """Return the Gram matrix E_x[h_i(x) h_j(x)], shape (m, m).

        Raises
        ------
        TooLargeError
            It would need more than 2 GiB.
        NotApplicableError
            The inner products are not known.
        """
        return self._gram.matrix()

    def second_moments(self) -> Array:
        """Return E_x h(x)^2 for every member, shape (m,). Raises `NotApplicableError` where it is not known."""
        return self._gram.second_moments()

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram matrix over |H|, exact up to rounding.

        With r = min(m, n) for n points it costs m n r and, up to r = 2000, r^3; beyond, r^2 for each of some hundred
        Lanczos steps. Raises as `gram`, for a matrix of r rows.
        """
        return self._gram.norm(centred)

    @property
    def is_orthonormal(self) -> bool:
        """Whether Gram = I, up to rounding where it is computed; False where it is too large to be."""
        return self._gram.is_identity

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Whether Theorem 1's assumption on the class holds (E h^2 <= 1, E h h' = 0), and the evidence."""
        return self._gram.orthonormality


def check_size(rows: int) -> None:
    """Raise `TooLargeError` for a matrix of more than 2 GiB."""
    if rows > _LARGEST:
        raise TooLargeError(
            f"a Gram matrix of {rows:,} rows needs {8 * rows**2 / 2**30:.3g} GiB, more than 2 GiB; take at most "
            f"{_LARGEST:,} members (or points, for the operator norm alone)"
        )


def _frozen(matrix: Array) -> Array:
    matrix.setflags(write=False)
    return matrix
