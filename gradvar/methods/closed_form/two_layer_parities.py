r"""Parities of one degree, a network with one hidden layer, a loss whose b is constant: at any dimension.

**Theorem.** Let p = sum_j a_j sigma(<w_j, x> + b_j) + b_out, x uniform on {-1, +1}^d and H the C(d, k) parities of
degree k >= 1. With s = b dp/dw, b constant, W_k(f) = sum_{|S|=k} f^(S)^2 and delta_j = a_j sigma'(<w_j, x> + b_j),

    Var = b^2 sum_j [ (k+1) W_{k+1}(delta_j) + (d-k+1) W_{k-1}(delta_j) + W_k(delta_j) + W_k(sigma_j) ] / C(d, k)
          - ||E[m s]||^2,        m the class mean,

the terms of w_j, b_j and a_j; b_out has none at k >= 1. *Proof.* E[chi_S delta x_i] = delta^(S xor {i}); summed over i
and |S| = k each T of size k+1 is met k+1 times and each of size k-1 is met d-k+1 times. The weights of a ridge
function: `ridge.py` (Fourier series; polynomial products over coordinates), `equal_weights.py` (sums over Hamming
weights). b is constant for the square, correlation, logistic and perceptron losses, and for the hinge where
sum_j |a_j| sup |sigma_j| + |b_out| < 1 over all preactivations that the cube can give.

**Cost.** A unit takes N frequencies, about 50 for weights of norm 1 (N grows with the norm and the bias, and is 30 to
1000 for the relu), and N^2/2 polynomial products of d factors up to degree min(k, d-k) + 1. All degrees next to k,
sigma and sigma' share them, sines and cosines of -t_n too, and the factors of a row of pairs are read in
sequence: at d = 1000, k = 10 a unit takes 0.03 s of one core and 10 MiB. Sums that cancel are taken again with 106
bits, at 10 to 40 times the cost. Nothing is kept from one degree to the next: 10 degrees take as long as 10 calls.

**Error.** Stated with its terms in `unit_variance.py`: the frequencies left out, the tails of the series, inputs
out of its reach, rounding. For an activation with a kink the series does not end: what is left out beyond the last
frequency is estimated from the decay of the products prod_i cos(t w_i) before it. Where the estimate is more than 1e-6
of the variance (d under about 40) the number is not called exact, and where it is more than `rtol`, or weights lie on a
grid, the theorem declines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...classes import SparseParities
from ...classes.inputs import Hypercube
from ...core.activations import ACTIVATIONS, KINKED
from ...core.errors import NotApplicableError
from ...core.numbers import Scaled, power_of_two
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...losses import LOSSES
from ...models import MLP, Linear
from ...models.mlp import has_one_hidden_layer
from ...models.trainable import part_of, trains, whole
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ..base import COMPILED_CODE, InParts
from .cube_units import equal_weights, unit_variance
from .cube_units.unit_variance import Contribution, HiddenUnit
from .rounded import EPS
from .theorem import Theorem

_METHOD = "closed-form (two-layer network, parities of one degree)"
_EXACT = "exact up to the Fourier series of the activation and float64 rounding, both within the interval"
_CUT = (
    "not exact: the Fourier series of a kink is cut, and an estimate of what it leaves out, within `rtol`, makes the "
    "interval"
)
_ENUMERATED = 22
"""Up to this dimension a kinked activation is left to enumeration."""
_KINKED_TOLERANCE = 1e-6
_SMALLEST, _LARGEST = 1e-100, 1e100
"""Sizes of weights and biases between which the series are built."""
_DOUBLING = 1e-11
"""Relative error from which on sums are taken again in doubled precision."""
_MAX_WORK = 2.0**38
_MAX_DOUBLED_WORK = 2.0**33
_STEP, _SERIES, _EQUAL = 1 / 6, 2.0**20, 2.0**17
"""Multiplications that a step of a polynomial product counts as, preparing a series, and a unit of equal weights."""


@dataclass(frozen=True)
class TwoLayerParities(InParts, Theorem):
    """The theorem on parities of one degree and one hidden layer."""

    statement = (
        "parities of one degree and one hidden layer: Fourier weights of each unit by polynomial products, exact"
    )

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for parities of one degree, one hidden layer and a loss with constant b, if cheap to see."""
        hypotheses, model = problem.hypotheses, whole(problem.model)
        if not isinstance(hypotheses, SparseParities):
            return "the class is not that of the parities of one degree"
        if not has_one_hidden_layer(model):
            return "the model is not an MLP with one hidden layer of an activation that it knows"
        if signal_scale(problem) is None:
            return f"b(p) is not known to be constant for {problem.loss.name} and this network"
        if not 1 <= hypotheses.degree < hypotheses.dim:
            return "the class has one member"
        if hypotheses.log2_size > 900:
            return f"C({hypotheses.dim}, {hypotheses.degree}) leaves the range of float64"
        first = model.weights[0]
        sizes = np.abs(np.concatenate([first[first != 0], np.ones(1) if model.biases[0] is None else model.biases[0]]))
        if sizes.max() > _LARGEST or np.abs(first[first != 0]).min(initial=1.0) < _SMALLEST:
            return f"weights or biases of the hidden layer are not between {_SMALLEST:g} and {_LARGEST:g}"
        if model.activation in KINKED:
            return _uncovered_kinks(units(problem.model), hypotheses.degree)
        return None

    def work(self, problem: Problem) -> float:
        """Return that of all units, the series' as if all had the largest weights.

        Raises
        ------
        NotApplicableError
            Where it would take minutes, or too many frequencies.
        """
        hypotheses, hidden, _ = _parts(problem)
        others = [unit for unit in hidden if equal_weights.declines(unit, hypotheses.degree)]
        largest = max(others, key=lambda unit: float(unit.weights @ unit.weights) + unit.bias**2, default=None)
        series = 0.0 if largest is None else len(others) * largest.work(hypotheses.degree)
        if series > _MAX_WORK:
            raise NotApplicableError(
                f"the polynomial products would take up to {series:.1e} steps, more than {_MAX_WORK:.1e}: the weights "
                "are large, or the degree is"
            )
        compiled = COMPILED_CODE if others else 0.0
        return compiled + _STEP * series + len(others) * _SERIES + (len(hidden) - len(others)) * _EQUAL

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the moment, exact up to the series and rounding, with both in the interval.

        Not exact where a kink leaves an error of more than 1e-6, and NotApplicableError where it is more than `rtol`.
        """
        hypotheses, hidden, scale = _parts(problem)
        degree, split = hypotheses.degree, in_parts(problem)
        of_units = _contributions(split, degree, problem.moment, False, settings)
        parts = [_together(of_unit) for of_unit in of_units]
        for j, of_unit in _again(parts, split, degree, problem.moment, settings):
            of_units[j], parts[j] = of_unit, _together(of_unit)
        total = _total(parts)
        cut = _cut(parts, hidden, total, degree) if hidden[0].activation in KINKED else 0.0
        if cut > max(_KINKED_TOLERANCE, settings.rtol):
            left = f"an error of {cut:.1e} of the variance" if cut < math.inf else "all of the variance open"
            raise NotApplicableError(
                f"the Fourier series of the {hidden[0].activation} leaves {left} at d = {hypotheses.dim}"
            )
        numbers = map(_total, zip(*of_units, strict=True))
        found = [Estimate.exactly(n.times(scale**2).over(hypotheses.size), _METHOD, _EXACT) for n in numbers]
        if cut <= _KINKED_TOLERANCE:
            return found
        return [
            replace(one, exact=False, guarantee=_CUT, mantissa_error=one.mantissa_interval[1] - one.mantissa)
            for one in found
        ]


def _total(parts: Sequence[Contribution]) -> Scaled:
    total = Scaled.total(part.number for part in parts)
    return replace(total, error=total.error + len(parts) * EPS * total.mantissa)


def _together(parts: Sequence[Contribution]) -> Contribution:
    """What the parts of one unit contribute together."""
    if len(parts) == 1:
        return parts[0]
    number = Scaled.total(part.number for part in parts)
    rounding = math.fsum(power_of_two(part.rounding, part.number.exponent - number.exponent) for part in parts)
    return Contribution(number, rounding, parts[0].work)


def _parts(problem: Problem) -> tuple[SparseParities, list[HiddenUnit], float]:
    """The class, the hidden units and b of a problem that is covered."""
    scale = signal_scale(problem)
    assert isinstance(problem.hypotheses, SparseParities)
    assert scale is not None
    return problem.hypotheses, units(problem.model), scale


def signal_scale(problem: Problem) -> float | None:
    """b where it is the same at every input, by the loss or by a bound on the predictions; else None."""
    loss, model = problem.loss, whole(problem.model)
    if loss.constant is not None:
        return float(loss.constant)
    if loss != LOSSES["hinge"] or not isinstance(problem.inputs, Hypercube):
        return None
    if has_one_hidden_layer(model) and largest_prediction(model) < 1:
        return -1.0
    if type(model) is Linear and np.abs(model.weights).sum() < 1 - 1e-12:
        return -1.0
    return None


def largest_prediction(model: MLP) -> float:
    """A bound on |p| over the cube for one hidden layer: sum_j |a_j| sup |sigma_j| + |b_out|."""
    assert isinstance(model.activation, str)
    weights, output = model.weights[0], model.weights[1][0]
    bias = np.zeros(output.size) if model.biases[0] is None else model.biases[0]
    reach = np.abs(weights).sum(axis=1)
    sigma = ACTIVATIONS[model.activation]
    if model.activation in ("sin", "cos"):
        size = np.ones(output.size)
    else:
        # monotone, but for the gelu's dip to -0.17
        size = np.maximum(np.abs(sigma(bias + reach)[0]), np.abs(sigma(bias - reach)[0]))
        size = np.maximum(size, 0.17005) if model.activation == "gelu" else size
    last = model.biases[1]
    bound = math.fsum(np.abs(output) * size) + (0.0 if last is None else abs(float(last[0])))
    return bound * (1 + 1e-12)


def units(model: object) -> list[HiddenUnit]:
    """The hidden units of a network with one hidden layer, some layers of which may be held fixed."""
    network = whole(model)
    assert isinstance(network, MLP)
    assert isinstance(network.activation, str)
    weights, output, bias = network.weights[0], network.weights[1][0], network.biases[0]
    biases = np.zeros(output.size) if bias is None else bias
    has_bias = bias is not None and trains(model, "biases[0]")
    has_weights, has_output = trains(model, "weights[0]"), trains(model, "weights[1]")
    return [
        HiddenUnit(w, float(b), float(a), has_bias, network.activation, has_weights, has_output)
        for w, b, a in zip(weights, biases, output, strict=True)
    ]


def in_parts(problem: Problem) -> list[tuple[HiddenUnit, ...]]:
    """The hidden units once for each part of the gradient, with what belongs to it."""
    w, b, v = (part_of(problem.model, name) for name in ("weights[0]", "biases[0]", "weights[1]"))
    return [
        tuple(
            replace(unit, has_weights=w == part, has_bias=unit.has_bias and b == part, has_output=v == part)
            for part in range(problem.n_parts)
        )
        for unit in units(problem.model)
    ]


def _uncovered_kinks(hidden: list[HiddenUnit], degree: int) -> str | None:
    others = [unit for unit in hidden if equal_weights.declines(unit, degree)]
    if not others:
        return None
    if others[0].weights.size <= _ENUMERATED:
        return f"the {others[0].activation} has a kink and d <= {_ENUMERATED} can be enumerated"
    if any(unit_variance.on_grid(unit.weights) for unit in others):
        return f"the weights of a {others[0].activation} unit lie on a grid, on which its series need not converge"
    return None


def _again(
    parts: list[Contribution], split: list[tuple[HiddenUnit, ...]], degree: int, moment: Moment, settings: Settings
) -> list[tuple[int, list[Contribution]]]:
    """The units that leave the sum known to fewer than 11 digits as their sums cancel, in doubled precision."""
    total = Scaled.total(part.number for part in parts)
    if total.error <= _DOUBLING * total.mantissa:
        return []
    allowed = _DOUBLING * total.mantissa / len(parts)
    worst = [
        j
        for j, part in enumerate(parts)
        if part.number.error_at(total.exponent) > allowed and part.rounding > 0.1 * part.number.error
    ]
    if sum(parts[j].work for j in worst) > _MAX_DOUBLED_WORK:
        return []
    return list(zip(worst, _contributions([split[j] for j in worst], degree, moment, True, settings), strict=True))


def _cut(parts: list[Contribution], hidden: list[HiddenUnit], total: Scaled, degree: int) -> float:
    """The error of the cut series of a kinked activation, relative to the sum; inf where that is 0."""
    cut = math.fsum(
        part.number.error_at(total.exponent)
        for part, unit in zip(parts, hidden, strict=True)
        if equal_weights.declines(unit, degree)
    )
    return Scaled(total.mantissa, cut).relative_error


def _of_unit(degree: int, moment: Moment, doubled: bool, parts: tuple[HiddenUnit, ...]) -> list[Contribution]:
    """What the parts of one unit contribute."""
    unit = parts[0]
    if not any(part.has_weights or part.has_bias or part.has_output for part in parts):
        return [Contribution(Scaled(0.0)) for _ in parts]
    if equal_weights.declines(unit, degree):
        return unit_variance.contributions(parts, degree, moment, doubled)
    exact = [equal_weights.contribution(part, degree, moment) for part in parts]
    # The sum over Hamming weights cancels where the coefficients are small; a smooth series has small terms instead.
    known = all(one.number.relative_error <= _DOUBLING for one in exact)
    if unit.activation in KINKED or not unit.weights.any() or known:
        return exact
    series = unit_variance.contributions(parts, degree, moment, doubled)
    return [
        other if other.number.error_at(one.number.exponent) < one.number.error else one
        for one, other in zip(exact, series, strict=True)
    ]


def _contributions(
    split: Sequence[tuple[HiddenUnit, ...]], degree: int, moment: Moment, doubled: bool, settings: Settings
) -> list[list[Contribution]]:
    with closing(ordered_map(partial(_of_unit, degree, moment, doubled), split, settings.executor)) as results:
        return list(results)
