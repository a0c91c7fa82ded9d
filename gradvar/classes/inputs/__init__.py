"""Input distributions that all targets of a class share."""

from .base import Inputs
from .cyclic import CyclicGroup
from .finite import FinitePoints
from .gaussian import Gaussian
from .hypercube import Hypercube

__all__ = ["CyclicGroup", "FinitePoints", "Gaussian", "Hypercube", "Inputs"]
