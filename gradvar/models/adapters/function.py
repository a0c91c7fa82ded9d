"""Any model, given by two functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import SupportsIndex

import numpy.typing as npt

from ...core.arguments import Array, integer, real
from ...core.errors import ShapeError
from ..base import check_one_output

Function = Callable[[Array], npt.ArrayLike]


class FunctionModel:
    """A model given by its prediction and its gradient in the parameters; see `from_function`."""

    def __init__(self, predict: Function, gradient: Function, n_parameters: int, dim: int | None) -> None:
        self._predict, self._gradient = predict, gradient
        self.n_parameters, self.dim = n_parameters, dim

    def __repr__(self) -> str:
        return f"from_function({getattr(self._predict, '__name__', 'predict')}, n_parameters={self.n_parameters})"

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,)."""
        array = real("x", x)
        p = real("predict(x)", self._predict(array), f"({len(array)},)")
        check_one_output("`predict`", p.shape, len(array))
        return p

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P)."""
        array = real("x", x)
        g = real("gradient(x)", self._gradient(array), f"({len(array)}, {self.n_parameters})")
        if g.shape != (array.shape[0], self.n_parameters):
            raise ShapeError(
                f"`gradient` must return shape ({array.shape[0]}, {self.n_parameters}) for {array.shape[0]} inputs, "
                f"got {g.shape}"
            )
        return g


def from_function(
    predict: Function, gradient: Function, n_parameters: SupportsIndex, dim: SupportsIndex | None = None
) -> FunctionModel:
    """Make a model of any prediction and its gradient.

    Parameters
    ----------
    predict : callable
        Takes inputs (n, dim) and returns p_w(x), shape (n,).
    gradient : callable
        Takes inputs (n, dim) and returns dp_w(x)/dw, shape (n, P).
    n_parameters : int
        The number of parameters P, >= 1.
    dim : int, optional
        The number of input coordinates; None when any will do.

    Returns
    -------
    FunctionModel
        Results that have another shape or are not finite raise an error with the row.

    Examples
    --------
    >>> import numpy as np
    >>> w = np.ones(3)
    >>> neuron = from_function(lambda x: np.maximum(x @ w, 0), lambda x: (x @ w > 0)[:, None] * x, 3)
    >>> neuron.predict([[1.0, 1.0, -1.0]])
    array([1.])
    """
    for name, function in (("predict", predict), ("gradient", gradient)):
        if not callable(function):
            raise TypeError(f"`{name}` must be a function of the inputs (n, dim), got {function!r}")
    return FunctionModel(
        predict,
        gradient,
        integer("n_parameters", n_parameters, 1),
        None if dim is None else integer("dim", dim, 1),
    )
