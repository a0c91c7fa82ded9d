"""Input distributions: how x is drawn, and whether it can be enumerated."""

from .base import Inputs
from .finite import FinitePoints
from .gaussian import Gaussian
from .hypercube import Hypercube

__all__ = ["FinitePoints", "Gaussian", "Hypercube", "Inputs"]
