"""What a method is: something that turns a problem into an estimate, or says why it cannot."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..estimation.settings import Settings
from ..problem import Problem
from ..results.estimate import Estimate


@runtime_checkable
class Method(Protocol):
    """A way to evaluate the gradient variance. Methods are small frozen objects that hold their own settings."""

    @property
    def name(self) -> str:
        """The word that `method=` takes and that `Estimate.method` starts with."""

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when the method covers the problem, else the error that says why not."""

    def plan(self, problem: Problem) -> str:
        """Say in a sentence what the method would do."""

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the gradient variance of a problem that the method does not decline."""
