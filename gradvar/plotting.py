"""Plots of results. Imports matplotlib when one is drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .report import TITLES
from .results import BoundCheck, log2_end

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_bound_check(check: BoundCheck, ax: Axes | None = None) -> Axes:
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
