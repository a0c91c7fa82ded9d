"""Means of products over subsets against exact rationals.

The bound on the error is that of the values' own rounding: (|e_k| + sum_i |v_i de_k/dv_i|) / C(d, k) times a few 2^-53.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gradvar.kernels.bits import pack
from gradvar.kernels.elementary_symmetric import symmetric_means, symmetric_means_of_pairs

UNIT = Fraction(1, 2**53)


def coefficient(counts: Sequence[int], values: Sequence[float], k: int) -> Fraction:
    """[z^k] prod_i (1 + v_i z)^{n_i}, exactly."""
    product = [Fraction(1)]
    for count, value in zip(counts, values, strict=True):
        power = [math.comb(count, i) * Fraction(value) ** i for i in range(min(count, k) + 1)]
        product = [
            sum((product[i] * power[m - i] for i in range(len(product)) if 0 <= m - i < len(power)), Fraction(0))
            for m in range(min(k, len(product) + len(power) - 2) + 1)
        ]
    return product[k] if 0 <= k < len(product) else Fraction(0)


def assert_exact_to_rounding(found: float, counts: Sequence[int], values: Sequence[float], k: int) -> None:
    size, exact = math.comb(sum(counts), k), coefficient(counts, values, k)
    sensitivity = abs(exact)
    for i, count in enumerate(counts):
        if count and k:
            fewer = [n - (i == j) for j, n in enumerate(counts)]
            sensitivity += count * abs(Fraction(values[i]) * coefficient(fewer, values, k - 1))
    assert abs(Fraction(found) * size - exact) <= 4 * UNIT * sensitivity


def pair_values(mu: float) -> list[float]:
    return [(1 - mu) / (1 + mu), (1 + mu) / (1 - mu), -1.0]


@pytest.mark.parametrize("mu", [0.0, 0.3, -0.7, 0.98])
@pytest.mark.parametrize(
    ("dim", "degree"), [(1, 1), (7, 0), (12, 6), (12, 12), (30, 25), (100, 30), (1000, 3), (1000, 10)]
)
def test_means_are_exact_to_the_rounding_of_the_values(dim: int, degree: int, mu: float):
    rng = np.random.default_rng([dim, degree])
    values = pair_values(mu)
    x = rng.random((4, 2, dim)) < (1 - mu) / 2  # pairs of inputs as they are drawn ...
    drawn = [(int((a & b).sum()), int((a ^ b).sum())) for a, b in x]
    others = [(0, 0), (dim, 0), (0, dim), (dim // 3, dim // 2)]  # ... and as they never are
    counts = np.array([[dim - both - one, both, one] for both, one in drawn + others])
    means = symmetric_means(counts, np.array(values), degree)
    for row, mean in zip(counts, means, strict=True):
        assert_exact_to_rounding(mean, [int(n) for n in row], values, degree)


@pytest.mark.parametrize(
    ("counts", "mu", "degree"),
    [([29, 232, 39], 1 - 1e-13, 20), ([153, 102, 45], 1 - 1e-13, 20), ([40, 50, 10], -0.999, 60)],
)
def test_values_of_very_different_sizes_do_not_underflow_on_the_way(counts: list[int], mu: float, degree: int):
    values = pair_values(mu)
    mean = float(symmetric_means(np.array([counts]), np.array(values), degree)[0])
    assert_exact_to_rounding(mean, counts, values, degree)


def test_the_mean_of_small_sets_is_that_of_all_subsets_products():
    values, counts = np.array([0.5, -3.0, 2.0, 0.0]), [2, 3, 1, 2]
    numbers = np.repeat(values, counts)
    for degree in range(9):
        products = [math.prod(subset) for subset in itertools.combinations(numbers, degree)]
        assert_allclose(symmetric_means(np.array([counts]), values, degree), np.mean(products), rtol=1e-14)


def test_the_cancelling_sum_of_signs_is_exact_where_integers_are():
    # e_10 of 500 ones and 500 minus ones, [z^10] (1 - z^2)^500 = -C(500, 5)
    mean = symmetric_means(np.array([[500, 500]]), np.array([1.0, -1.0]), 10)[0]
    assert_allclose(mean, -math.comb(500, 5) / math.comb(1000, 10), rtol=1e-15)


def test_no_rows_give_no_means():
    assert symmetric_means(np.empty((0, 2), dtype=np.int64), np.ones(2), 1).shape == (0,)


def test_means_beyond_float64_underflow_and_overflow():
    counts, values = np.array([[1000, 0], [0, 1000]]), np.array([2.0**-10, 2.0**10])
    assert_array_equal(symmetric_means(counts, values, 900), [0.0, np.inf])


@pytest.mark.parametrize(("dim", "degree", "mu"), [(5, 2, 0.3), (64, 3, -0.5), (130, 4, 0.6), (300, 2, 0.0)])
def test_pairs_of_points_have_the_mean_of_their_counts(dim: int, degree: int, mu: float):
    rng = np.random.default_rng(dim)
    x, x2 = (np.where(rng.random((n, dim)) < (1 - mu) / 2, -1.0, 1.0) for n in (7, 9))
    x[0], x2[0], x2[1], x[1] = -1, 1, -1, x2[4]
    minus, minus2 = (x < 0).sum(axis=1), (x2 < 0).sum(axis=1)
    values = np.array(pair_values(mu))
    found = symmetric_means_of_pairs(pack(x < 0), pack(x2 < 0), minus, minus2, dim, values, degree)
    different = (x[:, None] != x2).sum(axis=2)
    both = ((x[:, None] < 0) & (x2 < 0)).sum(axis=2)
    counts = np.stack([dim - both - different, both, different], axis=2).reshape(-1, 3)
    assert_array_equal(found.ravel(), symmetric_means(counts, values, degree))


def test_counts_that_share_a_place_in_the_cache_are_told_apart():
    # distances 0, 256 and 512 from the same point, again and again
    x = np.ones((6, 600))
    for row, minus in zip(x, (0, 256, 512, 0, 512, 256), strict=True):
        row[:minus] = -1
    zero = np.zeros(1, dtype=np.int64)
    minus = (x < 0).sum(axis=1)
    found = symmetric_means_of_pairs(
        pack(np.zeros((1, 600), dtype=np.bool_)), pack(x < 0), zero, minus, 600, np.array([0.5, 2.0, -1.0]), 2
    )
    counts = np.stack([600 - minus, 0 * minus, minus], axis=1)
    assert_array_equal(found[0], symmetric_means(counts, np.array([0.5, 2.0, -1.0]), 2))
    assert len(set(found[0].tolist())) == 3
