r"""Gradients of n predictions as blocks of columns, a layer's by its two sides.

A matrix W of shape (q, r) that is used at T positions, z_t = W a_t, has the gradient sum_t delta_t a_t^T with
delta_t = dp/dz_t. At T = 1 it is said by the pair (a, delta). At T > 1 it is written out, by one matrix product over
the positions: that takes r q numbers, and r q products for each pair of inputs in the tangent kernel, where the sum
over pairs of positions

    <g, g'> = sum_{t,t'} <a_t, a'_t'> <delta_t, delta'_t'>

would take T^2 (r + q) products: more, unless there are fewer than (rq/(r + q))^(1/2) positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array


class LayerGradient(NamedTuple):
    """Gradients sum_t delta_t a_t^T of a matrix, one an input, and sum_t delta_t of the bias that may follow it."""

    inputs: Array
    """a, shape (n, T, r)."""
    deltas: Array
    """delta, shape (n, T, q)."""
    bias: bool = False

    @property
    def is_pair(self) -> bool:
        """Whether the two sides are fewer numbers than the gradient: one position, and more than one unit."""
        return bool(self.inputs.shape[1] == 1 < self.deltas.shape[2])

    def columns(self) -> list[Array]:
        """The gradients written out, (n, q r) and (n, q)."""
        n, _, r = self.inputs.shape
        if self.inputs.shape[1] == 1:
            matrix = self.deltas[:, 0, :, None] * self.inputs[:, 0, None, :]
        else:
            matrix = self.deltas.transpose(0, 2, 1) @ self.inputs
        return [matrix.reshape(n, self.deltas.shape[2] * r), *([self.deltas.sum(axis=1)] if self.bias else [])]

    def pair(self) -> tuple[Array, Array]:
        """The tangent factors ([a, 1], delta) of a layer that is used at one position, the 1 only with a bias."""
        a, delta = self.inputs[:, 0], self.deltas[:, 0]
        return np.concatenate([a, np.ones((a.shape[0], 1))], axis=1) if self.bias else a, delta

    def total(self) -> list[Array]:
        """The sum over the inputs, (q r,) and (q,), by one matrix product: no gradient of an input is kept."""
        # sum_n sum_t delta_nt a_nt^T
        a, delta = (side.reshape(-1, side.shape[2]) for side in (self.inputs, self.deltas))
        return [(delta.T @ a).ravel(), *([delta.sum(axis=0)] if self.bias else [])]


Mask: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.int64]
Block = LayerGradient | Array
"""The gradients of a layer, or of an array of weights written out, (n, size)."""


def left_parameters(blocks: Sequence[Block]) -> list[Numbers]:
    """For each pair of `factors`, and each column of its left side, a parameter of the layer that it belongs to."""
    pairs: list[Numbers] = []
    others: list[Numbers] = []
    start = 0
    for block in blocks:
        size = block.shape[1] if not isinstance(block, LayerGradient) else 0
        if isinstance(block, LayerGradient):
            r, q = block.inputs.shape[2], block.deltas.shape[2]
            size = q * (r + block.bias)
            if block.is_pair:
                pairs.append(start + np.append(np.zeros(r, np.int64), [q * r] * block.bias).astype(np.int64))
                start += size
                continue
        others.append(np.arange(start, start + size))
        start += size
    return [*pairs, np.concatenate(others)] if others else pairs


def written_out(blocks: Sequence[Block]) -> Array:
    """The gradients, shape (n, P)."""
    columns = [block.columns() if isinstance(block, LayerGradient) else [block] for block in blocks]
    return np.concatenate([column for of_block in columns for column in of_block], axis=1)


def total(blocks: Sequence[Block]) -> Array:
    """The sum of the gradients over the inputs, shape (P,)."""
    sums = [block.total() if isinstance(block, LayerGradient) else [block.sum(axis=0)] for block in blocks]
    return np.concatenate([part for of_block in sums for part in of_block])


def stacked(parts: Sequence[list[tuple[Array, Array]]]) -> list[tuple[Array, Array]]:
    """The factors of all inputs, from those of one batch after the other."""
    if len(parts) == 1:
        return parts[0]
    pairs = zip(*parts, strict=True)
    return [(np.concatenate([a for a, _ in pair]), np.concatenate([b for _, b in pair])) for pair in pairs]


def factors(blocks: Sequence[Block], n: int) -> list[tuple[Array, Array]]:
    """A pair for each layer that is used at one position, and one pair (g, 1) for all other columns."""
    pairs = [block.pair() for block in blocks if isinstance(block, LayerGradient) and block.is_pair]
    others = [block for block in blocks if not isinstance(block, LayerGradient) or not block.is_pair]
    return [*pairs, (written_out(others), np.ones((n, 1)))] if others else pairs
