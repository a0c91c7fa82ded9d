"""The exceptions of gradvar: what a caller may want to catch.

Every wrong argument raises a `ValueError` or `TypeError` that names the argument, what was given and what is
accepted. The subclasses below exist where a caller would act on the kind of error.
"""

from .core.errors import LabelError, NonFiniteError, NotApplicableError, ShapeError, TooLargeError
from .experiments.sweep.journal import UnwrittenError
from .experiments.training.along import CheckpointError
from .experiments.training.run import DivergedError
from .results.interruption import Interrupted, WorkersLostError

__all__ = [
    "CheckpointError",
    "DivergedError",
    "Interrupted",
    "LabelError",
    "NonFiniteError",
    "NotApplicableError",
    "ShapeError",
    "TooLargeError",
    "UnwrittenError",
    "WorkersLostError",
]
