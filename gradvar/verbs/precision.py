r"""The model's own rounding in the interval of a number.

A model that computes in less than float64 gives s + delta for the signal s. With ||delta(x)|| <= e ||s(x)|| and the
norm of the class, E_h ||E[(h - m) delta]||^2 <= ||T_C|| E||delta||^2, so that by Minkowski's inequality

    | Var(s + delta)^1/2 - Var(s)^1/2 | <= e (||T_C|| E||s||^2)^1/2 ,

and ||T_C|| = 1 for the squared norm E||s||^2 itself. Over tasks, with u = a g + y b g the gradient on one example,
E_A ||E_A delta||^2 <= E||delta||^2 <= e^2 E[(|a| + |y b|)^2 ||g||^2], which takes the place of ||T_C|| E||s||^2: at
least E||u||^2, since a and y b may cancel and their roundings do not.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np

from ..bounds.operator_norm import norm_constant
from ..classes.base import KnowsCovariance
from ..core.arguments import Array
from ..core.numbers import exp2, log2_of
from ..estimation.settings import Settings
from ..problem import Moment, Problem
from ..results.estimate import Estimate
from ..tasks.base import DrawsExamples
from ..tasks.examples import draw_examples

_SAMPLE = 1024


def within_precision(found: Estimate, problem: Problem, settings: Settings) -> Estimate:
    """Return a moment of the gradient over the class with the model's rounding in its interval."""
    if not problem.rounding:
        return found
    if isinstance(problem.hypotheses, DrawsExamples):
        size = log2_of(_of_examples(problem, problem.hypotheses), 0)
        unsaid = f", with the size of gradients as on {_SAMPLE:,} examples"
        return _moved(found, problem.rounding, size, unsaid)
    if found.norms is None:
        x = problem.inputs.sample(_SAMPLE, np.random.default_rng(0))
        signal = log2_of(float(problem.norms(x)[:, 1].mean()), 0)
    else:
        signal = found.norms[1].log2
    constant = norm_constant(problem.hypotheses, problem.moment is Moment.VARIANCE, settings)
    norm, unsaid = constant.log2 if constant.ends is None else constant.ends[1], ""
    if math.isnan(norm):
        norm, unsaid = _trace(problem)
    return _moved(found, problem.rounding, signal + norm, unsaid)


def _of_examples(problem: Problem, tasks: DrawsExamples[object]) -> float:
    """E[(|a| + |y b|)^2 ||g||^2] on examples of random tasks."""
    x, y = draw_examples(tasks, _SAMPLE, 1, np.random.default_rng(0))
    a, b = problem.loss_split(x)
    norm_sq = problem.norms_of_parts(problem.tangent_factors(x)).sum(axis=1)
    return float(np.mean((np.abs(a) + np.abs(y * b)) ** 2 * norm_sq))


def _trace(problem: Problem) -> tuple[float, str]:
    """log2 of E_x C_H(x, x), the trace of T_C and so at least its norm, and what is assumed in it."""
    hypotheses = problem.hypotheses
    if getattr(hypotheses, "labels", "real") == "signs":
        return 0.0, ""
    if problem.moment is Moment.VARIANCE and isinstance(hypotheses, KnowsCovariance):
        x = problem.inputs.sample(_SAMPLE, np.random.default_rng(0))
        spread = np.diagonal(np.asarray(hypotheses.covariance(x, x), dtype=np.float64))
        return log2_of(
            float(spread.mean()), 0
        ), f", with E_x C_H(x, x) as at {_SAMPLE:,} inputs for the norm of the class"
    return 0.0, ", if the norm of the class, which it does not say, is at most 1"


def norm_within_precision(found: Estimate, problem: Problem) -> Estimate:
    """Return G^2 or E||s||^2 with the model's rounding in its interval."""
    return _moved(found, problem.rounding, found.log2) if problem.rounding else found


def warn_of_rounding(weights: Array, problem: Problem) -> None:
    """Warn where the model's rounding moves a spectrum, had from the sums of squared signals at each degree."""
    if not problem.rounding:
        return
    # |entry'^1/2 - entry^1/2| <= e (E||s||^2 / C(d, k))^1/2, with E||s||^2 = sum_k weights_k by Parseval
    most = problem.rounding**2 * float(weights.sum())
    lost = [str(k) for k in np.flatnonzero(weights <= most)]
    warnings.warn(
        f"the model's own rounding, {problem.rounding:.1g} of its gradients, moves the root of entry k by up to "
        f"({most:.3g} / C({len(weights) - 1}, k))^1/2"
        + (f": all there is at k = {', '.join(lost)} may be rounding" if lost else ""),
        stacklevel=3,
    )


def _moved(found: Estimate, rounding: float, log2_size: float, unsaid: str = "") -> Estimate:
    """The ends of the interval with their roots moved by `rounding` times the root of a size, and what it assumes."""
    shift = rounding * math.sqrt(exp2(log2_size - found.exponent))

    def moved(end: float, by: float) -> float:
        return max(math.sqrt(end) + by, 0.0) ** 2 if end > 0 else end + max(by, 0.0) ** 2

    low, high = found.mantissa_interval
    upper = found.mantissa_upper
    share = f"the model's own rounding, {rounding:.1g} of its gradients{unsaid}"
    exact = found.guarantee.replace("float64 rounding", share)
    return replace(
        found,
        mantissa_interval=(moved(low, -shift), moved(high, shift)),
        mantissa_upper=None if upper is None else moved(upper, shift),
        guarantee=exact
        if found.exact and exact != found.guarantee
        else f"{found.guarantee}; the interval holds {share}",
    )
