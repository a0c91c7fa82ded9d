"""The cube with a bias: weights, samples of independent coordinates with that mean, and the uniform cube untouched.

Statistical tests have fixed seeds and a false-alarm rate of 1e-6 each.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtri
from scipy.stats import binomtest

import gradvar as gv
from gradvar.testing import reference


@pytest.mark.parametrize("bias", [0.3, -0.8, 1 - 2**-20, -1 + 2**-53])
def test_weights_are_products_of_the_coordinates_probabilities(bias: float):
    cube = gv.Hypercube(5, bias)
    expected = [np.prod([(1 + bias * xi) / 2 for xi in x]) for x in reference.cube(5)]
    assert_allclose(cube.weights(0, 32), expected, rtol=1e-14)
    assert_allclose(cube.weights(0, 32).sum(), 1, rtol=1e-14)
    assert_array_equal(cube.weights(7, 12), cube.weights(0, 32)[7:12])
    assert_array_equal(cube.points(0, 32), reference.cube(5))
    assert cube.n_points == 32


@pytest.mark.parametrize("bias", [0.3, -0.6, 0.95])
def test_samples_have_independent_coordinates_with_that_mean(bias: float):
    n, dim = 20_000, 9
    x = gv.Hypercube(dim, bias).sample(n, np.random.default_rng(1))
    assert x.shape == (n, dim)
    assert x.dtype == np.float64
    assert set(np.unique(x)) == {-1.0, 1.0}
    z = (x.mean(axis=0) - bias) * np.sqrt(n / (1 - bias**2))
    assert abs(z).max() < -ndtri(1e-6 / dim / 2)
    chi = (x - bias) / np.sqrt(1 - bias**2)
    pairs = (chi.T @ chi)[np.triu_indices(dim, 1)] / np.sqrt(n)  # of mean 0 and variance 1
    assert abs(pairs).max() < -ndtri(1e-6 / len(pairs) / 2)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_rare_sign_is_as_rare_as_the_bias_says(sign: int):
    x = gv.Hypercube(100, sign * (1 - 2e-4)).sample(10_000, np.random.default_rng(2))
    assert binomtest(int((x == -sign).sum()), x.size, 1e-4).pvalue > 1e-6


def test_samples_depend_on_the_generator_alone():
    cube = gv.Hypercube(40, 0.2)
    assert_array_equal(cube.sample(9, np.random.default_rng(3)), cube.sample(9, np.random.default_rng(3)))
    assert not np.array_equal(cube.sample(9, np.random.default_rng(3)), cube.sample(9, np.random.default_rng(4)))


def test_without_a_bias_one_random_bit_makes_a_coordinate():
    expected = np.unpackbits(
        np.frombuffer(np.random.default_rng(5).bytes(50 * 2), dtype=np.uint8).reshape(50, 2),
        axis=1,
        count=13,
        bitorder="little",
    )
    for cube in (gv.Hypercube(13), gv.Hypercube(13, 0.0), gv.Hypercube(13, bias=-0.0)):
        assert_array_equal(cube.sample(50, np.random.default_rng(5)), 1.0 - 2.0 * expected)
        assert_array_equal(cube.weights(3, 9), np.full(6, 2.0**-13))
        assert cube == gv.Hypercube(13)
        assert repr(cube) == "Hypercube(dim=13)"
        assert cube.description == "x uniform on the cube {-1, +1}^13"


def test_cubes_are_equal_where_their_biases_are():
    assert gv.Hypercube(4, 0.5) == gv.Hypercube(4, bias=0.5)
    assert hash(gv.Hypercube(4, 0.5)) == hash(gv.Hypercube(4, 0.5))
    assert gv.Hypercube(4, 0.5) != gv.Hypercube(4)
    assert repr(gv.Hypercube(4, 0.5)) == "Hypercube(dim=4, bias=0.5)"
    assert gv.Hypercube(4, 0.5).description == "x on the cube {-1, +1}^4, independent with E x_i = 0.5"
    assert gv.Hypercube(4, 0.5).probabilities == (0.75, 0.25)


@pytest.mark.parametrize("bias", [1, -1, 1.5, float("nan"), float("inf")])
def test_a_bias_out_of_range_is_an_error_that_says_what_is_accepted(bias: float):
    with pytest.raises(ValueError, match=r"`bias` must be a number with -1 < bias < 1.*, got"):
        gv.Hypercube(3, bias)


@pytest.mark.parametrize("bias", ["0.5", None, True, [0.1]])
def test_a_bias_that_is_no_number_is_a_type_error(bias: object):
    with pytest.raises(TypeError, match=r"`bias` must be a number with -1 < bias < 1"):
        gv.Hypercube(3, bias)


def test_weights_of_a_large_cube_with_a_bias_are_an_error():
    with pytest.raises(ValueError, match=r"`dim` must be an integer from 1 to 62, got 63"):
        gv.Hypercube(63, 0.5).weights(0, 1)
