r"""Comparisons for checks: with the truth up to rounding, with a sample at a stated rate of false alarms.

Sampled comparisons use the empirical Bernstein inequality (Audibert, Munos, Szepesvari 2009, theorem 1): the mean of
n independent draws with empirical variance V in a range of length R is within (2 V L/n)^(1/2) + 3 R L/n of the
expectation with probability at least 1 - 3 e^(-L). R is known for labels -1 and +1, and otherwise the one observed.
L is chosen so that one check, all entries of it together, raises a false alarm once in a million runs.

A range that is observed is no range where a few rare draws make the mean, as of h(x)^2 for the normalised parities of a
strongly biased cube: a sample says nothing then, whatever its standard error. Such means, whose spread is that of fewer
than 256 draws, are left out, and a check that has no others does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from .checks import CheckFailed, skip

FALSE_ALARM = 1e-6
"""Probability at most which a correct object fails one statistical check."""
ROUNDING = 1e-9
"""The rounding that an exact formula is allowed, relative to the size of its terms. Float64 sums over the few thousand
terms that checks enumerate err by 1e-12; a wrong formula by far more."""
STANDARD_ERRORS = 6.0
"""For means over blocks of pairs, which are close to normal: a one-sided false alarm of 1e-9."""
_FEWEST_DRAWS = 256
_STATUSES = ("proved", "checked", "estimated", "claimed", "unknown", "failed")

Index = tuple[int, ...]


def real(what: str, value: object, shape: tuple[int, ...]) -> Array:
    """Return what a method gave as float64, made sure to be a real, finite array of this shape."""
    if not isinstance(value, (np.ndarray, np.generic, float, int)) or isinstance(value, bool):
        raise CheckFailed(f"{what} must be an array of shape {shape}, got {type(value).__name__} {short(value)}")
    array = np.asarray(value)
    if array.shape != shape:
        raise CheckFailed(f"{what} must have shape {shape}, got {array.shape}")
    if array.dtype != np.float64 and array.dtype.kind not in "iu":  # integers are exact
        raise CheckFailed(f"{what} must have dtype float64, got {array.dtype}")
    if not np.isfinite(array).all():
        index = first(~np.isfinite(array))
        raise CheckFailed(f"{what} must be finite, got {array[index]} at index {index}")
    return np.asarray(array, dtype=np.float64)


def number(what: str, value: object) -> float:
    """Return what a method gave as a float."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise CheckFailed(f"{what} must be a number, got {short(value)}")
    return float(value)


def status_of(what: str, evidence: object) -> str:
    """The status of a pair (status, evidence), made sure of."""
    if not (isinstance(evidence, tuple) and len(evidence) == 2 and all(isinstance(part, str) for part in evidence)):
        raise CheckFailed(f"{what} must be (status, evidence), two strings, got {short(evidence)}")
    if evidence[0] not in _STATUSES:
        raise CheckFailed(f"the status in {what} must be one of {_STATUSES}, got {short(evidence)}")
    return str(evidence[0])


def is_count(value: object) -> TypeGuard[int]:
    """Whether this is an int >= 1."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= 1


def first(wrong: npt.NDArray[np.bool_]) -> Index:
    """The first index where something is wrong."""
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def short(value: object) -> str:
    """A value for a message, cut to a readable length."""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, threshold=8, precision=4, separator=", ")
    else:
        text = f"{value:.6g}" if isinstance(value, (float, np.floating)) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def at_inputs(claim: str, *inputs: Array) -> Callable[[Index], str]:
    """Name an entry by the inputs it is at: "{claim} at x = ..., x' = ..."."""

    def where(at: Index) -> str:
        return f"{claim} at " + ", ".join(
            f"{name} = {short(x[i])}" for name, x, i in zip(("x", "x'"), inputs, at, strict=False)
        )

    return where


def agree(found: Array, truth: Array, tolerance: Array | float, where: Callable[[Index], str], what: str) -> None:
    """Raise with the entry that differs most from the truth, unless all are within the tolerance of it.

    The message reads: "{where} is {found}, but {what} is {truth}".
    """
    excess = np.abs(found - truth) - tolerance
    if excess.size and (excess > 0).any():
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), excess.shape))
        off = float(np.broadcast_to(tolerance, excess.shape)[at])
        # As many digits as tell the two apart.
        digits = next(d for d in (6, 9, 12, 17) if f"{found[at]:.{d}g}" != f"{truth[at]:.{d}g}")
        said, true = f"{found[at]:.{digits}g}", f"{truth[at]:.{digits}g}"
        raise CheckFailed(f"{where(at)} is {said}, but {what} is {true} +- {off:.2g}")


def rounding_of(values: Array) -> float:
    """The rounding error that numbers of this size may have."""
    return ROUNDING * float(np.abs(values).max(initial=0.0))


def identical(claim: str, before: Array, after: Array) -> None:
    """Raise with the first row in which two arrays differ: what was to be left alone, or to come out the same again."""
    if not np.array_equal(before, after):
        row = first(before != after)[0]
        raise CheckFailed(f"{claim}: row {row} was {short(before[row])}, is {short(after[row])}")


def untouched(what: str, method: Callable[..., object], *arrays: Array) -> object:
    """Call a method on copies of these arrays, made sure that it leaves them as they are."""
    copies = [array.copy(order="K") for array in arrays]
    found = method(*copies)
    for before, after in zip(arrays, copies, strict=True):
        identical(f"`{what}` must not change what it is given", before, after)
    return found


def by_enough(terms: Array) -> npt.NDArray[np.bool_]:
    """Whether a sum of terms >= 0, along the last axis, is that of 256 or more of them: (sum t)^2 / sum t^2 >= 256."""
    # In units of the largest: squares of what is rare leave float64.
    unit = terms.max(axis=-1, keepdims=True)
    shares = terms / np.where(unit > 0, unit, 1.0)
    return np.asarray(shares.sum(axis=-1) ** 2 >= _FEWEST_DRAWS * (shares**2).sum(axis=-1))


@dataclass(frozen=True)
class Truth:
    """Numbers that were computed without the claim, and how far from them the claim may be."""

    value: Array
    tolerance: Array

    def agrees(self, claim: Array, where: Callable[[Index], str], what: str) -> str:
        """Compare with a claim, entry by entry (`agree`), and return how closely that was done."""
        agree(claim, self.value, self.tolerance, where, what)
        return self.within

    def at_least(self, rounding: float) -> Truth:
        """These numbers with no tolerance below this one."""
        return Truth(self.value, np.maximum(self.tolerance, rounding))

    @property
    def within(self) -> str:
        """How closely is compared, and how many entries cannot be: where none can, the check does not apply."""
        left_out = int(np.isinf(self.tolerance).sum())
        if left_out == self.tolerance.size > 0:
            skip("a few rare draws make what would be compared: samples say nothing of it")
        said = f"within {float(self.tolerance[np.isfinite(self.tolerance)].max(initial=0.0)):.1g}"
        return said + (f"; {left_out:,} left out, which a few rare draws make" if left_out else "")


def exactly(value: Array, scale: float) -> Truth:
    """Values that are exact up to the rounding of terms of this scale."""
    return Truth(value, np.full(value.shape, ROUNDING * scale))


def sampled(pieces: Iterable[Array], known_range: float | None = None) -> Truth:
    """The means of independent draws, with their empirical Bernstein half widths.

    Each piece has the draws of some of the entries, along its last axis; the pieces are stacked in the result. All
    expectations at once lie within the half widths with probability 1 - FALSE_ALARM. A half width is infinite where
    the range is not known and a few rare draws make the spread.
    """
    statistics = []
    for draws in pieces:
        n, mean = draws.shape[-1], draws.mean(axis=-1)
        squares = (draws - mean[..., None]) ** 2
        largest = np.abs(draws).max(axis=-1)
        statistics.append((mean, squares.mean(axis=-1), np.ptp(draws, axis=-1), largest, by_enough(squares)))
    mean, variance, ranges, largest, enough = (np.array(part) for part in zip(*statistics, strict=True))
    # (2 V L/n)^(1/2) + 3 R L/n, at L = log(3 entries/FALSE_ALARM)
    length = math.log(3 * max(mean.size, 1) / FALSE_ALARM)
    wide = known_range if known_range is not None else float(ranges.max())
    # The rounding of the mean itself: draws that are all equal have no spread.
    half = np.sqrt(2 * variance * length / n) + 3 * wide * length / n + ROUNDING * largest
    return Truth(mean, half if known_range is not None else np.where(enough, half, np.inf))


def moments(left: Array, right: Array, weights: Array, exact: bool, scale: float, signs: bool = False) -> Truth:
    """E_x[l(x) r(x)] of functions l (m, n) and r (m2, n) at n inputs, shape (m, m2).

    Exact where the inputs are all points and the weights their probabilities, else the mean over sampled inputs.
    """
    if exact:
        return exactly((left * weights) @ right.T, scale)
    return sampled((row * right for row in left), 2.0 if signs else None)
