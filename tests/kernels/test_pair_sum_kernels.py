"""Sums over a tile of pairs against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.kernels.pair_sums import multiply_into, pair_sums


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
