r"""Members that are drawn more than once, or described in more than one way.

Of m members drawn from N equally likely ones, draw j is equal to an earlier one with probability at most (j - 1)/N,
whatever the others are, so that

    P(r draws or more are equal to earlier ones) <= e_r(0, ..., m - 1)/N^r <= (m (m - 1)/2N)^r/r!.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array

_ROUNDING = 1e-9
"""Share of the largest value by which the values of one member may differ between two of its descriptions."""
_LOG2_IMPROBABLE = -40.0


def equal_rows(values: Array) -> npt.NDArray[np.bool_]:
    """Return which pairs of members have equal values at all of these inputs, shape (m, m) for values (m, n).

    Members that were drawn are then one, drawn twice or described in two ways. Up to rounding; costs m^2 n.
    """
    apart = _ROUNDING * float(np.abs(values).max(initial=0.0))
    return np.array([(np.abs(values - row) <= apart).all(axis=1) for row in values])


def repeated(same: npt.NDArray[np.bool_]) -> int:
    """Return how many draws are equal to an earlier one, from which pairs are equal."""
    return int(np.tril(same, -1).any(axis=1).sum())


def too_often(repeats: int, draws: int, log2_size: float) -> bool:
    """Return whether so many of the draws are equal to earlier ones with a probability below 2^-40, for a size."""
    if repeats == 0:
        return False
    expected = math.log2(draws * (draws - 1) / 2) - log2_size
    return repeats * expected - math.lgamma(repeats + 1) / math.log(2) < _LOG2_IMPROBABLE
