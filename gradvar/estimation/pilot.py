"""The size of a sample, chosen on a pilot sample that is then dropped.

A size chosen by looking at the very estimate that is reported would bias it and its interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from .settings import Settings

_SHARE = 0.25
"""Of the value, that a pilot's half width is to be below, unless `rtol` is larger; and of the budget, that it takes."""


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


def run_pilot(sample: Callable[[int], P], settings: Settings, first: int) -> tuple[P, bool] | None:
    """Double a pilot sample until its half width is below a quarter of the value, or below `rtol` times it.

    Parameters
    ----------
    sample : callable
        Takes a number of samples and returns the `Pilot` from so many. Called with first, 2 first, 4 first, ...
    settings : Settings
        A pilot takes at most a quarter of `max_samples`.
    first : int
        Its first size.

    Returns
    -------
    (Pilot, bool) or None
        The last pilot, and whether it resolved that share; None where `max_samples` leaves no room for one.
    """
    n, most = first, int(_SHARE * settings.max_samples)
    if n > most:
        return None
    while True:
        pilot = sample(n)
        if meets(pilot, n, max(settings.rtol, _SHARE), settings):
            return pilot, True
        if settings.rtol == 0 or 2 * n > most:
            return pilot, False
        n *= 2


def meets(pilot: Pilot, n: int, share: float, settings: Settings) -> bool:
    """Whether the half width at n samples is below a share of the value, or more samples would hardly lower it."""
    goal = (share * max(pilot.value, 0.0) / settings.quantile) ** 2
    return pilot.resolved and pilot.variance_at(n) <= max(goal, 1.25 * pilot.floor)


def planned_size(sample: Callable[[int], Pilot], settings: Settings, first: int) -> int:
    """Return the number of samples that is expected to meet `rtol`: first, 2 first, 4 first, ... or `max_samples`.

    It is all of `max_samples` where `rtol` is 0, and where no pilot with at most a quarter of these resolves a share
    of the value. See `run_pilot` for the parameters.
    """
    if settings.rtol == 0:
        return settings.max_samples
    outcome = run_pilot(sample, settings, first)
    if outcome is None or not outcome[1]:
        return settings.max_samples
    n, pilot = first, outcome[0]
    # 0.8: the half width of the final sample is random, and should rarely come out above what was asked for.
    while n < settings.max_samples and not meets(pilot, n, 0.8 * settings.rtol, settings):
        n *= 2
    return min(n, settings.max_samples)
