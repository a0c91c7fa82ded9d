"""Activations and their derivatives with bounds on the rounding of each value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...core.activations import ACTIVATIONS
from ...core.arguments import Array
from ...core.numbers import Scaled

EPS = 2.0**-53
_PRECISE = ("relu", "identity", "erf", "sigmoid", "softplus")
"""Activations whose derivative is precise relative to its size."""


class Rounded(NamedTuple):
    """Values of a function, and how far each may be off, in units of 8 EPS."""

    values: Array
    moved: Array

    def mean_square(self, mass: Array, mass_error: Array | float) -> Scaled:
        """Return sum mass f^2, for masses that are known to a relative error of `mass_error`."""
        square = mass * self.values**2
        lost = 16 * EPS * np.abs(self.values) * self.moved + (8 * EPS * self.moved) ** 2
        error = float((mass * lost).sum() + ((mass_error + 64 * EPS) * square).sum())
        # Masses that underflow.
        return Scaled(float(square.sum()), error + 2.0**-1040 * float((self.values**2).sum()))


def rounded(activation: str, z: Array, size: Array | float) -> tuple[Rounded, Rounded]:
    """Return sigma(z) and sigma'(z), where z is known to 2 EPS of `size`."""
    value, slope = ACTIVATIONS[activation](z)
    moved = np.asarray(size) / 4  # of z, in units of 8 EPS
    wave = float(activation in ("sin", "cos"))
    # The derivative where it is a difference (1 - tanh^2) or crosses zero.
    floor = 0.0 if activation in _PRECISE else 1.0 + wave * moved
    return (
        Rounded(value, np.abs(value) + moved * np.maximum(np.abs(slope), wave)),
        Rounded(slope, (1 + moved * _bend(activation, z)) * np.abs(slope) + floor),
    )


def _bend(activation: str, z: Array) -> Array | float:
    """A bound on |sigma''| / |sigma'|, where sigma' does not cross zero."""
    if activation in ("erf", "gelu"):
        return np.asarray(2 * np.maximum(1.0, np.abs(z)))
    return 0.0 if activation in ("relu", "identity") else 2.0
