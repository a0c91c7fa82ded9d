"""Recurrent networks."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, integer
from ..core.reach import Reach
from .iteration import IteratedNetwork
from .network import Backward, gaussian


class Recurrent(IteratedNetwork):
    """An Elman network that reads the input as a sequence.

    x is cut into T = `length` steps x_1, ..., x_T of k = dim/T coordinates each;

        h_0 = 0,      h_t = sigma(W_h h_{t-1} + W_x x_t + b),      p(x) = <v, h_T> + c.

    Parameters, in the order of the gradient: W_h, W_x (row-major), b, v, c.

    Parameters
    ----------
    state_weights : array_like, shape (m, m)
        W_h.
    input_weights : array_like, shape (m, k)
        W_x.
    output_weights : array_like, shape (m,)
        v.
    bias : array_like, shape (m,), optional
        b; None is a network without.
    output_bias : float, optional
        c; None is a network without.
    length : int
        Number of steps T, >= 1; the input has T k coordinates.
    activation : str
        As for `MLP`.

    Notes
    -----
    Costs n T m (m + k) for a prediction and as much again for the gradient. The gradients of W_h and W_x are sums
    over the steps and are written out: see `gradvar.models.gradients`.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        Weights that do not fit, infinite weights, unknown activations.

    Examples
    --------
    >>> running_sum = Recurrent([[1.0]], [[1.0]], [1.0], length=3, activation="identity")
    >>> running_sum.predict([[1.0, -1.0, 1.0]]), running_sum.n_parameters
    (array([1.]), 3)
    """

    def __init__(
        self,
        state_weights: npt.ArrayLike,
        input_weights: npt.ArrayLike,
        output_weights: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        output_bias: float | None = None,
        *,
        length: SupportsIndex,
        activation: str = "tanh",
    ) -> None:
        super().__init__(state_weights, input_weights, output_weights, bias, output_bias, activation, "k")
        self.length: int = integer("length", length, 1)
        self.units: int = self.input_weights.shape[0]
        self.dim: int = self.length * self.input_weights.shape[1]

    @classmethod
    def random(
        cls,
        dim: SupportsIndex,
        units: SupportsIndex,
        length: SupportsIndex | None = None,
        activation: str = "tanh",
        rng: SeedLike = None,
        scale: float = 1.0,
        bias: bool = True,
    ) -> Recurrent:
        """Draw a network with Gaussian weights of standard deviation scale / sqrt(fan_in) and biases zero.

        Parameters
        ----------
        dim, units : int
            Input coordinates and units m.
        length : int, optional
            Number of steps T, a divisor of `dim`; None is one coordinate a step.
        activation, rng, scale, bias
            As for `MLP.random`.

        Examples
        --------
        >>> Recurrent.random(20, 16, length=10, rng=0)
        Recurrent(dim=20, length=10, units=16, tanh)
        """
        dim, m = integer("dim", dim, 1), integer("units", units, 1)
        length = steps_of(length, dim)
        draw = gaussian(rng, scale, bias)
        k = dim // length
        return cls(
            draw(m, m, fan_in=m),
            draw(m, k, fan_in=k),
            draw(m, fan_in=m),
            np.zeros(m) if bias else None,
            0.0 if bias else None,
            length=length,
            activation=activation,
        )

    def largest_gradient(self, reach: Reach) -> float:
        """Return a bound on ||dp/dw||^2 over all inputs of this reach: infinity where it has none, never too small."""
        ends = zip(np.split(reach.low, self.length), np.split(reach.high, self.length), strict=True)
        return self._largest_gradient([Reach(low, high, reach.norm) for low, high in ends])

    def __repr__(self) -> str:
        return f"Recurrent(dim={self.dim}, length={self.length}, units={self.units}, {self.activation})"

    def _row_size(self) -> int:
        return 4 * self.length * self.units + self.n_parameters

    def _forward(self, x: Array) -> tuple[Array, Backward]:
        steps = x.reshape(x.shape[0], self.length, self.dim // self.length)
        return self._after_steps(steps, *self._drive(steps))


def steps_of(length: SupportsIndex | None, dim: int) -> int:
    """Return the length of the sequence that an input of `dim` coordinates is cut into; it must divide `dim`."""
    steps = dim if length is None else integer("length", length, 1)
    if dim % steps:
        raise ValueError(f"`length` must divide dim = {dim}, got {steps}")
    return steps
