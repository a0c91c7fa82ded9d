"""A function that is a polynomial on each cell of an even grid, at many points."""

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Values = NDArray[np.float64]

DEGREE = 7
"""Of the polynomials: the loop over their coefficients is unrolled."""


def on_cells(table: Values, width: float, u: Values) -> Values:
    """Return the values at the points u, an array of any shape, from 0 up to below the last cell's end.

    Parameters
    ----------
    table : float64 array, shape (cells, 8)
        Row c has the coefficients, the constant first, of the powers of the position in [c width, (c + 1) width],
        counted from -1 to 1.
    width : float
        That of a cell.

    Exact but for the rounding of Horner's scheme. Releases the GIL.
    """
    flat = np.ascontiguousarray(u).reshape(-1)
    out = np.empty(flat.size)
    _on_cells(table, 1 / width, flat, out)
    return out.reshape(u.shape)


@compiled
def _on_cells(table: Values, cells: float, u: Values, out: Values) -> None:
    for i in range(u.size):
        place = u[i] * cells
        cell = np.int64(place)
        t = (place - cell) * 2.0 - 1.0
        total = table[cell, DEGREE]
        for k in range(DEGREE - 1, -1, -1):
            total = total * t + table[cell, k]
        out[i] = total
