"""The exceptions of Ctrl-C and of lost workers, which carry the estimate so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager

from .estimate import Estimate


class Interrupted(KeyboardInterrupt):
    """Ctrl-C arrived in the middle of an estimate, of a sweep, or of a training run.

    Attributes
    ----------
    estimate : Estimate or None
        The estimate from the samples that were finished; None when nothing was.
    results : SweepResults, Along, Descent or None
        Of a sweep, the records so far, the estimate's among them; of `along`, the checkpoints that were finished; of
        `descend`, the steps that were; else None.
    """

    def __init__(self, estimate: Estimate | None, results: object = None) -> None:
        parts = ["interrupted"]
        if results is not None:
            parts.append(repr(results))
        if estimate is not None:
            parts.append(f"{'' if results is None else 'of the last, '}so far: {estimate!r}")
        elif results is None:
            parts.append("nothing was finished")
        super().__init__("; ".join(parts))
        self.estimate = estimate
        self.results = results

    def __reduce__(self) -> tuple[type[Interrupted], tuple[Estimate | None, object]]:
        return type(self), (self.estimate, self.results)


class WorkersLostError(BrokenExecutor):
    """Workers died, and with them the executor, in the middle of an estimate.

    Attributes
    ----------
    estimate : Estimate or None
        The estimate from the samples that were finished; None when nothing was.
    """

    def __init__(self, message: str, estimate: Estimate | None) -> None:
        super().__init__(f"{message}; {'nothing was finished' if estimate is None else f'so far: {estimate!r}'}")
        self.message, self.estimate = message, estimate

    def __reduce__(self) -> tuple[type[WorkersLostError], tuple[str, Estimate | None]]:
        return type(self), (self.message, self.estimate)


@contextmanager
def attach_estimate(so_far: Callable[[], Estimate | None]) -> Iterator[None]:
    """Attach the estimate so far to the exception when Ctrl-C ends a computation or its workers die."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(so_far()) from None
    except BrokenExecutor as error:
        message = error.message if isinstance(error, WorkersLostError) else str(error)
        raise WorkersLostError(message, so_far()) from error
