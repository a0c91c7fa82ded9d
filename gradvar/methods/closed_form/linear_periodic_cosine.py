r"""Linear-periodic targets, a cosine model p = cos<w, x>, x ~ N(0, I), b(p) constant.

For h_v(x) = cos<v, x> and g = dp/dw = -sin<w, x> x

    E_x[h_v g] = -( (w - v) e^(-|w-v|^2/2) + (w + v) e^(-|w+v|^2/2) )/2,

the derivative in w of E_x[cos<v, x> cos<w, x>] = (e^(-|w-v|^2/2) + e^(-|w+v|^2/2))/2. Its squared deviation from the
mean over v is a function of cos angle(v, w) alone: one integral, at any dimension. Other waves: harmonics n v.

Costs some hundred evaluations a harmonic; the error is that of the quadrature and of rounding.
"""

from __future__ import annotations

import math

from ...classes import LinearPeriodic
from ...estimation.settings import Settings
from ...models import Cosine
from ...problem import Problem
from ...results.estimate import Estimate
from . import linear_periodic
from .gaussian_units.gaussian_transforms import Unit
from .gaussian_units.sphere_variance import Ridge

STATEMENT = (
    "linear-periodic targets and a cosine model: Var is a one-dimensional integral over the angle between v and w, "
    "x ~ N(0, I)"
)


def declines(problem: Problem) -> str | None:
    """Return None for linear-periodic targets, a cosine model and a loss with constant b."""
    model = problem.model
    if not isinstance(model, Cosine):
        return "the model is not a cosine"
    declined = linear_periodic.declines(problem)
    if declined is not None:
        return declined
    assert isinstance(problem.hypotheses, LinearPeriodic)
    return linear_periodic.declined_units(problem.hypotheses, ridges(model))


def ridges(model: Cosine) -> list[Ridge]:
    """Return the one block of the model's gradient."""
    unit = Unit("cos", True, math.hypot(*model.weights.tolist()), 0.0)
    return [Ridge(unit, 1.0, moments=True, constant=False)]


def estimate(problem: Problem, settings: Settings) -> Estimate:
    """Return Var, exact up to a quadrature error that is in the interval."""
    model = problem.model
    assert isinstance(model, Cosine)
    return linear_periodic.estimate(problem, ridges(model), "closed-form (linear-periodic, cosine)", settings)
