r"""Products of first-degree polynomials, truncated at a degree, for many nodes and pairs of nodes at once.

A node n is a function on the cube that is a product over coordinates: its coefficient at the parity of S is
g_n(S) = prod_{i in S} sines[i, n] prod_{i not in S} cosines[i, n]. By degree,

    sum_{|S|=k} g_n(S) g_m(S) = [z^k] prod_i (cosines[i, n] cosines[i, m] + z sines[i, n] sines[i, m]).

Polynomials of all nodes are multiplied side by side: degrees are rows, nodes are contiguous columns, so that the
inner loops vectorise. The twins in `doubled_polynomials.py` carry 106 bits.
"""

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Floats = NDArray[np.float64]


@compiled
def products(zeroth: Floats, first: Floats, degree: int) -> Floats:
    """Return the coefficients of ``prod_i (zeroth[i, n] + z first[i, n])`` up to `degree`.

    Parameters
    ----------
    zeroth, first : float64 arrays, shape (m, n), C-contiguous
        The factors of each of n polynomials.

    Returns an array of shape (degree + 1, n). Each coefficient is a sum of products that pass m multiplications
    and m additions each: where all factors have one sign its relative error is at most 2 m 2^-53. Costs m n degree.
    """
    nodes = zeroth.shape[1]
    poly = np.zeros((degree + 1, nodes))
    poly[0] = 1.0
    for i in range(zeroth.shape[0]):
        for j in range(min(i + 1, degree), 0, -1):
            for n in range(nodes):
                poly[j, n] = poly[j, n] * zeroth[i, n] + poly[j - 1, n] * first[i, n]
        for n in range(nodes):
            poly[0, n] *= zeroth[i, n]
    return poly


@compiled
def quadratic_forms(cosines: Floats, sines: Floats, coefficients: Floats) -> Floats:
    """Return ``sum_{|S|=k} (sum_n coefficients[f, k, n] g_n(S))^2`` for each function f and degree k.

    Parameters
    ----------
    cosines, sines : float64 arrays, shape (m, n), C-contiguous
        The factors of the nodes.
    coefficients : float64 array, shape (f, degree + 1, n), C-contiguous

    Returns an array of shape (f, degree + 1), in error by a few sqrt(m) 2^-53 of
    (sum_n |coefficients| (sum_S g_n(S)^2)^(1/2))^2. Costs m n^2 degree / 2 fused steps, 8 (degree + 3) n bytes.
    """
    count, nodes = cosines.shape
    functions, levels = coefficients.shape[0], coefficients.shape[1]
    forms = np.zeros((functions, levels))
    poly = np.empty((levels, nodes))
    both = np.empty(nodes)
    neither = np.empty(nodes)
    for n in range(nodes):
        poly[:, : n + 1] = 0.0
        poly[0, : n + 1] = 1.0
        for i in range(count):
            c, s = cosines[i, n], sines[i, n]
            for m in range(n + 1):
                neither[m] = c * cosines[i, m]
                both[m] = s * sines[i, m]
            for j in range(min(i + 1, levels - 1), 0, -1):
                for m in range(n + 1):
                    poly[j, m] = poly[j, m] * neither[m] + poly[j - 1, m] * both[m]
            for m in range(n + 1):
                poly[0, m] *= neither[m]
        for f in range(functions):
            for j in range(levels):
                own = coefficients[f, j, n]
                if own != 0.0:
                    total = 0.5 * own * poly[j, n]
                    for m in range(n):
                        total += coefficients[f, j, m] * poly[j, m]
                    forms[f, j] += 2.0 * own * total
    return forms


@compiled
def omitted_sums(cosines: Floats, sines: Floats, below: Floats, above: Floats, degree: int) -> Floats:
    """Return ``sum_n below[n] cosines[i, n] q[degree - 1] - above[n] sines[i, n] q[degree]`` for each i.

    q[j] is the coefficient of z^j in the product of (cosines + z sines)[l, n] over all l except i, had from
    products over l < i and over l > i (no division). A negative degree has coefficient 0.

    Parameters
    ----------
    cosines, sines : float64 arrays, shape (m, n), C-contiguous
    below, above : float64 arrays, shape (n,)
    degree : int
        From 0.

    Returns an array of shape (m,). Costs 4 m n degree, and 8 m n (degree + 1) bytes.
    """
    count, nodes = cosines.shape
    before = np.zeros((count + 1, degree + 1, nodes))
    before[0, 0] = 1.0
    for i in range(count):
        for n in range(nodes):
            before[i + 1, 0, n] = before[i, 0, n] * cosines[i, n]
        for j in range(1, degree + 1):
            for n in range(nodes):
                before[i + 1, j, n] = before[i, j, n] * cosines[i, n] + before[i, j - 1, n] * sines[i, n]
    after = np.zeros((degree + 1, nodes))
    after[0] = 1.0
    low = np.empty(nodes)
    high = np.empty(nodes)
    sums = np.zeros(count)
    for i in range(count - 1, -1, -1):
        low[:] = 0.0
        high[:] = 0.0
        for j in range(degree):
            for n in range(nodes):
                low[n] += before[i, j, n] * after[degree - 1 - j, n]
        for j in range(degree + 1):
            for n in range(nodes):
                high[n] += before[i, j, n] * after[degree - j, n]
        total = 0.0
        for n in range(nodes):
            total += below[n] * (cosines[i, n] * low[n]) - above[n] * (sines[i, n] * high[n])
        sums[i] = total
        for j in range(degree, 0, -1):
            for n in range(nodes):
                after[j, n] = after[j, n] * cosines[i, n] + after[j - 1, n] * sines[i, n]
        for n in range(nodes):
            after[0, n] *= cosines[i, n]
    return sums
