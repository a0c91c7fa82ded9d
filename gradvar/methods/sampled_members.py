r"""Monte Carlo for classes without a covariance: members are drawn as well as inputs.

With m members drawn from H, hbar their mean and c_a = E_x[(h_a(x) - hbar(x)) s(x)],

    U = 1/(m-1) sum_a <c_a, c_a>^,

where <c_a, c_a>^ is the mean over pairs of different blocks of inputs of <c_a on one block, c_a on the other>, is an
unbiased estimate of Var(H, F, w): the sample covariance of the members is unbiased for the class covariance. On
finitely many inputs, no more than `max_samples`, c_a is summed over all of them instead.

The gradients are made for one chunk of members after another, in all blocks: c_a on a block is a sum over its inputs
of (h_a - hbar) A_i B_j for each tangent factor (A, B) of s. Labels are multiplied into the narrower side, a few members
at a time and in cache, and one matrix product with the wider side sums over the inputs: whole gradients of single
inputs are never made, and what is left is the products' 2 n m P operations.

The signal s(x) may be replaced by r random projections of it, a Rademacher vector for each side of every tangent
factor, which leaves inner products unbiased: then the cost does not grow with the number of parameters.

Three things are random, and each is in the interval: the inputs, by Hoeffding's decomposition over the blocks with
members and projections held fixed (so that what is due to inputs together with members or projections is part of
it); the members, and the projections, by their main effects. That of the members is the covariance over a of
<c_a, c_a>^ from one half of the blocks and from the other; so for the projections.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arguments import Array, stream
from ..classes.base import Samples
from ..errors import Interrupted, NonFiniteError, NotApplicableError, ShapeError
from ..expectation import ROUNDING, rows_per_tile, sampled_norms
from ..problem import Factors, Problem, norms_sq
from ..progress import Progress, progress
from ..results import Estimate, format_number
from ..settings import Settings
from ..tiles import Travels, ordered_map, shares_memory, single_threaded_blas
from .hoeffding import Moments, moments
from .kept import Kept

Sketch = list[tuple[Array, Array]]

_INPUTS, _MEMBERS, _PROJECTIONS = 0, 1, 2
_PILOT_KEY, _FINAL_KEY = 6, 7
_BLOCKS, _REPORTED = 64, 8
_FIRST = 2048
_CHUNK = 2**24
"""Numbers in the gradients of one chunk of members, over all blocks: 128 MiB."""
_KEPT_BYTES = 2**27
"""What a process keeps of labels and factors, where there are several chunks."""
_IN_CACHE = 2**17
"""Numbers that are worked on at a time: 1 MiB."""
_GROUP = 2**21
"""Numbers in the gradients of the members whose products are one task."""
_FEWEST_BLOCKS, _FEWEST_MEMBERS = 8, 10
"""No interval is drawn from fewer blocks, or where fewer members carry the sum, (sum |t|)^2 / sum t^2."""


@dataclass(frozen=True)
class SampledMembers:
    """The estimate from sampled members; see `MonteCarlo`.

    Attributes
    ----------
    n_members : int
        Members that are drawn.
    n_projections : int or None
        Random projections of the signal where it has more components than that; None for the whole signal.
    """

    n_members: int = 512
    n_projections: int | None = 512

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class whose members can be drawn and evaluated."""
        if isinstance(problem.hypotheses, Samples):
            return None
        return NotApplicableError(
            f"{problem.hypotheses!r} has neither `covariance(x, x2)` nor `sample(m, rng)` and `evaluate(members, x)`"
        )

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        return f"unbiased estimate from {self.n_members:,} sampled members and sampled inputs, with an interval"

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return U, its number of inputs chosen by a pilot that is dropped; `rtol=0` spends all `max_samples`.

        Raises
        ------
        Interrupted
            On Ctrl-C, with the estimate from the blocks of inputs that were finished, or the pilot's.
        """
        begin = time.perf_counter()
        runs: list[_Run] = []

        def finish(found: _Found) -> Estimate:
            return _finish(found, problem, settings, time.perf_counter() - begin)

        try:
            with progress(settings.progress) as bar:

                def run(key: int, n: int, enumerated: bool = False) -> _Found:
                    sample = _Run(problem, settings, key, self.n_members, self.n_projections, n, enumerated)
                    runs.append(sample)
                    return sample.found(bar, finish)

                points, n = problem.inputs.n_points, settings.max_samples
                if points is not None and points <= n:
                    return finish(run(_FINAL_KEY, points, True))
                if settings.rtol > 0 and n // 4 >= _FIRST:
                    n = _FIRST
                    while True:
                        found = run(_PILOT_KEY, n)
                        enough = found.is_enough(max(settings.rtol, 0.25), settings.quantile)
                        if enough or 2 * n > settings.max_samples // 4:
                            break
                        n *= 2
                    n = found.samples_for(0.8 * settings.rtol, settings.quantile, settings.max_samples)
                return finish(run(_FINAL_KEY, n))
        except KeyboardInterrupt:
            parts = [part for part in (sample.so_far() for sample in runs) if part is not None]
            raise Interrupted(finish(max(parts, key=lambda part: part.n)) if parts else None) from None


class _Found(NamedTuple):
    """U, the variances that inputs, members and projections give it, and what it rests on.

    `blocks` are the moments of U over blocks of inputs; None where all inputs were taken.
    """

    value: float
    blocks: Moments | None
    members: float
    projections: float
    n: int
    m: int
    q: int | None
    effective_members: float
    norms: Array

    @property
    def inputs(self) -> float:
        """The variance due to inputs."""
        return 0.0 if self.blocks is None else self.blocks.balanced_variance

    @property
    def others(self) -> float:
        """The variance due to members and projections."""
        return max(self.members, 0.0) + max(self.projections, 0.0)

    @property
    def variance(self) -> float:
        return self.inputs + self.others

    @property
    def resolved(self) -> bool:
        enough = self.blocks is None or self.blocks.n >= _FEWEST_BLOCKS
        return enough and self.effective_members >= _FEWEST_MEMBERS

    @property
    def zeta(self) -> tuple[float, float]:
        """Hoeffding's zetas of single inputs rather than of blocks."""
        if self.blocks is None:
            return 0.0, 0.0
        size = self.n // self.blocks.n
        return max(self.blocks.zeta1, 0.0) * size, self.blocks.zeta2 * size**2

    def is_enough(self, share: float, quantile: float) -> bool:
        """Whether the half width is below a share of the value."""
        return self.resolved and quantile * math.sqrt(self.variance) <= share * self.value

    def samples_for(self, share: float, quantile: float, most: int) -> int:
        """Inputs at which the half width is that share of the value, or they add little to the other two errors."""
        goal = (share * max(self.value, 0.0) / quantile) ** 2
        allowed = max(goal - self.others, self.others / 4)
        zeta1, zeta2 = self.zeta
        n = _FIRST
        while n < most and 4 * zeta1 / n + 2 * zeta2 / n**2 > allowed:
            n *= 2
        return min(n, most)

    def interval(self, confidence: float) -> tuple[float, float]:
        """The score interval over blocks, with Student's quantile: variances from few units are uncertain."""
        from scipy.special import stdtrit

        parts = [
            (self.inputs, 63 if self.blocks is None else self.blocks.n - 1),
            (max(self.members, 0.0), self.m - 1),
            (max(self.projections, 0.0), (self.q or 2) - 1),
        ]
        curvature = sum(part**2 / freedom for part, freedom in parts)
        freedom = self.variance**2 / curvature if curvature > 0 else 1.0  # Welch and Satterthwaite
        quantile = float(stdtrit(freedom, 0.5 + confidence / 2))
        if self.blocks is not None:
            return self.blocks.interval(quantile, self.others)
        half = quantile * math.sqrt(self.others)
        return self.value - half, self.value + half


@dataclass(frozen=True)
class _Task:
    """One block of inputs and the members of one chunk."""

    block: int
    first: int
    last: int


@dataclass(frozen=True)
class _Tile:
    """What all members need of some inputs, each with its weight in a mean over a block.

    Each factor is a pair of its narrower side, shape (r, n), and its wider side, shape (n, s).
    """

    values: npt.NDArray[np.float64] | npt.NDArray[np.int8]
    mean: Array
    weights: Array
    factors: Factors
    norms: Array

    @property
    def nbytes(self) -> int:
        arrays = [self.mean, self.weights, self.norms, *(side for pair in self.factors for side in pair)]
        return self.values.nbytes + sum(array.nbytes for array in arrays)

    def labels(self, first: int, last: int) -> Array:
        """(h - hbar) times the weights for some of the members, shape (last - first, n)."""
        labels: Array = self.values[first:last] - self.mean
        labels *= self.weights
        return labels


class _Sums(NamedTuple):
    """What the gradients of some members at some blocks add to U and its variances.

    The inner products of blocks, summed over the members, shape (blocks, blocks); and, from each half of the blocks,
    the means over its pairs of blocks of the squares, summed for each member and for each projection, shapes
    (2, members) and (2, q). Of all inputs: no inner products, and the squares of the sums over all blocks, twice.
    """

    kernel: Array
    by_member: Array
    by_projection: Array

    @classmethod
    def together(cls, parts: list[_Sums]) -> _Sums:
        """Those of all members."""
        kernels, by_member, by_projection = zip(*parts, strict=True)
        return cls(sum(kernels), np.concatenate(by_member, axis=1), sum(by_projection))


class _Run(Travels):
    """One sample of inputs, members and projections; called with a task, it gives its mean of (h - hbar) s.

    Members and projections do not travel to other processes: they draw the same ones.
    """

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        key: int,
        n_members: int,
        n_projections: int | None,
        n: int,
        enumerated: bool,
    ) -> None:
        super().__init__()
        self.problem, self.key, self.enumerated = problem, key, enumerated
        self.settings = settings
        self.seed = settings.seed
        self.n_blocks = min(_BLOCKS, n)
        self.size = math.ceil(n / self.n_blocks) if enumerated else n // self.n_blocks
        self.n = n if enumerated else self.size * self.n_blocks
        self.m, self.n_projections = n_members, n_projections
        self._norms: list[Array] = []
        """||g||^2 and ||s||^2 at the inputs of the blocks finished so far."""
        self._sums: list[_Sums] = []
        """What the chunks finished so far add up to."""
        self._draw()
        self.chunk = max(1, min(self.m, _CHUNK // (self.n_blocks * self.q)))
        self._forget()

    @single_threaded_blas()
    def _draw(self) -> None:
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, Samples)
        self.members = hypotheses.sample(self.m, stream(self.seed, self.key, _MEMBERS))
        factors = self.problem.signal_factors(self.problem.inputs.sample(1, np.random.default_rng(0)))
        self.widths = [_ordered(left.shape[1], right.shape[1]) for left, right in factors]
        self.q = sum(left * right for left, right in self.widths)
        self.sketch: Sketch | None = None
        if self.n_projections is not None and self.n_projections < self.q:
            self.q = self.n_projections
            self.widths = [(1, self.q)]
            rng = stream(self.seed, self.key, _PROJECTIONS)
            # A quarter power for each side: products of the two are over the root of q.
            self.sketch = [
                (
                    _rademacher(rng, left.shape[1], self.q) / self.q**0.25,
                    _rademacher(rng, right.shape[1], self.q) / self.q**0.25,
                )
                for left, right in factors
            ]

    def _forget(self) -> None:
        """Give the memory back."""
        self._parts = np.empty((0, 0))
        self._tiles: Kept[_Tile] = Kept(_KEPT_BYTES if self.chunk < self.m else 0)

    def __getstate__(self) -> dict[str, object]:
        # The executor and what the workers gave stay where they are.
        left = ("settings", "members", "sketch", "_norms", "_sums", "_parts", "_tiles")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, object]) -> None:
        super().__setstate__(state)
        self._draw()
        self._forget()

    def found(self, bar: Progress, finish: Callable[[_Found], Estimate]) -> _Found:
        """U and its variances, from all blocks for one chunk of members after another."""
        blocks, m = self.n_blocks, self.m
        starts = range(0, m, self.chunk)
        memory = np.empty((blocks, self.chunk * self.q))
        bar.stage(f"{self.n:,} inputs, {m:,} members", blocks * len(starts))

        def estimate() -> Estimate | None:
            found = self.so_far()
            return None if found is None else finish(found)

        for first in starts:
            last = min(first + self.chunk, m)
            self._parts = memory[:, : (last - first) * self.q]
            tasks = (_Task(block, first, last) for block in range(blocks))
            with closing(ordered_map(self, tasks, self.settings.executor)) as results:
                for block, (part, norms) in enumerate(results, 1):
                    if not np.may_share_memory(part, memory):
                        self._parts[block - 1] = part
                    if first == 0:
                        self._norms.append(norms)
                    if block % _REPORTED == 0 and block < blocks:
                        bar.advance(_REPORTED, estimate)
            self._sums.append(self._products(self._parts, in_parallel=True))
            bar.advance((blocks - 1) % _REPORTED + 1, estimate)
        self._forget()
        return self._summed(_Sums.together(self._sums))

    def so_far(self) -> _Found | None:
        """The same for the members finished so far, or for the first chunk of them from the blocks finished so far.

        None where these blocks are too few.
        """
        if self._sums:
            return self._summed(_Sums.together(self._sums))
        if self.enumerated or len(self._norms) < 4:
            return None
        return self._summed(self._products(self._parts[: len(self._norms)], in_parallel=False))

    def _summed(self, sums: _Sums) -> _Found:
        """U from the sums over some of the members, each the mean of what it adds to U, and over some blocks."""
        kernel, by_member, by_projection = sums
        m, blocks = by_member.shape[1], kernel.shape[0]
        if not (np.isfinite(kernel).all() and np.isfinite(by_member).all()):
            raise NonFiniteError("the squares of the members' gradients overflow float64; rescale labels or weights")
        # Members are centred at the mean of all, of which m stand for the rest.
        kernel, by_member, by_projection = (values * (self.m / m) / (self.m - 1) for values in sums)
        mean = by_member.mean(axis=0)
        spread = float((mean**2).sum())
        effective = float(np.abs(mean).sum()) ** 2 / spread if spread > 0 else 0.0
        found = None
        if not self.enumerated:
            np.fill_diagonal(kernel, 0.0)
            triples = blocks * (blocks - 1) * (blocks - 2)
            triangles = float(np.vdot(kernel @ kernel, kernel)) / triples
            found = moments(kernel.sum(axis=1), float((kernel**2).sum()), triangles)
        return _Found(
            value=math.fsum(mean) if found is None else found.value,
            blocks=found,
            members=m * _covariance(by_member),
            projections=0.0 if self.sketch is None else self.q * _covariance(by_projection),
            n=self.n if self.enumerated else self.size * blocks,
            m=m,
            q=None if self.sketch is None else self.q,
            effective_members=effective,
            norms=np.concatenate(self._norms),
        )

    def _products(self, parts: Array, in_parallel: bool) -> _Sums:
        """The sums of the gradients of one chunk of members, shape (blocks, members q)."""
        members = parts.shape[1] // self.q
        factors = self._factors(parts)
        some = max(1, _GROUP // (parts.shape[0] * self.q))

        def sums(first: int) -> _Sums:
            return _products(
                [part[:, first : first + some] for part in factors], self.sketch is not None, self.enumerated
            )

        groups = range(0, members, some)
        if not in_parallel:
            return _Sums.together([sums(first) for first in groups])
        # The gradients are here: they do not travel to other processes.
        executor = self.settings.executor
        with closing(ordered_map(sums, groups, executor if shares_memory(executor) else None)) as results:
            return _Sums.together(list(results))

    def _factors(self, parts: Array) -> list[Array]:
        """Views of gradients (..., members q), the components of each factor by themselves: (..., members, r s)."""
        members, found, start = parts.shape[-1] // self.q, [], 0
        for narrow, wide in self.widths:
            stop = start + members * narrow * wide
            found.append(parts[..., start:stop].reshape(*parts.shape[:-1], members, narrow * wide))
            start = stop
        return found

    def __call__(self, task: _Task) -> tuple[Array, Array]:
        """The mean over a block of (h - hbar) s for the members of a chunk, shape (members q,), and its norms.

        The components of each factor come together, shape (members, r s). The norms ||g||^2, ||s||^2 at the inputs,
        shape (n, 2), come with the first chunk; else there are none.
        """
        members = task.last - task.first
        # In the process of the run there is memory for it.
        out = self._parts[task.block] if len(self._parts) else np.empty(members * self.q)
        norms = [np.empty((0, 2))]
        if self._size(task.block) == 0:
            out[:] = 0.0
        for number, start in enumerate(range(0, self._size(task.block), self._rows)):
            tile = self._tiles.get((task.block, start), functools.partial(self._tile, task.block, start))
            labels = tile.labels(task.first, task.last)
            for (narrow, wide), total in zip(tile.factors, self._factors(out), strict=True):
                _add_products(total.reshape(members, len(narrow), -1), labels, narrow, wide, number > 0)
            if task.first == 0:
                norms.append(tile.norms)
        return out, np.concatenate(norms)

    @property
    def _rows(self) -> int:
        return rows_per_tile(self.problem.row_size + self.m + (0 if self.sketch is None else self.q), 1024)

    def _tile(self, block: int, start: int) -> _Tile:
        """The inputs of a block from number `start` on."""
        stop = min(start + self._rows, self._size(block))
        if self.enumerated:
            begin = block * self.size
            x = self.problem.inputs.points(begin + start, begin + stop)
            weights = self.problem.inputs.weights(begin + start, begin + stop)
        else:
            x = self.problem.inputs.sample(stop - start, stream(self.seed, self.key, _INPUTS, block, start))
            weights = np.full(stop - start, 1 / self.size)
        gradient, scale = self.problem.tangent_factors(x), self.problem.signal_scale(x)
        norm_sq = norms_sq(gradient)
        values = self._values(x)
        mean = values.mean(axis=0)
        with np.errstate(invalid="ignore"):
            small = values.astype(np.int8)
        return _Tile(
            values=small if np.array_equal(small, values) else values,
            mean=mean,
            weights=weights,
            factors=self._sides([(left, right * scale[:, None]) for left, right in gradient]),
            norms=np.stack([norm_sq, scale**2 * norm_sq], axis=1),
        )

    def _size(self, block: int) -> int:
        """The inputs in a block: fewer in the last ones, where all are taken."""
        return max(0, min(self.size, self.n - block * self.size))

    def _sides(self, signal: Factors) -> Factors:
        """The narrower and the wider side of each factor, or the projections."""
        if self.sketch is None:
            ordered = (sorted(pair, key=lambda side: side.shape[1]) for pair in signal)
            return [(np.ascontiguousarray(narrow.T), np.ascontiguousarray(wide)) for narrow, wide in ordered]
        n = signal[0][0].shape[0]
        total = np.zeros((n, self.q))
        for (a, b), (u, v) in zip(signal, self.sketch, strict=True):
            total += (a @ u) * (b @ v)
        return [(np.ones((1, n)), total)]

    def _values(self, x: Array) -> Array:
        """h(x) of all members, shape (m, n)."""
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, Samples)
        values = np.asarray(hypotheses.evaluate(self.members, x), dtype=np.float64)
        if values.shape != (self.m, x.shape[0]):
            raise ShapeError(
                f"`H.evaluate` must return shape {(self.m, x.shape[0])} for {self.m} members and {x.shape[0]} "
                f"inputs, got {values.shape}"
            )
        if not np.isfinite(values).all():
            raise NonFiniteError(f"`H.evaluate` of {hypotheses!r} must be finite")
        return values


def _add_products(total: Array, labels: Array, narrow: Array, wide: Array, add: bool) -> None:
    """Write sum_n labels[a, n] narrow[i, n] wide[n, j] into `total`, shape (members, r, s), or add it.

    Costs 2 n members r s in products of matrices, and n members r to multiply the labels in.
    """
    n = labels.shape[1]
    rows = max(1, _IN_CACHE // n)
    some = max(1, rows // len(narrow))
    memory = np.empty((some, min(rows, len(narrow)), n))
    for a in range(0, len(labels), some):
        for i in range(0, len(narrow), rows):
            left, right = labels[a : a + some, None], narrow[None, i : i + rows]
            merged = np.multiply(left, right, out=memory[: left.shape[0], : right.shape[1]]).reshape(-1, n)
            part = total[a : a + some, i : i + rows].reshape(-1, wide.shape[1])
            if add:
                part += merged @ wide
            else:
                np.matmul(merged, wide, out=part)


def _products(factors: list[Array], projected: bool, enumerated: bool) -> _Sums:
    """The sums of the gradients of some members, shape (blocks, members, r s) for each factor; in pieces, in cache."""
    blocks, members, width = factors[0].shape
    kernel, by_member = np.zeros((blocks, blocks)), np.zeros((2, members))
    by_projection = np.zeros((2, width if projected else 0))
    columns = max(1, _IN_CACHE // blocks)
    for factor in factors:
        some = max(1, columns // factor.shape[2])
        for a in range(0, members, some):
            for j in range(0, factor.shape[2], columns):
                part = factor[:, a : a + some, j : j + columns]
                if enumerated:
                    pairs = np.array([part.sum(axis=0) ** 2] * 2)
                else:
                    flat = part.reshape(blocks, -1)
                    kernel += flat @ flat.T
                    pairs = np.array([_pairs(part[: blocks // 2]), _pairs(part[blocks // 2 :])])
                by_member[:, a : a + some] += pairs.sum(axis=2)
                if projected:
                    by_projection[:, j : j + columns] += pairs.sum(axis=1)
    return _Sums(kernel, by_member, by_projection)


def _pairs(part: Array) -> Array:
    """The mean over pairs of different blocks of their products."""
    squares: Array = np.einsum("bij,bij->ij", part, part)
    pairs: Array = (part.sum(axis=0) ** 2 - squares) / (len(part) * (len(part) - 1))
    return pairs


def _ordered(first: int, second: int) -> tuple[int, int]:
    return min(first, second), max(first, second)


def _rademacher(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return np.asarray(rng.integers(0, 2, size=(rows, columns)) * 2.0 - 1.0, dtype=np.float64)


def _covariance(halves: Array) -> float:
    """The covariance of two rows."""
    first, second = halves - halves.mean(axis=1, keepdims=True)
    return float(np.vdot(first, second)) / int(halves.shape[1] - 1)


def _finish(found: _Found, problem: Problem, settings: Settings, seconds: float) -> Estimate:
    exponent, variance = 2 * problem.exponent, found.variance
    by = "" if found.q is None else f", {found.q:,} random projections of the gradient"
    at = f"all {found.n:,} inputs" if found.blocks is None else f"{found.n:,} sampled inputs"
    sampled = f"{found.m:,} sampled members, {at}{by}"
    if found.resolved:
        rounding = ROUNDING * abs(found.value)
        error = math.sqrt(variance) + rounding
        low, high = found.interval(settings.confidence)
        interval = low - rounding, high + rounding
        upper = found.interval(2 * settings.confidence - 1)[1] + rounding if settings.confidence > 0.5 else high
        # What the members' and the projections' randomness adds falls with the variance itself.
        resolution = 0.0 if found.blocks is None else settings.quantile * math.sqrt(found.blocks.noise)
        share = f"{max(found.members, 0.0) / variance:.0%}" if variance > 0 else "none"
        guarantee = f"unbiased: {sampled}; {share} of the squared error is the members' randomness"
        if found.blocks is not None:
            guarantee += f"; a variance below {format_number(resolution, exponent, 2)} looks like zero to them"
    else:
        error = upper = resolution = math.inf
        interval = -math.inf, math.inf
        guarantee = f"these samples resolve nothing: too few of the {sampled} carry the estimate"
    return Estimate(
        mantissa=found.value,
        exponent=exponent,
        mantissa_interval=interval,
        mantissa_error=error,
        mantissa_upper=upper,
        mantissa_resolution=resolution,
        exact=False,
        method="monte-carlo (sampled members)",
        guarantee=guarantee,
        confidence=settings.confidence,
        n_samples=0 if found.blocks is None else found.n,
        seconds=seconds,
        resolved=found.resolved,
        zeta=found.zeta if found.resolved and found.inputs > 0.9 * variance else None,
        norms=None if found.blocks is None else sampled_norms(found.norms, settings, exponent, seconds),
    )
