"""Labels that are flipped: what is true of the class without flips, times (1 - 2 rate)^2.

With y = h(x) or, with probability eta, -h(x), and dloss/dp = a(p) + y b(p),

    E[dloss/dp | x] = a + (1 - 2 eta) h(x) b:

the signal s = b dp/dw stays, and h is (1 - 2 eta) h in the variance, in its parts and in the norms of the class.
"""

from __future__ import annotations

from ..classes.members.target_class import Noisy
from ..problem import Problem


def without_noise(problem: Problem) -> tuple[Problem, float]:
    """Return the problem without flips, and the factor 1 - 2 rate of its labels; 1 where there are none."""
    hypotheses = problem.hypotheses
    if not isinstance(hypotheses, Noisy):
        return problem, 1.0
    return Problem(hypotheses.origin, problem.model, problem.loss, problem.moment), hypotheses.kept
