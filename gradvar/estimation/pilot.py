"""The size of a sample, chosen on a pilot sample that is then dropped.

A size chosen by looking at the very estimate that is reported would bias it and its interval.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol, TypeVar

from .settings import Settings

SHARE = 0.25
"""Of the value, that a pilot's half width is to be below, unless `rtol` is larger; and of the budget, that it takes."""
_MOST = 2**53

Work = Callable[[int], float]
"""About how many multiplications a sample of this size takes; larger ones take no less."""


def _free(n: int) -> float:
    return 0.0


class Pilot(Protocol):
    """The estimate from a pilot sample, and what it says of larger samples."""

    @property
    def value(self) -> float:
        """The estimate."""

    @property
    def resolved(self) -> bool:
        """Whether its error is known."""

    @property
    def floor(self) -> float:
        """The part of its variance that larger samples leave as it is, such as that of rounding."""

    def variance_at(self, n: int) -> float:
        """Return the variance of an estimate from n samples, floor included."""


P = TypeVar("P", bound=Pilot)


def run_pilot(
    sample: Callable[[int], P], settings: Settings, first: int, work: Work = _free
) -> tuple[P, int, bool] | None:
    """Double a pilot sample until its half width is below a quarter of the value, or below `rtol` times it.

    Parameters
    ----------
    sample : callable
        Takes a number of samples and returns the `Pilot` from so many. Called with first, 2 first, 4 first, ...
    settings : Settings
        A pilot takes at most a quarter of `max_samples`, and of `max_work` but for its first size.
    first : int
        Its first size.
    work : callable
        What a sample takes.

    Returns
    -------
    (Pilot, int, bool) or None
        The last pilot, its size, and whether it resolved that share; None where `max_samples` has no room for one.
    """
    n, most = first, int(SHARE * settings.max_samples)
    if n > most:
        return None
    while True:
        pilot = sample(n)
        if meets(pilot, n, max(settings.rtol, SHARE), settings):
            return pilot, n, True
        if settings.rtol == 0 or 2 * n > most or work(2 * n) > SHARE * settings.max_work:
            return pilot, n, False
        n *= 2


def meets(pilot: Pilot, n: int, share: float, settings: Settings) -> bool:
    """Whether the half width at n samples is below a share of the value, or more samples would hardly lower it."""
    goal = (share * max(pilot.value, 0.0) / settings.quantile) ** 2
    return pilot.resolved and pilot.variance_at(n) <= max(goal, 1.25 * pilot.floor)


def planned_size(sample: Callable[[int], Pilot], settings: Settings, first: int, work: Work = _free) -> int:
    """Return the number of samples, in steps of half the first, that is expected to meet `rtol`.

    Where that takes too many: all of `max_samples`, or as many as there is work for; or no more than the pilot took,
    if it resolved nothing and so many would not either, and the caller did not say how many. `max_samples` where
    `rtol` is 0. See `run_pilot` for the parameters.
    """
    if settings.rtol == 0:
        return settings.max_samples
    outcome = run_pilot(sample, settings, first, work)
    if outcome is None:
        return settings.max_samples
    pilot, n, resolved = outcome
    most = _most(settings, first, work)
    if not resolved:
        hopeless = most < settings.max_samples and not meets(pilot, most, 1.0, settings)
        return n if hopeless else most
    # 0.8: the half width of the final sample is random, and should rarely come out above what was asked for.
    return min(most, size_for(pilot, 0.8 * settings.rtol, settings, first // 2, first))


def _most(settings: Settings, first: int, work: Work) -> int:
    """`max_samples`, or as many as there is work for after the pilot, the first size at least."""
    left, step = (1 - SHARE) * settings.max_work, first // 2
    if work(settings.max_samples) <= left:
        return settings.max_samples
    sizes = range(first, settings.max_samples, step)
    return sizes[max(bisect_left(sizes, True, key=lambda n: work(n) > left) - 1, 0)]


def size_for(pilot: Pilot, share: float, settings: Settings, step: int = 1, least: int = 1) -> int:
    """Return the fewest samples, a multiple of the step and at least so many, that meet a share of the value.

    2^53 where no number of them does.
    """
    sizes = range(least, _MOST, step)
    found = bisect_left(sizes, True, key=lambda n: meets(pilot, n, share, settings))
    return sizes[found] if found < len(sizes) else _MOST
