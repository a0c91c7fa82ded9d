"""Sums over a tile of pairs, in one pass over the tile."""

import numpy as np
from numpy.typing import NDArray

from .bits import Words
from .hamming import distances_from
from .jit import compiled

Matrix = NDArray[np.float64]
Factor = NDArray[np.floating]


def multiply_into(total: Matrix, left: Factor, right: Factor) -> None:
    """Add the entrywise product of two matrices, float64 or float32, to a third, in place."""
    _multiply_into(total, left, right)


def pair_sums(kernel: Matrix, covariance: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Return sums of h = kernel * covariance over rows, over columns, and of h^2, h^4 and covariance^2.

    Parameters
    ----------
    kernel : float64 array, shape (n, n2)
        Overwritten with h.
    covariance : float64 array, shape (n, n2)
        The other factor.

    Returns arrays of shapes (n,), (n2,) and (3,). One pass; releases the GIL.
    """
    columns, moments = np.zeros(kernel.shape[1]), np.zeros((3, kernel.shape[1]))
    _pair_sums(kernel, covariance, columns, moments)
    return kernel.sum(axis=1), columns, moments.sum(axis=1)


def pair_sums_on_the_cube(
    kernel: Factor, deltas: Factor, width: int, words: Words, words2: Words, table: NDArray[np.float64], own: bool
) -> tuple[Matrix, Matrix, Matrix]:
    """The same sums where both factors depend on the Hamming distances of points of the cube.

        h_ij = (kernel_ij + (width - 2 dist(x_i, x_j)) deltas_ij) (table[dist(x_i, x_j)] - table[|x_i|] table[|x_j|])

    Parameters
    ----------
    kernel, deltas : arrays, float64 or float32, shape (n, n2)
        Both stay as they are.
    width : int
        The inner product of a point with itself, with as many ones as follow it.
    words, words2 : uint64 arrays, shapes (w, n), (w, n2)
        The points packed into bits, 1 for a negative coordinate, by `bits.pack`. |x| is the number of these.
    table : float64 array, shape (dim + 1,)
        A value for each distance.
    own : bool
        Whether the points are the same, and pairs of a point with itself have h_ii = 0.

    Returns arrays of shapes (n,), (n2,) and (3,). One pass, h and the covariance never stored; releases the GIL.
    """
    rows, columns, moments = np.zeros(kernel.shape[0]), np.zeros(kernel.shape[1]), np.zeros((3, kernel.shape[1]))
    _pair_sums_on_the_cube(kernel, deltas, float(width), words, words2, table, own, rows, columns, moments)
    return rows, columns, moments.sum(axis=1)


@compiled
def _multiply_into(total: Matrix, left: Factor, right: Factor) -> None:
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += left[i, j] * right[i, j]


@compiled
def _pair_sums(kernel: Matrix, covariance: Matrix, columns: NDArray[np.float64], moments: Matrix) -> None:
    # Sums run down the columns: neighbours in a row do not wait for one another.
    squares, fourths, covariances = moments[0], moments[1], moments[2]
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            c = covariance[i, j]
            h = kernel[i, j] * c
            square = h * h
            kernel[i, j] = h
            columns[j] += h
            squares[j] += square
            fourths[j] += square * square
            covariances[j] += c * c


_W = 512
"""Columns of a block."""
_COLUMNS, _SQUARES, _FOURTHS, _COVARIANCES, _MEANS, _H = 0, _W, 2 * _W, 3 * _W, 4 * _W, 5 * _W


@compiled
def _pair_sums_on_the_cube(
    kernel: Factor,
    deltas: Factor,
    width: float,
    words: Words,
    words2: Words,
    table: NDArray[np.float64],
    own: bool,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    moments: Matrix,
) -> None:
    # All sums over columns, and four rows of h, are in one array at constant distances: then the compiler can tell
    # them apart, and vectorises.
    n, n2 = kernel.shape
    mean, mean2 = _at_weights(table, words), _at_weights(table, words2)
    for first in range(0, n2, _W):
        size = min(_W, n2 - first)
        there, distance = words2[:, first : first + size].copy(), np.empty(size, dtype=np.uint64)
        work = np.zeros(9 * _W)
        work[_MEANS : _MEANS + size] = mean2[first : first + size]
        for start in range(0, n, 4):
            for row in range(4):
                i, at = start + row, _H + row * _W
                if i >= n:
                    work[at : at + _W] = 0.0
                    continue
                distances_from(words, i, there, distance)
                # A loop of its own: looked up among other things, the table costs twice as much.
                for j in range(size):
                    work[at + j] = table[distance[j]]
                k, d, m = kernel[i, first : first + size], deltas[i, first : first + size], mean[i]
                if own and first <= i < first + size:
                    work[at + i - first] = m * work[_MEANS + i - first]  # c = 0
                for j in range(size):
                    c = work[at + j] - m * work[_MEANS + j]
                    work[_COVARIANCES + j] += c * c
                    work[at + j] = (k[j] + (width - 2.0 * np.int64(distance[j])) * d[j]) * c
                rows[i] += _sum(work, at)
            for j in range(size):
                a, b = work[_H + j], work[_H + _W + j]
                c, d = work[_H + 2 * _W + j], work[_H + 3 * _W + j]
                work[_COLUMNS + j] += (a + b) + (c + d)
                a, b, c, d = a * a, b * b, c * c, d * d
                work[_SQUARES + j] += (a + b) + (c + d)
                work[_FOURTHS + j] += (a * a + b * b) + (c * c + d * d)
        for j in range(size):
            columns[first + j] = work[_COLUMNS + j]
            moments[0, first + j] = work[_SQUARES + j]
            moments[1, first + j] = work[_FOURTHS + j]
            moments[2, first + j] = work[_COVARIANCES + j]


@compiled
def _sum(work: NDArray[np.float64], at: int) -> float:
    """The sum of a block's numbers, in eight lanes."""
    a = b = c = d = e = f = g = h = 0.0
    for j in range(at, at + _W, 8):
        a, b, c, d = a + work[j], b + work[j + 1], c + work[j + 2], d + work[j + 3]
        e, f, g, h = e + work[j + 4], f + work[j + 5], g + work[j + 6], h + work[j + 7]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@compiled
def _at_weights(table: NDArray[np.float64], words: Words) -> NDArray[np.float64]:
    weight = np.empty(words.shape[1], dtype=np.uint64)
    distances_from(np.zeros((words.shape[0], 1), dtype=np.uint64), 0, words, weight)
    return table[weight]
