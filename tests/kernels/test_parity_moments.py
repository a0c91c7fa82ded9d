"""E[mean(x)^m x_1 ... x_k] on the cube, against exact sums over Hamming weights."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from gradvar.kernels.parity_moments import parity_moments

EPS = float(np.finfo(float).eps)


def exact(dim: int, degree: int, m: int) -> Fraction:
    """The mean over i negative coordinates inside the parity and j outside it."""
    total = sum(
        (-1) ** i * math.comb(degree, i) * math.comb(dim - degree, j) * (dim - 2 * i - 2 * j) ** m
        for i in range(degree + 1)
        for j in range(dim - degree + 1)
    )
    return Fraction(total, 2**dim * dim**m)


@pytest.mark.parametrize("dim", [1, 2, 3, 6, 31])
@pytest.mark.parametrize("radius", [1.0, 1.375])
def test_moments_are_exact_to_their_rounding(dim: int, radius: float):
    for degree in range(dim + 1):
        count = degree + 41
        mantissas, powers = parity_moments(dim, degree, count, radius)
        orders = range(degree, count, 2)
        assert len(mantissas) == len(orders)
        for m, mantissa, power in zip(orders, mantissas, powers, strict=True):
            value = Fraction(float(mantissa)) * Fraction(2) ** int(power)
            expected = exact(dim, degree, m) / Fraction(radius) ** m
            assert abs(value - expected) <= 1.5 * EPS * (m + 1) * expected


def test_moments_far_below_the_range_of_float64():
    # E[mean^d x_1 ... x_d] = d!/d^d = 2^-14419 at d = 10 000, and 2^(1-d) in the end
    dim = 10_000
    mantissas, powers = parity_moments(dim, dim, dim + 3)
    log2 = (math.lgamma(dim + 1) - dim * math.log(dim)) / math.log(2)
    assert abs(math.log2(mantissas[0]) + powers[0] - log2) < 1e-8
    dim = 2000
    mantissas, powers = parity_moments(dim, dim - 1, 60_001)
    assert abs(math.log2(mantissas[-1]) + powers[-1] - (1 - dim)) < 1e-8


def test_a_letter_that_is_left_in_time_does_not_matter():
    # only the degrees that are met on the way out and back are kept: the same moments for every `count`
    short, long = parity_moments(300, 4, 12), parity_moments(300, 4, 500)
    assert short[0].size == 4
    np.testing.assert_array_equal(np.ldexp(*short), np.ldexp(*long)[:4])
