"""A user's own finite set of functions on finitely many points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from ..arguments import Array, SeedLike, generator, inputs_of, integer, real_array
from ..errors import ShapeError, TooLargeError
from ..inputs import FinitePoints

Functions = Sequence[Callable[[Array], npt.ArrayLike]]


class FiniteClass:
    """A finite set of functions on finitely many points, given by its table of values.

    Its Gram matrix Gram_ij = E_x[h_i(x) h_j(x)] is computed, and with it everything that is said about the class:
    whether it is orthonormal, and its operator norm lambda_max(J Gram J)/|H| with J = I - 11'/|H|.

    Parameters
    ----------
    values_or_functions : array_like of shape (m, n), or sequence of m callables
        Member i at point j; or functions that take the points (n, dim) and return (n,) values.
    points : array_like of shape (n, dim), or FinitePoints
        The points.
    weights : array_like of shape (n,), optional
        Probabilities of the points; uniform by default.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        An empty class, shapes that do not fit, infinite values, weights that do not sum to one.

    Examples
    --------
    >>> H = FiniteClass([[1, 1, -1, -1], [1, -1, 1, -1]], points=[[0.0], [1.0], [2.0], [3.0]])
    >>> H.is_orthonormal, H.operator_norm()
    (True, 0.5)
    """

    def __init__(
        self,
        values_or_functions: npt.ArrayLike | Functions,
        points: npt.ArrayLike | FinitePoints,
        weights: npt.ArrayLike | None = None,
    ) -> None:
        if isinstance(points, FinitePoints):
            if weights is not None:
                raise TypeError("`weights` must be left out when `points` is a FinitePoints: it has its own")
            self.inputs = points
        else:
            self.inputs = FinitePoints(points, weights)
        n = self.inputs.n_points
        self.values = _table(values_or_functions, self.inputs.points(0, n))
        if self.values.shape[1] != n:
            raise ShapeError(
                f"`values` must have shape (m, {n}), a column for each of the {n} points, got {self.values.shape}"
            )
        if self.values.shape[0] == 0:
            raise ShapeError("`values` must have at least one row: an empty class has no gradient variance")
        size = float(np.abs(self.values).max(initial=0.0))
        if size and not 1e-100 < size < 1e100:
            raise ValueError(f"`values` must be of a size whose squares float64 holds, got {size:.3g}; rescale them")
        self.values.setflags(write=False)
        self.size: int = self.values.shape[0]

    def __repr__(self) -> str:
        return f"FiniteClass({self.size} functions on {self.inputs.n_points} points of R^{self.inputs.dim})"

    @property
    def description(self) -> str:
        """The class in words."""
        return f"{self.size:,} functions given by their values"

    @property
    def log2_size(self) -> float:
        """log2 m."""
        return math.log2(self.size)

    @cached_property
    def labels(self) -> str:
        """ "signs" when every value is -1 or +1, else "real"."""
        return "signs" if (np.abs(self.values) == 1).all() else "real"

    def members(self) -> npt.NDArray[np.intp]:
        """Return the indices of all members, shape (m,)."""
        return np.arange(self.size)

    def sample(self, m: int, rng: SeedLike = None) -> npt.NDArray[np.intp]:
        """Return the indices of m members drawn independently, shape (m,)."""
        return generator(rng).integers(0, self.size, size=integer("m", m, 0))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values of members (indices, shape (m,)) at inputs x among the points, shape (m, n)."""
        rows = np.asarray(members)
        if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
            raise ShapeError(f"`members` must be indices of shape (m,), got {rows.dtype} of shape {rows.shape}")
        if rows.size and (rows.min() < 0 or rows.max() >= self.size):
            raise ValueError(f"`members` must be indices from 0 to {self.size - 1}, got {rows.min()}..{rows.max()}")
        return self.values[rows][:, self._columns(x)] if rows.size else np.empty((0, len(self._columns(x))))

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x) at inputs x among the points, shape (n,)."""
        return np.asarray(self.values[:, self._columns(x)].mean(axis=0))

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') at inputs among the points, shape (n, n2). Exact up to rounding; costs m n n2."""
        left, right = self._centred[:, self._columns(x)], self._centred[:, self._columns(x2)]
        return np.asarray(left.T @ right / self.size)

    def project(self, f: npt.ArrayLike) -> Array:
        """Return E_x[h(x) f(x)] for every member, shape (m, q), for f of shape (n_points, q). Costs m n q."""
        n = self.inputs.n_points
        values = np.asarray(f, dtype=np.float64)
        if values.ndim != 2 or values.shape[0] != n:
            raise ShapeError(f"`f` must have shape ({n}, q) for {self!r}, got {values.shape}")
        return np.asarray(self.values @ (self.inputs.weights(0, n)[:, None] * values))

    def gram(self) -> Array:
        """Return the Gram matrix E_x[h_i(x) h_j(x)], shape (m, m)."""
        return self._gram

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram matrix over |H|.

        Exact up to rounding; costs min(m, n)^2 (max(m, n) + min(m, n)).
        """
        centred_norm, uncentred_norm = self._norms
        return centred_norm if centred else uncentred_norm

    @property
    def is_orthonormal(self) -> bool:
        """Whether Gram = I up to rounding."""
        return self._orthogonality_defect <= self._rounding and self._largest_defect_of_norm <= self._rounding

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Whether Theorem 1's assumption on the class holds (E h^2 <= 1, E h h' = 0), and the evidence."""
        off, top = self._orthogonality_defect, self._largest_norm_sq
        evidence = f"Gram matrix of all {self.size:,} members: max |E h h'| = {off:.2g}, max E h^2 = {top:.6g}"
        holds = off <= self._rounding and top <= 1 + self._rounding
        return ("checked" if holds else "failed"), evidence

    @cached_property
    def _gram(self) -> Array:
        size = 8 * self.size**2
        if size > 4 * 2**30:
            raise TooLargeError(
                f"the Gram matrix of {self.size:,} members needs {size / 2**30:.1f} GiB; take fewer members"
            )
        scaled = self._scaled
        gram = scaled @ scaled.T
        gram.setflags(write=False)
        return gram

    @property
    def _scaled(self) -> Array:
        return np.asarray(self.values * np.sqrt(self.inputs.weights(0, self.inputs.n_points)))

    @cached_property
    def _centred(self) -> Array:
        return np.asarray(self.values - self.values.mean(axis=0))

    @cached_property
    def _norms(self) -> tuple[float, float]:
        root = np.sqrt(self.inputs.weights(0, self.inputs.n_points))
        found = []
        for values in (self._centred, self.values):
            scaled = values * root
            small = scaled @ scaled.T if scaled.shape[0] <= scaled.shape[1] else scaled.T @ scaled
            # All eigenvalues: LAPACK's search for the last one alone fails on multiples of the identity.
            top = float(np.linalg.eigvalsh(small)[-1])
            found.append(max(top, 0.0) / self.size)
        return found[0], found[1]

    @property
    def _rounding(self) -> float:
        """Error of an inner product of n terms whose absolute values sum to at most 1, with room of 4."""
        return 4 * self.inputs.n_points * float(np.finfo(np.float64).eps)

    @cached_property
    def _orthogonality_defect(self) -> float:
        off = np.abs(self._gram)
        np.fill_diagonal(off, 0.0)
        return float(off.max())

    @property
    def _largest_norm_sq(self) -> float:
        return float(np.diagonal(self._gram).max())

    @property
    def _largest_defect_of_norm(self) -> float:
        return float(np.abs(np.diagonal(self._gram) - 1).max())

    def _columns(self, x: npt.ArrayLike) -> npt.NDArray[np.intp]:
        array = inputs_of(x, self.inputs.dim, repr(self)) + 0.0
        try:
            return np.array([self._index[row.tobytes()] for row in array], dtype=np.intp)
        except KeyError:
            row = next(i for i, point in enumerate(array) if point.tobytes() not in self._index)
            raise ValueError(
                f"`x` must hold points of {self!r} (its functions are known nowhere else); row {row} is not one"
            ) from None

    @cached_property
    def _index(self) -> dict[bytes, int]:
        index: dict[bytes, int] = {}
        for j, point in enumerate(self.inputs.points(0, self.inputs.n_points) + 0.0):
            first = index.setdefault(point.tobytes(), j)
            if first != j and not np.array_equal(self.values[:, first], self.values[:, j]):
                raise ValueError(
                    f"`points` {first} and {j} are equal but some function has different values there: "
                    "not a function of x; use method='enumeration', which goes by the number of the point"
                )
        return index


def _table(given: npt.ArrayLike | Functions, points: Array) -> Array:
    """The (m, n) table of values."""
    if isinstance(given, Sequence) and given and all(callable(h) for h in given):
        rows = []
        for i, h in enumerate(given):
            assert callable(h)
            row = np.asarray(h(points), dtype=np.float64)
            if row.shape != (points.shape[0],):
                raise ShapeError(f"function {i} must return shape ({points.shape[0]},) at the points, got {row.shape}")
            rows.append(row)
        return real_array("values", rows, 2, "(m, n)")
    if isinstance(given, Sequence) and not len(given):
        raise ShapeError("`values_or_functions` must not be empty: an empty class has no gradient variance")
    if isinstance(given, Sequence) and any(callable(h) for h in given):
        raise TypeError("`values_or_functions` must be a table of numbers or a list of functions, got a mixture")
    return real_array("values", cast(npt.ArrayLike, given), 2, "(m, n)")
