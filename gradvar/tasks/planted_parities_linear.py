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
import time

import numpy as np

from ..estimation.expectation import ROUNDING
from ..estimation.settings import Settings
from ..losses import AffineLoss
from ..models import Linear
from ..problem import Problem
from ..results.estimate import Estimate
from .planted_parities import PlantedParities

STATEMENT = "planted parities with the linear model, from the first two moments of the tasks"
_EPS = float(np.finfo(np.float64).eps)


def declines(problem: Problem) -> str | None:
    """Return None for planted parities and the linear model, with a loss that is affine in p, or at w = 0."""
    if not isinstance(problem.hypotheses, PlantedParities):
        return "the class is not that of planted parities"
    if not isinstance(problem.model, Linear):
        return "the moments of planted parities give the gradient of the linear model only"
    if problem.model.weights.any() and not isinstance(problem.loss, AffineLoss):
        return f"the loss {problem.loss.name!r} at weights other than 0 needs more of the tasks than two moments"
    return None


def estimate(problem: Problem, settings: Settings) -> Estimate:
    """Return Var, exact up to rounding."""
    begin = time.perf_counter()
    hypotheses, model, loss = problem.hypotheses, problem.model, problem.loss
    assert isinstance(hypotheses, PlantedParities)
    assert isinstance(model, Linear)
    d, k = hypotheses.dim, hypotheses.degree
    # Weights in units of `unit`, and the gradient in units of 2^exponent: their squares stay within float64.
    slope, b = (loss.slope, -1.0) if isinstance(loss, AffineLoss) else (0.0, float(loss.split(np.zeros(1))[1][0]))
    largest = max(float(np.abs(model.weights).max()) * abs(slope), abs(b))
    exponent = math.frexp(largest)[1] if largest > 2.0**100 else 0
    w = slope * np.ldexp(model.weights, -exponent)
    c = abs(math.ldexp(b, -exponent)) * (1.0 if k == 1 else 0.5)

    total = math.fsum(w)
    share = (k - 1) / (2 * (d - 1)) if k > 1 else 0.0
    means = share * (total - w) - c
    spread = math.fsum((w - total / d) ** 2)
    q = k / d
    rest = k * (k - 1) * (d - k) / (4 * (d - 1) ** 2) if k > 1 else 0.0
    variance = q * (1 - q) * math.fsum(means**2) + rest * spread
    # Var is the squared norm of the deviations over i and A, and rounding moves each of them by a few eps of its terms.
    size = float(np.abs(w).max())
    error_sq = (1 - q) * k * (4 * _EPS * (share * (abs(total) + size) + c)) ** 2 + rest * d * (4 * _EPS * size) ** 2
    half = ROUNDING * variance + 2 * math.sqrt(error_sq * variance) + error_sq
    return Estimate(
        mantissa=variance,
        exponent=2 * exponent,
        mantissa_interval=(max(variance - half, 0.0), variance + half),
        exact=True,
        method="closed-form (moments of planted parities)",
        guarantee="exact up to float64 rounding: from the first two moments of the tasks, over all of them",
        seconds=time.perf_counter() - begin,
    )
