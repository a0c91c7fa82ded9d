r"""Elementary symmetric polynomials of a few values, each of them repeated: means of products over subsets.

    e_k / C(d, k),    e_k = [z^k] prod_i (1 + v_i z)^{n_i},    d = sum_i n_i,

is the mean of the product over the k-subsets of d numbers, n_i of which are v_i. Where the v_i differ in sign, the sums
cancel: k = 10 of 500 ones and 500 minus ones is 1e-12 of what their absolute values give. So the powers are taken all
at once, by squaring: what is squared always holds the v_i in (nearly) the proportions of the whole, and has cancelled
already. The recurrences in k, from the logarithmic derivative, lose all digits where the v_i are of different sizes.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .bits import Words
from .hamming import distances_from
from .jit import compiled

Counts = NDArray[np.int64]
Values = NDArray[np.float64]

_SIDE = 256
"""The cache of means over pairs holds one for each pair of counts modulo this: those of a tile rarely spread wider."""
_WIDEST = 128
"""The values that the bias of a float64 can give lie between 2^-54 and 2^54."""


def symmetric_means(counts: Counts, values: Values, degree: int) -> Values:
    """Return e_k / C(d, k) for each row of counts, shape (n,).

    Parameters
    ----------
    counts : int64 array, shape (n, m)
        How often each value is there; every row sums to d.
    values : float64 array, shape (m,)
        v_i, of sizes 2^-100 to 2^100, or 0.
    degree : int
        k, 0 <= k <= d.

    Exact up to rounding: the error is as if each v_i had been rounded, a few units in the last place of
    sum_i |v_i de_k/dv_i| / C(d, k). Underflows to 0 and overflows to infinity. Costs k min(k, d) log2(d) / 2 a row.
    Releases the GIL.

    >>> import numpy as np
    >>> symmetric_means(np.array([[2, 1], [0, 3]]), np.array([1.0, -1.0]), 2)
    array([-0.33333333,  1.        ])
    """
    out = np.empty(len(counts))
    if len(counts):
        size, exponent = _number_of_subsets(int(counts[0].sum()), degree)
        _of_rows(counts, values, degree, size, exponent, out)
    return out


def symmetric_means_of_pairs(
    words: Words, words2: Words, minus: Counts, minus2: Counts, dim: int, values: Values, degree: int
) -> Values:
    """Return e_k / C(d, k) for each pair of points of the cube, shape (n, n2), a value for each coordinate.

    Parameters
    ----------
    words, words2 : uint64 arrays, shapes (w, n), (w, n2)
        Packed points, from `hamming.pack`.
    minus, minus2 : int64 arrays, shapes (n,), (n2,)
        Their numbers of negative coordinates.
    dim : int
        d.
    values : float64 array, shape (3,)
        v of the coordinates that are positive in both points, negative in both, and different.
    degree : int
        k, 0 <= k <= d.

    Exact up to rounding as `symmetric_means`. Costs n n2 w popcounts, and a polynomial power for each of the counts
    that occur. Releases the GIL.
    """
    out = np.empty((words.shape[1], words2.shape[1]))
    size, exponent = _number_of_subsets(dim, degree)
    _of_pairs(words, words2, minus, minus2, dim, values, degree, size, exponent, out)
    return out


def _number_of_subsets(dim: int, degree: int) -> tuple[float, int]:
    """C(d, k) as mantissa and exponent."""
    subsets = math.comb(dim, degree)
    bits = subsets.bit_length()
    return subsets / (1 << bits), bits


@compiled
def _of_rows(counts: Counts, values: Values, degree: int, size: float, exponent: int, out: Values) -> None:
    powers = np.empty(degree + 1)
    for i in range(len(counts)):
        out[i] = _mean(counts[i], values, degree, size, exponent, powers)


@compiled
def _of_pairs(
    words: Words,
    words2: Words,
    minus: Counts,
    minus2: Counts,
    dim: int,
    values: Values,
    degree: int,
    size: float,
    exponent: int,
    out: Values,
) -> None:
    number_in = np.full(_SIDE * _SIDE, -1, dtype=np.int64)
    means = np.empty(_SIDE * _SIDE)
    powers = np.empty(degree + 1)
    counts = np.empty(3, dtype=np.int64)
    distance = np.empty(words2.shape[1], dtype=np.uint64)
    for i in range(words.shape[1]):
        distances_from(words, i, words2, distance)
        for j in range(words2.shape[1]):
            different = np.int64(distance[j])
            negative = (minus[i] + minus2[j] - different) // 2
            number = negative * (dim + 1) + different
            slot = (negative % _SIDE) * _SIDE + different % _SIDE
            if number_in[slot] != number:
                counts[0], counts[1], counts[2] = dim - negative - different, negative, different
                means[slot] = _mean(counts, values, degree, size, exponent, powers)
                number_in[slot] = number
            out[i, j] = means[slot]


@compiled
def _mean(counts: Counts, values: Values, degree: int, size: float, exponent: int, powers: Values) -> float:
    """Coefficient k of prod_i (1 + v_i z)^{n_i}, over ``size`` 2^``exponent``; ``powers`` is room for k + 1 numbers."""
    bits = 0
    for i in range(len(counts)):
        while counts[i] >> bits:
            bits += 1
    unit = _unit(counts, values, degree)
    powers[:] = 0.0
    powers[0] = 1.0
    top = 0  # the degree so far, up to k
    shift = 0  # coefficient j so far is 2^(shift - j unit) times what `powers` holds
    for bit in range(bits - 1, -1, -1):
        top = min(2 * top, degree)
        for m in range(top, -1, -1):
            total = 0.0
            for j in range((m + 1) // 2):
                total += powers[j] * powers[m - j]
            total *= 2.0
            if m % 2 == 0:
                total += powers[m // 2] * powers[m // 2]
            powers[m] = total
        shift *= 2
        for i in range(len(counts)):
            if (counts[i] >> bit) & 1:
                top = min(top + 1, degree)
                value = math.ldexp(values[i], unit)
                for j in range(top, 0, -1):
                    powers[j] += value * powers[j - 1]
        largest = 0.0
        for j in range(top + 1):
            largest = max(largest, abs(powers[j]))
        excess = math.frexp(largest)[1]
        for j in range(top + 1):
            powers[j] = math.ldexp(powers[j], -excess)
        shift += excess
    mantissa, power = math.frexp(powers[degree] / size)
    power += shift - degree * unit - exponent
    if power > 1024 and mantissa != 0.0:
        return math.copysign(math.inf, mantissa)  # where ldexp raises without the JIT
    return math.ldexp(mantissa, power)


@compiled
def _unit(counts: Counts, values: Values, degree: int) -> int:
    """An r for which coefficient k is among the largest of prod_i (1 + 2^r v_i z)^{n_i}: none that matters underflows.

    With random signs its square is on average that of prod_i (1 + 4^r v_i^2 z)^{n_i}, which has its largest
    coefficients at about sum_i n_i 4^r v_i^2 / (1 + 4^r v_i^2).
    """
    low, high = -_WIDEST, _WIDEST
    while high - low > 1:
        middle = (low + high) // 2
        at = 0.0
        for i in range(len(counts)):
            square = math.ldexp(values[i], middle) ** 2
            at += counts[i] * (square / (1.0 + square))
        if at < degree:
            low = middle
        else:
            high = middle
    return low
