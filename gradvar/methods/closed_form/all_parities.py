r"""All 2^d parities, any model, any loss (Parseval).

The parities are an orthonormal basis of the functions on the cube, so for the signal s = b(p) dp/dw

    E_S ||E_x[chi_S s]||^2 = E||s||^2 / 2^d,        E_S E_x[chi_S s] = s(1,...,1) / 2^d,

    Var = E||s||^2 / 2^d - ||s(1,...,1)||^2 / 4^d.

E||s||^2 is exact for one hidden layer and where the cube is small, beyond it a sampled mean with its interval
(`norms.py`), at any dimension; the point that is dropped is evaluated. Since ||s||^2 / 2^d bounds the variance at
every input, the comparison with Theorem 1 carries no sampling error.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ...classes import Parities
from ...core.numbers import ROUNDING, Scaled, power_of_two
from ...estimation.settings import Settings
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ...results.interruption import Interrupted
from . import norms
from .theorem import Theorem

_METHOD = "closed-form (Parseval)"


@dataclasses.dataclass(frozen=True)
class AllParities(Theorem):
    """The theorem on all parities."""

    statement = "all parities: Var = E||s||^2/2^d - ||s(1,...,1)||^2/4^d by Parseval, for any model and loss"

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for the class of all parities and a model at fixed weights."""
        if not isinstance(problem.hypotheses, Parities):
            return "the class is not that of all parities"
        return problem.weightless

    def work(self, problem: Problem) -> float:
        """Return that of E||s||^2."""
        return norms.work(problem)

    def settled(self, problem: Problem, settings: Settings) -> tuple[AllParities, Settings]:
        """Return the settings by which E||s||^2 has as many samples as the pilot chooses, where it is sampled."""
        n = norms.norms(problem, settings)[1].n_samples if problem.moment is not Moment.MEAN else 0
        return self, dataclasses.replace(settings, rtol=0.0, max_samples=n) if n else settings

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment: as exact as E||s||^2 is."""
        if problem.moment is Moment.MEAN:
            return _mean_part(problem)
        dim = problem.inputs.dim
        dropped = _norm_at_ones(problem) if problem.moment is Moment.VARIANCE else 0.0

        def finish(signal: Estimate) -> Estimate:
            less = power_of_two(dropped, -dim - signal.exponent)
            low, high = signal.mantissa_interval[0] - less, signal.mantissa_interval[1] - less
            off = ROUNDING * less
            return dataclasses.replace(
                signal.scaled(-dim),
                mantissa=max(signal.mantissa - less, 0.0) if signal.exact else signal.mantissa - less,
                mantissa_interval=(max(low - off, 0.0) if signal.exact else low - off, high + off),
                mantissa_upper=None if signal.mantissa_upper is None else signal.mantissa_upper - less,
                method=_METHOD,
                log2_signal_share=-float(dim),
                guarantee=f"{signal.guarantee}, by Parseval",
            )

        try:
            gradient, signal = norms.norms(problem, settings)
        except Interrupted as interrupted:
            raise Interrupted(None if interrupted.estimate is None else finish(interrupted.estimate)) from None
        return dataclasses.replace(finish(signal), norms=(gradient, signal))


def _norm_at_ones(problem: Problem) -> float:
    """||s(1, ..., 1)||^2."""
    return float(problem.norms(np.ones((1, problem.inputs.dim)))[0, 1])


def _mean_part(problem: Problem) -> Estimate:
    """||s(1, ..., 1)||^2 / 4^d."""
    norm = _norm_at_ones(problem)
    return Estimate.exactly(
        Scaled(norm, ROUNDING * norm, -2 * problem.inputs.dim),
        _METHOD,
        "exact up to float64 rounding: the signal at (1, ..., 1), by Parseval",
        n_evaluated=1,
    )
