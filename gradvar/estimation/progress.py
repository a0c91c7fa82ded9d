"""The progress of a long computation: a tqdm bar, or the user's own function, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Never, TypeAlias

from ..core.numbers import format_number
from ..results.estimate import Estimate

if TYPE_CHECKING:
    from tqdm import tqdm

Reporter: TypeAlias = bool | Callable[[Estimate], object]
"""False for silence, True for a bar, or a function that is handed the estimate so far."""


class Progress:
    """The progress of one call; made by `progress`."""

    def __init__(self, reporter: Reporter, bar: tqdm[Never] | None) -> None:
        self.reporter, self.bar = reporter, bar

    def stage(self, title: str, work: int) -> None:
        """Begin a stage of so many units of work."""
        if self.bar is not None:
            self.bar.set_description(title, refresh=False)
            self.bar.reset(work)

    def advance(self, work: int, estimate: Callable[[], Estimate | None]) -> None:
        """Say that units of work are done, and what the estimate is now; it is computed only where it is shown."""
        shown = self.bar is not None or callable(self.reporter)
        so_far = estimate() if shown else None
        if callable(self.reporter) and so_far is not None:
            self.reporter(so_far)
        if self.bar is None:
            return
        if so_far is not None:
            low, high = so_far.mantissa_interval
            value, half = (format_number(x, so_far.exponent) for x in (so_far.mantissa, (high - low) / 2))
            self.bar.set_postfix_str(f"{so_far.n_samples:,} samples, {value} +- {half}", refresh=False)
        self.bar.update(work)


@contextmanager
def progress(reporter: Reporter) -> Iterator[Progress]:
    """Show the progress of what runs inside: with its expected time to the end of the stage, where it is a bar."""
    if reporter is not True:
        yield Progress(reporter, None)
        return
    from ..core.bars import tqdm

    with tqdm(unit="tile") as bar:
        yield Progress(reporter, bar)
