"""A staircase of a projection: where the activation is flat there is no gradient, and a rule that is none learns best.

Paper: Shalev-Shwartz, Shamir and Shammah, "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950), section 5. The
target is y = u(<v, x> + b), u a staircase, of which only v and b are not known. Four learners: one unit with a soft
staircase in the place of u, a deep network end to end, one that has the levels as classes, and the "forward only"
update of one unit with u itself, whose backward pass takes u' for 1. The last is the best, in half of the steps; the
soft staircase often stays where it begins, as between its steps it is as flat as u.

Here: all four by `descend`, with the authors' levels, rates and Adam; "forward only" is an activation whose slope is
said to be 1. Errors are root mean squares on fresh inputs. Full settings (rng=0), five repeats:
forward only .010 to .039 and the best in four, end to end .033 to .063, classes .022 to .055, soft staircase .055 to
1.9, in two of them where it began.

They differ: inputs are N(0, I/100^2), so that only 6 of the 52 levels ever occur. The paper has figures and no numbers.
The quick settings give "forward only" more steps than the others, each of which is cheap: they show how well it ends,
not how soon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
from scipy.special import expit

from ..classes.inputs.gaussian import Gaussian
from ..core.arguments import Array, SeedLike, generator, seed_of
from ..models.mlp import MLP
from ..models.trainable import Trainable
from ..results.table import Scalar
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction
from .training.optimizers import Adam
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"repeats": 2, "steps": 2500, "forward_steps": 7000, "batch": 64})

_DIM = 100
_LEVELS = np.unique([*np.arange(-100.0, 100.0, 5.0), *(-4, -3, -2, -1, -0.2, 0.1, 0.15, 0.175, 1, 2, 3, 4)])
"""Levels of the staircase, each reached where z - b exceeds it."""
_STEEPNESS, _SHARPNESS = 5.0, 10.0
_WORDS = ("soft staircase", "end to end", "classes", "forward only")
_ADAM = Adam(beta=(0.9, 0.99), epsilon=1e-5)


class SmallGaussian(Gaussian):
    """The distribution N(0, I/dim^2)."""

    @property
    def description(self) -> str:
        """The distribution in words."""
        return f"x ~ N(0, I/{self.dim}^2) in R^{self.dim}"

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent inputs, shape (n, dim)."""
        return super().sample(n, rng) / self.dim


def staircase(levels: Array, z: Array) -> Array:
    """Return u(z): the largest level that is at most z, the first one below all."""
    return np.asarray(levels[level_of(levels, z)])


def level_of(levels: Array, z: Array) -> Array:
    """Return the number of that level."""
    return np.maximum(np.searchsorted(levels, z, side="right") - 1, 0)


def soft_staircase(levels: Array, z: Array) -> tuple[Array, Array]:
    """Return the sum of sigmoids that stands for u in the paper's code, and its slope."""
    # u~(z) = l_0 + sum_j D_j sigmoid(5 L (z - m_j)/D_j), D_j = l_j - l_(j-1), m_j = l_j - D_j/2L, L = 10
    rise = np.diff(levels)
    steep = _STEEPNESS * _SHARPNESS / rise
    share = expit(steep * (z[..., None] - (levels[1:] - rise / (2 * _SHARPNESS))))
    return levels[0] + share @ rise, (share * (1 - share)) @ (rise * steep)


def unit(start: MLP, value: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Trainable:
    """Return one unit of this activation: its weights and its bias are trained, what comes after is fixed at 1."""
    whole = MLP([start.weights[0], [[1.0]]], [start.biases[0], None], (value, slope))
    return Trainable(whole, ["weights[0]", "biases[0]"])


def soft_unit(start: MLP, levels: Array) -> Trainable:
    """Return one unit with the soft staircase."""
    return unit(start, lambda z: soft_staircase(levels, z)[0], lambda z: soft_staircase(levels, z)[1])


@dataclass(frozen=True)
class Task:
    """The target y = u(<v, x> + b), u the staircase whose levels are `_LEVELS` + b."""

    v: Array
    b: float
    seed: int

    @classmethod
    def random(cls, seed: int) -> Task:
        """Draw v ~ N(0, I) and b ~ N(0, 1)."""
        rng = generator([seed, 1])
        return cls(rng.standard_normal(_DIM), float(rng.standard_normal()), seed)

    @property
    def levels(self) -> Array:
        """The levels of u."""
        return self.b + _LEVELS

    def projection(self, x: Array) -> Array:
        """Return <v, x> + b, shape (n,)."""
        return x @ self.v + self.b

    def start(self, *widths: int) -> MLP:
        """Return the initial network with these layers."""
        return MLP.random([_DIM, *widths], "relu", self.seed, distribution="truncated normal")

    def learn(self, name: str, steps: int, batch: int) -> dict[int, Callable[[Array], Array]]:
        """Train a learner, and return how it predicts levels, by the number of steps."""
        model: MLP | Trainable = self.start(100, 100, 100, 1)
        levels, rate, loss = self.levels, 1e-3, "square"
        if name == "soft staircase":
            model, rate = soft_unit(self.start(1), levels), 1e-2
        elif name == "forward only":
            # g = E (u(<w, x> + c) - y) (x, 1): the gradient but for u', which is taken for 1
            model = unit(self.start(1), lambda z: staircase(levels, z), np.ones_like)
        elif name == "classes":
            model, loss = self.start(100, 100, len(levels)), "cross-entropy"
        answer = level_of if name == "classes" else staircase
        fit = descend(
            lambda x: answer(levels, self.projection(x)),
            model,
            loss,
            steps=steps,
            batch=batch,
            learning_rate=rate,
            optimizer=_ADAM,
            inputs=SmallGaussian(_DIM),
            rng=self.seed,
            record=max(1, steps // 20),
        )
        predictors: list[Callable[[Array], Array]] = [snapshot.predict for snapshot in fit.snapshots]
        if name == "classes":
            predictors = [partial(_largest, levels, logits) for logits in predictors]
        return dict(zip(fit.steps.tolist(), predictors, strict=True))


def _largest(levels: Array, logits: Callable[[Array], Array], x: Array) -> Array:
    """The level whose output is the largest."""
    return np.asarray(levels[logits(x).argmax(axis=1)])


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FlatActivationsResult(Reproduction):
    """Errors of four learners of a staircase: a row for each repeat and learner.

    Attributes
    ----------
    fits : dict
        Of the first repeat: under "z" and "y" the projections of 500 inputs, ascending, and their levels; under the
        name of each learner what it predicts there.
    paths : dict
        Of the first repeat, the error of each learner over steps: two rows, steps and errors.
    """

    fits: Mapping[str, Array]
    paths: Mapping[str, Array]

    def plot(self) -> list[Axes]:
        """Draw what each learner predicts over the projection, its error over steps, and the errors of all repeats."""
        axes = panels(6)
        z, y = self.fits["z"], self.fits["y"]
        for ax, name in zip(axes[:4], _WORDS, strict=True):
            ax.step(z, y, where="post", color="0.7", linewidth=4, label="target")
            ax.plot(z, self.fits[name], "k.", markersize=2, label="learned")
            ax.set_ylim(y.min() - 0.3, y.max() + 0.3)
            ax.set_title(name, fontsize=10)
            ax.set_xlabel("projection <v, x> + b")
            ax.set_ylabel("level u")
        axes[0].legend(fontsize=8)
        for i, name in enumerate(_WORDS):
            axes[4].loglog(*self.paths[name], label=name, **style(i))
            errors = [row["error"] for row in self.rows if row["learner"] == name]
            axes[5].semilogy([i] * len(errors), np.array(errors, dtype=np.float64), **{**style(i), "linestyle": ""})
        axes[4].legend(fontsize=8)
        axes[4].set_xlabel("steps")
        axes[4].set_ylabel("root mean square error")
        axes[5].set_xticks(range(4), [name.replace(" ", "\n") for name in _WORDS])
        axes[5].set_xlabel("learner")
        axes[5].set_ylabel("error of each repeat, at the end")
        return axes


def run(
    repeats: int = 5,
    steps: int = 10_000,
    forward_steps: int = 5000,
    batch: int = 256,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> FlatActivationsResult:
    """Train the four learners on staircases of random projections.

    Parameters
    ----------
    repeats : int
        Targets, each with initial weights of its own.
    steps, forward_steps : int
        Steps of Adam; those of "forward only".
    batch : int
        Examples in a step.
    rng : int, SeedSequence, Generator or None
        Source of targets, weights and examples.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    FlatActivationsResult
        `.rows`, `.comparisons`, `.fits`, `.paths`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(repeats=1, steps=2, forward_steps=2, batch=8).to_pandas()["learner"].tolist()
    ['soft staircase', 'end to end', 'classes', 'forward only']
    """
    from ..core.bars import tqdm

    seed = seed_of(rng)
    rows: list[dict[str, Scalar]] = []
    stuck = 0
    fits: dict[str, Array] = {}
    paths: dict[str, Array] = {}
    for repeat in tqdm(range(repeats), unit="repeat", disable=not progress):
        task = Task.random(seed_of([seed, repeat]))
        x = SmallGaussian(_DIM).sample(2000, [task.seed, 2])
        z = task.projection(x)
        y, order = staircase(task.levels, z), np.argsort(z[:500])
        shown = {"z": z[order], "y": y[order]}
        for name in _WORDS:
            predictors = task.learn(name, forward_steps if name == "forward only" else steps, batch)
            errors = [float(np.sqrt(((predict(x) - y) ** 2).mean())) for predict in predictors.values()]
            rows.append({"repeat": repeat, "learner": name, "start": errors[0], "error": errors[-1]})
            stuck += name == "soft staircase" and errors[-1] > 0.9 * errors[0]
            if repeat == 0:
                paths[name] = np.array([list(predictors)[1:], errors[1:]])
                fits = {**(fits or shown), name: list(predictors.values())[-1](x[:500])[order]}
    return FlatActivationsResult(
        rows=tuple(rows),
        comparisons=_comparisons(rows, flat_starts(seed)),
        notes=(
            "start, error: root mean squares on 2000 fresh inputs, before the first step and after the last.",
            f"The soft staircase stayed where it began in {stuck} of {repeats} repeats.",
        ),
        seed=seed,
        fits=fits,
        paths=paths,
    )


def flat_starts(seed: int, count: int = 200) -> float:
    """Return the share of initial soft staircases whose gradient is below Adam's epsilon: they hardly move."""
    flat = 0
    for i in range(count):
        task = Task.random(seed_of([seed, 1, i]))
        x = SmallGaussian(_DIM).sample(500, [task.seed, 2])
        model = soft_unit(task.start(1), task.levels)
        wrong = model.predict(x) - staircase(task.levels, task.projection(x))
        flat += bool(np.abs(wrong @ model.gradient(x) / len(x)).max() < _ADAM.epsilon)
    return flat / count


def _comparisons(rows: Sequence[Mapping[str, Scalar]], flat: float) -> tuple[Comparison, ...]:
    """What the figures show, over all repeats."""
    table = np.array([[row["error"] for row in rows if row["learner"] == name] for name in _WORDS], dtype=np.float64)
    soft, deep, classes, forward = table
    best, ratio = int((forward <= table.min(axis=0)).sum()), float((soft / forward).min())
    # The target's standard deviation is about .2: a constant has that, half of it is learned, a quarter learned well.
    learned = {"low": 0.0, "high": 0.1}
    # The slope 50 e^(-50 t), t off the middle of a step of length 1, is below epsilon from t = log(50/epsilon)/50 = .31
    # on, on 1 - 2 (.31) = .38 of the step; the share of 200 draws is within .14 of that (4 standard deviations).
    share = 1 - 2 * math.log(50 / _ADAM.epsilon) / 50
    return (
        Comparison(what="forward only: largest error", here=float(forward.max()), low=0.0, high=0.05, paper="good"),
        Comparison(what=f"it is the best in, of {len(soft)} repeats", here=best, low=len(soft) / 2, paper="best"),
        Comparison(what="end to end: largest error", here=float(deep.max()), **learned, paper="learns"),
        Comparison(what="classes: largest error", here=float(classes.max()), **learned, paper="learns"),
        Comparison(what="soft staircase: its error over forward only's, least", here=ratio, low=1.0, paper="worse"),
        Comparison(
            what="starts where its gradient is below Adam's epsilon",
            here=flat,
            low=share - 0.14,
            high=share + 0.14,
            paper="some",
        ),
    )
