r"""The variance of a U-statistic of order two, estimated from its own pairs, and an interval that knows it.

    U = 1/(n(n-1)) sum_{i != j} h_ij,      Var U = (4 (n-2) zeta_1 + 2 zeta_2)/(n (n-1))    (Hoeffding, 1948)

    zeta_1 = E[h_ij h_ik] - E[h_ij h_kl],      zeta_2 = E[h_ij^2] - E[h_ij h_kl]      (distinct indices)

Each expectation has an unbiased estimate in the row sums, the sum of squares and the total. That of zeta_1 may be
negative.

**The interval.** U +- z (Var U)^(1/2) covers badly where few eigenvalues of the kernel h carry U: U and the estimate
of zeta_1 are then large together. For a positive semi-definite h with mean V, zeta_1 is V times a Rayleigh quotient
kappa of h, at most its largest eigenvalue. So the interval consists of the values V that are not rejected with the
variance they imply,

    (U - V)^2 <= z^2 (4 (n-2) kappa V + 2 zeta_2)/(n (n-1)),

two roots of a quadratic. Where U is far from its noise tau = (2 zeta_2/(n (n-1)))^(1/2), kappa is zeta_1/U; where it
is not, the mean eigenvalue kappa_0 = E[h_ij h_jk h_ki]/zeta_2 takes over: kappa = (zeta_1 + kappa_0 tau)/(U + tau).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..arguments import Array


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
    """

    value: float
    zeta1: float
    zeta2: float
    triangles: float
    n: int

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

    def interval(self, quantile: float, other_variance: float = 0.0) -> tuple[float, float]:
        """The values that are not rejected at this quantile; `other_variance` is added to that of U."""
        tau = math.sqrt(self.noise)
        mean_eigenvalue = max(self.triangles, 0.0) / self.zeta2 if self.zeta2 > 0 else 0.0
        size = max(self.value, 0.0) + tau
        kappa = (max(self.zeta1, 0.0) + mean_eigenvalue * tau) / size if size > 0 else 0.0
        shift = 2 * quantile**2 * kappa * (self.n - 2) / (self.n * (self.n - 1))
        square = shift * (2 * self.value + shift) + quantile**2 * (self.noise + other_variance)
        half = math.sqrt(max(square, 0.0))
        return self.value + shift - half, self.value + shift + half


def moments(row_sums: Array, squares: float, triangles: float) -> Moments:
    """Return U and its zetas.

    Parameters
    ----------
    row_sums : ndarray, shape (n,)
        sum_{j != i} h_ij, n >= 4.
    squares : float
        sum_{i != j} h_ij^2.
    triangles : float
        An unbiased estimate of E[h_ij h_jk h_ki].
    """
    n = row_sums.size
    ordered = n * (n - 1)
    total = math.fsum(row_sums)
    triples = math.fsum(row_sums**2) - squares
    quadruples = total * total - 4 * triples - 2 * squares
    square = quadruples / (ordered * (n - 2) * (n - 3))
    zeta1 = triples / (ordered * (n - 2)) - square
    zeta2 = max(squares / ordered - square, 0.0)
    return Moments(total / ordered, zeta1, zeta2, triangles, n)
