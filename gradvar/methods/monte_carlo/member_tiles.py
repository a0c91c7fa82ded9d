"""Tiles of inputs with the labels of all members, and the sums over them of (h - hbar) s.

For a factor s_ij(x) = A_i(x) B_j(x), labels are multiplied into the narrower of A and B, a few members at a time and in
cache, and one product with the wider side sums over the inputs. Where labels and the narrower side are signs, as for a
first layer on the cube, that product is by tables (`kernels/sign_products.py`), and the part of hbar, which all members
share, is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array
from ...kernels.bits import Words, pack
from ...problem import Factors

IN_CACHE = 2**20
"""Bytes that are worked on at a time."""
_TABLES = 256
"""Rows of signs for which it is worth while to make tables."""


class Cell(NamedTuple):
    """Some of the components of one factor: rows of its narrower side times columns of its wider side."""

    factor: int
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """(r, s)."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def size(self) -> int:
        """r s."""
        rows, columns = self.shape
        return rows * columns


@dataclass(frozen=True)
class Factor:
    """A tangent factor of the signal at some inputs.

    Attributes
    ----------
    narrow, wide : ndarrays, shapes (r, n), (n, s)
        The narrower side, and the wider one times the weight of each input in a mean over the block.
    points : ndarray of uint64 or None
        The narrower side packed into bits, 1 for -1, if it is signs.
    mean : ndarray, shape (r, s)
        The sum of hbar times both sides, where members are signs as well.
    """

    narrow: Array
    wide: Array
    points: Words | None
    mean: Array

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in (self.narrow, self.wide, self.mean, self.points) if array is not None)


@dataclass(frozen=True)
class MemberTile:
    """Some inputs with the labels of all members and the factors of the signal.

    Attributes
    ----------
    values : ndarray, shape (m, n)
        h(x) of all members. Small integers, such as signs, take a byte.
    mean : ndarray, shape (n,)
        hbar(x), the means of h(x) over members; or zeros where labels are not centred.
    signs : ndarray of uint64 or None
        The values packed into bits, 1 for -1, if they are signs.
    factors, norms
        The signal, and ||g||^2 and ||s||^2, shape (n, 2).
    """

    values: npt.NDArray[np.float64] | npt.NDArray[np.int8]
    mean: Array
    signs: Words | None
    factors: list[Factor]
    norms: Array

    @classmethod
    def of(cls, values: Array, weights: Array, sides: Factors, norms: Array, centred: bool) -> Self:
        """From h(x) of all members, the weights of the inputs, and the sides (r, n), (n, s) of the signal's factors."""
        with np.errstate(invalid="ignore"):
            small = values.astype(np.int8)
        mean, signs = values.mean(axis=0) if centred else np.zeros(values.shape[1]), _packed(values)
        if signs is not None and centred:  # where all members agree nothing is left, not even rounding
            weights = np.where(np.abs(mean) == 1, 0.0, weights)
        factors = []
        for narrow, wide in sides:
            points, weighted = None if signs is None else _packed(narrow), wide * weights[:, None]
            shared = np.empty((0, 0)) if points is None else (narrow * mean) @ weighted
            factors.append(Factor(narrow, weighted, points, shared))
        return cls(small if np.array_equal(small, values) else values, mean, signs, factors, norms)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = [self.values, self.mean, self.norms, *([] if self.signs is None else [self.signs])]
        return sum(array.nbytes for array in arrays) + sum(factor.nbytes for factor in self.factors)

    def sum_into(self, total: Array, first: int, last: int, cell: Cell, add: bool) -> None:
        """Write sum_x w(x) (h_a(x) - hbar(x)) A_i(x) B_j(x) for some members, shape (members, r, s), or add it."""
        from ...kernels.sign_products import add_sign_products

        factor = self.factors[cell.factor]
        wide = factor.wide[:, cell.columns]
        if self.signs is None or factor.points is None or (last - first) * cell.shape[0] < _TABLES:
            _multiply(total, self.values[first:last] - self.mean, factor.narrow[cell.rows], wide, add)
            return
        # Signs by tables, less the part of hbar.
        mean = factor.mean[cell.rows, cell.columns]
        total[...] = total - mean if add else -mean
        add_sign_products(total, self.signs[:, first:last], factor.points[:, cell.rows], wide)


def _packed(values: Array) -> Words | None:
    """Signs packed into bits, 1 for -1; None for other values."""
    return pack(values < 0) if (np.abs(values) == 1).all() else None


def _multiply(total: Array, labels: Array, narrow: Array, wide: Array, add: bool) -> None:
    """Write sum_n labels[a, n] narrow[i, n] wide[n, j] into `total`, shape (members, r, s), or add it."""
    n = labels.shape[1]
    rows = max(1, IN_CACHE // (n * labels.itemsize))
    some = max(1, rows // len(narrow))
    memory = np.empty((some, min(rows, len(narrow)), n), labels.dtype)
    for a in range(0, len(labels), some):
        for i in range(0, len(narrow), rows):
            left, right = labels[a : a + some, None], narrow[None, i : i + rows]
            merged = np.multiply(left, right, out=memory[: left.shape[0], : right.shape[1]]).reshape(-1, n)
            # Several members come with all their rows, and a part of the rows with one member: a view.
            part = total[a : a + some, i : i + rows].reshape(-1, wide.shape[1])
            if add:
                part += merged @ wide
            else:
                np.matmul(merged, wide, out=part)
