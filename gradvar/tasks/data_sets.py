"""Data sets, or domains, as tasks: each with points and labels of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from ..classes.inputs import FinitePoints, Inputs
from ..classes.inputs.finite import different_rows
from ..classes.members.checks import Numbers, as_prior, number_rows
from ..classes.members.target import Members
from ..core.arguments import Array, SeedLike, generator, inputs_of, integer, probabilities, real_array, sequence
from ..core.errors import ShapeError
from .mixture import Mixture
from .restriction import HasTasks

DataSet: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike] | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]


class DataSets(HasTasks):
    """Finitely many data sets as tasks; what `TaskClass.from_datasets` returns.

    Equal points are one, over all data sets: a task A is the weight D_A(x) of its points and the mean f_A(x) of its
    labels there, E||u||^2 has their variance too.
    """

    _described_by_numbers = True
    label_evidence = ("checked", "every label of every data set is -1 or +1")

    def __init__(self, datasets: Sequence[DataSet], prior: npt.ArrayLike | None = None) -> None:
        parts = [
            _made_sure(i, one) for i, one in enumerate(sequence("datasets", datasets, "a sequence of pairs (X, y)"))
        ]
        if not parts:
            raise ShapeError("`datasets` must have at least one data set (X, y): without tasks there is no variance")
        columns = [x.shape[1] for x, _, _ in parts]
        if len(set(columns)) > 1:
            raise ShapeError(f"`datasets` must have points of one dimension, got X with {columns} columns")
        self.size: int = len(parts)
        self._x, self._y, self._weights = (np.concatenate(column) for column in zip(*parts, strict=True))
        self._stops = np.cumsum([0, *(len(y) for _, y, _ in parts)])
        self.dim = int(self._x.shape[1])
        self.labels = "signs" if (np.abs(self._y) == 1).all() else "real"
        self.prior = as_prior(prior, self.size, "data set")
        different, self._numbers = different_rows(self._x + 0.0)
        self._index = {row.tobytes(): number for number, row in enumerate(different)}
        self.n_pairs = len(self._pairs[0])
        self.inputs: Inputs = Mixture(self, self.dim, FinitePoints(different))

    def __repr__(self) -> str:
        return f"TaskClass.from_datasets({len(self._y)} rows of R^{self.dim}: {self.description})"

    @property
    def description(self) -> str:
        """The class in words."""
        prior = "" if self.prior is None else f", of probabilities pi_i up to {self.prior.max():.4g}"
        least, most = np.diff(self._stops).min(), np.diff(self._stops).max()
        return f"{self.size:,} data sets of {least:,}{f' to {most:,}' if most > least else ''} points{prior}"

    def members(self) -> npt.NDArray[np.intp]:
        """Return the numbers of all data sets, shape (m,)."""
        return np.arange(self.size)

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> npt.NDArray[np.intp]:
        """Return the numbers of m data sets drawn independently, shape (m,)."""
        return self._drawn(m, rng)

    def draw(self, members: npt.ArrayLike, n: SupportsIndex, rng: SeedLike = None) -> tuple[Array, Array]:
        """Return n rows of each of m data sets, drawn independently by their weights: x (m, n, dim) and y (m, n)."""
        count, source, rows = integer("n", n, 0), generator(rng), []
        for number in self._checked(np.asarray(members)):
            start, stop = self._stops[number], self._stops[number + 1]
            rows.append(start + source.choice(stop - start, size=count, p=self._weights[start:stop]))
        chosen = np.array(rows, dtype=np.intp).reshape(-1, count)
        return self._x[chosen], self._y[chosen]

    def probabilities(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return D_A(x) for inputs x (n, dim) and each data set A, shape (m, n): zero where it has no such point."""
        return self._table(members, x, 0)

    def targets(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the mean label of inputs x (n, dim) in each data set, shape (m, n); zero where it has none."""
        return self._table(members, x, 1)

    def label_variances(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the variance of the labels of inputs x (n, dim) in each data set, shape (m, n)."""
        return self._table(members, x, 2)

    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        if not self.probabilities(members, x).all():
            raise ValueError(f"`x` must hold points of that data set of {self!r}: labels are known nowhere else")
        return self.targets(members, x)

    def _checked(self, rows: npt.ArrayLike) -> Numbers:
        return number_rows(rows, "numbers of data sets", 0, self.size - 1)

    @cached_property
    def _pairs(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array]:
        """For each pair of a point and a task with it, by points: the task; where each point starts; three columns.

        These are the weight of the point, the mean and the variance of its labels.
        """
        tasks = np.repeat(np.arange(self.size), np.diff(self._stops))
        y, w, pair = (each[self._weights > 0] for each in (self._y, self._weights, self._numbers * self.size + tasks))
        pairs, which = np.unique(pair, return_inverse=True)
        weight = np.bincount(which, w)
        mean = np.bincount(which, w * y) / weight
        variance = np.bincount(which, w * (y - mean[which]) ** 2) / weight
        starts = np.searchsorted(pairs // self.size, np.arange(len(self._index) + 1))
        return pairs % self.size, starts, np.stack([weight, mean, variance])

    def _table(self, members: npt.ArrayLike, x: npt.ArrayLike, column: int) -> Array:
        """One of these columns at inputs x for each of these tasks, shape (m, n)."""
        tasks, starts, columns = self._pairs
        chosen, which = np.unique(self._checked(members), return_inverse=True)
        rows = np.full(self.size, -1)
        rows[chosen] = np.arange(len(chosen))
        array = inputs_of(x, self.dim, repr(self)) + 0.0
        points = np.array([self._index.get(row.tobytes(), -1) for row in array], dtype=np.intp)
        counts = np.where(points < 0, 0, starts[points + 1] - starts[points])
        at = np.repeat(np.arange(len(points)), counts)
        pairs = np.repeat(starts[points] - np.cumsum(counts) + counts, counts) + np.arange(len(at))
        met = rows[tasks[pairs]] >= 0
        found = np.zeros((len(chosen), len(points)))
        found[rows[tasks[pairs]][met], at[met]] = columns[column][pairs[met]]
        return found[which]


def _made_sure(i: int, given: DataSet) -> tuple[Array, Array, Array]:
    """A data set's points (n, dim), labels (n,) and weights (n,)."""
    name = f"datasets[{i}]"
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise TypeError(f"`{name}` must be a pair (X, y), or (X, y, weights), got {type(given).__name__}")
    x, y = real_array(f"{name}[0]", given[0], 2, "(n, dim)"), real_array(f"{name}[1]", given[1], 1, "(n,)")
    if x.size == 0 or y.shape != x.shape[:1]:
        raise ShapeError(
            f"`{name}` must be X of shape (n, dim) and y of shape (n,), n, dim >= 1, got {x.shape} and {y.shape}"
        )
    if len(given) == 2:
        return x, y, np.full(len(y), 1 / len(y))
    return x, y, probabilities(f"{name}[2]", given[2], len(y), "row")
