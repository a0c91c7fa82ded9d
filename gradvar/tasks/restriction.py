"""A few tasks of a task class, as a task class of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Never, SupportsIndex

import numpy as np
import numpy.typing as npt

from ..classes.inputs import Inputs
from ..classes.members.selection import Selection
from ..classes.members.target import HasMembers, Members, Target
from ..core.arguments import Array, SeedLike, generator
from ..core.errors import NotApplicableError
from .base import TabulatesTasks
from .mixture import Mixture


class HasTasks(HasMembers):
    """A mixin: `member`, `restrict`, iteration and `len` for a task class with `size`, `members`, `draw`.

    A member is a task: `descend` trains on its examples. Called with inputs, it returns their labels where the class
    says them (`targets`).
    """

    @abstractmethod
    def draw(self, members: Members, n: SupportsIndex, rng: SeedLike = None) -> tuple[Array, Array]:
        """Return n independent examples of each of m tasks: inputs (m, n, dim) and labels (m, n)."""

    def restrict(self, members: npt.ArrayLike | Iterable[Target]) -> TaskRestriction:
        """Return the task class of these tasks only.

        Parameters
        ----------
        members : sequence
            Descriptions (as `sample` returns them), numbers in the order of `members()`, or tasks of this class as
            `member` returns them; one that is named twice counts twice.

        Returns
        -------
        TaskRestriction
            It says the probabilities of the inputs and the labels where this class does, and then is enumerated.

        Raises
        ------
        ValueError, TypeError
            No tasks, or something that is not a task of this class.

        Examples
        --------
        >>> import gradvar as gv
        >>> H = gv.PlantedParities(50, 5)
        >>> gv.bound_check(H.restrict(H.sample(16, rng=0)), gv.Linear([0.0] * 50), max_samples=4096, rng=0).log2_size
        4.0
        """
        return TaskRestriction(self, members)

    def on(self, points: npt.ArrayLike, weights: npt.ArrayLike | None = None, coding: str = "pm1") -> Never:
        """Raise a `TypeError`: tasks have inputs of their own."""
        raise TypeError(f"the tasks of {self!r} come with inputs of their own, and are not the same on a sample")

    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        if isinstance(self, TabulatesTasks):
            return np.asarray(self.targets(members, np.asarray(x, dtype=np.float64)))
        raise NotApplicableError(
            f"{self!r} does not say the label of an input; draw examples of a task with draw(members, n, rng)"
        )


class TaskRestriction(Selection[HasTasks], HasTasks):
    """Some tasks of a task class with the uniform distribution over them; what `H.restrict(members)` returns.

    Equal to another with the same tasks of an equal class in the same order.

    Parameters
    ----------
    parent : task class
        The class H.
    members : sequence
        As for `H.restrict`. A task that is named twice counts twice.

    Attributes
    ----------
    parent : task class
        The class that the tasks belong to; for a restriction of a restriction, the first one.
    size : int
        The number of tasks, m.

    Raises
    ------
    ValueError, TypeError
        No tasks, or something that is not a task of the class.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.PlantedParities(7, 3).restrict([0, 5, 9])
    >>> H, len(H), [task([[1, 1, -1, 1, -1, 1, 1]])[0].item() for task in H]
    (TaskRestriction(PlantedParities(dim=7, degree=3), 3 members), 3, [-1.0, 1.0, 1.0])
    """

    def __init__(self, parent: HasTasks, members: npt.ArrayLike | Iterable[Target]) -> None:
        super().__init__(parent, members)
        self.inputs: Inputs = Mixture(self, parent.inputs.dim)
        if isinstance(self.parent, TabulatesTasks):
            # D_A(x) and the labels f_A(x) are as the parent says them; where it does not, neither does this class.
            self.inputs = Mixture(self, parent.inputs.dim, self.parent.inputs)
            self.probabilities, self.targets = self.parent.probabilities, self.parent.targets
            self.label_variances = getattr(self.parent, "label_variances", None)

    def draw(self, members: Members, n: SupportsIndex, rng: SeedLike = None) -> tuple[Array, Array]:
        """Return n independent examples of each of m tasks, as the parent draws them: x (m, n, dim) and y (m, n)."""
        return self.parent.draw(members, n, generator(rng))
