"""Activations of neural networks with their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from .arguments import Array

ValueAndDerivative = Callable[[Array], tuple[Array, Array]]


def _tanh(z: Array) -> tuple[Array, Array]:
    value = np.tanh(z)
    return value, 1.0 - value * value


def _relu(z: Array) -> tuple[Array, Array]:
    step = (z > 0).astype(np.float64)
    return z * step, step


def _sigmoid(z: Array) -> tuple[Array, Array]:
    value = special.expit(z)
    return value, value * special.expit(-z)


def _gelu(z: Array) -> tuple[Array, Array]:
    cumulative = special.ndtr(z)
    return z * cumulative, cumulative + z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


KINKED = frozenset({"relu"})
"""Activations whose derivative jumps at 0."""


def settle(z: Array, slack: Array | float) -> None:
    """Put pre-activations within rounding of the kink on it, in place.

    At lattice weights <w, x> + b = 0 at many inputs, and rounding would put each on one side or the other.
    """
    np.copyto(z, 0.0, where=np.abs(z) <= slack)


ACTIVATIONS: dict[str, ValueAndDerivative] = {
    "tanh": _tanh,
    "relu": _relu,  # derivative 0 at 0
    "erf": lambda z: (special.erf(z), (2 / math.sqrt(math.pi)) * np.exp(-z * z)),
    "sigmoid": _sigmoid,
    "sin": lambda z: (np.sin(z), np.cos(z)),
    "cos": lambda z: (np.cos(z), -np.sin(z)),
    "gelu": _gelu,  # z Phi(z), the exact form
    "softplus": lambda z: (np.logaddexp(0.0, z), special.expit(z)),
    "identity": lambda z: (z, np.ones_like(z)),
}
"""Name -> function that returns the value and the derivative at z."""


def ranges(activation: str, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Return the least and the largest value of an activation, and the largest |slope|, over z in [low, high].

    Exact, but for sin and cos, which take [-1, 1] and 1, and for gelu, which takes its least value and largest slope.
    """
    sigma = ACTIVATIONS[activation]
    if activation in ("sin", "cos"):
        one = np.ones_like(low)
        return -one, one, one
    (first, _), (last, steep) = sigma(low), sigma(high)
    if activation == "gelu":  # its dip to -0.17, and its steepest slope
        return np.where(low < 0, -0.170041, first), np.maximum(first, last), np.full_like(low, 1.128905)
    if activation in ("tanh", "erf", "sigmoid"):  # steepest at 0
        steep = sigma(np.clip(0.0, low, high))[1]
    return first, last, steep
