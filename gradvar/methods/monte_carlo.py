r"""Monte Carlo for any model: a U-statistic over pairs of sampled inputs.

    U = 1/(n(n-1)) sum_{i != j} C_H(x_i, x_j) <s(x_i), s(x_j)>

is an unbiased estimate of Var(H, F, w) = E[C_H(x, x') <s(x), s(x')>]: the class is integrated in closed form
through its covariance, and the diagonal, which is what inflates the plug-in estimate by G^2/n, is left out.

Its variance is (4 (n-2) zeta_1 + 2 zeta_2)/(n (n-1)) (Hoeffding), where with h_ij the value of a pair

    zeta_1 = E[h_ij h_ik] - E[h_ij h_kl],      zeta_2 = E[h_ij^2] - E[h_ij h_kl]

over distinct indices. Each expectation has an unbiased estimate in the sums over pairs, rows and squares; a
negative estimate of zeta_1 counts as zero.

The sample size is doubled until the half width is below `rtol` times the value, on a pilot sample that is then
dropped: a size chosen by looking at the very estimate that is reported would bias it and its interval.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from ..arguments import Array, integer, stream
from ..classes.base import KnowsCovariance
from ..errors import Interrupted, NonFiniteError, NotApplicableError, ShapeError
from ..expectation import ROUNDING, rows_per_tile
from ..problem import Problem
from ..results import Estimate, exp2
from ..settings import Settings
from ..tiles import ordered_map
from . import sampled_members

Pair: TypeAlias = tuple[int, int]

_ROWS = 512
_PILOT_KEY, _FINAL_KEY = 0, 1
_KEPT_BYTES = 2**30
_FEWEST_SAMPLES, _FEWEST_PAIRS, _SEEN = 32, 10, 0.8
"""No interval is drawn from fewer samples; from a smaller effective number of pairs, (sum h^2)^2 / sum h^4; or where,
for an orthonormal class, the mean of C_H^2 over the pairs is below this share of its expectation (|H| - 1)/|H|^2: then
the pairs that matter are too rare to have been met."""


@dataclass(frozen=True)
class MonteCarlo:
    """Estimate the gradient variance by a U-statistic over pairs of sampled inputs.

    Unbiased; the interval is normal with the standard error of Hoeffding's decomposition; the value and the lower
    end may be negative. The samples resolve nothing, and the result says so with an infinite standard error and
    interval, where they are fewer than 32, where few pairs carry the sum, or where the sampled pairs have much less
    than the class covariance's mean square, as when it vanishes on (nearly) all of them. A signal that lives on a
    part of the inputs too small to be met cannot be told from none by any sample.

    Costs n^2/2 products of the widths of the model (n^2 P for models without tangent factors).
    """

    n_members: int = 512
    n_projections: int | None = 512
    name: str = field(default="monte-carlo", init=False)

    def __post_init__(self) -> None:
        integer("n_members", self.n_members, 4)
        if self.n_projections is not None:
            integer("n_projections", self.n_projections, 4)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class that says its covariance."""
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        if isinstance(problem.hypotheses, KnowsCovariance):
            return None
        return sampled_members.declines(problem.hypotheses)

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        return (
            "unbiased U-statistic of class covariance x tangent kernel over pairs of sampled inputs, with an interval"
        )

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the U-statistic, its size chosen by a pilot; `rtol=0` spends all `max_samples`.

        Raises
        ------
        Interrupted
            On Ctrl-C, with the estimate from the samples that were finished.
        """
        begin = time.perf_counter()
        hypotheses = problem.hypotheses
        if not isinstance(hypotheses, KnowsCovariance):
            return sampled_members.estimate(problem, settings, self.n_members, self.n_projections)
        rows = rows_per_tile(problem.row_size, _ROWS)
        log2_size = hypotheses.log2_size if getattr(hypotheses, "is_orthonormal", False) else None
        pilot: _Sums | None = None
        final = _Sums(rows, log2_size)
        try:
            n = settings.max_samples
            budget = n // 4
            if settings.rtol > 0 and budget >= 2 * _ROWS:
                pilot = _Sums(rows, log2_size)
                n = self._planned(pilot, problem, settings, budget)
            final.extend(problem, settings, _FINAL_KEY, n)
        except KeyboardInterrupt:
            partial = next((sums for sums in (final, pilot) if sums is not None and sums.n >= 4), None)
            done = None if partial is None else _finish(partial, problem, settings, time.perf_counter() - begin)
            raise Interrupted(done) from None
        return _finish(final, problem, settings, time.perf_counter() - begin)

    @staticmethod
    def _planned(pilot: _Sums, problem: Problem, settings: Settings, budget: int) -> int:
        """The number of samples that is expected to meet `rtol`, from a pilot that resolves a quarter of the value."""
        n, goal = 2 * _ROWS, max(settings.rtol, 0.25)
        while True:
            pilot.extend(problem, settings, _PILOT_KEY, n)
            value, (zeta1, zeta2), resolved = pilot.statistics()
            half_width = settings.quantile * _standard_error(zeta1, zeta2, n)
            if resolved and half_width <= goal * value:
                break
            if 2 * n > budget:
                return settings.max_samples
            n *= 2
        n = 2 * _ROWS
        # 0.8: the half width of the final sample is random, and should rarely come out above what was asked for.
        while n < settings.max_samples and (
            settings.quantile * _standard_error(zeta1, zeta2, n) > 0.8 * settings.rtol * value
        ):
            n *= 2
        return min(n, settings.max_samples)


@dataclass(frozen=True)
class _Tile:
    """Inputs of one tile and the factors of their signals; those of rank one are multiplied out into `plain`."""

    x: Array
    plain: Array
    factors: list[tuple[Array, Array]]

    @classmethod
    def sample(cls, problem: Problem, rng: np.random.Generator, size: int) -> _Tile:
        x = problem.inputs.sample(size, rng)
        plain, factors = [np.empty((size, 0))], []
        for left, right in problem.signal_factors(x):
            if left.shape[1] == 1 or right.shape[1] == 1:
                plain.append(left * right)
            else:
                factors.append((left, right))
        return cls(x, np.concatenate(plain, axis=1), factors)

    @property
    def nbytes(self) -> int:
        return self.x.nbytes + self.plain.nbytes + sum(a.nbytes + b.nbytes for a, b in self.factors)

    def tangent_kernel(self, other: _Tile) -> Array:
        """<s(x), s(x')> for the pairs, in memory of the thread that the next call overwrites."""
        kernel: Array
        kernel, left, right = _scratch((self.x.shape[0], other.x.shape[0]))
        np.matmul(self.plain, other.plain.T, out=kernel)
        for (a, b), (a2, b2) in zip(self.factors, other.factors, strict=True):
            np.matmul(a, a2.T, out=left)
            left *= np.matmul(b, b2.T, out=right)
            kernel += left
        return kernel


_memory = threading.local()


def _scratch(shape: tuple[int, int]) -> Array:
    """Three arrays of this shape, the thread's own: fresh memory for each pair would cost as much as the products."""
    if getattr(_memory, "shape", None) != shape:
        _memory.shape, _memory.arrays = shape, np.empty((3, *shape))
    arrays: Array = _memory.arrays
    return arrays


class _PairSums(NamedTuple):
    """Sums of the values h of a pair of tiles: over each row, each column, and of h^2, h^4 and C_H^2."""

    rows: Array
    columns: Array
    moments: Array


class _Statistics(NamedTuple):
    """What the pairs say: U, Hoeffding's zeta_1 and zeta_2, and whether an interval can be drawn from them."""

    value: float
    zeta: tuple[float, float]
    resolved: bool


class _Tiles:
    """The tiles of one sample: each a pure function of its number, kept while they fit in `_KEPT_BYTES`.

    What is kept does not travel to other processes: they make their own.
    """

    def __init__(self, problem: Problem, seed: np.random.SeedSequence, key: int, rows: int, n: int) -> None:
        self.problem, self.seed, self.key, self.rows, self.n = problem, seed, key, rows, n
        self._kept: dict[int, _Tile] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": {}}

    def tile(self, number: int) -> _Tile:
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        size = min(self.rows, self.n - number * self.rows)
        made = _Tile.sample(self.problem, stream(self.seed, self.key, number), size)
        if made.nbytes * (len(self._kept) + 1) <= _KEPT_BYTES:
            self._kept[number] = made
        return made

    def __call__(self, pair: Pair) -> _PairSums:
        i, j = pair
        first, second = self.tile(i), self.tile(j)
        h = first.tangent_kernel(second)
        covariance = self._covariance(first.x, second.x)
        if i == j:
            np.fill_diagonal(covariance, 0.0)
        h *= covariance
        rows, columns = h.sum(axis=1), h.sum(axis=0)
        np.multiply(h, h, out=h)
        # A pair in two different tiles counts twice, as (i, j) and (j, i).
        twice = 1 if i == j else 2
        moments = float(h.sum()), float(np.vdot(h, h)), float(np.vdot(covariance, covariance))
        return _PairSums(rows, columns, np.array(moments) * twice)

    def _covariance(self, x: Array, x2: Array) -> Array:
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, KnowsCovariance)
        covariance = np.asarray(hypotheses.covariance(x, x2), dtype=np.float64)
        if covariance.shape != (x.shape[0], x2.shape[0]):
            raise ShapeError(
                f"`H.covariance` must return shape {(x.shape[0], x2.shape[0])} for {x.shape[0]} and {x2.shape[0]} "
                f"inputs, got {covariance.shape}"
            )
        if not np.isfinite(covariance).all():
            raise NonFiniteError(f"`H.covariance` of {hypotheses!r} must be finite")
        return covariance


class _Sums:
    """Sums over all pairs of the tiles so far. A column of tiles is added whole, so that they always fit together."""

    def __init__(self, rows: int, log2_size: float | None) -> None:
        self.rows, self.log2_size = rows, log2_size
        self.n = 0
        self.row_sums = np.zeros(0)
        self.moments: list[Array] = []

    def extend(self, problem: Problem, settings: Settings, key: int, n: int) -> None:
        """Add tiles until there are n samples. Earlier sizes must be multiples of the tile."""
        tiles = _Tiles(problem, settings.seed, key, self.rows, n)
        columns = range(self.n // self.rows, math.ceil(n / self.rows))
        pairs: list[Pair] = [(i, j) for j in columns for i in range(j + 1)]
        with closing(ordered_map(tiles, _shown(pairs, settings, n), settings.executor)) as results:
            for j in columns:
                self._add_column(j, [next(results) for _ in range(j + 1)])

    def _add_column(self, j: int, parts: list[_PairSums]) -> None:
        size = parts[-1].columns.size
        row_sums = np.concatenate([self.row_sums, np.zeros(size)])
        for i, part in enumerate(parts):
            row_sums[i * self.rows : i * self.rows + part.rows.size] += part.rows
            if i != j:
                row_sums[self.n :] += part.columns
        self.n, self.row_sums, self.moments = self.n + size, row_sums, self.moments + [p.moments for p in parts]

    def statistics(self) -> _Statistics:
        """U and the zetas, each estimated without bias (zeta_1 and zeta_2 counting as 0 where that is negative)."""
        n = self.n
        ordered = n * (n - 1)
        total = math.fsum(self.row_sums)
        squares, fourths, covariances = (math.fsum(moment) for moment in zip(*self.moments, strict=True))
        if not math.isfinite(total + fourths):
            raise NonFiniteError("the products of class covariance and tangent kernel overflow float64; rescale both")
        triples = math.fsum(self.row_sums**2) - squares
        quadruples = total * total - 4 * triples - 2 * squares
        square = quadruples / (ordered * (n - 2) * (n - 3))
        zeta = max(triples / (ordered * (n - 2)) - square, 0.0), max(squares / ordered - square, 0.0)
        effective = squares * (squares / fourths) / 2 if fourths > 0 else 0.0
        resolved = n >= _FEWEST_SAMPLES and effective >= _FEWEST_PAIRS
        if self.log2_size is not None:
            expected = exp2(-self.log2_size) - exp2(-2 * self.log2_size)
            resolved = resolved and covariances / ordered >= _SEEN * expected
        return _Statistics(total / ordered, zeta, resolved)


def _standard_error(zeta1: float, zeta2: float, n: int) -> float:
    return math.sqrt((4 * (n - 2) * zeta1 + 2 * zeta2) / (n * (n - 1)))


def _finish(sums: _Sums, problem: Problem, settings: Settings, seconds: float) -> Estimate:
    n = sums.n
    value, zeta, resolved = sums.statistics()
    # Pairs that all have one value leave an error of rounding, not none.
    error = _standard_error(*zeta, n) + ROUNDING * abs(value) if resolved else math.inf
    half = settings.quantile * error
    sampled = f"{n * (n - 1) // 2:,} pairs of {n:,} sampled inputs"
    if resolved:
        guarantee = f"unbiased: U-statistic over {sampled}, normal interval"
    else:
        guarantee = f"these samples resolve nothing: too few of the {sampled} carry what there is of class covariance"
    return Estimate(
        mantissa=value,
        exponent=2 * problem.exponent,
        mantissa_interval=(value - half, value + half),
        mantissa_error=error,
        exact=False,
        method="monte-carlo (U-statistic)",
        guarantee=guarantee,
        confidence=settings.confidence,
        n_samples=n,
        seconds=seconds,
        resolved=resolved,
        zeta=zeta if resolved else None,
    )


def _shown(pairs: list[Pair], settings: Settings, n: int) -> Iterator[Pair]:
    """The pairs, behind a progress bar where one is wanted."""
    if not settings.progress:
        return iter(pairs)
    from tqdm.auto import tqdm

    return iter(tqdm(pairs, desc=f"U-statistic, {n:,} samples", unit="tile"))
