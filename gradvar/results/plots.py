"""Plots of results. Imports matplotlib when one is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from ..core.numbers import log2_end
from .findings import Findings
from .report import TITLES
from .table import Scalar, columns, distinguishing_columns

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Row: TypeAlias = Mapping[str, Scalar]


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


_BOUND = {"value": "bound", "log2": "log2_bound"}
_OF_VARIANCE = ("value", "log2", "ratio", "signal_share")
_LABELS = {
    "value": "gradient variance",
    "ratio": "gradient variance / bound",
    "log2": "log2 of the gradient variance",
    "gradient_norm_sq": "E||dp/dw||^2",
    "signal_norm_sq": "E||s||^2",
    "signal_share": "gradient variance / E||s||^2",
    "alignment": "gradient alignment, E_h||E[h s]||^2",
    "log2_alignment": "log2 of the gradient alignment",
    "log2_size": "log2 |H|",
}
_MARKERS = "os^DP*X<>p"


def plot_sweep(
    rows: Sequence[Row],
    parameters: Sequence[str],
    x: str,
    y: str,
    ax: Axes | None = None,
    hue: str | None = None,
    facets: str | None = None,
) -> Axes:
    """Draw a column of the rows of a sweep over a parameter; see `SweepResults.plot`."""
    if ax is not None and facets is not None:
        raise ValueError("`ax` must be None with `facets`, which make a figure of their own")
    drawn = _drawable(rows, x, y, [name for name in (hue, facets) if name is not None])
    panels: dict[Scalar, list[Row]] = {}
    for row in drawn:
        panels.setdefault(None if facets is None else row.get(facets), []).append(row)
    given = [name for name in (x, "seed", facets) if name is not None]
    lines = distinguishing_columns(drawn, [name for name in parameters if name != "seed"], given)
    names = lines if hue is None else [hue]
    # colours and places beside one another, the same in all panels
    kinds = list(dict.fromkeys(tuple(row.get(name) for name in names) for row in drawn))
    styles = dict(zip(kinds, _styles(len(kinds)), strict=True))
    categories = None
    if not all(isinstance(row[x], (int, float)) for row in drawn):
        categories = list(dict.fromkeys(str(row[x]) for row in drawn))
    values = _column([row for row in drawn if not _is_unresolved(row, y)], y)
    floor = _floor(values, y)
    axes = [new_axes(ax, 8, 4.5)] if facets is None else _panels(len(panels))
    for panel, (name, part) in zip(axes, panels.items(), strict=True):
        _x_axis(panel, drawn, x, categories)
        _draw_lines(panel, part, (x, y), lines, names, styles, categories, floor)
        _set_y(panel, y, floor)
        if facets is not None:
            panel.set_title(f"{facets} = {name}", fontsize=10)
            panel.label_outer()
    if missing := len(rows) - len(drawn) + sum(_is_unresolved(row, y) for row in drawn):
        axes[-1].set_title(f"{missing} of {len(rows)} problems have no number to show", fontsize=8, loc="right")
    _add_legend(axes[0], {_label(names, kind): style for kind, style in styles.items()}, y, drawn, facets is not None)
    return axes[0]


def _draw_lines(
    ax: Axes,
    rows: Sequence[Row],
    columns: tuple[str, str],
    lines: Sequence[str],
    names: Sequence[str],
    styles: Mapping[tuple[Scalar, ...], tuple[str, str]],
    categories: Sequence[str] | None,
    floor: tuple[bool, float],
) -> None:
    """Draw a line for each combination of the columns `lines` and seed, in the style of its columns `names`."""
    (x, y), (logarithmic, bottom) = columns, floor
    is_mean = "missing" in rows[0]
    for line in _lines(rows, lines, x):
        kind = tuple(line[0].get(name) for name in names)
        colour, marker = styles[kind]
        # one beside the other where places have no order
        shift = 0.6 * ((list(styles).index(kind) + 0.5) / len(styles) - 0.5)
        at = _column(line, x) if categories is None else np.array([categories.index(str(r[x])) + shift for r in line])
        order = np.argsort(at, kind="stable")
        at, line = at[order], [line[i] for i in order]
        unresolved = np.array([_is_unresolved(row, y) for row in line])
        value = np.where(unresolved, np.nan, _column(line, y))
        low, high = (np.where(unresolved, np.nan, _column(line, end)) for end in _ends(y))
        # an interval that goes down to 0, or log2 0, is drawn from the floor
        low = np.fmin(value, np.where(np.isnan(low) & ~np.isnan(high), bottom, low))
        high = np.fmax(value, high)
        style = marker if categories is not None else f"{marker}-"
        middle = value
        if logarithmic:  # what is not positive has an upper end only
            under = value <= 0
            ax.plot(at[under], np.maximum(high[under], bottom), "v", color=colour)
            middle, low = np.where(under, np.nan, value), np.maximum(low, bottom)
        known = ~np.isnan(low)
        if is_mean and categories is None:
            ax.plot(at, middle, style, color=colour, markersize=4)
            ax.fill_between(at, low, high, where=known, color=colour, alpha=0.2, lw=0)
        else:
            ends = np.nan_to_num([middle - low, high - middle])
            ax.errorbar(at, middle, np.maximum(ends, 0), fmt=style, color=colour, markersize=4, capsize=3, alpha=0.8)
        for place in at[unresolved]:
            ax.plot(place, 0.02, "x", color=colour, transform=ax.get_xaxis_transform())
        if y in _BOUND:
            bound, dashes = _column(line, _BOUND[y]), "--" if categories is None else "_"
            ax.plot(at, bound, dashes, color=colour, lw=1, markersize=16)
    if y == "ratio":
        ax.axhline(1.0, color="tab:gray", lw=1, ls="--")
    ax.grid(alpha=0.3)


def _add_legend(ax: Axes, labels: Mapping[str, tuple[str, str]], y: str, rows: Sequence[Row], is_faceted: bool) -> None:
    """Add the legend, beside the data where the figure makes room for it."""
    handles = [
        ax.plot([], [], marker, color=colour, label=label)[0] for label, (colour, marker) in labels.items() if label
    ]
    if y in _BOUND or y == "ratio":
        handles += ax.plot([], [], "--", color="tab:gray", lw=1, label="bound")
    if any(_is_unresolved(row, y) for row in rows):
        handles += ax.plot([], [], "x", color="tab:gray", label="unresolved")
    if handles and is_faceted:
        ax.figure.legend(handles=handles, fontsize=8, loc="outside right upper")
    elif handles:
        _beside(ax, handles)


def plot_signal_and_noise(ax: Axes, rows: Sequence[Row], crossing: Scalar) -> None:
    """Draw the alignment of the target that is trained on and the noise of a batch over the steps, on a log axis."""
    steps, value, high = (_column(rows, name) for name in ("step", "alignment", "alignment_high"))
    noise = _column(rows, "batch_noise")
    ax.set_yscale("log")
    ax.set_ylabel("gradient variance, alignment, noise")
    if not np.isnan(value).all():  # tasks have none
        label = "alignment of the target"
        ax.plot(steps, np.where(value > 0, value, np.nan), "s-", color="tab:green", ms=4, label=label)
    if (value <= 0).any():
        ax.plot(steps[value <= 0], high[value <= 0], "v", color="tab:green", label="alignment, at most")
    ax.plot(steps, np.where(noise > 0, noise, np.nan), ":", color="tab:red", lw=2, label="noise of a batch")
    if crossing is not None:
        ax.axvline(float(crossing), color="tab:red", lw=0.8, label="alignment exceeds noise")
    shown = np.concatenate([value, high, noise, _column(rows, "value"), _column(rows, "bound")])
    ax.set_ylim(shown[shown > 0].min() / 3, shown[shown > 0].max() * 3)
    ax.plot([], [], "o-", color="C0", ms=4, label="gradient variance")
    _beside(ax, [line for line in ax.lines if not str(line.get_label()).startswith("_")])


def _beside(ax: Axes, handles: Sequence[Artist]) -> None:
    """Add a legend, beside the data where the figure makes room for it."""
    beside = ax.figure.get_layout_engine() is not None
    legend = ax.legend(handles=handles, fontsize=8, ncols=1 + len(handles) // 18, borderaxespad=0 if beside else None)
    if beside:
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((1.01, 1), ax.transAxes)


def _label(names: Sequence[str], kind: tuple[Scalar, ...]) -> str:
    return ", ".join(f"{name}={part}" for name, part in zip(names, kind, strict=True))


def _styles(count: int) -> list[tuple[str, str]]:
    """Colours and markers that are told apart: ten colours, or the rainbow with neighbours of other markers."""
    from matplotlib import colormaps, colors

    if count <= 10:
        return [(f"C{i}", "o") for i in range(count)]
    shades = colormaps["turbo"](np.linspace(0.03, 0.97, count))
    return [(colors.to_hex(shade), _MARKERS[i % len(_MARKERS)]) for i, shade in enumerate(shades)]


def _panels(count: int) -> list[Axes]:
    """Return so many axes of a new figure, at most three in a row."""
    size = (1.5 + 3.5 * min(count, 3), 1 + 3 * math.ceil(count / 3))
    _, grid = pyplot().subplots(
        math.ceil(count / 3), min(count, 3), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for spare in grid.flat[count:]:
        spare.remove()
    return list(grid.flat[:count])


def _ends(y: str) -> tuple[str, str]:
    """The columns with the ends of a column's interval."""
    return ("low", "high") if y == "value" else (f"{y}_low", f"{y}_high")


def _is_unresolved(row: Row, y: str) -> bool:
    """Whether samples left the number open; a mean over fewer than it was to be of is drawn, without an interval."""
    if row.get(y) is None:
        return True
    return "missing" not in row and y in _OF_VARIANCE and (row["low"] is None or row["high"] is None)


def pyplot() -> ModuleType:
    """Return matplotlib's pyplot, or raise an error that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("`plot` needs matplotlib: pip install 'gradient-variance[plot]'") from error
    return plt


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes to draw on, of a new figure where there are none."""
    if ax is None:
        _, ax = pyplot().subplots(figsize=(width, height), layout="constrained")
    if not hasattr(ax, "set_xlabel"):
        raise TypeError(f"`ax` must be a matplotlib Axes or None, got {ax!r}")
    return ax


def _drawable(rows: Sequence[Row], x: str, y: str, others: Sequence[str]) -> list[Row]:
    """Return the rows with something to draw, or raise an error where there are none."""
    names = columns(rows)
    for argument, name in (("x", x), ("y", y), *(("hue or facets", other) for other in others)):
        if name not in names:
            raise ValueError(f"`{argument}` must be one of {', '.join(map(repr, names))}, got {name!r}")
    done = [row for row in rows if row.get("status", "done") == "done" and row.get(x) is not None]
    drawn = [row for row in done if row.get(y) is not None or (y in _OF_VARIANCE and row.get("bound") is not None)]
    if any(isinstance(row[y], (str, bool)) for row in drawn):
        raise ValueError(f"`y` must be a column of numbers, got {y!r}")
    if all(_is_unresolved(row, y) for row in drawn):
        raise ValueError(f"no problem has {y!r} to draw over {x!r}; see the columns 'status' and 'error'")
    if y in ("value", "signal_share") and any(row[y] == 0 and row["log2"] is not None for row in drawn):
        raise ValueError(f"`y` = {y!r} underflows float64 for some of these problems: draw y='log2'")
    return drawn


def _lines(rows: Sequence[Row], names: Sequence[str], x: str) -> Iterator[list[Row]]:
    """Yield the rows of each line, which agree in the columns `names` and in the seed."""
    lines: dict[tuple[Scalar, ...], list[Row]] = {}
    for row in rows:
        seed = None if x == "seed" else row.get("seed")
        lines.setdefault((*(row.get(name) for name in names), seed), []).append(row)
    yield from lines.values()


def _column(rows: Sequence[Row], name: str) -> Array:
    """Return a column of numbers, nan for None."""
    return np.array([row.get(name) for row in rows], dtype=np.float64)


def _x_axis(ax: Axes, rows: Sequence[Row], x: str, categories: Sequence[str] | None) -> None:
    """Set up the axis: categories side by side, turned where their names would run into one another."""
    ax.set_xlabel(_LABELS.get(x, x))
    if categories is not None:
        ax.set_xticks(range(len(categories)), list(categories))
        ax.set_xlim(-0.5, len(categories) - 0.5)
        if max(map(len, categories)) * 0.09 > ax.bbox.width / ax.figure.dpi / len(categories):
            ax.tick_params("x", rotation=30)
            for label in ax.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        return
    numbers = _column(rows, x)
    if _ranges_widely(numbers, 50):
        ax.set_xscale("log")
    ticks = np.unique(numbers)
    if len(ticks) <= 12:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()


def _floor(values: Array, y: str) -> tuple[bool, float]:
    """Whether the axis of these numbers is logarithmic, and where to draw what goes down to zero."""
    if y.startswith("log2") or not _ranges_widely(values, 10):
        return False, float(values.min() - 0.1 * np.ptp(values) - 1)
    return True, float(values[values > 0].min() / 3)


def _set_y(ax: Axes, y: str, floor: tuple[bool, float]) -> None:
    ax.set_ylabel(_LABELS.get(y, y))
    if floor[0]:
        ax.set_yscale("log")
        ax.set_ylim(bottom=floor[1] / 2)


def _ranges_widely(numbers: Array, times: float) -> bool:
    positive = numbers[numbers > 0]
    return bool(positive.size) and bool(positive.max() > times * positive.min())
