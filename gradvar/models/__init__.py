"""Predictors p_w with closed-form gradients."""

from .attention import Attention
from .base import Model
from .convolutional import Convolutional
from .function import FunctionModel, from_function
from .infinite_mlp import InfiniteMLP
from .jax import JaxModel, from_jax
from .linear import Cosine, Linear
from .mlp import MLP
from .recurrent import Recurrent
from .residual_mlp import ResidualMLP
from .torch import from_torch
from .weight_tied import WeightTied

__all__ = [
    "MLP",
    "Attention",
    "Convolutional",
    "Cosine",
    "FunctionModel",
    "InfiniteMLP",
    "JaxModel",
    "Linear",
    "Model",
    "Recurrent",
    "ResidualMLP",
    "WeightTied",
    "from_function",
    "from_jax",
    "from_torch",
]
