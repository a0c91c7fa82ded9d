"""Piecewise-linear curves: the same linear map learned in n^4, n^3 or a few steps, as it is parametrised.

Paper: Shalev-Shwartz, Shamir and Shammah, "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950), section 4. A
curve f on n points is f = W p, W_ij = max(i - j + 1, 0), p its few changes of slope; a network is to find p from f. The
map U = W^-1 is the stencil (1, -2, 1). A linear map needs Omega(n^3.5 log(1/eps)) steps of gradient descent, a
convolution with three weights O(n^3 log(1/eps)), the same convolution on inputs times C^-1/2, C the covariance of three
neighbours, O(log(1/eps)). Figures: curves decoded after 500, 10 000 and 50 000 steps; an auto-encoder is the fourth.

Here: the condition numbers, and gradient descent on the population loss in closed form, both for E p p^T = I, at the
largest stable step; then, on 10 000 curves of the authors' slopes, Adam at their rates (.05 for their .99 where it is
conditioned) on the exact gradient, and with batches for the auto-encoder, whose curves are off by .038 after 10 000
steps.

They differ: the condition number of W^T W is 16/1.8751^4 n^4, so that n^4 is the rate of which n^3.5 is a lower bound.
Decoded curves do not show what was learned: W sums twice, so that the linear map's are within 6% where 72% of its codes
is wrong (10 000 steps), and the convolution's, of which 10% is, within 11%. Errors of the codes are ordered as claimed.
Adam at these rates oscillates late: after 50 000 steps the convolution's codes are within 1e-5 to .03, by rounding.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..classes.inputs.finite import FinitePoints
from ..core.arguments import Array, SeedLike, seed_of
from ..models.mlp import MLP
from ..results.table import Scalar
from .reproduction.figure import log_axis, panels, style
from .reproduction.result import Comparison, Reproduction
from .training.optimizers import Adam
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType(
    {"sizes": (10, 50, 100, 200), "steps": (500, 2000), "encoder_steps": (100, 500)}
)

_STENCIL = np.array([1.0, -2.0, 1.0])
_SLOPES = np.array([[1, -1, 1], [1, -2, 1], [-2, 1, -1], [1, -1, 2]], dtype=np.float64)
_RATES = {"linear": 1e-4, "convolution": 0.05, "conditioned": 0.05}
"""Slopes, and Adam's learning rates, of the authors' code; but theirs is .99 where it is conditioned."""


@dataclass(frozen=True)
class Dynamics:
    """Gradient descent on a quadratic at the step 1/(largest eigenvalue): error_i(t) = start_i (1 - rate_i)^t."""

    rates: Array
    start: Array
    order: float
    """The norm of the error: 2, or infinity where the components are singular values."""

    @property
    def condition(self) -> float:
        """The condition number of the quadratic."""
        return float(1 / self.rates.min())

    def error(self, t: float) -> float:
        """Return the norm of the error after t steps."""
        with np.errstate(divide="ignore", invalid="ignore"):
            shrunk = self.start * np.exp(np.where(self.rates < 1, t * np.log1p(-self.rates), -np.inf if t else 0.0))
        return float(np.linalg.norm(shrunk, self.order))

    def steps_to(self, eps: float) -> int:
        """Return the first step at which the error is at most eps of its start."""
        goal = eps * self.error(0)
        return 1 + bisect_left(range(1, 2**60), True, key=lambda t: self.error(t) <= goal)


def integrals(n: int) -> Array:
    """Return W, W_ij = max(i - j + 1, 0): f = W p sums p twice."""
    i = np.arange(n)
    return np.asarray(np.maximum(i[:, None] - i + 1.0, 0.0))


def windows(curves: Array) -> Array:
    """Return (f_t, f_(t-1), f_(t-2)) at every t >= 2 of every curve, a row each."""
    return np.stack([curves[:, 2:], curves[:, 1:-1], curves[:, :-2]], axis=2).reshape(-1, 3)


def dynamics(n: int, conditioner: Array | None = None) -> dict[str, Dynamics]:
    """Return the linear map's and the convolution's descent from 0 for E p p^T = I, and that of a conditioned one.

    By default conditioned by C^-1/2, exactly.
    """
    # U_(t+1) = U_t - eta (U_t W - I) W^T, so that U_t - W^-1 = -W^-1 (I - eta W W^T)^t, of norm max (1 - eta s^2)^t/s
    s = np.linalg.svd(integrals(n), compute_uv=False)
    found = {"linear": Dynamics((s / s[0]) ** 2, 1 / s, np.inf)}
    # u_t - u = -(I - eta C)^t u, C the mean of the windows' second moments over E f f^T = W W^T
    rows = windows(integrals(n).T)
    covariance = rows.T @ rows / (n - 2)
    change = root(covariance) if conditioner is None else conditioner
    # conditioned: weights v on windows times R have u = R v, and v_t - v = -(I - eta R C R)^t R^-1 u
    for name, matrix, goal in (
        ("convolution", covariance, _STENCIL),
        ("conditioned", change @ covariance @ change, np.linalg.solve(change, _STENCIL)),
    ):
        values, vectors = np.linalg.eigh(matrix)
        found[name] = Dynamics(values / values[-1], vectors.T @ goal, 2)
    return found


def root(covariance: Array) -> Array:
    """Return C^-1/2."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * values**-0.5) @ vectors.T, dtype=np.float64)


def sparse_codes(count: int, n: int, slopes: Array, rng: np.random.Generator, margin: int = 3) -> Array:
    """Return p of curves with one of the rows of `slopes`, from three places on `margin` away from the ends."""
    at = margin + np.sort(np.argsort(rng.random((count, n - 2 * margin)), axis=1)[:, :3], axis=1)
    codes = np.zeros((count, n))
    changes = np.diff(slopes[rng.integers(len(slopes), size=count)], axis=1, prepend=0.0)
    np.put_along_axis(codes, at, changes, axis=1)
    return codes


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ConditioningResult(Reproduction):
    """Condition numbers and steps over n, and errors of decoded curves over steps.

    Attributes
    ----------
    decoded : dict
        Of each learner, by the number of steps, one curve as it is decoded; under "curve", the curve itself.
    """

    decoded: Mapping[str, Mapping[int, Array]]

    def plot(self) -> list[Axes]:
        """Draw a curve decoded by each learner, condition numbers and steps over n, and errors over steps."""
        axes = panels(7, in_a_row=4)
        learners = (*_RATES, "auto-encoder")
        curve = self.decoded["curve"][0]
        for ax, name in zip(axes[:4], learners, strict=True):
            ax.plot(curve, color="0.7", linewidth=4, label="curve")
            for i, (steps, found) in enumerate(self.decoded[name].items()):
                line = ax.plot(found, label=f"{steps:,} steps", **style(i))
                line[0].set_marker("")
            ax.set_ylim(curve.min() - 0.3 * np.ptp(curve), curve.max() + 0.3 * np.ptp(curve))
            ax.set_title(f"decoded: {name}", fontsize=10)
            ax.set(xlabel="position", ylabel="value")
        for i, name in enumerate(("linear", "convolution", "conditioned on curves")):
            n, values = _series(self.rows, name, "n", "steps")
            axes[4].loglog(n, values, label=name, **style(i))
        for power, word, dashes in ((3.5, "at least", ":"), (3, "of the order", "--")):
            axes[4].loglog(n, math.log(100) * n**power, dashes, color="0.4", label=f"paper, {word} n^{power}")
        log_axis(axes[4], n)
        axes[4].set(xlabel="points of a curve, n", ylabel="steps of gradient descent to 1%")
        t = np.logspace(0, 10, 31)
        for i, (name, descent) in enumerate(dynamics(100).items()):
            errors = np.array([descent.error(step) for step in t]) / descent.error(0)
            axes[5].loglog(t, np.maximum(errors, 1e-6), label=name, **style(i))
        axes[5].set(xlabel="steps of gradient descent, n = 100", ylabel="error of the map, relative")
        for i, name in enumerate(learners):
            part = "curves" if name == "auto-encoder" else "codes"
            at, errors = _series(self.rows, name, "adam", part)
            axes[6].loglog(at, np.maximum(errors, 1e-6), label=f"{name}, {part}", **style(i))
        log_axis(axes[6], self.decoded["linear"])
        axes[6].set(xlabel="steps of Adam, n = 100", ylabel="relative error")
        for ax in axes:
            ax.legend(fontsize=7)
        return axes


def run(
    sizes: Sequence[int] = (10, 25, 50, 100, 200, 400, 800),
    steps: Sequence[int] = (500, 10_000, 50_000),
    encoder_steps: Sequence[int] = (500, 10_000, 50_000),
    curves: int = 10_000,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> ConditioningResult:
    """Measure condition numbers, steps of gradient descent and decoded curves for four learners of the same map.

    Parameters
    ----------
    sizes : sequence of int
        Numbers n of points, ascending, for condition numbers and steps.
    steps, encoder_steps : sequence of int
        Steps of Adam, ascending, after which curves are decoded by the linear learners, by the auto-encoder.
    curves : int
        Curves to train on, and to condition on.
    rng : int, SeedSequence, Generator or None
        Source of the curves and of the auto-encoder's weights.
    progress : bool
        Whether to show bars.

    Returns
    -------
    ConditioningResult
        `.rows`, `.comparisons`, `.decoded`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(sizes=[10, 20], steps=[2], encoder_steps=[1], curves=50).decoded["linear"][2].shape
    (100,)
    """
    seed = seed_of(rng)
    rows: list[dict[str, Scalar]] = []
    for n in sizes:
        # changes of slope with random signs, anywhere: E p p^T is a multiple of I
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
        codes = sparse_codes(curves, n, signs.cumsum(axis=1), np.random.default_rng(seed), margin=0)
        sample = windows(codes.cumsum(axis=1).cumsum(axis=1))
        on_curves = dynamics(n, root(sample.T @ sample / len(sample)))["conditioned"]
        for name, descent in {**dynamics(n), "conditioned on curves": on_curves}.items():
            steps_of = {"steps": descent.steps_to(1e-2), "finer": descent.steps_to(1e-8)}
            rows.append({"learner": name, "n": n, "condition": descent.condition, **steps_of})
    decoded, errors = _decoded(steps, encoder_steps, curves, seed, progress)
    return ConditioningResult(
        rows=(*rows, *errors),
        comparisons=(*_of_sizes(rows), *_of_curves(errors)),
        notes=(
            "condition: of gradient descent's quadratic; steps, finer: its, to 1e-2 and to 1e-8 of the map's error.",
            "codes, curves: relative error of p, and of curves of 100 points, after so many steps of Adam.",
        ),
        seed=seed,
        decoded=decoded,
    )


def _decoded(
    steps: Sequence[int], encoder_steps: Sequence[int], count: int, seed: int, progress: bool, n: int = 100
) -> tuple[dict[str, dict[int, Array]], list[dict[str, Scalar]]]:
    """Train the four learners, and decode 200 fresh curves: one as each has it, and the errors of all."""
    from ..core.bars import tqdm

    source, W = np.random.default_rng(seed), integrals(n)
    codes = sparse_codes(200, n, _SLOPES, source)
    trained, curves = sparse_codes(count, n, _SLOPES, source) @ W.T, codes @ W.T
    rows = windows(trained)
    R = root(rows.T @ rows / len(rows))
    # what is learned: the weights that give p from these features of f
    learners: dict[str, tuple[Callable[[Array], Array], Array]] = {
        "linear": (lambda f: f, np.asarray(np.linalg.inv(W), dtype=np.float64)),
        "convolution": (windows, _STENCIL[None]),
        "conditioned": (lambda f: windows(f) @ R, np.linalg.solve(R, _STENCIL)[None]),
    }
    shown = int((codes != 0).argmax(axis=1).argmin())  # the curve that turns first
    decoded: dict[str, dict[int, Array]] = {"curve": {0: curves[shown]}}
    errors: list[dict[str, Scalar]] = []
    for name, (features, goal) in learners.items():
        # F(A) = E |A phi - p|^2 with p = A* phi: grad F = 2 (A - A*) E phi phi^T
        phi = features(trained)
        second = phi.T @ phi / len(phi)
        weights, adam, decoded[name] = np.zeros_like(goal), Adam().steps(_RATES[name]), {}
        for t in tqdm(range(1, max(steps) + 1), desc=name, disable=not progress):
            weights = adam(weights, 2 * (weights - goal) @ second)
            if t in steps:
                found = (features(curves) @ weights.T).reshape(len(curves), -1)
                found = np.pad(found, ((0, 0), (n - found.shape[1], 0)))
                decoded[name][t] = (found @ W.T)[shown]
                wrong = {"codes": _relative(found, codes), "curves": _relative(found @ W.T, curves)}
                errors.append({"learner": name, "adam": t, **wrong})
    encoder = MLP.random([n, 500, 100, 6, 100, 100, n], "relu", seed, distribution="truncated normal")
    fit = descend(
        lambda f: f,
        encoder,
        steps=max(encoder_steps),
        batch=100,
        learning_rate=1e-3,
        optimizer="adam",
        inputs=FinitePoints(trained),
        rng=seed,
        record=reduce(math.gcd, encoder_steps),
        progress=progress,
    )
    decoded["auto-encoder"] = {}
    for t, model in zip(fit.steps.tolist(), fit.snapshots, strict=True):
        if t in encoder_steps:
            found = model.predict(curves)
            decoded["auto-encoder"][t] = found[shown]
            errors.append({"learner": "auto-encoder", "adam": t, "codes": None, "curves": _relative(found, curves)})
    return decoded, errors


def _relative(found: Array, true: Array) -> float:
    """Return the root mean square of the error, relative to that of the truth."""
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def _series(rows: Sequence[Mapping[str, Scalar]], learner: str, *names: str) -> Array:
    """Return these columns of the rows of a learner that have them."""
    some = [row for row in rows if row["learner"] == learner and names[0] in row]
    return np.array([[row[name] for row in some] for name in names], dtype=np.float64)


def _near(what: str, here: float, value: float, off: float, paper: str | None = None) -> Comparison:
    return Comparison(what=what, here=here, low=value - off, high=value + off, paper=paper)


def _of_sizes(rows: Sequence[Mapping[str, Scalar]]) -> list[Comparison]:
    """Comparisons of condition numbers and steps, and of their growth with n."""
    numbers = (
        ("linear", "condition", {10: 133.88755**2, 100: 11601.7331**2}),
        ("convolution", "condition", {100: 1.553578e6}),
        ("linear", "steps", {10: 82_550}),
        ("convolution", "steps", {10: 10_006}),
    )
    found = [
        _near(f"{name}: {part}, n = {n:.0f}", here, known[n], 1e-6 * known[n])
        for name, part, known in numbers
        for n, here in _series(rows, name, "n", part).T.tolist()
        if n in known
    ]
    # the map hardly moves in 50 000 steps
    errors = (
        ("linear", {500: 3.999004, 10_000: 3.998722, 50_000: 3.997534}),
        ("convolution", {0: math.sqrt(6), 500: 2.4487, 10_000: 2.4337, 50_000: 2.3718}),
    )
    found += [
        _near(f"{name}: error of the map, n = 100, step {t}", dynamics(100)[name].error(t), error, 1e-4)
        for name, known in errors
        for t, error in known.items()
    ]
    # c (n + O(1))^4 grows from n/2 to n by a power that is off by O(1/n)
    for name, power, paper in (("linear", 4, ">= 3.5"), ("convolution", 3, "3"), ("conditioned", 0, "0")):
        for part in ("condition", "steps"):
            (last, most), (before, after) = _series(rows, name, "n", part)[:, -2:].tolist()
            grown = math.log(after / before) / math.log(most / last)
            found.append(_near(f"{name}: {part}, power of n", grown, power, 10 / most, paper))
    # the least eigenvalue of the fourth derivative on an interval of n + O(1) points, beta^4, cos beta cosh beta = -1
    n, linear = _series(rows, "linear", "n", "condition")
    beam, ratio = 16 / 1.875104**4, float(linear[-1] / n[-1] ** 4)
    exact, (sampled, steps, finer) = (
        _series(rows, name, "condition", "steps", "finer").max(axis=1).tolist()
        for name in ("conditioned", "conditioned on curves")
    )
    return [
        *found,
        Comparison(what="linear: condition over n^4", here=ratio, low=beam, high=beam * (1 + 2 / float(n[-1])) ** 4),
        Comparison(what="linear: condition is at least n^3.5", here=bool((linear >= n**3.5).all()), paper="yes"),
        _near("conditioned: condition, largest", exact[0], 1, 1e-5, "1"),
        _near("conditioned on curves: condition, largest", sampled, 1, 0.3),
        Comparison(what="conditioned on curves: steps to 1e-2", here=steps, low=1, high=5, paper="O(log)"),
        Comparison(what="conditioned on curves: steps to 1e-8", here=finer, low=1, high=20, paper="O(log)"),
    ]


def _of_curves(rows: Sequence[Mapping[str, Scalar]]) -> list[Comparison]:
    """Comparisons of the figures of decoded curves: right means to 10% here, wrong by more than 30%."""
    adam = [int(t) for t in _series(rows, "linear", "adam")[0]]
    last = adam[-1] if adam[-1] >= 50_000 else None  # where the convolution has arrived
    claims = (
        ("conditioned", adam[0], "codes", "right", 0.0, 0.1),
        ("convolution", adam[0], "codes", "wrong", 0.3, math.inf),
        ("convolution", last, "codes", "right", 0.0, 0.1),
        ("linear", adam[-1], "codes", "wrong", 0.3, math.inf),
        ("auto-encoder", rows[-1]["adam"], "curves", "blurred", 0.005, math.inf),
    )
    return [
        Comparison(what=f"{name}: error of {part}, step {t} of Adam", here=here, low=low, high=high, paper=word)
        for name, t, part, word, low, high in claims
        for step, here in _series(rows, name, "adam", part).T.tolist()
        if step == t
    ]
