r"""E sigma(u)^2, E sigma'(u)^2 and E[sigma'(u)^2 z^2] of one hidden unit, u = s z + b, z ~ N(0, 1).

The integrands are smooth on the scale of 1 in z, and on that of 1 in u but for the kink at 0: Gauss-Legendre on panels
that end at all integers z, |z| <= 38 (the density is 1e-314 there), and at all integers u near 0, beyond which
activations are flat or straight. The poles of tanh, at distance pi/2 from a panel of length 1, leave 6^-40 with 20
nodes. All terms are positive. Waves, which are nowhere flat, in closed form: E e^(2iu) = e^(2ib - 2 s^2).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ....core.arguments import Array
from ....core.numbers import Scaled
from ..rounded import EPS, rounded

_FARTHEST = 38.0
_FLAT = 45.0
"""|u| beyond which sigma' is constant to 1e-19."""


def unit_norms(activation: str, norm: float, bias: float) -> tuple[Scaled, Scaled, Scaled]:
    """Return E sigma^2, E sigma'^2 and E[sigma'^2 z^2] with their errors, for s = `norm` and b = `bias`."""
    if activation in ("sin", "cos"):
        return _waves(activation, norm, bias)
    z, weights = _nodes(norm, bias)
    u = np.asarray(norm * z + bias)
    mass = weights * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    sigma, slope = rounded(activation, u, np.abs(norm * z) + abs(bias))
    # z is known to EPS of itself, and the density moves by z times that; beyond 32 it is steep for 20 nodes.
    lost = 4 * EPS * (z * z + 4) + 1e-7 * (np.abs(z) > 32)
    return sigma.mean_square(mass, lost), slope.mean_square(mass, lost), slope.mean_square(mass * z * z, lost)


def _waves(activation: str, norm: float, bias: float) -> tuple[Scaled, Scaled, Scaled]:
    """cos^2 u = (1 + cos 2u)/2, and E[z^2 cos 2u] = (1 - 4 s^2) e^(-2 s^2) cos 2b."""
    sign = 1.0 if activation == "cos" else -1.0
    fall = math.exp(-2 * norm * norm) if norm < 30 else 0.0
    turned = sign * math.cos(2 * bias) * fall
    off = EPS * (8 + 4 * abs(bias) * fall + 16 * norm * norm * fall * (1 + 4 * norm * norm))
    pieces = 1 + turned, 1 - turned, 1 - (1 - 4 * norm * norm) * turned
    value, slope, moment = (Scaled(max(piece / 2, 0.0), off) for piece in pieces)
    return value, slope, moment


def _nodes(norm: float, bias: float) -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Legendre on all panels."""
    ends = np.arange(-_FARTHEST, _FARTHEST + 1)
    if norm > 0:
        with np.errstate(over="ignore"):
            flat = (np.arange(-_FLAT, _FLAT + 1) - bias) / norm
        ends = np.unique(np.concatenate([ends, flat[np.abs(flat) < _FARTHEST]]))
    nodes, weights = _legendre()
    half = 0.5 * np.diff(ends)
    middle = 0.5 * (ends[1:] + ends[:-1])
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


@lru_cache(maxsize=1)
def _legendre() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(20)
    return np.asarray(nodes), np.asarray(weights)
