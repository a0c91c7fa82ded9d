"""A class with one member: there is nothing to vary."""

from __future__ import annotations

from ...core.arguments import stream
from ...estimation.settings import Settings
from ...problem import Problem
from ...results.estimate import Estimate

STATEMENT = "a class of one member has gradient variance 0"


def declines(problem: Problem) -> str | None:
    """Return None for a class of one member and a model at fixed weights."""
    return problem.weightless if problem.hypotheses.log2_size == 0 else "the class has more than one member"


def estimate(problem: Problem, settings: Settings) -> Estimate:
    """Return 0, exactly, having made sure that the model can be evaluated."""
    problem.norms(problem.inputs.sample(1, stream(settings.seed, 0)))
    return Estimate(
        mantissa=0.0,
        mantissa_interval=(0.0, 0.0),
        exact=True,
        method="closed-form (one member)",
        guarantee=f"exact: {STATEMENT}",
    )
