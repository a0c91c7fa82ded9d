r"""Planted parities with the linear model, at any dimension, from the first two moments of the tasks.

Under D_A (see `PlantedParities`) E x_i = 0, E[x_i x_j] = [i = j] + [i != j in A]/2 and E[y x_i] = c [i in A], c = 1/2
(c = 1 for k = 1). For dloss/dp = t p - y (square t = 1, correlation t = 0) and p = <w, x>

    grad F_A = t w + r,      r_i = [i in A] (t/2 R_i - c),     R_i = sum_{j in A, j != i} w_j.

Given i in A, the rest of A is a uniform set of k - 1 of the other d - 1 coordinates, so the mean and the variance of
R_i are those of a sample without replacement. With S = sum_i w_i, Q = sum_i (w_i - S/d)^2 and q = k/d

    m_i = t/2 (k-1)/(d-1) (S - w_i) - c,
    Var = q (1 - q) sum_i m_i^2 + q t^2/4 (k-1)(d-k) d Q/(d-1)^2,

a sum of squares. For any loss at w = 0, where p = 0, grad F_A = b(0) E[y x], and Var = b(0)^2 c^2 k (1 - k/d).
"""

from __future__ import annotations

import math

import numpy as np

from ..core.arguments import Array
from ..core.numbers import ROUNDING, Scaled
from ..estimation.settings import Settings
from ..losses import AffineLoss
from ..methods.closed_form.theorem import Theorem
from ..models import Linear
from ..problem import Problem
from ..results.estimate import Estimate
from .examples import not_for_tasks
from .planted_parities import PlantedParities

_EPS = float(np.finfo(np.float64).eps)


class PlantedParitiesLinear(Theorem):
    """Planted parities with the linear model, for a loss that is affine in p, or at w = 0. Exact; costs dim."""

    statement = "planted parities with the linear model, from the first two moments of the tasks"

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for planted parities and the linear model, with a loss that is affine in p, or at w = 0."""
        hypotheses, model, loss = problem.hypotheses, problem.model, problem.loss
        if not isinstance(hypotheses, PlantedParities):
            return "the class is not that of planted parities"
        if not isinstance(model, Linear):
            return "the moments of planted parities give the gradient of the linear model only"
        if model.weights.any() and not isinstance(loss, AffineLoss):
            return f"the loss {loss.name!r} at weights other than 0 needs more of the tasks than two moments"
        return not_for_tasks(problem)

    def work(self, problem: Problem) -> float:
        """Return the dimension."""
        return float(problem.inputs.dim)

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return Var, exact up to rounding."""
        hypotheses, model = problem.hypotheses, problem.model
        assert isinstance(hypotheses, PlantedParities)
        assert isinstance(model, Linear)
        # dloss/dp = t p + y b: t = 0 at w = 0, where p = 0
        slope, b = _derivative_at_zero(problem)
        # Weights and the gradient in units of 2^exponent: their squares stay within float64.
        largest = max(float(np.abs(model.weights).max()) * abs(slope), abs(b))
        exponent = math.frexp(largest)[1] if largest > 2.0**100 else 0
        w = slope * np.ldexp(model.weights, -exponent)
        variance = _variance(hypotheses.dim, hypotheses.degree, w, abs(math.ldexp(b, -exponent)))
        return Estimate.exactly(
            Scaled(variance.mantissa, variance.error, 2 * exponent),
            "closed-form (moments of planted parities)",
            "exact up to float64 rounding: from the first two moments of the tasks, over all of them",
        )


def _derivative_at_zero(problem: Problem) -> tuple[float, float]:
    loss = problem.loss
    if isinstance(loss, AffineLoss):
        return loss.slope, -1.0
    return 0.0, float(loss.split(np.zeros(1))[1][0])


def _variance(d: int, k: int, w: Array, b: float) -> Scaled:
    """Var for dloss/dp = <w, x> - b y, with a bound on its rounding."""
    c, others = b if k == 1 else b / 2, max(d - 1, 1)
    # m_i = (k-1)/(2(d-1)) (S - w_i) - c
    total, share = math.fsum(w), (k - 1) / (2 * others)
    means = share * (total - w) - c
    # Var = q (1-q) sum_i m_i^2 + k (k-1)(d-k)/(4 (d-1)^2) Q
    q = k / d
    spread = math.fsum((w - total / d) ** 2)
    rest = k * (k - 1) * (d - k) / (4 * others**2)
    variance = q * (1 - q) * math.fsum(means**2) + rest * spread
    # Var is the squared norm of the deviations over i and A, and rounding moves each of them by a few eps of its terms.
    size = float(np.abs(w).max())
    error_sq = (1 - q) * k * (4 * _EPS * (share * (abs(total) + size) + c)) ** 2 + rest * d * (4 * _EPS * size) ** 2
    return Scaled(variance, ROUNDING * variance + 2 * math.sqrt(error_sq * variance) + error_sq)
