"""Tanh, sigmoid, softplus and their derivatives at complex arguments, between the poles next to the real line.

Precise relative to their size where they fall off exponentially, unlike 1 - tanh^2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Complex = npt.NDArray[np.complex128]


def _falling(u: Complex, rate: float) -> tuple[npt.NDArray[np.bool_], Complex]:
    """Where Re u > 0, and e^(-rate |u|) with |u| = u or -u, whichever has the positive real part."""
    right = u.real > 0
    return right, np.exp(np.where(right, -rate, rate) * u)


def _tanh(u: Complex) -> Complex:
    return np.asarray(np.tanh(u))


def _tanh_slope(u: Complex) -> Complex:
    e = _falling(u, 2.0)[1]
    return np.asarray(4.0 * e / (1.0 + e) ** 2)


def _sigmoid(u: Complex) -> Complex:
    right, e = _falling(u, 1.0)
    return np.asarray(np.where(right, 1.0, e) / (1.0 + e))


def _sigmoid_slope(u: Complex) -> Complex:
    e = _falling(u, 1.0)[1]
    return np.asarray(e / (1.0 + e) ** 2)


def _softplus(u: Complex) -> Complex:
    right, e = _falling(u, 1.0)
    # log(1 + e), precise where e is small
    log = 0.5 * np.log1p(e.real * (2.0 + e.real) + e.imag**2) + 1j * np.arctan2(e.imag, 1.0 + e.real)
    return np.asarray(np.where(right, u, 0.0) + log)


ANALYTIC: dict[tuple[str, bool], Callable[[Complex], Complex]] = {
    ("tanh", False): _tanh,
    ("tanh", True): _tanh_slope,
    ("sigmoid", False): _sigmoid,
    ("sigmoid", True): _sigmoid_slope,
    ("softplus", False): _softplus,
    ("softplus", True): _sigmoid,
}
"""(activation, whether its derivative) -> the function."""
