"""A class with one member: there is nothing to vary."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.arguments import stream
from ...core.numbers import Scaled
from ...estimation.settings import Settings
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from .theorem import Theorem


@dataclass(frozen=True)
class OneMember(Theorem):
    """The remark that one member has no variance."""

    statement = "a class of one member has gradient variance 0"

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for a class of one member and a model at fixed weights."""
        if problem.hypotheses.log2_size != 0:
            return "the class has more than one member"
        if problem.moment is not Moment.VARIANCE:
            return "of a class of one member only the variance is 0"
        return problem.weightless

    def work(self, problem: Problem) -> float:
        """Return 1: the model is evaluated at one input."""
        return 1.0

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return 0, exactly, having made sure that the model can be evaluated."""
        problem.norms(problem.inputs.sample(1, stream(settings.seed, 0)))
        return Estimate.exactly(Scaled(0.0), "closed-form (one member)", f"exact: {self.statement}")
