"""The exceptions of gradvar: what a caller may want to catch.

Every wrong argument raises a `ValueError` or `TypeError` that names the argument, what was given and what is
accepted. The subclasses below exist where a caller would act on the kind of error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .models.base import KnowsParameters
    from .results import Estimate
    from .sweeps import SweepResults
    from .training import Along, Descent

    Results: TypeAlias = SweepResults | Along | Descent[KnowsParameters] | None


class ShapeError(ValueError):
    """An array has the wrong shape, or two parts of a problem live on different input spaces."""


class LabelError(ValueError):
    """The loss does not accept the labels of the hypothesis class."""


class NonFiniteError(ValueError):
    """A weight, prediction or gradient is infinite or not a number."""


class DivergedError(NonFiniteError):
    """A descent has left the finite numbers.

    Attributes
    ----------
    results : Descent
        What was recorded before, with the last finite model.
    """

    def __init__(self, message: str, results: Descent[KnowsParameters]) -> None:
        super().__init__(message)
        self.message, self.results = message, results

    def __reduce__(self) -> tuple[type[DivergedError], tuple[str, Descent[KnowsParameters]]]:
        return type(self), (self.message, self.results)


class CheckpointError(RuntimeError):
    """An error has ended `along` after checkpoints that were finished: its `__cause__`.

    Attributes
    ----------
    results : Along
        The finished checkpoints.
    """

    def __init__(self, message: str, results: Along) -> None:
        super().__init__(message)
        self.message, self.results = message, results

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[str, Along]]:
        return type(self), (self.message, self.results)


class TooLargeError(ValueError):
    """An enumeration would not fit in the memory it may use; the message says its size and the way out."""


class NotApplicableError(ValueError):
    """A method that was asked for by name does not cover the problem; the message says why."""


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

    def __init__(self, estimate: Estimate | None, results: Results = None) -> None:
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

    def __reduce__(self) -> tuple[type[Interrupted], tuple[Estimate | None, Results]]:
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
def handing_back(so_far: Callable[[], Estimate | None]) -> Iterator[None]:
    """Hand back what there is of an estimate when Ctrl-C ends it or its workers die."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(so_far()) from None
    except BrokenExecutor as error:
        message = error.message if isinstance(error, WorkersLostError) else str(error)
        raise WorkersLostError(message, so_far()) from error
