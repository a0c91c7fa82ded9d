"""Sweeps: many problems, their records, and the file they are kept in."""

from .problems import NamedProblem, grid
from .results import SweepResults
from .run import sweep

__all__ = ["NamedProblem", "SweepResults", "grid", "sweep"]
