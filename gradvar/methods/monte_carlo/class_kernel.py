"""The class's factor of the kernel that is averaged over pairs of inputs."""

from __future__ import annotations

import numpy as np

from ...classes.base import HypothesisClass, KnowsCovariance, KnowsMean, prior_of
from ...classes.parities import CubeParities
from ...core.arguments import Array, real
from ...core.errors import NonFiniteError, NotApplicableError, ShapeError
from ...core.numbers import exp2
from ...problem import Moment, Problem

_PAIR, _COVARIANCE = 16.0, 16.0
"""Multiplications that the sums over a pair count as, and a covariance whose class does not say it."""


class ClassKernel:
    """A function c(x, x') of two inputs, with c = C_H, E_h[h h'] = C_H + m m' or m m' as the moment has it.

    m is the class mean. The moment is E[c(x, x') <s(x), s(x')>].

    Raises
    ------
    NotApplicableError
        For a class that does not say its covariance or its mean, where the moment needs it.
    """

    def __init__(self, hypotheses: HypothesisClass, moment: Moment) -> None:
        self.moment, self._class = moment, hypotheses
        self._covariance = self._mean = None
        if moment is not Moment.MEAN:
            if not isinstance(hypotheses, KnowsCovariance):
                raise NotApplicableError(f"{hypotheses!r} has no method `covariance(x, x2)`")
            self._covariance = hypotheses.covariance
        if moment is not Moment.VARIANCE:
            if not isinstance(hypotheses, KnowsMean):
                raise NotApplicableError(f"{hypotheses!r} has no method `mean(x)`")
            self._mean = hypotheses.mean

    def __call__(self, x: Array, x2: Array) -> Array:
        """Return c(x, x'), shape (n, n2)."""
        total: Array | None = None
        if self._covariance is not None:
            total = self._checked("covariance", self._covariance(x, x2), (x.shape[0], x2.shape[0]))
        if self._mean is not None:
            mean, mean2 = (self._checked("mean", self._mean(points), points.shape[:1]) for points in (x, x2))
            total = np.outer(mean, mean2) if total is None else total + np.outer(mean, mean2)
        assert total is not None
        return total

    def _checked(self, name: str, values: Array, shape: tuple[int, ...]) -> Array:
        """The values that a method of the class returned, if they have that shape and are finite."""
        values = real(f"H.{name}", values)
        if values.shape != shape:
            inputs = " and ".join(str(size) for size in shape)
            raise ShapeError(f"`H.{name}` must return shape {shape} for {inputs} inputs, got {values.shape}")
        if not np.isfinite(values).all():
            raise NonFiniteError(f"`H.{name}` of {self._class!r} must be finite")
        return values

    @property
    def by_distance(self) -> Array | None:
        """phi with E_h[h(x) h(x')] = phi(dist(x, x')) and m(x) = phi(|x|), |x| the number of x_i = -1.

        None unless c is made of these: for a class that is known to be of parities, Hamming distances, not the mean.
        """
        kind = type(self._class)
        if self.moment is Moment.MEAN or not isinstance(self._class, CubeParities):
            return None
        replaced = any(getattr(kind, name) is not getattr(CubeParities, name) for name in ("covariance", "mean"))
        return None if replaced else self._class.mean_by_weight

    @property
    def mean_square(self) -> float:
        """E c(x, x')^2 of an orthonormal class of equally likely members; 0.0 for others, of which it is not known."""
        if not getattr(self._class, "is_orthonormal", False) or prior_of(self._class) is not None:
            return 0.0
        one, square = exp2(-self._class.log2_size), exp2(-2 * self._class.log2_size)
        return {Moment.VARIANCE: one - square, Moment.SECOND: one, Moment.MEAN: square}[self.moment]


def work_of_pair(problem: Problem) -> float:
    """Multiplications that a pair of inputs counts as; those of matrix products are sixteen times as fast as others.

    A class may say what a value of its covariance takes, as `covariance_work`.
    """
    products = (problem.row_size - problem.inputs.dim) / 16
    return _PAIR + products + float(getattr(problem.hypotheses, "covariance_work", _COVARIANCE))
