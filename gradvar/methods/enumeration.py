r"""Enumeration: every input, every member of the class, no sampling.

    c_h = E_x[h(x) s(x)],      Var = E_h ||c_h - E_h' c_h'||^2

The members' projections c_h come from the class's own fast transform, for a block of the signal's components at a
time, and are centred before they are squared. Parities on the cube take less: only the weight of the signal at
each degree is needed (`methods/cube.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..arguments import Array
from ..classes.base import KnowsProjection
from ..classes.parities import CubeParities
from ..errors import NotApplicableError, ShapeError, TooLargeError
from ..expectation import ROUNDING, rows_per_tile
from ..problem import Factors, Problem
from ..results import Estimate
from ..settings import Settings
from ..tiles import ordered_map
from . import cube

_BLOCK = 2**22
"""Numbers in a block of signal components or of their projections: 32 MiB."""


@dataclass(frozen=True)
class Enumeration:
    """Evaluate the gradient variance by a sum over all inputs and all members.

    Exact up to float64 rounding: the interval is 1e-12 of the uncentred second moment to either side.

    Parameters
    ----------
    max_memory : int
        Bytes that may be taken. 8 GiB by default.
    max_work : int or None
        Numbers that may be transformed; None is no limit.
    """

    max_memory: int = 8 * 2**30
    max_work: int | None = None
    name: str = field(default="enumeration", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when the inputs and members are finitely many, fit in memory and take no more than `max_work`.

        A `TooLargeError` says how large it would be, and the way out.
        """
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        if problem.inputs.n_points is None:
            return NotApplicableError(f"the inputs are infinitely many ({problem.inputs!r})")
        if not isinstance(problem.hypotheses, KnowsProjection):
            return NotApplicableError(f"{problem.hypotheses!r} has no method `project(f)`")
        memory, work = self._size(problem)
        if memory > self.max_memory:
            return TooLargeError(self._too_large(problem, memory))
        if self.max_work is not None and work > self.max_work:
            return NotApplicableError(f"it would transform {work:.2g} numbers, more than {self.max_work:.2g}")
        return None

    def plan(self, problem: Problem) -> str:
        """Say what is enumerated, in how much memory."""
        memory, _ = self._size(problem)
        return f"exact sum over all {problem.inputs.n_points:,} inputs, in {_bytes(memory)} of memory"

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the gradient variance, exact up to rounding."""
        begin = time.perf_counter()
        variance, second_moment = None, 0.0
        if isinstance(problem.hypotheses, CubeParities):
            variance, second_moment = _by_levels(problem, problem.hypotheses, settings)
            # The class mean was subtracted after squaring. Where it is nearly all there is, digits were lost: centre
            # first, if there is room.
            if variance < 1e-3 * second_moment and _projection_memory(problem) <= self.max_memory:
                variance = None
        if variance is None:
            variance, second_moment = _by_projection(problem, settings)
        rounding = ROUNDING * second_moment
        return Estimate(
            mantissa=variance,
            mantissa_interval=(variance - rounding, variance + rounding),
            exact=True,
            method="enumeration",
            guarantee=f"exact up to float64 rounding: every one of {problem.inputs.n_points:,} inputs and every member",
            n_evaluated=problem.inputs.n_points or 0,
            seconds=time.perf_counter() - begin,
        )

    @staticmethod
    def _size(problem: Problem) -> tuple[int, int]:
        """Bytes and transformed numbers."""
        points = problem.inputs.n_points
        assert points is not None
        if isinstance(problem.hypotheses, CubeParities):
            if points > 2**62:  # no point of it can be made to measure the model at
                return 64 * points, 64 * points
            return cube.memory_needed(problem), points * cube.transforms_needed(problem)
        work = points * problem.predictor.n_parameters
        return _projection_memory(problem), work

    def _too_large(self, problem: Problem, memory: int) -> str:
        points = problem.inputs.n_points
        assert points is not None
        count = f"2^{points.bit_length() - 1}" if points & (points - 1) == 0 else f"{points:,}"
        dim = problem.inputs.dim
        way_out = "pass method='monte-carlo'"
        if isinstance(problem.hypotheses, CubeParities):
            fits = dim - max(1, math.ceil(math.log2(memory) - math.log2(self.max_memory)))
            way_out += f" or dim <= {max(fits, 1)}"
        return (
            f"enumerating {count} inputs needs {_bytes(memory)}, more than max_memory = {_bytes(self.max_memory)}; "
            f"{way_out}"
        )


def _by_levels(problem: Problem, hypotheses: CubeParities, settings: Settings) -> tuple[float, float]:
    """Var = sum_k W_k(s)/|H| - ||E[m s]||^2 over the degrees of the class, and the first term."""
    mean = hypotheses.mean
    spectrum = cube.level_spectrum(problem, settings, mean)
    second_moment = math.fsum(spectrum.weights[hypotheses.degrees.start : hypotheses.degrees.stop]) / hypotheses.size
    return second_moment - spectrum.mean_norm_sq, second_moment


def _by_projection(problem: Problem, settings: Settings) -> tuple[float, float]:
    """Var and the uncentred second moment by the class's projection of each block of signal components."""
    hypotheses = problem.hypotheses
    assert isinstance(hypotheses, KnowsProjection)
    together = max(1, _BLOCK // max(problem.inputs.n_points or 1, _n_members(problem)))
    blocks = _component_blocks(_signal_factors(problem, settings), together)
    variances, seconds = [], []
    with closing(ordered_map(partial(_moments, problem), blocks, settings.executor)) as results:
        for variance, second in results:
            variances.append(variance)
            seconds.append(second)
    return math.fsum(variances), math.fsum(seconds)


def _moments(problem: Problem, components: tuple[Array, Array]) -> tuple[float, float]:
    column, columns = components
    hypotheses = problem.hypotheses
    assert isinstance(hypotheses, KnowsProjection)
    projections = np.asarray(hypotheses.project(column[:, None] * columns), dtype=np.float64)
    if projections.ndim != 2 or projections.shape[1] != columns.shape[1] or projections.shape[0] == 0:
        raise ShapeError(
            f"`H.project` must return shape (|H|, {columns.shape[1]}) for {columns.shape[1]} functions, "
            f"got {projections.shape}"
        )
    second = float(np.einsum("ij,ij->", projections, projections)) / projections.shape[0]
    projections = projections - projections.mean(axis=0)
    return float(np.einsum("ij,ij->", projections, projections)) / projections.shape[0], second


def _component_blocks(factors: Factors, together: int) -> Iterator[tuple[Array, Array]]:
    """The signal's components as products of one column with some columns."""
    for left, right in factors:
        few, many = (left, right) if left.shape[1] <= right.shape[1] else (right, left)
        for i in range(few.shape[1]):
            for start in range(0, many.shape[1], together):
                yield few[:, i], many[:, start : start + together]


def _signal_factors(problem: Problem, settings: Settings) -> Factors:
    """The signal's factors at all points."""
    points = problem.inputs.n_points
    assert points is not None
    rows = rows_per_tile(problem.row_size, 4096)
    blocks = ((start, min(start + rows, points)) for start in range(0, points, rows))
    with closing(ordered_map(partial(_signal_block, problem), blocks, settings.executor)) as results:
        parts = list(results)
    return [
        (np.concatenate([part[i][0] for part in parts]), np.concatenate([part[i][1] for part in parts]))
        for i in range(len(parts[0]))
    ]


def _signal_block(problem: Problem, bounds: tuple[int, int]) -> Factors:
    return problem.signal_factors(problem.inputs.points(*bounds))


def _projection_memory(problem: Problem) -> int:
    """Bytes that `_by_projection` takes: the factors twice while they are joined, and the blocks of two workers."""
    points = problem.inputs.n_points
    assert points is not None
    return 8 * (2 * points * problem.row_size + 16 * max(_BLOCK, points, _n_members(problem)))


def _n_members(problem: Problem) -> int:
    return 1 << min(math.ceil(problem.hypotheses.log2_size), 62)


def _bytes(count: int) -> str:
    if count >= 2**60:
        return f"2^{count.bit_length() - 1} bytes"
    number = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} PiB"
