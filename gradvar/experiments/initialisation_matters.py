"""The parity of all bits from signs as first weights and from Gaussian ones: what the gradient knows decides.

Paper: Abbe, Cornacchia, Hązła, Kougang-Yombi, "Learning High-Degree Parities: The Crucial Role of the Initialization"
(arXiv 2412.04910). Two-layer relu networks learn the full parity from first weights that are random signs; a Gaussian
perturbation of a constant size sigma prevents it, by a small gradient alignment, the squared norm of the difference
between the gradients for the parity and for random labels. The positive result holds up to sigma = O(1/d).

Here: the alignment of one relu unit (output weight 1, bias 1/2), exact, in the median over draws: for signs 1.34e-2 at
d = 16, and like d^-1.09; for signs + .3 N(0, 1) 2e-3; for Gaussian weights some 1e-6, less by a factor of .44 with each
bit. Beside it what two batches of 8192 would have shown: from a few 1e-3 on their own noise, 2 E||s||^2/8192, hundreds
of times the truth. Then networks of 512 units trained from the three: after 25 000 steps at d = 20 accuracies are
.94 and .95, .97 and .97, .50 and .55 in two runs each.

They differ: the paper estimates the alignment from samples. For .3, a constant, it finds no learning in the limit of
large d; at d = 20 it is learned like signs are. There is no threshold in sigma at a given d.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..classes import Parities
from ..core.arguments import Array, SeedLike, generator, seed_of
from ..models.mlp import MLP
from ..results.table import Scalar
from ..verbs.alignment import gradient_alignment
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction, exact, numbers
from .training.results import Descent
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType(
    {"dims": (8, 12, 16, 20, 24), "sigmas": (0.02, 0.1, 0.3, 1.0), "draws": 15, "train_dim": 12, "steps": 4000}
)
_KINDS = ("signs", "signs + 0.3 N(0, 1)", "Gaussian")
_SIGMA = 0.3
_BATCH = 8192
_KNOWN = {8: 2.946853638e-2, 16: 1.342288294e-2, 20: 1.056167127e-2}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class InitialisationResult(Reproduction):
    """The alignment over d and sigma, and training; a row for each: kind, dim, sigma, median, ..., steps, accuracy.

    Attributes
    ----------
    runs : dict of str to Descent
        The training run from each initialisation.
    """

    runs: Mapping[str, Descent[MLP]]

    def plot(self) -> list[Axes]:
        """Draw the alignment over d and over sigma, exact and by two batches, and the accuracy along training."""
        axes = panels(3, width=4.8)
        over_d, over_sigma, training = axes
        for i, kind in enumerate(_KINDS):
            rows = [row for row in self.rows if row["kind"] == kind and "median" in row]
            d, middle = numbers(rows, "dim"), numbers(rows, "median")
            ends = np.stack([middle - numbers(rows, "low"), numbers(rows, "high") - middle])
            over_d.errorbar(d, middle, ends, capsize=2, label=f"{kind}, exact", **style(i))
            (sampled,) = over_d.plot(d, numbers(rows, "sampled"), label=f"{kind}, two batches", **style(i))
            sampled.set(linestyle="", fillstyle="none")
        rows = [row for row in self.rows if row["kind"] == "sigma"]
        sigma, middle = numbers(rows, "sigma"), numbers(rows, "median")
        ends = np.stack([middle - numbers(rows, "low"), numbers(rows, "high") - middle])
        over_sigma.errorbar(sigma, middle, ends, capsize=2, label="exact", **style(0))
        (sampled,) = over_sigma.plot(sigma, numbers(rows, "sampled"), label="two batches", **style(0))
        sampled.set(linestyle="", fillstyle="none")
        dim = int(numbers(rows, "dim")[0])
        over_sigma.axvline(1 / dim, color="0.5", linestyle=":", label="1/d, up to which the paper proves learning")
        for i, (kind, run) in enumerate(self.runs.items()):
            training.plot(run.steps, run.accuracies, label=kind, **(style(i) | {"marker": ""}))
        words = "squared signal of the full parity"
        over_d.set(xlabel="dimension d", ylabel=words, yscale="log", title="One relu unit; median, quartiles")
        over_sigma.set(
            xlabel="σ of signs + σ N(0, 1)", ylabel=words, xscale="log", yscale="log", title=f"One relu unit, d = {dim}"
        )
        training.set(xlabel="step", ylabel="accuracy on 500 fresh examples", title="Training follows it")
        for ax in axes:
            ax.legend(fontsize=7)
        return axes


def run(
    dims: Sequence[int] = (8, 12, 16, 20, 24, 28, 32, 36),
    sigmas: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0),
    draws: int = 51,
    train_dim: int = 20,
    width: int = 512,
    steps: int = 25_000,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> InitialisationResult:
    """Measure the alignment of the full parity under three initialisations, and train from them.

    Parameters
    ----------
    dims : sequence of int
        Dimensions of the cube, up to 40 in seconds; sigma is varied at the one nearest to 16.
    sigmas : sequence of float
        Perturbations of the signs.
    draws : int
        Draws of the weights behind each median.
    train_dim, width, steps : int
        Of the training runs: hinge, SGD with learning rate .05, fresh batches of 256, first biases uniform in
        {-d, ..., d} + 1/2, output weights +-1/width.
    rng : int, SeedSequence, Generator or None
        Source of weights and examples.
    progress : bool
        Whether to show bars.

    Returns
    -------
    InitialisationResult
        `.rows`, `.comparisons`, `.runs`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> found = run(dims=[8], sigmas=[0.1], draws=3, train_dim=4, width=16, steps=20)
    >>> found.rows[0]["kind"], round(found.rows[0]["median"], 10)
    ('signs', 0.0294685364)
    """
    from ..core.bars import tqdm

    seed = seed_of(rng)
    source = generator(seed)
    rows: list[dict[str, Scalar]] = []
    for d in tqdm(dims, unit="dimension", disable=not progress):
        weights = _three(draws, d, source)
        rows += [{"kind": kind, "dim": d, "sigma": None, **_medians(some, source)} for kind, some in weights.items()]
    middle = min(dims, key=lambda d: abs(d - 16))
    signs, _, noise = _three(draws, middle, source).values()
    for sigma in tqdm(sigmas, unit="sigma", disable=not progress):
        rows.append({"kind": "sigma", "dim": middle, "sigma": sigma, **_medians(signs + sigma * noise, source)})
    starts = _networks(width, train_dim, source)
    target = Parities(train_dim).member([True] * train_dim)
    runs = {
        kind: descend(
            target,
            start,
            "hinge",
            steps=steps,
            batch=256,
            learning_rate=0.05,
            until=0.99,
            rng=seed,
            record=250,
            progress=progress,
        )
        for kind, start in starts.items()
    }
    trained: list[dict[str, Scalar]] = [
        {
            "kind": kind,
            "dim": train_dim,
            # the hinge's where |p| < 1
            "alignment": exact(gradient_alignment(target, starts[kind], "correlation", rng=seed)).value,
            "steps": found.n_steps,
            # at this learning rate single records fall out of line
            "accuracy": float(np.median(found.accuracies[-10:] if found.n_steps == steps else found.accuracies[-1])),
        }
        for kind, found in runs.items()
    ]
    return InitialisationResult(
        rows=(*rows, *trained),
        comparisons=(*_of_units(rows, middle), *_of_training(trained)),
        notes=(
            "Medians over draws: single Gaussian draws spread over orders of magnitude.",
            "At these small d Gaussian weights begin to learn too, late: at d = 12 after some 6000 steps.",
        ),
        seed=seed,
        runs=MappingProxyType(runs),
    )


def _three(count: int, d: int, source: np.random.Generator) -> dict[str, Array]:
    """First weights (count, d) of the three kinds, of the same signs and the same noise."""
    signs, noise = source.choice([-1.0, 1.0], (count, d)), source.standard_normal((count, d))
    return dict(zip(_KINDS, (signs, signs + _SIGMA * noise, noise), strict=True))


def _networks(width: int, d: int, source: np.random.Generator) -> dict[str, MLP]:
    """Networks to train, which differ in their first weights only."""
    weights = _three(width, d, source)
    biases, output = source.integers(-d, d + 1, width) + 0.5, source.choice([-1.0, 1.0], (1, width)) / width
    return {kind: MLP([some, output], [biases, [0.0]], "relu") for kind, some in weights.items()}


def _medians(weights: Array, source: np.random.Generator) -> dict[str, Scalar]:
    """The alignment of the full parity for relu units with these weights, and what two batches show of it."""
    d = weights.shape[1]
    target, inputs = Parities(d).member([True] * d), Parities(d).inputs
    known, sampled, floor = [], [], []
    for w in weights:
        unit = MLP([w[None], [[1.0]]], [[0.5], None], "relu")
        known.append(exact(gradient_alignment(target, unit)).value)
        # gradients of 1/2 (p - y)^2 for y = h and for random y, less what both share
        x, x2 = inputs.sample(_BATCH, source), inputs.sample(_BATCH, source)
        g, g2 = unit.gradient(x), unit.gradient(x2)
        sampled.append(float(np.square(target(x) @ g - source.choice([-1.0, 1.0], _BATCH) @ g2).sum()) / _BATCH**2)
        floor.append(2 * float(np.square(g).sum()) / _BATCH**2)
    low, median, high = (float(q) for q in np.quantile(known, [0.25, 0.5, 0.75]))
    batches = {"sampled": float(np.median(sampled)), "noise": float(np.median(floor))}
    return {"median": median, "low": low, "high": high, **batches}


def _of_units(rows: Sequence[Mapping[str, Scalar]], middle: int) -> list[Comparison]:
    """How the alignment of one unit falls with d and with sigma, and what samples make of it."""
    dims = np.unique(numbers(rows, "dim"))
    medians = {kind: numbers([row for row in rows if row["kind"] == kind], "median") for kind in _KINDS}
    found = [
        Comparison(
            what=f"signs: alignment at d = {d}",
            here=float(medians[_KINDS[0]][dims == d][0]),
            low=known - 1e-10,
            high=known + 1e-10,
        )
        for d, known in _KNOWN.items()
        if d in dims
    ]
    signs, perturbed, gaussian = (values[dims == middle][0] for values in medians.values())
    (last,) = (row for row in rows if row["kind"] == _KINDS[2] and row["dim"] == middle)
    sampled, noise = (float(numbers([last], name)[0]) for name in ("sampled", "noise"))
    found += [
        Comparison(
            what=f"d = {middle}: medians fall from signs over signs + {_SIGMA} N(0, 1) to Gaussian",
            here=bool(signs > perturbed > gaussian),
        ),
        Comparison(
            what=f"Gaussian, d = {middle}: two batches over the noise 2 E||s||²/{_BATCH}",
            here=sampled / noise,
            low=0.4,
            high=2.5,
        ),
    ]
    if len(dims) > 1:
        powers = [
            np.polyfit(x, np.log(y), 1)[0] for x, y in ((np.log(dims), medians[_KINDS[0]]), (dims, medians[_KINDS[2]]))
        ]
        found += [
            Comparison(
                what="signs: alignment is like d to the power",
                here=float(powers[0]),
                low=-1.3,
                high=-0.9,
                paper="poly(1/d)",
            ),
            Comparison(
                what="Gaussian: factor for each bit of d",
                here=math.exp(powers[1]),
                low=0.25,
                high=0.67,
                paper="exp(-Omega(d))",
            ),
        ]
    return found


def _of_training(rows: Sequence[Mapping[str, Scalar]]) -> list[Comparison]:
    """That training follows the alignment at its start."""
    accuracy, alignment, d = (numbers(rows, name) for name in ("accuracy", "alignment", "dim"))
    return [
        Comparison(
            what=f"d = {d[0]:g}: accuracy from signs", here=float(accuracy[0]), low=0.93, high=1.0, paper="learned"
        ),
        Comparison(what=f"d = {d[0]:g}: accuracy from {_KINDS[1]}", here=float(accuracy[1]), low=0.93, high=1.0),
        # below half way from chance; three standard errors of 500 examples below chance
        Comparison(
            what=f"d = {d[0]:g}: accuracy from Gaussian",
            here=float(accuracy[2]),
            low=0.433,
            high=0.75,
            paper="not learned",
        ),
        Comparison(
            what=f"d = {d[0]:g}: alignment of the network at the start, signs over Gaussian",
            here=float(alignment[0] / alignment[2]),
            low=100.0,
        ),
        Comparison(
            what=f"d = {d[0]:g}: and that of signs + {_SIGMA} N(0, 1) in between",
            here=bool(alignment[0] > alignment[1] > alignment[2]),
        ),
    ]
