r"""Enumeration of tasks: every task, every input, no sampling.

    c_A = sum_x D_A(x) (a(p(x)) + f_A(x) b(p(x))) g(x),      Var = E_A ||c_A - E_A' c_A'||^2

for tasks that say their probabilities D_A(x) and their labels f_A(x) on finitely many inputs. Two matrix products
(tasks x inputs)(inputs x components) for a block of the gradient's components at a time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..core.arguments import Array
from ..core.errors import NonFiniteError, NotApplicableError, TooLargeError
from ..core.numbers import Scaled
from ..estimation.expectation import ROUNDING, rows_per_tile
from ..estimation.settings import Settings
from ..estimation.tiles import ordered_map
from ..problem import Factors, Problem, component_blocks, norms_sq
from ..results.estimate import Estimate
from .base import TabulatesTasks
from .examples import not_for_tasks

_BLOCK, _KEPT = 2**22, 2**25
"""Numbers in a block of components or of probabilities, 32 MiB; and in a table that is kept, 256 MiB."""
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class TaskEnumeration:
    """Evaluate the gradient variance over tasks by a sum over all tasks and all inputs.

    Exact up to float64 rounding, which makes up the interval. With V the value, M = E_A ||c_A||^2, n inputs and
    eps = 2^-52, its half width is 1e-12 M + 2 delta V^1/2 + delta^2, where
    delta = 4 (n^1/2 + 8) eps max_A (E_{D_A}[(|a| + |b|)^2 ||g||^2])^1/2 bounds the rounding of each c_A.

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
            return refused
        hypotheses, points = problem.hypotheses, problem.inputs.n_points
        if points is None:
            return NotApplicableError(f"the inputs are infinitely many ({problem.inputs!r})")
        if not isinstance(hypotheses, TabulatesTasks):
            return NotApplicableError(f"{hypotheses!r} does not say `members`, `probabilities` and `targets`")
        table = 2 * min(hypotheses.size * points, _KEPT)
        memory = 8 * (points * (3 * problem.row_size + 8) + table + 8 * max(_BLOCK, points, hypotheses.size))
        work = hypotheses.size * points * problem.predictor.n_parameters
        if points > 2**30 or memory > self.max_memory:
            return TooLargeError(
                f"enumerating 2^{math.log2(points):.4g} inputs and 2^{hypotheses.log2_size:.4g} tasks needs "
                f"2^{math.log2(memory):.4g} bytes, more than max_memory = 2^{math.log2(self.max_memory):.4g}; pass "
                "method='monte-carlo'"
            )
        if self.max_work is not None and work > self.max_work:
            return NotApplicableError(f"it would take {float(work):.2g} products, more than {self.max_work:.2g}")
        return None

    def work(self, problem: Problem) -> float:
        """Return the products tasks x inputs x parameters."""
        return float(
            2.0**problem.hypotheses.log2_size * (problem.inputs.n_points or math.inf) * problem.predictor.n_parameters
        )

    def plan(self, problem: Problem) -> str:
        """Say what is enumerated."""
        assert isinstance(problem.hypotheses, TabulatesTasks)
        return f"exact sum over all {problem.hypotheses.size:,} tasks and all {problem.inputs.n_points:,} inputs"

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the gradient variance over tasks, exact up to rounding."""
        begin = time.perf_counter()
        hypotheses, points = problem.hypotheses, problem.inputs.n_points
        assert isinstance(hypotheses, TabulatesTasks)
        assert points is not None
        members: Array = np.asarray(hypotheses.members())
        factors, a, b = _at_all_points(problem, points, settings)
        table = _Table(hypotheses, members, problem.inputs.points(0, points))
        with np.errstate(over="ignore", invalid="ignore"):
            largest = float(max((p @ ((np.abs(a) + np.abs(b)) ** 2 * norms_sq(factors))).max() for p, _ in table))
        together = max(1, _BLOCK // max(points, len(members)))
        with closing(
            ordered_map(partial(_moments, table, a, b), component_blocks(factors, together), settings.executor)
        ) as results:
            parts = list(results)
        variance, second_moment = (math.fsum(part[i] for part in parts) for i in (0, 1))
        delta = 4 * (math.sqrt(points) + 8) * _EPS * math.sqrt(largest)
        half = ROUNDING * second_moment + 2 * delta * math.sqrt(variance) + delta**2
        if not math.isfinite(variance + half):
            raise NonFiniteError(f"the gradient variance of {problem.model!r} overflows float64; rescale its weights")
        return Estimate.exactly(
            Scaled(variance, half),
            "enumeration",
            f"exact up to float64 rounding: all {len(members):,} tasks on all {points:,} inputs",
            n_evaluated=points,
            seconds=time.perf_counter() - begin,
        )


class _Table:
    """The probabilities D_A(x) of all tasks, and D_A(x) f_A(x), a block of tasks at a time.

    They are kept from the first time through, where they are few enough; what is kept does not travel to other
    processes, which make their own.
    """

    def __init__(self, hypotheses: TabulatesTasks[Array], members: Array, x: Array) -> None:
        self.hypotheses, self.members, self.x = hypotheses, members, x
        self._kept: list[tuple[Array, Array]] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": None}

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        if self._kept is not None:
            return iter(self._kept)
        if len(self.members) * len(self.x) > _KEPT:
            return self._blocks()
        self._kept = list(self._blocks())
        return iter(self._kept)

    def _blocks(self) -> Iterator[tuple[Array, Array]]:
        step = max(1, _BLOCK // len(self.x))
        for start in range(0, len(self.members), step):
            some = self.members[start : start + step]
            probabilities = np.asarray(self.hypotheses.probabilities(some, self.x), dtype=np.float64)
            yield probabilities, probabilities * self.hypotheses.targets(some, self.x)


def _at_all_points(problem: Problem, points: int, settings: Settings) -> tuple[Factors, Array, Array]:
    """The gradient's factors, a(p) and b(p) at all inputs."""
    rows = rows_per_tile(problem.row_size, 4096)
    blocks = ((start, min(start + rows, points)) for start in range(0, points, rows))
    with closing(ordered_map(partial(_at_points, problem), blocks, settings.executor)) as results:
        parts = list(results)
    factors = [
        (np.concatenate([part[0][i][0] for part in parts]), np.concatenate([part[0][i][1] for part in parts]))
        for i in range(len(parts[0][0]))
    ]
    return factors, np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])


def _at_points(problem: Problem, block: tuple[int, int]) -> tuple[Factors, Array, Array]:
    x = problem.inputs.points(*block)
    a, b = problem.loss_split(x)
    return problem.tangent_factors(x), a, b


def _moments(table: _Table, a: Array, b: Array, components: tuple[Array, Array]) -> tuple[float, float]:
    """E_A ||c_A - mean||^2 and E_A ||c_A||^2 over these components."""
    one, some = components
    g = one[:, None] * some
    plain, labelled = a[:, None] * g, b[:, None] * g
    c = np.concatenate([p @ plain + py @ labelled for p, py in table])
    with np.errstate(over="ignore", invalid="ignore"):  # said of the whole sum
        deviations = c - c.mean(axis=0)
        return float(np.vdot(deviations, deviations)) / len(c), float(np.vdot(c, c)) / len(c)
