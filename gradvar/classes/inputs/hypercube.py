"""The cube {-1, +1}^d with independent coordinates: uniform, or with a bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike, generator, inputs_of, integer, number
from ...core.reach import Reach
from .base import check_block


@dataclass(frozen=True)
class Hypercube:
    """The cube {-1, +1}^dim with independent coordinates of mean E x_i = bias; uniform where that is 0.

    P(x_i = +1) = (1 + bias)/2. Point number j has x_i = +1 where bit i of j is 0 and x_i = -1 where it is 1; point 0
    is (1, ..., 1).

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.
    bias : float
        The mean mu of every coordinate, -1 < mu < 1.

    Raises
    ------
    ValueError, TypeError
        A dimension or bias out of range.

    Examples
    --------
    >>> Hypercube(2).points(0, 4)
    array([[ 1.,  1.],
           [-1.,  1.],
           [ 1., -1.],
           [-1., -1.]])
    >>> Hypercube(2, bias=0.5).weights(0, 4)
    array([0.5625, 0.1875, 0.1875, 0.0625])
    """

    dim: int
    bias: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, 1))
        accepted = "a number with -1 < bias < 1, the mean of every coordinate"
        bias = number("bias", self.bias, accepted, lambda mean: -1 < mean < 1)
        object.__setattr__(self, "bias", bias + 0.0)

    def __repr__(self) -> str:
        return f"Hypercube(dim={self.dim}{f', bias={self.bias!r}' if self.bias else ''})"

    @property
    def n_points(self) -> int:
        """2^dim."""
        return 1 << self.dim

    @property
    def description(self) -> str:
        """The distribution in words."""
        cube = f"the cube {{-1, +1}}^{self.dim}"
        return f"x on {cube}, independent with E x_i = {self.bias:g}" if self.bias else f"x uniform on {cube}"

    @property
    def probabilities(self) -> tuple[float, float]:
        """P(x_i = +1) and P(x_i = -1)."""
        return (1 + self.bias) / 2, (1 - self.bias) / 2

    @property
    def reach(self) -> Reach:
        """The box [-1, 1]^dim, and the sphere through its corners."""
        return Reach(-np.ones(self.dim), np.ones(self.dim))

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent points, shape (n, dim).

        Costs one random bit a coordinate without a bias, and 53 with one: then the probability of the rarer sign is
        met to 2^-53.
        """
        count, source = integer("n", n, 0), generator(rng)
        if self.bias:
            plus, minus = self.probabilities
            rare = np.sign(minus - plus)
            return np.asarray(np.where(source.random((count, self.dim)) < min(plus, minus), rare, -rare))
        row = (self.dim + 7) // 8
        random_bytes = np.frombuffer(source.bytes(count * row), dtype=np.uint8).reshape(count, row)
        return _signs(np.unpackbits(random_bytes, axis=1, count=self.dim, bitorder="little"))

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1, shape (stop - start, dim). Needs dim <= 62."""
        integer("dim", self.dim, 1, 62)
        check_block(start, stop, self.n_points)
        numbers = np.arange(start, stop, dtype=np.int64)[:, None]
        return _signs(((numbers >> np.arange(self.dim)) & 1).astype(np.uint8))

    def weights(self, start: int, stop: int) -> Array:
        """Return their probabilities ((1 + bias)/2)^#{x_i = +1} ((1 - bias)/2)^#{x_i = -1}, shape (stop - start,)."""
        check_block(start, stop, self.n_points)
        if not self.bias:
            return np.full(stop - start, 2.0**-self.dim)
        integer("dim", self.dim, 1, 62)
        plus, minus = self.probabilities
        count = np.arange(self.dim + 1)
        by_count: Array = plus ** (self.dim - count) * minus**count
        return by_count[np.bitwise_count(np.arange(start, stop, dtype=np.int64))]


def cube_points(x: npt.ArrayLike, dim: int, who: str) -> Array:
    """Return inputs (n, dim) as float64, made sure to be points of the cube; `who` asks for them."""
    array = inputs_of(x, dim, who)
    if not (np.abs(array) == 1).all():
        row, column = (int(i) for i in np.argwhere(np.abs(array) != 1)[0])
        raise ValueError(f"`x` must hold only -1 and +1 for {who}, got {array[row, column]} in row {row}")
    return array


def _signs(bits: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Array:
    signs = bits.astype(np.float64)
    signs *= -2.0
    signs += 1.0
    return signs
