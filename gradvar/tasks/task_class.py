"""Any distribution over tasks that come with inputs of their own, from a sampler of tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import SupportsFloat, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from ..classes.inputs import Inputs
from ..classes.members.target import Members
from ..classes.sampled import check_sampler
from ..core.arguments import Array, SeedLike, generator, integer
from ..core.errors import NotApplicableError, ShapeError
from .data_sets import DataSet, DataSets
from .mixture import Mixture
from .restriction import HasTasks

Task: TypeAlias = Callable[[int, np.random.Generator], tuple[npt.ArrayLike, npt.ArrayLike]]


class TaskClass(HasTasks):
    r"""Any distribution over tasks, each a distribution of examples (x, y) of its own.

    F_A(w) = E_{(x,y) ~ D_A}[loss(p_w(x), y)], and the variance is over the tasks,
    Var = E_A ||grad F_A - E_A' grad F_A'||^2. Targets that share their inputs are better served by the other classes;
    Theorem 1 of arXiv 1703.07950 is about those only.

    The tasks are drawn, not listed: `len` and iteration are those of `restrict(tasks)`, the class of some of them.

    Parameters
    ----------
    sampler : callable
        `sampler(rng)` draws a task: a callable `task(n, rng)` that returns n independent examples, inputs x (n, dim)
        and labels y (n,).
    dim : int
        Number of input coordinates, >= 1.
    labels : {"real", "signs"}
        "signs" when every label is -1 or +1, which hinge, logistic and perceptron losses ask for; it is checked on
        all that is drawn.
    log2_size : float
        log2 of the number of tasks, where they are finitely many and equally likely; inf by default.

    Raises
    ------
    TypeError, ValueError
        A wrong argument; and, when tasks are drawn, results of another shape, not finite, or with other labels.

    Examples
    --------
    A cluster centre for each task, and the label says on which side of it the first coordinate lies:

    >>> def sampler(rng):
    ...     centre = rng.standard_normal(3)
    ...     def task(n, rng):
    ...         x = centre + rng.standard_normal((n, 3))
    ...         return x, np.where(x[:, 0] > centre[0], 1.0, -1.0)
    ...     return task
    >>> H = TaskClass(sampler, dim=3, labels="signs")
    >>> x, y = H.draw(H.sample(2, rng=0), 5, rng=1)
    >>> x.shape, y.shape
    ((2, 5, 3), (2, 5))
    >>> len(H.restrict(H.sample(8, rng=0)))
    8
    """

    size = None
    log2_size: float = math.inf
    _described_by_objects = True  # the tasks themselves

    def __init__(
        self,
        sampler: Callable[[np.random.Generator], Task],
        dim: SupportsIndex,
        labels: str = "real",
        log2_size: SupportsFloat = math.inf,
    ) -> None:
        self.log2_size = check_sampler(sampler, "task", labels, log2_size)
        self.sampler = sampler
        self.dim = integer("dim", dim, 1)
        self.labels = labels
        self.inputs: Inputs = Mixture(self, self.dim)

    @staticmethod
    def from_datasets(datasets: Sequence[DataSet], prior: npt.ArrayLike | None = None) -> DataSets:
        r"""Return data sets (domains, clients, users) as tasks, each with its own points and labels: Var is exact.

        Var = E_A ||c_A - E_A' c_A'||^2, c_A = sum_i w_Ai dloss/dw(x_Ai, y_Ai) the gradient on all of data set A: how
        far the gradients of the domains are apart.

        Parameters
        ----------
        datasets : sequence of (X, y) or (X, y, weights)
            Points (n, dim), labels (n,), of one output, and probabilities of the rows, uniform where they are left
            out: arrays, torch tensors or DataFrames. n may differ, dim may not. Labels -1 and +1 go with all losses,
            others with "square" and "correlation".
        prior : array_like of shape (m,), optional
            Probabilities of the data sets, uniform by default; their sizes over the sum, for the mean over all rows.

        Returns
        -------
        DataSets
            A task class with m members, the numbers of the data sets. Costs n P for each in an enumeration.

        Raises
        ------
        TypeError, ShapeError, NonFiniteError, ValueError
            No data sets, shapes that do not fit, infinite values, weights that do not sum to one.

        Examples
        --------
        >>> import gradvar as gv
        >>> H = TaskClass.from_datasets([([[1.0], [2.0]], [1, 1]), ([[3.0]], [-1])])
        >>> gv.gradient_variance(H, gv.Linear([0.0])).value  # of the gradients -1.5 and 3
        5.0625
        """
        return DataSets(datasets, prior)

    def __repr__(self) -> str:
        name = getattr(self.sampler, "__name__", type(self.sampler).__name__)
        return f"TaskClass({name}, dim={self.dim}, labels={self.labels!r})"

    @property
    def description(self) -> str:
        """The class in words."""
        return f"tasks drawn by {getattr(self.sampler, '__name__', type(self.sampler).__name__)}"

    def members(self) -> Members:
        """Raise `NotApplicableError`: the tasks can be drawn, not listed."""
        raise NotApplicableError(f"the tasks of {self!r} cannot be listed; draw some with sample(m, rng)")

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> list[Task]:
        """Return m tasks drawn independently."""
        draw = generator(rng)
        tasks = [self.sampler(draw) for _ in range(integer("m", m, 0))]
        for task in tasks:
            if not callable(task):
                raise TypeError(f"`sampler` must return a task, a function task(n, rng) -> (x, y), got {task!r}")
        return tasks

    def draw(self, members: Sequence[Task] | Members, n: SupportsIndex, rng: SeedLike = None) -> tuple[Array, Array]:
        """Return n independent examples of each of m tasks: inputs (m, n, dim) and labels (m, n)."""
        count, source = integer("n", n, 0), generator(rng)
        x, y = np.empty((len(members), count, self.dim)), np.empty((len(members), count))
        for i, task in enumerate(members):
            drawn = task(count, source)
            if not isinstance(drawn, tuple) or len(drawn) != 2:
                raise TypeError(f"a task must return a pair (x, y) of inputs and labels, got {type(drawn).__name__}")
            for name, values, into in (("x", drawn[0], x[i]), ("y", drawn[1], y[i])):
                given = np.asarray(values)
                if given.dtype.kind not in "fiub":
                    raise TypeError(f"`{name}` of a task must be an array of real numbers, got dtype {given.dtype}")
                if given.shape != into.shape:
                    raise ShapeError(
                        f"`{name}` of a task must have shape {into.shape} for {count} examples, got {given.shape}"
                    )
                into[...] = given
        return x, y

    def _checked(self, rows: Members) -> Members:
        for task in rows.ravel().tolist():
            if not callable(task):
                raise TypeError(
                    f"a member of {self!r} is a task, a function task(n, rng) -> (x, y) as sample(m, rng) returns it, "
                    f"got {task!r}"
                )
        return rows
