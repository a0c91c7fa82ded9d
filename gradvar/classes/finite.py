"""A user's own finite set of functions on finitely many points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, finite, inputs_of, integer, real
from ..core.errors import NotApplicableError, ShapeError
from .gram.derived import ProjectsByTable
from .gram.matrix import Gram, KnownByGram, TableGram
from .gram.outputs import OutputTable, class_labels, pairs_of
from .gram.table import StoredTable, Table, check_bytes, class_mean, compact
from .inputs import FinitePoints
from .members.checks import Numbers, as_prior, number_rows
from .members.target_class import TargetClass

_ROWS = 2**12
"""Members that are met at a time."""

Functions = Sequence[Callable[[Array], npt.ArrayLike]]


class FiniteClass(KnownByGram, ProjectsByTable, TargetClass):
    """A finite set of functions on finitely many points, given by its table of values: numbers, vectors, class labels.

    Its Gram matrix Gram_ij = E_x[h_i(x) h_j(x)] is computed, and with it everything that is said about the class:
    whether it is orthonormal, and its operator norm lambda_max(J Gram J)/|H| with J = I - 11'/|H|.

    Parameters
    ----------
    values_or_functions : array_like of shape (m, n) or (m, n, K), or sequence of m callables
        Member i at point j: a number, a vector of R^K, or with `n_classes` a class label 0..K-1. Or functions that
        take the points (n, dim) and return (n,) or (n, K) values.
    points : array_like of shape (n, dim), or FinitePoints
        The points.
    weights : array_like of shape (n,), optional
        Probabilities of the points; uniform by default.
    n_classes : int, optional
        K >= 2 where the values are class labels: of a model with K outputs, and losses "cross-entropy", "square" and
        "correlation" on unit vectors. Gram is then E<h_i - 1/K, h_j - 1/K>, and so it is for vectors >= 0 whose
        coordinates all add up to one.
    prior : array_like of shape (m,), optional
        Probabilities pi of the members, such as Zipf's 1/i over their sum; uniform by default. Then
        Var = E_{h ~ pi} ||c_h - sum_i pi_i c_i||^2 with c_h = E_x[h s], the operator norm is
        lambda_max((D - pi pi') Gram), D = diag(pi), and in Theorem 1 max_i pi_i stands for 1/|H|.

    Attributes
    ----------
    prior : ndarray or None
        The probabilities; None where they are equal.

    Notes
    -----
    Integers from -128 to 127 are kept in a byte each, and met as float64 block by block: thousands of labellings of
    tens of thousands of points are fine. The Gram matrix costs m n min(m, n).

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError, LabelError
        An empty class, labels that are no integers from 0 to K - 1, shapes that do not fit, infinite values, weights
        or probabilities that do not sum to one.
    TooLargeError
        A table of more than 8 GiB, a byte for each small integer and eight for each other value.

    Examples
    --------
    >>> H = FiniteClass([[1, 1, -1, -1], [1, -1, 1, -1]], points=[[0.0], [1.0], [2.0], [3.0]])
    >>> H.is_orthonormal, H.operator_norm()
    (True, 0.5)
    >>> H = FiniteClass([[0, 1, 2], [0, 2, 1]], points=[[0.0], [1.0], [2.0]], n_classes=3)
    >>> H.n_outputs, H.member(1)([[2.0], [1.0]])
    (3, array([1, 2]))
    >>> FiniteClass([[1, 1, -1, -1], [1, -1, 1, -1]], [[0.0], [1.0], [2.0], [3.0]], prior=[0.75, 0.25])
    FiniteClass(2 functions on 4 points of R^1, prior=[0.75, 0.25])
    """

    def __init__(
        self,
        values_or_functions: npt.ArrayLike | Functions,
        points: npt.ArrayLike | FinitePoints,
        weights: npt.ArrayLike | None = None,
        n_classes: SupportsIndex | None = None,
        prior: npt.ArrayLike | None = None,
    ) -> None:
        self.inputs: FinitePoints = FinitePoints.of(points, weights)
        n = self.inputs.n_points
        values = _values(values_or_functions, self.inputs.points(0, n))
        if values.shape[1] != n:
            raise ShapeError(
                f"`values` must have shape (m, {n}), a column for each of the {n} points, got {values.shape}"
            )
        if values.size == 0:
            raise ShapeError("`values` must have at least one row: an empty class has no gradient variance")
        self.n_outputs = 1 if values.ndim == 2 else int(values.shape[2])
        if n_classes is not None:
            self.n_outputs, self.labels = integer("n_classes", n_classes, 2), "classes"
            if values.ndim != 2:
                raise ShapeError(
                    f"`values` must be class labels of shape (m, {n}) with `n_classes`, got {values.shape}"
                )
            values = class_labels("values", values, self.n_outputs).astype(np.min_scalar_type(self.n_outputs))
            self.second_moment = 1 - 1 / self.n_outputs
        elif self.n_outputs > 1:
            self.labels = "probabilities" if _are_odds(values) else "real"
        size = max(abs(float(values.min())), abs(float(values.max())))
        if size and not 1e-100 < size < 1e100:
            raise ValueError(f"`values` must be of a size whose squares float64 holds, got {size:.3g}; rescale them")
        values.setflags(write=False)
        self.size: int = values.shape[0]
        self.prior = as_prior(prior, self.size, "member")
        self._stored = self._as_table(values)

    def __repr__(self) -> str:
        outputs = "" if self.n_outputs == 1 else f", {self.n_outputs} outputs"
        row = "" if self.prior is None else np.array2string(self.prior, 10**6, threshold=8, separator=", ")
        at = f"{self.inputs.n_points} points of R^{self.inputs.dim}"
        return f"FiniteClass({self.size} functions on {at}{outputs}{f', prior={row}' if row else ''})"

    @property
    def description(self) -> str:
        """The class in words."""
        prior = "" if self.prior is None else f", of probabilities pi_i up to {self.prior.max():.4g}"
        return f"{self.size:,} functions given by their values{prior}"

    @property
    def values(self) -> Array:
        """The table as float64, (m, n) or (m, n, K); `TooLargeError` where that takes more than 8 GiB."""
        check_bytes("`values` as float64", self._stored.values.shape, 8)
        return np.asarray(self._stored.values, dtype=np.float64)

    label_evidence = ("checked", "every value of every target is -1 or +1")

    @cached_property
    def labels(self) -> str:
        """ "signs" when every value is -1 or +1, "classes" of class labels, "probabilities", else "real"."""
        values = self._stored.values
        signs = values.min() >= -1 and values.max() <= 1 and values.dtype == np.int8 and np.count_nonzero(values)
        return "signs" if signs == values.size else "real"

    def members(self) -> npt.NDArray[np.intp]:
        """Return the indices of all members, shape (m,)."""
        return np.arange(self.size)

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> npt.NDArray[np.intp]:
        """Return the indices of m members drawn independently, shape (m,)."""
        return self._drawn(m, rng)

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values of members (indices, shape (m,)) at inputs x among the points, shape (m, n) or (m, n, K).

        Class labels are integers.
        """
        rows, columns = self._checked(members), self._columns(x)
        found = self._stored.values[rows[:, None], columns]
        return cast(Array, found.astype(np.int64 if self.n_outputs > 1 and found.ndim == 2 else np.float64))

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x) at inputs x among the points, shape (n,)."""
        self._check_one_output("mean")
        return self._mean[self._columns(x)]

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') at inputs among the points, shape (n, n2). Exact up to rounding; costs m n n2."""
        self._check_one_output("covariance")
        left, right = self._columns(x), self._columns(x2)
        total = np.zeros((left.size, right.size))
        for start in range(0, self.size, _ROWS):
            rows = self._stored.values[start : start + _ROWS]
            values, values2 = rows[:, left].astype(np.float64), rows[:, right].astype(np.float64)
            values -= self._mean[left]
            if self.prior is not None:
                values *= self.size * self.prior[start : start + _ROWS, None]
            total += values.T @ (values2 - self._mean[right])
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
        return TableGram(self._stored, self.prior)

    @cached_property
    def _mean(self) -> Array:
        return class_mean(self._stored, self.prior)

    _described_by_numbers = True
    _defined_everywhere = False

    def _table(self, members: npt.NDArray[np.generic]) -> Table:
        """The rows of these members, as they are numbered: two points may be equal."""
        return self._as_table(self._stored.values[self._checked(members)])

    def _as_table(self, values: npt.NDArray[np.generic]) -> StoredTable | OutputTable:
        pairs = pairs_of(self)
        return StoredTable(values, self.inputs) if pairs is None else OutputTable(values, pairs)

    def _check_one_output(self, name: str) -> None:
        if self.n_outputs > 1:
            raise NotApplicableError(f"`{name}` is of classes with one output, and {self!r} has {self.n_outputs}")

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
    """The (m, n) or (m, n, K) table of values, as small as is exact."""
    n = points.shape[0]
    if isinstance(given, Sequence) and given and all(callable(h) for h in given):
        rows: list[npt.NDArray[np.generic]] = []
        for i, h in enumerate(given):
            assert callable(h)
            check_bytes("the table", (len(given), n), rows[0].itemsize if rows else 1)
            row = real(f"values_or_functions[{i}](points)", h(points), f"({n},)")
            shape = rows[0].shape[1:] if rows else (n, *row.shape[1:2])
            if row.shape != shape or shape[1:] == (1,):
                raise ShapeError(
                    f"function {i} must return shape {(n,) if shape[1:] == (1,) else shape}, got {row.shape}"
                )
            finite(f"function {i}", row)
            rows.append(_compact(row[None]))
        return np.concatenate(rows)
    if isinstance(given, Sequence) and not len(given):
        raise ShapeError("`values_or_functions` must not be empty: an empty class has no gradient variance")
    if isinstance(given, Sequence) and any(callable(h) for h in given):
        raise TypeError("`values_or_functions` must be a table of numbers or a list of functions, got a mixture")
    return _compact(cast(npt.ArrayLike, given))


def _compact(given: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """The table of numbers as small as is exact; of vectors of one coordinate, of these."""
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths, which `compact` names
        return compact("values", given)
    if array.ndim != 3:
        return compact("values", given)
    shape = array.shape if array.shape[2] > 1 else array.shape[:2]
    return compact("values", array.reshape(shape[0], -1)).reshape(shape)


def _are_odds(values: npt.NDArray[np.generic]) -> bool:
    """Whether all vectors have coordinates >= 0 that add up to one."""
    odds = np.asarray(values, dtype=np.float64)
    return bool(odds.min() >= 0 and np.abs(odds.sum(axis=2) - 1).max() <= 1e-9)
