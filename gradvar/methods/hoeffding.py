r"""The variance of a U-statistic of order two, estimated from its own pairs.

    U = 1/(n(n-1)) sum_{i != j} h_ij,      Var U = (4 (n-2) zeta_1 + 2 zeta_2)/(n (n-1))    (Hoeffding, 1948)

    zeta_1 = E[h_ij h_ik] - E[h_ij h_kl],      zeta_2 = E[h_ij^2] - E[h_ij h_kl]      (distinct indices)

Each expectation has an unbiased estimate in the row sums, the sum of squares and the total. That of zeta_1 may be
negative.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..arguments import Array


class Moments(NamedTuple):
    """U and Hoeffding's zeta_1 and zeta_2."""

    value: float
    zeta1: float
    zeta2: float

    def variance(self, n: int) -> float:
        """The variance of U at n independent units, a negative zeta_1 counting as zero."""
        return (4 * (n - 2) * max(self.zeta1, 0.0) + 2 * self.zeta2) / (n * (n - 1))

    def balanced_variance(self, n: int) -> float:
        """The same for few units, where counting a negative zeta_1 as zero would add much: at least a quarter of
        what zeta_2 gives."""
        pairs = 2 * self.zeta2 / (n * (n - 1))
        return max(4 * (n - 2) * self.zeta1 / (n * (n - 1)) + pairs, pairs / 4)


def moments(row_sums: Array, squares: float) -> Moments:
    """Return U and its zetas from the sums sum_{j != i} h_ij, shape (n,), and sum_{i != j} h_ij^2; n >= 4."""
    n = row_sums.size
    ordered = n * (n - 1)
    total = math.fsum(row_sums)
    triples = math.fsum(row_sums**2) - squares
    quadruples = total * total - 4 * triples - 2 * squares
    square = quadruples / (ordered * (n - 2) * (n - 3))
    zeta1 = triples / (ordered * (n - 2)) - square
    zeta2 = max(squares / ordered - square, 0.0)
    return Moments(total / ordered, zeta1, zeta2)
