"""A theorem: a method that covers certain classes, models and losses, and gives the number without a sum over H."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...core.errors import NotApplicableError
from ...problem import Problem


class Theorem(ABC):
    """The part of a `Method` that all theorems share: `plan` states the theorem, `uncovered` says where it holds."""

    name = "closed-form"
    statement: str

    @abstractmethod
    def uncovered(self, problem: Problem) -> str | None:
        """Return None when the theorem covers the problem, else why not, by what is cheap to see."""

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when the theorem covers the problem, else the error that says why not."""
        reason = self.uncovered(problem)
        return None if reason is None else NotApplicableError(reason)

    def plan(self, problem: Problem) -> str:
        """State the theorem."""
        return self.statement
