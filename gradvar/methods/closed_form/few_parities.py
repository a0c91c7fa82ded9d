r"""A few parities by name, one hidden layer or a linear model, a loss whose b is constant: at any dimension.

With s = b dp/dw and b constant, the vector c_S = E[chi_S s] has entries in closed form (`cube_units/coefficients.py`),
so that for m parities S

    E_S ||c_S||^2,   ||E_S c_S||^2,   Var = E_S ||c_S - E_S' c_S'||^2

are sums over entries. Of one parity the first is the squared signal of that target, ||E_x[chi_S s]||^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from ...classes.members.target_class import Restriction
from ...classes.parities import CubeParities
from ...core.activations import KINKED
from ...core.arguments import Array
from ...core.errors import NotApplicableError
from ...core.numbers import Scaled
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...models import MLP, Linear
from ...models.base import layers_of
from ...models.mlp import has_one_hidden_layer
from ...models.trainable import kept_columns, whole
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ..base import COMPILED_CODE
from .cube_units.coefficients import HALVED, Coefficients, Set, coefficients, work
from .cube_units.unit_variance import HiddenUnit
from .rounded import EPS
from .theorem import Theorem
from .two_layer_parities import signal_scale, units

_MOST_NUMBERS = 2**24
_LOST = 1e-3
"""Relative error from which on the number is not called exact."""


@dataclass(frozen=True)
class FewParities(Theorem):
    """The coefficients of the signal on a few parities, one by one."""

    statement = "parities by name and one hidden layer: the coefficients of each unit's signal on each, exact"

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for a list of parities, one hidden layer or a linear model, and a constant b."""
        hypotheses, model = problem.hypotheses, whole(problem.model)
        by_name = isinstance(hypotheses, Restriction) or hypotheses.log2_size == 0
        if not by_name or not isinstance(getattr(hypotheses, "parent", hypotheses), CubeParities):
            return "the class is not one of parities by name"
        linear = type(model) is Linear
        if not linear and not has_one_hidden_layer(model):
            return "the model is neither linear nor an MLP with one hidden layer of an activation that it knows"
        if signal_scale(problem) is None:
            return f"b(p) is not known to be constant for {problem.loss.name} and this network"
        if hypotheses.log2_size > math.log2(_MOST_NUMBERS / problem.predictor.n_parameters):
            return "the class has too many members to go through"
        if type(model) is MLP and model.activation in KINKED:
            most = int(np.count_nonzero(model.weights[0], axis=1).max())
            if most > HALVED:
                return f"the {model.activation} has a kink and more than {HALVED} weights"
        return None

    def work(self, problem: Problem) -> float:
        """Return that of all coefficients of all units."""
        sets, hidden = _sets(problem), _units(problem)
        compiled = COMPILED_CODE if hidden and hidden[0].activation in KINKED else 0.0
        degrees, counts = np.unique(sets.sum(axis=1), return_counts=True)
        each = [int(count) * work(unit, int(k)) for unit in hidden for k, count in zip(degrees, counts, strict=True)]
        return 2.0 + compiled + math.fsum(each)

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment, exact up to the series and rounding, with both in the interval."""
        problem.norms(problem.inputs.sample(1, np.random.default_rng(0)))
        rows = signal_coefficients(problem, settings)
        top = max((row.exponent for row in rows if row.values.any()), default=0)
        values, errors = (
            np.array([np.ldexp(part, max(row.exponent - top, -2200)) for part, row in zip(parts, rows, strict=True)])
            for parts in ([row.values for row in rows], [row.errors for row in rows])
        )
        mean, mean_error = values.mean(axis=0), errors.mean(axis=0)
        number = {
            Moment.SECOND: lambda: _mean_square(values, errors),
            Moment.MEAN: lambda: _mean_square(mean[None], mean_error[None]),
            Moment.VARIANCE: lambda: _mean_square(values - mean, errors + mean_error),
        }[problem.moment]()
        if number.relative_error > _LOST and number.mantissa:
            raise NotApplicableError(
                f"the series of the {getattr(whole(problem.model), 'activation', '')} cancels to a value of which only "
                f"{number.relative_error:.0e} of itself is known: weights are large"
            )
        return Estimate.exactly(
            number.times(1.0, 2 * top),
            "closed-form (parities by name)",
            "exact up to the series of the activation and float64 rounding, both within the interval",
        )


def _mean_square(values: Array, errors: Array) -> Scaled:
    """(1/m) sum of squares, each value known up to its error."""
    square, count = math.fsum((values**2).ravel()), len(values)
    lost = math.fsum((2 * np.abs(values) * errors + errors**2).ravel())
    return Scaled(square / count, (lost + 8 * EPS * square) / count)


def signal_coefficients(problem: Problem, settings: Settings) -> list[Coefficients]:
    """Return c_S = E[chi_S s] for each member of a problem that is covered, in the order of the model's parameters."""
    sets, hidden, scale = _sets(problem), _units(problem), signal_scale(problem)
    assert scale is not None
    if not hidden:
        only = np.where(sets.sum(axis=1, keepdims=True) == 1, sets, False) * scale
        return [Coefficients(row, np.zeros(row.size), 0) for row in only]
    tasks = [(unit, chosen) for chosen in sets for unit in hidden]
    with closing(ordered_map(_of_unit, tasks, settings.executor)) as found:
        parts = list(found)
    model = whole(problem.model)
    assert type(model) is MLP
    rows = [
        _assembled(parts[i * len(hidden) : (i + 1) * len(hidden)], model, not chosen.any(), scale)
        for i, chosen in enumerate(sets)
    ]
    kept = kept_columns(model, layers_of(problem.predictor))
    return [replace(row, values=row.values[kept], errors=row.errors[kept]) for row in rows]


def _of_unit(task: tuple[HiddenUnit, Set]) -> Coefficients:
    return coefficients(*task)


def _assembled(parts: Sequence[Coefficients], model: MLP, is_constant: bool, scale: float) -> Coefficients:
    """The units' coefficients as one vector: first weights, their biases, output weights, output bias."""
    output_bias = float(is_constant)
    top = max([part.exponent for part in parts if part.values.any()] + [0] * is_constant, default=0)
    columns = [
        np.array([np.ldexp(row, max(part.exponent - top, -2200)) for row, part in zip(rows, parts, strict=True)])
        for rows in ([part.values for part in parts], [part.errors for part in parts])
    ]
    values, errors = (
        np.concatenate(
            [
                table[:, :-2].ravel(),
                table[:, -2] if model.biases[0] is not None else [],
                table[:, -1],
                [last] if model.biases[1] is not None else [],
            ]
        )
        for table, last in zip(columns, (math.ldexp(output_bias, -top), 0.0), strict=True)
    )
    return Coefficients(scale * values, abs(scale) * errors, top)


def _sets(problem: Problem) -> Set:
    hypotheses = problem.hypotheses
    assert isinstance(hypotheses, (CubeParities, Restriction))
    return np.asarray(hypotheses.members(), dtype=np.bool_)


def _units(problem: Problem) -> list[HiddenUnit]:
    """The hidden units; none of a linear model."""
    return units(problem.model) if type(whole(problem.model)) is MLP else []
