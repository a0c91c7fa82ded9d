"""Plots of results. Imports matplotlib when one is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, integer, real_array
from ..core.numbers import exp2, format_log2, log2_end, power_of_two
from .estimate import Estimate
from .findings import Bound, Findings
from .plots_style import (
    AT_MOST,
    BLUE,
    GREEN,
    GREY,
    RED,
    UNRESOLVED,
    draw_points,
    key,
    keys_of,
    legend_beside,
    named_lines,
    new_axes,
    palette,
    powers_of_two,
    style,
    titled,
    unit_of,
    whole_numbers,
)
from .report import TITLES
from .table import Scalar

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_descent(
    steps: npt.NDArray[np.int64], losses: Array, accuracies: Array, parts: Mapping[str, str], ax: Axes | None = None
) -> Axes:
    """Draw the loss and the accuracy over the steps; return the Axes of the loss. See `Descent.plot`."""
    ax = new_axes(ax, 7, 4)
    ax.plot(steps, losses, "o-", color=BLUE, markersize=3)
    ax.set_xlabel("step")
    ax.set_ylabel(f"loss (circles): {parts['loss']}", color=BLUE)
    ax.grid(alpha=0.3)
    whole_numbers(ax, "x")
    titled(ax, f"{parts['model']}, {parts['optimizer']}")
    if not np.isnan(accuracies).all():
        right = ax.twinx()
        right.plot(steps, accuracies, "s--", color=RED, markersize=3)
        right.set_ylim(-0.02, 1.02)
        right.set_ylabel("accuracy (squares)", color=RED)
    return ax


def plot_bound_check(check: Findings, ax: Axes | None = None) -> Axes:
    """Draw the variance with its interval and every bound on an axis of powers of two; return the Axes."""
    ax = new_axes(ax, 8, 3.4)
    bounds = [bound for bound in check.bounds.values() if math.isfinite(bound.log2)]
    for y, bound in enumerate(bounds, start=1):
        ends = [end for end in bound.log2_interval if math.isfinite(end) and bound.applicable]
        colour = RED if bound.name == check.bound_name else GREY
        ax.plot(ends, [y] * len(ends), "-", color=colour, lw=2)
        ax.plot(bound.log2, y, "D", color=colour, fillstyle="full" if bound.applicable else "none")
    spread = [end for bound in bounds for end in (bound.log2, *(bound.log2_interval if bound.applicable else ()))]
    known = [end for end in spread if math.isfinite(end)] + _log2_ends(check.variance)
    left, right = min(known, default=-1.0), max(known, default=1.0)
    margin = max(1.0, 0.08 * (right - left))
    ax.set_xlim(left - margin, right + margin)
    said = _draw_variance(ax, check.variance)
    if math.isfinite(check.log2_bound):
        ax.axvline(check.log2_bound, color=RED, lw=0.8, ls=":")
    ax.set_yticks(range(len(bounds) + 1), [said, *map(_title, bounds)])
    ax.set_ylim(len(bounds) + 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)
    powers_of_two(ax, "x")
    ax.set_xlabel("Var and its upper bounds")
    titled(ax, f"{check.problem['class']}: {check.verdict}", 9)  # names of bounds take room
    return ax


def _title(bound: Bound) -> str:
    return TITLES[bound.name] + ("" if bound.applicable else "\n(not applicable)")


def _log2_ends(estimate: Estimate) -> list[float]:
    """The finite logarithms of an estimate and of the ends of its interval."""
    ends = [log2_end(end, estimate.exponent) for end in estimate.mantissa_interval]
    return [end for end in ([estimate.log2] if estimate.resolved else []) + ends if math.isfinite(end)]


def _draw_variance(ax: Axes, variance: Estimate) -> str:
    """Draw the estimate at height 0 of an axis of logarithms whose limits are set; return what is drawn, in words."""
    low, high = (log2_end(end, variance.exponent) for end in variance.mantissa_interval)
    left, right = (end if math.isfinite(end) else edge for end, edge in zip((low, high), ax.get_xlim(), strict=True))
    if variance.resolved and math.isfinite(variance.log2):
        ax.plot([left, right], [0, 0], "-", color=BLUE, lw=2)
        ax.plot(variance.log2, 0, "o", color=BLUE)
        return "Var" + ("" if variance.exact else ", with interval")
    if not variance.resolved:
        ax.plot([left, right], [0, 0], ":", color=BLUE, lw=2)
        if math.isfinite(low):
            ax.plot(low, 0, ">", color=BLUE, fillstyle="none")
            return "Var, at least"
        ax.plot(0.02, 0, "x", color=BLUE, transform=ax.get_yaxis_transform())
        return "Var, unresolved"
    if math.isfinite(high):
        ax.plot([left, high], [0, 0], "-", color=BLUE, lw=2)
        ax.plot(high, 0, "<", color=BLUE, fillstyle="none")
        return "Var, at most"
    ax.plot(0.02, 0, "<", color=BLUE, fillstyle="none", transform=ax.get_yaxis_transform())
    return "Var = 0" if variance.mantissa == 0 else "Var < 0"


def plot_layers(layers: Mapping[str, Estimate], ax: Axes | None = None) -> Axes:
    """Draw a bar for each layer with its interval, the first on top; return the Axes."""
    ax = new_axes(ax, 7, 1.2 + 0.4 * len(layers))
    resolved = [found for found in layers.values() if found.resolved]
    unit = unit_of([found.mantissa for found in resolved], [found.exponent for found in resolved])
    for y, found in enumerate(layers.values()):
        if not found.resolved:
            ax.text(0.0, y, " unresolved", va="center", color=GREY)
            continue
        value, low, high = (
            power_of_two(part, found.exponent - unit) for part in (found.mantissa, *found.mantissa_interval)
        )
        ax.barh(y, value, color=BLUE, alpha=0.7)
        if math.isfinite(high - low) and not found.exact:
            ax.plot([low, high], [y, y], "|-", color=palette()[0], lw=1.5)
    ax.set_yticks(range(len(layers)), list(layers))
    ax.set_ylim(len(layers) - 0.4, -0.6)
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel("number of each layer" + (f", in units of $2^{{{unit}}}$" if unit else ""))
    return ax


def plot_estimates(ax: Axes, at: Array, estimates: Sequence[Estimate], label: str, number: int = 0) -> None:
    """Draw estimates on an axis of base-2 logarithms, and say so in its legend."""
    ends = [(found.mantissa, *found.mantissa_interval) for found in estimates]
    # logarithms of what is not positive are nan, of no end at all too
    logs = np.array([[log2_end(end, e.exponent) for end in row] for row, e in zip(ends, estimates, strict=True)])
    value, low, high = np.where(np.isfinite(logs), logs, np.nan).T
    unresolved = np.array([not found.resolved for found in estimates])
    shown = np.concatenate([value[~unresolved], high[~unresolved]])
    shown = shown[np.isfinite(shown)]
    bottom = float(shown.min() - 0.1 * np.ptp(shown) - 1) if shown.size else 0.0
    look = style(number)
    draw_points(ax, at, (value, low, high), unresolved, bottom, {**look, "linestyle": "none"})
    keys = {**keys_of(ax), label: key(look["marker"], look["color"], True)}
    if (np.isnan(value) & ~unresolved).any():
        keys[AT_MOST] = key("v")
    if unresolved.any():
        keys[UNRESOLVED] = key("x")
    legend_beside(ax, keys)


def plot_signal_and_noise(ax: Axes, rows: Sequence[Mapping[str, Scalar]], crossing: Scalar) -> None:
    """Draw the alignment of the target that is trained on and the noise of a batch over the steps, on a log axis."""

    def column(name: str) -> Array:
        return np.array([row.get(name) for row in rows], dtype=np.float64)

    steps, value, high, noise = map(column, ("step", "alignment", "alignment_high", "batch_noise"))
    shown = np.concatenate([value, high, noise, column("value"), column("bound")])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    if shown.size:  # of a model without a gradient all are zero
        ax.set_yscale("log")
        ax.set_ylim(shown.min() / 3, shown.max() * 3)
    ax.set_ylabel("gradient variance, alignment, noise")
    if not np.isnan(value).all():  # tasks have none
        label = "alignment of the target"
        ax.plot(steps, np.where(value > 0, value, np.nan), "s-", color=GREEN, ms=4, label=label)
    if (value <= 0).any():
        ax.plot(steps[value <= 0], high[value <= 0], "v", color=GREEN, fillstyle="none", label="alignment, at most")
    ax.plot(steps, np.where(noise > 0, noise, np.nan), "^:", color=RED, ms=4, lw=2, label="noise of a batch")
    if crossing is not None:
        ax.axvline(float(crossing), color=RED, lw=0.8, label="alignment exceeds noise")
    legend_beside(ax, {"gradient variance": key("o", palette()[0], True), **keys_of(ax), **named_lines(ax)})


def plot_degree_spectrum(
    spectrum: npt.ArrayLike | Mapping[int, Estimate], ax: Axes | None = None, *, label: str = "mean over S"
) -> Axes:
    """Draw the mean squared signal of the parities of each degree, E_{|S|=k} ||E[chi_S s]||^2; return the Axes.

    An entry that rounding may have made is an open triangle at the most that it can be. Needs matplotlib (the extra
    `plot`).

    Parameters
    ----------
    spectrum : array of shape (d + 1,) or mapping of int to Estimate
        What `degree_spectrum` returns; or the number of each degree that is known, such as
        `{k: gradient_alignment(SparseParities(1000, k), model) for k in (1, 2, 3)}`.
    ax : matplotlib Axes or None
        Where to draw, beside what is there; None makes a figure.
    label : str
        Its name in the legend, where several are drawn.

    Raises
    ------
    TypeError, ShapeError, NonFiniteError, ValueError
        Neither numbers >= 0 of each degree nor estimates by degree; none at all.

    Examples
    --------
    >>> import gradvar as gv
    >>> before = gv.degree_spectrum(gv.MLP.random([8, 16, 1], rng=0))
    >>> ax = gv.plot_degree_spectrum(before, label="at the start")
    """
    if isinstance(spectrum, Mapping):
        known = {integer("spectrum", degree, 0): _estimated(spectrum[degree]) for degree in spectrum}
    else:
        known = _with_rounding(real_array("spectrum", spectrum, 1, "(d + 1,)"))
    if not known:
        raise ValueError("`spectrum` must have a degree, got none")
    ax = new_axes(ax, 7, 4)
    at = np.array(list(known), dtype=np.float64)
    plot_estimates(ax, at, list(known.values()), label, len(ax.containers))
    powers_of_two(ax, "y")
    whole_numbers(ax, "x")
    ax.set_xlabel("degree k = |S| of the parity")
    ax.set_ylabel("mean squared signal, E‖E[χ s]‖²")
    ax.grid(alpha=0.3)
    return ax


def _estimated(found: object) -> Estimate:
    if not isinstance(found, Estimate):
        raise TypeError(f"`spectrum` must have an Estimate of each degree, as gradient_alignment has, got {found!r}")
    return found


def _with_rounding(spectrum: Array) -> dict[int, Estimate]:
    """The entries of `degree_spectrum`, with the error that it states; 0 where that is as large as the entry."""
    if (spectrum < 0).any():
        raise ValueError(f"`spectrum` must have numbers >= 0, got {spectrum.min():.6g} at index {spectrum.argmin()}")
    d = len(spectrum) - 1
    log2_counts = np.array([math.log2(math.comb(d, k)) for k in range(d + 1)])
    log2_entries = np.log2(spectrum, where=spectrum > 0, out=np.full(d + 1, -math.inf))
    log2_norm = float(np.logaddexp2.reduce(log2_counts + log2_entries, initial=-math.inf))  # E||s||^2, by Parseval
    known = {}
    for k, entry in enumerate(spectrum):
        delta = 4 * (d + 8) * 2.0**-52 * exp2((log2_norm - float(log2_counts[k])) / 2)
        error = delta * (delta + 2 * math.sqrt(entry))
        value = float(entry) if entry > error else 0.0
        ends = (max(value - error, 0.0), float(entry) + error)
        known[k] = Estimate(mantissa=value, mantissa_interval=ends, exact=True, method="", guarantee="")
    return known


def plot_class_spectrum(
    log2_eigenvalues: Array, log2_counts: Array, log2_size: float, described: str, ax: Axes | None = None
) -> Axes:
    """Draw eigenvalues by rank, and 1/|H| as a line; return the Axes. See `ClassSpectrum.plot`."""
    ax = new_axes(ax, 7, 4)
    last = np.logaddexp2.accumulate(log2_counts)  # log2 of the rank of the last of equal ones
    few = not len(last) or last[-1] <= 6
    first = np.concatenate([[0.0], np.log2(np.exp2(last[:-1]) + 1) if few else last[:-1]])[: len(last)]
    ranks = np.stack([first, np.maximum(last, first)], axis=1).ravel()
    at = np.exp2(ranks) if few else ranks
    ax.plot(at, np.repeat(log2_eigenvalues, 2), "o-", color=BLUE, ms=4, label="eigenvalues")
    if math.isfinite(log2_size):
        ax.axhline(-log2_size, color=RED, ls="--", lw=1.2, label="1/|H|, as of an orthonormal class")
    powers_of_two(ax, "y")
    (whole_numbers if few else powers_of_two)(ax, "x")
    shown = [*log2_eigenvalues, *([-log2_size] if math.isfinite(log2_size) else [])]
    if shown:
        ax.set_ylim(min(shown) - 1, max(shown) + 1)
    ax.set_xlabel("rank of the eigenvalue")
    ax.set_ylabel("eigenvalue of Gram/|H|")
    titled(ax, f"{described}: rank {format_log2(float(last[-1]))}" if len(last) else f"{described}: all are zero")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return ax
