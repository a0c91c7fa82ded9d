r"""The variance of a U-statistic of order two, estimated from its own pairs, and an interval that knows it.

    U = 1/(n(n-1)) sum_{i != j} h_ij,      Var U = (4 (n-2) zeta_1 + 2 zeta_2)/(n (n-1))    (Hoeffding, 1948)

    zeta_1 = E[h_ij h_ik] - E[h_ij h_kl],      zeta_2 = E[h_ij^2] - E[h_ij h_kl]      (distinct indices)

Each expectation has an unbiased estimate in the row sums, the sum of squares and the total. That of zeta_1 may be
negative.

**The interval.** U +- z (Var U)^(1/2) covers badly for two reasons.

*Few eigenvalues.* Where few eigenvalues of the kernel h carry U, U and the estimate of zeta_1 are large together. For
a positive semi-definite h with mean V, zeta_1 is V times a Rayleigh quotient kappa of h, at most its largest
eigenvalue. So the interval consists of the values V that are not rejected with the variance they imply: its ends solve

    U - V = t sigma(V),      sigma(V)^2 = (4 (n-2) kappa V + 2 zeta_2)/(n (n-1)),

quadratic equations in V. Where U is far from its noise tau = (2 zeta_2/(n (n-1)))^(1/2), kappa is zeta_1/U; where it
is not, the mean eigenvalue kappa_0 = E[psi_ij psi_jk psi_ki]/zeta_2 takes over:

    kappa = (zeta_1 U^(1/2) + kappa_0 tau^(3/2))/(U^(3/2) + tau^(3/2)),

the power by simulation. Here psi is h less its projections and its mean: E[h_ij h_jk h_ki] less 3 V zeta_1 + V^3.

Few eigenvalues skew U as well, by G = (8 E[psi_ij psi_jk psi_ki]/n^3 + 24 kappa^2 V/n^2)/sigma^3, at most 8^(1/2) as in
a chi-square. The likeliest values of U under V then reach further up, and the t of the lower end is larger by
G (q^2 - 3)/6, to first order, where that is positive. They reach less far down, too, but the upper end stays: below the
least U that some V allows there would be no end.

*Skewness.* Sigma is estimated from the rows and pairs that make U: too small a U of few large ones comes with too
small a sigma, and where U has the skewness g, (U - V)/sigma has about -2 g. So t is not +-q, but solves

    t + g t^2/3 + g^2 t^3/27 + g/6 = +-q      (Hall, 1992),      g = (8 m_3 (zeta_1/m_2)^(1/2)/n^2 + 4 M_3/n^4)/sigma^3,

with the central moments m_2, m_3 of the row means and M_3 of the pairs. The root, found by simulation, takes the noise
out of m_3: it is one where the row means are the projections. And q is Student's quantile with 2/u degrees of freedom
(Satterthwaite, 1946), u the relative variance of the estimated sigma^2,

    u = (k - 1)/n + (1 - w)^2/e,

with the kurtosis k of the row means, the effective number of pairs e = (sum h^2)^2 / sum h^4 and the share w of zeta_1
in sigma^2.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..core.arguments import Array
from .main_effects import NONE, MainEffects


class Moments(NamedTuple):
    """U with what its interval rests on.

    Attributes
    ----------
    value : float
        U.
    zeta1, zeta2 : float
        Unbiased estimates of Hoeffding's zetas.
    triangles : float
        An unbiased estimate of E[h_ij h_jk h_ki].
    n : int
        The number of units.
    skewness : float
        An estimate of that of U.
    uncertainty : float
        The relative variance of the estimated variance of U.
    reach : float
        How far U moves when the unit whose row mean is furthest from U is met once more, or not at all.
    carriers : float
        The effective number of units that carry the spread of the row means, (sum of squares)^2 / sum of fourth powers.
    """

    value: float
    zeta1: float
    zeta2: float
    triangles: float
    n: int
    skewness: float = 0.0
    uncertainty: float = 0.0
    reach: float = 0.0
    carriers: float = math.inf

    @property
    def noise(self) -> float:
        """tau^2, what is left of the variance of U where Var is zero."""
        return 2 * self.zeta2 / (self.n * (self.n - 1))

    def variance(self, n: int) -> float:
        """The variance of U at n independent units, a negative zeta_1 counting as zero."""
        return (4 * (n - 2) * max(self.zeta1, 0.0) + 2 * self.zeta2) / (n * (n - 1))

    @property
    def balanced_variance(self) -> float:
        """The variance of U for few units, where counting a negative zeta_1 as zero would add much."""
        ordered = self.n * (self.n - 1)
        return max(4 * (self.n - 2) * self.zeta1 / ordered + self.noise, self.noise / 4)

    def quantile(self, probability: float) -> float:
        """Student's, with the degrees of freedom of the estimated variance."""
        from scipy.special import stdtrit

        return float(stdtrit(2 / self.uncertainty if self.uncertainty > 0 else math.inf, probability))

    def interval(self, quantile: float, others: MainEffects = NONE) -> tuple[float, float]:
        """The values that are not rejected at this quantile; the variance of `others` is added to that of U."""
        implied = _ImpliedVariance.of(self, others.variance)
        # g: the skewness of U with what the others add
        own = self.variance(self.n)
        total = own + others.variance
        skewness = (self.skewness * own**1.5 + others.third) / total**1.5 if total > 0 else 0.0
        # The lower end reaches further, by G (q^2 - 3)/6.
        further = implied.skewness * max(quantile**2 - 3, 0.0) / 6
        first = implied.end(self.value, _unskewed(quantile, skewness) + further)
        second = implied.end(self.value, _unskewed(-quantile, skewness))
        return min(first, second), max(first, second)

    def plain_interval(self, quantile: float) -> tuple[float, float]:
        """The values not rejected with the estimated variance for all V: for a kernel not positive semi-definite."""
        return plain_interval(self.value, math.sqrt(self.variance(self.n)), self.skewness, quantile)


class _ImpliedVariance(NamedTuple):
    """The variance sigma(V)^2 = slope V + constant that U has where its mean is V, and the skewness G of U there."""

    slope: float
    constant: float
    skewness: float

    @classmethod
    def of(cls, u: Moments, of_others: float) -> _ImpliedVariance:
        n, value, zeta1 = u.n, max(u.value, 0.0), max(u.zeta1, 0.0)
        # E[psi_ij psi_jk psi_ki] = E[h_ij h_jk h_ki] - 3 V zeta_1 - V^3, and kappa_0 = E[psi psi psi]/zeta_2
        triangles = max(u.triangles - 3 * value * zeta1 - value**3, 0.0)
        mean_eigenvalue = triangles / u.zeta2 if u.zeta2 > 0 else 0.0
        # kappa = (zeta_1 U^(1/2) + kappa_0 tau^(3/2))/(U^(3/2) + tau^(3/2))
        size = value**1.5 + u.noise**0.75
        linear = u.zeta1 * value**0.5 + mean_eigenvalue * u.noise**0.75
        kappa = max(linear, 0.0) / size if size > 0 else 0.0
        # sigma(V)^2 = (4 (n-2) kappa V + 2 zeta_2)/(n (n-1))
        slope, constant = 4 * (n - 2) * kappa / (n * (n - 1)), u.noise + of_others
        # G = (8 E[psi psi psi]/n^3 + 24 kappa^2 V/n^2)/sigma^3, at most 8^(1/2)
        cube = (slope * value + constant) ** 1.5
        skewness = (8 * triangles / n**3 + 24 * kappa**2 * value / n**2) / cube if cube > 0 else 0.0
        return cls(slope, constant, min(skewness, math.sqrt(8)))

    def end(self, value: float, t: float) -> float:
        """The root V of U - V = t sigma(V), below U for t > 0."""
        # U - V = t sigma is quadratic in V: V = U + t^2 slope/2 - t ((t slope)^2/4 + slope U + constant)^(1/2)
        square = (t * self.slope) ** 2 / 4 + self.slope * value + self.constant
        return value + t * t * self.slope / 2 - t * math.sqrt(max(square, 0.0))


def plain_interval(value: float, error: float, skewness: float, quantile: float) -> tuple[float, float]:
    """The values whose test by Hall's transformation of (value - V)/error does not reject them."""
    return value - _unskewed(quantile, skewness) * error, value - _unskewed(-quantile, skewness) * error


def _unskewed(quantile: float, skewness: float) -> float:
    """The root t of t + g t^2/3 + g^2 t^3/27 + g/6 = quantile: (1 + g t/3)^3 = 1 + g (quantile - g/6)."""
    g = skewness
    return 3 * (math.cbrt(1 + g * (quantile - g / 6)) - 1) / g if abs(g) > 1e-6 else quantile


def moments(
    row_sums: Array, squares: float, triangles: float, cubes: float = math.nan, effective: float = math.inf
) -> Moments:
    """Return U, its zetas, and what its interval needs.

    Parameters
    ----------
    row_sums : ndarray, shape (n,)
        sum_{j != i} h_ij, n >= 4.
    squares : float
        sum_{i != j} h_ij^2.
    triangles, cubes : float
        Unbiased estimates of E[h_ij h_jk h_ki] and of E[h_ij^3]; without the latter, pairs are not skewed.
    effective : float
        The effective number of pairs i < j, (sum h^2)^2 / sum h^4.
    """
    n = row_sums.size
    ordered = n * (n - 1)
    total = math.fsum(row_sums)
    # Sums of h_ij h_ik and of h_ij h_kl over distinct indices
    triples = math.fsum(row_sums**2) - squares
    quadruples = total * total - 4 * triples - 2 * squares
    square = quadruples / (ordered * (n - 2) * (n - 3))
    zeta1 = triples / (ordered * (n - 2)) - square
    zeta2 = max(squares / ordered - square, 0.0)
    u = Moments(total / ordered, zeta1, zeta2, triangles, n)
    variance = u.variance(n)
    if not variance > 0:
        return u
    # Row means and their central moments, over sigma
    error, value, share = math.sqrt(variance), u.value, 1 - u.noise / variance
    means = (row_sums / (n - 1) - value) / error
    second, third, fourth = (math.fsum(means**power) / n for power in (2, 3, 4))
    # g = (8 m_3 (zeta_1/m_2)^(1/2)/n^2 + 4 M_3/n^4)/sigma^3, and the kurtosis k of the row means
    skewness = kurtosis = 0.0
    if second > 0:
        skewness = 8 * third / n**2 * math.sqrt(max(zeta1, 0.0) / variance / second)
        kurtosis = fourth / second**2
    if not math.isnan(cubes):
        skewness += 4 * (cubes - 3 * value * squares / ordered + 2 * value**3) / ordered**2 / error**3
    # u = (k - 1)/n + (1 - w)^2/e
    return u._replace(
        skewness=skewness,
        uncertainty=max(kurtosis - 1, 0.0) / n + (1 - share) ** 2 / max(effective, 1.0),
        # U = mean of the row means r_i; with unit i once more it is U + 2 (r_i - U)/n, about
        reach=2 * float(np.abs(means).max()) * error / n,
        carriers=n / kurtosis if kurtosis > 0 else math.inf,
    )
