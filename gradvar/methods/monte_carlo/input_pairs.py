r"""A U-statistic over pairs of sampled inputs, for classes that say their covariance.

    U = 1/(n(n-1)) sum_{i != j} C_H(x_i, x_j) <s(x_i), s(x_j)>

is an unbiased estimate of Var(H, F, w) = E[C_H(x, x') <s(x), s(x')>]: the class is integrated in closed form
through its covariance, and the diagonal, which is what inflates the plug-in estimate by G^2/n, is left out. Its
variance comes from Hoeffding's decomposition (`estimation/u_statistic.py`). What the class covariance annihilates is
taken out of the signal first (`control_variates.py`).

The second moment E_h ||E[h s]||^2 has C_H + m m' in place of C_H, and the mean part ||E[m s]||^2 has m m'
(`class_kernel.py`). These annihilate nothing, so that the signal is taken as it is.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from ...core.arguments import Stream
from ...core.errors import NotApplicableError
from ...core.numbers import format_number
from ...estimation.expectation import sampled_norms
from ...estimation.pilot import planned_size, size_for
from ...estimation.progress import Progress, progress
from ...estimation.settings import Settings
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ...results.interruption import attach_estimate
from ..base import InParts, Sampler
from .class_kernel import ClassKernel, work_of_pair
from .control_variates import Regression, regression
from .pair_sums import ROWS, PairStatistic, PairSums


@dataclass(frozen=True)
class InputPairs(InParts, Sampler):
    """The U-statistic over pairs of inputs, with its score interval.

    Costs n^2/2 products of the widths of the model (n^2 P for models without tangent factors). A process keeps 256 MiB
    of signals at most, and holds two tiles of 512 inputs for each thread besides.

    Attributes
    ----------
    variance_reduction : bool
        Whether what the class covariance annihilates is taken out of the signal.
    """

    variance_reduction: bool = True
    name: str = field(default="monte-carlo", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class that says its covariance, or its mean as well where the moment needs it."""
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        x = problem.inputs.sample(1, np.random.default_rng(0))
        try:
            ClassKernel(problem.hypotheses, problem.moment)(x, x)
        except NotApplicableError as error:
            return error
        return None

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        return (
            "unbiased U-statistic of class covariance x tangent kernel over pairs of sampled inputs, with an interval"
        )

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the U-statistic, its size chosen by a pilot that is dropped; `rtol=0` spends all `max_samples`.

        Raises
        ------
        Interrupted, WorkersLostError
            On Ctrl-C, or where the executor's workers die, with the estimate from the samples that were finished.
        """
        begin = time.perf_counter()
        started: list[PairSums] = []

        def so_far() -> Estimate | None:
            done = [sums for sums in started if sums.n >= 4]
            return _so_far(done[-1], settings, begin) if done else None

        def sums_of(of: Problem, key: int) -> PairSums:
            started.append(PairSums(of, settings, reduction, key))
            return started[-1]

        with attach_estimate(so_far), progress(settings.progress) as bar:
            reduction = self._regression(problem, settings)
            pilot = sums_of(problem if problem.n_parts == 1 else problem.by_layer(apart=False), Stream.PAIRS_PILOT)
            n = _planned(pilot, problem, settings, bar)
            pilot.tiles.restore()
            sums = sums_of(problem, Stream.PAIRS)
            _extend(sums, n, f"{n:,} samples", settings, bar)
        seconds = time.perf_counter() - begin
        return [_estimate(sums, settings, seconds, part) for part in range(problem.n_parts)]

    def _regression(self, problem: Problem, settings: Settings) -> Regression | None:
        reduced = self.variance_reduction and problem.moment is Moment.VARIANCE
        return regression(problem, settings) if reduced else None


def _planned(pilot: PairSums, problem: Problem, settings: Settings, bar: Progress) -> int:
    """The size that a pilot chooses."""

    def extended(n: int) -> PairStatistic:
        _extend(pilot, n, f"pilot of {n:,} samples", settings, bar)
        return pilot.statistic()

    each = work_of_pair(problem) / 2
    return planned_size(extended, settings, 2 * ROWS, lambda size: each * size**2)


def _what_it_takes(statistic: PairStatistic, settings: Settings) -> str:
    """Say how many inputs `rtol` takes, where these were too few."""
    low, high = statistic.interval(0.5 + settings.confidence / 2)
    if settings.rtol == 0 or high - low <= 2 * settings.rtol * statistic.value:
        return ""
    if statistic.value <= 0:
        return f"; too few to say what rtol={settings.rtol:g} would take (max_samples=...)"
    n = size_for(statistic, settings.rtol, settings, least=statistic.moments.n)
    takes = f"about {n:.2g} inputs (max_samples=...)" if n < 2**53 else "more than any number of inputs"
    return f"; rtol={settings.rtol:g} would take {takes}"


def _extend(sums: PairSums, n: int, title: str, settings: Settings, bar: Progress) -> None:
    begin = time.perf_counter()
    first, last = (math.ceil(size / sums.rows) for size in (sums.n, n))
    bar.stage(title, (last * (last + 1) - first * (first + 1)) // 2)
    sums.extend(n, lambda pairs: bar.advance(pairs, lambda: _so_far(sums, settings, begin)))


def _so_far(sums: PairSums, settings: Settings, begin: float) -> Estimate | None:
    """The estimate from what is finished; None of a gradient in parts."""
    return _estimate(sums, settings, time.perf_counter() - begin) if len(sums.row_sums) == 1 else None


def _estimate(sums: PairSums, settings: Settings, seconds: float, part: int = 0) -> Estimate:
    n, statistic = sums.n, sums.statistic(part)
    moments, resolved = statistic.moments, statistic.resolved
    low, high = statistic.interval(0.5 + settings.confidence / 2)
    resolution = settings.quantile * math.sqrt(moments.noise)
    sampled = f"{n * (n - 1) // 2:,} pairs of {n:,} sampled inputs"
    guarantee = f"these samples resolve nothing: too few of the {sampled} carry what there is of class covariance"
    if resolved and statistic.missed:
        guarantee = (
            f"all signals of {n:,} sampled inputs are annihilated up to rounding; the interval holds what "
            f"inputs that were not met may have with ||s||^2 up to {statistic.missed:.3g}"
        )
    elif resolved:
        smallest = format_number(resolution, digits=2)
        guarantee = (
            f"unbiased: U-statistic over {sampled}, score interval; a variance below {smallest} looks like zero to them"
            + _what_it_takes(statistic, settings)
        )
    return Estimate(
        mantissa=moments.value,
        mantissa_interval=(low, high),
        method="monte-carlo (U-statistic)",
        guarantee=guarantee,
        resolved=resolved,
        mantissa_error=math.sqrt(moments.variance(n)) + statistic.allowance,
        mantissa_upper=statistic.interval(settings.confidence)[1],
        mantissa_resolution=resolution,
        confidence=settings.confidence,
        n_samples=n,
        seconds=seconds,
        zeta=(max(moments.zeta1, 0.0), moments.zeta2),
        norms=sampled_norms(
            sums.norms[:, 2 * part : 2 * part + 2], sums.tiles.problem.largest_norms, settings, seconds
        ),
    )
