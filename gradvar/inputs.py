"""Input distributions: how x is drawn, and whether it can be enumerated."""

from .classes.inputs import CyclicGroup, FinitePoints, Gaussian, Hypercube, Inputs
from .tasks.mixture import Mixture
from .tasks.planted_cube import PlantedCube

__all__ = ["CyclicGroup", "FinitePoints", "Gaussian", "Hypercube", "Inputs", "Mixture", "PlantedCube"]
