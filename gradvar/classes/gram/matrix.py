r"""The Gram matrix Gram_ij = E_x[h_i(x) h_j(x)] of a class, and the norms of it that bounds are made of.

However the matrix is had, the same is said of the class by it: whether Gram = I, whether Theorem 1's assumption on
the class holds (E h^2 <= 1, E h h' = 0), the norm lambda_max(J Gram J)/|H| of the class covariance, J = I - 11'/|H|,
and norms that are at least as large.

Of members with probabilities pi, D = diag(pi), all of them are norms of D^1/2 Gram D^1/2 in the place of Gram/|H|, and
q q', q_i = pi_i^1/2, is in the place of 11'/|H|.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array
from ...core.errors import NotApplicableError, TooLargeError
from ...core.numbers import log2_of
from .eigenvalue import top_eigenvalue
from .table import Table, gram, second_moments, smaller_gram

Entries = Callable[[], npt.ArrayLike]
_EPS = float(np.finfo(np.float64).eps)
_LARGEST = 2**14
"""Rows of the largest matrix that is formed: 2 GiB."""


@dataclass(frozen=True)
class GramNorms:
    """Base-2 logarithms of norms of a Gram matrix over |H|, and the evidence for them.

    Attributes
    ----------
    centred, uncentred : float
        lambda_max(J Gram J)/|H| and lambda_max(Gram)/|H|.
    gershgorin : float
        max_i sum_j |Gram_ij|/|H|.
    boas_bellman : float
        (max_i Gram_ii + (sum_{i != j} Gram_ij^2)^(1/2))/|H|.
    frobenius : float
        (sum_ij Gram_ij^2)^(1/2)/|H|.
    evidence : str
        What they were computed from.

    With probabilities pi of the members: lambda_max((D - pi pi') Gram) and lambda_max(D Gram), max_i sum_j pi_j
    |Gram_ij| (the largest row sum of Gram D, which has the same eigenvalues), max_i pi_i Gram_ii + (sum_{i != j}
    pi_i pi_j Gram_ij^2)^(1/2) and (sum_ij pi_i pi_j Gram_ij^2)^(1/2), over members of positive probability.
    """

    centred: float
    uncentred: float
    gershgorin: float
    boas_bellman: float
    frobenius: float
    evidence: str

    @classmethod
    def of_identity(cls, log2_size: float, square: float = 1.0) -> GramNorms:
        """Return those of E h^2 I, of a class with E h h' = 0; what is centred of one member is 0."""
        norm, frobenius = (math.log2(square) - share for share in (log2_size, log2_size / 2))
        centred = norm if log2_size > 0 else -math.inf
        why = f"orthonormal class: Gram = {'' if square == 1 else f'{square:g} '}I"
        return cls(centred, norm, norm, norm, frobenius, why)


@dataclass(frozen=True)
class _Sums:
    """Extremes of the diagonal and the other entries of a Gram matrix; by m times the probabilities, its norms."""

    most: float
    least: float
    largest_off: float
    top: float
    row_sum: float
    frobenius: float
    frobenius_off: float


class Gram:
    """The Gram matrix of a class of m members: its entries, and what follows from them.

    Parameters
    ----------
    size : int
        m.
    entries : callable
        Returns E_x[h_i h_j], shape (m, m); called once.
    rounding : float
        What an entry may be off by.
    claimed : bool
        Whether the class claims that the matrix is I: what is said where it cannot be had.
    prior : ndarray, shape (m,), or None
        The probabilities of the members, where they are not equal.
    """

    def __init__(
        self,
        size: int,
        entries: Entries,
        rounding: float = 64 * _EPS,
        claimed: bool = False,
        prior: Array | None = None,
    ) -> None:
        self.size, self.entries, self.rounding, self.claimed, self.prior = size, entries, rounding, claimed, prior
        self._norms: dict[bool, float] = {}

    @cached_property
    def matrix(self) -> Array:
        """E_x[h_i h_j], shape (m, m), read-only; `TooLargeError` where it takes more than 2 GiB."""
        check_size(self.size)
        matrix = np.asarray(self.entries(), dtype=np.float64).view()
        matrix.setflags(write=False)
        return matrix

    def rows(self) -> Array:
        """Return the first rows, of which the others are permutations with the same diagonal entries."""
        return self.matrix

    def largest_second_moment(self) -> float:
        """Return max_h E h^2."""
        return float(np.diagonal(self.rows()).max())

    def norm(self, centred: bool) -> float:
        """Return the largest eigenvalue of the (centred) matrix over m."""
        if centred not in self._norms:
            self._norms[centred] = top_eigenvalue(self.same_spectrum(centred)) / self.size
        return self._norms[centred]

    def same_spectrum(self, centred: bool) -> Array:
        """Return a matrix with the nonzero eigenvalues of the (centred) matrix."""
        found = self.matrix
        if centred:
            # J Gram J: the columns' and the rows' means are subtracted.
            found = np.asarray(found - np.average(found, axis=0, weights=self.prior))
            found -= np.average(found, axis=1, weights=self.prior)[:, None]
        if self.prior is not None:
            root = np.sqrt(self.size * self.prior)
            found = found * root[:, None] * root
        return found

    def norms(self, centred: float, uncentred: float) -> GramNorms:
        """Return the norms that bounds are made of; the operator norms are given, as the class says them."""
        sums, m = self._sums, self.size
        return GramNorms(
            centred=log2_of(centred, 0),
            uncentred=log2_of(uncentred, 0),
            gershgorin=log2_of(sums.row_sum / m, 0),
            boas_bellman=log2_of((sums.top + sums.frobenius_off) / m, 0),
            frobenius=log2_of(sums.frobenius / m, 0),
            evidence=self._evidence,
        )

    @property
    def _evidence(self) -> str:
        return f"Gram matrix of all {self.size:,} members{'' if self.prior is None else ', with their probabilities'}"

    @cached_property
    def _sums(self) -> _Sums:
        rows = self.rows()
        shares = np.ones(rows.shape[1]) if self.prior is None else self.size * self.prior
        possible, root = shares > 0, np.sqrt(shares)  # members that are never drawn count for nothing
        diagonal = np.diagonal(rows)[possible[: len(rows)]]
        unit = math.ldexp(1.0, math.frexp(float(diagonal.max()))[1])  # squares stay within float64
        largest_off, sums, squares, squares_off = 0.0, [], [], []
        for i, entries in enumerate(rows):  # a row at a time: the matrix may take 2 GiB
            row = possible[i] * possible * (entries / unit)
            sums.append(float((np.abs(row) * shares).sum()))
            weighted = row * (root[i] * root)
            squares.append(float(weighted @ weighted))
            row[i] = weighted[i] = 0.0
            squares_off.append(float(weighted @ weighted))
            largest_off = max(largest_off, float(row.max()), -float(row.min()))
        copies = rows.shape[1] / rows.shape[0]
        return _Sums(
            most=float(diagonal.max()),
            least=float(diagonal.min()),
            largest_off=unit * largest_off,
            top=float((np.diagonal(rows) * shares[: len(rows)]).max()),
            row_sum=unit * max(sums),
            frobenius=unit * math.sqrt(copies * math.fsum(squares)),
            frobenius_off=unit * math.sqrt(copies * math.fsum(squares_off)),
        )

    @property
    def is_identity(self) -> bool:
        """Whether Gram = I, up to rounding where it is computed."""
        try:
            sums = self._sums
        except (TooLargeError, NotApplicableError):
            return self.claimed
        near_one = sums.most <= 1 + self.rounding and sums.least >= 1 - self.rounding
        return sums.largest_off <= self.rounding and near_one

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Whether E h^2 <= 1 and E h h' = 0, "checked" or "failed" by all entries, or "claimed" or "unknown"."""
        try:
            sums = self._sums
        except (TooLargeError, NotApplicableError) as error:
            return ("claimed" if self.claimed else "unknown"), f"not known: {error}"
        holds = sums.largest_off <= self.rounding and sums.most <= 1 + self.rounding
        return ("checked" if holds else "failed"), self._described(sums.largest_off, sums.most)

    def _described(self, largest_off: float, most: float) -> str:
        return f"{self._evidence}: max |E h h'| = {largest_off:.2g}, max E h^2 = {most:.6g}"


class TableGram(Gram):
    """The Gram matrix of a table of values, summed over its points."""

    def __init__(self, table: Table, prior: Array | None = None) -> None:
        self.table = table
        size, points = table.shape
        # Error of an inner product of n terms whose absolute values sum to at most 1, with room of 4.
        super().__init__(size, partial(gram, table), rounding=4 * points * _EPS, prior=prior)

    def largest_second_moment(self) -> float:
        """Return max_h E h^2. Costs m n."""
        return float(second_moments(self.table).max())

    def same_spectrum(self, centred: bool) -> Array:
        """Return a matrix on the smaller side of the table; centred, from centred values. Costs m n min(m, n)."""
        m, n = self.table.shape
        check_size(min(m, n))
        raw = m <= n and not centred and self.prior is None
        return self.matrix if raw else smaller_gram(self.table, centred, self.prior)


class OrthonormalGram(Gram):
    """The Gram matrix of members of an orthonormal class, which may be repeated: E h^2 [h_i = h_j].

    Parameters
    ----------
    labels : ndarray of int, shape (m,)
        Equal where the members are.
    proof : str
        Why different members are orthonormal.
    square : float
        E h^2.
    """

    def __init__(self, labels: npt.NDArray[np.intp], proof: str, square: float = 1.0) -> None:
        super().__init__(labels.size, partial(_equal, labels, square))
        self._proof, self._square = proof, square
        self._counts = np.unique_counts(labels).counts

    def rows(self) -> Array:
        """Return the diagonal entry of the first member."""
        return np.full((1, 1), self._square)

    def norm(self, centred: bool) -> float:
        """Return the norm, from how often members are repeated alone.

        On the span of the indicators of equal members the matrix is D, the diagonal of their counts c, and J the
        projection off q, q_i = (c_i/m)^1/2. A count that occurs twice is an eigenvalue; the others are those of a
        matrix of one row for each count.
        """
        counts, times = np.unique_counts(self._counts)
        if not centred:
            return self._square * float(counts[-1]) / self.size
        twice = float(counts[times > 1].max(initial=0))
        # (I - q q') D (I - q q')
        q = np.sqrt(counts * times / self.size)
        off = np.eye(counts.size) - np.outer(q, q)
        largest = top_eigenvalue(off * counts @ off) if counts.size > 1 else 0.0
        return self._square * max(twice, largest) / self.size

    def norms(self, centred: float, uncentred: float) -> GramNorms:
        """Return the norms; those of the identity where no member is repeated."""
        if self._are_different:
            return GramNorms.of_identity(math.log2(self.size), self._square)
        return super().norms(centred, uncentred)

    @property
    def _are_different(self) -> bool:
        return self._counts.size == self.size

    @cached_property
    def _sums(self) -> _Sums:
        # c members that are equal fill a block of c^2 ones.
        ones = float(np.sum(np.square(self._counts.astype(np.float64))))
        most = float(self._counts.max())
        sums = 1.0, 1.0, float(most > 1), 1.0, most, math.sqrt(ones), math.sqrt(ones - self.size)
        return _Sums(*(self._square * each for each in sums))

    @property
    def orthonormality(self) -> tuple[str, str]:
        """ "proved" where no member is repeated."""
        if self._are_different:
            return "proved", f"{self._proof}; these members are different"
        repeated = int(self._counts[self._counts > 1].sum())
        return (
            "failed",
            f"{repeated:,} of {self.size:,} members are equal to another, so E h h' = {self._square:g} for some pairs",
        )


class KnownByGram(ABC):
    """A mixin: norms and orthonormality of a class by its Gram matrix."""

    @property
    @abstractmethod
    def gram_matrix(self) -> Gram:
        """The Gram matrix and what follows from it."""

    def gram(self) -> Array:
        """Return the Gram matrix E_x[h_i(x) h_j(x)], shape (m, m).

        Raises
        ------
        TooLargeError
            It would need more than 2 GiB.
        NotApplicableError
            The inner products are not known.
        """
        return self.gram_matrix.matrix

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram matrix over |H|, exact up to rounding.

        Of members with probabilities pi, D = diag(pi), that of (D - pi pi') Gram; not centred, of D Gram.

        Of values of m members at n points, with r = min(m, n), it costs m n r and, up to r = 2000, r^3; beyond, r^2
        for each of some hundred Lanczos steps. Raises as `gram`, for a matrix of r rows.
        """
        return self.gram_matrix.norm(centred)

    @property
    def is_orthonormal(self) -> bool:
        """Whether Gram = I, up to rounding where it is computed; False where it is too large to be.

        Members of probability zero are left out.
        """
        return self.gram_matrix.is_identity

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Whether Theorem 1's assumption on the class holds (E h^2 <= 1, E h h' = 0), and the evidence."""
        return self.gram_matrix.orthonormality


def check_size(rows: int) -> None:
    """Raise `TooLargeError` for a matrix of more than 2 GiB."""
    if rows > _LARGEST:
        raise TooLargeError(
            f"a Gram matrix of {rows:,} rows needs {8 * rows**2 / 2**30:.3g} GiB, more than 2 GiB; take at most "
            f"{_LARGEST:,} members (or points, for the operator norm alone)"
        )


def _equal(labels: npt.NDArray[np.intp], square: float) -> Array:
    return np.asarray(square * (labels[:, None] == labels))
