"""Parities and SparseParities against the table of their values on the whole cube.

Statistical tests have fixed seeds and a false-alarm rate of 1e-6 each.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2

import gradvar as gv
from gradvar.testing import reference

CLASSES = [(d, None) for d in (1, 2, 3, 6)] + [(d, k) for d in (1, 2, 3, 6) for k in range(d + 1)]


def build(dim: int, degree: int | None):
    return gv.Parities(dim) if degree is None else gv.SparseParities(dim, degree)


@pytest.mark.parametrize(("dim", "degree"), CLASSES)
def test_members_are_in_increasing_order_of_the_parity_number(dim: int, degree: int | None):
    H, table = build(dim, degree), reference.parity_table(dim, degree)
    members = H.members()
    assert members.shape == (len(table), dim)
    assert members.dtype == bool
    numbers = [sum(2**i for i in range(dim) if v[i]) for v in members]
    assert numbers == [S for S in range(2**dim) if degree is None or S.bit_count() == degree]
    assert_array_equal(H.evaluate(members, reference.cube(dim)), table)


@pytest.mark.parametrize(("dim", "degree"), CLASSES)
def test_size_and_labels(dim: int, degree: int | None):
    H = build(dim, degree)
    assert H.size == len(reference.parity_table(dim, degree))
    assert_allclose(H.log2_size, math.log2(H.size), rtol=1e-15)
    assert H.labels == "signs"
    assert H.inputs.dim == dim
    assert H.inputs.n_points == 2**dim
    assert H.is_orthonormal


@pytest.mark.parametrize(("dim", "degree"), CLASSES)
def test_covariance_and_mean_are_those_of_the_table(dim: int, degree: int | None):
    H, table, x = build(dim, degree), reference.parity_table(dim, degree), reference.cube(dim)
    assert_allclose(H.mean(x), reference.class_mean(table), rtol=0, atol=1e-15)
    assert_allclose(H.covariance(x, x), reference.class_covariance(table), rtol=0, atol=2e-15)
    some = x[[0, -1, len(x) // 2]]
    assert_allclose(
        H.covariance(some, x),
        reference.class_covariance(table)[[0, -1, len(x) // 2]],
        rtol=0,
        atol=2e-15,
    )


@pytest.mark.parametrize(("dim", "degree"), CLASSES)
def test_operator_norms_are_those_of_the_gram_matrix(dim: int, degree: int | None):
    H, table = build(dim, degree), reference.parity_table(dim, degree)
    weights = np.full(2**dim, 0.5**dim)
    for centred in (True, False):
        expected = reference.operator_norm(table, weights, centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-13, atol=1e-15)


def test_operator_norm_of_one_member_is_one_uncentred_and_nothing_centred():
    for degree in (0, 7):
        H = gv.SparseParities(7, degree)
        assert H.operator_norm() == 0
        assert H.operator_norm(centred=False) == 1


@pytest.mark.parametrize(("dim", "degree"), CLASSES)
def test_projection_is_the_mean_of_the_product_for_every_member(dim: int, degree: int | None):
    H, table = build(dim, degree), reference.parity_table(dim, degree)
    f = np.random.default_rng(0).normal(size=(2**dim, 3))
    expected = reference.projection(table, np.full(2**dim, 0.5**dim), f)
    before = f.copy()
    assert_allclose(H.project(f), expected, rtol=0, atol=1e-15 * dim)
    assert_array_equal(f, before)


@pytest.mark.large
def test_projection_on_all_parities_at_dim_12():
    f = np.random.default_rng(1).normal(size=(4096, 5))
    expected = reference.parity_table(12) @ f / 4096
    assert_allclose(gv.Parities(12).project(f), expected, rtol=0, atol=1e-15)
    degrees = np.array([S.bit_count() for S in range(4096)])
    assert_allclose(gv.SparseParities(12, 5).project(f), expected[degrees == 5], rtol=0, atol=1e-15)


@pytest.mark.parametrize("dim", [8, 30, 63, 64, 65, 100])
def test_sparse_covariance_is_krawtchouk_s_polynomial_of_the_hamming_distance(dim: int):
    # C_H(x, x') = K_k(dist)/C(d,k) - m(x) m(x'), m(x) = K_k(#{x_i = -1})/C(d,k): exact integers on the right
    x = gv.Hypercube(dim).sample(9, np.random.default_rng(2))
    for degree in (1, 2, 5, dim // 2, dim - 1):
        H, size = gv.SparseParities(dim, degree), math.comb(dim, degree)
        minus = (x == -1).sum(axis=1)
        mean = [reference.krawtchouk(dim, degree, int(w)) / size for w in minus]
        expected = [
            [reference.krawtchouk(dim, degree, int((x[i] != x[j]).sum())) / size - mean[i] * mean[j] for j in range(9)]
            for i in range(9)
        ]
        assert_allclose(H.mean(x), mean, rtol=0, atol=1e-14)
        assert_allclose(H.covariance(x, x), expected, rtol=0, atol=1e-14)


def test_all_parities_covary_only_on_equal_inputs():
    # Cov_h(h(x), h(x')) = [x = x'] - [x = 1][x' = 1], at a dimension where no table exists
    x = gv.Hypercube(70).sample(4, np.random.default_rng(0))
    x = np.vstack([x, np.ones(70), x[:2]])
    expected = np.eye(7)
    expected[0, 5] = expected[5, 0] = expected[1, 6] = expected[6, 1] = 1
    expected[4, 4] = 0
    assert_array_equal(gv.Parities(70).covariance(x, x), expected)
    assert_array_equal(gv.Parities(70).mean(x), [0, 0, 0, 0, 1, 0, 0])


def test_the_size_of_a_class_beyond_float64_is_kept_as_a_logarithm():
    assert gv.Parities(10_000).log2_size == 10_000
    assert gv.Parities(10_000).size == 2**10_000
    exact = math.comb(10_000, 5_000)
    log2 = exact.bit_length() - 900 + math.log2(exact >> (exact.bit_length() - 900))
    assert_allclose(gv.SparseParities(10_000, 5_000).log2_size, log2, rtol=1e-13)


def test_sampled_parities_are_uniform():
    # Pearson's statistic over all 16 members, and over the 15 of degree 2 at d = 6
    for H in (gv.Parities(4), gv.SparseParities(6, 2)):
        members = H.sample(16_000, np.random.default_rng(5))
        assert members.shape == (16_000, H.inputs.dim)
        numbers = members @ 2 ** np.arange(H.inputs.dim)
        known = H.members() @ 2 ** np.arange(H.inputs.dim)
        counts = np.array([(numbers == number).sum() for number in known])
        assert counts.sum() == 16_000
        expected = 16_000 / H.size
        assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-6, H.size - 1)


def test_sampled_sparse_parities_have_their_degree_at_large_dim():
    members = gv.SparseParities(1000, 7).sample(200, np.random.default_rng(6))
    assert members.dtype == bool
    assert (members.sum(axis=1) == 7).all()
    x = gv.Hypercube(1000).sample(5, np.random.default_rng(7))
    expected = [[np.prod(row[v]) for row in x] for v in members]
    assert_array_equal(gv.SparseParities(1000, 7).evaluate(members, x), expected)


def test_coordinates_are_no_description_of_a_member():
    # [0, 2] would else be read as a row of booleans: the parity of the last coordinate alone
    with pytest.raises(ValueError, match=r"`members` must be rows of True and False for Parities\(dim=2\), got other"):
        gv.Parities(2).evaluate([[0, 2]], [[1, -1]])
    assert gv.Parities(2).evaluate([[0, 1]], [[1, -1]]).tolist() == [[-1.0]]


@pytest.mark.parametrize("dim", [1, 63, 64, 65, 130])
def test_values_are_products_of_coordinates_whatever_fits_in_a_word(dim: int, monkeypatch: pytest.MonkeyPatch):
    # eight words at a time: fewer than one member has at 20 inputs, and two members at 3 inputs do not fill them
    monkeypatch.setattr("gradvar.classes.parities._IN_CACHE", 8)
    rng = np.random.default_rng(dim)
    for n in (0, 1, 3, 20):
        x, members = rng.choice([-1.0, 1.0], size=(n, dim)), rng.integers(0, 2, size=(7, dim))
        expected = np.where(members[:, None, :] == 1, x, 1.0).prod(axis=2)
        for given in (members, members.astype(np.bool_), members.astype(np.float64), members.tolist()):
            assert_array_equal(gv.Parities(dim).evaluate(given, x), expected)
    assert gv.Parities(dim).evaluate(np.zeros((0, dim)), x).shape == (0, 20)
