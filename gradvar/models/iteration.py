r"""The iteration h_t = sigma(W h_{t-1} + u_t) of recurrent and weight-tied networks, and its derivative."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.activations import ACTIVATIONS, KINKED, settle
from ..core.arguments import Array
from .network import rounding

Rows: TypeAlias = npt.NDArray[np.intp]

TOLERANCE = 1e-13
"""Largest step, relative to the largest unit of the state, at which an iteration has arrived."""
LONGEST = 5000
"""Steps after which it never will."""


@dataclass(frozen=True)
class Iteration:
    """The map from one state (n, m) to the next, u = V x + b being what the inputs contribute."""

    state_weights: Array
    input_weights: Array
    bias: Array | None
    activation: str

    def drive(self, x: Array) -> tuple[Array, Array | None]:
        """u for inputs (..., k), shape (..., m), and the sum of the absolute values of its terms where it matters."""
        bias = 0.0 if self.bias is None else self.bias
        u = x @ self.input_weights.T + bias
        if self.activation not in KINKED:
            return u, None
        return u, np.abs(x) @ np.abs(self.input_weights).T + np.abs(bias)

    def step(self, state: Array, u: Array, size: Array | None) -> tuple[Array, Array]:
        """The next state and the slope of the activation."""
        z = state @ self.state_weights.T + u
        if size is not None:
            count = self.state_weights.shape[1] + self.input_weights.shape[1]
            settle(z, rounding(count, np.abs(state) @ np.abs(self.state_weights).T + size))
        return ACTIVATIONS[self.activation](z)

    def run(self, u: Array, size: Array | None) -> tuple[Array, Array]:
        """All states h_1, ..., h_T from h_0 = 0 and the slopes, for u of shape (n, T, m); both of that shape."""
        states, slopes = np.empty(u.shape), np.empty(u.shape)
        state = np.zeros((u.shape[0], u.shape[2]))
        for t in range(u.shape[1]):
            state, slopes[:, t] = self.step(state, u[:, t], None if size is None else size[:, t])
            states[:, t] = state
        return states, slopes

    def backward(self, slopes: Array, output: Array) -> Array:
        """Return d<output, h_T>/dz_t, shape (n, T, m)."""
        deltas = np.empty(slopes.shape)
        deltas[:, -1] = output * slopes[:, -1]
        for t in reversed(range(slopes.shape[1] - 1)):
            deltas[:, t] = (deltas[:, t + 1] @ self.state_weights) * slopes[:, t]
        return deltas

    def equilibrium(self, u: Array, size: Array | None) -> Array:
        """Return the limit of the states from h = 0 with the same u (n, m) at every step."""

        def following(state: Array, rows: Rows) -> Array:
            return self.step(state, u[rows], None if size is None else size[rows])[0]

        return _limit(following, u.shape, "the state h = sigma(W_z h + W_x x + b)")

    def backward_at_equilibrium(self, slopes: Array, output: Array) -> Array:
        """Return the solution of delta = D (v + W^T delta), D the slopes at the equilibrium; shape (n, m)."""

        def following(delta: Array, rows: Rows) -> Array:
            return np.asarray((delta @ self.state_weights + output) * slopes[rows])

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
