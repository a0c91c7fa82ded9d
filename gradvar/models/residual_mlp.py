"""Residual networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self, SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, integer, real_array, sequence
from ..core.errors import ShapeError
from .network import (
    Block,
    Network,
    Outer,
    activation_name,
    array_of_shape,
    as_array,
    gaussian,
    layer,
    readout,
    scalar,
)


class ResidualMLP(Network):
    """A fully connected network whose layers add to what they are given.

        h_0 = W_0 x + b_0,      h_l = h_{l-1} + sigma(W_l h_{l-1} + b_l),      p(x) = <v, h_L> + c.

    Parameters, in the order of the gradient: W_0 (row-major), b_0, W_1, b_1, ..., v, c.

    Parameters
    ----------
    weights : sequence of array_like, shapes (m, dim), (m, m), ..., (m, m)
        W_0, ..., W_L.
    output_weights : array_like, shape (m,)
        v.
    biases : sequence of array_like or None, shapes (m,), optional
        b_0, ..., b_L; None (in all, or for one layer) is a layer without biases.
    output_bias : float, optional
        c; None is a network without.
    activation : str
        As for `MLP`.

    Notes
    -----
    Costs n P for a prediction and twice that for the gradient.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        Layers that do not fit, infinite weights, unknown activations.

    Examples
    --------
    >>> model = ResidualMLP([[[1.0, 1.0]], [[1.0]]], [1.0], activation="relu")  # s + relu(s), s = x_1 + x_2
    >>> model.predict([[1.0, 1.0], [-1.0, -1.0]])
    array([ 4., -2.])
    """

    def __init__(
        self,
        weights: Sequence[npt.ArrayLike],
        output_weights: npt.ArrayLike,
        biases: Sequence[npt.ArrayLike | None] | None = None,
        output_bias: float | None = None,
        *,
        activation: str = "tanh",
    ) -> None:
        self.activation = activation_name(activation)
        layers = sequence("weights", weights, "a sequence of arrays of shapes (m, dim), (m, m), ..., (m, m)")
        if not layers:
            raise ShapeError("`weights` must hold at least W_0 of shape (m, dim), got none")
        given = [None] * len(layers) if biases is None else sequence("biases", biases, "one array or None a layer")
        if len(given) != len(layers):
            raise ShapeError(f"`biases` must hold one entry for each of the {len(layers)} layers, got {len(given)}")
        first = real_array("weights[0]", layers[0], 2, "(m, dim)")
        m, self.dim = first.shape
        self.width: int = m
        if m == 0 or self.dim == 0:
            raise ShapeError(f"`weights[0]` must have shape (m, dim) with m, dim >= 1, got {first.shape}")
        why = f"for {m} units"
        self.weights = (
            first,
            *(array_of_shape(f"weights[{i}]", w, (m, m), why) for i, w in enumerate(layers[1:], start=1)),
        )
        self.biases = tuple(
            None if b is None else array_of_shape(f"biases[{i}]", b, (m,), why) for i, b in enumerate(given)
        )
        self.output_weights = array_of_shape("output_weights", output_weights, (m,), why)
        self.output_bias = scalar("output_bias", output_bias)
        inner = [array for pair in zip(self.weights, self.biases, strict=True) for array in pair]
        self._hold([*inner, self.output_weights, as_array(self.output_bias)])

    @classmethod
    def random(
        cls,
        dim: SupportsIndex,
        width: SupportsIndex,
        blocks: SupportsIndex,
        activation: str = "tanh",
        rng: SeedLike = None,
        scale: float = 1.0,
        bias: bool = True,
    ) -> ResidualMLP:
        """Draw a network with Gaussian weights of standard deviation scale / sqrt(fan_in) and biases zero.

        Parameters
        ----------
        dim, width : int
            Input coordinates and units m.
        blocks : int
            Number of residual layers L, >= 0.
        activation, rng, scale, bias
            As for `MLP.random`.

        Examples
        --------
        >>> ResidualMLP.random(20, 64, blocks=3, rng=0)
        ResidualMLP(20-64, 3 blocks, tanh)
        """
        dim, m, count = integer("dim", dim, 1), integer("width", width, 1), integer("blocks", blocks, 0)
        draw = gaussian(rng, scale)
        return cls(
            [draw(m, dim, fan_in=dim), *(draw(m, m, fan_in=m) for _ in range(count))],
            draw(m, fan_in=m),
            [np.zeros(m)] * (count + 1) if bias else None,
            0.0 if bias else None,
            activation=activation,
        )

    def __repr__(self) -> str:
        count = len(self.weights) - 1
        blocks = "1 block" if count == 1 else f"{count} blocks"
        return f"ResidualMLP({self.dim}-{self.width}, {blocks}, {self.activation})"

    def _row_size(self) -> int:
        return 4 * len(self.weights) * self.width + self.n_parameters

    def _predict(self, x: Array) -> Array:
        return np.asarray(self._forward(x)[0][-1] @ self.output_weights + (self.output_bias or 0.0))

    def _blocks(self, x: Array) -> list[Block]:
        inputs, slopes = self._forward(x)
        last = inputs.pop()
        back = np.broadcast_to(self.output_weights, last.shape)
        blocks = readout(last, bias=self.output_bias is not None)
        for a, slope, weights, bias in zip(
            inputs[:0:-1], slopes[::-1], self.weights[:0:-1], self.biases[:0:-1], strict=True
        ):
            delta = back * slope
            blocks = [Outer(a, delta, bias is not None), *blocks]
            back = back + delta @ weights
        return [Outer(x, np.array(back), self.biases[0] is not None), *blocks]

    def _forward(self, x: Array) -> tuple[list[Array], list[Array]]:
        """x, h_0, ..., h_L and the slopes of the residual layers."""
        first, *rest = (0.0 if b is None else b for b in self.biases)
        values, slopes = [x, x @ self.weights[0].T + first], []
        for weights, bias in zip(self.weights[1:], rest, strict=True):
            value, slope = layer(values[-1], weights, bias, self.activation)
            values.append(values[-1] + value)
            slopes.append(slope)
        return values, slopes

    def _rebuilt(self, arrays: Iterator[Array]) -> Self:
        weights, biases = [], []
        for bias in self.biases:
            weights.append(next(arrays))
            biases.append(None if bias is None else next(arrays))
        output_weights = next(arrays)
        output_bias = None if self.output_bias is None else float(next(arrays))
        return type(self)(weights, output_weights, biases, output_bias, activation=self.activation)
