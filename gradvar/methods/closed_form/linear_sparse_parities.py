r"""A linear model and the parities of one degree, where b is constant: E[chi_S s] = b [S = {i}] e_i for s = b x.

Of degree 1, E_S ||c_S||^2 = b^2 and ||E_S c_S||^2 = b^2/d, at any weights; of another degree all c_S = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...classes import SparseParities
from ...core.arguments import stream
from ...core.numbers import Scaled
from ...estimation.settings import Settings
from ...models.linear import Linear
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from .theorem import Theorem

_EPS = 2.0**-52


@dataclass(frozen=True)
class LinearSparseParities(Theorem):
    """Var = b^2 (1 - 1/d) at degree 1 and 0 at every other one."""

    statement = "E[chi_S b x] = b e_i for S = {i} and 0 for |S| != 1"

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for parities of one degree, a linear model and a loss with a constant b."""
        if not isinstance(problem.hypotheses, SparseParities) or not isinstance(problem.model, Linear):
            return "it is about parities of one degree and a linear model"
        return None if problem.loss.constant is not None else "b depends on the prediction"

    def work(self, problem: Problem) -> float:
        """Return 1: a formula."""
        return 1.0

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment, exact up to rounding."""
        problem.norms(problem.inputs.sample(1, stream(settings.seed, 0)))
        assert isinstance(problem.hypotheses, SparseParities)
        d, b = problem.hypotheses.dim, problem.loss.constant
        assert b is not None
        share = {Moment.SECOND: 1.0, Moment.MEAN: 1 / d, Moment.VARIANCE: (d - 1) / d}[problem.moment]
        value = b * b * share if problem.hypotheses.degree == 1 else 0.0
        return Estimate.exactly(
            Scaled(value, 4 * _EPS * value), "closed-form (linear model)", f"exact up to rounding: {self.statement}"
        )
