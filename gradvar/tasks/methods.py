"""The methods for tasks that come with inputs of their own, in the order in which they are asked."""

from __future__ import annotations

from ..core.errors import NotApplicableError, TooLargeError
from ..estimation.settings import Settings
from ..methods.base import Method, choose
from ..methods.closed_form import ClosedForm
from ..methods.enumeration.enumeration import Enumeration
from ..methods.monte_carlo.monte_carlo import MonteCarlo
from ..problem import Problem
from ..results.estimate import Estimate
from .enumeration import TaskEnumeration
from .pairs import TaskPairs
from .planted_parities_linear import PlantedParitiesLinear

_THEOREMS: tuple[Method, ...] = (ClosedForm(), PlantedParitiesLinear())
_AUTO_WORK = 2**35
"""Products that take about a minute."""


def task_methods(method: Method) -> tuple[Method, ...]:
    """Return the methods of this room that a method of the library stands for; any other is meant as it is."""
    if isinstance(method, ClosedForm):
        return _THEOREMS
    if isinstance(method, Enumeration):
        return (TaskEnumeration(method.max_memory, method.max_work),)
    if isinstance(method, MonteCarlo):
        return (TaskPairs(),)
    if method.name == "auto":
        return (*_THEOREMS, TaskEnumeration(max_work=_AUTO_WORK), TaskPairs())
    return (method,)


def estimate_tasks(problem: Problem, method: Method, settings: Settings) -> Estimate:
    """Return the variance of a task problem by the first of these methods that covers it."""
    try:
        choice = choose(task_methods(method), problem)
    except (NotApplicableError, TooLargeError) as error:
        raise type(error)(f"method={method.name!r} declines this problem: {error}") from None
    return choice.estimate(problem, settings)
