"""The signals of a tile of inputs, kept as factors, and their inner products with those of another tile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np

from ...core.arguments import Array
from ...kernels.bits import Words, pack
from ...problem import Factors, Problem

Removed: TypeAlias = Callable[[Factors], tuple[Array, Array, Array]]
"""From the signal's factors: the functions f that are taken out, <s, b> and <b, b'> of their coefficients b."""


@dataclass(frozen=True)
class SignalTile:
    """Inputs of one tile and the factors of their signals.

    Those of rank one, and what the regression takes out, are multiplied out into the two sides of one product.

    Attributes
    ----------
    x : ndarray, shape (n, dim)
        The inputs.
    left, right : ndarray, shape (n, q)
        The two sides.
    factors : list of (ndarray, ndarray)
        The other factors.
    has_points : bool
        Whether the first of them has the inputs, followed by ones, for its left side: a first layer's.
    norms : ndarray, shape (n, 2)
        ||g||^2 and ||s||^2.
    """

    x: Array
    left: Array
    right: Array
    factors: Factors
    norms: Array
    has_points: bool

    @classmethod
    def of(cls, problem: Problem, x: Array, removed: Removed | None) -> Self:
        """The signals at these inputs, less what is removed."""
        signal, norms = problem.signal(x)
        plain = [left * right for left, right in signal if left.shape[1] == 1 or right.shape[1] == 1]
        sides = [*plain], [*plain]
        if removed is not None:
            # <s - f b, s' - f' b> = <s, s'> + f (b b') f' - f (b s') - (s b) f'
            f, projected, gram = removed(signal)
            sides[0].extend([f, projected])
            sides[1].extend([f @ gram - projected, -f])
        empty = np.empty((x.shape[0], 0))
        factors = [(a, b) for a, b in signal if a.shape[1] > 1 and b.shape[1] > 1]
        return cls(
            x,
            np.concatenate([empty, *sides[0]], axis=1),
            np.concatenate([empty, *sides[1]], axis=1),
            factors,
            norms,
            bool(factors) and _are_points(factors[0][0], x),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = [self.x, self.left, self.right, self.norms, *(side for pair in self.factors for side in pair)]
        return sum(array.nbytes for array in arrays)

    def inner_products(self, other: SignalTile, first: int = 0) -> Array:
        """<s(x), s(x')> for the pairs; or what its factors from number `first` on add to it."""
        from ...kernels.pair_sums import multiply_into

        # <s, s'> = L R' + sum_l (A_l A_l'^T) * (B_l B_l'^T)
        kernel: Array = self.left @ other.right.T
        for (a, b), (a2, b2) in zip(self.factors[first:], other.factors[first:], strict=True):
            multiply_into(kernel, a @ a2.T, b @ b2.T)
        return kernel

    def without_points(self, other: SignalTile) -> tuple[Array, Array]:
        """The terms K, D of <s(x), s(x')> = K + <(x, 1, ...), (x', 1, ...)> D for tiles that have points."""
        return self.inner_products(other, 1), self.factors[0][1] @ other.factors[0][1].T

    @cached_property
    def words(self) -> Words:
        """The inputs packed into bits, 1 for a negative coordinate."""
        return pack(self.x < 0)


def _are_points(array: Array, x: Array) -> bool:
    """Whether the columns are those of x, and then ones."""
    return np.array_equal(array[:, : x.shape[1]], x) and bool((array[:, x.shape[1] :] == 1).all())
