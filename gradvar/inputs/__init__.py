"""Input distributions: how x is drawn, and whether it can be enumerated."""

from .base import Inputs
from .cyclic import CyclicGroup
from .finite import FinitePoints
from .gaussian import Gaussian
from .hypercube import Hypercube
from .mixture import Mixture
from .planted_cube import PlantedCube

__all__ = ["CyclicGroup", "FinitePoints", "Gaussian", "Hypercube", "Inputs", "Mixture", "PlantedCube"]
