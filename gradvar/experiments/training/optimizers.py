"""Rules by which parameters follow a gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...core.arguments import Array


@dataclass
class Sgd:
    """w <- w - eta g."""

    learning_rate: float

    def __call__(self, w: Array, g: Array) -> Array:
        """Return the next parameters from the present ones and the gradient, both (P,)."""
        return w - self.learning_rate * g


@dataclass
class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, Algorithm 1) with beta = (0.9, 0.999) and epsilon = 1e-8."""

    learning_rate: float
    mean: Array | float = 0.0
    square: Array | float = 0.0
    steps: int = 0

    def __call__(self, w: Array, g: Array) -> Array:
        """Return the next parameters from the present ones and the gradient, both (P,)."""
        # m <- beta_1 m + (1 - beta_1) g,  v <- beta_2 v + (1 - beta_2) g^2
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * g
        self.square = 0.999 * self.square + 0.001 * (g * g)
        # w <- w - eta m/(1 - beta_1^t) / ((v/(1 - beta_2^t))^(1/2) + epsilon)
        mean = self.mean / (1 - 0.9**self.steps)
        square = self.square / (1 - 0.999**self.steps)
        return np.asarray(w - self.learning_rate * mean / (np.sqrt(square) + 1e-8))


Optimizer: TypeAlias = Sgd | Adam
OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": Sgd, "adam": Adam}
