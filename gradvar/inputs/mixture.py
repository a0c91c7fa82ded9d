"""The inputs of a random task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from ..arguments import Array

Members = TypeVar("Members")


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
    def n_points(self) -> None:
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
