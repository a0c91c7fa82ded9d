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

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from .checks import CheckFailed, skip

FALSE_ALARM = 1e-6
"""Probability at most which a correct object fails one statistical check."""
ROUNDING = 1e-9
"""What an exact formula may differ by, relative to the size of its terms. Float64 sums over the few thousand terms
that checks enumerate err by 1e-12; a wrong formula by far more."""
STANDARD_ERRORS = 6.0
"""For means over blocks of pairs, which are close to normal: a one-sided false alarm of 1e-9."""
_FEWEST_DRAWS = 256


def real(what: str, value: object, shape: tuple[int, ...], finite: bool = True) -> Array:
    """Return what a method gave as float64, made sure to be a real, finite array of this shape."""
    if not isinstance(value, (np.ndarray, np.generic, float, int)) or isinstance(value, bool):
        raise CheckFailed(f"{what} must be an array of shape {shape}, got {type(value).__name__} {short(value)}")
    array = np.asarray(value)
    if array.shape != shape:
        raise CheckFailed(f"{what} must have shape {shape}, got {array.shape}")
    if array.dtype != np.float64:
        raise CheckFailed(f"{what} must have dtype float64, got {array.dtype}")
    if finite and not np.isfinite(array).all():
        index = first(~np.isfinite(array))
        raise CheckFailed(f"{what} must be finite, got {array[index]} at index {index}")
    return np.asarray(array, dtype=np.float64)


def number(what: str, value: object) -> float:
    """Return what a method gave as a float."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise CheckFailed(f"{what} must be a number, got {short(value)}")
    return float(value)


def first(wrong: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[int, ...]:
    """The first index where something is wrong."""
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def worst(found: Array, expected: Array, tolerance: Array | float) -> tuple[int, ...] | None:
    """The index of the largest excess over the tolerance, None where everything agrees."""
    excess = np.abs(found - expected) - tolerance
    if excess.size == 0 or not (excess > 0).any():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), excess.shape))


def short(value: object) -> str:
    """A value for a message, cut to a readable length."""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, threshold=8, precision=4, separator=", ")
    else:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."


class Carried:
    """Whether a sum of terms >= 0 is that of enough of them, (sum t)^2 / sum t^2 >= 256, entry by entry."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Array, Array, Array]] = []

    def add(self, terms: Array) -> None:
        """Add terms along the first axis."""
        # In units of the largest: squares of what is rare leave float64.
        unit = terms.max(axis=0)
        shares = terms / np.where(unit > 0, unit, 1.0)
        self._blocks.append((unit, shares.sum(axis=0), (shares**2).sum(axis=0)))

    @property
    def by_enough(self) -> npt.NDArray[np.bool_]:
        """True also where all terms are zero."""
        units, sums, squares = (np.array(parts) for parts in zip(*self._blocks, strict=True))
        largest = units.max(axis=0)
        shares = units / np.where(largest > 0, largest, 1.0)
        return np.asarray((shares * sums).sum(axis=0) ** 2 >= _FEWEST_DRAWS * (shares**2 * squares).sum(axis=0))


def within(tolerance: Array) -> str:
    """How closely sampled means were compared, and how many could not be: where none could, skip."""
    left_out = int(np.isinf(tolerance).sum())
    if left_out == tolerance.size > 0:
        skip("a few rare draws make what would be compared: samples say nothing of it")
    said = f"within {float(tolerance[np.isfinite(tolerance)].max(initial=0.0)):.1g}"
    return said + (f"; {left_out:,} left out, which a few rare draws make" if left_out else "")


class Mean:
    """The mean of independent draws of an array, entry by entry, with its empirical Bernstein half width.

    Infinite where the range is not known and a few rare draws make the spread.
    """

    def __init__(self, known_range: float | None = None) -> None:
        self._range = known_range
        self._spread = Carried()
        self._blocks: list[tuple[int, Array, Array]] = []
        self._low: Array | float = math.inf
        self._high: Array | float = -math.inf

    def add(self, draws: Array) -> None:
        """Add draws along the first axis."""
        mean = draws.mean(axis=0)
        squares = (draws - mean) ** 2
        self._blocks.append((draws.shape[0], mean, squares.mean(axis=0)))
        if self._range is None:
            self._spread.add(squares)
        self._low = np.minimum(self._low, draws.min(axis=0))
        self._high = np.maximum(self._high, draws.max(axis=0))

    @property
    def n(self) -> int:
        """Number of draws."""
        return sum(n for n, _, _ in self._blocks)

    @property
    def value(self) -> Array:
        """The mean."""
        total = sum((n * mean for n, mean, _ in self._blocks), start=np.zeros(1))
        return np.asarray(total / self.n)

    @property
    def half_width(self) -> Array:
        """Of an interval that holds all expectations at once with probability 1 - FALSE_ALARM."""
        mean = self.value
        spread = sum((n * (v + (m - mean) ** 2) for n, m, v in self._blocks), start=np.zeros(1)) / self.n
        spread = np.asarray(spread).reshape(mean.shape)
        length = math.log(3 * max(mean.size, 1) / FALSE_ALARM)
        wide = self._range if self._range is not None else float(np.max(np.asarray(self._high) - self._low))
        # The rounding of the mean itself: draws that are all equal have no spread.
        size = np.maximum(np.abs(np.asarray(self._low)), np.abs(np.asarray(self._high)))
        half = np.sqrt(2 * spread * length / self.n) + 3 * wide * length / self.n + ROUNDING * size
        return np.asarray(half if self._range is not None else np.where(self._spread.by_enough, half, np.inf))


def chi_square_tail(counts: Array, expected: Array) -> float:
    """The probability of a chi-square statistic this large or larger, at the expected counts (all positive)."""
    from scipy.special import chdtrc

    if counts.size < 2:
        return 1.0
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return float(chdtrc(counts.size - 1, statistic))
