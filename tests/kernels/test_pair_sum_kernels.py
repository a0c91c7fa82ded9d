"""Sums over a tile of pairs against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.kernels.bits import pack
from gradvar.kernels.pair_sums import multiply_into, pair_sums, pair_sums_on_the_cube


@pytest.mark.parametrize("shape", [(1, 1), (7, 4), (16, 33)])
def test_sums_of_products(shape: tuple[int, int]):
    rng = np.random.default_rng(0)
    kernel, covariance = rng.normal(size=(2, *shape))
    h = kernel * covariance
    rows, columns, moments = pair_sums(kernel, covariance)
    assert_allclose(kernel, h, rtol=1e-15)
    assert_allclose(rows, h.sum(axis=1), rtol=1e-12, atol=1e-14)
    assert_allclose(columns, h.sum(axis=0), rtol=1e-12, atol=1e-14)
    assert_allclose(moments, [(h**2).sum(), (h**4).sum(), (covariance**2).sum()], rtol=1e-12)


def test_products_are_added_in_place():
    rng = np.random.default_rng(1)
    total, left, right = rng.normal(size=(3, 5, 6))
    expected = total + left * right
    multiply_into(total, left, right)
    assert_allclose(total, expected, rtol=1e-15)


@pytest.mark.parametrize(("own", "centred"), [(False, True), (True, True), (True, False)])
@pytest.mark.parametrize(
    ("shape", "dim", "ones"), [((1, 1), 3, 0), ((7, 4), 64, 1), ((5, 33), 70, 2), ((515, 3), 9, 1), ((2, 1030), 9, 0)]
)
def test_sums_on_the_cube(
    shape: tuple[int, int],
    dim: int,
    ones: int,
    own: bool,
    centred: bool,
):
    rng = np.random.default_rng(2)
    table = rng.normal(size=dim + 1)
    x, x2 = (np.where(rng.random((size, dim)) < 0.3, -1.0, 1.0) for size in shape)
    x2 = x if own else x2
    kernel, deltas = rng.normal(size=(2, len(x), len(x2)))
    products = x @ x2.T
    mean, mean2 = (table[(points < 0).sum(axis=1)] for points in (x, x2))
    covariance = table[((dim - products) / 2).astype(int)] - centred * np.outer(mean, mean2)
    if own:
        np.fill_diagonal(covariance, 0.0)
    h = (kernel + (products + ones) * deltas) * covariance
    rows, columns, moments = pair_sums_on_the_cube(
        kernel, deltas, dim + ones, pack(x < 0), pack(x2 < 0), table, own, centred
    )
    # The terms are of order dim, of either sign.
    assert_allclose(rows, h.sum(axis=1), rtol=1e-12, atol=1e-13 * dim)
    assert_allclose(columns, h.sum(axis=0), rtol=1e-12, atol=1e-13 * dim)
    assert_allclose(moments, [(h**2).sum(), (h**4).sum(), (covariance**2).sum()], rtol=1e-12)
