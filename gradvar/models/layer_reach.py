r"""How far layers and their gradients reach over all inputs: a box and a ball, pushed through the network.

For l_j <= a_j <= h_j and ||a|| <= R, and z = W a + b,

    z_i - b_i <= sum_j max(W_ij l_j, W_ij h_j),       |z_i - b_i| <= ||W_i|| R,       ||z|| <= ||W||_2 R + ||b||,

and sigma(z_i) lies between its extremes over that interval; ||sigma(z)|| <= |sigma(0)| m^(1/2) + sup|sigma'| ||z||, by
the mean value theorem. The gradient delta_l = dp/dz_l goes backward in the same way: with s_i = sup|sigma'(z_i)| over
the interval of unit i, delta_l = D_l W_{l+1}^T delta_{l+1} and |D_l| <= diag(s), so that |delta_l| and ||delta_l|| are
at most what the linear map diag(s) W_{l+1}^T makes of a box and a ball around 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..core.activations import ACTIVATIONS, over_intervals
from ..core.arguments import Array
from ..core.reach import Reach

ALLOWANCE = 1 + 1e-9
"""For the rounding of a bound, and of the gradients that it is held against."""
_WORK = 2**30
"""Multiplications that a spectral norm may take: about a tenth of a second."""
_TOGETHER = frozenset(ACTIVATIONS) - {"relu6", "sigmoid", "gelu"}
"""Activations for which c sigma'^2 + sigma^2 is largest where sigma or sigma' turns, or at an end, for every c >= 0."""


class LayerReach(NamedTuple):
    """Values sigma(z) and slopes sigma'(z) of a layer, (k, m) each, with the extremes among them; and its reach."""

    values: Array
    slopes: Array
    output: Reach

    @property
    def steepest(self) -> Array:
        """sup |sigma'| of each unit, shape (m,)."""
        return np.asarray(np.abs(self.slopes).max(axis=0))

    def squares(self, weights: Array, activation: str) -> float:
        """A bound on the sum of weights_i sigma'(z_i)^2 + sigma(z_i)^2 over the units."""
        # tanh: c (1 - t^2)^2 + t^2 is convex in t^2;  erf: erf(z) e^(z^2)/z increases in |z|, so that the sum falls and
        # then rises;  sin, cos: linear in sin^2;  relu, softplus, identity: both squares are monotone where they count
        steep, large = product(weights, self.slopes**2), self.values**2
        by_unit = (steep + large).max(axis=0) if activation in _TOGETHER else steep.max(axis=0) + large.max(axis=0)
        return float(min(by_unit.sum(), steep.max(axis=0).sum() + self.output.norm**2))


def product(a: Array | float, b: Array | float) -> Array:
    """Return the product where one may be infinite: 0 where the other is 0."""
    with np.errstate(invalid="ignore"):
        return np.where(np.equal(a, 0) | np.equal(b, 0), 0.0, np.multiply(a, b))


def affine(reach: Reach, weights: Array, bias: Array | None = None) -> Reach:
    """Return how far W a + b reaches, its rounding included."""
    offset = np.zeros(weights.shape[0]) if bias is None else bias
    ends = product(weights, reach.low), product(weights, reach.high)
    ball = product(np.linalg.norm(weights, axis=1), reach.norm)
    slack = (weights.shape[1] + 2) * float(np.finfo(np.float64).eps) * (ball + np.abs(offset))
    low = offset + np.maximum(np.minimum(*ends).sum(axis=1), -ball) - slack
    high = offset + np.minimum(np.maximum(*ends).sum(axis=1), ball) + slack
    return Reach(low, high, float(product(_spectral(weights), reach.norm)) + float(np.linalg.norm(offset)))


def activated(z: Reach, activation: str) -> LayerReach:
    """Return what sigma(z) and its slope can be."""
    values, slopes = over_intervals(activation, z.low, z.high)
    (at_zero,), _ = ACTIVATIONS[activation](np.zeros(1))
    _, anywhere = over_intervals(activation, np.array([-np.inf]), np.array([np.inf]))
    norm = abs(at_zero) * math.sqrt(z.low.size) + float(np.abs(anywhere).max()) * z.norm
    return LayerReach(values, slopes, Reach(values.min(axis=0), values.max(axis=0), norm))


def steepened(delta: Reach, slopes: Array) -> Reach:
    """Return how far D delta reaches, delta in a box around 0 and |D| <= diag(slopes)."""
    low, high = product(slopes, delta.low), product(slopes, delta.high)
    return Reach(low, high, float(product(slopes.max(), delta.norm)))


def around_zero(sizes: Array) -> Reach:
    """Return the reach of a vector with |x_i| <= sizes_i."""
    return Reach(-sizes, sizes)


def _spectral(weights: Array) -> float:
    """||W||_2, or where that takes too long the least of two bounds on it."""
    absolute = np.abs(weights)
    if min(weights.shape) * weights.size <= _WORK:
        # ||W||_2^2 is the largest eigenvalue of W W^T or W^T W, the smaller of the two
        largest = float(absolute.max()) or 1.0
        scaled = (weights if weights.shape[0] <= weights.shape[1] else weights.T) / largest
        return largest * math.sqrt(float(np.linalg.eigvalsh(scaled @ scaled.T)[-1]))
    rows_and_columns = math.sqrt(float(absolute.sum(axis=0).max() * absolute.sum(axis=1).max()))
    return min(float(np.linalg.norm(weights)), rows_and_columns)
