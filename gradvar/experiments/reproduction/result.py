"""The result of an experiment of the literature: its numbers, beside those of the paper."""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core.arguments import Array
from ...core.numbers import json_number
from ...core.version import __version__
from ...results.estimate import Estimate
from ...results.notebook import as_page
from ...results.table import Scalar, Table, aligned, columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 24


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One number of an experiment: what is accepted of it, and what the paper has.

    Parameters
    ----------
    what : str
        What the number is, in words.
    here : float or bool
        What was found: a number, or whether a statement holds.
    low, high : float
        The claim is shown by a number from low to high.
    paper : float, str or None
        What the paper says; None where it has no number.
    """

    what: str
    here: float | bool
    low: float = -math.inf
    high: float = math.inf
    paper: float | str | None = None

    @property
    def agrees(self) -> bool:
        """Whether the statement holds, or the number lies in the accepted range; nan never does."""
        return self.here if isinstance(self.here, bool) else bool(self.low <= self.here <= self.high)

    def row(self) -> dict[str, Scalar]:
        """Return the comparison as plain values, infinite ends as None."""
        ends = {"low": json_number(self.low), "high": json_number(self.high)}
        here = self.here if isinstance(self.here, bool) else json_number(self.here)
        return {"what": self.what, "paper": self.paper, "here": here, **ends, "agrees": self.agrees}

    def cells(self) -> list[str]:
        """Return what it is, the paper's, what was found, what is accepted, and whether they agree, as text."""
        return [self.what, _cell(self.paper), _cell(self.here), _range(self), "yes" if self.agrees else "NO"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Reproduction(Table):
    """What an experiment of the literature found: its numbers, its figure, and the paper's numbers beside them.

    Attributes
    ----------
    rows : tuple of dicts
        The table of the experiment, of plain values.
    comparisons : tuple of Comparison
        What the paper claims, what was found, and what is accepted.
    notes : tuple of str
        Where paper and measurement differ, and why.
    seed : int
        `rng=seed` gives the same numbers.
    """

    rows: tuple[Mapping[str, Scalar], ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()
    seed: int = 0

    @property
    def name(self) -> str:
        """The name of the experiment: that of its file."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def agrees(self) -> bool:
        """Whether all comparisons do."""
        return all(comparison.agrees for comparison in self.comparisons)

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return the rows."""
        return [dict(row) for row in self.rows]

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values that JSON can hold."""
        return {
            "experiment": self.name,
            "version": __version__,
            "seed": self.seed,
            "agrees": self.agrees,
            "comparisons": [comparison.row() for comparison in self.comparisons],
            "notes": list(self.notes),
            "rows": self.to_dicts(),
        }

    @abstractmethod
    def plot(self) -> list[Axes]:
        """Draw the figure of the experiment, as in the paper, with the paper's numbers in it; return its Axes.

        Needs matplotlib (the extra `plot`).
        """

    def __repr__(self) -> str:
        count = sum(comparison.agrees for comparison in self.comparisons)
        return f"{type(self).__name__}({count} of {len(self.comparisons)} numbers as claimed, rng={self.seed})"

    def __str__(self) -> str:
        lines = [self._title, "", aligned(self._compared()), *(f"\n{aligned(table)}" for table in self._shown())]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return as_page(self._title, self._compared(), *self._shown(), notes=self.notes)

    @property
    def _title(self) -> str:
        said = sys.modules[type(self).__module__].__doc__ or self.name
        return f"{self.name}: {said.splitlines()[0]}"

    def _compared(self) -> list[list[str]]:
        """The comparisons as cells, their heads first."""
        return [["", "paper", "here", "accepted", ""], *(comparison.cells() for comparison in self.comparisons)]

    def _shown(self) -> list[list[list[str]]]:
        """The table of the experiment, where it is short."""
        names = columns(self.rows)
        few = 0 < len(self.rows) <= _ROWS
        return [[names, *([_cell(row.get(name)) for name in names] for row in self.rows)]] if few else []


def numbers(rows: Iterable[Mapping[str, Scalar]], name: str) -> Array:
    """Return a column of numbers, nan where a row has None."""
    return np.array([row[name] for row in rows], dtype=np.float64)


def exact(estimate: Estimate) -> Estimate:
    """Return an estimate that an experiment calls exact, or raise a `ValueError` where it was sampled."""
    if not estimate.exact:
        raise ValueError(f"what is called exact was sampled at these settings: take smaller ones; got {estimate!r}")
    return estimate


def _cell(value: Scalar) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _range(c: Comparison) -> str:
    if isinstance(c.here, bool):
        return "True"
    if c.low == -math.inf:
        return f"<= {c.high:.6g}"
    if c.high == math.inf:
        return f">= {c.low:.6g}"
    if c.low == c.high:
        return f"{c.low:.6g}"
    middle, half = (c.low + c.high) / 2, (c.high - c.low) / 2
    return f"{middle:.8g} +- {half:.1g}" if half < 1e-3 * abs(middle) else f"{c.low:.6g} to {c.high:.6g}"
