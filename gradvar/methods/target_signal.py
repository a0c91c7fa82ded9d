r"""The vector E_x[h s] of one target h: by a theorem, a sum over all inputs, or the mean over sampled ones."""

from __future__ import annotations

import math
from contextlib import closing
from functools import partial

import numpy as np

from ..classes.base import Samples
from ..core.arguments import Array, Stream, stream
from ..core.errors import NonFiniteError
from ..estimation.expectation import MAX_POINTS, rows_per_tile
from ..estimation.settings import Settings
from ..estimation.tiles import ordered_map
from ..models.base import layers_of
from ..problem import Problem
from ..results.target_signal import TargetSignal
from .closed_form.few_parities import FewParities, signal_coefficients
from .closed_form.rounded import EPS

_THEOREM = FewParities()
_MOST_WORK = 2.0**34
_MOST_ENUMERATED = 2**30
"""Entries of gradients that a sum over all inputs goes through at most."""


def target_signal_of(problem: Problem, members: object, settings: Settings) -> TargetSignal:
    """Return E_x[h s] of the one member of a problem's class."""
    parameters = problem.predictor.n_parameters
    shapes = layers_of(problem.predictor)
    if _THEOREM.declines(problem) is None and _THEOREM.work(problem) <= _MOST_WORK:
        (row,) = signal_coefficients(problem, settings)
        vector, errors = (np.ldexp(part, max(row.exponent, -2200)) for part in (row.values, row.errors))
        guarantee = "exact up to the series of the activation and float64 rounding"
        return TargetSignal(
            vector=vector, errors=errors, exact=True, method="closed-form", guarantee=guarantee, shapes=shapes
        )
    n, rows = problem.inputs.n_points, rows_per_tile(problem.inputs.dim + parameters, 4096)
    if n is not None and n <= MAX_POINTS and n * parameters <= _MOST_ENUMERATED:
        starts = range(0, n, rows)
        sums = _sums(partial(_over_points, problem, members), [(a, min(a + rows, n)) for a in starts], settings)
        # a sum of n rounded terms
        errors = 32 * EPS * math.sqrt(n) * np.sqrt(sums[1])
        guarantee = f"exact up to float64 rounding: a sum over all {n:,} inputs"
        return TargetSignal(
            vector=sums[0], errors=errors, exact=True, method="enumeration", guarantee=guarantee, shapes=shapes
        )
    n = settings.max_samples
    tiles = [(tile, min(rows, n - tile * rows)) for tile in range(math.ceil(n / rows))]
    mean, square = _sums(partial(_over_sample, problem, members, settings.seed), tiles, settings) / n
    spread = np.maximum(square - mean**2, 0.0)
    return TargetSignal(
        vector=mean,
        # a sample that saw nothing vary has not shown that nothing varies
        errors=np.where(spread > 0, np.sqrt(spread / (n - 1)), np.inf),
        exact=False,
        method="monte-carlo",
        guarantee=f"unbiased: means over {n:,} sampled inputs, with the standard error of each entry",
        shapes=shapes,
        n_samples=n,
        seed=settings.seed,
    )


def _sums(of_tile: partial[Array], tiles: list[tuple[int, int]], settings: Settings) -> Array:
    """The sums of h s and of its squares over all tiles, shape (2, P), in their order."""
    total = np.zeros(0)
    with closing(ordered_map(of_tile, tiles, settings.executor)) as parts:
        for part in parts:
            total = part if total.size == 0 else total + part
    if not np.isfinite(total).all():
        raise NonFiniteError("the squares of the gradient overflow float64; rescale the weights of the model")
    return total


def _over_points(problem: Problem, members: object, block: tuple[int, int]) -> Array:
    return _weighted(problem, members, problem.inputs.points(*block), problem.inputs.weights(*block))


def _over_sample(problem: Problem, members: object, seed: int, task: tuple[int, int]) -> Array:
    tile, size = task
    return _weighted(problem, members, problem.inputs.sample(size, stream(seed, Stream.MEAN, tile)), np.ones(size))


def _weighted(problem: Problem, members: object, x: Array, weights: Array) -> Array:
    """Sum_n w_n h(x_n) s(x_n) and sum_n w_n (h(x_n) s(x_n))^2."""
    assert isinstance(problem.hypotheses, Samples)
    labelled = np.asarray(problem.hypotheses.evaluate(members, x))[0] * problem.signal_scale(x)
    problem.tangent_factors(x[:1])  # shapes and sizes
    gradient = np.asarray(problem.predictor.gradient(x))
    return np.stack([(weights * labelled) @ gradient, (weights * labelled**2) @ gradient**2])
