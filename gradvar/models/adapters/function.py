"""Any model, given by two functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, integer, real
from ...core.errors import ShapeError
from ..precision import looked_at

Function = Callable[[Array], npt.ArrayLike]
Layers = Mapping[str, tuple[int, ...]]
_ROWS = 16
_SAME = 1e-5
"""Difference of two predictions at one input that may be rounding, in single precision too; relative to the largest."""


class FunctionModel:
    """A model given by its prediction and its gradient in the parameters; see `from_function`."""

    def __init__(
        self,
        predict: Function,
        gradient: Function,
        n_parameters: int,
        dim: int | None,
        layers: Layers | None = None,
        n_outputs: int = 1,
    ) -> None:
        self._predict, self._gradient = predict, gradient
        self.layers = {"all": (n_parameters,)} if layers is None else dict(layers)
        self.n_parameters, self.dim, self.n_outputs = n_parameters, dim, n_outputs
        self._outputs = () if n_outputs == 1 else (n_outputs,)
        self._seen = False

    def __repr__(self) -> str:
        return f"from_function({getattr(self._predict, '__name__', 'predict')}, n_parameters={self.n_parameters})"

    def rounding(self, x: npt.ArrayLike) -> float:
        """Return what the functions' arithmetic leaves in gradients, relative to their norm; 0.0 in float64.

        Looked at in the dtype and the digits of their results, and along lines through the inputs.
        """
        array = real("x", x)
        return looked_at(array, self._predict, lambda some: [self._gradient(some), np.ones((len(some), 1))])

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,) or (n, K)."""
        array = real("x", x)
        p = self._predictions(array)
        if not self._seen and len(array):
            self._look(array[:_ROWS], p[:_ROWS])
            self._seen = len(array) > 1  # one alone has no order
        return p

    def _predictions(self, array: Array) -> Array:
        shape = (len(array), *self._outputs)
        p = real("predict(x)", self._predict(array), str(shape))
        if p.shape != shape:
            several = "" if self._outputs else "; of K outputs, from_function(..., n_outputs=K)"
            raise ShapeError(f"`predict` must return shape {shape} for {len(array)} inputs, got {p.shape}{several}")
        return p

    def _look(self, x: Array, p: Array) -> None:
        """Raise a ValueError unless the same inputs, among fewer and in another order, have the same predictions."""
        x, p = x[::-2].copy(), p[::-2]
        again = self._predictions(x)
        with np.errstate(invalid="ignore"):
            wrong = np.abs(again - p) > _SAME * np.abs(p).max()  # False for nan: not for this look to say
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"`predict` must be a function of each input alone, and gave {p[at]:.9g} and {again[at]:.9g} "
                f"at x = {x[at[0]]}: switch dropout and other randomness off, and use no statistics of the batch"
            )

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P) or (n, K, P)."""
        array = real("x", x)
        shape = (len(array), *self._outputs, self.n_parameters)
        g = real("gradient(x)", self._gradient(array), str(shape))
        if g.shape != shape:
            raise ShapeError(f"`gradient` must return shape {shape} for {len(array)} inputs, got {g.shape}")
        return g


def from_function(
    predict: Function,
    gradient: Function,
    n_parameters: SupportsIndex,
    dim: SupportsIndex | None = None,
    layers: Layers | None = None,
    n_outputs: SupportsIndex = 1,
) -> FunctionModel:
    """Make a model of any prediction and its gradient.

    Parameters
    ----------
    predict : callable
        Takes inputs (n, dim) and returns p_w(x), shape (n,), or (n, K) for K = `n_outputs` > 1.
    gradient : callable
        Takes inputs (n, dim) and returns dp_w(x)/dw, shape (n, P) or (n, K, P).
    n_parameters : int
        The number of parameters P, >= 1.
    dim : int, optional
        The number of input coordinates; None when any will do.
    layers : mapping of str to tuple of int, optional
        Names and shapes of the arrays that the columns of the gradient belong to, in their order, for `trainable`.
    n_outputs : int
        The number of outputs K, 1 by default.

    Returns
    -------
    FunctionModel
        Results that have another shape or are not finite raise an error with the row, and so do predictions that are
        not the same at the same input (of the first batch, up to 8 inputs are looked at twice).

    Raises
    ------
    ValueError, TypeError
        Something that cannot be called, a number out of range, layers of other sizes.

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
    count = integer("n_parameters", n_parameters, 1)
    if layers is not None and sum(math.prod(shape) for shape in layers.values()) != count:
        raise ShapeError(f"`layers` must have shapes of {count} numbers together (`n_parameters`), got {layers!r}")
    coordinates = None if dim is None else integer("dim", dim, 1)
    return FunctionModel(predict, gradient, count, coordinates, layers, integer("n_outputs", n_outputs, 1))
