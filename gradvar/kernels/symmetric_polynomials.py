r"""Elementary symmetric polynomials of coordinatewise products of features, for many pairs of inputs at once.

e_k(y_1, ..., y_d) is the sum over all k-subsets S of prod_{i in S} y_i: one coordinate after the other,
e_m <- e_m + y_i e_{m-1}, which has no subtraction but those of the terms themselves (Newton's identities lose all
digits at large k).
"""

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Floats = NDArray[np.float64]

_LANES = 128


@compiled
def summed_pairs(features: Floats, features2: Floats, c: Floats, degree: int) -> Floats:
    """Return ``sum_{r,s} c_r c_s e_k(features[a, r, :] * features2[s, :, b])``, k = degree.

    Parameters
    ----------
    features : float64 array, shape (n, R, d), C-contiguous
    features2 : float64 array, shape (R, d, n2), C-contiguous
        Inputs are contiguous columns here, so that the inner loops vectorise.
    c : float64 array, shape (R,)

    Returns an array of shape (n, n2), in error by a few (k + d) 2^-53 of the sum of the absolute values of its terms.
    Costs n n2 R^2 d k multiply-adds.
    """
    n, count, dim = features.shape
    n2 = features2.shape[2]
    total = np.zeros((n, n2))
    e = np.zeros((degree + 1, _LANES))
    for start in range(0, n2, _LANES):
        width = min(_LANES, n2 - start)
        for s in range(count):
            for a in range(n):
                for r in range(count):
                    e[0] = c[r] * c[s]
                    e[1:] = 0.0
                    for i in range(dim):
                        x = features[a, r, i]
                        y = features2[s, i, start : start + width]
                        # e_m with too few coordinates left to reach e_k is not needed any more
                        for m in range(min(i + 1, degree), max(0, degree - dim + i), -1):
                            upper, lower = e[m], e[m - 1]
                            for b in range(width):
                                upper[b] += (x * y[b]) * lower[b]
                    for b in range(width):
                        total[a, start + b] += e[degree, b]
    return total
