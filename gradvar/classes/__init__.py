"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass
from .biased_parities import BiasedParities
from .finite import FiniteClass
from .linear_periodic import LinearPeriodic
from .members.target_class import Restriction
from .modular import DiscreteLog, ModularMultiples
from .orthogonal_networks import OrthogonalNetworks
from .parities import Parities, SparseParities
from .random_networks import RandomNetworks
from .sampled import SampledClass

__all__ = [
    "BiasedParities",
    "DiscreteLog",
    "FiniteClass",
    "HypothesisClass",
    "LinearPeriodic",
    "ModularMultiples",
    "OrthogonalNetworks",
    "Parities",
    "RandomNetworks",
    "Restriction",
    "SampledClass",
    "SparseParities",
]
