"""Plots of sweeps: a column of the rows over another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..core.arguments import Array
from .plots_style import (
    AT_MOST,
    COLOURS,
    GREY,
    UNRESOLVED,
    Style,
    draw_points,
    key,
    legend_beside,
    new_axes,
    palette,
    pyplot,
)
from .table import Scalar, columns, distinguishing_columns

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Row: TypeAlias = Mapping[str, Scalar]


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
    floor = _floor([row for row in drawn if not _is_unresolved(row, y)], y)
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
    styles: Mapping[tuple[Scalar, ...], Style],
    categories: Sequence[str] | None,
    floor: tuple[bool, float],
) -> None:
    """Draw a line for each combination of the columns `lines` and seed, in the style of its columns `names`."""
    (x, y), (logarithmic, bottom) = columns, floor
    is_mean = "missing" in rows[0]
    for line in _lines(rows, lines, x):
        kind = tuple(line[0].get(name) for name in names)
        look = styles[kind] if categories is None else Style({**styles[kind], "linestyle": "none"})
        # one beside the other where places have no order
        shift = 0.6 * ((list(styles).index(kind) + 0.5) / len(styles) - 0.5)
        at = _column(line, x) if categories is None else np.array([categories.index(str(r[x])) + shift for r in line])
        order = np.argsort(at, kind="stable")
        at, line = at[order], [line[i] for i in order]
        unresolved = np.array([_is_unresolved(row, y) for row in line])
        value, low, high = (_column(line, name) for name in (y, *_ends(y)))
        if logarithmic:  # what is not positive has an upper end only
            value = np.where(value <= 0, np.nan, value)
            low, high = np.maximum(low, bottom), np.maximum(high, bottom)
        is_band = is_mean and categories is None
        draw_points(ax, at, (value, low, high), unresolved, bottom, look, is_band)
        if y in _BOUND:
            bound, dashes = _column(line, _BOUND[y]), "--" if categories is None and len(line) > 1 else "_"
            ax.plot(at, bound, dashes, color=look["color"], lw=1, markersize=16)
    if y == "ratio":
        ax.axhline(1.0, color=GREY, lw=1, ls="--")
    ax.grid(alpha=0.3)


def _has_line(ax: Axes) -> bool:
    return any(line.get_linestyle() == "--" for line in ax.lines)


def _add_legend(ax: Axes, styles: Mapping[str, Style], y: str, rows: Sequence[Row], is_faceted: bool) -> None:
    """Add the legend, beside the data where the figure makes room for it."""
    from matplotlib.lines import Line2D

    keys: dict[str, Artist] = {label: Line2D([], [], **look) for label, look in styles.items() if label}
    if y in _BOUND or y == "ratio":
        keys["bound"] = key("_" if y in _BOUND and not _has_line(ax) else "--")
    values = _column([row for row in rows if not _is_unresolved(row, y)], y)
    if np.isnan(values).any() or (ax.get_yscale() == "log" and (values <= 0).any()):
        keys[AT_MOST] = key("v")
    if any(_is_unresolved(row, y) for row in rows):
        keys[UNRESOLVED] = key("x")
    if keys and is_faceted:
        ax.figure.legend(list(keys.values()), list(keys), fontsize=8, loc="outside right upper")
    elif keys:
        legend_beside(ax, keys)


def _label(names: Sequence[str], kind: tuple[Scalar, ...]) -> str:
    return ", ".join(f"{name}={part}" for name, part in zip(names, kind, strict=True))


def _styles(count: int) -> list[Style]:
    """Colours and markers that are told apart: seven colours, or a range of them with neighbours of other markers."""
    from matplotlib import colormaps, colors

    shades = [colors.to_hex(shade) for shade in colormaps["cividis"](np.linspace(0, 0.92, count))]
    shown = palette() if count <= len(COLOURS) else shades
    return [
        {"color": shown[i], "linestyle": "-", "marker": _MARKERS[i % len(_MARKERS)], "markersize": 4.0}
        for i in range(count)
    ]


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
    """Whether samples left the number open; a mean over fewer than it was to be of is drawn, without an interval.

    A number that is not positive has no logarithm, and is known.
    """
    plain = "value" if y == "log2" else y.removeprefix("log2_")
    if row.get(plain, row.get(y)) is None:
        return True
    return "missing" not in row and y in _OF_VARIANCE and (row["low"] is None or row["high"] is None)


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


def _floor(rows: Sequence[Row], y: str) -> tuple[bool, float]:
    """Whether the axis of these numbers is logarithmic, and where to draw what goes down to zero."""
    values = _column(rows, y)
    if np.isnan(values).all():  # logarithms of what is not positive
        values = _column(rows, _ends(y)[1])
    values = values[np.isfinite(values)]
    if y.startswith("log2") or not _ranges_widely(values, 10):
        return False, float(values.min() - 0.1 * np.ptp(values) - 1) if values.size else 0.0
    return True, float(values[values > 0].min() / 3)


def _set_y(ax: Axes, y: str, floor: tuple[bool, float]) -> None:
    ax.set_ylabel(_LABELS.get(y, y))
    if floor[0]:
        ax.set_yscale("log")
        ax.set_ylim(bottom=floor[1] / 2)


def _ranges_widely(numbers: Array, times: float) -> bool:
    positive = numbers[numbers > 0]
    return bool(positive.size) and bool(positive.max() > times * positive.min())
