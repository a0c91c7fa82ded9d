"""Products of first-degree polynomials against NumPy's polynomials and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.polynomial import polynomial
from numpy.testing import assert_allclose

from gradvar.kernels import doubled_polynomials, polynomials

COUNT, NODES, DEGREE = 6, 4, 3


@pytest.fixture
def factors() -> tuple[np.ndarray, np.ndarray]:
    angles = np.random.default_rng(0).normal(size=(COUNT, NODES))
    return np.cos(angles), np.sin(angles)


def product(zeroth, first, length: int) -> np.ndarray:
    out = np.ones(1)
    for pair in zip(zeroth, first, strict=True):
        out = polynomial.polymul(out, pair)
    return np.pad(out, (0, length))[:length]


def exact_product(zeroth: list[Fraction], first: list[Fraction], length: int) -> list[Fraction]:
    poly = [Fraction(1)] + [Fraction(0)] * (length - 1)
    for c, s in zip(zeroth, first, strict=True):
        poly = [poly[j] * c + (poly[j - 1] * s if j else 0) for j in range(length)]
    return poly


@pytest.mark.parametrize("degree", [0, DEGREE, COUNT + 2])
def test_products_are_polynomial_products(factors, degree: int):
    cosines, sines = factors
    found = polynomials.products(cosines, sines, degree)
    expected = [product(cosines[:, n], sines[:, n], degree + 1) for n in range(NODES)]
    assert_allclose(found, np.array(expected).T, atol=1e-15)


def test_quadratic_forms_are_sums_over_all_pairs(factors):
    cosines, sines = factors
    coefficients = np.random.default_rng(1).normal(size=(2, DEGREE + 1, NODES))
    coefficients[1, 2] = 0.0
    gram = np.array(
        [
            [product(cosines[:, n] * cosines[:, m], sines[:, n] * sines[:, m], DEGREE + 1) for m in range(NODES)]
            for n in range(NODES)
        ]
    )
    expected = np.einsum("fkn,nmk,fkm->fk", coefficients, gram, coefficients)
    assert_allclose(polynomials.quadratic_forms(cosines, sines, coefficients), expected, atol=1e-14)
    assert_allclose(doubled_polynomials.quadratic_forms(cosines, sines, coefficients)[0], expected, atol=1e-14)


@pytest.mark.parametrize("degree", [0, 1, DEGREE, COUNT - 1, COUNT])
def test_omitted_sums_leave_one_factor_out(factors, degree: int):
    cosines, sines = factors
    below, above = np.random.default_rng(2).normal(size=(2, NODES))
    expected = np.zeros(COUNT)
    for i in range(COUNT):
        for n in range(NODES):
            rest = product(np.delete(cosines[:, n], i), np.delete(sines[:, n], i), degree + 1)
            expected[i] -= above[n] * sines[i, n] * rest[degree]
            if degree:
                expected[i] += below[n] * cosines[i, n] * rest[degree - 1]
    assert_allclose(polynomials.omitted_sums(cosines, sines, below, above, degree), expected, atol=1e-15)
    assert_allclose(doubled_polynomials.omitted_sums(cosines, sines, below, above, degree)[0], expected, atol=1e-15)


def test_doubled_sums_are_right_to_a_hundred_bits(factors):
    cosines, sines = factors
    coefficients = np.random.default_rng(3).normal(size=(1, DEGREE + 1, NODES))
    exact_cosines, exact_sines = ([[Fraction(x) for x in row] for row in table.T.tolist()] for table in factors)

    forms = doubled_polynomials.quadratic_forms(cosines, sines, coefficients)
    for k in range(DEGREE + 1):
        exact = Fraction(0)
        for n in range(NODES):
            for m in range(NODES):
                c = [x * y for x, y in zip(exact_cosines[n], exact_cosines[m], strict=True)]
                s = [x * y for x, y in zip(exact_sines[n], exact_sines[m], strict=True)]
                pair = Fraction(coefficients[0, k, n]) * Fraction(coefficients[0, k, m])
                exact += pair * exact_product(c, s, DEGREE + 1)[k]
        assert abs(Fraction(forms[0, 0, k]) + Fraction(forms[1, 0, k]) - exact) < Fraction(1, 2**96)

    found = doubled_polynomials.sums(cosines, sines, coefficients[0, :1], DEGREE)
    exact = sum(
        Fraction(coefficients[0, 0, n]) * exact_product(exact_cosines[n], exact_sines[n], DEGREE + 1)[DEGREE]
        for n in range(NODES)
    )
    assert abs(Fraction(found[0, 0]) + Fraction(found[1, 0]) - exact) < Fraction(1, 2**96)
