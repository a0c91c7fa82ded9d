"""Means over a parameter of a sweep, such as the seeds of its models."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsFloat

import numpy as np
from scipy import special

from ...core.arguments import number
from ...core.numbers import exp2, json_number, log2_of, power_of_two
from ...results.notebook import as_page
from ...results.plots_sweep import plot_sweep
from ...results.table import Scalar, Table, aligned, columns, distinguishing_columns
from .records import Record, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class DrawnTable(Table):
    """A table that is printed, also in a notebook, and drawn."""

    def __str__(self) -> str:
        return aligned(self._cells())

    def _repr_html_(self) -> str:
        return as_page(repr(self), self._cells())

    @abstractmethod
    def _parameters(self) -> list[dict[str, Scalar]]:
        """Return the parameters of each row."""

    @abstractmethod
    def _cells(self) -> list[list[str]]:
        """Return the printed table, its heads first."""

    def plot(
        self,
        x: str,
        y: str = "ratio",
        ax: Axes | None = None,
        *,
        hue: str | None = None,
        facets: str | None = None,
    ) -> Axes:
        """Draw a column over a parameter: a line for each combination of the others that vary; return the Axes.

        Intervals are drawn for "value", "ratio" and "log2" (of the value, for numbers that underflow), and the bound
        as a dashed line; means have a band. Seeds share the colour of their combination. What is unresolved is a cross
        at the foot of the axes. Axes are logarithmic where positive numbers range widely. Needs
        matplotlib (the extra `plot`).

        Parameters
        ----------
        x : str
            A parameter or a column; names are put side by side.
        y : str
            A column of numbers.
        ax : matplotlib Axes or None
            Where to draw; None makes a figure.
        hue : str or None
            The column that colours tell apart, in place of the combination of all that vary.
        facets : str or None
            A column: axes for each of its values, all in the figure of those returned.

        Raises
        ------
        ValueError
            No such parameter or column, nothing to draw, numbers that underflow.
        """
        return plot_sweep(self.to_dicts(), columns(self._parameters()), x, y, ax, hue, facets)


@dataclass(frozen=True, eq=False, repr=False)
class SweepMeans(DrawnTable):
    """Means over a parameter of a sweep; made by `SweepResults.mean_over`.

    A row has the other parameters, `n` (numbers in the mean), `missing` (rows that failed, were interrupted or are
    unresolved), `verdicts`, `confidence`, and the means of value, bound, ratio, gradient_norm_sq, signal_norm_sq,
    signal_share and alignment, each with its interval (value: low, high; ratio: ratio_low, ratio_high; ...) and
    the logarithms of these.
    """

    rows: tuple[dict[str, Scalar], ...]
    parameters: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"SweepMeans({len(self)} settings)"

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return the rows; numbers that there are none of are None."""
        return [dict(row) for row in self.rows]

    def _parameters(self) -> list[dict[str, Scalar]]:
        return [{name: row[name] for name in self.parameters if name in row} for row in self.rows]

    def _cells(self) -> list[list[str]]:
        names = distinguishing_columns(self._parameters(), self.parameters)
        shown = ("value", "bound", "ratio")
        rows = [[*names, "n", "variance", *shown[1:], "verdicts", "missing"]]
        for row in self.rows:
            parts = ["" if row.get(name) is None else str(row[name]) for name in names]
            numbers = [_text(row, name) for name in shown]
            rows.append([*parts, str(row["n"]), *numbers, str(row["verdicts"]), str(row["missing"] or "")])
        return rows


_COLUMNS = ("value", "bound", "ratio", "gradient_norm_sq", "signal_norm_sq", "signal_share", "alignment")
_OF_VALUE = {"value_low": "low", "value_high": "high", "log2_value": "log2"}
_OF_VALUE |= {"log2_value_low": "log2_low", "log2_value_high": "log2_high"}
"""The columns of the variance, which go without its name."""


def means_over(records: Sequence[Record], name: str, confidence: SupportsFloat) -> SweepMeans:
    """Return the means over one parameter of records; see `SweepResults.mean_over`."""
    names = columns(record.parameters for record in records)
    if name not in names:
        raise ValueError(f"`name` must be one of the parameters {', '.join(map(repr, names))}, got {name!r}")
    level = number("confidence", confidence, "a number strictly between 0 and 1 (such as 0.95)", lambda c: 0 < c < 1)
    settings: dict[tuple[tuple[str, Scalar], ...], list[Record]] = {}
    for record in records:
        settings.setdefault(tuple(item for item in record.parameters.items() if item[0] != name), []).append(record)
    rows = []
    for setting, group in settings.items():
        found = [record.row() for record in group if record.status == "done" and record.is_resolved]
        verdicts = [str(row["verdict"]) for row in found]
        row: dict[str, Scalar] = {**dict(setting), "n": len(found), "missing": len(group) - len(found)}
        row["verdicts"] = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
        row["confidence"] = level
        for column in _COLUMNS:
            row.update(_mean(found, column, level, len(group)))
        rows.append(row)
    return SweepMeans(tuple(rows), tuple(other for other in names if other != name))


def _mean(rows: Sequence[dict[str, Scalar]], column: str, level: float, wanted: int) -> dict[str, Scalar]:
    """The mean of a column with its interval, and the logarithms of the three."""
    fulls = {end: f"{column}{end}" for end in ("", "_low", "_high")}
    names = {end: (_OF_VALUE.get(f, f), _OF_VALUE.get(f"log2_{f}", f"log2_{f}")) for end, f in fulls.items()}
    found: dict[str, Scalar] = {name: None for pair in names.values() for name in pair}
    given = [row for row in rows if row[column] is not None]
    if not given:
        return found
    # in units of 2^exponent, since numbers of size 2^-d underflow
    logs = [log for row in given if isinstance(log := row.get(names[""][1]), float)]
    exponent = math.floor(max(logs, default=0.0))
    values, low, high = (np.array([_mantissa(row, *pair, exponent) for row in given]) for pair in names.values())
    n, mean = len(values), float(values.mean())
    ends = [math.nan, math.nan]
    if 1 < n == wanted:
        half = special.stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / math.sqrt(n)
        # errors of samples are independent, those of exact numbers need not be
        share = 1.0 if all(row["exact"] for row in given) else n**-0.5
        own = [share * np.nan_to_num(gap).mean() for gap in (values - low, high - values)]
        ends = [mean - max(half, own[0]), mean + max(half, own[1])]
    for (plain, log2), mantissa in zip(names.values(), (mean, *ends), strict=True):
        found[plain], found[log2] = (
            json_number(power_of_two(mantissa, exponent)),
            json_number(log2_of(mantissa, exponent)),
        )
    return found


def _mantissa(row: dict[str, Scalar], plain: str, log2: str, exponent: int) -> float:
    """A number of a row over 2^exponent, from its logarithm where it underflows; nan where there is none."""
    value, log = row.get(plain), row.get(log2)
    if value == 0 and isinstance(log, float):
        return exp2(log - exponent)
    return power_of_two(float(value), -exponent) if isinstance(value, (int, float)) else math.nan


def _text(row: dict[str, Scalar], column: str) -> str:
    plain = [row[_OF_VALUE.get(name, name)] for name in (column, f"{column}_low", f"{column}_high")]
    logs = [row[_OF_VALUE.get(name, name)] for name in (f"log2_{column}", f"log2_{column}_high")]
    return text_of(*(part if isinstance(part, float) else None for part in (*plain, *logs)))
