"""The signals of a tile of inputs, kept as factors, and their inner products with those of another tile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from ...core.arguments import Array
from ...kernels.bits import Words, pack
from ...models.trainable import Share
from ...problem import Factors, Problem

_WRITTEN_OUT = 4
"""Columns that a part may have, for each function that is taken out, for these to be taken from it one by one."""


@dataclass(frozen=True)
class Removed:
    """What a regression takes out of the signals at some inputs.

    Attributes
    ----------
    functions : ndarray, shape (n, q)
        The functions f.
    projections : ndarray, shape (parts, n, q)
        <s, b> of their coefficients b, for each part of the gradient.
    gram : ndarray, shape (parts, q, q)
        <b, b'>.
    coefficients : list of ndarray, shapes (q, r, s)
        The coefficients, for each of the signal's factors.
    """

    functions: Array
    projections: Array
    gram: Array
    coefficients: list[Array]


@dataclass(frozen=True)
class SignalTile:
    """Inputs of one tile and the factors of their signals.

    Those of rank one, and what the regression takes out, are multiplied out into the two sides of one product for each
    part of the gradient.

    Attributes
    ----------
    x : ndarray, shape (n, dim)
        The inputs.
    sides : list of (ndarray, ndarray), shapes (n, q)
        The two sides for each part.
    factors : list of (ndarray, ndarray)
        The other factors.
    shares : list of list
        Which of their left columns belong to which part.
    points : int or None
        The part of which the first columns of the first factor are the inputs, followed by ones: a first layer.
    norms : ndarray, shape (n, 2 parts)
        ||g||^2 and ||s||^2.
    """

    x: Array
    sides: Factors
    factors: Factors
    shares: list[list[Share]]
    points: int | None
    norms: Array

    @classmethod
    def of(cls, problem: Problem, x: Array, remove: Callable[[Factors], Removed] | None) -> Self:
        """The signals at these inputs, less what is removed."""
        signal, norms = problem.signal(x)
        pairs = [(pair, some) for pair, some in zip(signal, problem.shares, strict=True) if not _is_plain(pair)]
        factors, shares = [pair for pair, _ in pairs], [some for _, some in pairs]
        plain = problem.split([pair if _is_plain(pair) else (pair[0][:, :0], pair[1][:, :0]) for pair in signal])
        sides = [_sides(x, part) for part in plain]
        if remove is not None:
            removed, products = remove(signal), {part for some in shares for part, _ in some}
            coefficients = problem.split([(b, b) for b in removed.coefficients])
            of_parts = zip(range(len(sides)), sides, coefficients, strict=True)
            sides = [_less(removed, part, both[0], b, part not in products) for part, both, b in of_parts]
        part, columns = shares[0][0] if pairs else (0, slice(0))
        points = part if pairs and _are_points(factors[0][0][:, columns], x) else None
        return cls(x, sides, factors, shares, points, norms)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = [self.x, self.norms, *(side for pair in [*self.sides, *self.factors] for side in pair)]
        return sum(array.nbytes for array in {id(array): array for array in arrays}.values())

    def inner_products(self, other: SignalTile, without_points: bool = False) -> tuple[list[Array], Array]:
        """<s(x), s(x')> for the pairs, of each part; or for a tile that has points K of that part, and D.

        <s(x), s(x')> = K + <(x, 1, ...), (x', 1, ...)> D
        """
        from ...kernels.pair_sums import multiply_into

        # <s, s'> = L R' + sum_l (A_l A_l'^T) * (B_l B_l'^T)
        kernels = [_product(left, right) for (left, _), (_, right) in zip(self.sides, other.sides, strict=True)]
        deltas = np.empty((0, 0))
        for number, ((a, b), (a2, b2)) in enumerate(zip(self.factors, other.factors, strict=True)):
            products = b @ b2.T
            for share, (part, columns) in enumerate(self.shares[number]):
                if without_points and number == share == 0:
                    deltas = products
                else:
                    multiply_into(kernels[part], _product(a[:, columns], a2[:, columns]), products)
        return kernels, deltas

    @property
    def width(self) -> int:
        """The coordinates of the points, and the ones that follow."""
        _, columns = self.shares[0][0]
        return int(self.factors[0][0][:, columns].shape[1])

    @cached_property
    def words(self) -> Words:
        """The inputs packed into bits, 1 for a negative coordinate."""
        return pack(self.x < 0)


def _are_points(array: Array, x: Array) -> bool:
    """Whether the columns are those of x, and then ones."""
    return np.array_equal(array[:, : x.shape[1]], x) and bool((array[:, x.shape[1] :] == 1).all())


def _product(left: Array, right: Array) -> Array:
    """Return L R'."""
    if 1 <= left.shape[1] <= 2:  # a matrix product of so few columns takes as long as one of sixty
        products: Array = left[:, :1] * right[:, 0]
        return products + left[:, 1:] * right[:, 1] if left.shape[1] == 2 else products
    return np.asarray(left @ right.T)


def _is_plain(pair: tuple[Array, Array]) -> bool:
    return 1 in (pair[0].shape[1], pair[1].shape[1])


def _sides(x: Array, part: Factors) -> tuple[Array, Array]:
    """Factors of rank one, multiplied out: both sides of their product."""
    side = np.concatenate([np.empty((len(x), 0)), *(left * right for left, right in part)], axis=1)
    return side, side


def _less(removed: Removed, part: int, plain: Array, coefficients: Factors, is_plain: bool) -> tuple[Array, Array]:
    """Both sides of the product of a part of which functions are taken out."""
    f, projected, gram = removed.functions, removed.projections[part], removed.gram[part]
    if is_plain and plain.shape[1] <= _WRITTEN_OUT * f.shape[1]:
        side = plain - f @ np.concatenate([b.reshape(len(b), -1) for b, _ in coefficients], axis=1)
        return side, side
    # <s - f b, s' - f' b'> = <s, s'> + f (b b') f' - f (b s') - (s b) f'
    left = np.concatenate([plain, f, projected], axis=1)
    return left, np.concatenate([plain, f @ gram - projected, -f], axis=1)
