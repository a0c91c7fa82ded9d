"""The exceptions of gradvar: what a caller may want to catch.

Every wrong argument raises a `ValueError` or `TypeError` that names the argument, what was given and what is
accepted. The subclasses below exist where a caller would act on the kind of error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .results import Estimate
    from .sweeps import SweepResults


class ShapeError(ValueError):
    """An array has the wrong shape, or two parts of a problem live on different input spaces."""


class LabelError(ValueError):
    """The loss does not accept the labels of the hypothesis class."""


class NonFiniteError(ValueError):
    """A weight, prediction or gradient is infinite or not a number."""


class TooLargeError(ValueError):
    """An enumeration would not fit in the memory it may use; the message says its size and the way out."""


class NotApplicableError(ValueError):
    """A method that was asked for by name does not cover the problem; the message says why."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C arrived in the middle of an estimate, or of a sweep.

    Attributes
    ----------
    estimate : Estimate or None
        The estimate from the samples that were finished; None when nothing was.
    results : SweepResults or None
        Of a sweep, the records so far, the estimate's among them; else None.
    """

    def __init__(self, estimate: Estimate | None, results: SweepResults | None = None) -> None:
        done = "nothing was finished" if estimate is None else f"so far: {estimate!r}"
        super().__init__(
            f"interrupted; {done}" if results is None else f"interrupted; {results!r}; of the last, {done}"
        )
        self.estimate = estimate
        self.results = results

    def __reduce__(self) -> tuple[type[Interrupted], tuple[Estimate | None, SweepResults | None]]:
        return type(self), (self.estimate, self.results)
