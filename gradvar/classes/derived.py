"""What a class does not say of itself, derived from what it says."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy.typing as npt

from ..arguments import Array
from ..inputs import Inputs
from .base import HypothesisClass, KnowsProjection
from .table import EvaluatedTable, Rows, Table, kept, project, second_moments

_MOST_LOG2_MEMBERS = 20.0


@runtime_checkable
class ListsMembers(HypothesisClass, Protocol):
    """A class that lists its members and evaluates them."""

    def members(self) -> Rows:
        """Return all members."""

    def evaluate(self, members: Rows, x: Array) -> npt.ArrayLike:
        """Return the values h(x), shape (m, n)."""


class DerivedProjection:
    """The projection of a class of at most 2^20 members on finitely many inputs, from `members()` and `evaluate`."""

    def __init__(self, hypotheses: ListsMembers) -> None:
        self._hypotheses = hypotheses

    @property
    def inputs(self) -> Inputs:
        """The class's inputs."""
        return self._hypotheses.inputs

    @property
    def log2_size(self) -> float:
        """log2 |H|."""
        return self._hypotheses.log2_size

    def project(self, f: Array) -> Array:
        """Return E_x[h(x) f(x)] for every member, shape (|H|, q), for f of shape (n_points, q).

        Exact up to rounding. Costs m n q, and an evaluation of all members at all points unless their values take no
        more than 64 MiB.
        """
        return project(self._table, f)

    def second_moments(self) -> Array:
        """Return E_x h(x)^2 for every member, shape (|H|,)."""
        return second_moments(self._table)

    @cached_property
    def _table(self) -> Table:
        hypotheses = self._hypotheses
        return kept(EvaluatedTable(hypotheses.evaluate, hypotheses.members(), hypotheses.inputs), hypotheses.inputs)


def projection(hypotheses: HypothesisClass) -> KnowsProjection | None:
    """Return the class itself where it has a method `project(f)`, else what that is derived from, else None."""
    if isinstance(hypotheses, KnowsProjection):
        return hypotheses
    few = hypotheses.inputs.n_points is not None and hypotheses.log2_size <= _MOST_LOG2_MEMBERS
    listed = getattr(hypotheses, "size", 0) is not None  # None: they can be drawn, not listed
    return DerivedProjection(hypotheses) if few and listed and isinstance(hypotheses, ListsMembers) else None
