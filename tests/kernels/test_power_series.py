"""Products, integrals and inverse roots of power series, against exact fractions and closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gradvar.kernels.power_series import integral_of_product, inverse_root, multiply

SERIES = {
    "polynomial": [0.25, 0.5, 0, 0.125],
    "monomial": [0, 1.0],
    "zero": [0.0],
    "dense": [0.5 / (m + 1) ** 2 for m in range(40)],
}


def series(name: str, n: int = 40) -> np.ndarray:
    return np.array((SERIES[name] + [0.0] * n)[:n])


def exact_product(a: np.ndarray, b: np.ndarray) -> list[Fraction]:
    u, v = [Fraction(float(c)) for c in a], [Fraction(float(c)) for c in b]
    return [sum((u[i] * v[m - i] for i in range(m + 1)), Fraction(0)) for m in range(a.size)]


@pytest.mark.parametrize("first", SERIES)
@pytest.mark.parametrize("second", SERIES)
def test_product_and_integral(first: str, second: str):
    a, b = series(first), series(second)
    assert_allclose(multiply(a, b), [float(c) for c in exact_product(a, b)], rtol=1e-14)
    slope = np.arange(a.size) * a  # t a'(t)
    expected = [float(c / m) if m else 0.0 for m, c in enumerate(exact_product(slope, b))]
    assert_allclose(integral_of_product(a, b), expected, rtol=1e-14)


@pytest.mark.parametrize("name", SERIES)
def test_inverse_root_squared_times_one_minus_square_is_one(name: str):
    # (1 - u^2) w^2 = 1 has terms of both signs: exactly, on the coefficients that came out
    u = series(name)
    w = inverse_root(u)
    square = exact_product(u, u)
    left = [(1 if m == 0 else 0) - square[m] for m in range(u.size)]
    squared = exact_product(w, w)
    for m in range(u.size):
        value = sum((left[i] * squared[m - i] for i in range(m + 1)), Fraction(0))
        size = sum((abs(left[i]) * squared[m - i] for i in range(m + 1)), Fraction(0))
        assert abs(value - (m == 0)) <= 1e-13 * size


def test_inverse_root_of_t_has_the_central_binomials_far_out():
    n = 2001
    w = inverse_root(np.eye(1, n, 1)[0])
    assert_array_equal(w[1::2], 0)
    expected = [float(Fraction(math.comb(2 * i, i), 4**i)) for i in range(n // 2 + 1)]
    assert_allclose(w[::2], expected, rtol=1e-14)
