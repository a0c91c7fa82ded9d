"""Hypothesis classes: the sets H of target functions."""

from .base import HypothesisClass as HypothesisClass
from .biased_parities import BiasedParities as BiasedParities
from .finite import FiniteClass as FiniteClass
from .linear_periodic import LinearPeriodic as LinearPeriodic
from .members.target_class import Noisy as Noisy
from .members.target_class import OnPoints as OnPoints
from .members.target_class import Restriction as Restriction
from .modular import DiscreteLog as DiscreteLog
from .modular import ModularMultiples as ModularMultiples
from .modular_addition import ModularAddition as ModularAddition
from .orthogonal_networks import OrthogonalNetworks as OrthogonalNetworks
from .parities import Parities as Parities
from .parities import SparseParities as SparseParities
from .random_labels import RandomLabels as RandomLabels
from .random_networks import RandomNetworks as RandomNetworks
from .sampled import SampledClass as SampledClass
