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
        i = j = 0
        for k in range(2 * n):
            if j == n or (i < n and sums[i] - weight <= sums[j] + weight):
                merged[k] = sums[i] - weight
                i += 1
            else:
                merged[k] = sums[j] + weight
                j += 1
        sums = merged
    return sums


@compiled
def above(first: Floats, second: Floats, shift: float, low: float, high: float) -> tuple[int, int, float, float]:
    """Return how many z = u + v + shift are above `low`, how many above `high`, and the sum of z^2 above `low`.

    And what the rounding of that sum is relative to.

    Parameters
    ----------
    first, second : float64 arrays
        u and v, increasing.
    shift, low, high : float
        low <= high.

    Costs one step for each value. The sums over v are carried in doubled precision.
    """
    n = second.size
    j = k = n
    count, certain = 0, 0
    sums, rests = np.zeros(2), np.zeros(2)
    total, rest, size = 0.0, 0.0, 0.0
    for u in first:
        c = u + shift
        while j > 0 and c + second[j - 1] > low:
            j -= 1
            for power in range(2):
                # sum of v, of v^2
                term = second[j] if power == 0 else second[j] * second[j]
                new = sums[power] + term
                back = new - sums[power]
                rests[power] += (sums[power] - (new - back)) + (term - back)
                sums[power] = new
        while k > 0 and c + second[k - 1] > high:
            k -= 1
        count += n - j
        certain += n - k
        # sum of (c + v)^2
        one, two = sums[0] + rests[0], sums[1] + rests[1]
        term = (n - j) * (c * c) + 2.0 * c * one + two
        size += (n - j) * (c * c) + 2.0 * abs(c * one) + two
        new = total + term
        back = new - total
        rest += (total - (new - back)) + (term - back)
        total = new
    return count, certain, total + rest, size
