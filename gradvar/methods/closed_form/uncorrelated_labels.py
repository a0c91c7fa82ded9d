r"""Labels of different inputs that are uncorrelated: all parities, or all labelings, on finitely many inputs.

With E_h[h(x) h(x')] = [x = x'] and a class mean m that is zero but at one point at most,

    E_h ||E[h s]||^2 = sum_i w_i^2 ||s(x_i)||^2,     ||E[m s]||^2 = sum_i w_i^2 m_i^2 ||s(x_i)||^2,

and Var is their difference, the points different and w their weights: E||s||^2/n for n equal ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...classes.base import KnowsMean
from ...classes.inputs import Hypercube
from ...core.errors import NonFiniteError
from ...core.numbers import ROUNDING, Scaled
from ...estimation.settings import Settings
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ..base import InParts
from ..enumeration.points import MeanNorms, n_points, over_points
from .theorem import Theorem


@dataclass(frozen=True)
class UncorrelatedLabels(InParts, Theorem):
    """The theorem on uncorrelated labels."""

    statement = (
        "uncorrelated labels of different inputs: Var = sum_i w_i^2 (1 - m_i^2) ||s(x_i)||^2, for any model and loss"
    )

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for such a class on a sample, and a model at fixed weights."""
        hypotheses = problem.hypotheses
        if not getattr(hypotheses, "uncorrelated", False) or isinstance(hypotheses.inputs, Hypercube):
            return "the class is not known to have uncorrelated labels on a sample"
        return problem.weightless

    def work(self, problem: Problem) -> float:
        """Return that of the model at all inputs."""
        return n_points(problem) * problem.input_work

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the moment, exact up to rounding."""
        points, hypotheses = n_points(problem), problem.hypotheses
        x, weights = problem.inputs.points(0, points), problem.inputs.weights(0, points)
        mean = np.asarray(hypotheses.mean(x)) if isinstance(hypotheses, KnowsMean) else np.zeros(points)
        sizes = list(over_points(problem.norms, problem, settings))
        signals = np.concatenate([norm_sq[:, 1::2] for _, norm_sq in sizes])
        share = {Moment.VARIANCE: 1 - mean**2, Moment.SECOND: np.ones(points), Moment.MEAN: mean**2}[problem.moment]
        values = [math.fsum(weights**2 * share * signal) for signal in signals.T]
        if not np.isfinite(values).all():
            raise NonFiniteError(f"the gradient variance of {problem.model!r} overflows float64; rescale its weights")
        norms = MeanNorms(problem)
        norms.take(sizes)
        guarantee = "exact up to float64 rounding: labels of different inputs are uncorrelated"
        method = "closed-form (uncorrelated labels)"
        return norms.beside(
            Estimate.exactly(Scaled(value, ROUNDING * value), method, guarantee, n_evaluated=points) for value in values
        )
