"""The noise of one example's gradient, which a batch divides by its size: what a target's signal is held against."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from ...classes.gram.outputs import output_vectors
from ...classes.inputs import Inputs
from ...classes.members.target import Target
from ...classes.members.target_class import Noisy
from ...core.arguments import Array, Stream, stream
from ...estimation.expectation import expectation, rows_per_tile
from ...estimation.settings import Settings
from ...losses import Loss
from ...models.base import Model, pullback
from ...problem import AnyModel, Problem, norms_sq
from ...results.estimate import Estimate
from ...tasks.base import TabulatesTasks
from ...tasks.examples import LabelledMixture
from ...tasks.restriction import HasTasks, TaskRestriction

Labels: TypeAlias = Callable[[Array], tuple[Array, Array | float, Array | float]]
"""From what `inputs` return to x, the mean and the variance of its label."""
_MOST_POINTS, _SAMPLES, _ROWS = 2**16, 2**12, 2**12
"""Inputs that are summed over at most, else so many are drawn for the mean gradient; and the most rows of a block."""


def example_noise(target: Target, problem: Problem, model: AnyModel, loss: Loss, settings: Settings) -> Estimate:
    """Return E||u||^2 - ||E u||^2 of u = (a(p) + y b(p)) dp/dw, the gradient on one example (x, y) of a target."""
    outputs: int = getattr(target.hypotheses, "n_outputs", 1)
    inputs, labels = _examples(target)

    def at(x: Array) -> Array:
        """Where the predictor has the gradient u up to a number: x, or (x, c), c = a(p) + y b(p), for K outputs."""
        if outputs == 1:
            return labels(x)[0]
        assert isinstance(model, Model)
        a, b = loss.split(model.predict(x))
        y = output_vectors(lambda _, points: np.asarray(target(points))[None], target.which[None], x, outputs)[0]
        return np.concatenate([x, a + y * b], axis=1)

    def mean_and_square(x: Array) -> tuple[Array, Array]:
        if outputs > 1:
            return np.ones(len(x)), np.ones(len(x))
        points, mean, variance = labels(x)
        a, b = problem.loss_split(points)
        return a + mean * b, (a + mean * b) ** 2 + variance * b**2

    def squared_norm(x: Array) -> Array:
        return (mean_and_square(x)[1] * norms_sq(problem.tangent_factors(at(x))))[:, None]

    (square,) = expectation(
        squared_norm,
        inputs,
        settings,
        name="mean of ||u||^2",
        method="expectation",
        row_size=problem.row_size,
        most=(math.inf,),
        max_points=_MOST_POINTS,
    )
    n, total = (inputs.n_points if square.exact else _SAMPLES) or 1, np.zeros(problem.predictor.n_parameters)
    rows = rows_per_tile(problem.row_size, _ROWS)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        if square.exact:
            x, weights = inputs.points(start, stop), inputs.weights(start, stop)
        else:
            x, weights = (
                inputs.sample(stop - start, stream(settings.seed, Stream.MEAN, start)),
                np.full(stop - start, 1 / n),
            )
        total = total + pullback(problem.predictor, at(x))[1](mean_and_square(x)[0] * weights)
    mean_sq, error = float(total @ total), 0.0
    if not square.exact:  # ||mean||^2 has E||u||^2/n too much, to first order, and an error of the same size
        error = settings.quantile * (1.5 * square.value / n + 2 * math.sqrt(mean_sq * square.value / n))
        mean_sq -= square.value / n
    low, high = square.interval
    return replace(
        square,
        mantissa=square.value - mean_sq,
        exponent=0,
        mantissa_interval=(low - mean_sq - error, high - mean_sq + error),
        mantissa_error=square.standard_error + error / settings.quantile,
        mantissa_upper=None,
    )


def _examples(target: Target) -> tuple[Inputs, Labels]:
    """The inputs of a target, and their labels; of a task that cannot be summed over, labels are drawn with them."""
    home = target.hypotheses
    if isinstance(home, HasTasks):
        which = target.which[None]
        task = TaskRestriction(home, which)
        table, points = task.parent, task.inputs.n_points
        if not isinstance(table, TabulatesTasks) or points is None or points > _MOST_POINTS:
            return LabelledMixture.of(task), lambda x: (x[:, :-1], x[:, -1], 0.0)
        says, spread = table, getattr(table, "label_variances", None)
        return task.inputs, lambda x: (x, says.targets(which, x)[0], 0.0 if spread is None else spread(which, x)[0])
    # over the flips of h in {-1, 1}, E y = (1 - 2 rate) h and Var y = 1 - (1 - 2 rate)^2
    kept = home.kept if isinstance(home, Noisy) else 1.0
    return home.inputs, lambda x: (x, kept * np.asarray(target(x)), 1 - kept**2)
