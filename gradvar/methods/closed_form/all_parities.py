r"""All 2^d parities, any model, any loss (Parseval).

The parities are an orthonormal basis of the functions on the cube, so for the signal s = b(p) dp/dw

    E_S ||E_x[chi_S s]||^2 = E||s||^2 / 2^d,        E_S E_x[chi_S s] = s(1,...,1) / 2^d,

    Var = E||s||^2 / 2^d - ||s(1,...,1)||^2 / 4^d = 2^-d E_x[ [x != (1,...,1)] ||s(x)||^2 ].

The last form is the one that is evaluated: it has no cancellation. The expectation is a sum over the cube while
that is small, beyond it a sampled mean with its interval, at any dimension. Since it is at most
E||s||^2 / 2^d at every input, the comparison with Theorem 1 carries no sampling error.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from ...classes import Parities
from ...core.arguments import Array
from ...core.numbers import ROUNDING, Scaled
from ...estimation.expectation import MAX_POINTS, expectation
from ...estimation.settings import MAX_SAMPLES, Settings
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ...results.interruption import Interrupted
from .theorem import Theorem

_METHOD = "closed-form (Parseval)"


@dataclasses.dataclass(frozen=True)
class AllParities(Theorem):
    """The theorem on all parities."""

    statement = "all parities: Var = 2^-d E[||s(x)||^2; x != (1,...,1)] by Parseval, for any model and loss"

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for the class of all parities and a model at fixed weights."""
        if not isinstance(problem.hypotheses, Parities):
            return "the class is not that of all parities"
        return problem.weightless

    def work(self, problem: Problem) -> float:
        """Return that of the gradients at all inputs, or at the most that are sampled."""
        points = problem.inputs.n_points or 1
        return float(points if points <= MAX_POINTS else MAX_SAMPLES) * 8 * problem.row_size

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment: exact up to rounding while the cube is enumerated (d <= 22), else from a sampled mean."""
        if problem.moment is Moment.MEAN:
            return _mean_part(problem)
        dim = problem.inputs.dim

        def finish(mean: Estimate) -> Estimate:
            return dataclasses.replace(
                mean.scaled(-dim),
                log2_signal_share=-float(dim),
                guarantee=f"{mean.guarantee}, by Parseval",
            )

        try:
            (mean,) = expectation(
                partial(_signal_norms, problem),
                problem.inputs,
                settings,
                name="mean of ||s||^2",
                method=_METHOD,
                row_size=problem.row_size,
                most=problem.largest_norms[1:],
            )
        except Interrupted as interrupted:
            raise Interrupted(None if interrupted.estimate is None else finish(interrupted.estimate)) from None
        return finish(mean)


def _signal_norms(problem: Problem, x: Array) -> Array:
    """||s(x)||^2 as a column; the variance leaves (1, ..., 1) out."""
    norms: Array = problem.norms(x)[:, 1]
    if problem.moment is Moment.VARIANCE:
        norms = np.where((x > 0).all(axis=1), 0.0, norms)
    return norms[:, None]


def _mean_part(problem: Problem) -> Estimate:
    """||s(1, ..., 1)||^2 / 4^d."""
    dim = problem.inputs.dim
    norm = float(problem.norms(np.ones((1, dim)))[0, 1])
    return Estimate.exactly(
        Scaled(norm, ROUNDING * norm, -2 * dim),
        _METHOD,
        "exact up to float64 rounding: the signal at (1, ..., 1), by Parseval",
        n_evaluated=1,
    )
