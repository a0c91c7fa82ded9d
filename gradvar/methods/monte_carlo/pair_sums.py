"""The U-statistic over pairs of sampled inputs, as sums over tiles of pairs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple, TypeAlias

import numpy as np

from ...core.arguments import Array, stream
from ...core.errors import NonFiniteError
from ...core.numbers import ROUNDING
from ...estimation.expectation import rows_per_tile
from ...estimation.mean import few_carry
from ...estimation.settings import Settings
from ...estimation.tiles import CachedPerProcess, ordered_map
from ...estimation.u_statistic import Moments, moments
from ...problem import Factors, Moment, Problem
from .class_kernel import ClassKernel
from .control_variates import Regression
from .signal_tiles import Removed, SignalTile
from .tile_cache import Key, TileCache

Pair: TypeAlias = tuple[int, int, int]
"""The numbers i <= j of two tiles, and the size of the second."""

ROWS = 512
_STUDIED = 4096
"""Products of three pairs are summed within the tiles of so many samples, of all parts of the gradient together: they
cost as much as the pairs of four other tiles."""
_KEPT_BYTES = 2**27
"""The most that a process keeps of tiles, and again of projections: these are dear to make again, tiles are not."""
_FEWEST_SAMPLES, _FEWEST_PAIRS, _FEWEST_ROWS, _SEEN = 32, 10, 10, 0.8
"""No interval is drawn from fewer samples; from a smaller effective number of pairs, (sum h^2)^2 / sum h^4, or of rows
that carry their spread (a 64th of few samples); where so few signals are larger than the others that more may have
been missed, or all are annihilated up to rounding while labels are not known to be signs; or where, for an orthonormal
class, the mean of c^2 over pairs is below this share of its expectation, (|H| - 1)/|H|^2 for c = C_H: then pairs that
matter are too rare to have been met."""


class TileSums(NamedTuple):
    """Sums of the values h of a pair of tiles over rows and columns, and ||g||^2, ||s||^2 at the inputs of the second.

    For each part of the gradient: shapes (parts, n), (parts, n2), (parts, 5), (n2, 2 parts). The moments are sums of
    h^2, h^4 and c^2; and of h_ij h_jk h_ki and h_ij^3 within one of the first tiles, else 0.
    """

    rows: Array
    columns: Array
    moments: Array
    norms: Array


class Tiles(CachedPerProcess):
    """The tiles of one sample: each a pure function of its number and size, its key: only the last may be smaller.

    The first ones are kept, and the last one that each thread made, which is the second of its next pairs as well.
    What is kept does not travel to other processes: they make their own.
    """

    left_behind = ("_tiles", "_projections", "_latest")

    def __init__(self, problem: Problem, regression: Regression | None, seed: int, key: int, rows: int) -> None:
        super().__init__()
        self.problem, self.regression, self.seed, self.key, self.rows = problem, regression, seed, key, rows
        self.kernel = ClassKernel(problem.hypotheses, problem.moment)
        self.restore()

    def restore(self) -> None:
        """Begin with nothing kept, and give its memory back."""
        self._tiles: TileCache[SignalTile] = TileCache(_KEPT_BYTES)
        self._projections: TileCache[Array] = TileCache(_KEPT_BYTES)
        self._latest = threading.local()

    def _tile(self, key: Key) -> SignalTile:
        return self._tiles.get(key, lambda: self._sample(key))

    def _sample(self, key: Key) -> SignalTile:
        number, size = key
        x = self.problem.inputs.sample(size, stream(self.seed, self.key, number))
        return SignalTile.of(self.problem, x, self._removed(key, x))

    def _removed(self, key: Key, x: Array) -> Callable[[Factors], Removed] | None:
        regression, parts = self.regression, self.problem.n_parts
        if regression is None:
            return None
        return lambda signal: regression.removed(
            x, parts, self._projections.get(key, lambda: regression.project(signal))
        )

    def _second(self, key: Key) -> SignalTile:
        latest: tuple[Key, SignalTile] | None = getattr(self._latest, "tile", None)
        if latest is None or latest[0] != key:
            self._latest.tile = None
            self._latest.tile = latest = key, self._tile(key)
        return latest[1]

    def __call__(self, pair: Pair) -> TileSums:
        """Return the sums over a pair of tiles."""
        from ...kernels.pair_sums import pair_sums, pair_sums_on_the_cube

        i, j, size = pair
        second = self._second((j, size))
        first = self._tile((i, self.rows)) if i != j else second
        table, studied = self.kernel.by_distance, i == j and j * self.rows * self.problem.n_parts < _STUDIED
        on_the_cube = first.points if table is not None and first.points == second.points and not studied else None
        kernels, deltas = first.inner_products(second, on_the_cube is not None)
        factor: Array | None = None
        found, thirds = [], np.zeros((len(kernels), 2))
        for part, h in enumerate(kernels):
            if table is not None and part == on_the_cube:
                centred, words = self.problem.moment is Moment.VARIANCE, (first.words, second.words)
                found.append(pair_sums_on_the_cube(h, deltas, first.width, *words, table, i == j, centred))
                continue
            factor = self._class_factor(first, second) if factor is None else factor
            found.append(pair_sums(h, factor))
            if studied:
                # sum h_ij h_jk h_ki and sum h_ij^3; h is symmetric: h times its own transpose takes half the operations
                thirds[part] = np.vdot(h @ h.T, h), np.vdot(h, h * h)
        rows, columns, moments = (np.stack(sums) for sums in zip(*found, strict=True))
        # A pair in two different tiles counts twice, as (i, j) and (j, i).
        moments = np.concatenate([moments if i == j else 2 * moments, thirds], axis=1)
        return TileSums(rows, columns, moments, second.norms)

    def _class_factor(self, first: SignalTile, second: SignalTile) -> Array:
        """c at the pairs, and 0 at those of an input with itself."""
        values = self.kernel(first.x, second.x)
        if first is second:
            values = values.copy()
            np.fill_diagonal(values, 0.0)
        return values


class PairStatistic(NamedTuple):
    """U from n inputs, with what an interval needs, and whether one can be drawn."""

    moments: Moments
    resolved: bool
    rounding: float
    """The most that rounding of the products does to U: it matters where all of the signal is annihilated."""
    missed: float = 0.0
    """There, the largest ||s||^2 that an input may have that was not met; else 0."""

    @property
    def value(self) -> float:
        """U."""
        return self.moments.value

    @property
    def floor(self) -> float:
        """The variance that rounding gives it at any size."""
        return self.rounding**2

    @property
    def allowance(self) -> float:
        """The most that rounding may have done: pairs that all have one value leave an error of rounding, not none."""
        return ROUNDING * abs(self.value) + self.rounding

    def variance_at(self, n: int) -> float:
        """Return the variance of U at n inputs."""
        return self.moments.variance(n) + self.floor

    def interval(self, probability: float) -> tuple[float, float]:
        """The ends that the truth lies above and below with this probability each.

        The sample may have met the input that matters most once too seldom, or once too often.
        """
        low, high = self.moments.interval(self.moments.quantile(probability))
        more = self.moments.reach + self.allowance
        # n inputs miss a share q of them with probability (1 - q)^n; with |C_H| <= 1 it adds at most q^2 ||s||^2
        share = -math.log1p(-probability) / self.moments.n
        return low - more, high + more + share**2 * self.missed


class PairSums:
    """Sums over all pairs of the tiles so far. A column of tiles is added whole, so that they always fit together.

    Parameters
    ----------
    problem, settings
        What is estimated, and how.
    regression : Regression or None
        What is taken out of the signal.
    key : int
        The name of the random streams of the inputs.
    """

    def __init__(self, problem: Problem, settings: Settings, regression: Regression | None, key: int) -> None:
        self.settings = settings
        self.rows = rows_per_tile(problem.row_size, ROWS)
        self.tiles = Tiles(problem, regression, settings.seed, key, self.rows)
        self.n = 0
        self.row_sums = np.zeros((problem.n_parts, 0))
        self._moments: list[Array] = []
        self._norms: list[Array] = []

    def extend(self, n: int, report: Callable[[int], object]) -> None:
        """Add tiles until there are n samples, and report each column. Earlier sizes must be multiples of the tile."""
        pairs = self._pairs(n)
        if not pairs:
            return
        done: dict[tuple[int, int], TileSums] = {}
        with closing(ordered_map(self.tiles, pairs, self.settings.executor)) as results:
            for (i, j, _), sums in zip(pairs, results, strict=True):
                done[i, j] = sums
                if i == max(j - 1, 0):  # the last of its column
                    self._add_column([done.pop((row, j)) for row in range(j + 1)])
                    report(j + 1)

    def _pairs(self, n: int) -> list[Pair]:
        """The pairs of tiles with a second one that is new, by columns j; but (j, j) comes before column j - 1.

        So one worker makes the tile of the next column while the others pair those that are made.
        """
        columns = range(self.n // self.rows, math.ceil(n / self.rows))
        pairs = [(i, j, min(self.rows, n - j * self.rows)) for j in columns for i in range(j + 1)]
        return sorted(pairs, key=lambda pair: pair[1] - 1.5 * (pair[0] == pair[1]))

    def _add_column(self, parts: list[TileSums]) -> None:
        """Add the pairs of all tiles with the next one, which comes last: with itself."""
        own = parts[-1]
        row_sums = np.concatenate([self.row_sums, np.zeros_like(own.columns)], axis=1)
        for i, part in enumerate(parts):
            row_sums[:, i * self.rows : i * self.rows + part.rows.shape[1]] += part.rows
            if part is not own:
                row_sums[:, self.n :] += part.columns
            self._moments.append(part.moments)
        self._norms.append(own.norms)
        self.n, self.row_sums = row_sums.shape[1], row_sums

    @property
    def norms(self) -> Array:
        """||g||^2 and ||s||^2 at the samples, shape (n, 2 parts)."""
        return np.concatenate(self._norms)

    def statistic(self, part: int = 0) -> PairStatistic:
        """Return U of a part of the gradient, its zetas, and whether an interval can be drawn from them."""
        row_sums = self.row_sums[part]
        sums = (math.fsum(moment) for moment in zip(*(moments[part] for moments in self._moments), strict=True))
        squares, fourths, class_squares, triangles, cubes = sums
        if not math.isfinite(math.fsum(row_sums) + fourths):
            raise NonFiniteError("the products of class covariance and tangent kernel overflow; rescale both")
        pairs = self.n * (self.n - 1)
        studied = [len(norms) for norms in self._norms[: math.ceil(_STUDIED / (self.rows * len(self.row_sums)))]]
        doubles, triples = (sum(math.perm(size, k) for size in studied) for k in (2, 3))
        # (sum h^2)^2 / sum h^4 over pairs i < j
        effective = squares * (squares / fourths) / 2 if fourths > 0 else 0.0
        third = triangles / triples if triples else 0.0
        u = moments(row_sums, squares, third, cubes / doubles, effective)
        met = class_squares / pairs >= _SEEN * self.tiles.kernel.mean_square
        signal = self.norms[:, 2 * part + 1]
        rounding = 8 * float(np.finfo(np.float64).eps) * math.sqrt(class_squares / pairs) * float(signal.mean())
        # Signals that are all annihilated have shown what is not zero to none of the inputs.
        problem, missed = self.tiles.problem, 0.0
        if math.sqrt(squares / pairs) <= 8 * rounding:
            most = problem.largest_norms[1]
            enough = getattr(problem.hypotheses, "labels", "real") == "signs"
            missed = most if most < math.inf else 2 * float(signal.max())
        else:
            enough = (
                effective >= _FEWEST_PAIRS and u.carriers >= min(_FEWEST_ROWS, self.n / 64) and not few_carry(signal)
            )
        return PairStatistic(u, enough and met and self.n >= _FEWEST_SAMPLES, rounding, missed)
