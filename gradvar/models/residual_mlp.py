"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, integer
from ..core.errors import ShapeError
from ..core.reach import Reach
from .gradients import Block, LayerGradient
from .layer_reach import ALLOWANCE, activated, affine, around_zero, product, steepened
from .network import Backward, WithReadout, activation_name, gaussian, layer, layers_and_biases


class ResidualMLP(WithReadout):
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

    _of_each_layer = ("weights", "biases")
    _of_all = ("output_weights", "output_bias")

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
        self.weights, self.biases = layers_and_biases("weights", weights, biases)
        m, self.dim = self.weights[0].shape
        self.width: int = m
        for i, w in enumerate(self.weights):
            if w.shape[0] != m:
                raise ShapeError(f"`weights[{i}]` must have shape {(m, m)}, for {m} units, got {w.shape}")
        self._set_output(output_weights, output_bias, m, f"for {m} units")
        self._freeze()

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
        draw = gaussian(rng, scale, bias)
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

    def largest_gradient(self, reach: Reach) -> float:
        """Return a bound on ||dp/dw||^2 over all inputs of this reach: infinity where it has none, never too small."""
        inputs, slopes = [affine(reach, self.weights[0], self.biases[0])], []
        for weights, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            layer = activated(affine(inputs[-1], weights, bias), self.activation)
            inputs.append(inputs[-1].plus(layer.output))
            slopes.append(layer.steepest)
        # ||g||^2 = sum_l ||[h_{l-1}, 1]||^2 ||delta_l||^2, with x before W_0, and ||[h_L, 1]||^2 of the output
        total = inputs[-1].norm ** 2 + (self.output_bias is not None)
        onto = around_zero(np.abs(self.output_weights))
        for i in reversed(range(len(slopes))):
            # delta_l = D_l onto_l,  onto_{l-1} = onto_l + W_l^T delta_l
            delta = steepened(onto, slopes[i])
            total += float(product(delta.norm**2, inputs[i].norm ** 2 + (self.biases[i + 1] is not None)))
            onto = onto.plus(affine(delta, self.weights[i + 1].T))
        total += float(product(onto.norm**2, reach.norm**2 + (self.biases[0] is not None)))
        return total * ALLOWANCE

    def _row_size(self) -> int:
        return 4 * len(self.weights) * self.width

    def _forward(self, x: Array) -> tuple[Array, Backward]:
        first = x @ self.weights[0].T
        inputs, slopes = [x, first if self.biases[0] is None else first + self.biases[0]], []
        for weights, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            # h_l = h_{l-1} + sigma(W_l h_{l-1} + b_l)
            value, slope = layer(inputs[-1], weights, bias, self.activation)
            inputs.append(inputs[-1] + value)
            slopes.append(slope)

        def back(c: Array) -> list[Block]:
            blocks: list[Block] = []
            onto = c[:, None] * self.output_weights
            for i in reversed(range(1, len(self.weights))):
                # dp/dz_l = dp/dh_l sigma'(z_l),  dp/dh_{l-1} = dp/dh_l + W_l^T dp/dz_l
                delta = onto * slopes[i - 1]
                blocks.append(LayerGradient(inputs[i][:, None], delta[:, None], self.biases[i] is not None))
                onto = onto + delta @ self.weights[i]
            blocks.append(LayerGradient(x[:, None], onto[:, None], self.biases[0] is not None))
            return blocks[::-1]

        return self._output(inputs[-1], back)
