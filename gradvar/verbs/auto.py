"""The choice of a method."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.errors import NotApplicableError
from ..estimation.settings import Settings
from ..methods.base import Choice, Method, choose
from ..methods.closed_form import ClosedForm
from ..methods.enumeration.enumeration import Enumeration
from ..methods.monte_carlo.monte_carlo import MonteCarlo
from ..problem import Problem
from ..results.estimate import Estimate
from ..tasks.base import DrawsExamples
from ..tasks.methods import task_methods


@dataclass(frozen=True)
class Auto:
    """Take the first method that covers the problem.

    1. `ClosedForm`: a theorem gives the number: a class of one member; all parities with any model; parities of one
       degree with a network of one hidden layer; parities with a network of infinite width; linear-periodic targets
       with a cosine model or a network of one hidden layer; planted parities with a linear model.
    2. `Enumeration`: the inputs are finitely many, fit in memory and take less than about a minute.
    3. `MonteCarlo`: everything else whose class says its covariance, or whose members or tasks can be drawn.

    Ask `select` which one that is, and why. A closed form whose error turns out too large while it is computed is
    passed over as well; so is one that is known to fewer than six digits where an enumeration knows more.

    Examples
    --------
    >>> import gradvar as gv
    >>> problem = gv.Problem(gv.SparseParities(12, 3), gv.Linear([1.0] * 12))
    >>> gv.Auto().select(problem).method.name
    'enumeration'
    """

    name: str = field(default="auto", init=False)

    def select(self, problem: Problem) -> Choice:
        """Return the first method that covers the problem, with the reason.

        Raises
        ------
        NotApplicableError
            When none does, with the reason of each.
        """
        return choose(task_methods(self) if isinstance(problem.hypotheses, DrawsExamples) else _IN_ORDER, problem)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when some method covers the problem, else the reason of each why not."""
        try:
            self.select(problem)
        except NotApplicableError as error:
            return error
        return None

    def work(self, problem: Problem) -> float:
        """Return that of the method it takes."""
        return self.select(problem).method.work(problem)

    def plan(self, problem: Problem) -> str:
        """Say what will be taken, and why."""
        return self.select(problem).reason

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the estimate of the first method that covers the problem and does not decline on the way."""
        return self.select(problem).estimate(problem, settings)


_IN_ORDER: tuple[Method, ...] = (ClosedForm(), Enumeration(max_work=2**35), MonteCarlo())


METHODS: dict[str, Method] = {
    "auto": Auto(),
    "closed-form": ClosedForm(),
    "enumeration": Enumeration(),
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
