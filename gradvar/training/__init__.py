"""Training runs: a small trainer for the library's models, and the gradient variance along any run."""

from .checkpoints import Along, along
from .results import Descent
from .run import descend

__all__ = ["Along", "Descent", "along", "descend"]
