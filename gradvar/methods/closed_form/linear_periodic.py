r"""What the theorems on linear-periodic targets share: from the class to a sphere, from blocks to an estimate.

The gradient of the model consists of blocks weight f(<w, x> + b) (x, 1) (`sphere_variance.Ridge`) and the loss has
b(p) constant, so that Var is b^2 times the sum of their variances.

The error that is reported, and has to be below 1e-6 of the value: quadrature (by halving its step) and rounding; for
waves with jumps also what the harmonics n > N add. With r that remainder, (Var^(1/2) - Var_N^(1/2))^2 <= Var_r and
Var_r <= E||s||^2 times the norm of r's Gram kernel, which has an explicit bound.
"""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ...classes import LinearPeriodic
from ...core.activations import ACTIVATIONS
from ...core.errors import NotApplicableError
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...problem import Problem
from ...results.estimate import Estimate
from .gaussian_units.gaussian_transforms import MAX_NODES
from .gaussian_units.sphere_variance import Ridge, Scaled, Sphere, ridge_variance, total

RTOL = 1e-6
"""Relative error above which the theorems decline."""
_MOST_HARMONICS = 64
_SHARE = -46.0
_WORST_SHARE = -30.0
_BLOCK = 4
_EXTREME = 1e100


def declines(problem: Problem) -> str | None:
    """Return why the class or the loss is not covered; None when they are."""
    hypotheses = problem.hypotheses
    if not isinstance(hypotheses, LinearPeriodic):
        return "the class is not linear-periodic"
    if problem.loss.constant is None:
        return f"b(p) is not constant for the loss {problem.loss.name!r}"
    if not hypotheses.wave.is_constant:
        left = hypotheses.log_harmonic_residual(_MOST_HARMONICS) - hypotheses.log2_operator_norm() * math.log(2)
        if left > _WORST_SHARE:
            return (
                f"the harmonics past {_MOST_HARMONICS} of the {hypotheses.wave.name} wave in dimension "
                f"{hypotheses.dim} may carry {math.exp(min(left, 0.0)):.1g} of the operator norm"
            )
    return None


def declined_units(hypotheses: LinearPeriodic, ridges: list[Ridge]) -> str | None:
    """Return why a unit is out of reach: weights of extreme size, or a quadrature with too many nodes."""
    sphere = sphere_of(hypotheses)
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


def sphere_of(hypotheses: LinearPeriodic) -> Sphere:
    """Return the sphere of v with the harmonics that count."""
    a, b = hypotheses.wave.coefficients
    if hypotheses.wave.is_constant:
        return Sphere(hypotheses.dim, hypotheses.radius, ())
    last = hypotheses.last_harmonic(_SHARE, _MOST_HARMONICS)
    harmonics = tuple((n + 1, float(a[n]), float(b[n])) for n in range(last) if a[n] or b[n])
    return Sphere(hypotheses.dim, hypotheses.radius, harmonics)


@dataclass(frozen=True)
class _Block:
    sphere: Sphere

    def __call__(self, ridges: tuple[Ridge, ...]) -> Scaled:
        return total([ridge_variance(ridge, self.sphere) for ridge in ridges])


def estimate(problem: Problem, ridges: list[Ridge], method: str, settings: Settings) -> Estimate:
    """Return the sum of the blocks' variances with its error.

    Raises
    ------
    NotApplicableError
        When the error exceeds 1e-6 of the value.
    """
    begin = time.perf_counter()
    hypotheses, scale = problem.hypotheses, problem.loss.constant
    assert isinstance(hypotheses, LinearPeriodic)
    assert scale is not None
    sphere = sphere_of(hypotheses)
    blocks = [tuple(ridges[i : i + _BLOCK]) for i in range(0, len(ridges), _BLOCK)]
    with closing(ordered_map(_Block(sphere), blocks, settings.executor)) as results:
        found = total(list(results))
    whole = math.floor(found.exponent / math.log(2))
    factor = scale**2 * math.exp(found.exponent - whole * math.log(2))
    value, error = found.value * factor, found.error * factor
    left_out = _left_out(hypotheses, sphere, ridges, scale, whole)
    error += 2 * math.sqrt(value * left_out) + left_out
    if not error <= RTOL * value:
        raise NotApplicableError(
            f"{method}: the error of the quadrature, {error / value if value else math.inf:.1g} of the value, exceeds "
            f"{RTOL:g}; method='monte-carlo' needs none"
        )
    return Estimate(
        mantissa=value,
        exponent=whole,
        mantissa_interval=(value - error, value + error),
        exact=True,
        method=method,
        guarantee="exact: it is zero by symmetry"
        if value == 0
        else f"exact up to a relative error of {error / value:.1g}: a one-dimensional integral over cos angle(v, w)",
        seconds=time.perf_counter() - begin,
    )


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
    z = np.linspace(-9.5, 9.5, 4001)
    density = np.exp(-0.5 * z * z)
    density /= density.sum()
    signal = -math.inf
    for ridge in ridges:
        if ridge.vanishes(any_harmonic):
            continue
        unit = ridge.unit
        f = ACTIVATIONS[unit.function](unit.slope * z + unit.bias)[int(unit.derivative)]
        squares = (z * z + sphere.dim - 1.0) * ridge.moments + float(ridge.constant)
        share = float(density @ (f * f * squares))
        if share > 0 and ridge.weight != 0:
            signal = float(np.logaddexp(signal, 2 * math.log(abs(ridge.weight)) + math.log(share)))
    # 1.01: the sum over z is an estimate at kinks.
    return math.exp(min(log_norm + signal - exponent * math.log(2), 700.0)) * 1.01 * scale**2
