"""Elementary symmetric polynomials of pairs against the sum over subsets."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.kernels.symmetric_polynomials import summed_pairs


@pytest.mark.parametrize(("dim", "degree"), [(1, 1), (5, 1), (6, 3), (5, 5), (9, 8), (3, 4)])
def test_against_subsets(dim: int, degree: int):
    rng = np.random.default_rng([dim, degree])
    a, b, c = rng.standard_normal((3, 2, dim)), rng.standard_normal((4, 2, dim)), rng.standard_normal(2)
    expected, size = np.zeros((3, 4)), np.zeros((3, 4))
    for subset in itertools.combinations(range(dim), degree):
        chosen = np.einsum("ars,bts->abrts", a[:, :, subset], b[:, :, subset]).reshape(3, 4, 2, 2, -1)
        terms = np.einsum("r,t,abrt->abrt", c, c, np.prod(chosen, axis=-1)) if degree else chosen
        expected += terms.sum(axis=(2, 3))
        size += np.abs(terms).sum(axis=(2, 3))
    found = summed_pairs(a, np.ascontiguousarray(b.transpose(1, 2, 0)), c, degree)
    assert (np.abs(found - expected) <= 8 * (dim + degree) * 2.0**-53 * size).all()


def test_blocks_of_columns_join():
    """More columns than one block holds: all products 1, so that e_k = C(d, k)."""
    found = summed_pairs(np.ones((2, 1, 7)), np.ones((1, 7, 300)), np.ones(1), 3)
    assert_allclose(found, math.comb(7, 3), rtol=0)
