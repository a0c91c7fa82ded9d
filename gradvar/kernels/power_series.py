"""Power series with coefficients that are not negative: c[m] is the coefficient of t^m, m = 0..n-1.

Every sum here has terms of one sign, so that each coefficient, however small next to the others, keeps its relative
accuracy; a product by FFT would not.
"""

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

_FEW = 4
"""Number of terms up to which u^2 is taken term by term: a polynomial."""


def multiply(a: Series, b: Series) -> Series:
    """Return the coefficients of a(t) b(t). Costs n^2 operations, or n a degree of a polynomial a."""
    factor = np.trim_zeros(a, "b") if a.any() else a[:1]
    return np.asarray(np.convolve(factor, b)[: a.size])


def integral_of_product(u: Series, b: Series) -> Series:
    """Return the integral from 0 of u'(t) b(t): coefficients sum_i i u_i b_{m-i} / m, and 0 at m = 0."""
    index = np.arange(u.size)
    product = multiply(index * u, b)
    product[1:] /= index[1:]
    return product


def inverse_root(u: Series) -> Series:
    """Return the coefficients of w = (1 - u(t)^2)^(-1/2). Needs u_0 < 1; costs n^2, or n for a polynomial u.

    (1 - q) w' = q' w / 2 with q = u^2 gives  (1 - q_0) w_m = sum_{i=1}^m (1 - i/2m) q_i w_{m-i}.
    """
    n = u.size
    q = multiply(u, u)
    weighted = np.arange(n) * q / 2
    support = np.flatnonzero(q[1:]) + 1
    sparse = support.size <= _FEW
    left = (1 - u[0]) * (1 + u[0])
    flipped = np.zeros(n)  # w_i at position n - 1 - i
    flipped[n - 1] = 1 / np.sqrt(left)
    for m in range(1, n):
        if sparse:
            i = support[support <= m]
            terms = (q[i] - weighted[i] / m) * flipped[n - 1 - m + i]
        else:
            terms = (q[1 : m + 1] - weighted[1 : m + 1] / m) * flipped[n - m :]
        flipped[n - 1 - m] = terms.sum() / left
    return np.ascontiguousarray(flipped[::-1])
