"""Input distributions: the methods that one must have."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from ...core.arguments import Array, integer
from ...core.reach import Reach


@runtime_checkable
class Inputs(Protocol):
    """A distribution over inputs x in R^dim.

    Attributes
    ----------
    dim : int
        Number of coordinates.
    n_points : int or None
        Size of the support; None where it is infinite.
    """

    @property
    def dim(self) -> int:
        """Number of coordinates."""

    @property
    def n_points(self) -> int | None:
        """Size of the support, or None."""

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent inputs, shape (n, dim)."""

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1 of a finite support, shape (stop - start, dim)."""

    def weights(self, start: int, stop: int) -> Array:
        """Return their probabilities, shape (stop - start,)."""


@runtime_checkable
class Bounded(Inputs, Protocol):
    """A distribution that says how far its inputs reach."""

    @property
    def reach(self) -> Reach:
        """A box and a ball that hold all inputs."""


def check_block(start: int, stop: int, n_points: int) -> None:
    """Raise an error unless start..stop-1 are numbers of points."""
    integer("start", start, 0, integer("stop", stop, 0, n_points))


def reach_of(inputs: Inputs) -> Reach:
    """Return a box and a ball that hold all inputs: all of R^dim where they do not say."""
    return inputs.reach if isinstance(inputs, Bounded) else Reach.everywhere(inputs.dim)


def nodes(inputs: Inputs, most: int, n: int, rng: np.random.Generator) -> tuple[Array, Array, bool]:
    """Return all inputs with their probabilities where they are at most `most`, else n drawn ones with weights 1/n.

    And whether they are all.
    """
    if inputs.n_points is not None and inputs.n_points <= most:
        return inputs.points(0, inputs.n_points), inputs.weights(0, inputs.n_points), True
    return inputs.sample(n, rng), np.full(n, 1 / n), False
