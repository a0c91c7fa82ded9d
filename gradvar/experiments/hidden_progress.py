"""A run that seems stuck makes progress: the exact alignment grows forty times while the accuracy is that of a coin.

Paper: Barak, Edelman, Goel, Kakade, Malach and Zhang, "Hidden progress in deep learning: SGD learns parities near the
computational limit" (arXiv 2207.08799). At a relu unit's weights the gradient of the parity on S, |S| = k, has the
entries g^(S minus i) for i in S and g^(S plus j) for j outside, g the unit's gate. The Fourier gap is what the
smallest of the first has over the largest of the second: n^(-(k-1)/2) for weights of signs and even k. Long plateaus of
the loss, then a sudden fall, are the steady amplification of that gap.

Here: the gap from single coefficients, exact for any weights of up to 44 coordinates, over n and k, for units of signs
and for uniform random ones; then (n, k) = (30, 3), 128 units, weights of signs, hinge, SGD 0.1, batches of 64: the
accuracy is that of a coin for 8500 of 10 000 steps (rng = 0, 1, 2), while the alignment of the first 16 units grows
20 to 50 times without a break, their gap 2 times and not steadily, and their weights on S to 1.16 of those outside. The
loss falls on that plateau, from the 5 to which the first steps lift it, to the 1 of p = 0, and no further.

They differ: the paper follows the distance of the weights from where they began; the gradient itself is followed here.
20 000 samples would not see it (its square is below their noise of 3e-5). With odd k and biases near 0 the gap is that
of k + 1, n^(-k/2): the gate knows sets of even size by its threshold alone. In a run units whose threshold leaves the
cube's sums have no gap; medians over units are shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..classes.parities import Parities
from ..core.arguments import Array, SeedLike, seed_of
from ..models.mlp import MLP
from ..verbs.alignment import target_signal
from .reproduction.figure import log_axis, panels, style
from .reproduction.result import Comparison, Reproduction, numbers
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"dims": (11, 15, 21, 29), "units": 8})

_FLAT = 0.58
"""An accuracy up to this is that of a coin: 3.6 standard errors of 500 examples above 1/2."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HiddenProgressResult(Reproduction):
    """Gaps over n and k, a row each with `n`; and a run, a row each with `step`."""

    def plot(self) -> list[Axes]:
        """Draw the gaps over n, and along the run accuracy and loss above what grows meanwhile."""
        axes = panels(4, in_a_row=2)
        self._plot_gaps(axes[0], axes[1])
        names = ("step", "accuracy", "loss", "alignment", "gap", "weights")
        step, accuracy, loss, alignment, gap, weights = (
            numbers((row for row in self.rows if "step" in row), name) for name in names
        )
        seen, hidden = axes[2:]
        seen.plot(step, accuracy, label="accuracy", **style(0))
        seen.plot(step, loss, label="loss (hinge)", **style(1))
        seen.set_ylabel("on 500 fresh examples")
        for i, (label, values) in enumerate(
            {
                "alignment ‖E[h s]‖² of the first units": alignment,
                "Fourier gap, median over units": gap,
                "weights on S over weights outside": weights,
            }.items()
        ):
            hidden.semilogy(step, values / values[0], label=label, **style(i))
        hidden.set_ylabel("over its value before the first step")
        for ax in (seen, hidden):
            ax.set_xlabel("steps of gradient descent")
            ax.axvspan(0, step[_flat(accuracy)], color="grey", alpha=0.15, label="the plateau")
            ax.legend(fontsize=7)
        return axes

    def _plot_gaps(self, signs: Axes, uniform: Axes) -> None:
        rows = [row for row in self.rows if "n" in row]
        for i, k in enumerate(dict.fromkeys(row["k"] for row in rows)):
            n, gap, ratio, degree = (
                numbers((row for row in rows if row["k"] == k), name) for name in ("n", "gap", "uniform_ratio", "k")
            )
            power = -(degree[0] - 1) / 2
            line = style(i)
            signs.loglog(n, gap, label=f"k = {k}", **line)
            signs.loglog(n, gap[-1] * (n / n[-1]) ** power, ":", color="grey", label=f"slope {power:g} (paper)")
            uniform.loglog(n, ratio, label=f"k = {k}", **line)
        for ax in (signs, uniform):
            log_axis(ax, (float(row["n"] or 0) for row in rows))
            ax.set_xlabel("coordinates n")
            ax.legend(fontsize=7)
        signs.set_ylabel("Fourier gap of a unit of signs, exact")
        uniform.set_ylabel("uniform weights: |g^(S−i)| over |g^(S+j)|")
        uniform.axhline(1.0, color="grey", linewidth=0.8)


def run(
    dims: Sequence[int] = (11, 15, 21, 29, 39),
    degrees: Sequence[int] = (2, 4),
    n: int = 30,
    k: int = 3,
    steps: int = 14_000,
    units: int = 16,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> HiddenProgressResult:
    """Measure the Fourier gap over n and k, then follow it along a run.

    Parameters
    ----------
    dims, degrees : sequence of int
        n, odd, and k, even, of the gaps of single units.
    n, k, steps : int
        Of the run.
    units : int
        Units with uniform weights at each n and k, and units of the network that are followed.
    rng : int, SeedSequence, Generator or None
        Source of weights and examples.
    progress : bool
        Whether to show a bar over the steps.

    Returns
    -------
    HiddenProgressResult
        `.rows`, `.comparisons`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> round(run(dims=(11, 15), n=12, steps=500, units=4).rows[0]["gap"], 4)
    0.1094
    """
    seed = seed_of(rng)
    draw = np.random.default_rng(seed)
    rows: list[dict[str, float | int | None]] = []
    for size in degrees:
        for dim in dims:
            inside, outside = _gate(MLP([np.ones((1, dim)), [[1.0]]], activation="relu"), size)
            weights = draw.uniform(-1, 1, (units, dim)) / math.sqrt(dim)
            biases = draw.uniform(-1, 1, units) / math.sqrt(dim)
            random = MLP([weights, np.ones((1, units))], [biases, None], "relu")
            ratio = _rms_ratio(*_gate(random, size))
            gap = float(inside.min() - outside.max())
            row = {"n": dim, "k": size, "inside": float(inside.min()), "outside": float(outside.max())}
            rows.append({**row, "gap": gap, "uniform_ratio": ratio})
    comparisons = _of_gaps(rows)
    width = 128
    start = MLP(
        [draw.choice([-1.0, 1.0], (width, n)), draw.choice([-1.0, 1.0], (1, width)) / width],
        [draw.uniform(-1, 1, width), [0.0]],
        "relu",
    )
    target = Parities(n).member(subset=list(range(k)))
    found = descend(
        target,
        start,
        "hinge",
        steps=steps,
        batch=64,
        learning_rate=0.1,
        until=0.99,
        rng=seed,
        record=500,
        progress=progress,
    )
    records = zip(found.steps.tolist(), found.losses.tolist(), found.accuracies.tolist(), found.snapshots, strict=True)
    for step, loss, accuracy, model in records:
        rows.append({"step": step, "loss": loss, "accuracy": accuracy, **_progress(model, k, units)})
    return HiddenProgressResult(
        rows=tuple(rows),
        comparisons=(*comparisons, *_of_run([row for row in rows if "step" in row])),
        notes=("20 000 sampled inputs know a squared signal to 3e-5 at best: only the exact one shows its growth.",),
        seed=seed,
    )


def _gate(model: MLP, k: int) -> tuple[Array, Array]:
    """|g^(S minus i)|, shape (m, k), and |g^(S plus j)|, shape (m, n - k), of each unit's gate g; S the first k."""
    signal = target_signal(Parities(model.dim).member(subset=list(range(k))), model, "correlation")
    # E[h s] = -a_j E[chi_S g_j x_i], and chi_S x_i is the parity of S xor {i}
    entries = np.abs(signal.layers["weights[0]"] / model.weights[1][0][:, None])
    return entries[:, :k], entries[:, k:]


def _progress(model: MLP, k: int, units: int) -> dict[str, float]:
    """What a model's first units know of the parity of the first k coordinates."""
    first, last = model.weights
    bias = model.biases[0]
    some = MLP([first[:units], last[:, :units]], [None if bias is None else bias[:units], None], "relu")
    target = Parities(model.dim).member(subset=list(range(k)))
    inside, outside = _gate(some, k)
    return {
        "alignment": float(np.sum(target_signal(target, some, "correlation").vector ** 2)),
        "gap": float(np.median(inside.min(axis=1) - outside.max(axis=1))),
        "weights": float(np.abs(first[:, :k]).mean() / np.abs(first[:, k:]).mean()),
    }


def _of_gaps(rows: Sequence[Mapping[str, float | int | None]]) -> list[Comparison]:
    """The exponent of the gap, and what is known of majorities."""
    found, n = [], numbers(rows, "n")
    inside, outside, gap, k, uniform = (
        numbers(rows, name) for name in ("inside", "outside", "gap", "k", "uniform_ratio")
    )
    for size in np.unique(k):
        last, before = np.flatnonzero(k == size)[[-1, -2]]
        here, power = math.log(gap[last] / gap[before]) / math.log(n[last] / n[before]), -(size - 1) / 2
        slack = size / n[before]  # the next term of the coefficients is of relative size k/n
        found += [
            Comparison(
                what=f"k = {size:g}: power of n in the gap, n = {n[before]:g} to {n[last]:g}",
                here=here,
                low=power - slack,
                high=power + slack,
                paper=float(power),
            ),
            Comparison(
                what=f"k = {size:g}: uniform weights, inside over outside, n = {n[last]:g}", here=uniform[last], low=1.0
            ),
        ]
    off = np.abs(inside / outside * (k - 1) / (n - k) - 1).max()
    return [*found, Comparison(what="signs: inside/outside is (n-k)/(k-1), largest error", here=off, low=0, high=1e-9)]


def _of_run(rows: Sequence[Mapping[str, float | int | None]]) -> list[Comparison]:
    """That the run is flat, is learned, and that what is hidden grows on the plateau."""
    step, accuracy, loss, alignment, gap, weights = (
        numbers(rows, name) for name in ("step", "accuracy", "loss", "alignment", "gap", "weights")
    )
    end = _flat(accuracy)
    return [
        Comparison(what="accuracy at the end of the run", here=accuracy[-1], low=0.95, high=1.0, paper=1.0),
        Comparison(what="share of the run that is a plateau", here=step[end] / step[-1], low=0.5, high=1.0),
        Comparison(what="least loss on it (1 is that of p = 0)", here=loss[: end + 1].min(), low=0.9),
        Comparison(what="alignment grows there by the factor", here=alignment[end] / alignment[0], low=3.0),
        Comparison(what="the gap grows there by the factor", here=gap[end] / gap[0], low=1.0),
        Comparison(what="weights on S over those outside, at its end", here=weights[end], low=1.05),
    ]


def _rms_ratio(inside: Array, outside: Array) -> float:
    return math.sqrt(float(np.mean(inside**2) / np.mean(outside**2)))


def _flat(accuracies: Array) -> int:
    """The index of the last record of the plateau: before the first one that no coin would have."""
    above = np.flatnonzero(accuracies > _FLAT)
    return int(above[0]) - 1 if above.size else len(accuracies) - 1
