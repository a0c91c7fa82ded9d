"""Sums of signed weights in order, and moments over pairs of them, against all signs."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.kernels.sorted_halves import above, gate_coefficients, labelled_sums, signed_sums


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


@pytest.mark.parametrize("weights", [[], [2.0], [1.0, -1.0, 1.0], [0.3, -1.7, 2.2, 5e-3]])
def test_labels_say_which_signs_a_sum_has(weights):
    sums, labels = labelled_sums(np.array(weights))
    assert (np.diff(sums) >= 0).all()
    assert sorted(labels.tolist()) == list(range(2 ** len(weights)))
    for total, label in zip(sums, labels, strict=True):
        signs = [-1.0 if label >> i & 1 else 1.0 for i in range(len(weights))]
        assert_allclose(total, np.dot(signs, weights), atol=1e-14)


def test_gates_are_counted_with_the_signs_of_sets():
    rng = np.random.default_rng(1)
    for h1, h2 in ((0, 0), (0, 3), (3, 0), (2, 3), (4, 4)):
        weights = rng.integers(-3, 4, size=h1 + h2) / 2.0
        x = np.array(list(itertools.product((1.0, -1.0), repeat=h1 + h2))).reshape(2 ** (h1 + h2), h1 + h2)
        for _ in range(8):
            chosen, shift = rng.random(h1 + h2) < 0.5, float(rng.normal())
            masks = [sum(1 << i for i in np.flatnonzero(part)) for part in (chosen[:h1], chosen[h1:])]
            first, second = labelled_sums(weights[:h1]), labelled_sums(weights[h1:])
            total, effects, doubtful = gate_coefficients(*first, masks[0], *second, masks[1], shift, 0.25, 1.0)
            z = x @ weights + shift
            signed = x[:, chosen].prod(axis=1) * (z > 0.25)
            assert total == signed.sum()
            assert effects.tolist() == (signed @ x[:, :h1]).tolist()
            assert doubtful == ((z > 0.25) & (z <= 1.0)).sum()
