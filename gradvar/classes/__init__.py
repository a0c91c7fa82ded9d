"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass
from .finite import FiniteClass
from .linear_periodic import LinearPeriodic
from .modular import DiscreteLog, ModularMultiples
from .parities import Parities, SparseParities
from .restriction import Restriction
from .sampled import SampledClass

__all__ = [
    "DiscreteLog",
    "FiniteClass",
    "HypothesisClass",
    "LinearPeriodic",
    "ModularMultiples",
    "Parities",
    "Restriction",
    "SampledClass",
    "SparseParities",
]
