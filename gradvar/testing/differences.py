r"""Derivatives of a user's function by differences, with the errors that they may have.

D(h) = (f(h) - f(-h))/(2h) has an error of h^2 f'''/6, R = (4 D(h/2) - D(h))/3 one of order h^4, so that
2 |D(h) - D(h/2)| is far more than the error of R. Rounding adds at most n/h, where f comes with an error of n/4: 64
roundings of |f| and of the terms that it sums. Steps start at size eps^(1/4), about where the two are alike.

A step says something where D(h) and D(h/2) agree to three digits, or to rounding. Where they do not, f bends within
the step (a saturated unit, seen from far away, is a jump, and D grows like 1/h): smaller steps follow, down to where
rounding is all there is, and the smallest step that says something else than the ones before it is right. At a kink
the one-sided differences stay apart by the same jump at two steps: there is no derivative. Where no step says
anything, the derivative cannot be told.

A function that accepts complex arguments has the complex step, f'(0) = Im f(i h)/h, without cancellation: it is taken
where it lies in the interval of the differences (it does not where the function takes absolute values, say).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from .checks import CheckFailed
from .comparison import ROUNDING

UNIT = 2.0**-53
"""The unit roundoff of float64."""
_ROUNDINGS = 64
_COMPLEX_STEP = 1e-150
_NEAR = 2.0**-8
"""Steps, in absolute terms, from which on what agrees is not looked at any closer."""


@dataclass(frozen=True)
class Derivative:
    """Values f'(0), the error that each may have (infinite where it cannot be told), and which are kinks instead."""

    value: Array
    error: Array
    kink: npt.NDArray[np.bool_]
    how: str


def derivative(
    function: Callable[[complex], object],
    claim: Array,
    *,
    size: float = 1.0,
    terms: Array | float = 0.0,
    unit: float = UNIT,
) -> Derivative:
    """Differentiate t -> f(t), shape (n,), at 0, closely enough to tell whether that is the claim, shape (n,).

    Parameters
    ----------
    function : callable
        f of a real number; where it accepts an imaginary one, that is used.
    claim : array of shape (n,)
        What the derivative is said to be: where the differences agree, no smaller step is taken.
    size : float
        Of what t is added to.
    terms : float or array of shape (n,)
        The size of what f sums, beside |f|.
    unit : float
        The unit roundoff of what f computes in.
    """
    centre = _real(function(0.0))
    rounding = 4 * _ROUNDINGS * unit * (np.abs(centre) + terms)
    value, error = np.zeros(centre.shape), np.full(centre.shape, np.inf)
    kink, pending, jump = (
        np.zeros(centre.shape, np.bool_),
        np.ones(centre.shape, np.bool_),
        np.full(centre.shape, np.nan),
    )
    step = size * unit**0.25
    while pending.any() and step > 256 * unit * size:
        plus, minus, plus2, minus2 = (_real(function(t)) for t in (step, -step, step / 2, -step / 2))
        # D(h), D(h/2) and R = (4 D(h/2) - D(h))/3
        coarse, fine = (plus - minus) / (2 * step), (plus2 - minus2) / step
        found, largest = (4 * fine - coarse) / 3, np.maximum(np.abs(coarse), np.abs(fine))
        gap = 2 * np.abs(coarse - fine)
        # What t is added to rounds t as well.
        noise = (rounding + 2 * unit * size * largest) / step
        # The one-sided differences differ by h |f''| where f is smooth, by the jump of the slope at a kink.
        bend = np.abs(plus - 2 * centre + minus) / step
        bend2 = np.abs(plus2 - 2 * centre + minus2) / (step / 2)
        smooth = bend2 <= 0.6 * bend + 2 * noise
        says = smooth & (gap <= 1e-3 * largest + noise)
        off = gap + noise
        new = pending & says & (np.isinf(error) | (np.abs(found - value) > off + error))
        value, error = np.where(new, found, value), np.where(new, off, error)
        kink |= pending & ~smooth & (np.abs(bend2 - jump) <= 1e-2 * bend2) & np.isinf(error)
        pending &= ~kink & ~(says & (np.abs(found - claim) <= off) & (step <= max(_NEAR, unit**0.25)))
        jump, step = bend2, step / 16
    exact, told = _complex_step(function, centre), np.isfinite(error)
    if exact is None or not told.any() or (np.abs(exact - value) > error)[told].any():
        return Derivative(value, error, kink, "central differences")
    tight = np.minimum(error, ROUNDING * (np.abs(exact) + np.abs(centre)))
    return Derivative(np.where(told, exact, value), tight, kink, "the complex step")


def _real(values: object) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise CheckFailed(f"a function of real numbers must be real, got dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def _complex_step(function: Callable[[complex], object], centre: Array) -> Array | None:
    """f'(0) = Im f(i h)/h; None where f is no function of complex numbers."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            found = np.asarray(function(1j * _COMPLEX_STEP))
    except Exception:  # the function is not one of complex numbers
        return None
    if found.dtype.kind != "c" or found.shape != centre.shape or not np.isfinite(found).all():
        return None
    return np.asarray(found.imag / _COMPLEX_STEP, dtype=np.float64)
