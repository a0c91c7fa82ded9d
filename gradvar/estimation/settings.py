"""How a number is to be computed: one value that travels from the verbs to the methods."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import SupportsFloat, SupportsIndex

from ..core.arguments import SeedLike, flag, integer, number, seed_of
from .progress import Reporter


@dataclass(frozen=True)
class Settings:
    """Accuracy, budget, randomness and workers of one call.

    Attributes
    ----------
    rtol : float
        Half width of the interval, relative to the value, at which sampling may stop. 0 spends the whole budget.
    confidence : float
        Coverage of the intervals, in (0, 1).
    max_samples : int
        The most inputs that a reported estimate rests on.
    max_work : float
        The most multiplications that a pilot and the sample after it take; inf where the caller said how many samples.
    seed : int
        Root of every random stream.
    executor : concurrent.futures.Executor or None
        Where tiles of work run; None is a thread pool over the cores of the machine.
    progress : bool or callable
        Whether to show a progress bar; or a function that is handed the estimate so far.
    """

    rtol: float
    confidence: float
    max_samples: int
    seed: int
    executor: Executor | None
    progress: Reporter
    max_work: float = math.inf

    @classmethod
    def checked(
        cls,
        rtol: SupportsFloat,
        confidence: SupportsFloat,
        max_samples: SupportsIndex | None,
        rng: SeedLike,
        executor: Executor | None,
        progress: Reporter,
    ) -> Settings:
        """Validate the keyword arguments that the verbs share."""
        tolerance = number("rtol", rtol, "a number from 0 to 1 (0.1 is ten percent)", lambda found: 0 <= found <= 1)
        accepted = "a number strictly between 0 and 1 (such as 0.95)"
        level = number("confidence", confidence, accepted, lambda found: 0 < found < 1)
        check_executor(executor)
        samples = MAX_SAMPLES if max_samples is None else min(integer("max_samples", max_samples, 4), 2**53)
        shown = progress if callable(progress) else flag("progress", progress, "True, False or a function")
        # Samples that were asked for by their number, or by rtol=0, are drawn whatever they cost.
        work = MAX_WORK if max_samples is None and tolerance > 0 else math.inf
        return cls(tolerance, level, samples, seed_of(rng), executor, shown, work)

    @property
    def quantile(self) -> float:
        """The two-sided normal quantile of `confidence`."""
        from scipy.special import ndtri

        return float(ndtri(0.5 + self.confidence / 2))

    @property
    def one_sided_quantile(self) -> float:
        """The one-sided normal quantile of `confidence`."""
        from scipy.special import ndtri

        return float(ndtri(self.confidence))


def check_executor(executor: object) -> None:
    """Raise an error unless this is an executor that takes work, or None."""
    if executor is None:
        return
    accepted = "`executor` must be a concurrent.futures.Executor or None"
    if isinstance(executor, type) or not hasattr(executor, "submit"):
        raise TypeError(f"{accepted}, got {executor!r}")
    # Pools of threads and of processes remember it so; of others it shows where they are first asked for work.
    if getattr(executor, "_shutdown", False) is True or getattr(executor, "_shutdown_thread", False) is True:
        raise ValueError(
            f"{accepted}, got {executor!r}, which is shut down: make a new one, or call inside of its `with` block"
        )


MAX_SAMPLES = 2**16
MAX_WORK = 2.0**33
"""Multiplications, about a nanosecond each on one core, that a call takes unless it is told to take more."""
