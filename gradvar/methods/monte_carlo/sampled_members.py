r"""Monte Carlo for classes without a covariance: members are drawn as well as inputs.

With m members drawn from H, hbar their mean and c_a = E_x[(h_a(x) - hbar(x)) s(x)],

    U = 1/(m-1) sum_a <c_a, c_a>^,

where <c_a, c_a>^ is the mean over pairs of different blocks of inputs of <c_a on one block, c_a on the other>, is an
unbiased estimate of Var(H, F, w): the sample covariance of the members is unbiased for the class covariance. On
finitely many inputs, no more than `max_samples`, c_a is summed over all of them instead. The second moment
E_h ||E[h s]||^2 is 1/m sum_a <c_a, c_a>^ with c_a = E_x[h_a(x) s(x)].

The gradients are made for one part of the members after another, in all blocks (`member_gradients.py`).

The signal s(x) may be replaced by r random projections of it, a Rademacher vector for each side of every tangent
factor, which leaves inner products unbiased: then the cost does not grow with the number of parameters.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from ...classes.base import Samples, value_work
from ...core.arguments import Array, Stream
from ...core.errors import NotApplicableError
from ...core.numbers import ROUNDING, format_number
from ...estimation.expectation import sampled_norms
from ...estimation.pilot import SHARE, planned_size
from ...estimation.progress import Progress, progress
from ...estimation.settings import MAX_WORK, Settings
from ...estimation.tiles import ordered_map, shares_memory, single_threaded_blas
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ...results.interruption import attach_estimate
from ..base import InParts, Sampler
from .member_gradients import MemberGradients, Part
from .member_statistic import MemberStatistic
from .member_sums import Sums, groups, sums_of

_REPORTED = 8
_FIRST = 2048
_MEMBERS, _MEMBERS_PILOT = 512, 128
"""Members that are drawn unless more are asked for; and in a pilot at all inputs."""
_WORK = MAX_WORK
"""Multiplications that drawing more members than that may take, however many inputs were asked for."""


@dataclass(frozen=True)
class SampledMembers(InParts, Sampler):
    """The estimate from sampled members, with an interval that knows of inputs, members and projections.

    Costs n times the members times the projections. Holds at most 128 MiB of the members' gradients, whatever the
    number of parameters, and keeps at most 128 MiB of labels and signals where these are needed again; each thread
    works on tiles of at most 64 MiB besides.

    Attributes
    ----------
    n_members : int or None
        Members that are drawn. None: 512, doubled while the pilot's variance due to members is above half of what
        `rtol` allows, as long as they are no more than `max_samples` and take no more than 2^33 multiplications, pilot
        and inputs included: where that is not enough, members and inputs share it by the pilot.
    n_projections : int or None
        Random projections of the signal where it has more components than that; None for the whole signal.
    """

    n_members: int | None = None
    n_projections: int | None = 512
    name: str = field(default="monte-carlo", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class whose members can be drawn and evaluated."""
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        if not isinstance(problem.hypotheses, Samples):
            return NotApplicableError(f"{problem.hypotheses!r} has no `sample(m, rng)` and `evaluate(members, x)`")
        if problem.moment is Moment.MEAN:
            return NotApplicableError("sampled members give the second moment and the variance, not the mean part")
        return None

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        members = f"{_MEMBERS} or more" if self.n_members is None else f"{self.n_members:,}"
        return f"unbiased estimate from {members} sampled members and sampled inputs, with an interval"

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return U, its number of inputs chosen by a pilot that is dropped; `rtol=0` spends all `max_samples`.

        Raises
        ------
        Interrupted, WorkersLostError
            On Ctrl-C, or where the executor's workers die, with the estimate from the members that were finished, at
            first from the first part of them and the blocks of inputs that were finished; or the pilot's.
        """
        begin = time.perf_counter()
        samples: list[MemberSample] = []
        at_once = problem if problem.n_parts == 1 else problem.by_layer(apart=False)

        def result(statistics: list[MemberStatistic], norms: Array) -> list[Estimate]:
            seconds = time.perf_counter() - begin
            found = []
            for layer, statistic in enumerate(statistics):
                of_norms = None
                if statistic.blocks is not None:
                    of_layer = norms[:, 2 * layer : 2 * layer + 2]
                    of_norms = sampled_norms(of_layer, problem.largest_norms, settings, seconds)
                found.append(_estimate(statistic, of_norms, settings, seconds, self.n_members))
            return found

        def so_far() -> Estimate | None:
            estimates = [one for one in (sample.so_far() for sample in samples) if one is not None]
            return max(reversed(estimates), key=lambda one: (one.resolved, one.n_samples), default=None)

        def sample(key: int, m: int, n: int) -> MemberSample:
            of = problem if key == Stream.MEMBERS else at_once
            gradients = MemberGradients(
                of, settings.seed, key, m, self.n_projections, n, n == _enumerable(problem, settings)
            )
            samples.append(MemberSample(gradients, settings, bar, result))
            return samples[-1]

        # Held for all maps together: to find the BLAS libraries of a large process takes longer than a small map.
        with attach_estimate(so_far), single_threaded_blas(), progress(settings.progress) as bar:
            final = self._planned(at_once, settings, sample)
            return result(final.statistics(), final.norms)

    def _planned(
        self, problem: Problem, settings: Settings, sample: Callable[[int, int, int], MemberSample]
    ) -> MemberSample:
        """The sample, not yet drawn, whose size a pilot chooses."""
        first = _MEMBERS if self.n_members is None else self.n_members
        members, planned = [first], self.n_members is None and settings.rtol > 0
        pilots: list[MemberStatistic] = []
        each = _work_of_label(problem, self.n_projections)

        def pilot(n: int, m: int = first) -> MemberStatistic:
            (found,) = sample(Stream.MEMBERS_PILOT, m, n).statistics()
            pilots.append(found)
            if planned:
                members.append(_members_for(found, settings))
                found = found.with_members(members[-1])
            return found

        points = _enumerable(problem, settings)
        if points is None:
            n = planned_size(pilot, settings, _FIRST, lambda size: each * first * size)
        else:
            n = points
            if planned:
                pilot(n, _MEMBERS_PILOT)
        pairs, m = (1 - SHARE) * _WORK / each, members[-1]
        if planned and points is None and pilots and m * n > pairs:
            n = min(n, max(_FIRST, _inputs_of(pairs, pilots[-1], n)))
            m = settings.max_samples
        return sample(Stream.MEMBERS, max(first, min(m, int(pairs / n))), n)


def _enumerable(problem: Problem, settings: Settings) -> int | None:
    """The number of inputs, where no more of them are sampled: then all are taken."""
    points = problem.inputs.n_points
    return None if points is None or points > settings.max_samples else points


def _work_of_label(problem: Problem, n_projections: int | None) -> float:
    """Multiplications that a value of a member counts as; those of matrix products are eight times as fast."""
    x = problem.inputs.sample(1, np.random.default_rng(0))
    components: int = sum(left.shape[1] * right.shape[1] for left, right in problem.signal_factors(x))
    return value_work(problem.hypotheses) + min(components, n_projections or components) / 8


def _members_for(pilot: MemberStatistic, settings: Settings) -> int:
    """Return 512, 1024, ... members, the fewest that leave half of the variance that `rtol` allows to the rest.

    Where few of the pilot's members carry its value these are as many as there may be. The variance due to members
    counts less its own standard error: what the inputs add to it is no reason for more of them.
    """
    goal = (0.8 * settings.rtol * max(pilot.value, 0.0) / settings.quantile) ** 2 / 2
    first_order = max(pilot.members.variance - math.sqrt(pilot.members.uncertainty), 0.0) * pilot.m
    m = _MEMBERS
    while 2 * m <= settings.max_samples:
        if pilot.resolved and first_order / m + pilot.with_members(m).second_order <= goal:
            break
        m *= 2
    return m


def _inputs_of(pairs: float, pilot: MemberStatistic, n: int) -> int:
    """The inputs, of so many pairs of a member and an input, at which the error is smallest.

    Of a/m + b/n with m n pairs it is smallest where b/n = a/m: n = (pairs b/a)^(1/2).
    """
    a, b = pilot.of_members * pilot.m, (pilot.variance_at(n) - pilot.floor) * n
    return int(math.sqrt(pairs * b / a)) if pilot.resolved and a > 0 else n


class MemberSample:
    """One sample of members and inputs: its statistic, and that of what is finished so far."""

    def __init__(
        self,
        gradients: MemberGradients,
        settings: Settings,
        bar: Progress,
        result: Callable[[list[MemberStatistic], Array], list[Estimate]],
    ) -> None:
        self.gradients, self.settings, self.bar, self.result = gradients, settings, bar, result
        self._norms: list[Array] = []
        """||g||^2 and ||s||^2 at the inputs of each block finished so far."""
        self._held = np.empty((0, 0))
        """The gradients of one part at all blocks, shape (blocks, members components)."""
        self._sums: list[list[Sums]] = []
        """Those of the parts finished so far, for each layer."""
        self._done = 0
        """The members of which all parts are finished."""

    @property
    def norms(self) -> Array:
        """||g||^2 and ||s||^2 at the inputs so far, shape (n, 2)."""
        return np.concatenate(self._norms)

    def statistics(self) -> list[MemberStatistic]:
        """Return U and its variances for each layer, from all blocks for one part of the gradients after another."""
        gradients, parts = self.gradients, self.gradients.parts
        blocks = gradients.n_blocks
        memory = np.empty((blocks, max(part.members * part.components for part in parts)))
        self.bar.stage(f"{gradients.n:,} inputs, {gradients.m:,} members", blocks * len(parts))
        for number, part in enumerate(parts):
            self._held = gradients.held = memory[:, : part.members * part.components]
            self._make(number)
            self._sums.extend(self._sums_of(part))
            if number + 1 == len(parts) or parts[number + 1].first != part.first:
                self._done = part.last
            self.bar.advance((blocks - 1) % _REPORTED + 1, self.so_far)
        self._held = np.empty((0, 0))
        gradients.forget()
        return self._statistics(self._sums)

    def _statistics(self, sums: list[list[Sums]]) -> list[MemberStatistic]:
        signals = self.norms[:, 1::2].T
        of_layers = zip(zip(*sums, strict=True), signals, strict=True)
        return [MemberStatistic.of(Sums.total(some), self.gradients, signal) for some, signal in of_layers]

    def _make(self, number: int) -> None:
        """Make the gradients of a part at all blocks, and report some of these at a time."""
        tasks = ((block, number) for block in range(len(self._held)))
        with closing(ordered_map(self.gradients, tasks, self.settings.executor)) as results:
            for block, (gradients, norms) in enumerate(results, 1):
                if not np.may_share_memory(gradients, self._held):  # it comes from another process
                    self._held[block - 1] = gradients
                if number == 0:
                    self._norms.append(norms)
                if block % _REPORTED == 0 and block < len(self._held):
                    self.bar.advance(_REPORTED, self.so_far)

    def _sums_of(self, part: Part) -> list[list[Sums]]:
        """The sums over groups of the part's members."""
        sums = functools.partial(sums_of, self._held, part, self.gradients)
        here = self.settings.executor if shares_memory(self.settings.executor) else None  # gradients do not travel
        with closing(ordered_map(sums, groups(part, len(self._held)), here)) as results:
            return list(results)

    def so_far(self) -> Estimate | None:
        """Return the estimate from the members finished so far, or from the first ones at the blocks finished so far.

        None where these blocks are too few, or these members need another part; or of a gradient in layers.
        """
        gradients, first = self.gradients, self.gradients.parts[0]
        sums = [one for one in self._sums if one[0].part.last <= self._done]
        if not sums:
            blocks = self._held[: len(self._norms)]
            if gradients.enumerated or len(blocks) < 4 or first.components < gradients.q:
                return None
            sums = [sums_of(blocks, first, gradients, group) for group in groups(first, len(blocks))]
        found = self.result(self._statistics(sums), self.norms)
        return found[0] if len(found) == 1 else None


def _limit(statistic: MemberStatistic, settings: Settings, n_members: int | None) -> str:
    """Say whose randomness makes the interval wider than `rtol` asks, and which argument would narrow it."""
    low, high = statistic.interval(settings.confidence)
    if high - low <= 2 * settings.rtol * statistic.value:
        return ""
    more = "`n_members`"
    if n_members is None and settings.rtol > 0:
        more = (
            "`max_samples`" if 2 * statistic.m > settings.max_samples else "`n_members`: more than 2^33 multiplications"
        )
    parts = {
        f"the members limit it (raise {more})": statistic.of_members,
        "the inputs limit it (raise `max_samples`)": statistic.inputs,
        "the projections limit it (raise `n_projections`)": max(statistic.projections.variance, 0.0),
    }
    return f"; {max(parts, key=parts.__getitem__)}{_what_it_takes(statistic, settings)}"


def _what_it_takes(statistic: MemberStatistic, settings: Settings) -> str:
    """Say how many members and inputs `rtol` takes: each leave half of the variance that it allows."""
    if settings.rtol == 0:
        return ""
    if statistic.value <= 0:
        return f"; too few to say what rtol={settings.rtol:g} would take"
    half = (settings.rtol * statistic.value / settings.quantile) ** 2 / 2
    if statistic.projections.variance > half:  # no number of members and inputs
        return ""
    m, n = statistic.of_members * statistic.m / half, statistic.inputs * statistic.n / half
    more = [f"{max(m, statistic.m):.2g} members"]
    if statistic.blocks is not None:
        more.append(f"{max(n, statistic.n):.2g} inputs")
    return f"; rtol={settings.rtol:g} would take about {' and '.join(more)}"


def _estimate(
    statistic: MemberStatistic,
    norms: tuple[Estimate, ...] | None,
    settings: Settings,
    seconds: float,
    n_members: int | None,
) -> Estimate:
    blocks, variance = statistic.blocks, statistic.variance + statistic.second_order
    by = "" if statistic.q is None else f", {statistic.q:,} random projections of the gradient"
    at = f"all {statistic.n:,} inputs" if blocks is None else f"{statistic.n:,} sampled inputs"
    sampled = f"{statistic.m:,} sampled members, {at}{by}"
    interval, upper, resolution = (-math.inf, math.inf), math.inf, 0.0
    rounding = ROUNDING * abs(statistic.value)
    guarantee = f"these samples resolve nothing: too few of the {sampled} carry the estimate or the signal"
    if statistic.resolved:
        low, high = statistic.interval(settings.confidence)
        interval = low - rounding, high + rounding
        upper = high
        if settings.confidence > 0.5:
            upper = statistic.interval(2 * settings.confidence - 1)[1] + rounding
        share = f"{statistic.of_members / variance:.0%}" if variance > 0 else "none"
        guarantee = f"unbiased: {sampled}; {share} of the squared error is the members' randomness"
        if blocks is not None:
            # What the members' and the projections' randomness adds falls with the variance itself.
            resolution = settings.quantile * math.sqrt(blocks.noise)
            guarantee += f"; a variance below {format_number(resolution, digits=2)} looks like zero to them"
        guarantee += _limit(statistic, settings, n_members)
    return Estimate(
        mantissa=statistic.value,
        mantissa_interval=interval,
        method="monte-carlo (sampled members)",
        guarantee=guarantee,
        resolved=statistic.resolved,
        mantissa_error=math.sqrt(variance) + rounding,
        mantissa_upper=upper,
        mantissa_resolution=resolution,
        confidence=settings.confidence,
        n_samples=0 if blocks is None else statistic.n,
        seconds=seconds,
        zeta=statistic.zeta if statistic.inputs > 0.9 * variance else None,
        norms=norms,
    )
