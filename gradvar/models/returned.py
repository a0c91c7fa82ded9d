"""What a model returned, made sure to be what it should be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from ..core.errors import NonFiniteError
from .base import check_one_output


def predictions_of(p: npt.ArrayLike, x: Array) -> Array:
    """The predictions at these inputs, made sure to be finite and one number each."""
    predictions = real_numbers("predict", p)
    check_one_output("`model.predict`", predictions.shape, x.shape[0])
    finite_rows("prediction", predictions[:, None], x)
    return predictions


def real_numbers(what: str, values: npt.ArrayLike) -> Array:
    """The values as float64, made sure to be real."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"`{what}` of `model` must return an array of real numbers, got dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def finite_rows(what: str, values: Array, x: Array) -> None:
    """Raise a `NonFiniteError` that names the input, where values of it are not finite."""
    finite = np.isfinite(values)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        point = np.array2string(x[row], threshold=8, precision=4)
        raise NonFiniteError(
            f"the {what} of `model` must be finite, got {values[row, column]} in row {row} "
            f"of a block of {x.shape[0]:,} inputs, at x = {point}"
        )
