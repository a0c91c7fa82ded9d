"""Models of one weight vector: linear and cosine."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, inputs_of, real_array
from ..core.errors import ShapeError
from ..core.reach import Reach
from .base import parameter_vector
from .layer_reach import ALLOWANCE, activated, affine, product


class _Ridge:
    """A model p = f(<w, x>) with the weights w as its parameters."""

    def __init__(self, weights: npt.ArrayLike) -> None:
        self.weights = real_array("weights", weights, 1, "(dim,)")
        if self.weights.size == 0:
            raise ShapeError("`weights` must have shape (dim,) with dim >= 1, got (0,)")
        self.weights.setflags(write=False)
        self.dim = self.n_parameters = self.weights.size

    def __repr__(self) -> str:
        return f"{type(self).__name__}(dim={self.dim})"

    @property
    def parameters(self) -> Array:
        """The weights w, shape (dim,)."""
        return self.weights

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        """The one array of parameters: its name and shape."""
        return {"weights": (self.dim,)}

    def with_parameters(self, parameters: npt.ArrayLike) -> Self:
        """Return the model with these weights, shape (dim,)."""
        return type(self)(parameter_vector(parameters, self.n_parameters, self))

    def _projection(self, x: npt.ArrayLike) -> tuple[Array, Array]:
        array = inputs_of(x, self.dim, repr(self))
        return array, array @ self.weights


class Linear(_Ridge):
    """The linear model p(x) = <w, x>.

    Parameters
    ----------
    weights : array_like, shape (dim,)
        The weights w, all of the model's parameters.

    Raises
    ------
    ShapeError, NonFiniteError, TypeError
        Weights that are no vector of finite numbers.

    Examples
    --------
    >>> Linear([1.0, 2.0]).predict([[1.0, -1.0]])
    array([-1.])
    """

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return <w, x>, shape (n,)."""
        return self._projection(x)[1]

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return x, shape (n, dim)."""
        return inputs_of(x, self.dim, repr(self)).copy()

    def largest_gradient(self, reach: Reach) -> float:
        """Return a bound on ||x||^2 over all inputs of this reach."""
        return reach.norm**2 * ALLOWANCE

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return the pair (x, 1)."""
        array = inputs_of(x, self.dim, repr(self))
        return [(array, np.ones((array.shape[0], 1)))]


class Cosine(_Ridge):
    """The cosine model p(x) = cos<w, x>.

    Parameters
    ----------
    weights : array_like, shape (dim,)
        The weights w, all of the model's parameters.

    Raises
    ------
    ShapeError, NonFiniteError, TypeError
        Weights that are no vector of finite numbers.

    Examples
    --------
    >>> Cosine([1.0, 2.0]).predict([[2.0, -1.0]])
    array([1.])
    """

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return cos<w, x>, shape (n,)."""
        return np.asarray(np.cos(self._projection(x)[1]))

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return -sin<w, x> x, shape (n, dim)."""
        array, z = self._projection(x)
        return np.asarray(-np.sin(z)[:, None] * array)

    def largest_gradient(self, reach: Reach) -> float:
        """Return a bound on sin^2<w, x> ||x||^2 over all inputs of this reach."""
        steepest = activated(affine(reach, self.weights[None]), "cos").steepest
        return float(product(steepest[0] ** 2, reach.norm**2)) * ALLOWANCE

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return the pair (x, -sin<w, x>)."""
        array, z = self._projection(x)
        return [(array, -np.sin(z)[:, None])]
