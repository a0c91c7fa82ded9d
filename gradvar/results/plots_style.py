"""What all plots share: axes, colours that are told apart in grey and by the colour-blind, points with their errors."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which the colour-blind tell apart."""
RED, BLUE, GREEN = COLOURS[1:4]
GREY = "0.45"
LineStyle: TypeAlias = Literal["-", "--", "-.", ":", "none"]
_LINES: tuple[LineStyle, ...] = ("-", "--", "-.", ":")
_MARKERS = "os^Dv*P"
AT_MOST, UNRESOLVED = "at most (upper end)", "unresolved"


class Style(TypedDict):
    """How a line is drawn."""

    color: str
    linestyle: LineStyle
    marker: str
    markersize: float


def style(i: int) -> Style:
    """Return the colour, the dashes and the marker of line i: others for each of the first 28."""
    return {"color": palette()[i % 7], "linestyle": _LINES[i % 4], "marker": _MARKERS[i % 7], "markersize": 4.0}


def palette() -> list[str]:
    """Return the colours: the first is that of the axes' names, black unless the user's style is dark."""
    from matplotlib import colors, rcParams

    return [colors.to_hex(rcParams["axes.labelcolor"]), *COLOURS[1:]]


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


def draw_points(
    ax: Axes,
    at: Array,
    numbers: tuple[Array, Array, Array],
    unresolved: npt.NDArray[np.bool_],
    bottom: float,
    look: Style,
    is_band: bool = False,
) -> None:
    """Draw values with their intervals (value, low, high); what is not positive on an axis of powers is nan.

    An end of an interval that is nan is not known, or lies below everything: drawn from `bottom`. What has an upper end
    alone is an open triangle there, or at the bottom; what is unresolved a cross at the foot of the axes.
    """
    value, low, high = (np.where(unresolved, np.nan, column) for column in numbers)
    none = np.isnan(value) & ~unresolved
    # an interval that goes down to 0, or log2 0, is drawn from the bottom
    low = np.fmin(value, np.where(np.isnan(low) & ~np.isnan(high), bottom, low))
    above = np.fmax(value, high)
    if is_band:
        ax.plot(at, value, **look)
        ax.fill_between(at, low, above, color=look["color"], alpha=0.2, lw=0)
    else:
        ends = np.nan_to_num([value - low, above - value])
        ax.errorbar(at, value, np.maximum(ends, 0), capsize=3, alpha=0.8, **look)
    if none.any():
        ax.plot(at[none], np.fmax(high[none], bottom), "v", color=look["color"], fillstyle="none")
    for place in at[unresolved]:
        ax.plot(place, 0.02, "x", color=look["color"], transform=ax.get_xaxis_transform())


def key(marker: str, colour: str = GREY, is_full: bool = False) -> Artist:
    """Return what stands in a legend for marks or lines of this kind."""
    from matplotlib.lines import Line2D

    if marker == "--":
        return Line2D([], [], color=colour, lw=1, ls="--")
    return Line2D([], [], color=colour, marker=marker, ls="none", fillstyle="full" if is_full else "none")


def keys_of(ax: Axes) -> dict[str, Artist]:
    """Return the entries of the legend: of what there is, or of the lines that have a name."""
    legend = ax.get_legend()
    if legend is None:
        return named_lines(ax)
    pairs = zip(legend.get_texts(), legend.legend_handles, strict=True)
    return {text.get_text(): handle for text, handle in pairs if handle is not None}


def named_lines(ax: Axes) -> dict[str, Artist]:
    """Return the lines that have a name, by it."""
    return {label: line for line in ax.lines if not (label := str(line.get_label())).startswith("_")}


def legend_beside(ax: Axes, keys: Mapping[str, Artist]) -> None:
    """Add a legend, beside the data where the figure makes room for it."""
    beside = ax.figure.get_layout_engine() is not None and ax.bbox.width > 4 * ax.figure.dpi
    columns, pad = 1 + len(keys) // 18, 0 if beside else None
    legend = ax.legend(list(keys.values()), list(keys), fontsize=8, ncols=columns, borderaxespad=pad, framealpha=0.5)
    if beside:
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((1.01, 1), ax.transAxes)


def titled(ax: Axes, title: str, per_inch: int = 13) -> None:
    """Give the axes a title, in lines of about their width."""
    inches = ax.bbox.width / ax.figure.dpi
    ax.set_title(textwrap.fill(title, max(int(per_inch * inches), 20)), fontsize=10)


def powers_of_two(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Say that an axis has base-2 logarithms: whole ones, as powers."""
    whole_numbers(ax, axis)
    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(lambda tick, _: f"$2^{{{tick:.0f}}}$")


def whole_numbers(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Let the ticks of an axis be whole numbers, of which it shows one at least."""
    from matplotlib.ticker import MaxNLocator

    shown, limits = (ax.xaxis, ax.get_xlim()) if axis == "x" else (ax.yaxis, ax.get_ylim())
    shown.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    middle = sum(limits) / 2
    if abs(limits[1] - limits[0]) < 2:
        (ax.set_xlim if axis == "x" else ax.set_ylim)(middle - 1, middle + 1)


def unit_of(values: Sequence[float], exponents: Sequence[int]) -> int:
    """log2 of the unit in which numbers mantissa 2**exponent are drawn: 0 where float64 and its axes hold them."""
    logs = [math.log2(abs(v)) + e for v, e in zip(values, exponents, strict=True) if v and math.isfinite(v)]
    top = max(logs, default=0.0)
    return 0 if abs(top) < 300 else math.floor(top)
