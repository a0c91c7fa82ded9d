"""Sums over a tile of pairs, in one pass over the tile."""

import numpy as np
from numpy.typing import NDArray

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
