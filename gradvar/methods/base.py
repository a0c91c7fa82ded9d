"""A method: a way to evaluate the gradient variance; and the choice of one from an ordered list."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..core.errors import NotApplicableError
from ..core.numbers import log2_of
from ..estimation.settings import Settings
from ..problem import Problem
from ..results.estimate import Estimate


@runtime_checkable
class Method(Protocol):
    """A way to evaluate a problem's moment. Methods are small frozen objects that hold their own settings.

    `Problem.moment` says which: the gradient variance E_h ||E[(h - m) s]||^2, m the class mean; the second moment
    E_h ||E[h s]||^2; or the mean part ||E[m s]||^2, which is their difference.
    """

    @property
    def name(self) -> str:
        """The word that `method=` takes."""

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when the method covers the problem, else the error that says why not."""

    def work(self, problem: Problem) -> float:
        """Return about how many multiplications it takes; inf for samples, of which more are always better."""

    def plan(self, problem: Problem) -> str:
        """Say in a sentence what the method would do."""

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment of a problem that the method does not decline.

        Raises
        ------
        NotApplicableError
            When that turns out to be out of reach while it is computed.
        """


@dataclass(frozen=True)
class Choice:
    """The methods that cover a problem, the one to take first, and why.

    Attributes
    ----------
    methods : tuple of Method
        Those that cover it: exact ones by their work, then those that sample, in the order of the list.
    declined : tuple of str
        Why each of the others does not.
    reason : str
        What the first method will do, and why others decline.
    """

    methods: tuple[Method, ...]
    declined: tuple[str, ...]
    reason: str

    @property
    def method(self) -> Method:
        """The method to take first."""
        return self.methods[0]

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the estimate of the first method that does not decline on the way.

        Where an exact number is known to fewer than six digits and the next method is exact too, the better known.
        """
        declined = list(self.declined)
        best: Estimate | None = None
        for method in self.methods:
            if best is not None and math.isinf(method.work(problem)):
                return best
            try:
                found = method.estimate(problem, settings)
            except NotApplicableError as error:
                declined.append(f"not {method.name}: {error}")
                continue
            best = found if best is None else min(best, found, key=_log2_width)
            if not best.exact or best.is_tight:
                return best
        if best is None:
            raise NotApplicableError("no method covers this problem: " + "; ".join(declined))
        return best


def choose(methods: Sequence[Method], problem: Problem, max_work: float = math.inf) -> Choice:
    """Ask each method once; return those that cover the problem, the cheapest exact one first.

    Raises
    ------
    NotApplicableError
        When none does, with the reason of each. The reason itself, where a single method was asked.
    """
    able: list[tuple[float, Method]] = []
    reasons: list[tuple[Method, ValueError]] = []
    for method in methods:
        reason = method.declines(problem)
        if reason is None:
            work = method.work(problem)
            if work <= max_work or math.isinf(work):
                able.append((work, method))
                continue
            reason = NotApplicableError(f"it takes about {work:.2g} multiplications, more than {max_work:.2g}")
        reasons.append((method, reason))
    declined = tuple(dict.fromkeys(f"not {method.name}: {reason}" for method, reason in reasons))
    if not able:
        if len(declined) == 1:
            raise reasons[0][1]
        raise NotApplicableError("no method covers this problem: " + "; ".join(declined))
    ordered = tuple(method for _, method in sorted(able, key=lambda pair: pair[0]))
    plan = f"{ordered[0].name}: {ordered[0].plan(problem)}"
    return Choice(ordered, declined, "; ".join([plan, *declined]))


class FirstOf(ABC):
    """A method that takes the first of an ordered list that covers the problem."""

    max_work: float = math.inf

    @property
    @abstractmethod
    def methods(self) -> tuple[Method, ...]:
        """The list."""

    def select(self, problem: Problem) -> Choice:
        """Return the choice, which says what it takes, what declined and why.

        Raises
        ------
        NotApplicableError
            When none covers the problem, with the reason of each.
        """
        return choose(self.methods, problem, self.max_work)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when some method covers the problem, else why each does not."""
        try:
            self.select(problem)
        except ValueError as error:
            return error
        return None

    def work(self, problem: Problem) -> float:
        """Return the work of the method that it takes."""
        return self.select(problem).method.work(problem)

    def plan(self, problem: Problem) -> str:
        """Say what it takes, and why."""
        return self.select(problem).reason

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the estimate of the first method that does not decline on the way."""
        return self.select(problem).estimate(problem, settings)


def _log2_width(found: Estimate) -> float:
    low, high = found.mantissa_interval
    return log2_of(high - low, found.exponent)
