"""The choice of a method."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..estimation.settings import MAX_WORK
from ..methods.base import Choice, FirstOf, Method
from ..methods.closed_form import THEOREMS, ClosedForm
from ..methods.enumeration.covariance_sum import CovarianceSum
from ..methods.enumeration.enumeration import Enumeration
from ..methods.monte_carlo.monte_carlo import MonteCarlo
from ..problem import Problem
from ..tasks.base import DrawsExamples
from ..tasks.methods import choose_for_tasks


@dataclass(frozen=True)
class Auto(FirstOf):
    """Take the cheapest exact method that covers the problem, or else sample.

    The list, each asked once:

    1. the theorems of `ClosedForm`: a class of one member; all parities with any model, biased ones too; parities of
       one degree with a linear model or a network of one hidden layer; parities with a network of infinite width;
       linear-periodic targets with a cosine model or a network of one hidden layer; all parities, or labelings, of a
       sample; planted parities with a linear model;
    2. `Enumeration`: the inputs are finitely many and fit in memory;
    3. `CovarianceSum`: the class says its covariance, on at most 2^14 inputs;
    4. `MonteCarlo`: everything else whose class says its covariance, or whose members or tasks can be drawn.

    Of two exact methods the one with less work is taken; one that takes more than 2^33 multiplications, some seconds on
    two cores, is left out where there is another, and the guarantee of a sample names it. One whose error turns out too
    large while it is computed is passed over; where one is known to fewer than six digits, the next exact one is taken
    too, and the better known of the two.

    Ask `select` which one that is, and why.

    Examples
    --------
    >>> import gradvar as gv
    >>> problem = gv.Problem(gv.SparseParities(12, 3), gv.MLP.random([12, 4, 4, 1], rng=0))
    >>> gv.Auto().select(problem).method.name
    'enumeration'
    """

    name: str = field(default="auto", init=False)
    max_work = MAX_WORK

    @property
    def methods(self) -> tuple[Method, ...]:
        """The list for targets that share their inputs."""
        return (*THEOREMS, Enumeration(), CovarianceSum(), *MonteCarlo().methods)

    def select(self, problem: Problem) -> Choice:
        """Return the choice, which says what it takes, what declined and why.

        Raises
        ------
        NotApplicableError
            When none covers the problem, with the reason of each.
        """
        if isinstance(problem.hypotheses, DrawsExamples):
            return choose_for_tasks(self, problem)
        return super().select(problem)


METHODS: dict[str, Method] = {
    "auto": Auto(),
    "closed-form": ClosedForm(),
    "enumeration": Enumeration(),
    "covariance-sum": CovarianceSum(),
    "monte-carlo": MonteCarlo(),
}


def as_method(method: str | Method) -> Method:
    """Return the method with this name, or the method object itself."""
    if isinstance(method, str):
        if method not in METHODS:
            names = ", ".join(repr(name) for name in METHODS)
            raise ValueError(f"`method` must be one of {names}, or a method object, got {method!r}")
        return METHODS[method]
    if not isinstance(method, Method) or isinstance(method, type):
        raise TypeError(f"`method` must be a name or a method object such as MonteCarlo(), got {method!r}")
    return method
