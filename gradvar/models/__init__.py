"""Predictors p_w with closed-form gradients."""

from . import constructions
from .adapters.function import FunctionModel, from_function
from .adapters.jax import JaxModel, from_jax
from .adapters.torch import from_torch
from .attention import Attention
from .base import Model
from .convolutional import Convolutional
from .infinite_mlp import InfiniteMLP
from .linear import Cosine, Linear
from .mlp import MLP
from .recurrent import Recurrent
from .residual_mlp import ResidualMLP
from .trainable import Trainable, trainable
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
    "Trainable",
    "WeightTied",
    "constructions",
    "from_function",
    "from_jax",
    "from_torch",
    "trainable",
]
