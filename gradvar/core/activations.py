"""Activations of neural networks with their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import special

from .arguments import Array, real
from .errors import ShapeError

ValueAndDerivative = Callable[[Array], tuple[Array, Array]]


def _tanh(z: Array) -> tuple[Array, Array]:
    value = np.tanh(z)
    return value, 1.0 - value * value


def _relu(z: Array) -> tuple[Array, Array]:
    step = (z > 0).astype(np.float64)
    return z * step, step


def _relu6(z: Array) -> tuple[Array, Array]:
    return np.clip(z, 0.0, 6.0), ((z > 0) & (z < 6)).astype(np.float64)


def _sigmoid(z: Array) -> tuple[Array, Array]:
    value = special.expit(z)
    return value, value * special.expit(-z)


def _gelu(z: Array) -> tuple[Array, Array]:
    cumulative = special.ndtr(z)
    return z * cumulative, cumulative + z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


KINKED = {"relu": (0.0,), "relu6": (0.0, 6.0)}
"""Activations whose derivative jumps, and where."""


def settle(z: Array, slack: Array | float, activation: Activation) -> None:
    """Put pre-activations within rounding of a kink on it, in place.

    At lattice weights <w, x> + b = 0 at many inputs, and rounding would put each on one side or the other.
    """
    for kink in kinks(activation):
        np.copyto(z, kink, where=np.abs(z - kink if kink else z) <= slack)


def kinks(activation: Activation) -> tuple[float, ...]:
    """Where the derivative of an activation is known to jump."""
    return KINKED.get(activation, ()) if isinstance(activation, str) else ()


ACTIVATIONS: dict[str, ValueAndDerivative] = {
    "tanh": _tanh,
    "relu": _relu,  # derivative 0 at 0
    "relu6": _relu6,  # derivative 0 at 0 and at 6
    "erf": lambda z: (special.erf(z), (2 / math.sqrt(math.pi)) * np.exp(-z * z)),
    "sigmoid": _sigmoid,
    "sin": lambda z: (np.sin(z), np.cos(z)),
    "cos": lambda z: (np.cos(z), -np.sin(z)),
    "gelu": _gelu,  # z Phi(z), the exact form
    "softplus": lambda z: (np.logaddexp(0.0, z), special.expit(z)),
    "identity": lambda z: (z, np.ones_like(z)),
}
"""Name -> function that returns the value and the derivative at z."""
CLOSED_FORMS = frozenset(ACTIVATIONS) - {"relu6"}
"""Activations that the theorems on one hidden layer know."""


@dataclass(frozen=True, eq=False, repr=False)
class FunctionPair:
    """An activation given as two functions of an array, sigma and sigma': nothing else is known of it."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]

    def __repr__(self) -> str:
        value, slope = (getattr(f, "__name__", type(f).__name__) for f in (self.value, self.slope))
        return f"({value}, {slope})"

    def __call__(self, z: Array) -> tuple[Array, Array]:
        """Return the value and the slope at z, or raise a `ShapeError` unless they have its shape."""
        found = real(f"activation[0] of {self}", self.value(z)), real(f"activation[1] of {self}", self.slope(z))
        for i, array in enumerate(found):
            if array.shape != z.shape:
                raise ShapeError(f"`activation[{i}]` of {self} must return shape {z.shape}, as z, got {array.shape}")
        return found


Activation: TypeAlias = str | FunctionPair


def value_and_slope(activation: Activation) -> ValueAndDerivative:
    """Return the function from z to the value and the derivative there."""
    return ACTIVATIONS[activation] if isinstance(activation, str) else activation


_TURNS = {
    "relu6": (3.0,),
    "tanh": (0.0,),
    "erf": (0.0,),
    "sigmoid": (0.0,),
    "gelu": (-math.sqrt(2), -0.7517915246935645, math.sqrt(2)),
}
"""Where the value or the slope has an extremum; sin and cos have theirs at the multiples of pi/2."""


def over_intervals(activation: str, low: Array, high: Array) -> tuple[Array, Array]:
    """Return values and slopes at z between `low` and `high`, (k, m) each, their extremes over [low, high] among them.

    These are at an end of the interval, or where it holds one at a point where the value or the slope turns.
    """
    largest = 1e150  # squares are finite, and the activations are what they are at infinity
    low, high = np.clip(low, -largest, largest), np.clip(high, -largest, largest)
    if activation in ("sin", "cos"):
        # where an interval is long, or so far out that rounding counts, a whole period
        whole = (high - low >= 2 * math.pi) | (np.maximum(np.abs(low), np.abs(high)) > 1e6)
        low, high = np.where(whole, 0.0, low), np.where(whole, 2 * math.pi, high)
        turns = (np.ceil(low / (math.pi / 2)) + np.arange(4)[:, None]) * (math.pi / 2)
    else:
        turns = np.array(_TURNS.get(activation, ()))[:, None]
    with np.errstate(under="ignore", over="ignore"):
        return ACTIVATIONS[activation](np.vstack([low, high, np.clip(turns, low, high)]))
