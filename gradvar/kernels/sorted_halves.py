"""Sums of signed weights in order, and what a kinked gate does on all pairs of two such sums.

<x, w> on the cube is u + v with u, v the sums of two halves of the coordinates: 2^(m/2) values of each stand for all
2^m inputs (the meet in the middle of E. Horowitz and S. Sahni, J. ACM 21, 1974).
"""

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Floats = NDArray[np.float64]


@compiled
def signed_sums(weights: Floats) -> Floats:
    """Return the sums of +-w_i over all 2^m signs, increasing. Two rows are merged for each weight: costs 2^(m+1)."""
    sums = np.zeros(1)
    for weight in np.abs(weights):
        n = sums.size
        merged = np.empty(2 * n)
        i = j = k = 0
        while i < n:  # the row below is used up first; no branch that a processor has to guess
            low, high = sums[i] - weight, sums[j] + weight
            below = low <= high
            merged[k] = low if below else high
            i += below
            j += not below
            k += 1
        for rest in range(j, n):
            merged[n + rest] = sums[rest] + weight
        sums = merged
    return sums


@compiled
def above(first: Floats, second: Floats, shift: float, low: float, high: float) -> tuple[int, int, float, float]:
    """Return how many z = u + v + shift are above `low`, how many of them up to `high`, and the sum of z^2 above `low`.

    And what the rounding of that sum is relative to.

    Parameters
    ----------
    first, second : float64 arrays
        u and v, increasing.
    shift, low, high : float
        low <= high.

    Costs one step for each value. Sums are carried in doubled precision.
    """
    n = second.size
    j = n
    count, doubtful = 0, 0
    one, one_rest, two, two_rest = 0.0, 0.0, 0.0, 0.0  # the sums of v and of v^2 from j on
    total, total_rest, size = 0.0, 0.0, 0.0
    for u in first:
        c = u + shift
        while j > 0 and c + second[j - 1] > low:
            j -= 1
            v = second[j]
            one, one_rest = _add(one, one_rest, v)
            two, two_rest = _add(two, two_rest, v * v)
        k = j
        while k < n and c + second[k] <= high:
            k += 1
        doubtful += k - j
        count += n - j
        # sum of (c + v)^2
        square, mixed = (n - j) * (c * c), 2.0 * c * (one + one_rest)
        total, total_rest = _add(total, total_rest, square + mixed + (two + two_rest))
        size += square + abs(mixed) + two
    return count, doubtful, total + total_rest, size


@compiled
def _add(total: float, rest: float, term: float) -> tuple[float, float]:
    """total + rest + term, the rest being what float64 loses of the total."""
    new = total + term
    back = new - total
    return new, rest + ((total - (new - back)) + (term - back))
