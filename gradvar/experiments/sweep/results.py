"""Records as a table, printed and drawn: the results of a sweep."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.numbers import format_log2
from ...results.plots import plot_sweep
from ...results.table import Scalar, Table, aligned, columns, distinguishing_columns
from .journal import parse, path_of
from .records import NUMBERS, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class RecordTable(Table):
    """A table with a row for each of its `records`: the parameters, then the fields of `Record`."""

    records: Sequence[Record]
    column_types = NUMBERS

    def __len__(self) -> int:
        return len(self.records)

    def __str__(self) -> str:
        return aligned(self._cells())

    def _repr_html_(self) -> str:
        head, *rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self._cells())
        return f"<table><thead><tr>{head}</tr></thead>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return the rows, parameters first; numbers that are infinite, or that there are none of, are None."""
        return [record.row() for record in self.records]

    def plot(self, x: str, y: str = "ratio", ax: Axes | None = None) -> Axes:
        """Draw a column over a parameter: a line for each combination of the others that vary; return the Axes.

        Intervals are drawn for "value", "ratio" and "log2" (of the value, for numbers that underflow), and the bound
        as a dashed line. Seeds share the colour of their combination. Axes are logarithmic where positive numbers
        range widely. Needs matplotlib (the extra `plot`).

        Parameters
        ----------
        x : str
            A parameter or a column; names are put side by side.
        y : str
            A column of numbers.
        ax : matplotlib Axes or None
            Where to draw; None makes a figure.

        Raises
        ------
        ValueError
            No such parameter or column, nothing to draw, numbers that underflow.
        """
        return plot_sweep(self.to_dicts(), columns(record.parameters for record in self.records), x, y, ax)

    def _cells(self) -> list[list[str]]:
        """Return the printed table, its heads first."""
        parameters = [record.parameters for record in self.records]
        names = distinguishing_columns(parameters, columns(parameters)) or columns(parameters)[:1]
        rows = [[*names, "variance", "bound", "ratio", "verdict", "method", "seconds"]]
        for record in self.records:
            bound = "" if record.bound is None else f"{record.bound:.6g}"
            rows.append(
                [
                    *(str(record.parameters.get(name, "")) for name in names),
                    record.text,
                    bound if record.log2_bound is None else format_log2(record.log2_bound),
                    _ratio(record),
                    record.verdict or "",
                    record.method or "",
                    f"{record.seconds:.3g}",
                ]
            )
        return rows


@dataclass(frozen=True, eq=False, repr=False)
class SweepResults(RecordTable):
    """The records of a sweep, in the order of its problems.

    A row has the parameters of its problem and, as columns, the fields of a `Record`: status ("done", "failed",
    "interrupted"), value, low, high, bound, ratio, verdict, method, seconds, versions, seed, ...

    Attributes
    ----------
    records : tuple of Record
        One for each problem that had its turn.
    path : str or None
        The file they are in.
    """

    records: tuple[Record, ...]
    path: str | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SweepResults:
        """Read the file of a sweep, which may be running: of each problem the last record.

        Raises
        ------
        ValueError
            A line that is not a record.
        """
        name = path_of(path)
        with open(name, "rb") as file:
            records, _ = parse(file.read(), name)
        return cls(tuple({record.key: record for record in records}.values()), name)

    def __repr__(self) -> str:
        statuses = [record.status for record in self.records]
        counts = [f"{statuses.count(s)} {s}" for s in ("done", "failed", "interrupted") if s in statuses]
        return f"SweepResults({', '.join(counts) or 'no problems'}{f'; {self.path}' if self.path else ''})"

    @property
    def failures(self) -> list[dict[str, Scalar]]:
        """The rows of the problems that raised an error, which is in the column "error"."""
        return [record.row() for record in self.records if record.status == "failed"]


def _ratio(record: Record) -> str:
    """The variance over the bound, from their logarithms where float64 cannot hold it."""
    if record.log2 is not None and record.log2_bound is not None:
        return format_log2(record.log2 - record.log2_bound, 4)
    return "" if record.ratio is None else f"{record.ratio:.4g}"
