"""Products of signs with real numbers, by tables of all sums of eight of these: half a matrix product's time."""

import numpy as np
from numpy.typing import NDArray

from .bits import Words
from .jit import compiled

Real = NDArray[np.float64]

_WIDTH = 64
"""Columns at a time: four tables of their sums fit into a core's cache."""


def add_sign_products(total: Real, labels: Words, points: Words, wide: Real) -> None:
    """Add sum_n l_an x_in wide_nj to total_aij, for signs l and x.

    Parameters
    ----------
    total : float64 array, shape (m, r, s)
        What is added to, in place.
    labels, points : uint64 arrays, shapes (q, m), (q, r)
        The signs packed into bits along n, 1 for -1, by `bits.pack`.
    wide : float64 array, shape (n, s), n <= 64 q
        The real numbers.

    Costs m r s/8 additions and 32 s for the tables, for each n. Releases the GIL.
    """
    rows = np.zeros((64 * labels.shape[0], wide.shape[1]))
    rows[: wide.shape[0]] = wide
    _add_sign_products(total, np.ascontiguousarray(labels), np.ascontiguousarray(points), rows)


@compiled
def _add_sign_products(total: Real, labels: Words, points: Words, wide: Real) -> None:
    byte, bits = np.uint64(0xFF), (np.uint64(8), np.uint64(16), np.uint64(24))
    tables = np.empty((4, 256, min(_WIDTH, wide.shape[1])))
    first, second, third, fourth = tables
    for word in range(labels.shape[0]):
        for half in range(2):
            shift, start = np.uint64(32 * half), 64 * word + 32 * half
            for column in range(0, wide.shape[1], _WIDTH):
                stop = min(column + _WIDTH, wide.shape[1])
                for k in range(4):
                    _tabulate(tables[k], wide[start + 8 * k : start + 8 * k + 8, column:stop])
                for a in range(labels.shape[1]):
                    for i in range(points.shape[1]):
                        signs = (labels[word, a] ^ points[word, i]) >> shift
                        one, two = first[signs & byte], second[(signs >> bits[0]) & byte]
                        three, four = third[(signs >> bits[1]) & byte], fourth[(signs >> bits[2]) & byte]
                        out = total[a, i, column:stop]
                        for j in range(stop - column):
                            out[j] += (one[j] + two[j]) + (three[j] + four[j])


@compiled
def _tabulate(table: Real, rows: Real) -> None:
    """Write the sums of eight rows with the signs of each byte, the first row's in its highest bit."""
    width = rows.shape[1]
    halves = np.empty((2, 16, width))
    for part in range(2):
        sums, four = halves[part], rows[4 * part : 4 * part + 4]
        for j in range(width):
            sums[0, j] = (four[0, j] + four[1, j]) + (four[2, j] + four[3, j])
        for bit in range(4):
            row = four[3 - bit]
            for p in range(1 << bit):
                less, plus = sums[p + (1 << bit)], sums[p]
                for j in range(width):
                    less[j] = plus[j] - (row[j] + row[j])
    for p in range(256):
        high, low, out = halves[0, p >> 4], halves[1, p & 15], table[p]
        for j in range(width):
            out[j] = high[j] + low[j]
