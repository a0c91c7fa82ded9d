"""Sums over a tile of pairs, in one pass over the tile."""

import numpy as np
from numpy.typing import NDArray

from .bits import Words
from .hamming import distances_from
from .jit import compiled

Matrix = NDArray[np.float64]


@compiled
def multiply_into(total: Matrix, left: Matrix, right: Matrix) -> None:
    """Add the entrywise product of two matrices to a third, in place."""
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += left[i, j] * right[i, j]


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
    kernel: Matrix,
    deltas: Matrix,
    width: int,
    words: Words,
    words2: Words,
    table: NDArray[np.float64],
    own: bool,
    centred: bool = True,
) -> tuple[Matrix, Matrix, Matrix]:
    """Return the sums of `pair_sums` where both factors depend on the Hamming distances of points of the cube.

        h_ij = (kernel_ij + (width - 2 dist(x_i, x_j)) deltas_ij) (table[dist(x_i, x_j)] - table[|x_i|] table[|x_j|])

    Parameters
    ----------
    kernel, deltas : float64 arrays, shape (n, n2)
        Both stay as they are.
    width : int
        The inner product of a point with itself, with as many ones as follow it.
    words, words2 : uint64 arrays, shapes (w, n), (w, n2)
        The points packed into bits, 1 for a negative coordinate, by `bits.pack`. |x| is the number of these.
    table : float64 array, shape (dim + 1,)
        A value for each distance.
    own : bool
        Whether the points are the same, and pairs of a point with itself have h_ii = 0.
    centred : bool
        Whether table[|x_i|] table[|x_j|] is subtracted.

    Returns arrays of shapes (n,), (n2,) and (3,). One pass, h and the covariance never stored; releases the GIL.
    """
    rows, columns, moments = np.zeros(kernel.shape[0]), np.zeros(kernel.shape[1]), np.zeros((3, kernel.shape[1]))
    mean, mean2 = _at_weights(table, words, centred), _at_weights(table, words2, centred)
    _pair_sums_on_the_cube(kernel, deltas, float(width), words, words2, table, mean, mean2, own, rows, columns, moments)
    return rows, columns, moments.sum(axis=1)


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
"""Columns of a block, whose rows of h stay in cache."""


@compiled
def _pair_sums_on_the_cube(
    kernel: Matrix,
    deltas: Matrix,
    width: float,
    words: Words,
    words2: Words,
    table: NDArray[np.float64],
    mean: NDArray[np.float64],
    mean2: NDArray[np.float64],
    own: bool,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    moments: Matrix,
) -> None:
    n, n2 = kernel.shape
    for first in range(0, n2, _W):
        last = min(first + _W, n2)
        points2, distance = words2[:, first:last].copy(), np.empty(last - first, dtype=np.uint64)
        h, sums = np.zeros((4, _W)), np.zeros((4, _W))
        for start in range(0, n, 4):
            h[n - start :] = 0.0
            for i in range(start, min(start + 4, n)):
                row = h[i - start]
                # phi(dist(x, x')): looked up among other things, the table costs twice as much.
                distances_from(words, i, points2, distance)
                for j in range(last - first):
                    row[j] = table[distance[j]]
                if own and first <= i < last:
                    row[i - first] = mean[i] * mean2[i]  # C_H = 0
                _centre(row, mean[i], mean2[first:last], sums[3])
                _multiply(row, kernel[i, first:last], deltas[i, first:last], width, distance)
                rows[i] += _sum(row)
            _add_four(h, last - first, sums)
        # In a loop: Numba would compile the message of an assignment of arrays, for three seconds.
        for j in range(last - first):
            columns[first + j] = sums[0, j]
            for k in range(3):
                moments[k, first + j] = sums[k + 1, j]


@compiled
def _centre(row: NDArray[np.float64], mean: float, mean2: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
    """Turn a row of phi(dist(x, x')) into the covariances, and add their squares."""
    for j in range(mean2.size):
        # C_H(x, x') = phi(dist(x, x')) - phi(|x|) phi(|x'|)
        c = row[j] - mean * mean2[j]
        squares[j] += c * c
        row[j] = c


@compiled
def _multiply(row: NDArray[np.float64], kernel: Matrix, deltas: Matrix, width: float, distance: Words) -> None:
    """Turn a row of covariances into h."""
    for j in range(distance.size):
        # h = C_H <s, s'>, where <x, x'> = width - 2 dist(x, x') with the ones that follow the points
        row[j] = (kernel[j] + (width - 2.0 * np.int64(distance[j])) * deltas[j]) * row[j]


@compiled
def _add_four(h: Matrix, size: int, sums: Matrix) -> None:
    """Add four rows of h, their squares and fourth powers to the sums over columns."""
    # All in arrays whose rows are a constant apart: the compiler can tell them apart, and vectorises.
    values, totals = h.reshape(-1), sums.reshape(-1)
    for j in range(size):
        a, b, c, d = values[j], values[j + _W], values[j + 2 * _W], values[j + 3 * _W]
        totals[j] += (a + b) + (c + d)
        a, b, c, d = a * a, b * b, c * c, d * d
        totals[j + _W] += (a + b) + (c + d)
        totals[j + 2 * _W] += (a * a + b * b) + (c * c + d * d)


@compiled
def _sum(work: NDArray[np.float64]) -> float:
    """The sum of a row of h, in eight lanes."""
    a = b = c = d = e = f = g = h = 0.0
    for j in range(0, _W, 8):
        a, b, c, d = a + work[j], b + work[j + 1], c + work[j + 2], d + work[j + 3]
        e, f, g, h = e + work[j + 4], f + work[j + 5], g + work[j + 6], h + work[j + 7]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


def _at_weights(table: NDArray[np.float64], words: Words, centred: bool) -> NDArray[np.float64]:
    """Return table[|x|] for each point, or zeros."""
    if not centred:
        return np.zeros(words.shape[1])
    values: NDArray[np.float64] = table[np.bitwise_count(words).sum(axis=0, dtype=np.int64)]
    return values
