"""How far a vector reaches over all inputs: what a bound over them needs to know of their distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arguments import Array


@dataclass(frozen=True, eq=False)
class Reach:
    """A box and a ball that hold all values x of a vector: low_i <= x_i <= high_i and ||x|| <= norm."""

    low: Array
    """Shape (dim,), -inf where a coordinate is not bounded."""
    high: Array
    """Shape (dim,), inf where a coordinate is not bounded."""
    norm: float = np.inf
    """At most what the box needs."""

    def __post_init__(self) -> None:
        farthest = np.linalg.norm(np.maximum(np.abs(self.low), np.abs(self.high)))
        # of NumPy's floats, whose squares overflow to infinity
        object.__setattr__(self, "norm", np.float64(min(self.norm, float(farthest))))

    @classmethod
    def everywhere(cls, dim: int) -> Reach:
        """Return that of R^dim."""
        return cls(np.full(dim, -np.inf), np.full(dim, np.inf))

    def plus(self, other: Reach) -> Reach:
        """Return that of a sum."""
        return Reach(self.low + other.low, self.high + other.high, self.norm + other.norm)
