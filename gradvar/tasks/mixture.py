"""The inputs of a random task as a distribution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, SupportsIndex, TypeVar, cast

import numpy as np

from ..classes.base import prior_of
from ..classes.inputs.base import Inputs
from ..core.arguments import Array, SeedLike, generator, integer
from .base import DrawsExamples, TabulatesTasks

Members = TypeVar("Members")

_BLOCK = 2**21


@dataclass(frozen=True)
class Mixture(Generic[Members]):
    """The distribution of x when a task is drawn first, and then x from the inputs of that task.

    Parameters
    ----------
    tasks : TaskClass, or any class with `sample` and `draw`
        Where tasks and their examples come from.
    dim : int
        Number of coordinates.
    support : Inputs, optional
        A distribution with the same points, where `tasks` also lists `members` and says their `probabilities` there.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.PlantedParities(7, 3)
    >>> Mixture(H, 7).sample(5, rng=0).shape
    (5, 7)
    """

    tasks: DrawsExamples[Members]
    dim: int
    support: Inputs | None = field(default=None, repr=False)

    @property
    def n_points(self) -> int | None:
        """The number of points of the support; None where the tasks say only how to draw inputs."""
        return None if self.support is None else self.support.n_points

    @property
    def description(self) -> str:
        """The distribution in words."""
        return f"x in R^{self.dim}, from a distribution of each task's own"

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent inputs, each of a task of its own, shape (n, dim)."""
        source = generator(rng)
        x, _ = self.tasks.draw(self.tasks.sample(integer("n", n, 0), source), 1, source)
        return np.asarray(x[:, 0])

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1 of the support, shape (stop - start, dim); raise where there is none."""
        if self.support is None:
            raise ValueError("the inputs of a random task cannot be enumerated: the tasks say only how to draw them")
        return self.support.points(start, stop)

    def weights(self, start: int, stop: int) -> Array:
        """Return E_A D_A(x), the mean over all tasks of their probabilities, shape (stop - start,)."""
        x, tasks = self.points(start, stop), cast(TabulatesTasks[Array], self.tasks)
        members, step = tasks.members(), max(1, _BLOCK // max(1, stop - start))
        blocks, prior = [slice(i, i + step) for i in range(0, len(members), step)], prior_of(tasks)
        shares = np.ones(len(members)) if prior is None else len(members) * prior
        terms = ((shares[some, None] * tasks.probabilities(members[some], x)).sum(axis=0) for some in blocks)
        total: Array = sum(terms, np.zeros(stop - start))
        return total / len(members)
