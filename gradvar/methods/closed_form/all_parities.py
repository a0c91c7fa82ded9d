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
from ..base import InParts
from . import norms
from .theorem import Theorem

_METHOD = "closed-form (Parseval)"


@dataclasses.dataclass(frozen=True)
class AllParities(InParts, Theorem):
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

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the moment: as exact as E||s||^2 is."""
        dropped = _norms_at_ones(problem)
        if problem.moment is Moment.MEAN:
            return [_mean_part(problem, norm) for norm in dropped]
        if problem.moment is Moment.SECOND:
            dropped = [0.0 for _ in dropped]
        try:
            found = norms.norms_of_parts(problem, settings)
        except Interrupted as interrupted:
            known = interrupted.estimate if problem.n_parts == 1 else None
            raise Interrupted(None if known is None else _less(known, dropped[0], problem)) from None
        return [
            dataclasses.replace(_less(pair[1], norm, problem), norms=pair)
            for pair, norm in zip(found, dropped, strict=True)
        ]


def _less(signal: Estimate, dropped: float, problem: Problem) -> Estimate:
    """E||s||^2 / 2^d less what was dropped over 4^d."""
    dim = problem.inputs.dim
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


def _norms_at_ones(problem: Problem) -> list[float]:
    """||s(1, ..., 1)||^2 of each part of the gradient."""
    return [float(norm) for norm in problem.norms(np.ones((1, problem.inputs.dim)))[0, 1::2]]


def _mean_part(problem: Problem, norm: float) -> Estimate:
    """||s(1, ..., 1)||^2 / 4^d."""
    return Estimate.exactly(
        Scaled(norm, ROUNDING * norm, -2 * problem.inputs.dim),
        _METHOD,
        "exact up to float64 rounding: the signal at (1, ..., 1), by Parseval",
        n_evaluated=1,
    )
