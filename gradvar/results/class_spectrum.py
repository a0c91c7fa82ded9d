"""The eigenvalues of a class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..core.arguments import Array
from ..core.numbers import exp2, format_log2
from .notebook import as_page
from .plots import plot_class_spectrum
from .table import Scalar, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class ClassSpectrum(Table):
    """The nonzero eigenvalues of the (centred) Gram matrix of a class over |H|; made by `class_spectrum`.

    Attributes
    ----------
    log2_eigenvalues : ndarray
        Their base-2 logarithms, which descend.
    log2_counts : ndarray
        log2 of how often each is one: 0 but for classes whose eigenvalues a formula says.
    guarantee : str
        Where they come from.
    log2_size : float
        log2 |H|.
    centred : bool
        Whether the class mean is subtracted.
    described : str
        The class in words.
    """

    column_types = MappingProxyType({"eigenvalue": float, "log2_eigenvalue": float, "log2_count": float})

    log2_eigenvalues: Array
    log2_counts: Array
    guarantee: str
    log2_size: float
    centred: bool
    described: str

    @property
    def eigenvalues(self) -> Array:
        """The eigenvalues; 0.0 where one underflows."""
        return np.array([exp2(log2) for log2 in self.log2_eigenvalues])

    def __len__(self) -> int:
        return len(self.log2_eigenvalues)

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return a row for each eigenvalue."""
        rows = zip(self.eigenvalues.tolist(), self.log2_eigenvalues.tolist(), self.log2_counts.tolist(), strict=True)
        return [dict(zip(self.column_types, row, strict=True)) for row in rows]

    def __repr__(self) -> str:
        count = format_log2(float(np.logaddexp2.reduce(self.log2_counts))) if len(self) else "0"
        top = f", the largest {format_log2(float(self.log2_eigenvalues[0]))}" if len(self) else ""
        share = f"; 1/|H| = {format_log2(-self.log2_size)}" if math.isfinite(self.log2_size) else ""
        return f"ClassSpectrum({count} eigenvalues{top}{share})"

    def _repr_html_(self) -> str:
        rows = [tuple(map(format_log2, pair)) for pair in zip(self.log2_eigenvalues, self.log2_counts, strict=True)]
        return as_page(f"{self.described}: {self!r}", [("eigenvalue", "times"), *rows], notes=[self.guarantee])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the eigenvalues by rank on logarithmic axes, and 1/|H| as a line; return the Axes.

        Needs matplotlib (the extra `plot`).
        """
        return plot_class_spectrum(self.log2_eigenvalues, self.log2_counts, self.log2_size, self.described, ax)
