"""Numbers of the layers of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..core.numbers import JSON, format_number
from .estimate import Estimate
from .notebook import as_page
from .plots import plot_layers

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

    def _repr_html_(self) -> str:
        values = (format_number(e.mantissa, e.exponent) if e.resolved else "" for e in self.values())
        rows = [(name, value, e.spread) for (name, e), value in zip(self.items(), values, strict=True)]
        known = dict.fromkeys(found.guarantee for found in self.values())
        return as_page("By layer", [("layer", "value", "interval"), *rows], notes=known)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def to_dict(self) -> dict[str, JSON]:
        """Return the estimates as JSON-ready values."""
        return {name: found.to_dict() for name, found in self.items()}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a bar for each layer with its interval, the first on top; return the Axes.

        What no interval can be had of is named so and has no bar. Needs matplotlib (the extra `plot`).
        """
        return plot_layers(self, ax)
