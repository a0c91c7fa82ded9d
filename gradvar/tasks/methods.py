"""The methods for tasks that come with inputs of their own, in the order in which they are asked."""

from __future__ import annotations

from ..methods.base import Choice, FirstOf, Method, choose
from ..methods.closed_form import ClosedForm
from ..methods.closed_form.one_member import OneMember
from ..methods.enumeration.enumeration import Enumeration
from ..methods.monte_carlo.monte_carlo import MonteCarlo
from ..problem import Problem
from .enumeration import TaskEnumeration
from .pairs import TaskPairs
from .planted_parities_linear import PlantedParitiesLinear

_THEOREMS: tuple[Method, ...] = (OneMember(), PlantedParitiesLinear())
_MAX_WORK = 2.0**35
"""Products that take about a minute: an enumeration with more is left out where there is another method."""


def task_methods(method: Method) -> tuple[Method, ...]:
    """Return the methods of this room that a method of the library stands for; any other is meant as it is."""
    if isinstance(method, ClosedForm):
        return _THEOREMS
    if isinstance(method, Enumeration):
        return (TaskEnumeration(method.max_memory, method.max_work),)
    if isinstance(method, MonteCarlo):
        return (TaskPairs(),)
    return (*_THEOREMS, TaskEnumeration(), TaskPairs()) if method.name == "auto" else (method,)


def choose_for_tasks(method: Method, problem: Problem) -> Choice:
    """Choose among the methods that this one stands for."""
    none = method.none if isinstance(method, FirstOf) else FirstOf.none
    return choose(task_methods(method), problem, _MAX_WORK, none)
