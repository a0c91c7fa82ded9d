"""The standard Gaussian distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.arguments import Array, integer


@dataclass(frozen=True)
class Gaussian:
    """The standard Gaussian distribution N(0, I) on R^dim.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.

    Examples
    --------
    >>> Gaussian(3).sample(5, np.random.default_rng(0)).shape
    (5, 3)
    """

    dim: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, 1))

    @property
    def n_points(self) -> None:
        """None: the support is infinite."""
        return None

    @property
    def description(self) -> str:
        """The distribution in words."""
        return f"x ~ N(0, I) in R^{self.dim}"

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent inputs, shape (n, dim)."""
        return rng.standard_normal((n, self.dim))

    def points(self, start: int, stop: int) -> Array:
        """Raise: a Gaussian cannot be enumerated."""
        raise ValueError("Gaussian inputs cannot be enumerated: their support is infinite")

    def weights(self, start: int, stop: int) -> Array:
        """Raise: a Gaussian cannot be enumerated."""
        raise ValueError("Gaussian inputs cannot be enumerated: their support is infinite")
