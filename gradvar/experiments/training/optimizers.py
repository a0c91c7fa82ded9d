"""Rules by which parameters follow a gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...core.arguments import Array, number, positive

Step: TypeAlias = Callable[[Array, Array], Array]
"""The next parameters, from the present ones and the gradient, all (P,). It may remember the gradients before."""


@dataclass(frozen=True)
class Sgd:
    """w <- w - eta g."""

    def steps(self, learning_rate: float) -> Step:
        """Return the rule for a new descent."""
        return lambda w, g: w - learning_rate * g

    def __str__(self) -> str:
        return "sgd"


@dataclass(frozen=True)
class Adam:
    """The rule of Adam (Kingma and Ba, arXiv 1412.6980, Algorithm 1), for `descend(optimizer=...)`.

    m <- beta_1 m + (1 - beta_1) g,  v <- beta_2 v + (1 - beta_2) g^2, and after t steps

        w <- w - eta m / (1 - beta_1^t) / ((v / (1 - beta_2^t))^(1/2) + epsilon).

    Parameters
    ----------
    beta : pair of float
        Shares of the means of g and of g^2 that are kept, from 0 up to 1, below it.
    epsilon : float
        Above zero.

    Raises
    ------
    ValueError, TypeError
        Shares outside of [0, 1), an epsilon that is not above zero.

    Examples
    --------
    >>> Adam(beta=(0.9, 0.99), epsilon=1e-5)
    Adam(beta=(0.9, 0.99), epsilon=1e-05)
    """

    beta: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if not isinstance(self.beta, (tuple, list)) or len(self.beta) != 2:
            raise TypeError(f"`beta` must be a pair of numbers, such as (0.9, 0.999), got {self.beta!r}")
        first, second = (
            number(f"beta[{i}]", share, "a number from 0 up to 1, below it", lambda found: 0 <= found < 1)
            for i, share in enumerate(self.beta)
        )
        object.__setattr__(self, "beta", (first, second))
        object.__setattr__(self, "epsilon", positive("epsilon", self.epsilon))

    def steps(self, learning_rate: float) -> Step:
        """Return the rule for a new descent."""
        mean = square = np.zeros(1)
        t = 0

        def step(w: Array, g: Array) -> Array:
            nonlocal mean, square, t
            (first, second), t = self.beta, t + 1
            mean = first * mean + (1 - first) * g
            square = second * square + (1 - second) * (g * g)
            root = np.sqrt(square / (1 - second**t)) + self.epsilon
            return np.asarray(w - learning_rate * (mean / (1 - first**t)) / root)

        return step

    def __str__(self) -> str:
        return "adam" if self == Adam() else repr(self)


Optimizer: TypeAlias = Sgd | Adam
_NAMED: dict[str, Optimizer] = {"sgd": Sgd(), "adam": Adam()}


def as_optimizer(optimizer: str | Adam) -> Optimizer:
    """Return the rule of this name, or one that is given."""
    if isinstance(optimizer, Adam):
        return optimizer
    if not isinstance(optimizer, str) or optimizer not in _NAMED:
        accepted = ", ".join(map(repr, _NAMED))
        raise ValueError(f"`optimizer` must be one of {accepted}, or gradvar.Adam(...), got {optimizer!r}")
    return _NAMED[optimizer]
