"""Parities: the characters chi_S(x) = prod_{i in S} x_i of the uniform cube {-1, +1}^d."""

from __future__ import annotations

import math
from functools import cached_property
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, integer, real
from ..core.errors import ShapeError
from ..kernels.bits import pack
from .inputs import Hypercube
from .inputs.hypercube import cube_points
from .members.coordinate_sets import SetTargets

_PROOF = "E chi_S chi_T = E chi_(S xor T) = [S = T] on the uniform cube"
_IN_CACHE = 2**15
"""Words of bits that members and inputs are combined in at a time: 256 KiB."""


class SetsOnCube(SetTargets):
    """A mixin: one target for each set of coordinates of the cube, all sets or those of one size k.

    What it says of them is true of plain parities, prod_{i in S} x_i, under uniform x.
    """

    inputs: Hypercube
    label_evidence = ("proved", "every target takes the values -1 and +1 only")

    @property
    def is_orthonormal(self) -> bool:
        """Whether E h_S h_T = [S = T]."""
        return True

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Whether Theorem 1's assumption on the class holds, and the proof."""
        return "proved", _PROOF

    @property
    def description(self) -> str:
        """The class in words."""
        k = self._set_size
        if k is None:
            count = f" = {self.size:,}" if self.dim < 40 else ""
            return f"all 2^{self.dim}{count} parities"
        count = f" = {self.size:,}" if self.size < 10**12 else ""
        return f"the C({self.dim}, {k}){count} parities of degree {k}"

    @cached_property
    def mean_by_weight(self) -> Array:
        """The mean phi(w) of plain parities at points with w negative coordinates, shape (dim + 1,).

        It is also E_h h(x) h(x') = E_h h(x x') at points that differ in w coordinates. [w = 0] for sets of any size:
        C_H(x, x') = [x = x'] - [x = 1] [x' = 1]. The normalised Krawtchouk polynomial phi_k(w) for those of size k.
        """
        if self._set_size is not None:
            return normalised_krawtchouk(self.dim, self._set_size)
        table = np.zeros(self.dim + 1)
        table[0] = 1.0
        return table

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

    def null_functions(self, x: npt.ArrayLike) -> Array:
        """Return functions with the same E_x[h(x) f(x)] for every member, shape (n, q); none where S is any set.

        For one degree 1 and the class mean; where the members are orthonormal the coordinates as well; what is a member
        itself is left out.
        """
        signs = self._signs(x)
        if self._set_size is None:
            return np.empty((signs.shape[0], 0))
        found = [self.mean(signs)[:, None]]
        if self._set_size != 1 and self.is_orthonormal:
            found.insert(0, signs)
        if self._set_size != 0:
            found.insert(0, np.ones((signs.shape[0], 1)))
        return np.concatenate(found, axis=1)

    @property
    def shift(self) -> tuple[float, float]:
        """a, b with x_i h_S = a (1 - 2 [i in S]) h_S + b h_{S xor {i}}, h_S the targets of sets of any size."""
        return 0.0, 1.0

    def coefficients(self, f: npt.ArrayLike) -> Array:
        """Return E_x[h_S(x) f(x)] for the 2^dim sets S of any size, shape (2^dim, q), in the order of their numbers.

        By a Walsh-Hadamard transform; `f` as for `project`.
        """
        from ..kernels.walsh_hadamard import walsh_hadamard

        rows = np.array(self._functions(f).T, order="C")
        walsh_hadamard(rows)
        rows *= 2.0**-self.dim
        return np.ascontiguousarray(rows.T)

    def set_numbers(self, members: npt.ArrayLike | None = None) -> npt.NDArray[np.int64]:
        """Return sum_i v_i 2^i for these members, or for all, shape (m,)."""
        if members is None:
            return self._numbers()
        return np.asarray(self._sets(members) @ 2 ** np.arange(self.dim, dtype=np.int64))

    def _functions(self, f: npt.ArrayLike) -> Array:
        values = real("f", f, f"(2^{self.dim}, q)")
        if values.ndim != 2 or values.shape[0] != self.inputs.n_points:
            raise ShapeError(f"`f` must have shape (2^{self.dim}, q) for {self!r}, got {values.shape}")
        return values

    def _signs(self, x: npt.ArrayLike) -> Array:
        return cube_points(x, self.dim, repr(self))


class CubeParities(SetsOnCube):
    """All parities whose degree is in a range of degrees: all of them, or those of one degree.

    Attributes
    ----------
    inputs : Hypercube
        The uniform cube.
    degrees : range
        The degrees |S| of the members.
    """

    labels = "signs"

    def __init__(self, dim: SupportsIndex, degrees: range) -> None:
        self.dim = integer("dim", dim, 1)
        self.inputs = Hypercube(self.dim)
        self.degrees = degrees

    @property
    def _key(self) -> tuple[object, ...]:
        return self.dim, self.degrees

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
        v = self._sets(members)
        chosen, negative = pack(v), pack(self._signs(x) < 0)
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
        return self.coefficients(f)[self.set_numbers()]


class Parities(CubeParities):
    """All 2^dim parities chi_S(x) = prod_{i in S} x_i on the uniform cube {-1, +1}^dim.

    An orthonormal class (Theorem 1 of arXiv 1703.07950 is an equality for it up to one point of the cube):
    C_H(x, x') = [x = x'] - [x = 1] [x' = 1], class mean [x = (1, ..., 1)], operator norm 1/|H|.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1; 10 000 is fine.

    Raises
    ------
    ValueError, TypeError
        A dimension out of range.

    Examples
    --------
    >>> H = Parities(3)
    >>> H.size, H.log2_size, H.operator_norm()
    (8, 3.0, 0.125)
    >>> H.evaluate([[True, True, False]], [[-1, 1, -1]])
    array([[-1.]])
    """

    uncorrelated = True
    """E_h[h(x) h(x')] = [x = x']."""

    def __init__(self, dim: SupportsIndex) -> None:
        number = integer("dim", dim, 1)
        super().__init__(number, range(number + 1))

    def __repr__(self) -> str:
        return f"Parities(dim={self.dim})"


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

    Raises
    ------
    ValueError, TypeError
        A dimension or degree out of range.

    Examples
    --------
    >>> H = SparseParities(1000, 5)
    >>> H.size
    8250291250200
    """

    def __init__(self, dim: SupportsIndex, degree: SupportsIndex) -> None:
        number = integer("dim", dim, 1)
        self.degree = self._set_size = integer("degree", degree, 0, number)
        super().__init__(number, range(self.degree, self.degree + 1))

    def __repr__(self) -> str:
        return f"SparseParities(dim={self.dim}, degree={self.degree})"


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
