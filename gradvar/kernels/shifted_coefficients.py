"""Moments, over some sets S of coordinates, of coefficients at S and at S with one coordinate more or less."""

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Columns = NDArray[np.float64]
Numbers = NDArray[np.int64]


def shifted_moments(columns: Columns, numbers: Numbers, dim: int, own: float, other: float) -> tuple[float, float]:
    """Return the sums of the variances and of the squared means over S of what stands for f(x) x_i, for all i and f.

        e_i(S) = own (1 - 2 [i in S]) f^(S) + other f^(S xor {i})

    Parameters
    ----------
    columns : float64 array, shape (2**dim, q)
        Column f has the coefficients f^ of a function, at the number sum_{i in S} 2^i of a set S.
    numbers : int64 array, shape (m,)
        Those of the sets that count.
    dim : int
        Number of coordinates.
    own, other : float
        See above.

    Two passes, the second over centred numbers. Costs 2 m q dim. Releases the GIL.
    """
    means = np.zeros((dim, columns.shape[1]))
    return _shifted_moments(columns, numbers, own, other, means)


@compiled
def _shifted_moments(
    columns: Columns, numbers: Numbers, own: float, other: float, means: Columns
) -> tuple[float, float]:
    m, (dim, q) = numbers.size, means.shape
    for s in numbers:
        for i in range(dim):
            here, shifted = own * (1.0 - 2.0 * ((s >> i) & 1)), s ^ (1 << i)
            for j in range(q):
                means[i, j] += here * columns[s, j] + other * columns[shifted, j]
    of_means = 0.0
    for i in range(dim):
        for j in range(q):
            means[i, j] /= m
            of_means += means[i, j] * means[i, j]
    sums = np.zeros(q)
    for s in numbers:
        for i in range(dim):
            here, shifted = own * (1.0 - 2.0 * ((s >> i) & 1)), s ^ (1 << i)
            for j in range(q):
                off = here * columns[s, j] + other * columns[shifted, j] - means[i, j]
                sums[j] += off * off
    variance = 0.0
    for j in range(q):
        variance += sums[j] / m
    return variance, of_means
