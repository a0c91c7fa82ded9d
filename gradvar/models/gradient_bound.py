r"""An upper bound on ||dp/dw||^2 of a fully connected network, over all inputs with |x_i| <= c and |x| <= r.

With a_0 = x, z_l = W_l a_{l-1} + b_l, a_l = sigma(z_l) and delta_l = dp/dz_l,

    ||dp/dw||^2 = sum_l ||delta_l||^2 (||a_{l-1}||^2 + [b_l is a parameter]),

and each norm has two bounds, of which the smaller is taken: one by units and one by spectral norms. Forward:

    z_lj is within  sum_k W_ljk [a_{l-1,k}] + b_lj  (intervals)  and within  b_lj +- |W_lj| |a_{l-1}|,
    |a_l| <= (sum_j sup a_lj^2)^(1/2)  and  <= |sigma(b_l)| + sup|sigma'| ||W_l|| |a_{l-1}|,

the last by the mean value theorem; and backward, with s_lj = sup |sigma'(z_lj)|,

    |delta_lj| <= s_lj sum_k |W_{l+1,kj}| |delta_{l+1,k}|,      |delta_l| <= max_j s_lj ||W_{l+1}|| |delta_{l+1}|.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.activations import ACTIVATIONS, ranges
from ..core.arguments import Array


def largest_gradient(
    weights: Sequence[Array], biases: Sequence[Array | None], activation: str, largest: float, radius: float
) -> float:
    """Return the bound for inputs with |x_i| <= largest and |x| <= radius, both finite."""
    sigma = ACTIVATIONS[activation]
    low, high = np.full(weights[0].shape[1], -largest), np.full(weights[0].shape[1], largest)
    norms, slopes = [radius], []
    for matrix, bias in zip(weights[:-1], biases[:-1], strict=True):
        offset = np.zeros(matrix.shape[0]) if bias is None else bias
        # z_l, by intervals and by Cauchy and Schwarz
        middle, half = matrix @ ((low + high) / 2) + offset, np.abs(matrix) @ ((high - low) / 2)
        reach = np.linalg.norm(matrix, axis=1) * norms[-1]
        below, above = np.maximum(middle - half, offset - reach), np.minimum(middle + half, offset + reach)
        low, high, slope = ranges(activation, below, above)
        # |a_l|, by units and by the mean value theorem
        by_units = np.linalg.norm(np.maximum(np.abs(low), np.abs(high)))
        at_zero = np.linalg.norm(sigma(offset)[0])
        lipschitz = ranges(activation, np.minimum(below, offset), np.maximum(above, offset))[2].max()
        norms.append(min(float(by_units), float(at_zero + lipschitz * np.linalg.norm(matrix, 2) * norms[-1])))
        slopes.append(slope)
    units, norm = np.ones(1), 1.0
    total = 0.0
    for i in reversed(range(len(weights))):
        total += norm**2 * (norms[i] ** 2 + (biases[i] is not None))
        if i > 0:
            # delta_{l-1}, by units and by spectral norms
            units = slopes[i - 1] * (np.abs(weights[i]).T @ units)
            spectral = float(slopes[i - 1].max() * np.linalg.norm(weights[i], 2)) * norm
            norm = min(float(np.linalg.norm(units)), spectral)
    return total * (1 + 1e-9)
