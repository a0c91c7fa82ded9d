r"""Dual activations: the Gaussian expectations that the infinite-width limit of a network consists of.

For (z, z') centred Gaussian with variances v, v' and covariance c

    relu:  E[s s'] = (vv')^{1/2} ((1 - u^2)^{1/2} + u (pi - arccos u)) / 2pi,      E[s_1 s_1'] = (pi - arccos u) / 2pi,
           u = c / (vv')^{1/2}                                          (Cho and Saul 2009: the arc-cosine kernels),
    erf:   E[s s'] = (2/pi) arcsin t,      E[s_1 s_1'] = (4/pi) ((1 + 2v)(1 + 2v') - 4 c^2)^{-1/2},
           t = 2c / ((1 + 2v)(1 + 2v'))^{1/2}                                                       (Williams 1998),

with s = sigma(z) and s_1 = sigma'(z). As functions of c they are power series with coefficients that are not negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core.arguments import Array
from ..kernels.power_series import integral_of_product, inverse_root

Pair = tuple[Array, Array]


@dataclass(frozen=True)
class DualActivation:
    """The two expectations of an activation, E[s s'] and E[s_1 s_1'].

    Attributes
    ----------
    at : callable
        (v, v', c), arrays that broadcast -> both expectations.
    series : callable
        (v, coefficients of c as a power series) at v = v' -> those of both expectations.
    largest : callable
        v -> the covariance at which the series in c stops converging.
    """

    at: Callable[[Array, Array, Array], Pair]
    series: Callable[[float, Array], Pair]
    largest: Callable[[float], float]


def _relu(v: Array, v2: Array, c: Array) -> Pair:
    norm = np.sqrt(v * v2)
    moves = norm > 0  # z = 0 gives relu = 0 and slope 0
    u = np.clip(c / np.where(moves, norm, 1.0), -1.0, 1.0)
    slopes = np.arccos(-u) / (2 * math.pi)
    values = norm * (np.sqrt((1 - u) * (1 + u)) / (2 * math.pi) + u * slopes)
    return values, np.where(moves, slopes, 0.0)


def _relu_series(v: float, c: Array) -> Pair:
    u = c / v
    start = math.asin(u[0])
    angle = integral_of_product(u, inverse_root(u))
    angle[0] = start
    # (1 - u^2)^(1/2) + u arcsin u has derivative u' arcsin u.
    values = integral_of_product(u, angle)
    values[0] = math.sqrt((1 - u[0]) * (1 + u[0])) + u[0] * start
    slopes = angle / (2 * math.pi)
    slopes[0] += 0.25
    return v * (u / 4 + values / (2 * math.pi)), slopes


def _erf(v: Array, v2: Array, c: Array) -> Pair:
    # The root of (1 + 2v)(1 + 2v') - 4c^2, without cancellation at v = v' = c.
    middle = np.sqrt(v * v2)
    root = np.sqrt(1 + 2 * (v + v2) + 4 * (middle - c) * (middle + c))
    return 2 / math.pi * np.arctan2(2 * c, root), 4 / math.pi / root


def _erf_series(v: float, c: Array) -> Pair:
    t = 2 * c / (1 + 2 * v)
    root = inverse_root(t)
    values = integral_of_product(t, root)
    values[0] = math.asin(t[0])
    return 2 / math.pi * values, 4 / math.pi / (1 + 2 * v) * root


DUALS: dict[str, DualActivation] = {
    "relu": DualActivation(_relu, _relu_series, lambda v: v),
    "erf": DualActivation(_erf, _erf_series, lambda v: v + 0.5),
}
"""Name -> dual activation, for the activations whose expectations have closed forms."""
