r"""Parities and the infinite-width limit of a network, any dimension.

The loss has b(p) = b at every p, so that only b^2 times the mean tangent kernel Theta enters the expectation of Var
over the weights. On the cube Theta depends on rho = <x, x'>/d alone, so the parities are its eigenfunctions, with one
eigenvalue for each degree, Theta(x, x') = sum_S lambda_|S| chi_S(x) chi_S(x'):

    lambda_k = E_x[Theta((x_1 + ... + x_d)/d) x_1 ... x_k].

Degree k: the class covariance is the mean of chi_S(x) chi_S(x') over |S| = k, which Theta takes to lambda_k, less the
product of the class means m(x) m(x'), m = sum_S chi_S / C(d, k), which it takes to lambda_k / C(d, k):

    E_w Var = b^2 lambda_k (1 - 1/C(d, k)).

All parities: C_H(x, x') = [x = x'] - [x = 1] [x' = 1], so E_w Var = b^2 Theta(1) 2^-d (1 - 2^-d).

The eigenvalue. As a sum over Hamming weights, 2^-d sum_h C(d, h) phi_k(h) Theta(1 - 2h/d), it cancels: at d = 1000
and k = 10 it is 3e-11 of its largest term, and 6% off in float64. Instead Theta = sum_m a_m rho^m with every a_m >= 0,
and

    lambda_k = sum_m a_m E[((x_1 + ... + x_d)/d)^m x_1 ... x_k],

where the moments are not negative either and come by a recurrence without a subtraction
(`kernels/parity_moments.py`). Beyond the last m = M the moments are 2^{1-d}, from x = (1, ..., 1) and its opposite,
and something smaller than E[|rho|^M; |rho| < 1]; the sum of the a_m beyond M is what is missing to Theta(1), or to
Theta(r), r > 1, at geometric weights. M is doubled until what is not known of that rest is below rounding.

Cost: a series of M coefficients, 5 depth M^2 (5 M for one hidden layer), and M min(d, M)/4 for the moments. M = 64 for
k <= 10 at d = 1000, a few milliseconds; for relu and k near d, M is about 20 d, and seconds.

Error: rounding, about m units in the last place of each term m, and the rest. Both are computed and make up the
interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from ...classes.parities import CubeParities, Parities, SparseParities
from ...core.arguments import Array
from ...core.errors import NotApplicableError
from ...core.numbers import Scaled, exp2, log2_of
from ...estimation.settings import Settings
from ...kernels.parity_moments import parity_moments
from ...models.infinite_mlp import InfiniteMLP
from ...problem import Moment, Problem
from ...results.estimate import Estimate
from .theorem import Theorem

_METHOD = "closed-form (infinite width)"
_EPS = float(np.finfo(np.float64).eps)
_FEWEST, _MOST = 64, 2**15
_ACCEPTED = 1e-6


@dataclass(frozen=True)
class InfiniteWidth(Theorem):
    """The theorem on parities and networks of infinite width."""

    statement = (
        "infinite width: the expected Var over random initialisation is b^2 times the kernel's eigenvalue at degree k, "
        "less its share of the class mean"
    )

    def uncovered(self, problem: Problem) -> str | None:
        """Return None for parities, an `InfiniteMLP` and a loss with constant b(p)."""
        if not isinstance(problem.model, InfiniteMLP):
            return "the model is not an InfiniteMLP"
        if not isinstance(problem.hypotheses, (Parities, SparseParities)):
            return "the class of targets for an InfiniteMLP is neither Parities nor SparseParities"
        if problem.loss.constant is None:
            return (
                f"b(p) of the loss {problem.loss.name!r} depends on the prediction, so that the expectation over an "
                "InfiniteMLP's weights is not in its kernel alone; square, correlation, logistic and perceptron are"
            )
        return None

    def work(self, problem: Problem) -> float:
        """Return that of the shortest series of the kernel."""
        model, hypotheses = problem.model, problem.hypotheses
        assert isinstance(model, InfiniteMLP)
        assert isinstance(hypotheses, CubeParities)
        count = _fewest(hypotheses.degrees.start)
        return 5.0 * model.depth * count**2 + count * min(hypotheses.dim, count) / 4

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the expectation of the moment over the weights, exact up to rounding.

        Raises
        ------
        NotApplicableError
            Where 2^15 coefficients do not give the eigenvalue to 1e-6: degrees near d at d of several thousands.
        """
        model, hypotheses, scale = problem.model, problem.hypotheses, problem.loss.constant
        assert isinstance(model, InfiniteMLP)
        assert isinstance(hypotheses, (Parities, SparseParities))
        assert scale is not None
        # E_S ||E[chi_S s]||^2 = b^2 Theta(1)/2^d over all S, b^2 lambda_k over |S| = k; the class mean has 1/|H| of it
        if isinstance(hypotheses, Parities):
            second, known_by = _trace(model, hypotheses.dim).times(scale**2, -hypotheses.dim), "trace"
        else:
            second, known_by = eigenvalue(model, hypotheses.dim, hypotheses.degree).times(scale**2), "eigenvalue"
        value = {
            Moment.VARIANCE: second.times(1.0 - 1 / hypotheses.size),
            Moment.SECOND: second,
            Moment.MEAN: second.over(hypotheses.size),
        }[problem.moment]
        if value.relative_error > _ACCEPTED:
            raise NotApplicableError(
                f"the eigenvalue of {model!r} at degree {hypotheses.degrees[0]} is known only to a relative error of "
                f"{value.relative_error:.1g} from {_MOST:,} coefficients of its kernel; use a smaller degree or dim"
            )
        relative = f" (about {value.relative_error:.1g} of it)" if value.mantissa > 0 else ""
        return Estimate.exactly(
            value,
            _METHOD,
            f"expected over random initialisation, exact up to float64 rounding{relative}: {known_by} of "
            f"the tangent kernel of {model!r}",
        )


def norms(problem: Problem) -> tuple[Estimate, Estimate]:
    """Return the expectations of G^2 = E||dp/dw||^2 and of E||s||^2 over the weights: Theta(1) and b^2 Theta(1)."""
    model, scale = problem.model, problem.loss.constant
    assert isinstance(model, InfiniteMLP)
    assert scale is not None
    top = _trace(model, problem.inputs.dim)
    how = (
        f"expected over random initialisation, exact up to float64 rounding: the tangent kernel of {model!r} at x = "
        "x', the same at every x"
    )
    gradient, signal = (
        Estimate.exactly(norm, "closed-form (kernel at x = x')", how) for norm in (top, top.times(scale**2))
    )
    return gradient, signal


def _trace(model: InfiniteMLP, dim: int) -> Scaled:
    """Theta(1)."""
    top = float(model.kernel(1.0, dim))
    return Scaled(top, _rounding(model) * top)


def _fewest(degree: int) -> int:
    """The coefficients of the kernel that are taken at first."""
    count = _FEWEST
    while count < 2 * (degree + 8):
        count *= 2
    return count


def eigenvalue(model: InfiniteMLP, dim: int, degree: int) -> Scaled:
    """Return lambda_k, k = `degree`, of the model's kernel on the cube {-1, +1}^dim, with its error."""
    count = _fewest(degree)
    while True:
        found, settled = _from_series(model, dim, degree, count)
        if settled or 2 * count > _MOST:
            return found
        count *= 2


def _from_series(model: InfiniteMLP, dim: int, degree: int, count: int) -> tuple[Scaled, bool]:
    """The eigenvalue from `count` coefficients of the kernel, and whether more of them would not make it better."""
    coefficients, radius, total = model.power_series(count, dim)
    moments, powers = parity_moments(dim, degree, count, radius)
    used = coefficients[degree::2]
    if not used.any():  # see `_missing`
        return Scaled(0.0), True
    mantissas, shift = np.frexp(used)
    powers = powers + shift
    exponent = int(powers[used > 0].max())
    terms = np.ldexp(moments * mantissas, np.maximum(powers - exponent, -2000).astype(np.int32))
    value = math.fsum(terms)
    m = np.arange(degree, count, 2)
    rounding = math.fsum(terms * (1.5 * _EPS * m + _coefficient_rounding(model, m)))
    low, high, log2_high = _missing(model, dim, degree, coefficients, radius, total)
    # What is missing, at x = (1, ..., 1) and its opposite: between 2^(1-d) low and 2^(1-d) high ...
    share = 1 - dim - exponent
    if low > 0:
        middle, ends = exp2(share) * (low + high) / 2, exp2(share) * (high - low) / 2
    else:
        middle = ends = exp2(log2_high + share - 1)
    # ... and at all other points.
    between = exp2(log2_high + _log2_interior(dim, int(m[-1]) + 2) - exponent)
    # Where the coefficients fall no faster than a power, their sum stays known to the rounding of Theta(1) only.
    settled = between <= rounding and (ends <= rounding or (low > 0 and radius < 1.01))
    return Scaled(value + middle, rounding + ends + between, exponent), settled


def _missing(
    model: InfiniteMLP, dim: int, degree: int, coefficients: Array, radius: float, total: float
) -> tuple[float, float, float]:
    """Bounds on the sum of the a_m, m = degree + 2i, beyond the given coefficients, and log2 of the upper one.

    Of the even m > 2, or of the odd ones, either all a_m are positive or all are zero: that is so of the series of
    arcsin u, of its derivative and of the arc-cosine kernels for u = rho, and compositions keep it.
    """
    if not coefficients[3 + (degree + 1) % 2 :: 2].any():
        return 0.0, 0.0, -math.inf
    count = coefficients.size
    m = np.arange(count)
    known = coefficients * np.exp(-m * math.log(radius))
    same = slice(degree % 2, None, 2)
    ahead, opposite = (float(model.kernel(rho, dim)) for rho in (1.0, -1.0))
    of_parity = (ahead + (opposite if degree % 2 == 0 else -opposite)) / 2
    growth = _coefficient_rounding(model, m)
    doubt = math.fsum((known * growth)[same]) + _rounding(model) * ahead
    missing = of_parity - math.fsum(known[same])
    low, high = max(missing - doubt, 0.0), max(missing + doubt, 0.0)
    # Also from Theta(r): sum_{m >= count} a_m <= r^-count sum_{m >= count} A_m.
    # Theta(r) is taken so close to a singularity that digits are lost, which r^-count makes harmless.
    beyond = total - math.fsum(coefficients) + math.fsum(coefficients * growth) + 1e-10 * total
    log2_high = min(log2_of(high, 0), log2_of(max(beyond, 0.0), 0) - count * math.log2(radius))
    return min(low, exp2(log2_high)), exp2(log2_high), log2_high


def _log2_interior(dim: int, power: int) -> float:
    """log2 of E[|rho|^power; |rho| < 1] for rho the mean coordinate."""
    h = np.arange(1, dim)
    h = h[2 * h != dim]
    if h.size == 0:
        return -math.inf
    logs = gammaln(dim + 1) - gammaln(h + 1) - gammaln(dim - h + 1) + power * np.log(np.abs(1 - 2 * h / dim))
    return float(logsumexp(logs)) / math.log(2) - dim


def _rounding(model: InfiniteMLP) -> float:
    """Relative error of the kernel at rho = 1 and -1."""
    return 16 * model.depth * _EPS


def _coefficient_rounding(model: InfiniteMLP, m: NDArray[np.int64]) -> Array:
    """Relative error of the coefficients number m: a rounding of a layer's covariance counts m times."""
    return np.asarray(2 * _EPS * model.depth * (m + 8.0))
