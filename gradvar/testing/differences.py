r"""Derivatives of a user's function by differences, with the errors that they may have.

D(h) = (f(h) - f(-h))/(2h) has an error of h^2 f'''/6; R = (4 D(h/2) - D(h))/3 has one of order h^4, so that
2 |D(h) - D(h/2)| is far more than its error, and the rounding of f adds at most 2 eps |f|/h times the number of
roundings in f (64 are allowed for). At a kink the one-sided differences stay apart as h is halved, where they come
together for a smooth f: such entries have no derivative, and are left out. A function that accepts complex arguments
has the complex step, f'(0) = Im f(i h)/h, without cancellation: it is taken where it lies in the interval of the
central difference (it does not where the function takes absolute values, say).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from .checks import CheckFailed
from .comparison import ROUNDING

_EPS = float(np.finfo(np.float64).eps)
_COMPLEX_STEP = 1e-150


@dataclass(frozen=True)
class Derivative:
    """Values f'(0), the error that each may have, and which of them are no derivatives but kinks."""

    value: Array
    error: Array
    kink: npt.NDArray[np.bool_]
    how: str


def derivative(function: Callable[[complex], object], step: float) -> Derivative:
    """Differentiate t -> f(t), shape (n,), at 0.

    Parameters
    ----------
    function : callable
        f of a real number; where it accepts an imaginary one, that is used.
    step : float
        h: small where f bends, and no smaller.
    """
    plus, minus, centre, plus2, minus2 = (_real(function(t)) for t in (step, -step, 0.0, step / 2, -step / 2))
    # D(h), D(h/2) and R = (4 D(h/2) - D(h))/3
    coarse, fine = (plus - minus) / (2 * step), (plus2 - minus2) / step
    value = (4 * fine - coarse) / 3
    size = np.max(np.abs([plus, minus, plus2, minus2, centre]), axis=0)
    noise = 64 * _EPS * size / step
    error = 2 * np.abs(coarse - fine) + 4 * noise
    # The one-sided differences differ by h |f''| where f is smooth, by the jump of the slope at a kink.
    bend = np.abs(plus - 2 * centre + minus) / step
    bend2 = np.abs(plus2 - 2 * centre + minus2) / (step / 2)
    kink = bend2 > 0.6 * bend + 8 * noise
    exact = _complex_step(function, centre)
    if exact is None or (np.abs(exact - value) > error)[~kink].any():
        return Derivative(value, error, kink, "central differences")
    tight = np.minimum(error, ROUNDING * (np.abs(exact) + size))
    return Derivative(np.where(kink, value, exact), np.where(kink, error, tight), kink, "the complex step")


def _real(values: object) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise CheckFailed(f"a function of real numbers must be real, got dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def _complex_step(function: Callable[[complex], object], centre: Array) -> Array | None:
    """f'(0) = Im f(i h)/h; None where f is no function of complex numbers."""
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(function(1j * _COMPLEX_STEP))
    except Exception:  # the function is not one of complex numbers
        return None
    if found.dtype.kind != "c" or found.shape != centre.shape or not np.isfinite(found).all():
        return None
    return np.asarray(found.imag / _COMPLEX_STEP, dtype=np.float64)
