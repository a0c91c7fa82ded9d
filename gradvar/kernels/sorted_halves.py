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


@compiled
def labelled_sums(weights: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return sum_i x_i w_i over all signs x, increasing, and for each the number whose bit i says that x_i = -1."""
    sums, labels = np.zeros(1), np.zeros(1, dtype=np.int64)
    for bit in range(weights.size):
        n, weight = sums.size, abs(weights[bit])
        minus, plus = (0, 1 << bit) if weights[bit] < 0 else (1 << bit, 0)
        merged, merged_labels = np.empty(2 * n), np.empty(2 * n, dtype=np.int64)
        i = j = 0
        for k in range(2 * n):
            if i < n and sums[i] - weight <= sums[j] + weight:
                merged[k], merged_labels[k] = sums[i] - weight, labels[i] + minus
                i += 1
            else:
                merged[k], merged_labels[k] = sums[j] + weight, labels[j] + plus
                j += 1
        sums, labels = merged, merged_labels
    return sums, labels


@compiled
def gate_coefficients(
    first: Floats,
    first_labels: NDArray[np.int64],
    first_set: int,
    second: Floats,
    second_labels: NDArray[np.int64],
    second_set: int,
    shift: float,
    low: float,
    high: float,
) -> tuple[int, NDArray[np.int64], int]:
    """Return sum chi_S(x) and, for each i of the first half, sum chi_(S xor {i})(x), over all x with z > `low`.

    z = u + v + shift. And how many z lie above `low` and up to `high`.

    Parameters
    ----------
    first, second : float64 arrays
        u and v, increasing, with their labels.
    first_set, second_set : int
        The bits of S in either half.

    Costs three steps for each value.
    """
    n = second.size
    j, k, inside, doubtful = n, n, 0, 0
    gates = np.empty(first.size, dtype=np.int64)
    # chi_S(x) = chi(u) chi(v): for each u the sum of chi(v) over v > low - shift - u
    for i in range(first.size):
        c = first[i] + shift
        while j > 0 and c + second[j - 1] > low:
            j -= 1
            inside += _sign(second_labels[j] & second_set)
        while k > 0 and c + second[k - 1] > high:
            k -= 1
        doubtful += k - j
        gates[first_labels[i]] = _sign(first_labels[i] & first_set) * inside
    # sum_x x_i f(x) and sum_x f(x), one coordinate folded at a time
    half, bit = first.size // 2, 0
    while 1 << bit < first.size:
        bit += 1
    effects = np.zeros(bit, dtype=np.int64)
    while half > 0:
        bit -= 1
        for i in range(half):
            effects[bit] += gates[i] - gates[half + i]
            gates[i] += gates[half + i]
        half //= 2
    return gates[0], effects, doubtful


@compiled
def _sign(label: int) -> int:
    """1 where an even number of bits is set, else -1."""
    sign = 1
    while label:
        label &= label - 1
        sign = -sign
    return sign
