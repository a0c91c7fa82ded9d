r"""The Gram matrix mu^{|S xor T|} of the parities on the cube with E x_i = mu: its largest eigenvalues over |H|.

All sets S: the tensor power of [[1, mu], [mu, 1]], with eigenvalues (1 + mu)^{d-j} (1 - mu)^j on the characters of j
coordinates. The constant vector is the one of j = 0, so that centring takes (1 + mu)^d away: for mu > 0 the largest.

Sets of k elements: a matrix of the Johnson scheme J(d, k), |S xor T| = 2 j, with t = mu^2. The eigenvalue number l is
the sum of t^j times Eberlein's polynomials E_j(l) = sum_i (-1)^i C(l, i) C(k-l, j-i) C(d-k-l, j-i), which is

    lambda_l = (1 - t)^l sum_m C(k-l, m) C(d-k-l, m) t^m,        l = 0 .. min(k, d-k).

Every factor falls with l, so lambda_0 (the constant vector, all row sums) is the largest and lambda_1 the next.
"""

from __future__ import annotations

import math


def log2_norm_of_all(dim: int, bias: float, centred: bool) -> float:
    """Return log2 of the largest eigenvalue over 2^d for all parities, to a relative error of about d 2^-53."""
    most, least = math.log2((1 + abs(bias)) / 2), math.log2((1 - abs(bias)) / 2)
    return (dim - 1) * most + least if centred and bias > 0 else dim * most


def log2_norm_of_degree(dim: int, degree: int, bias: float, centred: bool) -> float:
    """Return log2 of the largest eigenvalue over C(d, k) for the parities of degree k; -inf for an eigenvalue of 0.

    To a relative error of the eigenvalue of about 5 min(k, d - k) 2^-53, and a rounding of the logarithm; costs
    min(k, d - k).
    """
    few = min(degree, dim - degree)
    if centred and few == 0:
        return -math.inf
    same = (1 - bias) * (1 + bias) if centred else 1.0
    mantissa, exponent = _row_sum(few - centred, dim - few - centred, bias**2)
    size = math.comb(dim, degree)
    bits = size.bit_length()
    return math.log2(same * mantissa / (size / (1 << bits))) + (exponent - bits)


def _row_sum(few: int, many: int, t: float) -> tuple[float, int]:
    """sum_m C(few, m) C(many, m) t^m = mantissa 2^exponent, by Horner's rule: no term is negative."""
    mantissa, exponent = 1.0, 0
    for m in range(few, 0, -1):
        ratio = (few - m + 1) * (many - m + 1) / m**2
        mantissa, shift = math.frexp(math.ldexp(1.0, -exponent) + ratio * t * mantissa)
        exponent += shift
    return mantissa, exponent
