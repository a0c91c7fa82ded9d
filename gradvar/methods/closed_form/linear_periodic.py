r"""Linear-periodic targets, a cosine model or a network with at most one hidden layer, x ~ N(0, I), b(p) constant.

**Networks.** With p = sum_j a_j sigma(<w_j, x> + b_j) + c the gradient consists of a_j sigma'(z_j) x, a_j sigma'(z_j),
sigma(z_j) and 1. Each is a ridge function, times x or 1; E_x[h_v .] depends on v through alpha = <v, w_j/|w_j|> and the
direction of v's part orthogonal to w_j, of norm beta: for h_v = cos<v, x>, s = |w_j|, z ~ N(0, 1)

    E[h_v f(z_j)]   = e^(-beta^2/2) E_z[cos(alpha z) f(s z + b_j)],
    E[h_v f(z_j) x] = e^(-beta^2/2) (E_z[z cos(alpha z) f(s z + b_j)] w_j/|w_j| - beta E_z[sin(alpha z) f(s z + b_j)] u)

so that Var is a sum over units of one-dimensional integrals (over the angle) of one-dimensional ones (over z), the
latter in closed form but for tanh, sigmoid and softplus. A linear model is a_j sigma' = 1: E[h_v x] = 0 for even waves,
n v e^(-n^2 rho^2/2) for sin n<v, x>.

**Cosine.** For p = cos<w, x>, g = dp/dw = -sin<w, x> x and

    E_x[cos<v, x> g] = -( (w - v) e^(-|w-v|^2/2) + (w + v) e^(-|w+v|^2/2) )/2,

the derivative in w of E_x[cos<v, x> cos<w, x>] = (e^(-|w-v|^2/2) + e^(-|w+v|^2/2))/2. Its squared deviation from the
mean over v is a function of cos angle(v, w) alone: one integral, at any dimension. Other waves: harmonics n v.

**Cost.** For a hidden unit and a harmonic, some hundred angles, times some hundred nodes in z for tanh, sigmoid and
softplus, at any dimension. Declined: units so steep that they need more than 2^15 nodes, waves with jumps in low
dimension.

**Error.** It has to be below 1e-6 of the value: both quadratures (by halving the step) and rounding; for waves with
jumps also what the harmonics n > N add. With r that remainder, (Var^(1/2) - Var_N^(1/2))^2 <= Var_r and
Var_r <= E||s||^2 times the norm of r's Gram kernel, which has an explicit bound.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...classes import LinearPeriodic
from ...core.activations import CLOSED_FORMS
from ...core.errors import NotApplicableError
from ...core.numbers import Scaled
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...models import MLP, Cosine, Linear
from ...models.trainable import trains, whole
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from .gaussian_units.gaussian_transforms import MAX_NODES, GaussianUnit
from .gaussian_units.sphere_variance import Ridge, Sphere, ridge_variance
from .gaussian_units.unit_norms import unit_norms
from .theorem import Theorem

RTOL = 1e-6
"""Relative error above which the theorem declines."""
_MOST_HARMONICS = 64
_SHARE = -46.0
_WORST_SHARE = -30.0
_EXTREME = 1e100
_ANGLES, _NODE = 500, 20
"""Angles of a unit, and multiplications that one of them, or one node of its quadrature, counts as."""


@dataclass(frozen=True)
class LinearPeriodicTargets(Theorem):
    """The theorem on linear-periodic targets."""

    statement = (
        "linear-periodic targets and a cosine model or a network with one hidden layer: Var is a sum over units of "
        "one-dimensional integrals over the angle between v and w_j, x ~ N(0, I)"
    )

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for linear-periodic targets, such a model and a loss with constant b."""
        hypotheses, model = problem.hypotheses, whole(problem.model)
        if not isinstance(hypotheses, LinearPeriodic):
            return "the class is not linear-periodic"
        if not isinstance(model, (Cosine, Linear, MLP)):
            return "the model is neither a cosine nor a fully connected network"
        if isinstance(model, MLP) and len(model.weights) > 2:
            return f"the network has {len(model.weights) - 1} hidden layers"
        if isinstance(model, MLP) and model.activation not in CLOSED_FORMS:
            return f"of the activation {model.activation} nothing is known but its values"
        if problem.loss.constant is None:
            return f"b(p) is not constant for the loss {problem.loss.name!r}"
        if problem.moment is not Moment.VARIANCE:
            return "the theorem on linear-periodic targets gives their variance alone"
        if not hypotheses.wave.is_constant:
            left = hypotheses.log_harmonic_residual(_MOST_HARMONICS) - hypotheses.log2_operator_norm() * math.log(2)
            if left > _WORST_SHARE:
                return (
                    f"the harmonics past {_MOST_HARMONICS} of the {hypotheses.wave.name} wave in dimension "
                    f"{hypotheses.dim} may carry {math.exp(min(left, 0.0)):.1g} of the operator norm"
                )
        return _declined_units(hypotheses, ridges(problem.model))

    def work(self, problem: Problem) -> float:
        """Return harmonics x angles x nodes, over the units."""
        _, sphere, units = _parts(problem)
        nodes = sum(
            2 * ridge.unit.nodes(sphere.harmonics[0][0] * sphere.radius)[0] if ridge.unit.is_quadrature else 1
            for ridge in units
            if sphere.harmonics
        )
        return 1.0 + float(len(sphere.harmonics) * _ANGLES * _NODE * nodes)

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the sum of the blocks' variances with its error.

        Raises
        ------
        NotApplicableError
            When the error exceeds 1e-6 of the value.
        """
        hypotheses, sphere, units = _parts(problem)
        scale = problem.loss.constant
        assert scale is not None
        method = (
            f"closed-form (linear-periodic, {'cosine' if isinstance(whole(problem.model), Cosine) else 'two-layer'})"
        )
        with closing(ordered_map(partial(ridge_variance, sphere=sphere), units, settings.executor)) as results:
            found = Scaled.total(results).times(scale**2)
        # Var^(1/2) is off by Var_r^(1/2) at most, r the harmonics that were left out
        left_out = _left_out(hypotheses, sphere, units, scale, found.exponent)
        value = found.mantissa
        found = Scaled(value, found.error + 2 * math.sqrt(value * left_out) + left_out, found.exponent)
        if not found.relative_error <= RTOL:
            raise NotApplicableError(
                f"{method}: the error of the quadrature, {found.relative_error:.1g} of the value, exceeds {RTOL:g}; "
                "method='monte-carlo' needs none"
            )
        guarantee = (
            "exact: it is zero by symmetry"
            if value == 0
            else f"exact up to a relative error of {found.relative_error:.1g}: a one-dimensional integral over cos "
            "angle(v, w)"
        )
        return Estimate.exactly(found, method, guarantee)


def _parts(problem: Problem) -> tuple[LinearPeriodic, Sphere, list[Ridge]]:
    """The class, its sphere of v and the blocks of the gradient, for a problem that is covered."""
    assert isinstance(problem.hypotheses, LinearPeriodic)
    return problem.hypotheses, _sphere_of(problem.hypotheses), ridges(problem.model)


def ridges(trained: object) -> list[Ridge]:
    """Return the blocks of the model's gradient. (The output bias has gradient 1: nothing varies.)"""
    model, has = whole(trained), partial(trains, trained)
    assert isinstance(model, (Cosine, Linear, MLP))
    if isinstance(model, Cosine):
        wave = GaussianUnit("cos", True, math.hypot(*model.weights.tolist()), 0.0)
        return [Ridge(wave, 1.0, moments=True, constant=False)]
    if isinstance(model, Linear) or len(model.weights) == 1:
        moments = isinstance(model, Linear) or has("weights[0]")
        return [Ridge(GaussianUnit("identity", True, 0.0, 0.0), 1.0, moments, constant=False)]
    assert isinstance(model.activation, str)
    first, last = model.weights
    bias = model.biases[0]
    found = []
    for j, (w, a) in enumerate(zip(first, last[0], strict=True)):
        slope, shift = math.hypot(*w.tolist()), 0.0 if bias is None else float(bias[j])
        unit = GaussianUnit(model.activation, True, slope, shift)
        found.append(Ridge(unit, float(a), has("weights[0]"), bias is not None and has("biases[0]")))
        found.append(Ridge(replace(unit, derivative=False), 1.0, False, has("weights[1]")))
    return found


def _declined_units(hypotheses: LinearPeriodic, ridges: list[Ridge]) -> str | None:
    """Why a unit is out of reach: weights of extreme size, or a quadrature with too many nodes."""
    sphere = _sphere_of(hypotheses)
    for ridge in ridges:
        for size in (ridge.unit.slope, abs(ridge.unit.bias)):
            if size != 0 and not 1 / _EXTREME < size < _EXTREME:
                return f"a hidden unit has weights of norm or a bias of size {size:.3g}: out of the range of float64"
        if ridge.unit.is_quadrature and not ridge.vanishes(sphere):
            nodes = 2 * ridge.unit.nodes(sphere.harmonics[0][0] * sphere.radius)[0]
            if nodes > MAX_NODES:
                return (
                    f"a {ridge.unit.function} unit with |w| = {ridge.unit.slope:.4g} needs a quadrature with "
                    f"{nodes:,} nodes (more than {MAX_NODES:,})"
                )
    return None


def _sphere_of(hypotheses: LinearPeriodic) -> Sphere:
    """The sphere of v with the harmonics that count."""
    a, b = hypotheses.wave.coefficients
    if hypotheses.wave.is_constant:
        return Sphere(hypotheses.dim, hypotheses.radius, ())
    last = hypotheses.last_harmonic(_SHARE, _MOST_HARMONICS)
    harmonics = tuple((n + 1, float(a[n]), float(b[n])) for n in range(last) if a[n] or b[n])
    return Sphere(hypotheses.dim, hypotheses.radius, harmonics)


def _left_out(hypotheses: LinearPeriodic, sphere: Sphere, ridges: list[Ridge], scale: float, exponent: int) -> float:
    """A bound on the variance of the harmonics that were left out, over 2^exponent."""
    if not sphere.harmonics:
        return 0.0
    log_norm = hypotheses.log_harmonic_residual(sphere.harmonics[-1][0])
    if log_norm == -math.inf:
        return 0.0
    # What vanishes by symmetry does so for every harmonic.
    a, b = hypotheses.wave.coefficients
    any_harmonic = Sphere(sphere.dim, sphere.radius, ((1, float(a.any() and sphere.dim > 1), float(b.any())),))
    signal = -math.inf
    for ridge in ridges:
        if ridge.vanishes(any_harmonic):
            continue
        value, slope, moment = unit_norms(ridge.unit.function, ridge.unit.slope, ridge.unit.bias)
        plain = slope if ridge.unit.derivative else value
        # E[f^2 (||x||^2 + 1)], the one for a constant; blocks with moments are of sigma'
        parts = (
            slope.times((sphere.dim - 1.0) * ridge.moments),
            moment.times(ridge.moments),
            plain.times(ridge.constant),
        )
        share = math.fsum(part.mantissa + part.error for part in parts)
        if share > 0 and ridge.weight != 0:
            signal = float(np.logaddexp(signal, 2 * math.log(abs(ridge.weight)) + math.log(share)))
    return math.exp(min(log_norm + signal - exponent * math.log(2), 700.0)) * scale**2
