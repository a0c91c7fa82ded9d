"""Plots of results. Imports matplotlib when one is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from ..core.numbers import log2_end
from .findings import Findings
from .report import TITLES
from .table import Scalar, columns, distinguishing_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row: TypeAlias = Mapping[str, Scalar]
Indices: TypeAlias = npt.NDArray[np.intp]


def plot_descent(
    steps: npt.NDArray[np.int64], losses: Array, accuracies: Array, parts: Mapping[str, str], ax: Axes | None = None
) -> Axes:
    """Draw the loss and the accuracy over the steps; return the Axes of the loss. See `Descent.plot`."""
    ax = new_axes(ax, 7, 4)
    ax.plot(steps, losses, "o-", color="tab:blue", markersize=3)
    ax.set_xlabel("step")
    ax.set_ylabel(f"loss: {parts['loss']}", color="tab:blue")
    ax.grid(alpha=0.3)
    ax.set_title(f"{parts['model']}, {parts['optimizer']}", fontsize=10)
    if not np.isnan(accuracies).all():
        right = ax.twinx()
        right.plot(steps, accuracies, "s--", color="tab:red", markersize=3)
        right.set_ylim(-0.02, 1.02)
        right.set_ylabel("accuracy", color="tab:red")
    return ax


def plot_bound_check(check: Findings, ax: Axes | None = None) -> Axes:
    """Draw the variance with its interval and every bound on an axis of powers of two; return the Axes."""
    ax = new_axes(ax, 8, 3.4)
    variance = check.variance
    rows = [b for b in check.bounds.values() if math.isfinite(b.log2)]
    labels = [TITLES[b.name] + ("" if b.applicable else "\n(not applicable)") for b in rows]
    for y, bound in enumerate(rows, start=1):
        colour = "tab:red" if bound.name == check.bound_name else "tab:gray"
        ax.plot(bound.log2, y, "D", color=colour, fillstyle="full" if bound.applicable else "none")
    low, high = (log2_end(end, variance.exponent) for end in variance.mantissa_interval)
    values = [b.log2 for b in rows]
    if math.isfinite(variance.log2):
        values.append(variance.log2)
        left = low if math.isfinite(low) else min(values) - 2
        right = high if math.isfinite(high) else variance.log2
        ax.plot([left, right], [0, 0], "-", color="tab:blue", lw=2)
        ax.plot(variance.log2, 0, "o", color="tab:blue")
    elif math.isfinite(high):
        ax.plot(high, 0, "<", color="tab:blue")
        values.append(high)
    if math.isfinite(check.log2_bound):
        ax.axvline(check.log2_bound, color="tab:red", lw=0.8, ls=":")
    ax.set_yticks(range(len(rows) + 1), ["Var" + ("" if variance.exact else ", with interval"), *labels])
    if values:
        margin = max(1.0, 0.08 * (max(values) - min(values)))
        ax.set_xlim(min(values) - margin, max(values) + margin)
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    ax.xaxis.set_major_formatter(lambda tick, _: f"$2^{{{tick:g}}}$")
    ax.set_xlabel("gradient variance, and upper bounds on it")
    ax.set_title(f"{check.problem['class']}: {check.verdict}", fontsize=10)
    return ax


_ENDS = {"value": ("low", "high"), "ratio": ("ratio_low", "ratio_high"), "log2": ("log2_low", "log2_high")}
_BOUND = {"value": "bound", "log2": "log2_bound"}
_LABELS = {
    "value": "gradient variance",
    "ratio": "gradient variance / bound",
    "log2": "log2 of the gradient variance",
    "gradient_norm_sq": "E||dp/dw||^2",
    "log2_size": "log2 |H|",
}


def plot_sweep(rows: Sequence[Row], parameters: Sequence[str], x: str, y: str, ax: Axes | None = None) -> Axes:
    """Draw a column of the rows of a sweep over a parameter; see `SweepResults.plot`."""
    drawn = _drawable(rows, x, y)
    ax = new_axes(ax, 7, 4.5)
    at, value = _x_axis(ax, drawn, x), _column(drawn, y)
    logarithmic, floor = _y_axis(ax, value, y)
    low, high = value, value
    if y in _ENDS:  # an interval that goes down to log2 0 is drawn from the floor
        low, high = (_column(drawn, end) for end in _ENDS[y])
        low, high = np.minimum(value, np.where(np.isnan(low), floor, low)), np.fmax(value, high)
    positive = np.where(value > 0, value, np.nan) if logarithmic else value
    ordered = all(isinstance(row[x], (int, float)) for row in drawn)
    names = distinguishing_columns(drawn, [name for name in parameters if name != "seed"], (x, "seed"))
    colours: dict[tuple[Scalar, ...], str] = {}
    for combination, line in _lines(drawn, names, x):
        label = None
        if combination not in colours:
            label = ", ".join(f"{name}={part}" for name, part in zip(names, combination, strict=True)) or None
        colour = colours.setdefault(combination, f"C{len(colours) % 10}")
        line = line[np.argsort(at[line], kind="stable")]
        if logarithmic:  # what is not positive has an upper end only
            under = line[value[line] <= 0]
            ax.plot(at[under], np.maximum(high[under], floor), "v", color=colour)
        middle = positive[line]
        ends, style = (middle - low[line], high[line] - middle), "o-" if ordered else "o"
        ax.errorbar(at[line], middle, ends, fmt=style, color=colour, markersize=4, capsize=3, alpha=0.8, label=label)
        if y in _BOUND:
            bound = _column(drawn, _BOUND[y])[line]
            ax.plot(at[line], bound, "--" if ordered else "_", color=colour, lw=1, markersize=16)
    if y in _BOUND or y == "ratio":
        ax.plot([], [], "--", color="tab:gray", lw=1, label="bound")
    if y == "ratio":
        ax.axhline(1.0, color="tab:gray", lw=1, ls="--")
    if len(drawn) < len(rows):
        missing = f"{len(rows) - len(drawn)} of {len(rows)} problems have no number to show"
        ax.set_title(missing, fontsize=8, loc="right")
    if logarithmic:
        ax.set_ylim(bottom=floor / 2)
    ax.grid(alpha=0.3)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize=8)
    return ax


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes to draw on, of a new figure where there are none."""
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("`plot` needs matplotlib: pip install 'gradient-variance[plot]'") from error
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    if not hasattr(ax, "set_xlabel"):
        raise TypeError(f"`ax` must be a matplotlib Axes or None, got {ax!r}")
    return ax


def _drawable(rows: Sequence[Row], x: str, y: str) -> list[Row]:
    """Return the rows with a number to draw, or raise an error where there are none."""
    names = columns(rows)
    for argument, name in (("x", x), ("y", y)):
        if name not in names:
            raise ValueError(f"`{argument}` must be one of {', '.join(map(repr, names))}, got {name!r}")
    drawn = [row for row in rows if row["status"] == "done" and row.get(x) is not None and row.get(y) is not None]
    if any(isinstance(row[y], (str, bool)) for row in drawn):
        raise ValueError(f"`y` must be a column of numbers, got {y!r}")
    if not drawn:
        raise ValueError(f"no problem has {y!r} to draw over {x!r}; see the columns 'status' and 'error'")
    if y == "value" and any(row["value"] == 0 and row["log2"] is not None for row in drawn):
        raise ValueError("`y` = 'value' underflows float64 for some of these problems: draw y='log2'")
    return drawn


def _lines(rows: Sequence[Row], names: Sequence[str], x: str) -> Iterator[tuple[tuple[Scalar, ...], Indices]]:
    """Yield the indices of each line's rows, which agree in the columns `names` and in the seed, with these columns."""
    lines: dict[tuple[Scalar, ...], list[int]] = {}
    for i, row in enumerate(rows):
        seed = None if x == "seed" else row.get("seed")
        lines.setdefault((*(row.get(name) for name in names), seed), []).append(i)
    for key, line in lines.items():
        yield key[:-1], np.array(line)


def _column(rows: Sequence[Row], name: str) -> Array:
    """Return a column of numbers, nan for None."""
    return np.array([row[name] for row in rows], dtype=np.float64)


def _x_axis(ax: Axes, rows: Sequence[Row], x: str) -> Array:
    """Set up the axis, and return where on it the rows are."""
    ax.set_xlabel(_LABELS.get(x, x))
    if not all(isinstance(row[x], (int, float)) for row in rows):
        values = [str(row[x]) for row in rows]
        names = list(dict.fromkeys(values))
        ax.set_xticks(range(len(names)), names)
        ax.margins(x=0.15)
        return np.array([names.index(value) for value in values], dtype=np.float64)
    numbers = _column(rows, x)
    if _ranges_widely(numbers, 50):
        ax.set_xscale("log")
    ticks = np.unique(numbers)
    if len(ticks) <= 12:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    return numbers


def _y_axis(ax: Axes, values: Array, y: str) -> tuple[bool, float]:
    """Set up the axis; return whether it is logarithmic, and where to draw what goes down to zero."""
    ax.set_ylabel(_LABELS.get(y, y))
    if y == "log2" or not _ranges_widely(values, 10):
        return False, float(values.min() - 0.1 * np.ptp(values) - 1)
    ax.set_yscale("log")
    return True, float(values[values > 0].min() / 3)


def _ranges_widely(numbers: Array, times: float) -> bool:
    positive = numbers[numbers > 0]
    return bool(positive.size) and bool(positive.max() > times * positive.min())
