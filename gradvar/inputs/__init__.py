"""Input distributions: how x is drawn, and whether it can be enumerated."""

from .base import Inputs
from .cyclic import CyclicGroup
from .finite import FinitePoints
from .gaussian import Gaussian
from .hypercube import Hypercube

__all__ = ["CyclicGroup", "FinitePoints", "Gaussian", "Hypercube", "Inputs"]
