"""Monte Carlo: the estimator that fits what the class can say."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ...core.arguments import integer
from ...core.errors import NotApplicableError
from ...estimation.settings import Settings
from ...problem import Problem
from ...results.estimate import Estimate
from .input_pairs import InputPairs
from .sampled_members import SampledMembers


@dataclass(frozen=True)
class MonteCarlo:
    """Estimate the gradient variance from samples, without bias and with an interval.

    - A class that says its covariance is integrated in closed form: a U-statistic over pairs of sampled inputs
      (`methods/input_pairs.py`). Costs n^2/2 products of the widths of the model (n^2 P for models without tangent
      factors). Its interval consists of the values that a test with the variance they imply does not reject, and is
      not symmetric about the estimate (`methods/hoeffding.py`).
    - A class that does not has its members sampled as well (`methods/sampled_members.py`). Costs n times the members
      times the projections.
    - Tasks with inputs of their own are estimated from pairs of examples within tasks and between them
      (`gradvar/tasks/pairs.py`).

    The value and the lower end may be negative. The samples resolve nothing, and the result says so with an infinite
    standard error and interval, where they are fewer than 32, where few pairs carry the sum, or where the sampled pairs
    have much less than the class covariance's mean square, as when it vanishes on (nearly) all of them. A signal that
    lives on a part of the inputs too small to be met, or on members too rare, cannot be told from none by any sample.

    Parameters
    ----------
    variance_reduction : bool
        Whether components of the signal that the class covariance annihilates (`null_functions` of a class, such as
        everything constant or linear for parities of degree 3) are taken out by a regression on a sample of its own.
        It leaves the estimate unbiased.
    n_members : int
        Members that are sampled from a class that does not say its covariance.
    n_projections : int or None
        Random projections that stand for the gradient there, where it has more components; None for all of it.
    precision : {"double", "single"}
        Of the products over pairs of inputs, and of members' gradients at sampled inputs. Those in float32 take about
        two thirds of the time; what they lack of float64 is estimated where they are taken in both, so that the
        estimate stays unbiased, and what that leaves is in the interval.

    Raises
    ------
    ValueError, TypeError
        Fewer than 4 members or projections; another precision.
    """

    variance_reduction: bool = True
    n_members: int = 512
    n_projections: int | None = 512
    precision: str = "double"
    name: str = field(default="monte-carlo", init=False)

    def __post_init__(self) -> None:
        if self.precision not in ("double", "single"):
            raise ValueError(f'`precision` must be "double" or "single", got {self.precision!r}')
        integer("n_members", self.n_members, 4)
        if self.n_projections is not None:
            integer("n_projections", self.n_projections, 4)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class that says its covariance, or can be drawn from."""
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        return self._estimator(problem).declines(problem)

    def work(self, problem: Problem) -> float:
        """Return inf: it samples."""
        return math.inf

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        return self._estimator(problem).plan(problem)

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the estimate, its size chosen by a pilot that is dropped; `rtol=0` spends all `max_samples`.

        Raises
        ------
        Interrupted, WorkersLostError
            On Ctrl-C, or where the executor's workers die, with the estimate from the samples that were finished.
        """
        return self._estimator(problem).estimate(problem, settings)

    def _estimator(self, problem: Problem) -> InputPairs | SampledMembers:
        pairs = InputPairs(self.variance_reduction, self.precision)
        if pairs.declines(problem) is None:
            return pairs
        return SampledMembers(self.n_members, self.n_projections, self.precision)
