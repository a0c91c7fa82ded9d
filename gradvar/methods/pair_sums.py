"""The U-statistic over pairs of sampled inputs, as sums over tiles of pairs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from ..arguments import Array, stream
from ..classes.base import KnowsCovariance
from ..errors import NonFiniteError, ShapeError
from ..expectation import rows_per_tile
from ..problem import Factors, Problem
from ..results import exp2
from ..settings import Settings
from ..tiles import Travels, ordered_map
from .hoeffding import Moments, moments
from .kept import Kept, Key
from .regression import Regression

Pair: TypeAlias = tuple[int, int, int]
"""The numbers i <= j of two tiles, and the size of the second."""

ROWS = 512
_KEPT_BYTES = 2**27
"""What a process keeps of tiles, and again of projections: tiles are cheap to make again, projections are not."""
_FEWEST_SAMPLES, _FEWEST_PAIRS, _SEEN = 32, 10, 0.8
"""No interval is drawn from fewer samples; from a smaller effective number of pairs, (sum h^2)^2 / sum h^4; or where,
for an orthonormal class, the mean of C_H^2 over the pairs is below this share of its expectation (|H| - 1)/|H|^2: then
the pairs that matter are too rare to have been met."""


@dataclass(frozen=True)
class _Tile:
    """Inputs of one tile and the factors of their signals.

    Those of rank one, and what the regression takes out, are multiplied out into the two sides of one product.
    """

    x: Array
    left: Array
    right: Array
    factors: list[tuple[Array, Array]]
    norms: Array

    @classmethod
    def of(cls, problem: Problem, x: Array, removed: Callable[[Factors], tuple[Array, Array, Array]] | None) -> _Tile:
        size = x.shape[0]
        scale = problem.signal_scale(x)[:, None]
        gradient = problem.tangent_factors(x)
        signal = [(left, right * scale) for left, right in gradient]
        plain = [left * right for left, right in signal if left.shape[1] == 1 or right.shape[1] == 1]
        sides = [*plain], [*plain]
        if removed is not None:
            # <s - f b, s' - f' b> = <s, s'> + f (b b') f' - f (b s') - (s b) f'
            f, projected, gram = removed(signal)
            sides[0].extend([f, projected])
            sides[1].extend([f @ gram - projected, -f])
        empty = np.empty((size, 0))
        norm_sq = sum(
            (np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b) for a, b in gradient), start=np.zeros(size)
        )
        return cls(
            x,
            np.concatenate([empty, *sides[0]], axis=1),
            np.concatenate([empty, *sides[1]], axis=1),
            [(a, b) for a, b in signal if a.shape[1] > 1 and b.shape[1] > 1],
            np.stack([norm_sq, scale[:, 0] ** 2 * norm_sq], axis=1),
        )

    @property
    def nbytes(self) -> int:
        arrays = [self.x, self.left, self.right, self.norms, *(side for pair in self.factors for side in pair)]
        return sum(array.nbytes for array in arrays)

    def tangent_kernel(self, other: _Tile) -> Array:
        """<s(x), s(x')> for the pairs, in memory of the thread that the next call overwrites."""
        from ..kernels.pair_sums import multiply_into

        kernel, left, right = _scratch((self.x.shape[0], other.x.shape[0]))
        np.matmul(self.left, other.right.T, out=kernel)
        for (a, b), (a2, b2) in zip(self.factors, other.factors, strict=True):
            multiply_into(kernel, np.matmul(a, a2.T, out=left), np.matmul(b, b2.T, out=right))
        return kernel


_memory = threading.local()


def _scratch(shape: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Three arrays of this shape, the thread's own: fresh memory for each pair would cost as much as the products."""
    if getattr(_memory, "shape", None) != shape:
        _memory.shape, _memory.arrays = shape, tuple(np.empty(shape) for _ in range(3))
    arrays: tuple[Array, Array, Array] = _memory.arrays
    return arrays


class _PairSums(NamedTuple):
    """Sums of the values h of a pair of tiles: over each row, each column, and of h^2, h^4 and C_H^2.

    Of a tile paired with itself also the sum of h_ij h_jk h_ki, and the squared norms ||g||^2, ||s||^2.
    """

    rows: Array
    columns: Array
    moments: Array
    triangles: float
    norms: Array | None


class _Tiles(Travels):
    """The tiles of one sample: each a pure function of its number and size, its key: only the last may be smaller.

    The first ones are kept, and the last one that each thread made, which is the second of its next pairs as well.
    What is kept does not travel to other processes: they make their own.
    """

    def __init__(
        self, problem: Problem, regression: Regression | None, seed: np.random.SeedSequence, key: int, rows: int
    ) -> None:
        super().__init__()
        assert isinstance(problem.hypotheses, KnowsCovariance)
        self.hypotheses: KnowsCovariance = problem.hypotheses
        self.problem, self.regression, self.seed, self.key, self.rows = problem, regression, seed, key, rows
        self.forget()

    def forget(self) -> None:
        """Give the memory back."""
        self._tiles: Kept[_Tile] = Kept(_KEPT_BYTES)
        self._projections: Kept[Array] = Kept(_KEPT_BYTES)
        self._latest = threading.local()

    def __getstate__(self) -> dict[str, object]:
        kept = ("_tiles", "_projections", "_latest")
        return {name: value for name, value in self.__dict__.items() if name not in kept}

    def __setstate__(self, state: dict[str, object]) -> None:
        super().__setstate__(state)
        self.forget()

    def _tile(self, key: Key) -> _Tile:
        return self._tiles.get(key, lambda: self._sample(key))

    def _sample(self, key: Key) -> _Tile:
        number, size = key
        x = self.problem.inputs.sample(size, stream(self.seed, self.key, number))
        regression = self.regression
        if regression is None:
            return _Tile.of(self.problem, x, None)
        return _Tile.of(
            self.problem,
            x,
            lambda signal: (
                regression.functions(x),
                self._projections.get(key, lambda: regression.project(signal)),
                regression.coefficients.gram,
            ),
        )

    def _second(self, key: Key) -> _Tile:
        latest: tuple[Key, _Tile] | None = getattr(self._latest, "tile", None)
        if latest is None or latest[0] != key:
            self._latest.tile = None
            self._latest.tile = latest = key, self._tile(key)
        return latest[1]

    def __call__(self, pair: Pair) -> _PairSums:
        from ..kernels.pair_sums import pair_sums

        i, j, size = pair
        second = self._second((j, size))
        first = second if i == j else self._tile((i, self.rows))
        covariance = self._covariance(first.x, second.x)
        if i == j:
            np.fill_diagonal(covariance, 0.0)
        h = first.tangent_kernel(second)
        rows, columns, totals = pair_sums(h, covariance)
        if i == j:
            return _PairSums(rows, columns, totals, float(np.vdot(h @ h, h)), first.norms)
        # A pair in two different tiles counts twice, as (i, j) and (j, i).
        return _PairSums(rows, columns, 2 * totals, 0.0, None)

    def _covariance(self, x: Array, x2: Array) -> Array:
        covariance = np.asarray(self.hypotheses.covariance(x, x2), dtype=np.float64)
        if covariance.shape != (x.shape[0], x2.shape[0]):
            raise ShapeError(
                f"`H.covariance` must return shape {(x.shape[0], x2.shape[0])} for {x.shape[0]} and {x2.shape[0]} "
                f"inputs, got {covariance.shape}"
            )
        if not np.isfinite(covariance).all():
            raise NonFiniteError(f"`H.covariance` of {self.hypotheses!r} must be finite")
        return covariance if covariance.flags.writeable else covariance.copy()


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
        self.problem, self.settings = problem, settings
        self.rows = rows_per_tile(problem.row_size, ROWS)
        self.tiles = _Tiles(problem, regression, settings.seed, key, self.rows)
        self.n = 0
        self.row_sums = np.zeros(0)
        self._moments: list[Array] = []
        self._norms: list[Array] = []
        self._triangles: list[tuple[float, int]] = []

    def extend(self, n: int, report: Callable[[int], object]) -> None:
        """Add tiles until there are n samples, and report each column. Earlier sizes must be multiples of the tile."""
        columns = range(self.n // self.rows, math.ceil(n / self.rows))
        sizes = {j: min(self.rows, n - j * self.rows) for j in columns}
        pairs: Iterable[Pair] = ((i, j, sizes[j]) for j in columns for i in range(j + 1))
        with closing(ordered_map(self.tiles, pairs, self.settings.executor)) as results:
            for j in columns:
                self._add_column(j, [next(results) for _ in range(j + 1)])
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
                self._triangles.append((part.triangles, size * (size - 1) * (size - 2)))
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
        return 8 * float(np.finfo(np.float64).eps) * typical * float(self.norms[:, 1].mean())

    def found(self) -> tuple[Moments, bool]:
        """U with its zetas, and whether an interval can be drawn from them."""
        squares, fourths, covariances = (math.fsum(moment) for moment in zip(*self._moments, strict=True))
        if not math.isfinite(math.fsum(self.row_sums) + fourths):
            raise NonFiniteError("the products of class covariance and tangent kernel overflow float64; rescale both")
        effective = squares * (squares / fourths) / 2 if fourths > 0 else 0.0
        resolved = self.n >= _FEWEST_SAMPLES and effective >= _FEWEST_PAIRS
        hypotheses = self.problem.hypotheses
        if getattr(hypotheses, "is_orthonormal", False):
            expected = exp2(-hypotheses.log2_size) - exp2(-2 * hypotheses.log2_size)
            resolved = resolved and covariances / (self.n * (self.n - 1)) >= _SEEN * expected
        triangles, triples = (math.fsum(column) for column in zip(*self._triangles, strict=True))
        return moments(self.row_sums, squares, triangles / triples if triples else 0.0), resolved
