"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass
from .biased_parities import BiasedParities
from .finite import FiniteClass
from .linear_periodic import LinearPeriodic
from .modular import DiscreteLog, ModularMultiples
from .orthogonal_networks import OrthogonalNetworks
from .parities import Parities, SparseParities
from .planted_parities import PlantedParities
from .random_networks import RandomNetworks
from .restriction import Restriction
from .sampled import SampledClass
from .task_restriction import TaskRestriction
from .tasks import TaskClass

__all__ = [
    "BiasedParities",
    "DiscreteLog",
    "FiniteClass",
    "HypothesisClass",
    "LinearPeriodic",
    "ModularMultiples",
    "OrthogonalNetworks",
    "Parities",
    "PlantedParities",
    "RandomNetworks",
    "Restriction",
    "SampledClass",
    "SparseParities",
    "TaskClass",
    "TaskRestriction",
]
