"""A distribution on finitely many points."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike, generator, integer, probabilities, real_array
from ...core.errors import ShapeError
from ...core.reach import Reach
from .base import check_block


def different_rows(x: Array) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return the different rows, in the order in which they come first, and the number of each row among them."""
    _, first, which = np.unique(x, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return x[first[order]], np.argsort(order)[which.reshape(-1)]


class FinitePoints:
    """A distribution on finitely many points of R^dim: a data set, a grid, a support with weights.

    Parameters
    ----------
    points : array_like, shape (n, dim)
        The points, at least one.
    weights : array_like, shape (n,), optional
        Their probabilities: non-negative, summing to one. Uniform by default.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError
        No points, shapes that do not fit, infinite coordinates, negative weights or weights with another sum.

    Examples
    --------
    >>> inputs = FinitePoints([[0.0, 1.0], [2.0, 3.0]], weights=[0.25, 0.75])
    >>> inputs.dim, inputs.n_points
    (2, 2)
    """

    def __init__(self, points: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> None:
        self._points = real_array("points", points, 2, "(n, dim)")
        n, dim = (int(size) for size in self._points.shape)
        if n == 0 or dim == 0:
            raise ShapeError(f"`points` must have shape (n, dim) with n, dim >= 1, got {self._points.shape}")
        self.n_points, self.dim = n, dim
        if weights is None:
            self._weights = np.full(n, 1.0 / n)
        else:
            self._weights = probabilities("weights", weights, n, "point")
        self._points.setflags(write=False)
        self._weights.setflags(write=False)

    @classmethod
    def of(cls, points: npt.ArrayLike | FinitePoints, weights: npt.ArrayLike | None = None) -> FinitePoints:
        """Return the distribution on these points, which may be one already."""
        if not isinstance(points, FinitePoints):
            return cls(points, weights)
        if weights is not None:
            raise TypeError("`weights` must be left out when `points` is a FinitePoints: it has its own")
        return points

    def __repr__(self) -> str:
        return f"FinitePoints({self.n_points} points in R^{self.dim})"

    @property
    def reach(self) -> Reach:
        """The least box around the points, and their largest norm."""
        norm = float(np.linalg.norm(self._points, axis=1).max())
        return Reach(self._points.min(axis=0), self._points.max(axis=0), norm)

    @property
    def description(self) -> str:
        """The distribution in words."""
        how = "uniform" if np.ptp(self._weights) == 0 else "weighted"
        return f"x {how} on {self.n_points:,} points of R^{self.dim}"

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent points, shape (n, dim)."""
        return self._points[generator(rng).choice(self.n_points, size=integer("n", n, 0), p=self._weights)]

    def points(self, start: int, stop: int) -> Array:
        """Return points number start..stop-1, shape (stop - start, dim)."""
        check_block(start, stop, self.n_points)
        return self._points[start:stop]

    def weights(self, start: int, stop: int) -> Array:
        """Return their probabilities, shape (stop - start,)."""
        check_block(start, stop, self.n_points)
        return self._weights[start:stop]
