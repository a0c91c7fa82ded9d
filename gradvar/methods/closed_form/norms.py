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
from collections.abc import Callable, Mapping
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
from ...models.trainable import part_of, whole
from ...problem import Problem
from ...results.estimate import Estimate
from ..base import COMPILED_CODE
from . import infinite_width
from .cube_units import unit_norms as on_cube
from .cube_units.unit_variance import HiddenUnit
from .gaussian_units import unit_norms as on_gaussian
from .rounded import EPS
from .two_layer_parities import in_parts, signal_scale

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
    """G^2 of each part as a number that is known and a sum over hidden units, and the multiplications that it takes."""

    constant: tuple[float, ...]
    units: tuple[Callable[[], tuple[list[Scaled], bool]], ...] = ()
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
    return norms_of_parts(problem, settings, variance)[0]


def norms_of_parts(
    problem: Problem, settings: Settings, variance: Estimate | None = None
) -> list[tuple[Estimate, Estimate]]:
    """Return them for each part of the gradient, from samples of the size that the whole takes; variance as for one."""
    known = None if variance is None else variance.norms
    if known is not None and all(norm.exact for norm in known):
        return [(known[0], known[1])]
    total, scale = _sum_over_units(problem), signal_scale(problem)
    gradients = None if total is None else _gradient_norms(problem, total, settings)
    if gradients is not None and scale is not None:
        return [(gradient, _times(gradient, scale**2)) for gradient in gradients]
    is_enumerated = _is_affordable(problem, variance)
    if known is not None and not is_enumerated:
        return [(gradients[0] if gradients else known[0], known[1])]
    found = expectation(
        partial(_signal_first, problem),
        problem.inputs,
        settings,
        name="mean of the squared norm",
        method="expectation",
        row_size=problem.row_size,
        most=problem.largest_norms[::-1] * problem.n_parts,
        max_points=MAX_POINTS if is_enumerated else 0,
        pilot=partial(_signal_first, problem if problem.n_parts == 1 else problem.by_layer(apart=False)),
    )[::-1]
    return list(zip(gradients or found[::2], found[1::2], strict=True))


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
    if not isinstance(inputs, (Hypercube, Gaussian)):
        return None
    if type(model) is Linear:
        return _Sum((inputs.dim,))
    if type(model) is MLP and len(model.weights) == 1:
        return _Sum(_sizes(problem, {"weights[0]": inputs.dim, "biases[0]": model.biases[0] is not None}))
    if type(model) is Cosine:
        hidden: list[tuple[HiddenUnit, ...]] = [(HiddenUnit(model.weights, 0.0, 1.0, False, "cos", has_output=False),)]
        constant: tuple[float, ...] = (0.0,)
    elif has_one_hidden_layer(model):
        hidden, constant = in_parts(problem), _sizes(problem, {"biases[1]": model.biases[1] is not None})
    else:
        return None
    if isinstance(inputs, Gaussian):
        parts = tuple(partial(_under_gaussian, unit) for unit in hidden)
        return _Sum(constant, parts, _PANELS * len(parts))
    if inputs.bias:
        return None
    ways = [on_cube.way(unit[0]) for unit in hidden]
    if sum(way.work for way in ways if way is not None) > _MOST_HALVES:
        ways = [on_cube.way(unit[0], halves=False) for unit in hidden]
    found = [way for way in ways if way is not None]
    if len(found) < len(hidden):
        return None
    on_the_cube = tuple(partial(_on_cube, unit, way) for unit, way in zip(hidden, found, strict=True))
    compiled = COMPILED_CODE * any(way.is_compiled for way in found)
    return _Sum(constant, on_the_cube, compiled + sum(way.work for way in found))


def _sizes(problem: Problem, sizes: Mapping[str, float]) -> tuple[float, ...]:
    """What layers add to each part of the gradient."""
    places = [(part_of(problem.model, name), size) for name, size in sizes.items()]
    return tuple(float(sum(size for place, size in places if place == part)) for part in range(problem.n_parts))


def _on_cube(parts: tuple[HiddenUnit, ...], way: on_cube.Way) -> tuple[list[Scaled], bool]:
    """a^2 (d + 1) E sigma'^2 + E sigma^2, the one for a bias, of what is in each part, and whether it is exact."""
    found, totals = way.norms(), []
    for unit in parts:
        slope = found.slope.times(unit.output**2 * (unit.weights.size * unit.has_weights + unit.has_bias))
        totals.append(Scaled.total([slope, found.value.times(unit.has_output)]))
    return totals, found.exact


def _under_gaussian(parts: tuple[HiddenUnit, ...]) -> tuple[list[Scaled], bool]:
    """a^2 ((d - 1 + 1) E sigma'^2 + E[sigma'^2 u^2]) + E sigma^2, the last one in brackets for a bias."""
    norm = math.hypot(*parts[0].weights.tolist())
    value, slope, moment = on_gaussian.unit_norms(parts[0].activation, norm, parts[0].bias)
    square, totals = parts[0].output ** 2, []
    for unit in parts:
        across = (unit.weights.size - 1) * unit.has_weights + unit.has_bias
        terms = slope.times(square * across), moment.times(square * unit.has_weights), value.times(unit.has_output)
        totals.append(Scaled.total(terms))
    return totals, True


def _gradient_norms(problem: Problem, total: _Sum, settings: Settings) -> list[Estimate] | None:
    """G^2 of each part; None where it is not exact and a sample may know it better."""
    problem.norms(problem.inputs.sample(1, stream(settings.seed, 0)))  # an error where the model cannot be evaluated
    with closing(ordered_map(call, total.units, settings.executor)) as results:
        found = list(results)
    numbers = []
    for part, constant in enumerate(total.constant):
        number = Scaled.total([Scaled(constant), *(of_unit[part] for of_unit, _ in found)])
        numbers.append(replace(number, error=number.error + len(found) * 2 * EPS * number.mantissa))
    guarantee = f"exact up to series and float64 rounding, both within the interval: a sum over {_units(len(found))}"
    if not found:
        guarantee = "exact: E||x||^2 is the number of coordinates"
    estimates = [Estimate.exactly(number, _METHOD, guarantee) for number in numbers]
    if all(exact for _, exact in found):
        return estimates
    if Scaled.total(numbers).relative_error > _LARGEST_ERROR:
        return None
    guarantee = (
        "not exact: the Fourier series of a kink is cut, and an estimate of what it leaves out makes the interval"
    )
    return [
        replace(estimate, exact=False, mantissa_error=number.error, guarantee=guarantee)
        for estimate, number in zip(estimates, numbers, strict=True)
    ]


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
