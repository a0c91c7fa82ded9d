r"""The model's own rounding in the interval of a number.

A model that computes in less than float64 gives s + delta for the signal s. With ||delta(x)|| <= e ||s(x)|| and the
norm of the class, E_h ||E[(h - m) delta]||^2 <= ||T_C|| E||delta||^2, so that by Minkowski's inequality

    | Var(s + delta)^1/2 - Var(s)^1/2 | <= e (||T_C|| E||s||^2)^1/2 ,

and ||T_C|| = 1 for the squared norm E||s||^2 itself.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..bounds.operator_norm import norm_constant
from ..core.numbers import exp2, log2_of
from ..estimation.settings import Settings
from ..problem import Moment, Problem
from ..results.estimate import Estimate
from ..tasks.base import DrawsExamples

_SAMPLE = 1024


def within_precision(found: Estimate, problem: Problem, settings: Settings) -> Estimate:
    """Return a moment of the gradient over the class with the model's rounding in its interval."""
    if not problem.rounding:
        return found
    if found.norms is None:
        x = problem.inputs.sample(_SAMPLE, np.random.default_rng(0))
        signal = log2_of(float(problem.norms(x)[:, 1].mean()), 0)
    else:
        signal = found.norms[1].log2
    norm = 0.0  # labels of tasks are at most 1 in size
    if not isinstance(problem.hypotheses, DrawsExamples):
        constant = norm_constant(problem.hypotheses, problem.moment is Moment.VARIANCE, settings)
        norm = constant.log2 if constant.ends is None else constant.ends[1]
    return _moved(found, problem.rounding, signal + (0.0 if math.isnan(norm) else norm))


def norm_within_precision(found: Estimate, problem: Problem) -> Estimate:
    """Return G^2 or E||s||^2 with the model's rounding in its interval."""
    return _moved(found, problem.rounding, found.log2) if problem.rounding else found


def _moved(found: Estimate, rounding: float, log2_size: float) -> Estimate:
    """The ends of the interval with their roots moved by `rounding` times the root of a size."""
    shift = rounding * math.sqrt(exp2(log2_size - found.exponent))

    def moved(end: float, by: float) -> float:
        return max(math.sqrt(end) + by, 0.0) ** 2 if end > 0 else end + max(by, 0.0) ** 2

    low, high = found.mantissa_interval
    upper = found.mantissa_upper
    share = f"the model's own rounding, {rounding:.1g} of its gradients"
    exact = found.guarantee.replace("float64 rounding", share)
    return replace(
        found,
        mantissa_interval=(moved(low, -shift), moved(high, shift)),
        mantissa_upper=None if upper is None else moved(upper, shift),
        guarantee=exact
        if found.exact and exact != found.guarantee
        else f"{found.guarantee}; the interval holds {share}",
    )
