"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass
from .finite import FiniteClass
from .linear_periodic import LinearPeriodic
from .parities import Parities, SparseParities
from .restriction import Restriction

__all__ = ["FiniteClass", "HypothesisClass", "LinearPeriodic", "Parities", "Restriction", "SparseParities"]
