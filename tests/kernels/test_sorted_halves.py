"""Sums of signed weights in order, and moments over pairs of them, against all signs."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.kernels.sorted_halves import above, signed_sums


def all_sums(weights):
    return sorted(float(np.dot(signs, weights)) for signs in itertools.product((-1, 1), repeat=len(weights)))


@pytest.mark.parametrize(
    "weights", [[], [2.0], [1.0, 1.0, -1.0], [0.3, -1.7, 0.0, 2.2, 5e-3, 1e3], [1.0, 2.0, 3.0, 4.0]]
)
def test_sums_are_all_there_and_in_order(weights):
    found = signed_sums(np.array(weights))
    assert found.shape == (2 ** len(weights),)
    assert (np.diff(found) >= 0).all()
    assert_allclose(found, all_sums(weights), atol=1e-13 * (1 + sum(map(abs, weights))))


def test_pairs_above_and_between_two_levels():
    rng = np.random.default_rng(0)
    for sizes in ((0, 0), (0, 3), (3, 0), (4, 5)):
        u, v = (np.sort(rng.integers(-4, 5, size=2**size) / 2.0) for size in sizes)
        for shift in (-9.0, -0.5, 0.0, 1.0, 9.0):
            count, doubtful, total, size = above(u, v, shift, 0.25, 1.0)
            z = (u[:, None] + v + shift).ravel()
            assert count == (z > 0.25).sum()
            assert doubtful == ((z > 0.25) & (z <= 1.0)).sum()
            assert total == (z[z > 0.25] ** 2).sum()
            assert size >= total


def test_sums_that_cancel_keep_their_digits():
    # z^2 = (u + v)^2 of numbers a million times larger
    u, v = np.array([-1e6 - 1.0, -1e6]), np.array([1e6 - 3.0, 1e6 + 1.0, 1e6 + 2.0])
    count, _, total, size = above(u, v, 0.0, 0.0, 0.0)
    assert count == 3
    assert abs(total - (1.0 + 1.0 + 4.0)) <= 4e-16 * size
