r"""G^2 = E||dp/dw||^2 and E||s||^2: exactly where that can be had, else from a sample.

**Exactly**, at any dimension:

- one hidden layer, p = sum_j a_j sigma(z_j) + c, x uniform on the cube or x ~ N(0, I):

      G^2 = sum_j a_j^2 E[sigma'(z_j)^2 (||x||^2 + 1)] + E sigma(z_j)^2 + 1,

  the two ones where the layer has biases. On the cube ||x||^2 = d; under Gaussian inputs the component along w_j and
  those across it give E[f^2 ||x||^2] = (d - 1) E f^2 + E[f^2 u^2], u = <w_j, x>/|w_j|. The moments of a unit:
  `cube_units/unit_norms.py`, `gaussian_units/unit_norms.py`;
- the cosine, dp/dw = -sin<w, x> x: a unit of that kind without its output weight;
- linear models on the cube, biased or not, and under Gaussian inputs: E||x||^2 = d;
- E||s||^2 = b^2 G^2 where b is constant;
- finite inputs, by the pass over all of them that had the variance, or by one of their own where that takes no more
  than the variance did.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from operator import call

from ...classes.inputs import Gaussian, Hypercube
from ...core.arguments import Array, stream
from ...core.numbers import Scaled
from ...estimation.expectation import MAX_POINTS, expectation
from ...estimation.settings import MAX_SAMPLES, MAX_WORK, Settings
from ...estimation.tiles import ordered_map
from ...models import MLP, Cosine, Linear
from ...models.infinite_mlp import InfiniteMLP
from ...models.mlp import has_one_hidden_layer
from ...models.trainable import trains, whole
from ...problem import Problem
from ...results.estimate import Estimate
from ..base import COMPILED_CODE
from . import infinite_width
from .cube_units import unit_norms as on_cube
from .cube_units.unit_variance import HiddenUnit
from .gaussian_units import unit_norms as on_gaussian
from .rounded import EPS
from .two_layer_parities import signal_scale, units

_METHOD = "closed-form (squared norms)"
_FREE_WORK = 2.0**27
"""Multiplications that are taken without a look at what the variance took."""
_MOST_HALVES = 2.0**32
"""Multiplications that all units may take by sorted halves."""
_LARGEST_ERROR = 1e-3
"""Relative error up to which a number that is not exact is taken."""
_PANELS = 2.0**18


@dataclass(frozen=True)
class _Sum:
    """G^2 as a number that is known and a sum over hidden units, and the multiplications that it takes."""

    constant: float
    units: tuple[Callable[[], tuple[Scaled, bool]], ...] = ()
    work: float = 1.0


def norms(problem: Problem, settings: Settings, variance: Estimate | None = None) -> tuple[Estimate, Estimate]:
    """Return G^2 and E||s||^2, of a problem whose variance is known already where one is given.

    Raises
    ------
    Interrupted
        Where it is sampled, with the mean of ||s||^2 so far.
    """
    if isinstance(problem.model, InfiniteMLP):
        return infinite_width.norms(problem)
    known = None if variance is None else variance.norms
    if known is not None and all(norm.exact for norm in known):
        return known[0], known[1]
    total, scale = _sum_over_units(problem), signal_scale(problem)
    gradient = None if total is None else _gradient_norm(problem, total, settings)
    if gradient is not None and scale is not None:
        return gradient, _times(gradient, scale**2)
    is_enumerated = _is_affordable(problem, variance)
    if known is not None and not is_enumerated:
        return gradient or known[0], known[1]
    signal, averaged = expectation(
        partial(_signal_first, problem),
        problem.inputs,
        settings,
        name="mean of the squared norm",
        method="expectation",
        row_size=problem.row_size,
        most=problem.largest_norms[::-1],
        max_points=MAX_POINTS if is_enumerated else 0,
    )
    return gradient or averaged, signal


def work(problem: Problem) -> float:
    """Return about how many multiplications E||s||^2 takes where nothing is known yet."""
    total = _sum_over_units(problem)
    if total is not None and signal_scale(problem) is not None:
        return total.work
    points = problem.inputs.n_points if _is_affordable(problem, None) else None
    return min((points or MAX_SAMPLES) * problem.input_work, MAX_WORK)


def _signal_first(problem: Problem, x: Array) -> Array:
    return problem.norms(x)[:, ::-1]


def _is_affordable(problem: Problem, variance: Estimate | None) -> bool:
    """Whether a sum over all inputs takes no more than the variance did: its inputs, and pairs of samples."""
    points, each = problem.inputs.n_points, problem.input_work
    if points is None or points > MAX_POINTS:
        return False
    if variance is None:
        return points * each <= MAX_WORK
    n = variance.n_samples
    return points * each <= max(_FREE_WORK, max(n, variance.n_evaluated) * each + float(n) ** 2)


def _sum_over_units(problem: Problem) -> _Sum | None:
    """G^2 as a sum over hidden units, where model and inputs are such; else None."""
    model, inputs = whole(problem.model), problem.inputs
    has = partial(trains, problem.model)
    if not isinstance(inputs, (Hypercube, Gaussian)):
        return None
    if type(model) is Linear:
        return _Sum(inputs.dim)
    if type(model) is MLP and len(model.weights) == 1:
        return _Sum(inputs.dim * has("weights[0]") + (model.biases[0] is not None and has("biases[0]")))
    if type(model) is Cosine:
        hidden, constant, outer = [HiddenUnit(model.weights, 0.0, 1.0, False, "cos")], 0, False
    elif has_one_hidden_layer(model):
        hidden, constant = units(problem.model), int(model.biases[1] is not None and has("biases[1]"))
        outer = has("weights[1]")
    else:
        return None
    if isinstance(inputs, Gaussian):
        parts = tuple(partial(_under_gaussian, unit, outer) for unit in hidden)
        return _Sum(constant, parts, _PANELS * len(parts))
    if inputs.bias:
        return None
    ways = [on_cube.way(unit) for unit in hidden]
    if sum(way.work for way in ways if way is not None) > _MOST_HALVES:
        ways = [on_cube.way(unit, halves=False) for unit in hidden]
    found = [way for way in ways if way is not None]
    if len(found) < len(hidden):
        return None
    on_the_cube = tuple(partial(_on_cube, unit, outer, way) for unit, way in zip(hidden, found, strict=True))
    compiled = COMPILED_CODE * any(way.is_compiled for way in found)
    return _Sum(constant, on_the_cube, compiled + sum(way.work for way in found))


def _on_cube(unit: HiddenUnit, outer: bool, way: on_cube.Way) -> tuple[Scaled, bool]:
    """a^2 (d + 1) E sigma'^2 + E sigma^2, the one for a bias, and whether it is exact."""
    found = way.norms()
    slope = found.slope.times(unit.output**2 * (unit.weights.size * unit.has_weights + unit.has_bias))
    return Scaled.total([slope, found.value.times(outer)]), found.exact


def _under_gaussian(unit: HiddenUnit, outer: bool) -> tuple[Scaled, bool]:
    """a^2 ((d - 1 + 1) E sigma'^2 + E[sigma'^2 u^2]) + E sigma^2, the last one in brackets for a bias."""
    norm = math.hypot(*unit.weights.tolist())
    value, slope, moment = on_gaussian.unit_norms(unit.activation, norm, unit.bias)
    square, inner = unit.output**2, unit.has_weights
    across = (unit.weights.size - 1) * inner + unit.has_bias
    return Scaled.total([slope.times(square * across), moment.times(square * inner), value.times(outer)]), True


def _gradient_norm(problem: Problem, total: _Sum, settings: Settings) -> Estimate | None:
    """G^2; None where it is not exact and a sample may know it better."""
    problem.norms(problem.inputs.sample(1, stream(settings.seed, 0)))  # an error where the model cannot be evaluated
    with closing(ordered_map(call, total.units, settings.executor)) as results:
        found = list(results)
    number = Scaled.total([Scaled(total.constant), *(part for part, _ in found)])
    number = replace(number, error=number.error + len(found) * 2 * EPS * number.mantissa)
    if not found:
        return Estimate.exactly(number, _METHOD, "exact: E||x||^2 is the number of coordinates")
    if all(exact for _, exact in found):
        return Estimate.exactly(
            number,
            _METHOD,
            f"exact up to series and float64 rounding, both within the interval: a sum over {_units(len(found))}",
        )
    if number.relative_error > _LARGEST_ERROR:
        return None
    estimate = Estimate.exactly(
        number,
        _METHOD,
        "not exact: the Fourier series of a kink is cut, and an estimate of what it leaves out makes the interval",
    )
    return replace(estimate, exact=False, mantissa_error=number.error)


def _units(count: int) -> str:
    return f"{count:,} hidden unit{'' if count == 1 else 's'}"


def _times(estimate: Estimate, factor: float) -> Estimate:
    low, high = estimate.mantissa_interval
    return replace(
        estimate,
        mantissa=estimate.mantissa * factor,
        mantissa_interval=(low * factor, high * factor),
        mantissa_error=estimate.mantissa_error * factor,
    )
