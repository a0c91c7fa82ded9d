"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import SupportsIndex, TypeGuard

import numpy as np
import numpy.typing as npt

from ..core.activations import CLOSED_FORMS
from ..core.arguments import Array, SeedLike, integer, sequence
from ..core.errors import ShapeError
from ..core.reach import Reach
from .gradients import Block, LayerGradient
from .layer_reach import ALLOWANCE, activated, affine, around_zero, product
from .network import Backward, Network, activation_of, gaussian, layer, layers_and_biases, linear_output


class MLP(Network):
    """A fully connected network with a linear output layer, of one output or several.

    a_0 = x,  z_l = W_l a_{l-1} + b_l,  a_l = sigma(z_l),  p(x) = W_L a_{L-1} + b_L.  All weights and biases are
    parameters, in the order W_1 (row-major), b_1, W_2, b_2, ...

    Parameters
    ----------
    weights : sequence of array_like, shapes (out, in)
        W_1, ..., W_L; the last one has a row for each of the K outputs.
    biases : sequence of array_like or None, shapes (out,), optional
        b_1, ..., b_L; None (in all, or for one layer) is a layer without biases.
    activation : str or pair of functions
        "tanh", "relu" (derivative 0 at 0, and within rounding of it), "relu6" (min(relu(z), 6)), "erf", "sigmoid",
        "sin", "cos", "gelu" (z Phi(z)), "softplus" or "identity"; or sigma and sigma', two functions of an array, entry
        by entry. Theorems on one hidden layer do not cover relu6 or a pair, bounds that know the activation no pair;
        `gradvar.testing.check_model` finds a slope that is not that of the value. It travels to other processes if its
        functions do (no lambda does).

    Notes
    -----
    Costs n P for a prediction and twice that for the gradient, of which no row is stored where factors do.

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

    _of_each_layer = ("weights", "biases")

    def __init__(
        self,
        weights: Sequence[npt.ArrayLike],
        biases: Sequence[npt.ArrayLike | None] | None = None,
        activation: str | Sequence[Callable[[Array], Array]] = "tanh",
    ) -> None:
        self.activation = activation_of(activation)
        self.weights, self.biases = layers_and_biases("weights", weights, biases)
        self.dim: int = self.weights[0].shape[1]
        self.n_outputs: int = self.weights[-1].shape[0]
        self._freeze()

    @classmethod
    def random(
        cls,
        sizes: Sequence[SupportsIndex],
        activation: str | Sequence[Callable[[Array], Array]] = "tanh",
        rng: SeedLike = None,
        scale: float = 1.0,
        bias: bool = True,
        distribution: str = "normal",
    ) -> MLP:
        """Draw a network with Gaussian weights of standard deviation scale / sqrt(fan_in) and biases zero.

        Parameters
        ----------
        sizes : sequence of int
            Input dimension, hidden widths, outputs: 1, or K for targets with values in R^K and class labels.
        activation, rng, scale
            As above; `rng` is an int, SeedSequence, Generator or None.
        bias : bool
            Whether the layers have biases (zero at the start, and parameters all the same).
        distribution : {"normal", "truncated normal"}
            Whether weights beyond two of these standard deviations are drawn again, as TensorFlow does: scale /
            sqrt(fan_in) is that of the whole normal distribution, and the weights' own is 0.8796 of it.

        Examples
        --------
        >>> MLP.random([20, 64, 1], rng=0)
        MLP(20-64-1, tanh)
        """
        widths = [
            integer(f"sizes[{i}]", size, 1)
            for i, size in enumerate(sequence("sizes", sizes, "[dim, widths..., outputs]"))
        ]
        if len(widths) < 2:
            raise ShapeError(f"`sizes` must be [dim, widths..., outputs], such as [20, 64, 1], got {widths}")
        draw = gaussian(rng, scale, bias, distribution)
        weights = [draw(out, fan_in, fan_in=fan_in) for fan_in, out in pairwise(widths)]
        return cls(weights, [np.zeros(w.shape[0]) for w in weights] if bias else None, activation)

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in self.sizes)
        biases = sum(b is not None for b in self.biases)
        note = "" if biases == len(self.weights) else ", no biases" if not biases else ", some biases"
        return f"MLP({sizes}, {self.activation}{note})"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Input dimension and the width of each layer."""
        return (self.dim, *(w.shape[0] for w in self.weights))

    def largest_gradient(self, reach: Reach) -> float:
        """Return a bound on ||dp/dw||^2 over all inputs of this reach: infinity where it has none, never too small."""
        if not isinstance(self.activation, str):
            return math.inf
        layers, inputs = [], [reach]
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layers.append(activated(affine(inputs[-1], weights, bias), self.activation))
            inputs.append(layers[-1].output)
        # ||g||^2 = sum_l ||[a_{l-1}, 1]||^2 ||delta_l||^2, the 1 where there is a bias
        squares = [a.norm**2 + (b is not None) for a, b in zip(inputs, self.biases, strict=True)]
        if self.n_outputs > 1:
            return math.inf
        if not layers:
            return squares[0] * ALLOWANCE
        # The last hidden layer: sum_j (||[a, 1]||^2 v_j^2 sigma'(z_j)^2 + sigma(z_j)^2), then those below
        v = self.weights[-1][0]
        total = layers[-1].squares(product(v**2, squares[-2]), self.activation) + (self.biases[-1] is not None)
        delta = around_zero(np.abs(v) * layers[-1].steepest)
        for i in reversed(range(len(layers) - 1)):
            delta = affine(delta, layers[i].steepest[:, None] * self.weights[i + 1].T)
            total += float(product(delta.norm**2, squares[i]))
        return total * ALLOWANCE

    def _forward(self, x: Array) -> tuple[Array, Backward]:
        inputs, slopes = [x], []
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            # a_l = sigma(W_l a_{l-1} + b_l)
            value, slope = layer(inputs[-1], weights, bias, self.activation)
            inputs.append(value)
            slopes.append(slope)

        def back(c: Array) -> list[Block]:
            blocks: list[Block] = []
            delta = c if c.ndim == 2 else c[:, None]
            for i in reversed(range(len(slopes))):
                # dp/dz_l = (W_{l+1}^T dp/dz_{l+1}) sigma'(z_l); an outer product is no matrix product
                above = self.weights[i + 1]
                delta = delta * above if delta.shape[1] == 1 else delta @ above
                delta *= slopes[i]
                blocks.append(LayerGradient(inputs[i][:, None], delta[:, None], self.biases[i] is not None))
            return blocks[::-1]

        last = self.biases[-1]
        if self.n_outputs > 1:
            p = inputs[-1] @ self.weights[-1].T + (0.0 if last is None else last)
            return p, lambda c: [*back(c), LayerGradient(inputs[-1][:, None], c[:, None], last is not None)]
        return linear_output(inputs[-1], self.weights[-1][0], None if last is None else float(last[0]), back)

    def _row_size(self) -> int:
        return 3 * sum(self.sizes)


def has_one_hidden_layer(model: object) -> TypeGuard[MLP]:
    """Whether this is a network with one hidden layer and an activation that the closed forms know."""
    return type(model) is MLP and len(model.weights) == 2 and model.activation in CLOSED_FORMS
