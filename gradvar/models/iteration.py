r"""Networks that apply one layer again and again: h_t = sigma(W h_{t-1} + V x_t + b)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.activations import ACTIVATIONS, KINKED, settle
from ..core.arguments import Array, real_array
from ..core.errors import ShapeError
from .network import WithReadout, activation_name, array_of_shape, largest, rounding

Rows: TypeAlias = npt.NDArray[np.intp]

TOLERANCE = 1e-13
"""Largest step, relative to the largest unit of the state, at which an iteration has arrived."""
LONGEST = 5000
"""Steps after which it never will."""


class IteratedNetwork(WithReadout):
    """A network p(x) = <v, h> + c of the last state h (n, m) of an iteration, and the derivatives of that state.

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
        self._freeze()

    def _drive(self, x: Array) -> tuple[Array, Array | None]:
        """u for inputs (..., k), shape (..., m), and a bound on its rounding where the activation has a kink."""
        bias = 0.0 if self.bias is None else self.bias
        kinked = self.activation in KINKED
        slack = largest(x, self.input_weights, self.bias, self._rounding) if kinked else None
        return x @ self.input_weights.T + bias, slack

    @property
    def _rounding(self) -> float:
        return rounding(self.state_weights.shape[1] + self.input_weights.shape[1])

    def _step(self, state: Array, u: Array, size: Array | None) -> tuple[Array, Array]:
        """The next state and the slope of the activation."""
        z = state @ self.state_weights.T + u
        if size is not None:
            settle(z, largest(state, self.state_weights, None, self._rounding) + size)
        return ACTIVATIONS[self.activation](z)

    def _run(self, u: Array, size: Array | None) -> tuple[Array, Array]:
        """All states h_1, ..., h_T from h_0 = 0 and the slopes, for u of shape (n, T, m); both of that shape."""
        states, slopes = np.empty(u.shape), np.empty(u.shape)
        state = np.zeros((u.shape[0], u.shape[2]))
        for t in range(u.shape[1]):
            state, slopes[:, t] = self._step(state, u[:, t], None if size is None else size[:, t])
            states[:, t] = state
        return states, slopes

    def _deltas(self, slopes: Array, output: Array) -> Array:
        """d<output, h_T>/dz_t, shape (n, T, m)."""
        deltas = np.empty(slopes.shape)
        deltas[:, -1] = output * slopes[:, -1]
        for t in reversed(range(slopes.shape[1] - 1)):
            # dp/dz_t = (W^T dp/dz_{t+1}) sigma'(z_t)
            deltas[:, t] = (deltas[:, t + 1] @ self.state_weights) * slopes[:, t]
        return deltas

    def _equilibrium(self, u: Array, size: Array | None) -> Array:
        """The limit of the states from h = 0 with the same u (n, m) at every step."""

        def following(state: Array, rows: Rows) -> Array:
            return self._step(state, u[rows], None if size is None else size[rows])[0]

        return _limit(following, u.shape, "the state h = sigma(W_z h + W_x x + b)")

    def _delta_at_equilibrium(self, slopes: Array, output: Array) -> Array:
        """The solution of delta = D (v + W^T delta), D the slopes at the equilibrium; shape (n, m)."""

        def following(delta: Array, rows: Rows) -> Array:
            return np.asarray((delta @ self.state_weights + output[rows]) * slopes[rows])

        return _limit(following, slopes.shape, "the gradient's equation delta = sigma'(z) (v + W_z^T delta)")


def _limit(following: Callable[[Array, Rows], Array], shape: tuple[int, ...], what: str) -> Array:
    """The limit of the iteration from 0 in every row, each row by itself, or an error."""
    state = np.zeros(shape)
    rows = np.arange(shape[0])
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(LONGEST):
            if rows.size == 0:
                return state
            old = state[rows]
            new = following(old, rows)
            change = np.abs(new - old).max(axis=1)
            size = np.abs(new).max(axis=1)
            state[rows] = new
            if not np.isfinite(change).all():
                break
            moving = change > TOLERANCE * size
            rows, change, size = rows[moving], change[moving], size[moving]
    if rows.size == 0:
        return state
    raise ValueError(
        f"{what} does not reach an equilibrium: after {LONGEST} steps it still moves by {change.max():.2g} at "
        f"{rows.size} of {shape[0]} inputs; use `state_weights` that contract (spectral norm times the activation's "
        "largest slope below 1), or a number of `steps`"
    )
