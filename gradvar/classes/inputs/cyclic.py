"""The uniform distribution on the residues modulo a prime, or on those that have an inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike, generator, inputs_of, integer
from ...core.primes import prime
from ...core.reach import Reach
from .base import check_block

Residues = npt.NDArray[np.int64]

_ENCODINGS = {
    "bits": ("{} bits", "as {} bits 0.0 and 1.0, least significant first"),
    "bits-msb-first": ("{} bits, most significant first", "as {} bits 0.0 and 1.0, most significant first"),
    "integer": ("an integer", "as integers"),
    "one-hot": ("a one-hot vector", "as a single 1.0 among zeros"),
}
"""Words for an encoded residue of so many coordinates, and for many."""


@dataclass(frozen=True, init=False)
class CyclicGroup:
    """x uniform on the units Z_p^* = {1, ..., p-1}, or on all of Z_p = {0, ..., p-1}, p prime.

    Point number j is the residue j + 1 of the units, j of all residues. A model sees it encoded:

    - "bits": its binary digits, 0.0 and 1.0, the *least* significant first, dim = ceil(log2 p);
    - "bits-msb-first": the same digits, the *most* significant first, as the published script of arXiv 2310.01611
      writes them: a network on the first order is one on the second with its first layer's columns reversed;
    - "integer": the number itself, dim = 1;
    - "one-hot": 1.0 at the number of the point and 0.0 elsewhere, dim = p - 1 for the units, p for all residues.

    Parameters
    ----------
    p : int
        A prime below 2^31.
    units : bool
        Whether to leave 0 out. True by default.
    encoding : {"bits", "bits-msb-first", "integer", "one-hot"}
        What a model sees.

    Raises
    ------
    ValueError, TypeError
        A composite p, another encoding.

    Examples
    --------
    >>> CyclicGroup(5).points(0, 4)
    array([[1., 0., 0.],
           [0., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    >>> CyclicGroup(5, encoding="bits-msb-first").points(0, 2)
    array([[0., 0., 1.],
           [0., 1., 0.]])
    >>> CyclicGroup(5, units=False, encoding="integer").points(0, 3)
    array([[0.],
           [1.],
           [2.]])
    """

    p: int
    units: bool
    encoding: str

    def __init__(self, p: SupportsIndex, units: bool = True, encoding: str = "bits") -> None:
        object.__setattr__(self, "p", prime("p", p))
        if not isinstance(units, (bool, np.bool_)):
            raise TypeError(f"`units` must be True (x in 1..p-1) or False (x in 0..p-1), got {units!r}")
        object.__setattr__(self, "units", bool(units))
        if encoding not in _ENCODINGS:
            names = ", ".join(repr(name) for name in _ENCODINGS)
            raise ValueError(f"`encoding` must be one of {names}, got {encoding!r}")
        object.__setattr__(self, "encoding", encoding)

    @property
    def first(self) -> int:
        """The smallest residue: 1 for the units, else 0."""
        return 1 if self.units else 0

    @property
    def n_points(self) -> int:
        """p - 1 for the units, else p."""
        return self.p - self.first

    @property
    def dim(self) -> int:
        """Number of coordinates of an encoded residue."""
        if self.encoding.startswith("bits"):
            return (self.p - 1).bit_length()
        return 1 if self.encoding == "integer" else self.n_points

    @property
    def reach(self) -> Reach:
        """Each bit between 0 and 1; an integer from the first residue to the last; a one-hot vector of norm 1."""
        ends = (self.first, self.p - 1) if self.encoding == "integer" else (0, 1)
        low, high = (np.full(self.dim, float(end)) for end in ends)
        return Reach(low, high, 1.0 if self.encoding == "one-hot" else np.inf)

    @property
    def description(self) -> str:
        """The distribution in words."""
        seen = _ENCODINGS[self.encoding][0].format(self.dim)
        return f"x uniform on {self.first}, ..., {self.p - 1:,} modulo the prime {self.p:,}, as {seen}"

    @property
    def _places(self) -> Residues:
        """The power of 2 that each bit stands for."""
        return np.arange(self.dim)[:: -1 if self.encoding == "bits-msb-first" else 1]

    def encode(self, residues: npt.ArrayLike) -> Array:
        """Return what a model sees of these residues (n,), integers of the support, shape (n, dim)."""
        numbers = np.asarray(residues, dtype=np.int64)
        if numbers.size and (numbers.min() < self.first or numbers.max() >= self.p):
            raise ValueError(
                f"`residues` must be from {self.first} to {self.p - 1}, got {numbers.min()}..{numbers.max()}"
            )
        if self.encoding == "integer":
            return numbers[:, None].astype(np.float64)
        if self.encoding.startswith("bits"):
            return ((numbers[:, None] >> self._places) & 1).astype(np.float64)
        encoded = np.zeros((numbers.size, self.dim))
        encoded[np.arange(numbers.size), numbers - self.first] = 1.0
        return encoded

    def decode(self, x: npt.ArrayLike) -> Residues:
        """Return the residues (n,) that encoded inputs x (n, dim) stand for.

        Raises
        ------
        ShapeError, ValueError
            Another shape, or a row that is no encoded residue.
        """
        array = inputs_of(x, self.dim, repr(self))
        if self.encoding == "integer":
            numbers, encoded = array[:, 0], array[:, 0] == np.floor(array[:, 0])
        elif self.encoding.startswith("bits"):
            numbers, encoded = array @ 2.0**self._places, ((array == 0) | (array == 1)).all(axis=1)
        else:
            numbers = array.argmax(axis=1) + float(self.first)
            encoded = (array.max(axis=1, initial=0.0) == 1) & (np.count_nonzero(array, axis=1) == 1)
        encoded = encoded & (numbers >= self.first) & (numbers < self.p)
        if not encoded.all():
            row = int(np.argmin(encoded))
            given = np.array2string(array[row], threshold=16, precision=4)
            accepted = f"from {self.first} to {self.p - 1} {_ENCODINGS[self.encoding][1].format(self.dim)}"
            raise ValueError(f"`x` must hold residues {accepted}, got {given} in row {row}")
        return numbers.astype(np.int64)

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent inputs, shape (n, dim)."""
        return self.encode(generator(rng).integers(self.first, self.p, size=integer("n", n, 0)))

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1, shape (stop - start, dim)."""
        check_block(start, stop, self.n_points)
        return self.encode(np.arange(start + self.first, stop + self.first))

    def weights(self, start: int, stop: int) -> Array:
        """Return their probabilities, shape (stop - start,)."""
        check_block(start, stop, self.n_points)
        return np.full(stop - start, 1.0 / self.n_points)
