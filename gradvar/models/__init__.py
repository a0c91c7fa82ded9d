"""Predictors p_w with closed-form gradients."""

from .base import Model
from .function import FunctionModel, from_function
from .infinite_mlp import InfiniteMLP
from .jax import JaxModel, from_jax
from .linear import Cosine, Linear
from .mlp import MLP
from .torch import from_torch

__all__ = [
    "MLP",
    "Cosine",
    "FunctionModel",
    "InfiniteMLP",
    "JaxModel",
    "Linear",
    "Model",
    "from_function",
    "from_jax",
    "from_torch",
]
