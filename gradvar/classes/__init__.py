"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass
from .biased_parities import BiasedParities
from .finite import FiniteClass
from .linear_periodic import LinearPeriodic
from .parities import Parities, SparseParities

__all__ = ["BiasedParities", "FiniteClass", "HypothesisClass", "LinearPeriodic", "Parities", "SparseParities"]
