r"""Monte Carlo for classes without a covariance: members are drawn as well as inputs.

With m members drawn from H, hbar their mean and c_a = E_x[(h_a(x) - hbar(x)) s(x)],

    U = 1/(m-1) sum_a <c_a, c_a>^,

where <c_a, c_a>^ is the mean over pairs of different blocks of inputs of <c_a on one block, c_a on the other>, is an
unbiased estimate of Var(H, F, w): the sample covariance of the members is unbiased for the class covariance. On
finitely many inputs, no more than `max_samples`, c_a is summed over all of them instead.

The gradients are made for one chunk of members after another, in all blocks (`member_gradients.py`).

The signal s(x) may be replaced by r random projections of it, a Rademacher vector for each side of every tangent
factor, which leaves inner products unbiased: then the cost does not grow with the number of parameters.

Three things are random, and each is in the interval: the inputs, by Hoeffding's decomposition over the blocks with
members and projections held fixed (so that what is due to inputs together with members or projections is part of
it); the members, and the projections, by their main effects (`main_effects.py`), from <c_a, c_a>^ by one half of the
blocks and by the other. Where few members carry U, these errors are skewed, and so is the interval.

With gradients in float32, what inner products lack of float64 is estimated from the pairs of a few blocks and the first
chunk of members, and added.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ...classes.base import Samples
from ...core.arguments import Array, Stream
from ...core.errors import NonFiniteError, NotApplicableError
from ...core.numbers import format_number
from ...estimation.expectation import ROUNDING, sampled_norms
from ...estimation.main_effects import NONE, MainEffects
from ...estimation.progress import Progress, progress
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map, shares_memory, single_threaded_blas
from ...estimation.u_statistic import Moments, moments, plain_interval
from ...problem import Problem
from ...results.estimate import Estimate
from ...results.interruption import attach_estimate
from .member_gradients import MemberGradients, Sums, Task

_REPORTED = 8
_FIRST = 2048
_EXACT = 4
"""Blocks at which gradients in float32 are made in float64 as well."""
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
    name: str = field(default="monte-carlo", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class whose members can be drawn and evaluated."""
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        if isinstance(problem.hypotheses, Samples):
            return None
        return NotApplicableError(
            f"{problem.hypotheses!r} has neither `covariance(x, x2)` nor `sample(m, rng)` and `evaluate(members, x)`"
        )

    def work(self, problem: Problem) -> float:
        """Return inf: it samples."""
        return math.inf

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        return f"unbiased estimate from {self.n_members:,} sampled members and sampled inputs, with an interval"

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return U, its number of inputs chosen by a pilot that is dropped; `rtol=0` spends all `max_samples`.

        Raises
        ------
        Interrupted, WorkersLostError
            On Ctrl-C, or where the executor's workers die, with the estimate from the members that were finished, at
            first from the first chunk of them and the blocks of inputs that were finished; or the pilot's.
        """
        begin = time.perf_counter()
        runs: list[_Run] = []

        def finish(found: _Found) -> Estimate:
            return _finish(found, problem, settings, time.perf_counter() - begin)

        def so_far() -> Estimate | None:
            parts = [part for part in (sample.so_far() for sample in runs) if part is not None]
            return finish(max(parts, key=lambda part: part.n)) if parts else None

        def run(key: int, n: int, enumerated: bool = False) -> _Found:
            m, q = self.n_members, self.n_projections
            gradients = MemberGradients(problem, settings.seed, key, m, q, n, enumerated)
            runs.append(_Run(gradients, settings, bar, finish))
            return runs[-1].found()

        # Held for all maps together: to find the BLAS libraries of a large process takes longer than a small map.
        with attach_estimate(so_far), single_threaded_blas(), progress(settings.progress) as bar:
            points, n = problem.inputs.n_points, settings.max_samples
            if points is not None and points <= n:
                return finish(run(Stream.MEMBERS, points, True))
            if settings.rtol > 0 and n // 4 >= _FIRST:
                n = _FIRST
                while True:
                    found = run(Stream.MEMBERS_PILOT, n)
                    enough = found.is_enough(max(settings.rtol, 0.25), settings.quantile)
                    if enough or 2 * n > settings.max_samples // 4:
                        break
                    n *= 2
                n = found.samples_for(0.8 * settings.rtol, settings.quantile, settings.max_samples)
            return finish(run(Stream.MEMBERS, n))


class _Found(NamedTuple):
    """U, the variances that inputs, members and projections give it, and what it rests on.

    `blocks` are the moments of U over blocks of inputs; None where all inputs were taken.
    """

    value: float
    blocks: Moments | None
    members: MainEffects
    projections: MainEffects
    n: int
    m: int
    q: int | None
    effective_members: float
    norms: Array
    single: bool
    rounding: float
    """What products in float32 may do to U, if they are."""

    @property
    def inputs(self) -> float:
        """The variance due to inputs."""
        return 0.0 if self.blocks is None else self.blocks.balanced_variance

    @property
    def others(self) -> MainEffects:
        """What is due to members and projections."""
        return self.members.and_of(self.projections)

    @property
    def variance(self) -> float:
        return self.inputs + self.others.variance

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
        others = self.others.variance
        allowed = max(goal - others, others / 4)
        zeta1, zeta2 = self.zeta
        n = _FIRST
        while n < most and 4 * zeta1 / n + 2 * zeta2 / n**2 > allowed:
            n *= 2
        return min(n, most)

    def interval(self, confidence: float) -> tuple[float, float]:
        """The score interval over blocks, with Student's quantile: variances from few units are uncertain."""
        from scipy.special import stdtrit

        others, variance = self.others, self.variance
        # Welch and Satterthwaite: half the variance of the estimated variance.
        curvature = others.uncertainty / 2 + (0.0 if self.blocks is None else self.inputs**2 / (self.blocks.n - 1))
        quantile = float(stdtrit(variance**2 / curvature if curvature > 0 else 1.0, 0.5 + confidence / 2))
        if self.blocks is not None:
            return self.blocks.interval(quantile, others)
        skewness = others.third / variance**1.5 if variance > 0 else 0.0
        return plain_interval(self.value, math.sqrt(variance), skewness, quantile)


class _Run:
    """One sample: its estimate, and the estimate so far."""

    def __init__(
        self, gradients: MemberGradients, settings: Settings, bar: Progress, finish: Callable[[_Found], Estimate]
    ) -> None:
        self.gradients, self.settings, self.bar, self.finish = gradients, settings, bar, finish
        self._norms: list[Array] = []
        """||g||^2 and ||s||^2 at the inputs of the blocks finished so far."""
        self._parts = np.empty((0, 0))
        """The gradients of one chunk of members at all blocks, shape (blocks, members q)."""
        self._sums: list[Sums] = []
        """What the chunks finished so far add up to."""
        self._lacking = np.zeros((0, 0))
        """What the inner products of some blocks, summed over all members, lack of float64."""

    def found(self) -> _Found:
        """U and its variances, from all blocks for one chunk of members after another."""
        gradients, blocks = self.gradients, self.gradients.n_blocks
        starts, pieces = range(0, gradients.m, gradients.chunk), range(len(gradients.pieces))
        memory = np.empty((blocks, gradients.chunk * max(map(gradients.components, pieces))), gradients.dtype)
        work = blocks * len(starts) * len(pieces)
        self.bar.stage(f"{gradients.n:,} inputs, {gradients.m:,} members", work)
        for first in starts:
            found = []
            for piece in pieces:
                found.append(self._from_all_blocks(first, piece, memory))
                if len(found) == len(pieces):
                    self._sums.append(Sums.of_pieces(found))
                self.bar.advance((blocks - 1) % _REPORTED + 1, self._estimate)
        self._parts = np.empty((0, 0))
        gradients.forget()
        return self._summed(Sums.of_members(self._sums))

    def _from_all_blocks(self, first: int, piece: int, memory: Array) -> Sums:
        """The sums from a piece of the gradients of a chunk of members."""
        gradients, executor = self.gradients, self.settings.executor
        last = min(first + gradients.chunk, gradients.m)
        parts = self._parts = gradients.out = memory[:, : (last - first) * gradients.components(piece)]
        exact = self._exact(last, piece) if gradients.single and first == 0 else np.empty((0, 0))
        tasks = (Task(block, first, last, piece) for block in range(len(parts)))
        with closing(ordered_map(gradients, tasks, executor)) as results:
            for block, (part, norms) in enumerate(results, 1):
                if not np.may_share_memory(part, memory):  # it comes from another process
                    parts[block - 1] = part
                if first == piece == 0:
                    self._norms.append(norms)
                if block == len(exact):
                    some = parts[:block].astype(np.float64)
                    lacking = (exact @ exact.T - some @ some.T) * (gradients.m / (last - first))
                    self._lacking = self._lacking + lacking if piece else lacking
                if block % _REPORTED == 0 and block < len(parts):
                    self.bar.advance(_REPORTED, self._estimate)
        sums = functools.partial(gradients.sums, parts, piece)
        here = executor if shares_memory(executor) else None  # gradients do not travel
        with closing(ordered_map(sums, gradients.groups(parts, piece), here)) as found:
            return Sums.of_members(list(found))

    def _exact(self, last: int, piece: int) -> Array:
        """The gradients of the first chunk of members at some blocks in float64, where the others are in float32."""
        blocks = range(min(_EXACT, self.gradients.n_blocks))
        tasks = (Task(block, 0, last, piece, exact=True) for block in blocks)
        with closing(ordered_map(self.gradients, tasks, self.settings.executor)) as results:
            return np.array([part for part, _ in results])

    def so_far(self) -> _Found | None:
        """The same for the chunks of members finished so far, or for the first from the blocks finished so far.

        None where these blocks are too few, or a chunk needs more than its first piece.
        """
        gradients, parts = self.gradients, self._parts[: len(self._norms)]
        if self._sums:
            return self._summed(Sums.of_members(self._sums))
        if gradients.enumerated or len(parts) < 4 or len(gradients.pieces) > 1:
            return None
        return self._summed(Sums.of_members([gradients.sums(parts, 0, first) for first in gradients.groups(parts, 0)]))

    def _estimate(self) -> Estimate | None:
        found = self.so_far()
        return None if found is None else self.finish(found)

    def _summed(self, sums: Sums) -> _Found:
        """U from the sums over some of the members, each the mean of what it adds to U, and over some blocks."""
        gradients, (kernel, by_member, by_projection) = self.gradients, sums
        m, blocks = by_member.shape[1], kernel.shape[0]
        if not (np.isfinite(kernel).all() and np.isfinite(by_member).all()):
            raise NonFiniteError(
                f"the members' gradients overflow {gradients.dtype} or their squares float64; rescale labels or weights"
            )
        # Members are centred at the mean of all, of which m stand for the rest.
        kernel, by_member, by_projection = (values * (gradients.m / m) / (gradients.m - 1) for values in sums)
        mean = by_member.mean(axis=0)
        squares = float((mean**2).sum())
        effective = float(np.abs(mean).sum()) ** 2 / squares if squares > 0 else 0.0
        found, rounding = None, 0.0
        if not gradients.enumerated:
            np.fill_diagonal(kernel, 0.0)
            triples = blocks * (blocks - 1) * (blocks - 2)
            triangles = float(np.vdot(kernel @ kernel, kernel)) / triples
            found = moments(kernel.sum(axis=1), float((kernel**2).sum()), triangles)
            if len(self._lacking):
                pairs = self._lacking[np.triu_indices(len(self._lacking), 1)] / (gradients.m - 1)
                found = found._replace(value=found.value + float(pairs.mean()))
                # A mean over pairs of b blocks has at most 2/b times their mean square for its variance, and the
                # first of the chunks as much again times b/2.
                rounding = 4 * math.sqrt((2 / len(self._lacking) + 1) * float((pairs**2).mean()))
        return _Found(
            value=math.fsum(mean) if found is None else found.value,
            blocks=found,
            members=MainEffects.of(by_member),
            projections=MainEffects.of(by_projection) if gradients.projected else NONE,
            n=gradients.n if gradients.enumerated else gradients.size * blocks,
            m=m,
            q=gradients.q if gradients.projected else None,
            effective_members=effective,
            norms=np.concatenate(self._norms),
            single=gradients.single,
            rounding=rounding,
        )


def _finish(found: _Found, problem: Problem, settings: Settings, seconds: float) -> Estimate:
    variance = found.variance
    by = "" if found.q is None else f", {found.q:,} random projections of the gradient"
    at = f"all {found.n:,} inputs" if found.blocks is None else f"{found.n:,} sampled inputs"
    products = ", products in float32" if found.single else ""
    sampled = f"{found.m:,} sampled members, {at}{by}{products}"
    if found.resolved:
        rounding = ROUNDING * abs(found.value) + found.rounding
        error = math.sqrt(variance) + rounding
        low, high = found.interval(settings.confidence)
        interval = low - rounding, high + rounding
        upper = found.interval(2 * settings.confidence - 1)[1] + rounding if settings.confidence > 0.5 else high
        # What the members' and the projections' randomness adds falls with the variance itself.
        resolution = 0.0 if found.blocks is None else settings.quantile * math.sqrt(found.blocks.noise)
        share = f"{max(found.members.variance, 0.0) / variance:.0%}" if variance > 0 else "none"
        guarantee = f"unbiased: {sampled}; {share} of the squared error is the members' randomness"
        if found.blocks is not None:
            guarantee += f"; a variance below {format_number(resolution, 0, 2)} looks like zero to them"
    else:
        error = upper = resolution = math.inf
        interval = -math.inf, math.inf
        guarantee = f"these samples resolve nothing: too few of the {sampled} carry the estimate"
    return Estimate(
        mantissa=found.value,
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
        norms=None if found.blocks is None else sampled_norms(found.norms, settings, seconds),
    )
