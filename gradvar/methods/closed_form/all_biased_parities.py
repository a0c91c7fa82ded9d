r"""All 2^d normalised parities of a biased cube, any model, any loss (Parseval).

They are an orthonormal basis of the functions on it, so for the signal s = b(p) dp/dw and the class mean m

    Var = E||s||^2 / 2^d - ||E[m s]||^2,      m(x) = prod_i (1 + chi(x_i))/2,

which one sum over all inputs gives, without a transform.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...classes import BiasedParities
from ...core.arguments import Array
from ...core.errors import NonFiniteError
from ...core.numbers import ROUNDING, Scaled
from ...estimation.expectation import MAX_POINTS, enumerated, rows_per_tile
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from ..base import InParts
from .rounded import EPS
from .theorem import Theorem

_METHOD = "closed-form (Parseval)"


@dataclass(frozen=True)
class AllBiasedParities(InParts, Theorem):
    """The theorem on all normalised parities of a biased cube."""

    statement = "all normalised biased parities: Var = E||s||^2/2^d - ||E[m s]||^2 by Parseval, m the class mean"

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for all normalised parities, on at most 2^22 inputs, and a model at fixed weights."""
        hypotheses = problem.hypotheses
        if type(hypotheses) is not BiasedParities or not hypotheses.normalised or hypotheses.degree is not None:
            return "the class is not that of all normalised biased parities"
        if hypotheses.dim > math.log2(MAX_POINTS):
            return f"E[m s] is a sum over 2^{hypotheses.dim} inputs"
        return problem.weightless

    def work(self, problem: Problem) -> float:
        """Return that of the signal at all inputs and of one product with it."""
        return 2.0**problem.inputs.dim * (problem.input_work + problem.predictor.n_parameters / 8)

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the moment, exact up to rounding."""
        hypotheses, n = problem.hypotheses, 2**problem.inputs.dim
        assert isinstance(hypotheses, BiasedParities)
        rows = rows_per_tile(problem.row_size, 512)
        blocks = [(start, min(start + rows, n)) for start in range(0, n, rows)]
        parts: list[Array] = []
        totals: list[Array] = []
        with closing(ordered_map(partial(_sums, problem, hypotheses), blocks, settings.executor)) as results:
            for norms, vectors in results:
                parts.append(norms)
                totals = [a + b for a, b in zip(totals, vectors, strict=True)] if totals else vectors
        norms_of_parts, found = enumerated(parts, n, "expectation"), []
        for part, of_mean in enumerate(problem.split([(total.T, total) for total in totals])):
            gradient, signal = norms_of_parts[2 * part : 2 * part + 2]
            mean = math.fsum(float(np.vdot(vector, vector)) for vector, _ in of_mean)
            found.append(replace(_moment(problem, signal.value / n, mean), norms=(gradient, signal)))
        return found


def _moment(problem: Problem, second: float, mean: float) -> Estimate:
    """The moment, from E||s||^2 / 2^d and ||E[m s]||^2."""
    if not math.isfinite(mean):
        raise NonFiniteError(f"the gradient variance of {problem.model!r} overflows float64; rescale its weights")
    n = 2**problem.inputs.dim
    # |m| |s_j| has at most the mean (E m^2 E s_j^2)^(1/2), E m^2 = 2^-d
    delta = 4 * (math.sqrt(n) + 8) * EPS * math.sqrt(second)
    of_mean = Scaled(mean, ROUNDING * mean + 2 * delta * math.sqrt(mean) + delta**2)
    of_all = Scaled(second, ROUNDING * second)
    found = {
        Moment.VARIANCE: Scaled(max(second - mean, 0.0), of_all.error + of_mean.error),
        Moment.SECOND: of_all,
        Moment.MEAN: of_mean,
    }[problem.moment]
    guarantee = f"exact up to float64 rounding: a sum over all {n:,} inputs, by Parseval"
    return Estimate.exactly(found, _METHOD, guarantee, n_evaluated=n)


def _sums(problem: Problem, hypotheses: BiasedParities, block: tuple[int, int]) -> tuple[Array, list[Array]]:
    """Sum_x P(x) (||g||^2, ||s||^2) and sum_x P(x) m(x) s(x), by factors, over a block of the inputs."""
    x, weights = problem.inputs.points(*block), problem.inputs.weights(*block)
    signal, norms = problem.signal(x)
    tilt = (weights * hypotheses.mean(x))[:, None]
    return weights @ norms, [(left * tilt).T @ right for left, right in signal]
