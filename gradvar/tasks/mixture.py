"""The inputs of a random task, and its examples, as distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ..classes.inputs.base import Inputs
from ..core.arguments import Array
from .base import DrawsExamples, TabulatesTasks

Members = TypeVar("Members")

_BLOCK = 2**21
_DRAWN = "the inputs of a random task cannot be enumerated: the tasks say only how to draw them"


@dataclass(frozen=True)
class Mixture(Generic[Members]):
    """The distribution of x when a task is drawn first, and then x from the inputs of that task.

    Parameters
    ----------
    tasks : TaskClass, or any class with `sample` and `draw`
        Where tasks and their examples come from.
    dim : int
        Number of coordinates.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.PlantedParities(7, 3)
    >>> Mixture(H, 7).sample(5, np.random.default_rng(0)).shape
    (5, 7)
    """

    tasks: DrawsExamples[Members]
    dim: int

    @property
    def n_points(self) -> int | None:
        """None: the tasks say only how to draw inputs."""
        return None

    @property
    def description(self) -> str:
        """The distribution in words."""
        return f"x in R^{self.dim}, from a distribution of each task's own"

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent inputs, each of a task of its own, shape (n, dim)."""
        x, _ = self.tasks.draw(self.tasks.sample(n, rng), 1, rng)
        return np.asarray(x[:, 0])

    def points(self, start: int, stop: int) -> Array:
        """Raise: a mixture over tasks cannot be enumerated."""
        raise ValueError(_DRAWN)

    def weights(self, start: int, stop: int) -> Array:
        """Raise: a mixture over tasks cannot be enumerated."""
        raise ValueError(_DRAWN)


@dataclass(frozen=True)
class TabulatedMixture(Mixture[npt.NDArray[np.generic]]):
    """The inputs of a random task where the tasks are listed, and say the probabilities of finitely many inputs.

    Parameters
    ----------
    tasks : TaskRestriction, or any class with `sample`, `draw`, `members` and `probabilities`
        Where tasks and their examples come from.
    dim : int
        Number of coordinates.
    support : Inputs
        A distribution with the same points.
    """

    tasks: TabulatesTasks[npt.NDArray[np.generic]]
    support: Inputs

    @property
    def n_points(self) -> int | None:
        """The number of points of the support."""
        return self.support.n_points

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1 of the support, shape (stop - start, dim)."""
        return self.support.points(start, stop)

    def weights(self, start: int, stop: int) -> Array:
        """Return E_A D_A(x), the mean of their probabilities over all tasks, shape (stop - start,)."""
        x, members = self.points(start, stop), self.tasks.members()
        step = max(1, _BLOCK // max(1, stop - start))
        blocks = (members[i : i + step] for i in range(0, len(members), step))
        total: Array = sum((self.tasks.probabilities(some, x).sum(axis=0) for some in blocks), np.zeros(stop - start))
        return total / len(members)
