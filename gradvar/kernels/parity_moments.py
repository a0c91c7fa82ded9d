"""Moments of the mean coordinate against a parity: E[((x_1 + ... + x_d)/d)^m x_1 ... x_k], x uniform on the cube.

d^m times it is the number of words of m letters, out of d, in which the first k letters occur an odd number of times
each and the others an even number: positive, however far it lies below E|.|^m. Multiplying by the mean coordinate
takes a parity of degree j to the mean of its neighbours, so that M[m, j] = (j M[m-1, j-1] + (d-j) M[m-1, j+1])/d: a
recurrence without a subtraction.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

_STEPS = 8
"""Double steps between two normalisations: far fewer than would take a mantissa out of range."""


def parity_moments(
    dim: int, degree: int, count: int, radius: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return M[m, degree] / radius^m for m = degree, degree + 2, ... < count, as mantissas and exponents of two.

    Parameters
    ----------
    dim, degree : int
        d >= 1 and k, 0 <= k <= d.
    count : int
        Above the largest m; > degree.
    radius : float
        At least 1.

    Returns the moments to a relative error of about 3 m units in the last place. Every degree has its own exponent,
    since they differ by more than float64 holds. Costs dim count / 4 at most.
    """
    parity = degree % 2
    # A degree j that is reached and left again within `count` steps.
    highest = min(dim, (count - 1 + degree) // 2 + 1)
    j = np.arange(parity, highest + 1, 2)
    # M[j, j] = j! / d^j: the first value at each degree.
    exponents = np.round((gammaln(j + 1.0) - j * (np.log(dim) + np.log(radius))) / np.log(2)).astype(np.int64)
    square = (dim * radius) ** 2
    from_below = j * (j - 1) / square
    stay = (j * (dim - j + 1.0) + (dim - j) * (j + 1.0)) / square
    from_above = (dim - j) * (dim - j - 1.0) / square
    values = np.zeros(j.size)
    values[0] = np.ldexp(1.0 if parity == 0 else 1 / (dim * radius), int(-exponents[0]))
    at = (degree - parity) // 2
    total = (count - 1 - parity) // 2 + 1
    mantissas, powers = np.empty(total), np.empty(total, dtype=np.int64)
    up, down = np.zeros(j.size), np.zeros(j.size)
    for step in range(total):
        if step % _STEPS == 0:
            values, shift = np.frexp(values)
            exponents += shift
            up[1:] = np.ldexp(from_below[1:], (exponents[:-1] - exponents[1:]).astype(np.int32))
            down[:-1] = np.ldexp(from_above[:-1], (exponents[1:] - exponents[:-1]).astype(np.int32))
        mantissas[step], powers[step] = values[at], exponents[at]
        following = stay * values
        following[1:] += up[1:] * values[:-1]
        following[:-1] += down[:-1] * values[1:]
        values = following
    return mantissas[at:], powers[at:]
