"""Theorems that give the gradient variance without a sum over the class: one file each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ...core.errors import NotApplicableError
from ...estimation.settings import Settings
from ...problem import Problem
from ...results.estimate import Estimate
from . import (
    all_parities,
    infinite_width,
    linear_periodic_cosine,
    linear_periodic_two_layer,
    one_member,
    two_layer_parities,
)


class Theorem(Protocol):
    """A module of this package: what it covers and what it gives."""

    STATEMENT: str

    def declines(self, problem: Problem, /) -> str | None:
        """Return None when the theorem covers the problem, else the reason why not."""

    def estimate(self, problem: Problem, settings: Settings, /) -> Estimate:
        """Return the gradient variance."""


THEOREMS: tuple[Theorem, ...] = (
    one_member,
    all_parities,
    two_layer_parities,
    infinite_width,
    linear_periodic_cosine,
    linear_periodic_two_layer,
)


@dataclass(frozen=True)
class ClosedForm:
    """Evaluate the gradient variance by a theorem that covers this class, model and loss.

    The theorems: a class of one member has none; all 2^d parities with any model (Parseval); parities of one degree
    with a network of one hidden layer, at any dimension; parities with networks of infinite width, in the mean over
    their weights; linear-periodic targets with a cosine model or a network of one hidden layer. Exact
    up to rounding and quadrature, or up to one plain expectation whose interval is reported.
    """

    name: str = field(default="closed-form", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when some theorem covers the problem, else why each does not."""
        reasons = [theorem.declines(problem) for theorem in THEOREMS]
        if None in reasons:
            return None
        return NotApplicableError("no theorem covers it (" + "; ".join(str(r) for r in reasons) + ")")

    def work(self, problem: Problem) -> float:
        """Return 0: a theorem comes first."""
        return 0.0

    def plan(self, problem: Problem) -> str:
        """State the theorem that is taken."""
        return self._theorem(problem).STATEMENT

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the gradient variance by the first theorem that covers the problem."""
        return self._theorem(problem).estimate(problem, settings)

    def _theorem(self, problem: Problem) -> Theorem:
        return next(theorem for theorem in THEOREMS if theorem.declines(problem) is None)
