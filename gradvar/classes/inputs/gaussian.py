"""The standard Gaussian distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import SupportsIndex

from ...core.arguments import Array, SeedLike, generator, integer


@dataclass(frozen=True)
class Gaussian:
    """The standard Gaussian distribution N(0, I) on R^dim.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.

    Raises
    ------
    ValueError, TypeError
        A dimension out of range.

    Examples
    --------
    >>> Gaussian(3).sample(5, rng=0).shape
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

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent inputs, shape (n, dim)."""
        return generator(rng).standard_normal((integer("n", n, 0), self.dim))

    def points(self, start: int, stop: int) -> Array:
        """Raise: a Gaussian cannot be enumerated."""
        raise ValueError("Gaussian inputs cannot be enumerated: their support is infinite")

    def weights(self, start: int, stop: int) -> Array:
        """Raise: a Gaussian cannot be enumerated."""
        raise ValueError("Gaussian inputs cannot be enumerated: their support is infinite")
