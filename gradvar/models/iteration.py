r"""Networks that apply one layer again and again: h_t = sigma(W h_{t-1} + V x_t + b)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.activations import ACTIVATIONS, KINKED, settle
from ..core.arguments import Array, real_array
from ..core.errors import ShapeError
from ..core.reach import Reach
from .gradients import Block, LayerGradient
from .layer_reach import ALLOWANCE, activated, affine, around_zero, product, steepened
from .network import Backward, WithReadout, activation_name, array_of_shape, rounding

Rows: TypeAlias = npt.NDArray[np.intp]

TOLERANCE = 1e-13
"""Largest step, relative to the largest unit of the state, at which an iteration has arrived."""
LONGEST = 5000
"""Steps after which it never will."""


class IteratedNetwork(WithReadout):
    """A network p(x) = <v, h> + c of the last state h (n, m) of an iteration, and its derivatives.

    u = V x + b is what the inputs contribute to a step.
    """

    _of_all = ("state_weights", "input_weights", "bias", "output_weights", "output_bias")

    def __init__(
        self,
        state_weights: npt.ArrayLike,
        input_weights: npt.ArrayLike,
        output_weights: npt.ArrayLike,
        bias: npt.ArrayLike | None,
        output_bias: float | None,
        activation: str,
        columns: str,
    ) -> None:
        self.activation = activation_name(activation)
        self.input_weights = real_array("input_weights", input_weights, 2, f"(m, {columns})")
        m, k = self.input_weights.shape
        if m == 0 or k == 0:
            raise ShapeError(f"`input_weights` must have shape (m, {columns}) with m, {columns} >= 1, got {(m, k)}")
        why = f"for {m} units"
        self.state_weights = array_of_shape("state_weights", state_weights, (m, m), why)
        self.bias = None if bias is None else array_of_shape("bias", bias, (m,), why)
        self._set_output(output_weights, output_bias, m, why)
        self._products = m + k  # that are summed in a unit
        self._freeze()

    def _largest_gradient(self, steps: Sequence[Reach]) -> float:
        """A bound on ||dp/dw||^2 after one step with an input of each reach."""
        m = self.output_weights.size
        states, slopes = [around_zero(np.zeros(m))], []
        for reach in steps:
            z = affine(states[-1], self.state_weights).plus(affine(reach, self.input_weights, self.bias))
            layer = activated(z, self.activation)
            states.append(layer.output)
            slopes.append(layer.steepest)
        # ||sum_t delta_t h_{t-1}^T|| <= sum_t ||delta_t|| ||h_{t-1}||, and so for x_t and for the bias
        sums, delta = np.zeros(3), around_zero(np.abs(self.output_weights))
        for state, reach, slope in reversed(list(zip(states[:-1], steps, slopes, strict=True))):
            delta = steepened(delta, slope)
            sums += product(delta.norm, np.array([state.norm, reach.norm, float(self.bias is not None)]))
            delta = affine(delta, self.state_weights.T)
        return float(np.sum(sums**2) + states[-1].norm ** 2 + (self.output_bias is not None)) * ALLOWANCE

    def _drive(self, x: Array) -> tuple[Array, Array | None]:
        """u for inputs (..., k), shape (..., m), and a bound on its rounding where the activation has a kink."""
        bias = 0.0 if self.bias is None else self.bias
        slack = rounding(x, self.input_weights, self.bias, self._products) if self.activation in KINKED else None
        return x @ self.input_weights.T + bias, slack

    def _step(self, state: Array, u: Array, slack: Array | None) -> tuple[Array, Array]:
        """The next state and the slope of the activation."""
        z = state @ self.state_weights.T + u
        if slack is not None:
            settle(z, rounding(state, self.state_weights, None, self._products) + slack, self.activation)
        return ACTIVATIONS[self.activation](z)

    def _after_steps(self, x: Array, u: Array, slack: Array | None) -> tuple[Array, Backward]:
        """p for contributions u (n, T, m) of inputs x (n, T, k), or (n, 1, k) where all steps see the same."""
        states, slopes = np.empty(u.shape), np.empty(u.shape)
        state = np.zeros((u.shape[0], u.shape[2]))
        for t in range(u.shape[1]):
            state, slopes[:, t] = self._step(state, u[:, t], None if slack is None else slack[:, t])
            states[:, t] = state

        def back(c: Array) -> list[Block]:
            deltas = self._deltas(slopes, c[:, None] * self.output_weights)
            # dp/dW = sum_t delta_t h_{t-1}^T, where h_0 = 0 has no part;  dp/dV = sum_t delta_t x_t^T
            of_inputs = deltas if x.shape[1] == deltas.shape[1] else deltas.sum(axis=1, keepdims=True)
            state_gradient = LayerGradient(states[:, :-1], deltas[:, 1:])
            return [state_gradient, LayerGradient(x, of_inputs, self.bias is not None)]

        return self._output(states[:, -1], back)

    def _deltas(self, slopes: Array, output: Array) -> Array:
        """d<output, h_T>/dz_t, shape (n, T, m)."""
        deltas = np.empty(slopes.shape)
        deltas[:, -1] = output * slopes[:, -1]
        for t in reversed(range(slopes.shape[1] - 1)):
            # dp/dz_t = (W^T dp/dz_{t+1}) sigma'(z_t)
            deltas[:, t] = (deltas[:, t + 1] @ self.state_weights) * slopes[:, t]
        return deltas

    def _equilibrium(self, x: Array) -> tuple[Array, Backward]:
        """p at the limit h of the states from h = 0 with the same input x (n, k) at every step."""
        u, slack = self._drive(x)

        def next_state(state: Array, rows: Rows) -> Array:
            return self._step(state, u[rows], None if slack is None else slack[rows])[0]

        h = _limit(next_state, u.shape, "the state h = sigma(W_z h + W_x x + b)")
        slopes = self._step(h, u, slack)[1]

        def back(c: Array) -> list[Block]:
            output = c[:, None] * self.output_weights

            def next_delta(delta: Array, rows: Rows) -> Array:
                # delta = D (v + W^T delta), D the slopes at the equilibrium
                return np.asarray((delta @ self.state_weights + output[rows]) * slopes[rows])

            equation = "the gradient's equation delta = sigma'(z) (v + W_z^T delta)"
            delta = _limit(next_delta, slopes.shape, equation)[:, None]
            # dp/dW = delta h^T,  dp/dV = delta x^T
            return [LayerGradient(h[:, None], delta), LayerGradient(x[:, None], delta, self.bias is not None)]

        return self._output(h, back)


def _limit(following: Callable[[Array, Rows], Array], shape: tuple[int, ...], what: str) -> Array:
    """The limit of the iteration from 0 in every row, each row by itself, or an error."""
    state = np.zeros(shape)
    rows = np.arange(shape[0])
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(LONGEST):
            new = following(state[rows], rows)
            change = np.abs(new - state[rows]).max(axis=1)
            state[rows] = new
            if not np.isfinite(change).all():
                break
            moving = change > TOLERANCE * np.abs(new).max(axis=1)
            rows, change = rows[moving], change[moving]
            if rows.size == 0:
                return state
    raise ValueError(
        f"{what} does not reach an equilibrium: after {LONGEST} steps it still moves by {change.max():.2g} at "
        f"{rows.size} of {shape[0]} inputs; use `state_weights` that contract (spectral norm times the activation's "
        "largest slope below 1), or a number of `steps`"
    )
