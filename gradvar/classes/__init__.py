"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass
from .finite import FiniteClass
from .linear_periodic import LinearPeriodic
from .modular import DiscreteLog, ModularMultiples
from .parities import Parities, SparseParities
from .planted_parities import PlantedParities
from .sampled import SampledClass
from .tasks import TaskClass

__all__ = [
    "DiscreteLog",
    "FiniteClass",
    "HypothesisClass",
    "LinearPeriodic",
    "ModularMultiples",
    "Parities",
    "PlantedParities",
    "SampledClass",
    "SparseParities",
    "TaskClass",
]
