"""Records as a table, printed and drawn: the results of a sweep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsFloat

from ...core.numbers import format_log2
from ...results.table import Scalar, columns, distinguishing_columns
from .journal import parse, path_of
from .means import DrawnTable, SweepMeans, means_over
from .records import NUMBERS, Record


class RecordTable(DrawnTable):
    """A table with a row for each of its `records`: the parameters, then the fields of `Record`."""

    records: Sequence[Record]
    column_types = NUMBERS

    def __len__(self) -> int:
        return len(self.records)

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return the rows, parameters first; numbers that are infinite, or that there are none of, are None."""
        return [record.row() for record in self.records]

    def _parameters(self) -> list[dict[str, Scalar]]:
        return [record.parameters for record in self.records]

    def _cells(self) -> list[list[str]]:
        parameters = self._parameters()
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

    def mean_over(self, name: str = "seed", confidence: SupportsFloat = 0.95) -> SweepMeans:
        """Return the means over a parameter, such as the seeds of models: a row for each setting of the others.

        The interval is Student's, mean +- t_{n-1} (s^2/n)^1/2: where each number is an estimate, its error is in the
        spread s already. It is never narrower than the intervals of the single numbers make that of their mean. One
        number has no interval, and neither has a mean without the rows that failed or are unresolved, which `missing`
        counts: what is left is a selection.

        Raises
        ------
        ValueError
            No such parameter.

        Examples
        --------
        >>> import gradvar as gv
        >>> network = lambda H, seed, width: gv.MLP.random([4, width, 1], rng=seed)
        >>> problems = gv.grid(H=gv.Parities(4), model=network, width=[4, 8], seed=range(5))
        >>> means = gv.sweep(problems, progress=False).mean_over("seed")
        >>> [(row["width"], row["n"], row["low"] < row["value"] < row["high"]) for row in means]
        [(4, 5, True), (8, 5, True)]
        """
        return means_over(self.records, name, confidence)

    @property
    def failures(self) -> list[dict[str, Scalar]]:
        """The rows of the problems that raised an error, which is in the column "error"."""
        return [record.row() for record in self.records if record.status == "failed"]


def _ratio(record: Record) -> str:
    """The variance over the bound, from their logarithms where float64 cannot hold it."""
    if record.log2 is not None and record.log2_bound is not None:
        return format_log2(record.log2 - record.log2_bound, 4)
    return "" if record.ratio is None else f"{record.ratio:.4g}"
