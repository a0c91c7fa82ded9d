"""Numbers of the layers of a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..core.numbers import JSON
from .estimate import Estimate
from .plots import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LayerEstimates(Mapping[str, Estimate]):
    """The estimate of each layer, by its name, in the order of the gradient; their values sum to the whole's.

    All are of one method and one sample, so that their intervals, which share its errors, do not sum.
    """

    def __init__(self, estimates: Mapping[str, Estimate]) -> None:
        self._estimates = dict(estimates)

    def __getitem__(self, layer: str) -> Estimate:
        return self._estimates[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:{width}}  {found!r}" for name, found in self.items())

    def to_dict(self) -> dict[str, JSON]:
        """Return the estimates as JSON-ready values."""
        return {name: found.to_dict() for name, found in self.items()}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a bar for each layer with its interval, the first on top; return the Axes.

        What no interval can be had of is named so and has no bar. Needs matplotlib.
        """
        ax = new_axes(ax, 7, 1 + 0.4 * len(self))
        for y, found in enumerate(self.values()):
            if not found.resolved:
                ax.text(0.0, y, " unresolved", va="center", color="tab:gray")
                continue
            low, high = (min(max(end, -1e300), 1e300) for end in found.interval)
            ax.barh(y, found.value, color="tab:blue", alpha=0.7)
            if math.isfinite(high - low) and not found.exact:
                ax.plot([low, high], [y, y], "-", color="black", lw=1.5)
        ax.set_yticks(range(len(self)), list(self))
        ax.invert_yaxis()
        ax.grid(axis="x", alpha=0.3)
        ax.set_xlabel("by layer: values sum to that of all layers")
        return ax
