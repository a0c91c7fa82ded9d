r"""What the architectures share: weights in arrays, and the gradient in blocks, one for each array.

A matrix W of shape (q, r) that is used once, z = W a, has the gradient delta a^T, a pair of tangent factors. One that
is used at T positions has sum_t delta_t a_t^T, of rank T for each input. Written out, it takes r q numbers and r q
products for each pair of inputs in the tangent kernel; as a sum over pairs of positions

    <g, g'> = sum_{t,t'} <a_t, a'_t'> <delta_t, delta'_t'>

it would take T^2 (r + q) products: more, unless there are fewer than (rq/(r + q))^(1/2) positions. It is written out,
by one matrix product over the positions, unless there is only one of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..core.activations import ACTIVATIONS, KINKED, settle
from ..core.arguments import Array, SeedLike, generator, inputs_of, number, real_array
from ..core.errors import NonFiniteError, ShapeError
from .base import Pullback

_NUMBERS = 2**22
"""Numbers that are kept at a time: 32 MiB. Inputs are taken in blocks of that size."""


class Outer(NamedTuple):
    """The gradient delta a^T of a matrix W, and the gradient delta of the bias that follows it, if one does."""

    inputs: Array
    deltas: Array
    bias: bool = False


Block = Outer | Array
"""The gradient of one array of weights, with its bias: (n, size), or its factors."""


class Network(ABC):
    """A model whose parameters are arrays of weights."""

    dim: int
    _arrays: tuple[Array, ...]
    """The parameters, in the order of the gradient."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""
        return sum(array.size for array in self._arrays)

    @property
    def parameters(self) -> Array:
        """All parameters in the order of the gradient, shape (P,); each array row-major."""
        return np.concatenate([array.ravel() for array in self._arrays])

    def with_parameters(self, parameters: npt.ArrayLike) -> Self:
        """Return this network with other parameters, given in the order of the gradient, shape (P,)."""
        flat = real_array("parameters", parameters, 1, f"({self.n_parameters},)")
        if flat.size != self.n_parameters:
            raise ShapeError(f"`parameters` must have shape ({self.n_parameters},) for {self!r}, got {flat.shape}")
        ends = np.cumsum([array.size for array in self._arrays])
        parts = np.split(flat, ends[:-1])
        return self._rebuilt(part.reshape(array.shape) for part, array in zip(parts, self._arrays, strict=True))

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,)."""
        return np.concatenate([self._predict(block) for block in self._in_blocks(x)])

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P), in the order of `parameters`."""
        return np.concatenate([_gradient(self._blocks(block)) for block in self._in_blocks(x)])

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return a pair for each matrix that is used once, and one of the form (g, 1) for all other parameters."""
        found = [_factors(self._blocks(block), block.shape[0]) for block in self._in_blocks(x)]
        return [
            (np.concatenate([left for left, _ in pair]), np.concatenate([right for _, right in pair]))
            for pair in zip(*found, strict=True)
        ]

    def pullback(self, x: npt.ArrayLike) -> Pullback:
        """Return p(x) and the function c -> sum_n c_n dp(x_n)/dw; matrices used once need no per-example gradient."""
        inputs = list(self._in_blocks(x))

        def pull(c: Array) -> Array:
            total, start = np.zeros(self.n_parameters), 0
            for block in inputs:
                total += _weighted_sum(self._blocks(block), c[start : start + block.shape[0]])
                start += block.shape[0]
            return total

        return np.concatenate([self._predict(block) for block in inputs]), pull

    def _hold(self, arrays: Iterable[Array | None]) -> None:
        self._arrays = tuple(array for array in arrays if array is not None)
        for array in self._arrays:
            array.setflags(write=False)

    def _in_blocks(self, x: npt.ArrayLike) -> Iterator[Array]:
        array = inputs_of(x, self.dim, repr(self))
        rows = max(1, _NUMBERS // self._row_size())
        return (array[start : start + rows] for start in range(0, max(array.shape[0], 1), rows))

    @abstractmethod
    def _row_size(self) -> int:
        """Numbers that the computation keeps for one input."""

    @abstractmethod
    def _predict(self, x: Array) -> Array:
        """p(x), shape (n,)."""

    @abstractmethod
    def _blocks(self, x: Array) -> list[Block]:
        """The gradient, in the order of the arrays; a bias may be said by the block of its matrix."""

    @abstractmethod
    def _rebuilt(self, arrays: Iterator[Array]) -> Self:
        """The same network with these arrays in place of its own."""


def shared(inputs: Array, deltas: Array, bias: bool) -> list[Block]:
    """Blocks of a matrix, and of its bias, used at T positions with inputs (n, T, r) and deltas (n, T, q)."""
    if inputs.shape[1] == 1:
        return [Outer(inputs[:, 0], deltas[:, 0], bias)]
    summed = deltas.transpose(0, 2, 1) @ inputs
    blocks: list[Block] = [summed.reshape(inputs.shape[0], inputs.shape[2] * deltas.shape[2])]
    return [*blocks, deltas.sum(axis=1)] if bias else blocks


def readout(values: Array, bias: bool) -> list[Block]:
    """Blocks of a linear output <v, values> + c."""
    return [values, np.ones((values.shape[0], 1))] if bias else [values]


def layer(inputs: Array, weights: Array, bias: Array | float, activation: str) -> tuple[Array, Array]:
    """sigma(W a + b) and its slope; inputs (..., r), weights (q, r), bias that broadcasts to (..., q)."""
    z = inputs @ weights.T + bias
    if activation in KINKED:
        settle(z, rounding(weights.shape[1], np.abs(inputs) @ np.abs(weights).T + np.abs(bias)))
    return ACTIVATIONS[activation](z)


def rounding(count: int, size: Array) -> Array:
    """Bound on the rounding of a sum of `count` products and a bias, whose absolute values sum to `size`."""
    return np.asarray((count + 2) * np.finfo(np.float64).eps * size)


def activation_name(activation: str) -> str:
    """Return the name of a known activation, or raise an error that lists them."""
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        names = ", ".join(repr(name) for name in ACTIVATIONS)
        raise ValueError(f"`activation` must be one of {names}, got {activation!r}")
    return activation


def array_of_shape(name: str, value: npt.ArrayLike, shape: tuple[int, ...], why: str) -> Array:
    """Return `value` as an array of that shape, or raise an error that names it and says why."""
    array = real_array(name, value, len(shape), str(shape))
    if array.shape != shape:
        raise ShapeError(f"`{name}` must have shape {shape}, {why}, got {array.shape}")
    return array


def scalar(name: str, value: float | None) -> float | None:
    """Return an optional bias as a float."""
    if value is None:
        return None
    given = number(name, value)
    if not math.isfinite(given):
        raise NonFiniteError(f"`{name}` must be finite, got {value!r}")
    return given


def as_array(value: float | None) -> Array | None:
    """Return an optional bias as one of the arrays of parameters."""
    return None if value is None else np.array(value)


def gaussian(rng: SeedLike, scale: float) -> Callable[..., Array]:
    """Return a function (shape, fan_in=...) that draws weights of standard deviation scale / sqrt(fan_in)."""
    factor = number("scale", scale)
    if not math.isfinite(factor):
        raise ValueError(f"`scale` must be finite, got {scale!r}")
    draw = generator(rng)

    def weights(*shape: int, fan_in: int) -> Array:
        return np.asarray(draw.standard_normal(shape) * (factor / np.sqrt(fan_in)))

    return weights


def _gradient(blocks: list[Block]) -> Array:
    columns = []
    for block in blocks:
        if isinstance(block, Outer):
            outer = block.deltas[:, :, None] * block.inputs[:, None, :]
            columns.append(outer.reshape(outer.shape[0], outer.shape[1] * outer.shape[2]))
            if block.bias:
                columns.append(block.deltas)
        else:
            columns.append(block)
    return np.concatenate(columns, axis=1)


def _weighted_sum(blocks: list[Block], c: Array) -> Array:
    """sum_n c_n g_n over the rows of the gradient, shape (P,)."""
    parts = []
    for block in blocks:
        if isinstance(block, Outer):
            parts.append(((c[:, None] * block.deltas).T @ block.inputs).ravel())
            if block.bias:
                parts.append(c @ block.deltas)
        else:
            parts.append(c @ block)
    return np.concatenate(parts)


def _factors(blocks: list[Block], n: int) -> list[tuple[Array, Array]]:
    ones = np.ones((n, 1))
    pairs = [
        (np.concatenate([block.inputs, ones], axis=1) if block.bias else block.inputs, block.deltas)
        for block in blocks
        if isinstance(block, Outer)
    ]
    written_out = [block for block in blocks if not isinstance(block, Outer)]
    return [*pairs, (np.concatenate(written_out, axis=1), ones)] if written_out else pairs
