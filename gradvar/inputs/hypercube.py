"""The uniform distribution on {-1, +1}^d."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arguments import Array, integer


@dataclass(frozen=True)
class Hypercube:
    """The uniform distribution on {-1, +1}^dim.

    Point number j has x_i = +1 where bit i of j is 0 and x_i = -1 where it is 1; point 0 is (1, ..., 1).

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.

    Examples
    --------
    >>> Hypercube(2).points(0, 4)
    array([[ 1.,  1.],
           [-1.,  1.],
           [ 1., -1.],
           [-1., -1.]])
    """

    dim: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, 1))

    @property
    def n_points(self) -> int:
        """2^dim."""
        return 1 << self.dim

    @property
    def description(self) -> str:
        """The distribution in words."""
        return f"x uniform on the cube {{-1, +1}}^{self.dim}"

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent points, shape (n, dim). Costs one random bit a coordinate."""
        row = (self.dim + 7) // 8
        random_bytes = np.frombuffer(rng.bytes(n * row), dtype=np.uint8).reshape(n, row)
        return _signs(np.unpackbits(random_bytes, axis=1, count=self.dim, bitorder="little"))

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1, shape (stop - start, dim). Needs dim <= 62."""
        integer("dim", self.dim, 1, 62)
        numbers = np.arange(start, stop, dtype=np.int64)[:, None]
        return _signs(((numbers >> np.arange(self.dim)) & 1).astype(np.uint8))

    def weights(self, start: int, stop: int) -> Array:
        """Return their probabilities 2^-dim, shape (stop - start,)."""
        return np.full(stop - start, 2.0**-self.dim)


def _signs(bits: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Array:
    signs = bits.astype(np.float64)
    signs *= -2.0
    signs += 1.0
    return signs
