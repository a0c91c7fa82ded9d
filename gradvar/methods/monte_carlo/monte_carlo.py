"""Monte Carlo: the estimator that fits what the class can say."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...core.arguments import flag, integer
from ..base import FirstOf, Method
from .input_pairs import InputPairs
from .sampled_members import SampledMembers


@dataclass(frozen=True)
class MonteCarlo(FirstOf):
    """Estimate the gradient variance from samples, without bias and with an interval.

    - A class that says its covariance is integrated in closed form: a U-statistic over pairs of sampled inputs
      (`InputPairs`). Costs n^2/2 products of the widths of the model (n^2 P for models without tangent factors). Its
      interval consists of the values that a test with the variance they imply does not reject, and is not symmetric
      about the estimate (`estimation/u_statistic.py`).
    - A class that does not has its members sampled as well (`SampledMembers`). Costs n times the members times the
      projections.
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
    n_members : int or None
        Members that are sampled from a class that does not say its covariance. None: 512, or as many more as `rtol`
        asks, at most `max_samples` and, with n inputs, P parameters and 64 multiplications for a label (or what
        the class says), 0.75 2^33/(n (min(P, n_projections)/8 + 64)).
    n_projections : int or None
        Random projections that stand for the gradient there, where it has more components; None for all of it.

    Raises
    ------
    ValueError, TypeError
        Fewer than 4 members or projections.

    Examples
    --------
    >>> import gradvar as gv
    >>> H, model = gv.SparseParities(40, 2), gv.MLP.random([40, 4, 4, 1], rng=0)
    >>> found = gv.gradient_variance(H, model, method=gv.MonteCarlo(), rng=0)
    >>> found.exact, found.confidence
    (False, 0.95)
    """

    variance_reduction: bool = True
    n_members: int | None = None
    n_projections: int | None = 512
    name: str = field(default="monte-carlo", init=False)

    def __post_init__(self) -> None:
        flag("variance_reduction", self.variance_reduction)
        if self.n_members is not None:
            integer("n_members", self.n_members, 4)
        if self.n_projections is not None:
            integer("n_projections", self.n_projections, 4)

    @property
    def methods(self) -> tuple[Method, ...]:
        """Pairs of inputs, then sampled members."""
        return InputPairs(self.variance_reduction), SampledMembers(self.n_members, self.n_projections)
