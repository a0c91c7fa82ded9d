"""Figures of experiments: panels, and lines that are told apart in grey as well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, SupportsFloat

from ...results.plots_style import pyplot
from ...results.plots_style import style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def panels(count: int, *, in_a_row: int = 3, width: float = 4.2, height: float = 3.6) -> list[Axes]:
    """Return the axes of a new figure with so many panels."""
    across = min(count, in_a_row)
    down = -(-count // across)
    _, grid = pyplot().subplots(
        down, across, figsize=(width * across, height * down), squeeze=False, layout="constrained"
    )
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    for ax in axes[:count]:
        ax.grid(alpha=0.3)
    return axes[:count]


def log_axis(ax: Axes, values: Iterable[SupportsFloat]) -> None:
    """Make the x axis logarithmic, with a tick at each of these few values and no others."""
    ticks = sorted({float(value) for value in values})
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
