r"""Linear-periodic targets, a network with one hidden layer (or none), x ~ N(0, I), b(p) constant.

With p = sum_j a_j sigma(<w_j, x> + b_j) + c the gradient consists of a_j sigma'(z_j) x, a_j sigma'(z_j), sigma(z_j) and
1. Each is a ridge function, times x or 1; E_x[h_v .] depends on v through alpha = <v, w_j/|w_j|> and the direction of
v's part orthogonal to w_j, of norm beta: for h_v = cos<v, x>, s = |w_j|, z ~ N(0, 1)

    E[h_v f(z_j)]   = e^(-beta^2/2) E_z[cos(alpha z) f(s z + b_j)],
    E[h_v f(z_j) x] = e^(-beta^2/2) (E_z[z cos(alpha z) f(s z + b_j)] w_j/|w_j| - beta E_z[sin(alpha z) f(s z + b_j)] u)

so that Var is a sum over units of one-dimensional integrals (over the angle) of one-dimensional ones (over z), the
latter in closed form but for tanh, sigmoid and softplus. A linear model is a_j sigma' = 1: E[h_v x] = 0 for even waves,
n v e^(-n^2 rho^2/2) for sin n<v, x>.

Costs, for a hidden unit and a harmonic, some hundred angles, times some hundred nodes in z for tanh, sigmoid and
softplus, at any dimension. The error is that of both quadratures and of rounding. Declined: units so steep that they
need more than 2^15 nodes, waves with jumps in low dimension.
"""

from __future__ import annotations

import math

from ...classes import LinearPeriodic
from ...estimation.settings import Settings
from ...models import MLP, Linear
from ...problem import Problem
from ...results.estimate import Estimate
from . import linear_periodic
from .gaussian_units.gaussian_transforms import Unit
from .gaussian_units.sphere_variance import Ridge

STATEMENT = (
    "linear-periodic targets and a network with one hidden layer: Var is a sum over units of one-dimensional integrals "
    "over the angle between v and w_j, x ~ N(0, I)"
)


def declines(problem: Problem) -> str | None:
    """Return None for linear-periodic targets, at most one hidden layer and a loss with constant b."""
    model = problem.model
    if not isinstance(model, (MLP, Linear)):
        return "the model is not a fully connected network"
    if isinstance(model, MLP) and len(model.weights) > 2:
        return f"the network has {len(model.weights) - 1} hidden layers"
    declined = linear_periodic.declines(problem)
    if declined is not None:
        return declined
    assert isinstance(problem.hypotheses, LinearPeriodic)
    return linear_periodic.declined_units(problem.hypotheses, ridges(model))


def ridges(model: MLP | Linear) -> list[Ridge]:
    """Return the blocks of the model's gradient. (The output bias has gradient 1: nothing varies.)"""
    if isinstance(model, Linear) or len(model.weights) == 1:
        return [Ridge(Unit("identity", True, 0.0, 0.0), 1.0, moments=True, constant=False)]
    first, last = model.weights
    bias = model.biases[0]
    found = []
    for j, (w, a) in enumerate(zip(first, last[0], strict=True)):
        slope, shift = math.hypot(*w.tolist()), 0.0 if bias is None else float(bias[j])
        found.append(Ridge(Unit(model.activation, True, slope, shift), float(a), True, bias is not None))
        found.append(Ridge(Unit(model.activation, False, slope, shift), 1.0, False, True))
    return found


def estimate(problem: Problem, settings: Settings) -> Estimate:
    """Return Var, exact up to a quadrature error that is in the interval."""
    model = problem.model
    assert isinstance(model, (MLP, Linear))
    return linear_periodic.estimate(problem, ridges(model), "closed-form (linear-periodic, two-layer)", settings)
