"""The tensor power of a 2 x 2 matrix against its Kronecker products, and against the Walsh-Hadamard transform."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gradvar.kernels.tensor_power import tensor_power
from gradvar.kernels.walsh_hadamard import walsh_hadamard

MATRIX = np.array([[0.75, 0.25], [0.4, -1.3]])


@pytest.mark.parametrize("dim", range(8))
@pytest.mark.parametrize("width", [1, 3])
def test_tensor_power_is_the_kronecker_product_of_the_matrix_with_itself(dim: int, width: int):
    f = np.random.default_rng(dim).normal(size=(2**dim, width))
    power = np.ones((1, 1))
    for _ in range(dim):
        power = np.kron(MATRIX, power)
    magnitude = np.abs(power) @ np.abs(f)
    found = f.copy()
    tensor_power(found, MATRIX)
    assert (np.abs(found - power @ f) <= (2 * dim + 2**dim) * 2.0**-53 * magnitude).all()


@pytest.mark.large
@pytest.mark.parametrize(("dim", "width"), [(13, 5), (15, 2), (17, 1)])
def test_blocks_of_the_cache_join_to_the_whole_transform(dim: int, width: int):
    f = np.random.default_rng(dim).normal(size=(2**dim, width))
    expected = np.ascontiguousarray(f.T)
    walsh_hadamard(expected)
    tensor_power(f, np.array([[1.0, 1.0], [1.0, -1.0]]))
    assert_allclose(f, expected.T, rtol=0, atol=1e-12 * 2 ** (dim / 2))


def test_no_columns_are_left_alone():
    f = np.empty((8, 0))
    tensor_power(f, MATRIX)
    assert_array_equal(f, np.empty((8, 0)))


def test_columns_that_are_not_contiguous_are_an_error():
    with pytest.raises(ValueError, match="`columns` must be C-contiguous"):
        tensor_power(np.ones((4, 6))[:, ::2], MATRIX)
