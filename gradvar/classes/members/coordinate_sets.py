"""Classes with one member for each set of coordinates, or each set of one size: rows v, v_i = [i in S]."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from functools import cached_property
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import SeedLike, generator, integer, real
from ...core.errors import ShapeError, TooLargeError
from .target import HasMembers, Target
from .target_class import TargetClass

Sets = npt.NDArray[np.bool_]

_LISTED = 2**30
"""The most booleans that sets of one size are listed in."""


class CoordinateSets(HasMembers):
    """A mixin: members, their numbers, drawing and checking, where a member is a set S of coordinates.

    Members come in increasing order of sum_i v_i 2^i. Those of one size k have the number C(i_1, 1) + ... + C(i_k, k),
    i_1 < ... < i_k.

    Attributes
    ----------
    dim : int
        Number of coordinates.
    size : int
        |H|, exactly: 2^dim, or C(dim, k).
    """

    dim: int
    _set_size: int | None = None
    """The size k of every set; None for sets of any size."""

    @cached_property
    def size(self) -> int:
        """|H|, exactly."""
        return 1 << self.dim if self._set_size is None else math.comb(self.dim, self._set_size)

    def members(self) -> Sets:
        """Return all members as rows v, shape (|H|, dim), in increasing order of sum_i v_i 2^i."""
        k = self._set_size
        # Going through all 2^dim numbers is faster unless few of them have k bits.
        if k is None or (self.dim <= 30 and 1 << self.dim <= 64 * self.size):
            return _bits(self._numbers(), self.dim)
        if self.size * self.dim > _LISTED:
            raise TooLargeError(
                f"listing members of {self!r} takes {self.size:,} rows of {self.dim}; draw some with sample(m), or "
                "take one with member(i)"
            )
        # Combinations of the coordinates counted from the last come in decreasing order.
        sets = itertools.combinations(range(self.dim - 1, -1, -1), k)
        columns = np.fromiter(itertools.chain.from_iterable(sets), np.int64, self.size * k).reshape(self.size, k)
        rows = np.zeros((self.size, self.dim), dtype=np.bool_)
        np.put_along_axis(rows, columns[::-1], True, axis=1)
        return rows

    def member(
        self, which: SupportsIndex | npt.ArrayLike | None = None, *, subset: Iterable[SupportsIndex] | None = None
    ) -> Target:
        """Return one member as a function of the inputs.

        Parameters
        ----------
        which : int or array_like of bool
            Its number in the order of `members()`, or the booleans v_i = [i in S], shape (dim,).
        subset : iterable of int
            In place of it the coordinates in S, counted from 0, as its `repr` prints them.

        Examples
        --------
        >>> import gradvar as gv
        >>> gv.Parities(4).member(subset=[0, 2])
        <target on coordinates [0, 2] of Parities(dim=4)>
        """
        if subset is None and which is not None:
            return super().member(which)
        if subset is None or which is not None:
            raise TypeError(f"`which` or `subset` must be given, one of them, got {which!r} and {subset!r}")
        row = np.zeros(self.dim, dtype=np.bool_)
        for i in subset:
            place = integer("subset[...]", i, 0, self.dim - 1)
            if row[place]:
                raise ValueError(f"`subset` must name each coordinate once, got {place} twice")
            row[place] = True
        return super().member(row)

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Sets:
        """Return m members drawn independently, as rows v of shape (m, dim)."""
        count, source = integer("m", m, 0), generator(rng)
        if self._set_size is None:
            return source.integers(0, 2, size=(count, self.dim)).astype(np.bool_)
        rows = np.zeros((count, self.dim), dtype=np.bool_)
        rows[:, : self._set_size] = True
        return source.permuted(rows, axis=1)

    def _numbers(self) -> npt.NDArray[np.int64]:
        """sum_i v_i 2^i of all members."""
        if self.dim > 30:
            raise TooLargeError(f"listing members of {self!r} means 2^{self.dim} numbers; use dim <= 30, or sample()")
        numbers = np.arange(2**self.dim, dtype=np.int64)
        return numbers if self._set_size is None else numbers[np.bitwise_count(numbers) == self._set_size]

    def _numbered(self, number: int) -> Sets:
        if self._set_size is None:
            octets = np.frombuffer(number.to_bytes((self.dim + 7) // 8, "little"), dtype=np.uint8)
            return np.unpackbits(octets, count=self.dim, bitorder="little").view(np.bool_)
        row = np.zeros(self.dim, dtype=np.bool_)
        left, i, k = number, self.dim - 1, self._set_size
        below = math.comb(i, k)  # sets of size k of the coordinates before i
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

    def _sets(self, members: npt.ArrayLike) -> Sets:
        """These rows as booleans, of any size."""
        v = members if isinstance(members, np.ndarray) else real("members", members, f"(m, {self.dim})")
        if v.ndim != 2 or v.shape[1] != self.dim:
            raise ShapeError(
                f"`members` must have shape (m, {self.dim}) for {self!r}, each described by {self.dim} booleans, true "
                f"where its coordinates are, got shape {v.shape[1:]} for each; by coordinates: member(subset=[...])"
            )
        if v.dtype != np.bool_ and not ((v == 0) | (v == 1)).all():
            raise ValueError(f"`members` must be rows of True and False for {self!r}, got other values than 0 and 1")
        return v.astype(np.bool_)

    def _of_size(self, sets: Sets) -> Sets:
        """These sets, if they have the size of members."""
        sizes = np.count_nonzero(sets, axis=1)
        wrong = sizes[:0] if self._set_size is None else sizes[sizes != self._set_size]
        if wrong.size:
            raise ValueError(f"{self!r} has no member of degree {wrong[0]}")
        return sets

    def _checked(self, rows: npt.NDArray[np.generic]) -> Sets:
        found = self._of_size(self._sets(rows))
        if rows.dtype != np.bool_:  # [0, 1] may be a mask, or the numbers of coordinates
            raise TypeError(
                f"a member of {self!r} must be described by {self.dim} booleans, got {rows[0].tolist()}; the parity of "
                "coordinates 0 and 2 is member(subset=[0, 2])"
            )
        return found


class SetTargets(CoordinateSets, TargetClass):
    """A mixin: one target for each set of coordinates; the operator norm is that of an orthonormal class."""

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram matrix over |H|. Exact: 1/|H|, underflowing to 0.0.

        A class with one member has nothing to vary: its centred norm is 0.
        """
        if centred and self.size == 1:
            return 0.0
        return 1 / self.size if self.size < 2**1074 else 0.0

    def log2_operator_norm(self, centred: bool = True) -> float:
        """Return its base-2 logarithm, -log2_size; -inf for one member, centred."""
        return -math.inf if centred and self.size == 1 else -self.log2_size


def _bits(numbers: npt.NDArray[np.int64], dim: int) -> Sets:
    """The bits of numbers below 2^dim, dim <= 62, shape (m, dim)."""
    octets = numbers.astype("<i8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, count=dim, bitorder="little").view(np.bool_)
