"""Plots of results. Imports matplotlib when one is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from ..core.numbers import log2_end
from .findings import Findings
from .report import TITLES
from .table import Scalar, distinguishing_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row: TypeAlias = Mapping[str, Scalar]


def plot_descent(
    steps: npt.NDArray[np.int64], losses: Array, accuracies: Array, parts: Mapping[str, str], ax: Axes | None = None
) -> Axes:
    """Draw the loss and the accuracy over the steps; return the Axes of the loss. See `Descent.plot`."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.plot(steps, losses, "o-", color="tab:blue", markersize=3)
    ax.set_xlabel("step")
    ax.set_ylabel(f"loss: {parts['loss']}", color="tab:blue")
    ax.grid(alpha=0.3)
    ax.set_title(f"{parts['model']}, {parts['optimizer']}", fontsize=10)
    if not all(math.isnan(accuracy) for accuracy in accuracies):
        right = ax.twinx()
        right.plot(steps, accuracies, "s--", color="tab:red", markersize=3)
        right.set_ylim(-0.02, 1.02)
        right.set_ylabel("accuracy", color="tab:red")
    return ax


def plot_bound_check(check: Findings, ax: Axes | None = None) -> Axes:
    """Draw the variance with its interval and every bound on an axis of powers of two; return the Axes."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
    variance = check.variance
    rows = [b for b in check.bounds.values() if math.isfinite(b.log2)]
    labels = [TITLES[b.name] + ("" if b.applicable else "\n(not applicable)") for b in rows]
    for y, bound in enumerate(rows, start=1):
        main = bound.name == check.bound_name
        ax.plot(
            bound.log2,
            y,
            "D",
            color="tab:red" if main else "tab:gray",
            fillstyle="full" if bound.applicable else "none",
        )
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
    main_bound = check.bounds[check.bound_name]
    if math.isfinite(main_bound.log2):
        ax.axvline(main_bound.log2, color="tab:red", lw=0.8, ls=":")
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
    import matplotlib.pyplot as plt

    drawn = _drawable(rows, x, y)
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    positions = _x_axis(ax, [row[x] for row in drawn], x)
    ordered = all(isinstance(row[x], (int, float)) for row in drawn)
    logarithmic, floor = _y_axis(ax, drawn, y)
    names = distinguishing_columns(drawn, [name for name in parameters if name != "seed"], (x, "seed"))
    lines: dict[tuple[Scalar, ...], list[tuple[float, Row]]] = {}
    for position, row in zip(positions, drawn, strict=True):
        line = (*(row.get(name) for name in names), None if x == "seed" else row.get("seed"))
        lines.setdefault(line, []).append((position, row))
    colours: dict[tuple[Scalar, ...], str] = {}
    for line, points in lines.items():
        points.sort(key=lambda point: point[0])
        label = None
        if line[:-1] not in colours:
            label = ", ".join(f"{name}={part}" for name, part in zip(names, line[:-1], strict=True)) or None
        colour = colours.setdefault(line[:-1], f"C{len(colours) % 10}")
        at = [position for position, _ in points]
        value = [_number(row[y]) for _, row in points]
        low, high = zip(*(_ends(row, y, floor) for _, row in points), strict=True)
        if logarithmic:  # what is not positive has an upper end only
            under = [i for i, v in enumerate(value) if v <= 0]
            ax.plot([at[i] for i in under], [max(high[i], floor) for i in under], "v", color=colour)
            value = [v if v > 0 else math.nan for v in value]
        errors = [v - e for v, e in zip(value, low, strict=True)], [e - v for v, e in zip(value, high, strict=True)]
        style = "o-" if ordered else "o"
        ax.errorbar(at, value, errors, fmt=style, color=colour, markersize=4, capsize=3, alpha=0.8, label=label)
        if y in _BOUND:
            bound = [math.nan if row[_BOUND[y]] is None else _number(row[_BOUND[y]]) for _, row in points]
            ax.plot(at, bound, "--" if ordered else "_", color=colour, lw=1, markersize=16)
    if y in _BOUND or y == "ratio":
        ax.plot([], [], "--", color="tab:gray", lw=1, label="bound")
    if y == "ratio":
        ax.axhline(1.0, color="tab:gray", lw=1, ls="--")
    if len(drawn) < len(rows):
        ax.set_title(
            f"{len(rows) - len(drawn)} of {len(rows)} problems have no number to show", fontsize=8, loc="right"
        )
    if logarithmic:
        ax.set_ylim(bottom=floor / 2)
    ax.grid(alpha=0.3)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize=8)
    return ax


def _drawable(rows: Sequence[Row], x: str, y: str) -> list[Row]:
    """The rows with a number to draw, with the columns made sure of."""
    known = list(dict.fromkeys(name for row in rows for name in row))
    for argument, name in (("x", x), ("y", y)):
        if name not in known:
            raise ValueError(f"`{argument}` must be one of {', '.join(map(repr, known))}, got {name!r}")
    drawn = [row for row in rows if row["status"] == "done" and row.get(x) is not None and row.get(y) is not None]
    if any(isinstance(row[y], (str, bool)) for row in drawn):
        raise ValueError(f"`y` must be a column of numbers, got {y!r}")
    if not drawn:
        raise ValueError(f"no problem has {y!r} to draw over {x!r}; see the columns 'status' and 'error'")
    if y == "value" and any(row["value"] == 0 and row["log2"] is not None for row in drawn):
        raise ValueError("`y` = 'value' underflows float64 for some of these problems: draw y='log2'")
    return drawn


def _x_axis(ax: Axes, values: list[Scalar], name: str) -> list[float]:
    """Set up the axis, and return where on it the values are."""
    ax.set_xlabel(_LABELS.get(name, name))
    if not all(isinstance(value, (int, float)) for value in values):
        names = list(dict.fromkeys(map(str, values)))
        ax.set_xticks(range(len(names)), names)
        ax.margins(x=0.15)
        return [float(names.index(str(value))) for value in values]
    numbers = [_number(value) for value in values]
    if _ranges_widely(numbers, 50):
        ax.set_xscale("log")
    ticks = sorted(set(numbers))
    if len(ticks) <= 12:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    return numbers


def _y_axis(ax: Axes, rows: list[Row], y: str) -> tuple[bool, float]:
    """Set up the axis; return whether it is logarithmic, and where to draw what goes down to zero."""
    ax.set_ylabel(_LABELS.get(y, y))
    values = [_number(row[y]) for row in rows]
    if y == "log2" or not _ranges_widely(values, 10):
        return False, min(values) - 0.1 * (max(values) - min(values)) - 1
    ax.set_yscale("log")
    return True, min(value for value in values if value > 0) / 3


def _ends(row: Row, y: str, floor: float) -> tuple[float, float]:
    """Where the interval is drawn from and to: from the floor where it goes down to log2 0."""
    value = _number(row[y])
    if y not in _ENDS:
        return value, value
    low, high = (row[end] for end in _ENDS[y])
    return min(value, floor if low is None else _number(low)), value if high is None else max(value, _number(high))


def _ranges_widely(numbers: list[float], times: float) -> bool:
    positive = [number for number in numbers if number > 0]
    return bool(positive) and max(positive) > times * min(positive)


def _number(value: Scalar) -> float:
    assert isinstance(value, (int, float))
    return float(value)
