"""Parities: the characters chi_S(x) = prod_{i in S} x_i of the uniform cube {-1, +1}^d."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, generator, inputs_of, integer
from ..core.errors import ShapeError, TooLargeError
from ..kernels.bits import pack
from .inputs import Hypercube
from .members.target_class import TargetClass

_PROOF = "E chi_S chi_T = E chi_(S xor T) = [S = T] on the uniform cube"
_MOST_LISTED = 2**20
_IN_CACHE = 2**15
"""Words of bits that members and inputs are combined in at a time: 256 KiB."""


class CubeParities(TargetClass, ABC):
    """What Parities and SparseParities share: all parities whose degree is in a range of degrees.

    Attributes
    ----------
    inputs : Hypercube
        The uniform cube.
    degrees : range
        The degrees |S| of the members.
    size : int
        |H|, exactly.
    """

    labels = "signs"
    label_evidence = ("proved", "every target takes the values -1 and +1 only")
    is_orthonormal = True
    orthonormality = ("proved", _PROOF)

    def __init__(self, dim: SupportsIndex, degrees: range) -> None:
        self.dim = integer("dim", dim, 1)
        self.inputs = Hypercube(self.dim)
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and (self.dim, self.degrees) == (other.dim, other.degrees)

    def __hash__(self) -> int:
        return hash((type(self), self.dim, self.degrees))

    @property
    @abstractmethod
    def size(self) -> int:
        """|H|."""

    @property
    def log2_size(self) -> float:
        """log2 |H|."""
        return math.log2(self.size)

    @property
    @abstractmethod
    def mean_by_weight(self) -> Array:
        """The class mean phi(w) at points with w negative coordinates, shape (dim + 1,).

        It is also E_h h(x) h(x') = E_h h(x x') at points that differ in w coordinates.
        """

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x) = phi(#{x_i = -1}), shape (n,); see `mean_by_weight`."""
        return np.asarray(self.mean_by_weight[np.count_nonzero(self._signs(x) < 0, axis=1)])

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') = phi(dist(x, x')) - phi(#{x_i = -1}) phi(#{x'_i = -1}), shape (n, n2).

        Exact up to rounding; costs n n2 dim / 64. See `mean_by_weight`.
        """
        from ..kernels.hamming import look_up_distances

        a, b = self._signs(x), self._signs(x2)
        return look_up_distances(pack(a < 0), pack(b < 0), self.mean_by_weight, self.mean(a), self.mean(b))

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram matrix over |H|. Exact: 1/|H|, underflowing to 0.0.

        A class with one member has nothing to vary: its centred norm is 0.
        """
        if centred and self.size == 1:
            return 0.0
        return 1 / self.size if self.size < 2**1074 else 0.0

    def members(self) -> npt.NDArray[np.bool_]:
        """Return all members as rows v, shape (|H|, dim), in increasing order of sum_i v_i 2^i."""
        return _rows(self._numbers(), self.dim)

    @abstractmethod
    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> npt.NDArray[np.bool_]:
        """Return m members drawn independently, as rows v of shape (m, dim)."""

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return h(x) for each member.

        Parameters
        ----------
        members : array_like of bool, shape (m, dim)
            Row v is the parity of the coordinates with v_i true.
        x : array_like, shape (n, dim)
            Inputs in {-1, +1}.

        Returns
        -------
        ndarray, shape (m, n)
            Values in {-1, +1}, exact. Costs m n dim / 64.
        """
        v = np.asarray(members)
        if v.ndim != 2 or v.shape[1] != self.dim:
            raise ShapeError(f"`members` must have shape (m, {self.dim}) for {self!r}, got {v.shape}")
        if v.dtype != np.bool_ and not ((v == 0) | (v == 1)).all():
            raise ValueError(f"`members` must be rows of True and False for {self!r}, got other values than 0 and 1")
        chosen, negative = pack(v.astype(np.bool_)), pack(self._signs(x) < 0)
        values = np.empty((v.shape[0], negative.shape[1]))
        rows = max(1, _IN_CACHE // max(1, negative.shape[1]))
        for start in range(0, v.shape[0], rows):
            some = chosen[:, start : start + rows, None]
            odd = some[0] & negative[0]
            for i in range(1, len(negative)):
                odd ^= some[i] & negative[i]
            values[start : start + rows] = np.bitwise_count(odd) & 1
        values *= -2.0
        values += 1.0
        return values

    def project(self, f: npt.ArrayLike) -> Array:
        """Return E_x[h(x) f(x)] for every member, by a Walsh-Hadamard transform.

        Parameters
        ----------
        f : array_like, shape (2^dim, q)
            Values of q functions at the points of `inputs`, in their order.

        Returns
        -------
        ndarray, shape (|H|, q)
            Rows in the order of `members()`. Exact up to rounding; costs q dim 2^dim.
        """
        from ..kernels.walsh_hadamard import walsh_hadamard

        values = np.asarray(f, dtype=np.float64)
        if values.ndim != 2 or values.shape[0] != self.inputs.n_points:
            raise ShapeError(f"`f` must have shape (2^{self.dim}, q) for {self!r}, got {values.shape}")
        rows = np.array(values.T, order="C")
        walsh_hadamard(rows)
        rows *= 2.0**-self.dim
        return np.ascontiguousarray(rows[:, self._numbers()].T)

    def _checked(self, rows: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise ShapeError(
                f"a member of {self!r} is described by {self.dim} booleans, true where its coordinates are, "
                f"got shape {rows.shape[1:]}"
            )
        chosen = np.asarray(rows == 1)
        if not (chosen | (rows == 0)).all():
            raise ValueError(f"a member of {self!r} is described by {self.dim} booleans, got other values than 0 and 1")
        degrees = np.count_nonzero(chosen, axis=1)
        wrong = degrees[(degrees < self.degrees[0]) | (degrees > self.degrees[-1])]
        if wrong.size:
            raise ValueError(f"{self!r} has no member of degree {wrong[0]}")
        return chosen

    def _numbers(self) -> npt.NDArray[np.int64]:
        if self.dim > 30:
            raise TooLargeError(f"listing members of {self!r} means 2^{self.dim} numbers; use dim <= 30, or sample()")
        numbers = np.arange(2**self.dim, dtype=np.int64)
        degree = np.bitwise_count(numbers)
        return numbers[(degree >= self.degrees[0]) & (degree <= self.degrees[-1])]

    def _signs(self, x: npt.ArrayLike) -> Array:
        array = inputs_of(x, self.dim, repr(self))
        if not (np.abs(array) == 1).all():
            row, column = (int(i) for i in np.argwhere(np.abs(array) != 1)[0])
            raise ValueError(f"`x` must hold only -1 and +1 for {self!r}, got {array[row, column]} in row {row}")
        return array


class Parities(CubeParities):
    """All 2^dim parities chi_S(x) = prod_{i in S} x_i on the uniform cube {-1, +1}^dim.

    An orthonormal class (Theorem 1 of arXiv 1703.07950 is an equality for it up to one point of the cube):
    C_H(x, x') = [x = x'] - [x = 1] [x' = 1], class mean [x = (1, ..., 1)], operator norm 1/|H|.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1; 10 000 is fine.

    Examples
    --------
    >>> H = Parities(3)
    >>> H.size, H.log2_size, H.operator_norm()
    (8, 3.0, 0.125)
    >>> H.evaluate([[True, True, False]], [[-1, 1, -1]])
    array([[-1.]])
    """

    def __init__(self, dim: SupportsIndex) -> None:
        number = integer("dim", dim, 1)
        super().__init__(number, range(number + 1))

    def __repr__(self) -> str:
        return f"Parities(dim={self.dim})"

    @property
    def size(self) -> int:
        """2^dim."""
        return 1 << self.dim

    @property
    def log2_size(self) -> float:
        """The dimension."""
        return float(self.dim)

    @property
    def description(self) -> str:
        """The class in words."""
        count = f" = {self.size:,}" if self.dim < 40 else ""
        return f"all 2^{self.dim}{count} parities"

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> npt.NDArray[np.bool_]:
        """Return m members drawn independently, as rows v of shape (m, dim)."""
        return generator(rng).integers(0, 2, size=(integer("m", m, 0), self.dim)).astype(np.bool_)

    def _numbered(self, number: int) -> npt.NDArray[np.bool_]:
        """The bits of the number."""
        bits = np.frombuffer(number.to_bytes((self.dim + 7) // 8, "little"), dtype=np.uint8)
        return np.unpackbits(bits, count=self.dim, bitorder="little").view(np.bool_)

    @cached_property
    def mean_by_weight(self) -> Array:
        """[w = 0]: C_H(x, x') = [x = x'] - [x = 1] [x' = 1], and the class mean is [x = (1, ..., 1)]."""
        table = np.zeros(self.dim + 1)
        table[0] = 1.0
        return table


class SparseParities(CubeParities):
    """The C(dim, degree) parities of exactly `degree` coordinates on the uniform cube {-1, +1}^dim.

    An orthonormal class with covariance C_H(x, x') = phi_k(dist(x, x')) - phi_k(#{x_i = -1}) phi_k(#{x'_i = -1}),
    where phi_k = K_k / C(dim, k) is the normalised Krawtchouk polynomial, class mean phi_k(#{x_i = -1}) and
    operator norm 1/|H|.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.
    degree : int
        Number of coordinates in each parity, 0 to dim.

    Examples
    --------
    >>> H = SparseParities(1000, 5)
    >>> H.size
    8250291250200
    """

    def __init__(self, dim: SupportsIndex, degree: SupportsIndex) -> None:
        number = integer("dim", dim, 1)
        self.degree = integer("degree", degree, 0, number)
        super().__init__(number, range(self.degree, self.degree + 1))

    def __repr__(self) -> str:
        return f"SparseParities(dim={self.dim}, degree={self.degree})"

    @cached_property
    def size(self) -> int:
        """C(dim, degree)."""
        return math.comb(self.dim, self.degree)

    @property
    def description(self) -> str:
        """The class in words."""
        count = f" = {self.size:,}" if self.size < 10**12 else ""
        return f"the C({self.dim}, {self.degree}){count} parities of degree {self.degree}"

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> npt.NDArray[np.bool_]:
        """Return m members drawn independently, as rows v of shape (m, dim)."""
        rows = np.zeros((integer("m", m, 0), self.dim), dtype=np.bool_)
        rows[:, : self.degree] = True
        return generator(rng).permuted(rows, axis=1)

    def members(self) -> npt.NDArray[np.bool_]:
        """Return all members as rows v, shape (|H|, dim), in increasing order of sum_i v_i 2^i."""
        if self.dim <= 30 or self.size > _MOST_LISTED:
            return super().members()
        # Combinations of the coordinates counted from the last come in decreasing order.
        chosen = np.array(list(itertools.combinations(range(self.dim - 1, -1, -1), self.degree)), dtype=np.intp)
        rows = np.zeros((self.size, self.dim), dtype=np.bool_)
        np.put_along_axis(rows, chosen[::-1], True, axis=1)
        return rows

    def _numbered(self, number: int) -> npt.NDArray[np.bool_]:
        """The member with i_1 < ... < i_k of the number C(i_1, 1) + ... + C(i_k, k)."""
        row = np.zeros(self.dim, dtype=np.bool_)
        left, i, k = number, self.dim - 1, self.degree
        below = math.comb(i, k)  # members of degree k on the coordinates before i
        while k > 0:
            if left >= below:
                row[i] = True
                left -= below
                below = below * k // i if i else 0  # C(i - 1, k - 1)
                k -= 1
            else:
                below = below * (i - k) // i  # C(i - 1, k)
            i -= 1
        return row

    def null_functions(self, x: npt.ArrayLike) -> Array:
        """Return parities of degree 0 and 1, those that are not members, and the class mean, shape (n, q)."""
        signs = self._signs(x)
        found = [self.mean(signs)[:, None]]
        if self.degree != 1:
            found.insert(0, signs)
        if self.degree != 0:
            found.insert(0, np.ones((signs.shape[0], 1)))
        return np.concatenate(found, axis=1)

    @cached_property
    def mean_by_weight(self) -> Array:
        """phi_k(w), the normalised Krawtchouk polynomial."""
        return normalised_krawtchouk(self.dim, self.degree)


def _rows(numbers: npt.NDArray[np.int64], dim: int) -> npt.NDArray[np.bool_]:
    """The bits of numbers below 2^dim, dim <= 62, shape (m, dim)."""
    octets = numbers.astype("<i8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, count=dim, bitorder="little").view(np.bool_)


def normalised_krawtchouk(dim: int, degree: int) -> Array:
    """Return phi_k(w) = K_k(w) / C(dim, k) for w = 0..dim, k = degree: the mean of the degree-k parities at
    Hamming weight w.

    Correctly rounded: the recurrence (j + 1) K_{j+1} = (dim - 2w) K_j - (dim - j + 1) K_{j-1} runs in exact
    integers, for the smaller of k and dim - k, since K_{dim-k}(w) = (-1)^w K_k(w). Costs dim min(k, dim - k).
    """
    k = min(degree, dim - degree)
    size = math.comb(dim, k)
    table = np.empty(dim + 1)
    for w in range(dim + 1):
        previous, current = 0, 1
        for j in range(k):
            previous, current = current, ((dim - 2 * w) * current - (dim - j + 1) * previous) // (j + 1)
        table[w] = (-current if k != degree and w % 2 else current) / size
    return table
