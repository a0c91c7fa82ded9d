r"""Tables of values h(x), members by points, met block by block: a large one never exists as float64.

With X the table, w the probabilities of the points and J = I - 11'/m (the identity where nothing is centred),

    E_x[h f] = X (w f),      Gram = J X diag(w) X' J,      the same eigenvalues: diag(w)^1/2 X' J X diag(w)^1/2.

Centred sums are of centred values. Of members with probabilities pi, rows are (m pi_i)^1/2 (h_i - sum_j pi_j h_j).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, finite, real_array
from ...core.errors import ShapeError, TooLargeError
from ..inputs import Inputs

_BLOCK = 2**21
"""Numbers in a block: 16 MiB."""
_ROWS = 2**12
KEPT_BYTES = 2**26
MOST_BYTES = 2**33


class Table(ABC):
    """The values of m functions at the n points of `inputs`."""

    inputs: Inputs
    in_memory = False
    """Whether its values are kept, in fewer bytes than as float64."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(m, n)."""

    @abstractmethod
    def block(self, rows: slice, columns: slice) -> Array:
        """Return the values of these members at these points: a new array of float64."""

    def weights(self, columns: slice) -> Array:
        """Return the probabilities of these points."""
        return self.inputs.weights(columns.start, columns.stop)


@dataclass(frozen=True, eq=False)
class StoredTable(Table):
    """A table in memory, as `compact` returns it, of functions on the points of `inputs`."""

    values: npt.NDArray[np.generic]
    inputs: Inputs

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        rows, columns = self.values.shape
        return int(rows), int(columns)

    def block(self, rows: slice, columns: slice) -> Array:
        """Return the values of these members at these points."""
        return np.array(self.values[rows, columns], dtype=np.float64)


@runtime_checkable
class Rows(Protocol):
    """Descriptions of members, of which a slice describes some."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Self: ...


Described = TypeVar("Described", bound=Rows)


@dataclass(frozen=True, eq=False)
class EvaluatedTable(Table, Generic[Described]):
    """A table that is evaluated anew whenever a block of it is met."""

    evaluate: Callable[[Described, Array], npt.ArrayLike]
    members: Described
    inputs: Inputs

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        points = self.inputs.n_points
        assert points is not None
        return len(self.members), points

    def block(self, rows: slice, columns: slice) -> Array:
        """Return the values of these members at these points."""
        x = self.inputs.points(columns.start, columns.stop)
        values = np.array(self.evaluate(self.members[rows], x), dtype=np.float64)
        expected = (rows.stop - rows.start, columns.stop - columns.start)
        if values.shape != expected:
            raise ShapeError(
                f"`H.evaluate` must return shape {expected} for {expected[0]} members and {expected[1]} inputs, "
                f"got {values.shape}"
            )
        finite("H.evaluate(members, x)", values)
        return values


def kept(table: Table, inputs: Inputs) -> Table:
    """Return the table in memory where it takes no more than 64 MiB there, else as it is.

    In a byte a value where that is exact, else in eight.
    """
    m, n = table.shape
    if table.in_memory or m * n > KEPT_BYTES:
        return table
    values = np.empty((m, n), dtype=np.int8 if 8 * m * n > KEPT_BYTES else np.float64)
    for rows, columns in _blocks(m, n):
        block = table.block(rows, columns)
        if values.dtype == np.int8 and not _fits_a_byte(block):
            return table
        values[rows, columns] = block
    return StoredTable(values, inputs)


def _fits_a_byte(values: npt.NDArray[np.floating]) -> bool:
    return bool(np.abs(values).max() <= 127 and (np.rint(values) == values).all())


def check_bytes(what: str, shape: tuple[int, ...], width: int) -> None:
    """Raise `TooLargeError` for an array of this shape, `width` bytes a value, that takes more than 8 GiB."""
    size = math.prod(shape) * width
    if size > MOST_BYTES:
        raise TooLargeError(
            f"{what} of shape {shape} takes {size / 2**30:,.4g} GiB, more than {MOST_BYTES / 2**30:g} GiB; take fewer "
            "members or points, or a class that evaluates its members where they are asked for, as SampledClass does"
        )


def compact(name: str, given: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """Return a finite table (m, n) as int8 where that is exact, else as float64; always a copy.

    Raises an error that names the argument unless it is an array of real numbers, and `TooLargeError` before a copy of
    more than 8 GiB is made.
    """
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        array = np.empty(0)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        array = real_array(name, given, 2, "(m, n)")
    if array.size == 0:
        return np.array(array, dtype=np.float64)
    check_bytes(f"`{name}`", array.shape, 1)
    if array.dtype.kind != "f":
        small = int(array.min()) >= -128 and int(array.max()) <= 127
        check_bytes(f"`{name}`", array.shape, 1 if small else 8)
        return np.array(array, dtype=np.int8 if small else np.float64, order="C")
    if not np.isfinite(array.min() + array.max()):  # nan is passed on by both
        finite(name, np.asarray(array, dtype=np.float64))
    result = np.empty(array.shape, dtype=np.int8)
    for rows in _slices(array.shape[0], max(1, _BLOCK // array.shape[1])):
        block = array[rows]
        if not _fits_a_byte(block):
            check_bytes(f"`{name}`", array.shape, 8)
            return np.array(array, dtype=np.float64, order="C")
        result[rows] = block
    return result


def project(table: Table, f: Array) -> Array:
    """Return E_x[h(x) f(x)], shape (m, q), for f of shape (n, q). Costs m n q."""
    m, n = table.shape
    found = np.zeros((m, f.shape[1]))
    for rows, columns in _blocks(m, n):
        found[rows] += table.block(rows, columns) @ (table.weights(columns)[:, None] * f[columns])
    return found


def second_moments(table: Table) -> Array:
    """Return E_x h(x)^2, shape (m,)."""
    m, n = table.shape
    found = np.zeros(m)
    for rows, columns in _blocks(m, n):
        values = table.block(rows, columns)
        np.square(values, out=values)
        found[rows] += values @ table.weights(columns)
    return found


def gram(table: Table, centred: bool = False, prior: Array | None = None) -> Array:
    """Return E_x[h_i h_j], or that of the centred values h - mean_H, shape (m, m). Costs m^2 n/2.

    With probabilities pi of the members, of (m pi_i)^1/2 h_i.
    """
    m, n = table.shape
    found = _symmetric(m)
    for columns in _slices(n, max(1, _BLOCK // m)):
        values = table.block(slice(0, m), columns)
        if centred:
            values -= np.average(values, axis=0, weights=prior)
        if prior is not None:
            values *= np.sqrt(m * prior)[:, None]
        values *= np.sqrt(table.weights(columns))
        found = _add_square(found, values.T)
    return _filled(found)


def smaller_gram(table: Table, centred: bool, prior: Array | None = None) -> Array:
    """Return a matrix with the nonzero eigenvalues of the (centred) Gram matrix, of size min(m, n)."""
    m, n = table.shape
    if m <= n:
        return gram(table, centred, prior)
    root = np.sqrt(table.weights(slice(0, n)))
    mean = class_mean(table, prior) if centred else np.zeros(n)
    found = _symmetric(n)
    for rows in _slices(m, max(1, _BLOCK // n)):
        values = table.block(rows, slice(0, n))
        values -= mean
        if prior is not None:
            values *= np.sqrt(m * prior[rows])[:, None]
        values *= root
        found = _add_square(found, values)
    return _filled(found)


def class_mean(table: Table, prior: Array | None = None) -> Array:
    """Return the mean of the members, by their probabilities, at every point, shape (n,)."""
    m, n = table.shape
    total = np.zeros(n)
    for rows, columns in _blocks(m, n):
        values = table.block(rows, columns)
        total[columns] += values.sum(axis=0) if prior is None else m * prior[rows] @ values
    return total / m


def _symmetric(size: int) -> Array:
    return np.zeros((size, size), order="F")


def _add_square(total: Array, rows: Array) -> Array:
    """total + rows' rows, in the lower triangle and in place: BLAS's syrk, half the work of a product."""
    from scipy.linalg.blas import dsyrk

    if rows.flags.c_contiguous:
        return np.asarray(dsyrk(1.0, rows.T, beta=1.0, c=total, trans=0, lower=1, overwrite_c=1))
    return np.asarray(dsyrk(1.0, rows, beta=1.0, c=total, trans=1, lower=1, overwrite_c=1))


def _filled(lower: Array) -> Array:
    """The symmetric matrix of a lower triangle, in place."""
    for rows in _slices(lower.shape[0], 512):
        upper = np.triu(lower[rows, rows].T, 1)
        lower[rows, rows] = np.tril(lower[rows, rows]) + upper
        lower[rows, rows.stop :] = lower[rows.stop :, rows].T
    return lower


def _blocks(m: int, n: int) -> Iterator[tuple[slice, slice]]:
    for rows in _slices(m, _ROWS):
        for columns in _slices(n, max(1, _BLOCK // (rows.stop - rows.start))):
            yield rows, columns


def _slices(size: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, size)) for start in range(0, size, step))
