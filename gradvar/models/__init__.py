"""Predictors p_w with closed-form gradients."""

from .base import Model
from .function import FunctionModel, from_function
from .infinite_mlp import InfiniteMLP
from .linear import Cosine, Linear
from .mlp import MLP

__all__ = ["MLP", "Cosine", "FunctionModel", "InfiniteMLP", "Linear", "Model", "from_function"]
