"""A user's own finite set of functions on finitely many points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, finite, generator, inputs_of, integer, real
from ..core.errors import NotApplicableError, ShapeError
from .gram.derived import ProjectsByTable
from .gram.matrix import Gram, KnownByGram, TableGram
from .gram.table import StoredTable, Table, check_bytes, class_mean, compact
from .inputs import FinitePoints
from .members.checks import Numbers, number_rows
from .members.target_class import TargetClass

_ROWS = 2**12
"""Members that are met at a time."""

Functions = Sequence[Callable[[Array], npt.ArrayLike]]


class FiniteClass(KnownByGram, ProjectsByTable, TargetClass):
    """A finite set of functions on finitely many points, given by its table of values.

    Its Gram matrix Gram_ij = E_x[h_i(x) h_j(x)] is computed, and with it everything that is said about the class:
    whether it is orthonormal, and its operator norm lambda_max(J Gram J)/|H| with J = I - 11'/|H|.

    Parameters
    ----------
    values_or_functions : array_like of shape (m, n), or sequence of m callables
        Member i at point j; or functions that take the points (n, dim) and return (n,) values.
    points : array_like of shape (n, dim), or FinitePoints
        The points.
    weights : array_like of shape (n,), optional
        Probabilities of the points; uniform by default.

    Notes
    -----
    Integers from -128 to 127 are kept in a byte each, and met as float64 block by block: thousands of labellings of
    tens of thousands of points are fine.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        An empty class, shapes that do not fit, infinite values, weights that do not sum to one.
    TooLargeError
        A table of more than 8 GiB, a byte for each small integer and eight for each other value.

    Examples
    --------
    >>> H = FiniteClass([[1, 1, -1, -1], [1, -1, 1, -1]], points=[[0.0], [1.0], [2.0], [3.0]])
    >>> H.is_orthonormal, H.operator_norm()
    (True, 0.5)
    """

    def __init__(
        self,
        values_or_functions: npt.ArrayLike | Functions,
        points: npt.ArrayLike | FinitePoints,
        weights: npt.ArrayLike | None = None,
    ) -> None:
        self.inputs: FinitePoints
        if isinstance(points, FinitePoints):
            if weights is not None:
                raise TypeError("`weights` must be left out when `points` is a FinitePoints: it has its own")
            self.inputs = points
        else:
            self.inputs = FinitePoints(points, weights)
        n = self.inputs.n_points
        values = _values(values_or_functions, self.inputs.points(0, n))
        if values.shape[1] != n:
            raise ShapeError(
                f"`values` must have shape (m, {n}), a column for each of the {n} points, got {values.shape}"
            )
        if values.shape[0] == 0:
            raise ShapeError("`values` must have at least one row: an empty class has no gradient variance")
        size = max(abs(float(values.min())), abs(float(values.max())))
        if size and not 1e-100 < size < 1e100:
            raise ValueError(f"`values` must be of a size whose squares float64 holds, got {size:.3g}; rescale them")
        values.setflags(write=False)
        self.size: int = values.shape[0]
        self._stored = StoredTable(values, self.inputs)

    def __repr__(self) -> str:
        return f"FiniteClass({self.size} functions on {self.inputs.n_points} points of R^{self.inputs.dim})"

    @property
    def description(self) -> str:
        """The class in words."""
        return f"{self.size:,} functions given by their values"

    @property
    def values(self) -> Array:
        """The table as float64, shape (m, n); `TooLargeError` where that takes more than 8 GiB."""
        check_bytes("`values` as float64", self._stored.shape, 8)
        return np.asarray(self._stored.values, dtype=np.float64)

    label_evidence = ("checked", "every value of every target is -1 or +1")

    @cached_property
    def labels(self) -> str:
        """ "signs" when every value is -1 or +1, else "real"."""
        values = self._stored.values
        signs = values.min() >= -1 and values.max() <= 1 and values.dtype == np.int8 and np.count_nonzero(values)
        return "signs" if signs == values.size else "real"

    def members(self) -> npt.NDArray[np.intp]:
        """Return the indices of all members, shape (m,)."""
        return np.arange(self.size)

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> npt.NDArray[np.intp]:
        """Return the indices of m members drawn independently, shape (m,)."""
        return generator(rng).integers(0, self.size, size=integer("m", m, 0))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values of members (indices, shape (m,)) at inputs x among the points, shape (m, n)."""
        rows, columns = self._checked(members), self._columns(x)
        return self._stored.values[rows[:, None], columns].astype(np.float64)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x) at inputs x among the points, shape (n,)."""
        return self._mean[self._columns(x)]

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') at inputs among the points, shape (n, n2). Exact up to rounding; costs m n n2."""
        left, right = self._columns(x), self._columns(x2)
        total = np.zeros((left.size, right.size))
        for start in range(0, self.size, _ROWS):
            rows = self._stored.values[start : start + _ROWS]
            values, values2 = rows[:, left].astype(np.float64), rows[:, right].astype(np.float64)
            total += (values - self._mean[left]).T @ (values2 - self._mean[right])
        return total / self.size

    @property
    def covariance_work(self) -> float:
        """Multiplications that a value of the covariance counts as: those of a matrix product are fast."""
        return 16.0 + self.size / 12

    @property
    def table(self) -> Table:
        """The values of all members at all points."""
        return self._stored

    @cached_property
    def gram_matrix(self) -> Gram:
        """The Gram matrix and what follows from it."""
        return TableGram(self._stored)

    @cached_property
    def _mean(self) -> Array:
        return class_mean(self._stored)

    _described_by_numbers = True

    def _table(self, members: npt.NDArray[np.generic]) -> Table:
        """The rows of these members, as they are numbered: two points may be equal."""
        return StoredTable(self._stored.values[self._checked(members)], self.inputs)

    def _checked(self, rows: npt.ArrayLike) -> Numbers:
        return number_rows(rows, "indices", 0, self.size - 1)

    def _columns(self, x: npt.ArrayLike) -> npt.NDArray[np.intp]:
        array = inputs_of(x, self.inputs.dim, repr(self)) + 0.0
        try:
            return np.array([self._index[row.tobytes()] for row in array], dtype=np.intp)
        except KeyError:
            row = next(i for i, point in enumerate(array) if point.tobytes() not in self._index)
            raise ValueError(
                f"`x` must hold points of {self!r} (its functions are known nowhere else); row {row} is not one"
            ) from None

    @cached_property
    def _index(self) -> dict[bytes, int]:
        index: dict[bytes, int] = {}
        values = self._stored.values
        for j, point in enumerate(self.inputs.points(0, self.inputs.n_points) + 0.0):
            first = index.setdefault(point.tobytes(), j)
            if first != j and not np.array_equal(values[:, first], values[:, j]):
                raise NotApplicableError(
                    f"`points` {first} and {j} are equal but some function has different values there: "
                    "not a function of x; use method='enumeration', which goes by the number of the point"
                )
        return index


def _values(given: npt.ArrayLike | Functions, points: Array) -> npt.NDArray[np.generic]:
    """The (m, n) table of values, as small as is exact."""
    if isinstance(given, Sequence) and given and all(callable(h) for h in given):
        rows: list[npt.NDArray[np.generic]] = []
        for i, h in enumerate(given):
            assert callable(h)
            check_bytes("the table", (len(given), points.shape[0]), rows[0].itemsize if rows else 1)
            row = real(f"values_or_functions[{i}](points)", h(points), f"({points.shape[0]},)")
            if row.shape != (points.shape[0],):
                raise ShapeError(f"function {i} must return shape ({points.shape[0]},) at the points, got {row.shape}")
            finite(f"function {i}", row)
            rows.append(compact("values", row[None]))
        return np.concatenate(rows)
    if isinstance(given, Sequence) and not len(given):
        raise ShapeError("`values_or_functions` must not be empty: an empty class has no gradient variance")
    if isinstance(given, Sequence) and any(callable(h) for h in given):
        raise TypeError("`values_or_functions` must be a table of numbers or a list of functions, got a mixture")
    return compact("values", cast(npt.ArrayLike, given))
