"""The cube with a random set of bits made equal in half of all draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..classes.inputs.hypercube import Hypercube
from ..core.arguments import Array, SeedLike, generator, integer
from ..core.reach import Reach


@dataclass(frozen=True)
class PlantedCube:
    """Half uniform on {-1, +1}^dim; half with `degree` bits, at random places, all equal and the rest uniform.

    The inputs of a random task of `PlantedParities`. With m the number of coordinates that are -1,

        P(x) = 2^-dim (1/2 + 2^(k-2) (C(m, k) + C(dim - m, k))/C(dim, k)),      k = degree.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.
    degree : int
        Number of bits that are made equal, 1 to dim.

    Examples
    --------
    >>> float(PlantedCube(3, 3).weights(0, 8).sum())
    1.0
    """

    dim: int
    degree: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, 1))
        object.__setattr__(self, "degree", integer("degree", self.degree, 1, self.dim))

    @property
    def n_points(self) -> int:
        """2^dim."""
        return 1 << self.dim

    @property
    def description(self) -> str:
        """The distribution in words."""
        return f"x on the cube {{-1, +1}}^{self.dim}: half uniform, half with the target's {self.degree} bits all equal"

    @property
    def reach(self) -> Reach:
        """That of the cube."""
        return Hypercube(self.dim).reach

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent points, each with a set of its own, shape (n, dim)."""
        source = generator(rng)
        bits = np.zeros((integer("n", n, 0), self.dim), dtype=np.bool_)
        bits[:, : self.degree] = True
        return plant(source.permuted(bits, axis=1), 1, source)[:, 0]

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1 of the cube, in the order of `Hypercube`. Needs dim <= 62."""
        return Hypercube(self.dim).points(start, stop)

    def weights(self, start: int, stop: int) -> Array:
        """Return their probabilities, shape (stop - start,), from a table by the number of coordinates that are -1."""
        d, k = self.dim, self.degree
        sets = math.comb(d, k)
        # Exact integers until the last division: 2^(k-2) overflows where the product does not.
        table = np.array(
            [(2 * sets + 2**k * (math.comb(m, k) + math.comb(d - m, k))) / (4 * sets * 2**d) for m in range(d + 1)]
        )
        return np.asarray(table[np.bitwise_count(np.arange(start, stop, dtype=np.int64))])


def plant(bits: npt.NDArray[np.bool_], n: int, rng: np.random.Generator) -> Array:
    """Draw n points for each row of `bits` (m, dim), shape (m, n, dim): in half of them these bits are all equal."""
    m, dim = bits.shape
    x = Hypercube(dim).sample(m * n, rng).reshape(m, n, dim)
    planted = rng.integers(0, 2, size=(m, n)).astype(np.bool_)
    signs = 2.0 * rng.integers(0, 2, size=(m, n)) - 1.0
    return np.where(planted[:, :, None] & bits[:, None, :], signs[:, :, None], x)
