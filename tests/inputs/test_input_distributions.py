"""Hypercube, FinitePoints, Gaussian: coding, weights, and samples that follow the distribution.

Statistical tests have fixed seeds; each compares the largest of q standardised means with the normal
quantile at 1e-6/(2q), so its false-alarm rate is about one in a million.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtri

import gradvar as gv
from gradvar.testing import reference


def assert_means(values: np.ndarray, means: np.ndarray | float, variances: np.ndarray | float) -> None:
    """Every column of values (n, q) has the mean given, at a false-alarm rate of 1e-6 for all together."""
    z = (values.mean(axis=0) - means) / np.sqrt(np.asarray(variances) / len(values))
    assert abs(z).max() < -ndtri(1e-6 / z.size / 2)


@pytest.mark.parametrize("dim", [1, 2, 5, 9])
def test_hypercube_point_j_is_minus_one_where_bit_i_of_j_is_set(dim: int):
    inputs = gv.Hypercube(dim)
    assert (inputs.dim, inputs.n_points) == (dim, 2**dim)
    assert_array_equal(inputs.points(0, 2**dim), reference.cube(dim))
    assert_array_equal(inputs.weights(0, 2**dim), np.full(2**dim, 0.5**dim))


def test_hypercube_blocks_are_slices_of_all_points():
    inputs, cube = gv.Hypercube(6), reference.cube(6)
    for start, stop in [(0, 1), (3, 17), (31, 33), (63, 64), (5, 5)]:
        assert_array_equal(inputs.points(start, stop), cube[start:stop])
        assert inputs.weights(start, stop).shape == (stop - start,)


def test_hypercube_points_far_inside_a_large_cube():
    # point 2^39 + 5 of d = 40: bits 0, 2 and 39
    x = gv.Hypercube(40).points(2**39 + 5, 2**39 + 6)[0]
    assert [i for i in range(40) if x[i] == -1] == [0, 2, 39]


@pytest.mark.parametrize("dim", [1, 7, 8, 9, 63, 64, 65, 130])
def test_hypercube_samples_are_independent_fair_signs(dim: int):
    n = 20_000
    x = gv.Hypercube(dim).sample(n, np.random.default_rng(0))
    assert x.shape == (n, dim)
    assert x.dtype == np.float64
    assert set(np.unique(x)) == {-1.0, 1.0}
    assert_means(x, 0, 1)
    pairs = np.triu_indices(dim, 1)
    if dim > 1:
        z = (x.T @ x)[pairs] / np.sqrt(n)
        assert abs(z).max() < -ndtri(1e-6 / z.size / 2)
    assert abs((x[1:] * x[:-1]).sum(axis=0) / np.sqrt(n - 1)).max() < -ndtri(1e-6 / dim / 2)


@pytest.mark.parametrize("make", [lambda: gv.Hypercube(70), lambda: gv.Gaussian(5), lambda: gv.FinitePoints(np.eye(4))])
def test_samples_depend_on_the_generator_alone(make):
    first = make().sample(50, np.random.default_rng(3))
    assert_array_equal(first, make().sample(50, np.random.default_rng(3)))
    assert not np.array_equal(first, make().sample(50, np.random.default_rng(4)))


def test_gaussian_is_standard_normal_and_has_no_finite_support():
    inputs = gv.Gaussian(6)
    assert inputs.dim == 6
    assert inputs.n_points is None
    x = inputs.sample(20_000, np.random.default_rng(1))
    assert x.shape == (20_000, 6)
    assert_means(x, 0, 1)
    assert_means(x**2, 1, 2)
    assert_means(x**4, 3, 96)
    i, j = np.triu_indices(6, 1)
    assert_means(x[:, i] * x[:, j], 0, 1)


def test_finite_points_are_uniform_without_weights():
    points = np.array([[0.5, 1], [2, 3], [4, 5]])
    inputs = gv.FinitePoints(points)
    assert (inputs.dim, inputs.n_points) == (2, 3)
    assert_array_equal(inputs.points(1, 3), points[1:])
    assert_allclose(inputs.weights(0, 3), 1 / 3, rtol=1e-15)


def test_finite_points_keep_their_weights_and_sample_by_them():
    points, weights = np.arange(4.0)[:, None], np.array([0.5, 0.25, 0.25, 0])
    inputs = gv.FinitePoints(points, weights=weights)
    assert_array_equal(inputs.weights(1, 4), weights[1:])
    x = inputs.sample(20_000, np.random.default_rng(2))
    assert x.shape == (20_000, 1)
    hits = x == np.arange(4.0)
    assert hits.any(axis=1).all()
    assert not hits[:, 3].any()
    assert_means(hits[:, :3], weights[:3], (weights * (1 - weights))[:3])


def test_finite_points_do_not_follow_later_changes_of_the_caller_s_array():
    points = np.eye(3)
    inputs = gv.FinitePoints(points)
    points[0, 0] = 7
    assert_array_equal(inputs.points(0, 3), np.eye(3))
