"""All labelings of a data set: what a network can be asked to learn that has nothing to be learned."""

from __future__ import annotations

import math
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, generator, inputs_of, integer
from ..core.errors import NotApplicableError, ShapeError
from .inputs import FinitePoints
from .members.sample_points import Points
from .members.target import Members
from .members.target_class import TargetClass

_MOST_LISTED = 2**24
"""Labels of all members together."""


class RandomLabels(TargetClass):
    r"""All labelings of n different points, with signs or with class labels (Zhang et al. 2017, arXiv 1611.03530).

    C_H(x, x') = [x = x'] and the class mean is zero, so that for every model and loss

        Var = sum_i w_i^2 ||s(x_i)||^2,

    E||s||^2/n for equal weights: the operator norm is max_i w_i = 1/n, where |H| = 2^n. The gradient variance of a
    family of labelings of the same data, over this one, says how much more of it a gradient sees than of noise. With
    K classes h - 1/K is in place of h, and Var = sum_i w_i^2/K sum_k ||s_k||^2, s_k = mean_l d_l - d_k, d = dp/dw.

    Parameters
    ----------
    points : array_like of shape (n, dim), or FinitePoints
        The points, all different.
    n_classes : int, optional
        K >= 2 for class labels 0..K-1 and models with K outputs; labels are -1 and +1 by default.
    weights : array_like of shape (n,), optional
        Probabilities of the points; uniform by default.

    Raises
    ------
    ValueError, ShapeError, TypeError
        Equal points, of which a labeling may say different things; and as for `FinitePoints`.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = RandomLabels(np.eye(50))
    >>> H.log2_size, H.operator_norm(), gv.gradient_variance(H, gv.Linear([1.0] * 50)).value
    (50.0, 0.02, 0.02)
    """

    uncorrelated = True
    _defined_everywhere = False

    def __init__(
        self, points: Points, n_classes: SupportsIndex | None = None, weights: npt.ArrayLike | None = None
    ) -> None:
        sample = FinitePoints.of(points, weights)
        self.inputs, n = sample, sample.n_points
        self.n_classes = 2 if n_classes is None else integer("n_classes", n_classes, 2)
        self.n_outputs = 1 if n_classes is None else self.n_classes
        self.labels = "signs" if n_classes is None else "classes"
        self.second_moment = 1.0 if n_classes is None else 1 - 1 / self.n_classes
        self.size: int = self.n_classes**n
        self._n, self._weights = n, sample.weights(0, n)
        self._index: dict[bytes, int] = {}
        for j, point in enumerate(sample.points(0, n) + 0.0):
            first = self._index.setdefault(point.tobytes(), j)
            if first != j:
                raise ValueError(f"`points` must be all different, got equal ones in rows {first} and {j}: drop one")

    def __repr__(self) -> str:
        classes = "" if self.n_outputs == 1 else f", n_classes={self.n_classes}"
        return f"RandomLabels({self._n} points of R^{self.inputs.dim}{classes})"

    @property
    def description(self) -> str:
        """The class in words."""
        return f"all {self.n_classes}^{self._n} labelings of the points"

    label_evidence = ("proved", "labels are drawn from -1 and +1, or from 0..K - 1")
    orthonormality = ("failed", "of all labelings, most are nearly orthogonal and none is to all others")

    def members(self) -> Members:
        """Return all labelings, shape (K^n, n), where these are at most 2^24 labels."""
        if self.size * self._n > _MOST_LISTED:
            raise NotApplicableError(f"the members of {self!r} are too many to list; draw some with sample(m, rng)")
        return np.array([self._numbered(i) for i in range(self.size)])

    def _numbered(self, number: int) -> Members:
        """The labeling whose digits in base K are those of its number, the first point first."""
        return self._coded(np.array([number // self.n_classes**i % self.n_classes for i in range(self._n)]))

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return m labelings drawn independently, shape (m, n)."""
        shape = integer("m", m, 0), self._n
        return self._coded(generator(rng).integers(0, self.n_classes, size=shape))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the labels of labelings (m, n) at inputs x among the points, shape (m, n2)."""
        rows, points = self._checked(np.asarray(members)), inputs_of(x, self.inputs.dim, repr(self)) + 0.0
        columns = [self._index.get(row.tobytes(), -1) for row in points]
        if -1 in columns:
            raise ValueError(f"`x` must hold points of {self!r}; row {columns.index(-1)} is not one")
        found = rows[:, columns]
        return np.asarray(found, dtype=np.float64 if self.n_outputs == 1 else np.int64)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean, shape (n,): zero; of class labels, as unit vectors less 1/K."""
        return np.zeros(inputs_of(x, self.inputs.dim, repr(self)).shape[0])

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') = [x = x'], shape (n, n2), of labels with signs."""
        if self.n_outputs > 1:
            raise NotApplicableError("`covariance` is of classes with one output")
        first, second = (inputs_of(points, self.inputs.dim, repr(self)) for points in (x, x2))
        return np.asarray((first[:, None] == second).all(axis=2), dtype=np.float64)

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the Gram matrix over |H|, centred or not: max_i w_i, over K with classes."""
        return float(self._weights.max()) / self.n_outputs

    def frobenius_norm(self) -> float:
        """Return ||Gram||_F/|H|: (sum_i w_i^2)^(1/2); with classes ((K - 1) sum_i w_i^2)^(1/2)/K."""
        # of the trace of the squared matrix [k = l] - 1/K with classes: K - 1
        return math.sqrt(self.n_classes - 1) / self.n_outputs * float(np.linalg.norm(self._weights))

    def _coded(self, digits: npt.NDArray[np.int64]) -> Members:
        return 1 - 2 * digits if self.n_outputs == 1 else digits

    def _checked(self, rows: Members) -> Members:
        if rows.ndim != 2 or rows.shape[1] != self._n:
            raise ShapeError(f"`members` must have shape (m, {self._n}) for {self!r}, got {rows.shape}")
        accepted = np.array([-1, 1]) if self.n_outputs == 1 else np.arange(self.n_classes)
        if not np.isin(rows, accepted).all():
            raise ValueError(f"`members` must hold labels {accepted[0]}..{accepted[-1]} of {self!r}, got {rows!r:.80}")
        return rows.astype(np.int64)
