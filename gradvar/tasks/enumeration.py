r"""Enumeration of tasks: every task, every input, no sampling.

    c_A = grad F_A = sum_x D_A(x) (a(p(x)) + f_A(x) b(p(x))) g(x),      Var = E_A ||c_A - E_A' c_A'||^2

for tasks that say their probabilities D_A(x) and their labels f_A(x) on finitely many inputs: one matrix product
(tasks x inputs)(inputs x components) for a block of inputs at a time.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import numpy as np

from ..classes.base import prior_of
from ..core.arguments import Array
from ..core.errors import NonFiniteError, NotApplicableError, TooLargeError
from ..core.numbers import ROUNDING, Scaled
from ..estimation.expectation import rows_per_tile
from ..estimation.settings import Settings
from ..estimation.tiles import ordered_map
from ..methods.base import InParts
from ..methods.enumeration.coefficients import moments
from ..problem import Problem, component_blocks, norms_sq
from ..results.estimate import Estimate
from .base import TabulatesTasks
from .examples import not_for_tasks

_ROWS, _BLOCK, _MOST_POINTS, _MOST_EXAMPLES = 1024, 2**20, 2**26, 2**27
"""Inputs in a tile; numbers in a block of its tables; inputs that are enumerated at most."""
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class TaskEnumeration(InParts):
    """Evaluate the gradient variance over tasks by a sum over all tasks and all inputs.

    Exact up to float64 rounding, which makes up the interval. With V the value, M = E_A ||c_A||^2, n inputs and
    eps = 2^-52, its half width is 1e-12 M + 2 delta V^1/2 + delta^2, where
    delta = 4 (n^1/2 + 8) eps max_A (E_{D_A}[(|a| + |f_A b|)^2 ||g||^2])^1/2 bounds the rounding of each c_A.

    Parameters
    ----------
    max_memory : int
        Bytes that may be taken. 8 GiB by default.
    max_work : int or None
        Products tasks x inputs x parameters that may be taken; None is no limit.
    """

    max_memory: int = 8 * 2**30
    max_work: int | None = None
    name: str = field(default="enumeration", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None where the tasks say their probabilities and labels, and all of it fits."""
        refused = not_for_tasks(problem)
        if refused is not None:
            return NotApplicableError(refused)
        hypotheses, points = problem.hypotheses, problem.inputs.n_points
        if points is None:
            return NotApplicableError(f"the inputs are infinitely many ({problem.inputs!r})")
        if not isinstance(hypotheses, TabulatesTasks):
            return NotApplicableError(f"{hypotheses!r} does not say `members`, `probabilities` and `targets`")
        gradients = hypotheses.size * problem.predictor.n_parameters
        memory = 8 * (gradients * min(points // _ROWS + 3, 64) + 32 * _BLOCK)
        if points > _MOST_POINTS or memory > self.max_memory:
            return TooLargeError(
                f"enumerating 2^{math.log2(points):.4g} inputs and 2^{hypotheses.log2_size:.4g} tasks takes "
                f"2^{math.log2(memory):.4g} bytes; the most are 2^{math.log2(_MOST_POINTS):.4g} inputs and "
                f"max_memory = 2^{math.log2(self.max_memory):.4g}; pass method='monte-carlo'"
            )
        if self.max_work is not None and (work := self.work(problem)) > self.max_work:
            return NotApplicableError(f"it would take {work:.2g} products, more than {self.max_work:.2g}")
        return None

    def work(self, problem: Problem) -> float:
        """Return the products tasks x inputs x parameters, of inputs that a task has."""
        assert isinstance(problem.hypotheses, TabulatesTasks)
        pairs = problem.hypotheses.size * (problem.inputs.n_points or 1)
        return float(getattr(problem.hypotheses, "n_pairs", pairs) * problem.predictor.n_parameters)

    def plan(self, problem: Problem) -> str:
        """Say what is enumerated."""
        assert isinstance(problem.hypotheses, TabulatesTasks)
        return f"exact sum over all {problem.hypotheses.size:,} tasks and all {problem.inputs.n_points:,} inputs"

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the gradient variance over tasks, exact up to rounding."""
        hypotheses, points = problem.hypotheses, problem.inputs.n_points
        assert isinstance(hypotheses, TabulatesTasks)
        assert points is not None
        tile = partial(_terms, problem, hypotheses, np.asarray(hypotheses.members()))
        rows = rows_per_tile(problem.row_size, _ROWS)
        blocks = ((start, min(start + rows, points)) for start in range(0, points, rows))
        sums: list[Array] = []
        silent = np.errstate(over="ignore", invalid="ignore")  # overflow is told of below
        with silent, closing(ordered_map(tile, blocks, settings.executor)) as results:
            for terms in results:
                sums = [total + part for total, part in zip(sums, terms, strict=True)] if sums else terms
            *of_parts, sizes = sums
            prior = prior_of(hypotheses)
            numbers = [_variance(c, size, points, prior) for c, size in zip(of_parts, sizes.T, strict=True)]
        if not all(math.isfinite(number.mantissa + number.error) for number in numbers):
            raise NonFiniteError(f"the gradient variance of {problem.model!r} overflows float64; rescale its weights")
        guarantee = f"exact up to float64 rounding: all {len(sizes):,} tasks on all {points:,} inputs"
        return [Estimate.exactly(number, "enumeration", guarantee, n_evaluated=points) for number in numbers]


def _variance(c: Array, size: Array, points: int, prior: Array | None) -> Scaled:
    """Var = E_A ||c_A - E_A' c_A'||^2, with an error from M = E_A ||c_A||^2 and E_{D_A}[(|a| + |f_A b|)^2 ||g||^2]."""
    variance, second_moment, _ = moments(c, prior)
    delta = 4 * (math.sqrt(points) + 8) * _EPS * math.sqrt(size.max())
    return Scaled(variance, ROUNDING * second_moment + 2 * delta * math.sqrt(variance) + delta**2)


def example_norm(problem: Problem, settings: Settings) -> Estimate | None:
    """Return E||u||^2 = E_A E_{D_A}[(a + f_A b)^2 ||g||^2], exact up to rounding; None where it is too long a sum."""
    hypotheses, points = problem.hypotheses, problem.inputs.n_points
    if not isinstance(hypotheses, TabulatesTasks) or points is None or points * hypotheses.size > _MOST_EXAMPLES:
        return None
    tile = partial(_example_norms, problem, hypotheses, np.asarray(hypotheses.members()))
    rows = max(1, _BLOCK // hypotheses.size)
    blocks = ((start, min(start + rows, points)) for start in range(0, points, rows))
    with closing(ordered_map(tile, blocks, settings.executor)) as results:
        total, size = np.sum(list(results), axis=0)
    # the root is off by 2 eps E[(|a| + |f_A b|)^2 ||g||^2]^(1/2)
    delta = 2 * _EPS * math.sqrt(size)
    return Estimate.exactly(
        Scaled(float(total), ROUNDING * float(total) + 2 * delta * math.sqrt(total) + delta**2),
        "enumeration",
        f"exact up to float64 rounding: all {hypotheses.size:,} tasks on all {points:,} inputs",
        n_evaluated=points,
    )


def _example_norms(
    problem: Problem, hypotheses: TabulatesTasks[Array], members: Array, block: tuple[int, int]
) -> Array:
    """The terms that a block of inputs has of E_A E_{D_A}[(a + y b)^2 ||g||^2], and with (|a| + |f_A b|)^2 there."""
    x = problem.inputs.points(*block)
    a, b = problem.loss_split(x)
    prior = prior_of(hypotheses)
    shares = np.full(len(members), 1 / len(members)) if prior is None else prior
    probabilities = shares[:, None] * np.asarray(hypotheses.probabilities(members, x), dtype=np.float64)
    moved, norms = b * np.asarray(hypotheses.targets(members, x)), norms_sq(problem.tangent_factors(x))
    # E (a + y b)^2 = (a + f_A b)^2 + b^2 Var(y | x), y the label of an example
    squares, variances = (a + moved) ** 2, getattr(hypotheses, "label_variances", None)
    if variances is not None:
        squares += b**2 * variances(members, x)
    return (
        np.stack([(probabilities * part).sum(axis=0) for part in (squares, (np.abs(a) + np.abs(moved)) ** 2)]) @ norms
    )


def _terms(problem: Problem, hypotheses: TabulatesTasks[Array], members: Array, block: tuple[int, int]) -> list[Array]:
    """The terms that a block of inputs has of c_A (m, P) of each part of the gradient, for all tasks.

    The last array is that of E_{D_A}[(|a| + |f_A b|)^2 ||g||^2], shape (m, parts).
    """
    x = problem.inputs.points(*block)
    a, b = problem.loss_split(x)
    factors = problem.tangent_factors(x)
    m, together = len(members), max(1, _BLOCK // len(x))
    parts = problem.split(factors)
    counts = [sum(left.shape[1] * right.shape[1] for left, right in part) for part in parts]
    c, sizes = np.zeros((m, sum(counts))), np.zeros((m, len(parts)))
    with np.errstate(over="ignore", invalid="ignore"):
        norms = problem.norms_of_parts(factors)
        for start in range(0, m, together):
            some_members = members[start : start + together]
            probabilities = np.asarray(hypotheses.probabilities(some_members, x), dtype=np.float64)
            rows = np.flatnonzero(probabilities.any(axis=1))  # tasks that have none of these inputs are left out
            probabilities, moved = probabilities[rows], b * hypotheses.targets(some_members[rows], x)
            rows += start
            # D_A(x) (a + f_A(x) b)
            slopes = probabilities * (a + moved)
            sizes[rows], done = (probabilities * (np.abs(a) + np.abs(moved)) ** 2) @ norms, 0
            for one, some in component_blocks(list(chain(*parts)), together):
                c[rows, done : done + some.shape[1]] = slopes @ (one[:, None] * some)
                done += some.shape[1]
    return [*np.split(c, np.cumsum(counts)[:-1], axis=1), sizes]
