"""Ways to evaluate the gradient variance."""

from .base import Method
from .closed_form import ClosedForm
from .enumeration.enumeration import Enumeration
from .monte_carlo.monte_carlo import MonteCarlo

__all__ = ["ClosedForm", "Enumeration", "Method", "MonteCarlo"]
