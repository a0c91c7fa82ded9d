"""Real labels against all labelings of the same digits: a gradient sees 30 times more of which one it is.

Paper: Zhang, Bengio, Hardt, Recht and Vinyals, "Understanding deep learning requires rethinking generalization" (arXiv
1611.03530). Networks that generalise fit random labels as well, to a training error of zero, in a small multiple of the
steps: what their capacity is does not tell the two apart.

Here: the gradient tells them apart. On scikit-learn's 1797 digits of 8 x 8 pixels, Var over the 252 labelings "is the
digit in this half of the ten" is .53085 at a random 64-32-1 network (tanh, square loss, rng = 0), and over all 2^1797
labelings E||s||^2/n = .016772: 31.7 times, of at most 203 for any network (n times the operator norm of the halves,
10/9 of the count of the most frequent digit). By layer: input weights 36, hidden biases 7.3, output weights 29, the
output bias .042, since halves are balanced. "Is it this digit" has .36 of that, and 252 random labelings have 1.
Trained on 600 digits, the ratio grows from 11 to 19 where labels are real, and returns to 11 where they are random;
these are fitted too, in 9 times the steps.

They differ: the paper has CIFAR-10 and ImageNet, deep networks and ten classes; here are digits, one hidden layer and
two classes. Random labels are fitted, as it says, but in more than its small multiple of the steps; and that nothing
distinguishes them is so of capacity alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..classes.finite import FiniteClass
from ..classes.members.target import Target
from ..classes.random_labels import RandomLabels
from ..core.arguments import Array, SeedLike, seed_of
from ..models.mlp import MLP
from ..results.table import Scalar
from ..verbs.variance import gradient_variance
from .reproduction.digits import images_of_digits
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction, exact, numbers
from .training.along import along
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"trained": 200, "steps": 2000})

_HALVES, _SINGLE, _RANDOM = "digit in a half", "one digit", "252 at random"
_FITTED = 0.99
_SPREAD = 0.36
"""Four standard errors (2/252)^(1/2) of the mean of 252 ||c_h||^2, at worst chi-squares of one degree."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RandomLabelsResult(Reproduction):
    """Var of families of labelings over that of all: a row for each family, each layer, and each step of training."""

    def plot(self) -> list[Axes]:
        """Draw the ratios of families and layers, and accuracy and ratio along training on real and random labels."""
        axes = panels(4, in_a_row=4, width=3.8)
        for ax, kind in zip(axes, ("family", "layer"), strict=False):
            rows = [row for row in self.rows if kind in row]
            ax.barh([str(row[kind]) for row in rows], numbers(rows, "ratio"), color="0.7", edgecolor="0.2")
            ax.axvline(1.0, color="0.2", linestyle="--", label="all labelings")
            ax.set(xscale="log", xlabel="Var over that of all labelings", title=f"by {kind}")
            ax.invert_yaxis()
        bounds = numbers([row for row in self.rows if "family" in row], "bound")
        axes[0].plot(bounds, range(len(bounds)), "kD", markersize=5, label="at most, any network")
        axes[0].set_xlim(0.5)
        for i, labels in enumerate(("real", "random")):
            rows = [row for row in self.rows if row.get("labels") == labels]
            for ax, name in zip(axes[2:], ("accuracy", "ratio"), strict=True):
                ax.plot(numbers(rows, "step"), numbers(rows, name), label=f"trained on {labels} labels", **style(i))
        axes[2].axhline(1.0, color="0.6", linewidth=5, alpha=0.5, zorder=0, label="paper, random labels: fitted")
        axes[2].set(xlabel="steps of Adam", ylabel="accuracy on the digits of training")
        axes[3].axhline(1.0, color="0.2", linestyle="--", label="all labelings")
        axes[3].set(xlabel="steps of Adam", ylabel="Var of halves over that of all labelings", ylim=(0, None))
        for ax in (axes[0], *axes[2:]):
            ax.legend(fontsize=7)
        return axes


def run(
    trained: int = 600, steps: int = 10_000, width: int = 32, *, rng: SeedLike = 0, progress: bool = False
) -> RandomLabelsResult:
    """Measure Var of families of labelings of the digits against all, by layer and along training.

    Parameters
    ----------
    trained : int
        How many of the digits the training has.
    steps : int
        Steps of Adam, of rate .003, in batches of 64.
    width : int
        Hidden units.
    rng : int, SeedSequence, Generator or None
        Source of weights, random labels and batches.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    RandomLabelsResult
        `.rows`, `.comparisons`, `.plot()`, `.to_pandas()`; print it for the table.

    Raises
    ------
    ImportError
        scikit-learn, which has the digits, is not installed.

    Examples
    --------
    >>> result = run(trained=20, steps=4, width=8)
    >>> [row["family"] for row in result if "family" in row]
    ['digit in a half', 'one digit', '252 at random']
    """
    seed, (points, digits) = seed_of(rng), images_of_digits()
    model, everything = MLP.random([points.shape[1], width, 1], rng=seed), RandomLabels(points)
    families = {
        _HALVES: halves(points, digits),
        _SINGLE: FiniteClass([np.where(digits == digit, 1, -1) for digit in range(10)], points),
        _RANDOM: everything.restrict(everything.sample(252, rng=seed)),
    }
    of_all, rows = exact(gradient_variance(everything, model)).value, list[dict[str, Scalar]]()
    for name, family in families.items():
        value, bound = exact(gradient_variance(family, model)).value, family.operator_norm() * len(points)
        rows.append({"family": name, "Var": value, "ratio": value / of_all, "bound": bound})
    layers = gradient_variance(everything, model, by="layer")
    for name, found in gradient_variance(families[_HALVES], model, by="layer").items():
        rows.append({"layer": name, "Var": found.value, "ratio": found.value / layers[name].value})
    x, real = points[:trained], halves(points[:trained], digits[:trained])
    noise = RandomLabels(x)
    targets: dict[str, Target] = {
        "real": real.member(seed % 252),
        "random": noise.restrict(noise.sample(1, rng=seed)).member(0),
    }
    for labels, target in targets.items():
        descent = descend(
            target,
            model,
            steps=steps,
            batch=64,
            learning_rate=3e-3,
            optimizer="adam",
            rng=seed,
            record=max(1, steps // 40),
            progress=progress,
        )
        of_real, of_noise = (along(H, descent, rng=seed, progress=progress).checks for H in (real, noise))
        for step, accuracy, one, other in zip(descent.steps, descent.accuracies, of_real, of_noise, strict=True):
            ratio = one.variance / other.variance
            rows.append({"labels": labels, "step": int(step), "accuracy": float(accuracy), "ratio": ratio})
    return RandomLabelsResult(
        rows=tuple(rows),
        comparisons=_comparisons(rows),
        notes=("Var of all labelings is E||s||²/n: what a gradient sees of labels that have nothing to be learned.",),
        seed=seed,
    )


def halves(points: Array, digits: npt.NDArray[np.int64]) -> FiniteClass:
    """Return the 252 labelings that say +1 of five of the ten digits."""
    return FiniteClass([np.where(np.isin(digits, h), 1, -1) for h in itertools.combinations(range(10), 5)], points)


def _comparisons(rows: list[dict[str, Scalar]]) -> tuple[Comparison, ...]:
    """Ratios of families and of layers, what is fitted, and how the ratio ends."""
    family, layer = ({str(row[kind]): row for row in rows if kind in row} for kind in ("family", "layer"))
    ratio = {name: float(numbers([row], "ratio")[0]) for name, row in (family | layer).items()}
    bound = {name: float(numbers([row], "bound")[0]) for name, row in family.items()}
    first, *_, last = layer
    along_both = [[row for row in rows if row.get("labels") == labels] for labels in ("real", "random")]
    steps, ends = [], []
    for run_rows in along_both:
        accuracy = numbers(run_rows, "accuracy")
        fitted = np.nonzero(accuracy >= _FITTED)[0]
        steps.append(float(numbers(run_rows, "step")[fitted[0]]) if len(fitted) else np.inf)
        ends.append(float(numbers(run_rows, "ratio")[-1]))
    of_all = "Var over that of all labelings"
    return (
        Comparison(what=f"{_HALVES}: {of_all}", here=ratio[_HALVES], low=10.0, high=bound[_HALVES]),
        # labels 2 [digit = d] - 1: C_H = .36 and -.04 for one digit and for two, where halves have 1 and -1/9
        Comparison(
            what=f"{_SINGLE}: Var over that of halves",
            here=ratio[_SINGLE] / ratio[_HALVES],
            low=0.36 - 1e-9,
            high=0.36 + 1e-9,
        ),
        Comparison(what=f"{_RANDOM}: {of_all}", here=ratio[_RANDOM], low=1 - _SPREAD, high=1 + _SPREAD),
        Comparison(what=f"input weights, halves: {of_all}", here=ratio[first], low=10.0),
        Comparison(what=f"output bias, halves: {of_all}", here=ratio[last], low=0.0, high=1.0),
        Comparison(
            what="random labels: training accuracy at the end",
            here=float(numbers(along_both[1], "accuracy")[-1]),
            low=_FITTED,
            high=1.0,
            paper=1.0,
        ),
        Comparison(
            what="steps to fit random labels over those for real ones",
            here=steps[1] / steps[0],
            low=1.0,
            paper="a small factor",
        ),
        Comparison(what="trained on real labels the ratio ends higher than on random ones", here=ends[0] > ends[1]),
    )
