r"""The double sum over finitely many inputs of class covariance times tangent kernel.

    Var = sum_ij w_i w_j C_H(x_i, x_j) <s(x_i), s(x_j)>,      w_i the weights of the inputs, i = j included

for classes that say their covariance but have too many members to project on, such as a class on a user's sample. The
second moment has C_H + m m' in place of C_H, the mean part m m' (`class_kernel.py`).
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from ...core.arguments import Array
from ...core.errors import NonFiniteError, NotApplicableError
from ...core.numbers import ROUNDING, Scaled
from ...estimation.expectation import rows_per_tile
from ...estimation.settings import Settings
from ...estimation.tiles import CachedPerProcess, ordered_map
from ...problem import Problem
from ...results.estimate import Estimate
from ..base import COMPILED_CODE, InParts
from ..monte_carlo.class_kernel import ClassKernel, work_of_pair
from ..monte_carlo.signal_tiles import SignalTile
from ..monte_carlo.tile_cache import TileCache
from .points import MeanNorms, n_points

Part: TypeAlias = tuple[Array, Array, float, tuple[slice, Array] | None]
"""For each part of the gradient the sum over a pair of tiles; and for a tile with itself sum_i w_i ||s_i||, the largest
C_H(x_i, x_i), else 0, and its inputs with their ||g_i||^2 and ||s_i||^2, else None."""

MAX_POINTS = 2**14
_ROWS = 512
_KEPT_BYTES = 2**27


@dataclass(frozen=True)
class CovarianceSum(InParts):
    """Sum class covariance times tangent kernel over all pairs of at most 2^14 inputs: exact up to rounding.

    The half width of the interval is 1e-12 of the value and 4 (r^1/2 + 8) eps max_x c(x, x) (E||s||)^2, r the numbers
    that an input takes: products of r terms, of which no c(x, x') is larger than the largest c(x, x). Costs n^2/2
    products of the widths of the model, and as many values of the covariance.

    Examples
    --------
    >>> import gradvar as gv
    >>> H, model = gv.SparseParities(8, 1), gv.Linear([1.0] * 8)
    >>> round(gv.gradient_variance(H, model, method=CovarianceSum()).value, 12)
    0.875
    """

    name: str = field(default="covariance-sum", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class that says its covariance (and its mean, where the moment needs it) on few inputs."""
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        points = problem.inputs.n_points
        if points is None or points > MAX_POINTS:
            there = "infinitely many" if points is None else f"about 2^{math.log2(points):.6g}"
            return NotApplicableError(f"the inputs are {there}, more than {MAX_POINTS:,}")
        try:
            ClassKernel(problem.hypotheses, problem.moment)
        except NotApplicableError as error:
            return error
        return None

    def work(self, problem: Problem) -> float:
        """Return the multiplications of the pairs, by compiled code."""
        return COMPILED_CODE + n_points(problem) ** 2 / 2 * work_of_pair(problem)

    def plan(self, problem: Problem) -> str:
        """Say what is summed."""
        return f"exact sum of class covariance x tangent kernel over all pairs of {n_points(problem):,} inputs"

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the moment, exact up to rounding."""
        points, tiles = n_points(problem), _Tiles(problem)
        columns = range(math.ceil(points / tiles.rows))
        pairs = ((i, j) for j in columns for i in range(j + 1))
        with closing(ordered_map(tiles, pairs, settings.executor)) as results:
            sums, sizes, largest, norm_sq = zip(*results, strict=True)
        each = 4 * (math.sqrt(problem.row_size) + 8) * float(np.finfo(np.float64).eps)
        numbers = []
        for of_part, size in zip(zip(*sums, strict=True), zip(*sizes, strict=True), strict=True):
            value = math.fsum(of_part)
            half = ROUNDING * abs(value) + each * max(largest) * math.fsum(size) ** 2
            if not math.isfinite(value + half):
                raise NonFiniteError(
                    f"the gradient variance of {problem.model!r} overflows float64; rescale its weights"
                )
            numbers.append(Scaled(value, half))
        guarantee = f"exact up to float64 rounding: the class covariance at all pairs of {points:,} inputs"
        norms = MeanNorms(problem)
        norms.take(part for part in norm_sq if part is not None)
        return norms.beside(Estimate.exactly(number, self.name, guarantee, n_evaluated=points) for number in numbers)


class _Tiles(CachedPerProcess):
    """The signals at all inputs, a tile of them at a time, and the sums over pairs of tiles."""

    left_behind = ("_tiles",)

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem, self.rows = problem, rows_per_tile(problem.row_size, _ROWS)
        self.kernel = ClassKernel(problem.hypotheses, problem.moment)
        self.restore()

    def restore(self) -> None:
        """Begin with nothing kept."""
        self._tiles: TileCache[SignalTile] = TileCache(_KEPT_BYTES)

    def _block(self, number: int) -> tuple[int, int]:
        return number * self.rows, min((number + 1) * self.rows, n_points(self.problem))

    def _tile(self, number: int) -> SignalTile:
        def make() -> SignalTile:
            return SignalTile.of(self.problem, self.problem.inputs.points(*self._block(number)), None)

        return self._tiles.get((number, 0), make)

    def __call__(self, pair: tuple[int, int]) -> Part:
        """Return sum_ij w_i w_j c(x_i, x_j) <s_i, s_j> over a pair of tiles; that of two different ones twice."""
        i, j = pair
        first, second = self._tile(i), self._tile(j)
        left, right = (self.problem.inputs.weights(*self._block(number)) for number in pair)
        covariance = self.kernel(first.x, second.x)
        kernels, _ = first.inner_products(second)
        total = np.array([left @ np.multiply(covariance, kernel, out=kernel) @ right for kernel in kernels])
        if i != j:
            return 2 * total, np.zeros(total.size), 0.0, None
        size = left @ np.sqrt(first.norms[:, 1::2])
        return total, size, float(np.diag(covariance).max()), (slice(*self._block(i)), first.norms)
