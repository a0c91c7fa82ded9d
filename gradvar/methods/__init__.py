"""Ways to evaluate the gradient variance; `Auto` picks one."""

from .auto import Auto, Choice
from .base import Method
from .closed_form import ClosedForm
from .enumeration import Enumeration
from .monte_carlo import MonteCarlo

__all__ = ["Auto", "Choice", "ClosedForm", "Enumeration", "Method", "MonteCarlo"]
