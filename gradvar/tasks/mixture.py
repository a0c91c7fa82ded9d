"""The inputs of a random task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..classes.inputs.base import Inputs
from ..core.arguments import Array

Members = TypeVar("Members")

_BLOCK = 2**21


class Tasks(Protocol[Members]):
    """Something that draws tasks and examples of them; see `gradvar.classes.base.DrawsExamples`."""

    def sample(self, m: int, rng: np.random.Generator) -> Members:
        """Return m independent tasks."""

    def draw(self, members: Members, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return n independent examples of each: inputs (m, n, dim) and labels (m, n)."""


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

    tasks: Tasks[Members]
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
        raise ValueError("the inputs of a random task cannot be enumerated: the tasks say only how to draw them")

    def weights(self, start: int, stop: int) -> Array:
        """Raise: a mixture over tasks cannot be enumerated."""
        raise ValueError("the inputs of a random task cannot be enumerated: the tasks say only how to draw them")


class ListedTasks(Tasks[npt.NDArray[np.generic]], Protocol):
    """The same with all tasks listed, and their probabilities known; see `gradvar.classes.base.TabulatesTasks`."""

    def members(self) -> npt.NDArray[np.generic]:
        """Return the descriptions of all tasks."""

    def probabilities(self, members: npt.NDArray[np.generic], x: Array) -> Array:
        """Return the probability of each input under each task, shape (m, n)."""


@dataclass(frozen=True)
class TabulatedMixture(Mixture[npt.NDArray[np.generic]]):
    """The same distribution where the tasks are listed, and say the probabilities of finitely many inputs.

    Parameters
    ----------
    tasks : TaskRestriction, or any class with `sample`, `draw`, `members` and `probabilities`
        Where tasks and their examples come from.
    dim : int
        Number of coordinates.
    support : Inputs
        A distribution with the same points.
    """

    tasks: ListedTasks
    support: Inputs

    @property
    def n_points(self) -> int | None:
        """The number of points of the support."""
        return self.support.n_points

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1 of the support, shape (stop - start, dim)."""
        return self.support.points(start, stop)

    def weights(self, start: int, stop: int) -> Array:
        """Return the mean of their probabilities over all tasks, shape (stop - start,)."""
        x, members = self.points(start, stop), self.tasks.members()
        step = max(1, _BLOCK // max(1, stop - start))
        blocks = (members[i : i + step] for i in range(0, len(members), step))
        total: Array = sum((self.tasks.probabilities(some, x).sum(axis=0) for some in blocks), np.zeros(stop - start))
        return total / len(members)
