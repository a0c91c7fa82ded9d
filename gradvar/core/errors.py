"""The exceptions that a wrong argument or a wrong problem raises.

Every wrong argument raises a `ValueError` or `TypeError` that names the argument, what was given and what is
accepted. The subclasses below exist where a caller would act on the kind of error.
"""

from __future__ import annotations


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
