"""Rules by which parameters follow a gradient."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...core.arguments import Array


class Rule(Protocol):
    """An optimizer at work."""

    learning_rate: float

    def __call__(self, w: Array, g: Array) -> Array:
        """Return the next parameters from the present ones and the gradient, both (P,)."""


class Sgd:
    """w <- w - eta g."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def __call__(self, w: Array, g: Array) -> Array:
        """Return the next parameters."""
        return w - self.learning_rate * g


class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, Algorithm 1) with beta = (0.9, 0.999) and epsilon = 1e-8."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self._mean: Array | float = 0.0
        self._square: Array | float = 0.0
        self._steps = 0

    def __call__(self, w: Array, g: Array) -> Array:
        """Return the next parameters."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * g
        self._square = 0.999 * self._square + 0.001 * (g * g)
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.999**self._steps)
        return np.asarray(w - self.learning_rate * mean / (np.sqrt(square) + 1e-8))


OPTIMIZERS: dict[str, type[Sgd] | type[Adam]] = {"sgd": Sgd, "adam": Adam}
