"""A method: a way to evaluate a moment of the gradient over the class; and the choice of one from an ordered list."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from ..core.errors import NotApplicableError
from ..core.numbers import log2_of
from ..estimation.settings import Settings
from ..problem import Problem
from ..results.estimate import Estimate

COMPILED_CODE = 2.0**28
"""Multiplications that loading Numba and a kernel from its cache counts as: half of the half second that the first
problem of a process waits for it, and no later one."""


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
        """Return about how many multiplications it takes: about a nanosecond each, on one core.

        A method that runs compiled code counts `COMPILED_CODE` too.

        Raises
        ------
        NotApplicableError
            When counting them shows that they are out of reach.
        """

    def plan(self, problem: Problem) -> str:
        """Say in a sentence what the method would do."""

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment of a problem that the method does not decline.

        Raises
        ------
        NotApplicableError
            When that turns out to be out of reach while it is computed.
        """


class InParts(ABC):
    """A method that keeps the parts of the gradient, the layers of `Problem.by_layer`, apart: on one sample of inputs.

    A sample has the size that the whole gradient takes.
    """

    @abstractmethod
    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the moment of each part of the gradient, for a problem that the method does not decline."""

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment of the whole gradient."""
        (found,) = self.estimates(problem, settings)
        return found


class Sampler:
    """A method whose number comes from samples, of which more are always better: asked where no exact one is left."""

    def work(self, problem: Problem) -> float:
        """Return inf."""
        return math.inf


@dataclass(frozen=True)
class Choice:
    """The methods that cover a problem, the one to take first, and why.

    Attributes
    ----------
    methods : tuple of Method
        The exact ones that cover it, the one with the least work first; or else the first that samples.
    later : tuple of Sampler
        Those that sample and have not been asked, for a problem that all of `methods` decline on the way.
    reason : str
        What the first method will do, and why not the others.
    dear : str or None
        The exact method that was left out for its work, for a reader of a sampled number.
    """

    methods: tuple[Method, ...]
    later: tuple[Method, ...]
    reason: str
    dear: str | None = None

    @property
    def method(self) -> Method:
        """The method to take first."""
        return self.methods[0]

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the estimate of the first method that does not decline on the way.

        Where an exact number is known to fewer than six digits and another method is exact too, the better known.
        """
        begin = time.perf_counter()
        found = self._first(problem, settings)
        if self.dear is not None and not found.exact:
            found = replace(found, guarantee=f"{found.guarantee}; {self.dear}")
        return replace(found, seconds=time.perf_counter() - begin)

    def _first(self, problem: Problem, settings: Settings) -> Estimate:
        best: Estimate | None = None
        errors: list[ValueError] = []
        for method in self.methods:
            try:
                found = method.estimate(problem, settings)
            except NotApplicableError as error:
                errors.append(error)
                continue
            best = found if best is None else min(best, found, key=_log2_width)
            if not best.exact or best.is_tight:
                return best
        if best is not None:
            return best
        for method in self.later:
            declined = method.declines(problem)
            if declined is None:
                return method.estimate(problem, settings)
            errors.append(declined)
        raise NotApplicableError("; ".join(str(error) for error in errors)) from errors[0]


def choose(
    methods: Sequence[Method], problem: Problem, max_work: float = math.inf, none: str = "no method covers this problem"
) -> Choice:
    """Ask each exact method once, and take the cheapest; where none covers the problem the first `Sampler` that does.

    An exact one that takes more than `max_work` multiplications is left out where there is another method.

    Raises
    ------
    NotApplicableError
        When none does, with the reason of each. The reason itself, where a single method was asked.
    """
    able: list[tuple[float, Method]] = []
    declined: list[tuple[Method, ValueError]] = []
    exact = [method for method in methods if not isinstance(method, Sampler)]
    samplers = [method for method in methods if isinstance(method, Sampler)]
    for method in exact:
        reason = method.declines(problem)
        try:
            if reason is None:
                able.append((method.work(problem), method))
        except NotApplicableError as error:
            reason = error
        if reason is not None:
            declined.append((method, reason))
    able.sort(key=lambda pair: pair[0])
    chosen = [method for work, method in able if work <= max_work]
    while samplers and not chosen:
        method = samplers.pop(0)
        reason = method.declines(problem)
        if reason is None:
            chosen.append(method)
        else:
            declined.append((method, reason))
    chosen = chosen or [method for _, method in able]
    if not chosen:
        raise _refusal(methods, declined, none)
    least = min(max_work, able[0][0]) if able else max_work
    dear = None
    if able and able[0][1] not in chosen:
        work, method = able[0]
        dear = f"method={method.name!r} is exact, and takes about {work:.2g} multiplications"
    for work, method in able:
        if method is not chosen[0]:
            more = f"it takes about {work:.2g} multiplications, more than {least:.2g}"
            declined.append((method, NotApplicableError(more)))
    others = [(method, reason) for method, reason in declined if method.name != chosen[0].name]
    said = [f"{chosen[0].name}: {chosen[0].plan(problem)}", *([_in_words(others)] if others else [])]
    return Choice(tuple(chosen), tuple(samplers), "; ".join(said), dear)


def _refusal(methods: Sequence[Method], declined: Sequence[tuple[Method, ValueError]], none: str) -> ValueError:
    """The error where no method covers the problem; the reason itself where there is one only."""
    reasons = dict.fromkeys(str(reason) for _, reason in declined)
    if len(reasons) == 1:
        return declined[0][1]
    same = len({method.name for method in methods}) == 1
    return NotApplicableError(f"{none} ({'; '.join(reasons) if same else _in_words(declined)})")


def _in_words(declined: Sequence[tuple[Method, ValueError]]) -> str:
    """Why methods decline, those of one name together."""
    said: dict[str, dict[str, None]] = {}
    for method, reason in declined:
        said.setdefault(method.name, {})[str(reason)] = None
    return "; ".join(f"not {name}: {'; '.join(reasons)}" for name, reasons in said.items())


class FirstOf(ABC):
    """A method that takes the best of an ordered list: the cheapest exact one that covers the problem, else the first.

    Attributes
    ----------
    name : str
        The word that `method=` takes.
    max_work : float
        Multiplications beyond which an exact method is left out where there is another.
    none : str
        What is said before the reasons where none of the list covers a problem.
    """

    name: str
    max_work: float = math.inf
    none: str = "no method covers this problem"

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
        return choose(self.methods, problem, self.max_work, self.none)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when some method covers the problem, else why each does not."""
        try:
            self.select(problem)
        except NotApplicableError as error:
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
