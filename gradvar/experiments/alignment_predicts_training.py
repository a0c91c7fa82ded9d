"""Steps until a run has learned its parity against the exact alignment at its initial weights: the number predicts.

Paper: Abbe, Cornacchia, Hazla and Kougang-Yombi, "Learning High-Degree Parities: The Crucial Role of the
Initialization" (arXiv 2412.04910), hold the gradient's alignment with the target at the initial weights against what
is learned: where it is small, noisy gradient descent learns nothing in few steps. The alignment is
A = ||E_x[h s]||^2, the part of the gradient that knows the target h; FGBDL (arXiv 1703.07950) bounds its mean over h.

Here: A exact, and the noise of one example's gradient, at the initial weights; then steps of SGD (rate 0.02, fresh
batches of 64, hinge) until 95% accuracy, over d, degree k, scale, width, activation, initialisation and architecture.
At the full settings (160 runs, rng=0): the rank correlation of steps with A is .92 over the 80 runs
of one network, with A over the noise .95, with the degree alone .87; over all networks, with A over the noise, .93.
A second seed gives .93, .95, .87 and .93.

They differ: the paper proves that a small A forbids learning; that A also says when it happens is measured here and no
theorem. It fails for initialisations that start flat and find features later: a readout of zeros has A = 0 for
odd k >= 3, and learns as soon as its first steps have made one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..classes.parities import Parities
from ..core.arguments import Array, SeedLike, seed_of
from ..models.base import KnowsParameters
from ..models.mlp import MLP
from ..models.recurrent import Recurrent
from ..models.residual_mlp import ResidualMLP
from ..results.table import Scalar
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction, exact, numbers
from .training.along import along
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"dims": (6, 10), "seeds": 1, "other_dims": (6,)})

_KNOWN = 0.94
"""The rank correlation over 80 runs, measured before this file was written."""
_BASE, _FLAT = ("relu", "relu, twice the scale"), "readout of zeros"


def _signs(d: int, seed: int) -> MLP:
    draw = np.random.default_rng(seed)
    weights = [draw.choice([-1.0, 1.0], (m, n)) / math.sqrt(n) for m, n in ((100, d), (1, 100))]
    return MLP(weights, [np.zeros(100), np.zeros(1)], "relu")


def _zeros(d: int, seed: int) -> MLP:
    start = MLP.random([d, 100, 1], "relu", seed)
    return MLP([start.weights[0], 0 * start.weights[1]], start.biases, "relu")


_NETWORKS: dict[str, Callable[[int, int], KnowsParameters]] = {
    "relu": lambda d, seed: MLP.random([d, 100, 1], "relu", seed),
    "relu, twice the scale": lambda d, seed: MLP.random([d, 100, 1], "relu", seed, scale=2.0),
    "30 units": lambda d, seed: MLP.random([d, 30, 1], "relu", seed),
    "300 units": lambda d, seed: MLP.random([d, 300, 1], "relu", seed),
    "tanh": lambda d, seed: MLP.random([d, 100, 1], "tanh", seed),
    "weights of signs": _signs,
    "two hidden layers": lambda d, seed: MLP.random([d, 50, 50, 1], "relu", seed, scale=math.sqrt(2)),
    "residual": lambda d, seed: ResidualMLP.random(d, 50, blocks=2, rng=seed),
    "recurrent": lambda d, seed: Recurrent.random(d, 30, rng=seed),
    _FLAT: _zeros,
}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AlignmentResult(Reproduction):
    """A row a run: network, d, k, seed, alignment, noise, steps, and whether it has learned in these."""

    def plot(self) -> list[Axes]:
        """Draw the steps until a parity was learned over the alignment, and over the alignment per noise."""
        left, right = panels(2, width=6.0, height=4.6)
        base = [row for row in self.rows if row["network"] in _BASE]
        for i, k in enumerate(sorted({row["k"] for row in base if row["k"] is not None})):
            self._scatter(left, [row for row in base if row["k"] == k], i, f"degree k = {k}", noise=False)
        for i, name in enumerate(dict.fromkeys(row["network"] for row in self.rows)):
            self._scatter(right, [row for row in self.rows if row["network"] == name], i, str(name), noise=True)
        said = {c.what: c.here for c in self.comparisons}
        for ax, name in ((left, _ALONE), (right, _OVER_NOISE)):
            ax.set_title(f"rank correlation {said.get(name, math.nan):.2f}", fontsize=10)
            ax.set_ylabel("steps until 95% accuracy")
        left.legend(fontsize=7)
        right.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        left.set_xlabel("alignment ‖E[h s]‖² at the initial weights, exact")
        right.set_xlabel("alignment over the noise of one example, at the initial weights")
        return [left, right]

    def _scatter(self, ax: Axes, rows: Sequence[Mapping[str, Scalar]], i: int, label: str, *, noise: bool) -> None:
        """Points of one colour and marker: hollow where nothing was learned, at the left edge where A is 0."""
        everywhere = _alignments(self.rows, noise)
        edge = everywhere[everywhere > _ZERO].min() / 4
        x, y, learned = _alignments(rows, noise), numbers(rows, "steps"), numbers(rows, "learned") > 0
        look, marker = style(i), style(i + i // 7)["marker"]
        for some, words in ((learned, label), (~learned, f"{label}, not learned")):
            if some.any():
                face = look["color"] if words == label else "none"
                at = np.maximum(x[some], edge)
                ax.scatter(at, y[some], s=26, marker=marker, c=face, edgecolors=look["color"], label=words)
        ax.set_xscale("log")
        ax.set_yscale("log")
        if (x <= _ZERO).any():
            ax.axvline(edge, color="grey", linewidth=0.8, linestyle=":")
            ax.annotate("alignment 0", (edge, 25), rotation=90, fontsize=8, ha="right", va="bottom")


_ZERO = 1e-20
"""Alignments up to this are rounding."""
_ALONE = "rank correlation with the alignment, one network"
_OVER_NOISE = "rank correlation with alignment over noise, all networks"


def run(
    dims: Sequence[int] = (6, 8, 10, 12),
    degrees: Sequence[int] = (1, 2, 3, 4, 5),
    seeds: int = 2,
    other_dims: Sequence[int] = (6, 10),
    steps: int = 10_000,
    batch: int = 64,
    learning_rate: float = 0.02,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> AlignmentResult:
    """Measure the alignment at the initial weights, train, and rank the runs by both.

    Parameters
    ----------
    dims, degrees : sequence of int
        d and k of the parities for a network of 100 relu units, at two scales.
    seeds : int
        Runs of that network at each d, k and scale.
    other_dims : sequence of int
        d of the other networks, one run for each k.
    steps, batch, learning_rate
        Of gradient descent; the accuracy is recorded every 20 steps.
    rng : int, SeedSequence, Generator or None
        Source of subsets, weights and examples.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    AlignmentResult
        `.rows`, `.comparisons`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> found = run(dims=[6], degrees=[1, 2, 4], seeds=1, other_dims=[])
    >>> [row["steps"] for row in found.rows if row["network"] == "relu"]
    [20, 80, 480]
    """
    from ..core.bars import tqdm

    seed = seed_of(rng)
    grid = [(name, d, k, s) for name in _BASE for d in dims for k in degrees for s in range(seeds)]
    grid += [(name, d, k, 0) for name in _NETWORKS if name not in _BASE for d in other_dims for k in degrees]
    rows: list[dict[str, Scalar]] = []
    for name, d, k, s in tqdm(grid, unit="run", disable=not progress):
        which = np.random.default_rng([seed, s, d, k]).choice(d, k, replace=False).tolist()
        target, start = Parities(d).member(subset=which), _NETWORKS[name](d, seed + s)
        first = along(Parities(d), [start], "hinge", target=target, batch=batch, rng=seed)
        found = descend(
            target,
            start,
            "hinge",
            steps=steps,
            batch=batch,
            learning_rate=learning_rate,
            until=0.95,
            rng=seed + s,
            record=20,
        )
        rows.append(
            {
                "network": name,
                "d": d,
                "k": k,
                "seed": s,
                "alignment": exact(first.alignments[0]).value,
                "noise": first.noises[0].value,
                "steps": found.n_steps,
                "learned": bool(found.accuracies[-1] >= 0.95),
            }
        )
    return AlignmentResult(
        rows=tuple(rows),
        comparisons=tuple(_ranks(rows)),
        notes=("What was not learned counts as the slowest. A readout of zeros is not in the ranks: there A fails.",),
        seed=seed,
    )


def _alignments(rows: Sequence[Mapping[str, Scalar]], noise: bool) -> Array:
    """The alignments at the initial weights, over the noise or not."""
    return numbers(rows, "alignment") / (numbers(rows, "noise") if noise else 1.0)


def _rank_correlation(a: Array, b: Array) -> float:
    """Spearman's, with mean ranks where numbers are equal."""
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _ranks(rows: Sequence[Mapping[str, Scalar]]) -> list[Comparison]:
    """How well the alignment at the start ranks the runs, and where it does not."""
    base = [row for row in rows if row["network"] in _BASE]
    others = [row for row in rows if row["network"] != _FLAT]
    steps, k = numbers(base, "steps"), numbers(base, "k")
    by_alignment, by_degree = _rank_correlation(-_alignments(base, False), steps), _rank_correlation(k, steps)
    # Fisher: atanh of a rank correlation of n runs is normal about the truth, of variance about 1.06/(n - 3)
    least = math.tanh(math.atanh(_KNOWN) - 2 * math.sqrt(1.06 / max(len(base) - 3, 1)))
    found = [
        Comparison(what=_ALONE, here=by_alignment, low=least, high=1.0),
        Comparison(
            what="with alignment over noise",
            here=_rank_correlation(-_alignments(base, True), steps),
            low=least,
            high=1.0,
        ),
        Comparison(what="with the degree k alone: worse", here=by_degree, low=-1.0, high=by_alignment),
        Comparison(
            what=_OVER_NOISE,
            here=_rank_correlation(-_alignments(others, True), numbers(others, "steps")),
            low=0.8,
            high=1.0,
        ),
    ]
    if {3.0, 4.0} <= set(k):
        ratio = float(np.median(steps[k == 4]) / np.median(steps[k == 3]))
        found.append(Comparison(what="k = 4 is learned before k = 3: steps over steps", here=ratio, low=0.0, high=1.0))
    flat = [row for row in rows if row["network"] == _FLAT]
    if flat:
        count = np.count_nonzero((_alignments(flat, False) <= _ZERO) & (numbers(flat, "learned") > 0))
        found.append(Comparison(what="learned from an alignment of 0 (readout of zeros)", here=float(count), low=1.0))
    return found
