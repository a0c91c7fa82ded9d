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

import numpy as np

from ...classes import Parities
from ...core.arguments import Array
from ...estimation.expectation import expectation
from ...estimation.settings import Settings
from ...problem import Problem
from ...results.estimate import Estimate
from ...results.interruption import Interrupted

STATEMENT = "all parities: Var = 2^-d E[||s(x)||^2; x != (1,...,1)] by Parseval, for any model and loss"
_METHOD = "closed-form (Parseval)"


def declines(problem: Problem) -> str | None:
    """Return None for the class of all parities and a model at fixed weights."""
    return problem.weightless if isinstance(problem.hypotheses, Parities) else "the class is not that of all parities"


@dataclasses.dataclass(frozen=True)
class _SignalOffOne:
    problem: Problem

    def __call__(self, x: Array) -> Array:
        norms: Array = self.problem.norms(x)[:, 1]
        return np.where((x > 0).all(axis=1), 0.0, norms)[:, None]


def estimate(problem: Problem, settings: Settings) -> Estimate:
    """Return Var: exact up to rounding while the cube is enumerated (d <= 22), else from a sampled mean."""
    dim = problem.inputs.dim

    def finish(mean: Estimate) -> Estimate:
        return dataclasses.replace(
            mean.scaled(-dim),
            log2_signal_share=-float(dim),
            guarantee=f"{mean.guarantee}, by Parseval",
        )

    try:
        (mean,) = expectation(
            _SignalOffOne(problem),
            problem.inputs,
            settings,
            name="mean of ||s||^2",
            method=_METHOD,
            row_size=problem.row_size,
        )
    except Interrupted as interrupted:
        raise Interrupted(None if interrupted.estimate is None else finish(interrupted.estimate)) from None
    return finish(mean)
