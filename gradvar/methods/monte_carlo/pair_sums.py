"""The U-statistic over pairs of sampled inputs, as sums over tiles of pairs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple, TypeAlias, cast

import numpy as np

from ...classes.base import KnowsCovariance
from ...classes.parities import CubeParities
from ...core.arguments import Array, stream
from ...core.errors import NonFiniteError, ShapeError
from ...core.numbers import exp2
from ...estimation.expectation import rows_per_tile
from ...estimation.settings import Settings
from ...estimation.tiles import CachedPerProcess, ordered_map
from ...estimation.u_statistic import Moments, moments
from ...problem import Problem
from .control_variates import Regression
from .signal_tiles import Removed, SignalTile
from .tile_cache import TileCache, Key

Pair: TypeAlias = tuple[int, int, int]
"""The numbers i <= j of two tiles, and the size of the second."""

ROWS = 512
_STUDIED = 4096
"""Products of three pairs, and what float32 lacks, are summed in the tiles of so many samples: they cost as much as the
pairs of four other tiles."""
_KEPT_BYTES = 2**27
"""What a process keeps of tiles, and again of projections: tiles are cheap to make again, projections are not."""
_FEWEST_SAMPLES, _FEWEST_PAIRS, _SEEN = 32, 10, 0.8
"""No interval is drawn from fewer samples; from a smaller effective number of pairs, (sum h^2)^2 / sum h^4; or where,
for an orthonormal class, the mean of C_H^2 over the pairs is below this share of its expectation (|H| - 1)/|H|^2: then
the pairs that matter are too rare to have been met."""


class _PairSums(NamedTuple):
    """Sums of the values h of a pair of tiles: over each row, each column, and of h^2, h^4 and C_H^2.

    A tile paired with itself has ||g||^2 and ||s||^2 at each input as well, and its study if it is one of the first.
    """

    rows: Array
    columns: Array
    moments: Array
    norms: Array | None = None
    study: _Study | None = None


class _Study(NamedTuple):
    """Of the pairs within a tile: sums of h_ij h_jk h_ki, of h^3, of what h lacks of float64, and of its square."""

    triangles: float
    cubes: float
    lacking: float
    lacking_squares: float


class _Tiles(CachedPerProcess):
    """The tiles of one sample: each a pure function of its number and size, its key: only the last may be smaller.

    The first ones are kept, and the last one that each thread made, which is the second of its next pairs as well.
    What is kept does not travel to other processes: they make their own.
    """

    def __init__(
        self,
        problem: Problem,
        regression: Regression | None,
        seed: np.random.SeedSequence,
        key: int,
        rows: int,
        single: bool,
    ) -> None:
        super().__init__()
        assert isinstance(problem.hypotheses, KnowsCovariance)
        self.hypotheses: KnowsCovariance = problem.hypotheses
        self.problem, self.regression, self.seed, self.key = problem, regression, seed, key
        self.rows, self.single = rows, single
        self.forget()

    def forget(self) -> None:
        """Give the memory back."""
        self._tiles: TileCache[SignalTile] = TileCache(_KEPT_BYTES)
        self._projections: TileCache[Array] = TileCache(_KEPT_BYTES)
        self._latest = threading.local()

    def __getstate__(self) -> dict[str, object]:
        kept = ("_tiles", "_projections", "_latest")
        return {name: value for name, value in self.__dict__.items() if name not in kept}

    def __setstate__(self, state: dict[str, object]) -> None:
        super().__setstate__(state)
        self.forget()

    def _tile(self, key: Key) -> SignalTile:
        return self._tiles.get(key, lambda: self._sample(key, self.single))

    def _sample(self, key: Key, single: bool) -> SignalTile:
        number, size = key
        x = self.problem.inputs.sample(size, stream(self.seed, self.key, number))
        return SignalTile.of(self.problem, x, self._removed(key, x), single)

    def _removed(self, key: Key, x: Array) -> Removed | None:
        regression = self.regression
        if regression is None:
            return None
        return lambda signal: (
            regression.functions(x),
            self._projections.get(key, lambda: regression.project(signal)),
            regression.coefficients.gram,
        )

    def _second(self, key: Key) -> SignalTile:
        latest: tuple[Key, SignalTile] | None = getattr(self._latest, "tile", None)
        if latest is None or latest[0] != key:
            self._latest.tile = None
            self._latest.tile = latest = key, self._tile(key)
        return latest[1]

    def __call__(self, pair: Pair) -> _PairSums:
        i, j, size = pair
        second = self._second((j, size))
        if i != j:
            rows, columns, moments = self._sums(self._tile((i, self.rows)), second)
            # A pair in two different tiles counts twice, as (i, j) and (j, i).
            return _PairSums(rows, columns, 2 * moments)
        if j * self.rows >= _STUDIED:
            return _PairSums(*self._sums(second, second), second.norms)
        return self._studied((j, size), second)

    def _sums(self, first: SignalTile, second: SignalTile) -> tuple[Array, Array, Array]:
        from ...kernels.pair_sums import pair_sums, pair_sums_on_the_cube

        if self._is_on_the_cube and first.has_points and second.has_points:
            table = cast(CubeParities, self.hypotheses).mean_by_weight
            width = first.factors[0][0].shape[1]
            products = first.without_points(second)
            return pair_sums_on_the_cube(*products, width, first.words, second.words, table, first is second)
        return pair_sums(first.inner_products(second), self._covariance(first, second))

    @property
    def _is_on_the_cube(self) -> bool:
        """Whether the class covariance is known to be that of parities, by the Hamming distance."""
        kind = type(self.hypotheses)
        return issubclass(kind, CubeParities) and all(
            getattr(kind, name) is getattr(CubeParities, name) for name in ("covariance", "mean")
        )

    def _studied(self, key: Key, tile: SignalTile) -> _PairSums:
        from ...kernels.pair_sums import pair_sums

        covariance, h = self._covariance(tile, tile), tile.inner_products(tile)
        sums = pair_sums(h, covariance)
        # h is symmetric, and a product with its own transpose takes half the operations.
        triangles, cubes, lacking = float(np.vdot(h @ h.T, h)), float(np.vdot(h, h * h)), np.zeros(1)
        if self.single:
            lacking = -h
            exact = self._sample(key, single=False)
            # From here on h is the memory of these products.
            lacking += exact.inner_products(exact) * covariance
        study = _Study(triangles, cubes, float(lacking.sum()), float(np.vdot(lacking, lacking)))
        return _PairSums(*sums, tile.norms, study)

    def _covariance(self, first: SignalTile, second: SignalTile) -> Array:
        """C_H at the pairs, and 0 at those of an input with itself."""
        covariance = np.asarray(self.hypotheses.covariance(first.x, second.x), dtype=np.float64)
        if covariance.shape != (first.x.shape[0], second.x.shape[0]):
            raise ShapeError(
                f"`H.covariance` must return shape {(first.x.shape[0], second.x.shape[0])} for {first.x.shape[0]} "
                f"and {second.x.shape[0]} inputs, got {covariance.shape}"
            )
        if not np.isfinite(covariance).all():
            raise NonFiniteError(f"`H.covariance` of {self.hypotheses!r} must be finite")
        if first is second:
            covariance = covariance if covariance.flags.writeable else covariance.copy()
            np.fill_diagonal(covariance, 0.0)
        return covariance


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
    single : bool
        Whether products are in float32. What they lack is then estimated from the pairs within the first tiles, which
        are multiplied in float64 as well: U stays unbiased.
    """

    def __init__(
        self, problem: Problem, settings: Settings, regression: Regression | None, key: int, single: bool = False
    ) -> None:
        self.problem, self.settings, self.single = problem, settings, single
        self.rows = rows_per_tile(problem.row_size, ROWS)
        self.tiles = _Tiles(problem, regression, settings.seed, key, self.rows, single)
        self.n = 0
        self.row_sums = np.zeros(0)
        self._moments: list[Array] = []
        self._norms: list[Array] = []
        self._studies: list[_Study] = []

    def extend(self, n: int, report: Callable[[int], object]) -> None:
        """Add tiles until there are n samples, and report each column. Earlier sizes must be multiples of the tile."""
        columns = range(self.n // self.rows, math.ceil(n / self.rows))
        if not columns:
            return
        sizes = {j: min(self.rows, n - j * self.rows) for j in columns}

        def pairs() -> Iterator[Pair]:
            yield columns.start, columns.start, sizes[columns.start]
            for j in columns:
                # One worker makes the tile of the next column while the others pair those that are made.
                if j + 1 in sizes:
                    yield j + 1, j + 1, sizes[j + 1]
                yield from ((i, j, sizes[j]) for i in range(j))

        with closing(ordered_map(self.tiles, pairs(), self.settings.executor)) as results:
            own = next(results)
            for j in columns:
                following = next(results) if j + 1 in sizes else own
                self._add_column(j, [*(next(results) for _ in range(j)), own])
                own = following
                report(j + 1)

    def _add_column(self, j: int, parts: list[_PairSums]) -> None:
        size = parts[-1].columns.size
        row_sums = np.concatenate([self.row_sums, np.zeros(size)])
        for i, part in enumerate(parts):
            row_sums[i * self.rows : i * self.rows + part.rows.size] += part.rows
            if i != j:
                row_sums[self.n :] += part.columns
            if part.norms is not None:
                self._norms.append(part.norms)
            if part.study is not None:
                self._studies.append(part.study)
            self._moments.append(part.moments)
        self.n, self.row_sums = self.n + size, row_sums

    @property
    def norms(self) -> Array:
        """||g||^2 and ||s||^2 at the samples, shape (n, 2)."""
        return np.concatenate(self._norms)

    @property
    def rounding(self) -> float:
        """What rounding of the products may do to U: it matters where all of the signal is annihilated."""
        covariances = math.fsum(moment[2] for moment in self._moments)
        typical = math.sqrt(covariances / (self.n * (self.n - 1)))
        double = 8 * float(np.finfo(np.float64).eps) * typical * float(self.norms[:, 1].mean())
        # Whatever the kernel, a mean over pairs has at most 2/n times the kernel's mean square for its variance.
        lacking = math.fsum(study.lacking_squares for study in self._studies) / self._tuples(2)
        return double + 4 * math.sqrt(2 * lacking / min(self.n, _STUDIED))

    def _tuples(self, k: int) -> int:
        """The number of ordered k-tuples of different samples within one of the studied tiles."""
        return sum(math.perm(len(norms), k) for norms in self._norms[: math.ceil(_STUDIED / self.rows)])

    def found(self) -> tuple[Moments, bool]:
        """U with its zetas, and whether an interval can be drawn from them."""
        squares, fourths, covariances = (math.fsum(moment) for moment in zip(*self._moments, strict=True))
        if not math.isfinite(math.fsum(self.row_sums) + fourths):
            raise NonFiniteError("the products of class covariance and tangent kernel overflow; rescale both")
        effective = squares * (squares / fourths) / 2 if fourths > 0 else 0.0
        resolved = self.n >= _FEWEST_SAMPLES and effective >= _FEWEST_PAIRS
        hypotheses = self.problem.hypotheses
        if getattr(hypotheses, "is_orthonormal", False):
            expected = exp2(-hypotheses.log2_size) - exp2(-2 * hypotheses.log2_size)
            resolved = resolved and covariances / (self.n * (self.n - 1)) >= _SEEN * expected
        triangles, cubes, lacking, _ = (math.fsum(values) for values in zip(*self._studies, strict=True))
        triples = self._tuples(3)
        found = moments(
            self.row_sums, squares, triangles / triples if triples else 0.0, cubes / self._tuples(2), effective
        )
        return found._replace(value=found.value + lacking / self._tuples(2)), resolved
