"""Largest eigenvalues of mu^{|S xor T|}: dense matrices at small size, exact integers and rationals at large."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.classes.formulas.biased_gram import log2_norm_of_all, log2_norm_of_degree

BIASES = [0.3, -0.3, 0.9, -0.95, 1e-3, -1e-8]


def dense_norm(dim: int, degree: int | None, bias: float, centred: bool) -> float:
    sets = np.array([v for v in itertools.product([0, 1], repeat=dim) if degree is None or sum(v) == degree])
    gram = bias ** (sets[:, None] != sets).sum(axis=2).astype(float)
    if centred:
        gram = gram - gram.mean(axis=0)
        gram -= gram.mean(axis=1)[:, None]
    return float(np.linalg.eigvalsh(gram)[-1]) / len(sets)


def log2(value: Fraction) -> float:
    shift = value.denominator.bit_length() - value.numerator.bit_length()
    return math.log2(value * Fraction(2) ** shift) - shift


def johnson(dim: int, degree: int, bias: float, number: int) -> Fraction:
    """Eigenvalue number l over C(d, k), as the sum of mu^{2j} over Eberlein's polynomials E_j(l)."""
    total, t = Fraction(0), Fraction(bias) ** 2
    for j in range(min(degree, dim - degree) + 1):
        eberlein = sum(
            (-1) ** i
            * math.comb(number, i)
            * math.comb(degree - number, j - i)
            * math.comb(dim - degree - number, j - i)
            for i in range(min(number, j) + 1)
        )
        total += t**j * eberlein
    return total / math.comb(dim, degree)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_norms_are_those_of_the_dense_gram_matrix(dim: int, bias: float, centred: bool):
    assert_allclose(2 ** log2_norm_of_all(dim, bias, centred), dense_norm(dim, None, bias, centred), rtol=1e-13)
    for degree in range(dim + 1):
        found = 2 ** log2_norm_of_degree(dim, degree, bias, centred)
        assert_allclose(found, dense_norm(dim, degree, bias, centred), rtol=1e-13, atol=1e-16)


def test_a_negative_bias_leaves_the_largest_eigenvalue_of_all_parities_to_the_centred_matrix():
    assert log2_norm_of_all(10, -0.5, True) == log2_norm_of_all(10, -0.5, False) == 10 * math.log2(0.75)
    assert_allclose(log2_norm_of_all(10, 0.5, True), 9 * math.log2(0.75) - 2, rtol=1e-15)


@pytest.mark.parametrize(("dim", "degree"), [(50, 20), (50, 45), (1000, 3), (1000, 40)])
@pytest.mark.parametrize("bias", [0.3, -0.99, 1e-9])
def test_norms_of_one_degree_are_eigenvalues_of_the_johnson_scheme(dim: int, degree: int, bias: float):
    for centred in (True, False):
        expected = log2(johnson(dim, degree, bias, int(centred)))
        assert_allclose(log2_norm_of_degree(dim, degree, bias, centred), expected, rtol=1e-14, atol=1e-13)


def test_the_two_largest_eigenvalues_of_the_johnson_scheme_are_the_first_two():
    for bias in (0.3, 0.95):
        values = [johnson(12, 5, bias, number) for number in range(6)]
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(("dim", "degree"), [(1000, 500), (10_000, 10), (10_000, 5000)])
@pytest.mark.parametrize("bias", [0.3, 1 - 1e-9, 1e-200])
def test_norms_neither_underflow_nor_overflow_at_large_dimension(dim: int, degree: int, bias: float):
    size = math.comb(dim, degree)
    orthonormal = -(math.log2(size >> (size.bit_length() - 60)) + size.bit_length() - 60)
    for centred in (True, False):
        found = log2_norm_of_degree(dim, degree, bias, centred)
        assert orthonormal - 1e-9 <= found <= 0
        # The trace bounds the uncentred norm from below, 1/|H|; a bias of 1e-200 leaves it there.
        if bias == 1e-200:
            assert_allclose(found, orthonormal, rtol=1e-14)
    assert log2_norm_of_degree(dim, degree, bias, True) <= log2_norm_of_degree(dim, degree, bias, False)


def test_one_member_has_no_centred_norm():
    for degree in (0, 7):
        assert log2_norm_of_degree(7, degree, 0.4, True) == -math.inf
        assert log2_norm_of_degree(7, degree, 0.4, False) == 0
