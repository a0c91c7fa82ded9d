"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.activations import ACTIVATIONS, KINKED, settle
from ..core.arguments import Array, SeedLike, generator, inputs_of, integer, number, real_array, sequence
from ..core.errors import ShapeError
from .base import Pullback, parameter_vector, products


class MLP:
    """A fully connected network with a scalar linear output layer.

    a_0 = x,  z_l = W_l a_{l-1} + b_l,  a_l = sigma(z_l),  p(x) = W_L a_{L-1} + b_L.  All weights and biases are
    parameters, in the order W_1 (row-major), b_1, W_2, b_2, ...

    Parameters
    ----------
    weights : sequence of array_like, shapes (out, in)
        W_1, ..., W_L; the last one has one row.
    biases : sequence of array_like or None, shapes (out,), optional
        b_1, ..., b_L; None (in all, or for one layer) is a layer without biases.
    activation : str
        "tanh", "relu" (derivative 0 at 0, and within rounding of it), "erf", "sigmoid", "sin", "cos",
        "gelu" (z Phi(z)), "softplus" or "identity".

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        Layers that do not fit, infinite weights, unknown activations.

    Examples
    --------
    >>> model = MLP([[[1.0, -1.0]], [[2.0]]], biases=[[0.5], None], activation="relu")
    >>> model.predict([[1.0, -1.0]]), model.n_parameters
    (array([5.]), 4)
    """

    def __init__(
        self,
        weights: Sequence[npt.ArrayLike],
        biases: Sequence[npt.ArrayLike | None] | None = None,
        activation: str = "tanh",
    ) -> None:
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            names = ", ".join(repr(name) for name in ACTIVATIONS)
            raise ValueError(f"`activation` must be one of {names}, got {activation!r}")
        layers = sequence("weights", weights, "a sequence of arrays of shape (out, in), one for each layer")
        if not layers:
            raise ShapeError("`weights` must hold at least one layer, got none")
        accepted = "a sequence of arrays of shape (out,) or None, one for each layer"
        given = [None] * len(layers) if biases is None else sequence("biases", biases, accepted)
        if len(given) != len(layers):
            raise ShapeError(f"`biases` must hold one entry for each of the {len(layers)} layers, got {len(given)}")
        self.activation = activation
        self.weights: tuple[Array, ...] = tuple(
            real_array(f"weights[{i}]", w, 2, "(out, in)") for i, w in enumerate(layers)
        )
        self.biases: tuple[Array | None, ...] = tuple(
            None if b is None else real_array(f"biases[{i}]", b, 1, "(out,)") for i, b in enumerate(given)
        )
        self._check_shapes()
        for array in (*self.weights, *(b for b in self.biases if b is not None)):
            array.setflags(write=False)
        self.dim: int = self.weights[0].shape[1]
        self.n_parameters: int = sum(w.size for w in self.weights) + sum(b.size for b in self.biases if b is not None)

    @classmethod
    def random(
        cls,
        sizes: Sequence[SupportsIndex],
        activation: str = "tanh",
        rng: SeedLike = None,
        scale: float = 1.0,
        bias: bool = True,
    ) -> MLP:
        """Draw a network with Gaussian weights of standard deviation scale / sqrt(fan_in) and biases zero.

        Parameters
        ----------
        sizes : sequence of int
            Input dimension, hidden widths, 1.
        activation, rng, scale
            As above; `rng` is an int, SeedSequence, Generator or None.
        bias : bool
            Whether the layers have biases (zero at the start, and parameters all the same).

        Examples
        --------
        >>> MLP.random([20, 64, 1], rng=0)
        MLP(20-64-1, tanh)
        """
        widths = [
            integer(f"sizes[{i}]", size, 1) for i, size in enumerate(sequence("sizes", sizes, "[dim, widths..., 1]"))
        ]
        if len(widths) < 2 or widths[-1] != 1:
            raise ShapeError(f"`sizes` must be [dim, widths..., 1] with a scalar output, got {widths}")
        factor = number("scale", scale)
        if not np.isfinite(factor):
            raise ValueError(f"`scale` must be finite, got {scale!r}")
        draw = generator(rng)
        weights = [draw.standard_normal((out, fan_in)) * (factor / np.sqrt(fan_in)) for fan_in, out in pairwise(widths)]
        return cls(weights, [np.zeros(w.shape[0]) for w in weights] if bias else None, activation)

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in (self.dim, *(w.shape[0] for w in self.weights)))
        biases = sum(b is not None for b in self.biases)
        note = "" if biases == len(self.weights) else ", no biases" if not biases else ", some biases"
        return f"MLP({sizes}, {self.activation}{note})"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Input dimension and the width of each layer."""
        return (self.dim, *(w.shape[0] for w in self.weights))

    @property
    def parameters(self) -> Array:
        """All weights and biases as one vector, shape (P,), in the order W_1 (row-major), b_1, W_2, ..."""
        parts = []
        for weights, bias in zip(self.weights, self.biases, strict=True):
            parts.append(weights.ravel())
            if bias is not None:
                parts.append(bias)
        return np.concatenate(parts)

    def with_parameters(self, parameters: npt.ArrayLike) -> MLP:
        """Return the network of the same shape with these weights and biases, shape (P,), ordered as `parameters`."""
        rest = parameter_vector(parameters, self.n_parameters, repr(self))
        weights: list[Array] = []
        biases: list[Array | None] = []
        for w, b in zip(self.weights, self.biases, strict=True):
            layer, rest = rest[: w.size], rest[w.size :]
            weights.append(layer.reshape(w.shape))
            if b is None:
                biases.append(None)
            else:
                bias, rest = rest[: b.size], rest[b.size :]
                biases.append(bias)
        return MLP(weights, biases, self.activation)

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,). Costs n P."""
        activations, _ = self._forward(x, derivatives=False)
        return self._output(activations[-1])

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P), parameters in the order W_1 (row-major), b_1, W_2, ...

        Needs n P numbers; `tangent_factors` says the same in n (sum of widths).
        """
        activations, deltas = self._backward(x)
        parts = []
        for a, delta, bias in zip(activations, deltas, self.biases, strict=True):
            parts.append(products([(a, delta)]))
            if bias is not None:
                parts.append(delta)
        return np.concatenate(parts, axis=1)

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return a pair ([a_{l-1}, 1], dp/dz_l) for each layer, the 1 only where the layer has biases."""
        activations, deltas = self._backward(x)
        ones = np.ones((deltas[0].shape[0], 1))
        return [
            (a if bias is None else np.concatenate([a, ones], axis=1), delta)
            for a, delta, bias in zip(activations, deltas, self.biases, strict=True)
        ]

    def pullback(self, x: npt.ArrayLike) -> Pullback:
        """Return p(x) and the function c -> sum_n c_n dp(x_n)/dw, by one backward pass of the whole batch.

        Agrees with `predict` and `gradient` up to rounding; both together cost 3 n P.
        """
        sigma = ACTIVATIONS[self.activation]
        activations, slopes = [inputs_of(x, self.dim, repr(self))], []
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            z = activations[-1] @ weights.T
            if bias is not None:
                z += bias
            if self.activation in KINKED:  # relu, its slope 0 within rounding of the kink
                slope = (z > _largest_rounding(activations[-1], weights, bias)).astype(np.float64)
                value = np.multiply(z, slope, out=z)
            else:
                value, slope = sigma(z)
            activations.append(value)
            slopes.append(slope)

        def pull(c: Array) -> Array:
            delta, parts = c[:, None], []
            layers = zip(self.weights[::-1], self.biases[::-1], activations[::-1], [*slopes[::-1], None], strict=True)
            for weights, bias, a, slope in layers:
                if bias is not None:
                    parts.append(delta.sum(axis=0))
                parts.append((delta.T @ a).ravel())
                if slope is not None:
                    delta = delta * weights if delta.shape[1] == 1 else delta @ weights  # an outer product is no GEMM
                    delta *= slope
            return np.concatenate(parts[::-1])

        return self._output(activations[-1]), pull

    def _forward(self, x: npt.ArrayLike, derivatives: bool) -> tuple[list[Array], list[Array]]:
        """Inputs of every layer, and the activation's derivatives at the hidden ones."""
        sigma = ACTIVATIONS[self.activation]
        activations, slopes = [inputs_of(x, self.dim, repr(self))], []
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            z = activations[-1] @ weights.T
            if bias is not None:
                z += bias
            if self.activation in KINKED:
                settle(z, _rounding(np.abs(activations[-1]), weights, bias))
            value, slope = sigma(z)
            activations.append(value)
            if derivatives:
                slopes.append(slope)
        return activations, slopes

    def _backward(self, x: npt.ArrayLike) -> tuple[list[Array], list[Array]]:
        """Inputs a_{l-1} of every layer and dp/dz_l."""
        activations, slopes = self._forward(x, derivatives=True)
        deltas = [np.ones((activations[0].shape[0], 1))]
        for weights, slope in zip(self.weights[:0:-1], slopes[::-1], strict=True):
            deltas.append((deltas[-1] @ weights) * slope)
        return activations, deltas[::-1]

    def _output(self, last: Array) -> Array:
        p = last @ self.weights[-1][0]
        bias = self.biases[-1]
        return np.asarray(p if bias is None else p + bias[0])

    def _check_shapes(self) -> None:
        fan_in = self.weights[0].shape[1]
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if w.size == 0:
                raise ShapeError(f"`weights[{i}]` must have shape (out, in) with out, in >= 1, got {w.shape}")
            if w.shape[1] != fan_in:
                raise ShapeError(
                    f"`weights[{i}]` must have shape (out, {fan_in}), after a layer of {fan_in} units, got {w.shape}"
                )
            if b is not None and b.shape != (w.shape[0],):
                raise ShapeError(f"`biases[{i}]` must have shape ({w.shape[0]},), got {b.shape}")
            fan_in = w.shape[0]
        if fan_in != 1:
            raise ShapeError(
                f"`weights[{len(self.weights) - 1}]` must have shape (1, in): a scalar output, got {fan_in} rows"
            )


def _rounding(size: Array, weights: Array, bias: Array | None) -> Array:
    """Bound on the rounding of the pre-activations: fan_in + 2 additions of terms no larger than |W| |a| + |b|."""
    terms = size @ np.abs(weights).T
    if bias is not None:
        terms += np.abs(bias)
    return np.asarray((weights.shape[1] + 2) * np.finfo(np.float64).eps * terms)


def _largest_rounding(inputs: Array, weights: Array, bias: Array | None) -> Array:
    """Bound on `_rounding` for each unit, the same at all inputs (Cauchy-Schwarz): no second matrix product."""
    terms = np.sqrt(np.einsum("ij,ij->i", inputs, inputs).max(initial=0.0) * np.einsum("ij,ij->i", weights, weights))
    if bias is not None:
        terms += np.abs(bias)
    return np.asarray((weights.shape[1] + 2) * np.finfo(np.float64).eps * terms)
