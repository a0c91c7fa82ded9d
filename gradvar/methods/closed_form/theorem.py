"""A theorem: a method that covers certain classes, models and losses, and gives the number without a sum over H."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...core.errors import NotApplicableError
from ...estimation.settings import Settings
from ...problem import Problem
from ...results.estimate import Estimate


class Theorem(ABC):
    """A method that rests on one theorem, stated by `plan`."""

    name = "closed-form"
    statement: str

    @abstractmethod
    def uncovered(self, problem: Problem) -> str | None:
        """Return None when the theorem covers the problem, else why not, by what is cheap to see."""

    @abstractmethod
    def work(self, problem: Problem) -> float:
        """Return about how many multiplications it takes."""

    @abstractmethod
    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the moment of a problem that the theorem covers."""

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when the theorem covers the problem, else the error that says why not."""
        reason = self.uncovered(problem)
        return None if reason is None else NotApplicableError(reason)

    def plan(self, problem: Problem) -> str:
        """State the theorem."""
        return self.statement
