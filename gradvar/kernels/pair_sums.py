"""Sums over a tile of pairs, in one pass over the tile."""

import numpy as np
from numpy.typing import NDArray

from ..bits import Words
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
    kernel: Matrix,
    deltas: Factor,
    width: int,
    words: tuple[Words, Words],
    table: NDArray[np.float64],
    means: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[Matrix, Matrix, Matrix]:
    """The same sums where both factors depend on the Hamming distances of points of the cube.

        h_ij = (kernel_ij + (width - 2 dist_ij) deltas_ij) (table[dist_ij] - mean_i mean_j)

    Parameters
    ----------
    kernel, deltas : arrays, shape (n, n2)
        deltas may be float32. Both stay as they are.
    width : int
        The inner product of a point with itself, with as many ones as follow it.
    words : two uint64 arrays, shapes (w, n), (w, n2)
        The points packed into bits, 1 for a negative coordinate, by `bits.pack`.
    table : float64 array, shape (dim + 1,)
        A value for each distance.
    means : two float64 arrays, shapes (n,), (n2,)
        What is taken from it.

    Returns arrays of shapes (n,), (n2,) and (3,). One pass, h and the covariance never stored; releases the GIL.
    """
    rows, columns, moments = np.empty(kernel.shape[0]), np.zeros(kernel.shape[1]), np.zeros((3, kernel.shape[1]))
    _pair_sums_on_the_cube(kernel, deltas, float(width), *words, table, *means, rows, columns, moments)
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


@compiled
def _pair_sums_on_the_cube(
    kernel: Matrix,
    deltas: Factor,
    width: float,
    words: Words,
    words2: Words,
    table: NDArray[np.float64],
    mean: NDArray[np.float64],
    mean2: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    moments: Matrix,
) -> None:
    # Loops over few arrays each, or the compiler gives up on telling them apart and does not vectorise.
    n, n2 = kernel.shape
    distance, c = np.empty(n2, dtype=np.uint64), np.empty(n2)
    h = np.zeros(-(-n2 // 32) * 32)
    lanes = np.empty(32)
    squares, fourths, covariances = moments[0], moments[1], moments[2]
    for i in range(n):
        distances_from(words, i, words2, distance)
        for j in range(n2):
            c[j] = table[np.int64(distance[j])] - mean[i] * mean2[j]
        for j in range(n2):
            h[j] = (kernel[i, j] + (width - 2.0 * np.int64(distance[j])) * deltas[i, j]) * c[j]
        for j in range(n2):
            columns[j] += h[j]
        for j in range(n2):
            square = h[j] * h[j]
            squares[j] += square
            fourths[j] += square * square
        for j in range(n2):
            covariances[j] += c[j] * c[j]
        lanes[:] = 0.0
        for start in range(0, h.size, 32):
            for lane in range(32):
                lanes[lane] += h[start + lane]
        rows[i] = lanes.sum()
