r"""Monte Carlo for classes without a covariance: members are drawn as well as inputs.

With m members drawn from H, hbar their mean and c_a = E_x[(h_a(x) - hbar(x)) s(x)],

    U = 1/(m-1) sum_a <c_a, c_a>^,

where <c_a, c_a>^ is the mean over pairs of different blocks of inputs of <c_a on one block, c_a on the other>, is an
unbiased estimate of Var(H, F, w): the sample covariance of the members is unbiased for the class covariance. On
finitely many inputs, no more than `max_samples`, c_a is summed over all of them instead.

The signal s(x) may be replaced by r random projections of it, a Rademacher vector for each side of every tangent
factor, which leaves inner products unbiased: then the cost does not grow with the number of parameters.

Three things are random, and each is in the interval: the inputs, by Hoeffding's decomposition over the blocks with
members and projections held fixed (so that what is due to inputs together with members or projections is part of
it); the members, and the projections, by their main effects. That of the members is the covariance over a of
<c_a, c_a>^ from one half of the blocks and from the other; so for the projections.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arguments import Array, stream
from ..classes.base import Samples
from ..errors import Interrupted, NonFiniteError, NotApplicableError, ShapeError
from ..expectation import ROUNDING, rows_per_tile, sampled_norms
from ..problem import Problem
from ..progress import Progress, progress
from ..results import Estimate, format_number
from ..settings import Settings
from ..tiles import Travels, ordered_map, single_threaded_blas
from .hoeffding import Moments, moments

Sketch = list[tuple[Array, Array]]

_INPUTS, _MEMBERS, _PROJECTIONS = 0, 1, 2
_PILOT_KEY, _FINAL_KEY = 6, 7
_BLOCKS, _REPORTED = 64, 8
_FIRST = 2048
_CHUNK = 2**24
"""Numbers in the gradients of one chunk of members, over all blocks: 128 MiB."""
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
        self._first: list[tuple[Array, Array]] = []
        """What the blocks finished so far gave for the first chunk of members."""
        self._draw()

    @single_threaded_blas()
    def _draw(self) -> None:
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, Samples)
        self.members = hypotheses.sample(self.m, stream(self.seed, self.key, _MEMBERS))
        factors = self.problem.signal_factors(self.problem.inputs.sample(1, np.random.default_rng(0)))
        widths = [(left.shape[1], right.shape[1]) for left, right in factors]
        self.q = sum(left * right for left, right in widths)
        self.sketch: Sketch | None = None
        if self.n_projections is not None and self.n_projections < self.q:
            self.q = self.n_projections
            rng = stream(self.seed, self.key, _PROJECTIONS)
            # A quarter power for each side: products of the two are over the root of q.
            self.sketch = [
                (_rademacher(rng, left, self.q) / self.q**0.25, _rademacher(rng, right, self.q) / self.q**0.25)
                for left, right in widths
            ]

    def __getstate__(self) -> dict[str, object]:
        # The executor and what the workers gave stay where they are.
        left = ("settings", "members", "sketch", "_first")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, object]) -> None:
        super().__setstate__(state)
        self._draw()

    def found(self, bar: Progress, finish: Callable[[_Found], Estimate]) -> _Found:
        """U and its variances, from all blocks for one chunk of members after another."""
        blocks, m = self.n_blocks, self.m
        chunk = max(1, min(m, _CHUNK // (blocks * self.q)))
        starts = range(0, m, chunk)
        tasks = [_Task(block, start, min(start + chunk, m)) for start in starts for block in range(blocks)]
        kernel = np.zeros((blocks, blocks))
        by_member, by_projection = np.empty((2, m)), np.zeros((2, self.q))
        bar.stage(f"{self.n:,} inputs, {m:,} members", len(tasks))

        def estimate() -> Estimate | None:
            found = self.so_far()
            return None if found is None else finish(found)

        with closing(ordered_map(self, tasks, self.settings.executor)) as results:
            for start in starts:
                done = self._first if start == 0 else []
                for block in range(1, blocks + 1):
                    done.append(next(results))
                    if block % _REPORTED == 0 or block == blocks:
                        bar.advance((block - 1) % _REPORTED + 1, estimate)
                parts = np.array([part for part, _ in done])
                if self.enumerated:
                    squares = parts.sum(axis=0) ** 2
                    by_member[:, start : start + chunk] = squares.sum(axis=1)
                    by_projection += squares.sum(axis=0)
                    continue
                products, by_member[:, start : start + chunk], sums = _products(parts)
                kernel += products
                by_projection += sums
        return self._summed(kernel, by_member, by_projection)

    def so_far(self) -> _Found | None:
        """The same from the blocks finished so far, for the first chunk of members; None where these are too few."""
        if self.enumerated or len(self._first) < 4:
            return None
        return self._summed(*_products(np.array([part for part, _ in self._first])))

    def _summed(self, kernel: Array, by_member: Array, by_projection: Array) -> _Found:
        """U from the sums over some of the members, each the mean of what it adds to U, and over some blocks."""
        m, blocks = by_member.shape[1], kernel.shape[0]
        if not (np.isfinite(kernel).all() and np.isfinite(by_member).all()):
            raise NonFiniteError("the squares of the members' gradients overflow float64; rescale labels or weights")
        # Members are centred at the mean of all, of which m stand for the rest.
        kernel, by_member, by_projection = (
            sums * (self.m / m) / (self.m - 1) for sums in (kernel, by_member, by_projection)
        )
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
            norms=np.concatenate([norms for _, norms in self._first]),
        )

    def __call__(self, task: _Task) -> tuple[Array, Array]:
        """The mean over a block of (h - hbar) s for the members of a chunk, shape (last - first, q), and its norms.

        The norms ||g||^2, ||s||^2 at the inputs, shape (n, 2), come with the first chunk; else there are none.
        """
        rng = stream(self.seed, self.key, _INPUTS, task.block)
        begin, end = task.block * self.size, min((task.block + 1) * self.size, self.n)
        rows = rows_per_tile(self.problem.row_size + self.q + self.m, 1024)
        total, norms = np.zeros((task.last - task.first, self.q)), [np.empty((0, 2))]
        for start in range(begin, end, rows):
            stop = min(start + rows, end)
            if self.enumerated:
                x, weights = self.problem.inputs.points(start, stop), self.problem.inputs.weights(start, stop)
            else:
                x, weights = self.problem.inputs.sample(stop - start, rng), np.full(stop - start, 1 / self.size)
            total += (self._labels(x)[task.first : task.last] * weights) @ self._features(x)
            if task.first == 0:
                norms.append(self.problem.norms(x))
        return total, np.concatenate(norms)

    def _features(self, x: Array) -> Array:
        """The signal's components, or its projections, shape (n, q)."""
        factors = self.problem.signal_factors(x)
        if self.sketch is None:
            n = x.shape[0]
            return np.concatenate([(a[:, :, None] * b[:, None, :]).reshape(n, -1) for a, b in factors], axis=1)
        total = np.zeros((x.shape[0], self.q))
        for (a, b), (u, v) in zip(factors, self.sketch, strict=True):
            total += (a @ u) * (b @ v)
        return total

    def _labels(self, x: Array) -> Array:
        """h(x) - hbar(x), shape (m, n)."""
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
        return np.asarray(values - values.mean(axis=0))


def _products(parts: Array) -> tuple[Array, Array, Array]:
    """Of the gradients of some members at some blocks, shape (blocks, members, q): the inner products of blocks.

    And, from each half of the blocks, the means over its pairs of blocks of the squares, summed for each member and for
    each of the q components, shapes (2, members) and (2, q).
    """
    blocks = len(parts)
    flat = parts.reshape(blocks, -1)
    by_member, by_projection = [], []
    for some in (parts[: blocks // 2], parts[blocks // 2 :]):
        pairs = (some.sum(axis=0) ** 2 - (some**2).sum(axis=0)) / (len(some) * (len(some) - 1))
        by_member.append(pairs.sum(axis=1))
        by_projection.append(pairs.sum(axis=0))
    return flat @ flat.T, np.array(by_member), np.array(by_projection)


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
