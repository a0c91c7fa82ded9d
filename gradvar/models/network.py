"""Networks of arrays of weights: what all architectures do in one way."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
from scipy import special

from ..core.activations import ACTIVATIONS, Activation, FunctionPair, kinks, settle, value_and_slope
from ..core.arguments import Array, SeedLike, flag, generator, inputs_of, number, real, real_array, sequence
from ..core.errors import ShapeError
from .base import Pullback, parameter_vector, split_as
from .gradients import Block, LayerGradient, factors, stacked, total, written_out

_NUMBERS = 2**20
"""Numbers that are kept at a time, 8 MiB. Inputs are taken in blocks of that size: of smaller ones, threads wait for
the interpreter as long as they compute."""

Backward = Callable[[Array], list[Block]]
"""The function c -> the gradients c_n g(x_n), from (n,), in blocks that follow the order of the parameters.

Of K outputs: from (n, K), the gradients sum_k c_nk dp_k(x_n)/dw."""


class Network(ABC):
    """A model whose parameters are arrays of weights.

    A subclass names the attributes that hold them and says its forward and backward pass, `_forward`.
    """

    dim: int
    _of_each_layer: ClassVar[tuple[str, ...]] = ()
    """Attributes with one array (or None) for each layer: the parameters of the first layer, then of the second, ..."""
    _of_all: ClassVar[tuple[str, ...]] = ()
    """Attributes with one array (a number, or None) each, whose parameters follow."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""
        return sum(array.size for array in self._arrays)

    @property
    def parameters(self) -> Array:
        """All parameters in the order of the gradient, shape (P,); each array row-major."""
        return np.concatenate([array.ravel() for array in self._arrays])

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        """The arrays of parameters in the order of the gradient: their names and shapes."""
        depth = len(getattr(self, self._of_each_layer[0])) if self._of_each_layer else 0
        names = [f"{name}[{i}]" for i in range(depth) for name in self._of_each_layer] + list(self._of_all)
        return {name: np.shape(value) for name, value in zip(names, self._values(), strict=True) if value is not None}

    def with_parameters(self, parameters: npt.ArrayLike) -> Self:
        """Return this network with other parameters, given in the order of the gradient, shape (P,)."""
        flat = parameter_vector(parameters, self.n_parameters, self)
        flat.setflags(write=False)
        parts = iter(split_as((array.shape for array in self._arrays), flat))
        values = [None if value is None else next(parts) for value in self._values()]
        start = len(values) - len(self._of_all)
        other = copy.copy(self)
        for i, name in enumerate(self._of_each_layer):
            setattr(other, name, tuple(values[i : start : len(self._of_each_layer)]))
        for name, value in zip(self._of_all, values[start:], strict=True):
            setattr(other, name, float(value) if value is not None and value.ndim == 0 else value)
        return other

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,), or (n, K) for K outputs."""
        return _stacked([self._forward(rows)[0] for rows in self._in_blocks(x)])

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P), or (n, K, P) for K outputs, in the order of `parameters`."""
        return _stacked([self._gradient(rows) for rows in self._in_blocks(x)])

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return a pair for each matrix that is used once, and one of the form (g, 1) for all other parameters."""
        return self.tangent(x)[1]

    def tangent(self, x: npt.ArrayLike) -> tuple[Array, list[tuple[Array, Array]]]:
        """Return p(x), shape (n,), and the factors, of one forward pass."""
        found = [(p, factors(blocks, p.size)) for p, blocks in self.blocks(x)]
        return _stacked([p for p, _ in found]), stacked([pairs for _, pairs in found])

    def blocks(self, x: npt.ArrayLike) -> Iterator[tuple[Array, list[Block]]]:
        """Yield p and the gradient by layers, of some rows of x after the other."""
        for rows in self._in_blocks(x):
            p, back = self._forward(rows)
            if p.ndim > 1:
                raise ShapeError(f"{self!r} has {p.shape[1]} outputs, and factors are those of one; see `gradient`")
            yield p, back(np.ones(rows.shape[0]))

    def pullback(self, x: npt.ArrayLike) -> Pullback:
        """Return p(x) and the function c -> sum_n c_n dp(x_n)/dw, by one backward pass: no gradient is kept.

        For K outputs p and c have shape (n, K), and the sum is over both. Agrees with `predict` and `gradient` up to
        rounding.
        """
        runs = [self._forward(rows) for rows in self._in_blocks(x)]
        predictions = _stacked([p for p, _ in runs])

        def pull(c: Array) -> Array:
            c = real("c", c, str(predictions.shape))
            if c.shape != predictions.shape:
                raise ShapeError(f"`c` must have shape {predictions.shape}, a number for each input, got {c.shape}")
            result, start = np.zeros(0), 0
            for p, back in runs:
                part = total(back(c[start : start + len(p)]))
                result, start = part if start == 0 else result + part, start + len(p)
            return result

        return predictions, pull

    @abstractmethod
    def _forward(self, x: Array) -> tuple[Array, Backward]:
        """p(x), shape (n,), and the backward pass from there."""

    @abstractmethod
    def _row_size(self) -> int:
        """Numbers that the computation keeps for one input."""

    def _gradient(self, x: Array) -> Array:
        p, back = self._forward(x)
        if p.ndim == 1:
            return written_out(back(np.ones(x.shape[0])))
        one_hot = np.eye(p.shape[1])[:, None] * np.ones((x.shape[0], 1))
        return np.stack([written_out(back(c)) for c in one_hot], axis=1)

    def _in_blocks(self, x: npt.ArrayLike) -> Iterator[Array]:
        array = inputs_of(x, self.dim, repr(self))
        rows = max(1, _NUMBERS // self._row_size())
        return (array[start : start + rows] for start in range(0, max(array.shape[0], 1), rows))

    def _values(self) -> list[Array | float | None]:
        """The parameters by arrays, in the order of the gradient."""
        by_layers = zip(*(getattr(self, name) for name in self._of_each_layer), strict=True)
        return [*chain.from_iterable(by_layers), *(getattr(self, name) for name in self._of_all)]

    @property
    def _arrays(self) -> list[Array]:
        return [np.asarray(value) for value in self._values() if value is not None]

    def _freeze(self) -> None:
        for array in self._arrays:
            array.setflags(write=False)


class WithReadout(Network):
    """A network with a linear output p(x) = <v, a(x)> + c of its last layer a."""

    output_weights: Array
    output_bias: float | None

    def _set_output(self, weights: npt.ArrayLike, bias: float | None, units: int, why: str) -> None:
        self.output_weights = array_of_shape("output_weights", weights, (units,), why)
        self.output_bias = scalar("output_bias", bias)

    def _output(self, values: Array, inner: Backward) -> tuple[Array, Backward]:
        return linear_output(values, self.output_weights, self.output_bias, inner)


def linear_output(values: Array, v: Array, bias: float | None, inner: Backward) -> tuple[Array, Backward]:
    """Return p = <v, a> + c for values a (n, m), and the backward pass of p from that of the layers before it."""

    def back(c: Array) -> list[Block]:
        return [*inner(c), LayerGradient(values[:, None], c[:, None, None], bias is not None)]

    return np.asarray(values @ v + (bias or 0.0)), back


def layer(inputs: Array, weights: Array, bias: Array | None, activation: Activation) -> tuple[Array, Array]:
    """sigma(W a + b) and its slope; inputs (..., r), weights (q, r), bias (q,)."""
    z = inputs @ weights.T
    if bias is not None:
        z += bias
    if jumps := kinks(activation):
        count = weights.shape[1]
        # most batches have nothing near a kink, by the largest of all bounds
        norms, of_rows = (_norms(a).max(initial=0.0) for a in (inputs, weights))
        largest = _bound(norms, of_rows, bias, count).max(initial=0.0)
        if any((np.abs(z - kink if kink else z) <= largest).any() for kink in jumps):
            settle(z, rounding(inputs, weights, bias, count), activation)
    return value_and_slope(activation)(z)


def rounding(inputs: Array, weights: Array, bias: Array | None, count: int) -> Array:
    """Return a bound on the rounding of sum_j W_ij a_j + b_i where `count` products are summed, shape (..., q)."""
    return _bound(_norms(inputs)[..., None], _norms(weights), bias, count)


def _bound(norms: Array | float, of_rows: Array | float, bias: Array | None, count: int) -> Array:
    # (count + 2) eps (|a| |W_i| + |b_i|), and |a| |W_i| >= sum_j |W_ij a_j| by Cauchy and Schwarz
    scale = (count + 2) * float(np.finfo(np.float64).eps)
    size = np.asarray(scale * norms * of_rows)
    return size if bias is None else size + scale * np.abs(bias)


def _norms(rows: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("...j,...j->...", rows, rows)))


def layers_and_biases(
    name: str,
    weights: Sequence[npt.ArrayLike],
    biases: Sequence[npt.ArrayLike | None] | None,
    axes: tuple[str, ...] = ("out", "in"),
) -> tuple[tuple[Array, ...], tuple[Array | None, ...]]:
    """Return the weights of at least one layer, each on top of the one before, and a bias or None for each."""
    accepted = f"({', '.join(axes)})"
    layers = sequence(name, weights, f"a sequence of arrays of shape {accepted}, one for each layer")
    if not layers:
        raise ShapeError(f"`{name}` must hold at least one layer, of shape {accepted}, got none")
    given: Sequence[npt.ArrayLike | None] = [None] * len(layers)
    if biases is not None:
        given = sequence("biases", biases, "a sequence of arrays of shape (out,) or None, one for each layer")
    if len(given) != len(layers):
        raise ShapeError(f"`biases` must hold one entry for each of the {len(layers)} layers, got {len(given)}")
    arrays = [real_array(f"{name}[{i}]", w, len(axes), accepted) for i, w in enumerate(layers)]
    for i, array in enumerate(arrays):
        units = str(arrays[i - 1].shape[0]) if i else axes[1]
        if array.size == 0 or units not in (axes[1], str(array.shape[1])):
            shape = ", ".join([axes[0], units, *axes[2:]])
            after = f" after a layer of {units} units," if i else ""
            raise ShapeError(f"`{name}[{i}]` must have shape ({shape}), no axis empty,{after} got {array.shape}")
    return tuple(arrays), tuple(
        None if b is None else array_of_shape(f"biases[{i}]", b, w.shape[:1], f"for weights of shape {w.shape}")
        for i, (b, w) in enumerate(zip(given, arrays, strict=True))
    )


def activation_name(activation: str) -> str:
    """Return the name of a known activation, or raise an error that lists them."""
    name = activation.lower() if isinstance(activation, str) else ""
    if name not in ACTIVATIONS:
        names = ", ".join(repr(name) for name in ACTIVATIONS)
        also = "an MLP also takes a pair of functions (value, slope)"
        raise ValueError(f"`activation` must be one of {names} ({also}), got {activation!r}")
    return name


def activation_of(activation: str | FunctionPair | Sequence[Callable[[Array], Array]]) -> Activation:
    """Return the name of a known activation, or two functions as a pair, or raise an error."""
    if isinstance(activation, FunctionPair):
        return activation
    if isinstance(activation, (tuple, list)) and len(activation) == 2 and all(map(callable, activation)):
        return FunctionPair(*activation)
    return activation_name(cast(str, activation))


def array_of_shape(name: str, value: npt.ArrayLike, shape: tuple[int, ...], why: str) -> Array:
    """Return `value` as an array of that shape, or raise an error that names it and says why."""
    array = real_array(name, value, len(shape), str(shape))
    if array.shape != shape:
        raise ShapeError(f"`{name}` must have shape {shape}, {why}, got {array.shape}")
    return array


def scalar(name: str, value: float | None) -> float | None:
    """Return an optional bias as a float."""
    return None if value is None else number(name, value, "a finite number", math.isfinite)


DISTRIBUTIONS = ("normal", "truncated normal")


def gaussian(rng: SeedLike, scale: float, bias: bool, distribution: str = "normal") -> Callable[..., Array]:
    """Return a function (shape, fan_in=...) that draws weights of standard deviation scale / sqrt(fan_in)."""
    if distribution not in DISTRIBUTIONS:
        raise ValueError(f"`distribution` must be one of {', '.join(map(repr, DISTRIBUTIONS))}, got {distribution!r}")
    flag("bias", bias)
    factor = number("scale", scale, "a finite number >= 0", lambda found: 0 <= found < math.inf)
    draw = generator(rng)

    def weights(*shape: int, fan_in: int) -> Array:
        if distribution == "normal":
            z = draw.standard_normal(shape)
        else:  # given |z| < 2, by the inverse of the distribution function
            z = special.ndtri(draw.uniform(special.ndtr(-2.0), special.ndtr(2.0), shape))
        return np.asarray(z * (factor / np.sqrt(fan_in)))

    return weights


def _stacked(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
