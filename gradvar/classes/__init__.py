"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass
from .finite import FiniteClass
from .parities import Parities, SparseParities

__all__ = ["FiniteClass", "HypothesisClass", "Parities", "SparseParities"]
