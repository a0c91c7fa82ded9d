r"""A U-statistic over pairs of sampled inputs, for classes that say their covariance.

    U = 1/(n(n-1)) sum_{i != j} C_H(x_i, x_j) <s(x_i), s(x_j)>

is an unbiased estimate of Var(H, F, w) = E[C_H(x, x') <s(x), s(x')>]: the class is integrated in closed form
through its covariance, and the diagonal, which is what inflates the plug-in estimate by G^2/n, is left out. Its
variance comes from Hoeffding's decomposition (`methods/hoeffding.py`). What the class covariance annihilates is
taken out of the signal first (`methods/regression.py`).

The sample size is doubled until the half width is below `rtol` times the value, on a pilot sample that is then
dropped: a size chosen by looking at the very estimate that is reported would bias it and its interval.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from ...classes.base import KnowsCovariance
from ...core.arguments import Stream
from ...core.errors import NotApplicableError
from ...core.numbers import format_number
from ...estimation.expectation import ROUNDING, sampled_norms
from ...estimation.progress import Progress, progress
from ...estimation.settings import Settings
from ...estimation.u_statistic import Moments
from ...problem import Problem
from ...results.estimate import Estimate
from ...results.interruption import attach_estimate
from .control_variates import regression
from .pair_sums import ROWS, PairSums


@dataclass(frozen=True)
class InputPairs:
    """The U-statistic over pairs of inputs; see `MonteCarlo`.

    Attributes
    ----------
    variance_reduction : bool
        Whether what the class covariance annihilates is taken out of the signal.
    precision : str
        "double", or "single" for products in float32.
    """

    variance_reduction: bool = True
    precision: str = "double"

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a class that says its covariance."""
        hypotheses = problem.hypotheses
        if not isinstance(hypotheses, KnowsCovariance):
            return NotApplicableError(f"{hypotheses!r} has no method `covariance(x, x2)`")
        x = problem.inputs.sample(1, np.random.default_rng(0))
        try:
            hypotheses.covariance(x, x)
        except NotApplicableError as error:
            return error
        return None

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        return (
            "unbiased U-statistic of class covariance x tangent kernel over pairs of sampled inputs, with an interval"
        )

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the U-statistic, its size chosen by a pilot; `rtol=0` spends all `max_samples`.

        Raises
        ------
        Interrupted, WorkersLostError
            On Ctrl-C, or where the executor's workers die, with the estimate from the samples that were finished.
        """
        begin = time.perf_counter()
        samples: list[PairSums] = []
        single = self.precision == "single"

        def so_far() -> Estimate | None:
            done = [sums for sums in samples if sums.n >= 4]
            return _estimate(done[-1], settings, begin) if done else None

        with attach_estimate(so_far), progress(settings.progress) as bar:
            reduction = regression(problem, settings) if self.variance_reduction else None
            n = settings.max_samples
            if settings.rtol > 0 and n // 4 >= 2 * ROWS:
                samples.append(PairSums(problem, settings, reduction, Stream.PAIRS_PILOT, single))
                n = _planned(samples[-1], settings, bar)
                samples[-1].tiles.forget()
            samples.append(PairSums(problem, settings, reduction, Stream.PAIRS, single))
            _extend(samples[-1], n, f"{n:,} samples", settings, bar)
        return _estimate(samples[-1], settings, begin)


def _planned(pilot: PairSums, settings: Settings, bar: Progress) -> int:
    """The number of samples that is expected to meet `rtol`, from a pilot that resolves a quarter of the value."""
    n, goal = 2 * ROWS, max(settings.rtol, 0.25)
    while True:
        _extend(pilot, n, f"pilot of {n:,} samples", settings, bar)
        found, resolved = pilot.found()
        half = settings.quantile * math.sqrt(found.variance(n))
        # More samples do not help a number that is rounding, as where all of the signal is annihilated.
        if resolved and half <= pilot.rounding:
            return n
        if resolved and half <= goal * found.value:
            break
        if 2 * n > settings.max_samples // 4:
            return settings.max_samples
        n *= 2
    n = 2 * ROWS
    # 0.8: the half width of the final sample is random, and should rarely come out above what was asked for.
    while n < settings.max_samples and (
        settings.quantile * math.sqrt(found.variance(n)) > 0.8 * settings.rtol * found.value
    ):
        n *= 2
    return min(n, settings.max_samples)


def _extend(sums: PairSums, n: int, title: str, settings: Settings, bar: Progress) -> None:
    begin = time.perf_counter()
    first, last = (math.ceil(size / sums.rows) for size in (sums.n, n))
    bar.stage(title, (last * (last + 1) - first * (first + 1)) // 2)
    sums.extend(n, lambda pairs: bar.advance(pairs, lambda: _estimate(sums, settings, begin)))


def _estimate(sums: PairSums, settings: Settings, begin: float) -> Estimate:
    n = sums.n
    found, resolved = sums.found() if n >= 4 else (Moments(math.nan, 0.0, 0.0, 0.0, n), False)
    if resolved:
        # Pairs that all have one value leave an error of rounding, not none.
        rounding = ROUNDING * abs(found.value) + sums.rounding
        error = math.sqrt(found.variance(n)) + rounding
        low, high = found.interval(found.quantile(0.5 + settings.confidence / 2))
        interval = low - rounding, high + rounding
        upper = found.interval(found.quantile(settings.confidence))[1] + rounding
        resolution = settings.quantile * math.sqrt(found.noise)
    else:
        error = upper = resolution = math.inf
        interval = -math.inf, math.inf
    sampled = f"{n * (n - 1) // 2:,} pairs of {n:,} sampled inputs"
    if resolved:
        products = ", products in float32" if sums.single else ""
        guarantee = (
            f"unbiased: U-statistic over {sampled}{products}, score interval; a variance below "
            f"{format_number(resolution, 0, 2)} looks like zero to them"
        )
    else:
        guarantee = f"these samples resolve nothing: too few of the {sampled} carry what there is of class covariance"
    seconds = time.perf_counter() - begin
    return Estimate(
        mantissa=found.value,
        mantissa_interval=interval,
        mantissa_error=error,
        mantissa_upper=upper,
        mantissa_resolution=resolution,
        exact=False,
        method="monte-carlo (U-statistic)",
        guarantee=guarantee,
        confidence=settings.confidence,
        n_samples=n,
        seconds=seconds,
        resolved=resolved,
        zeta=(max(found.zeta1, 0.0), found.zeta2) if resolved else None,
        norms=sampled_norms(sums.norms, settings, seconds),
    )
