"""FiniteClass: it computes its Gram matrix, and so knows what it is, whatever its owner believes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2

import gradvar as gv
from gradvar.testing import reference


def orthonormal_table(m: int, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A (m, n) table with E_x[h_i h_j] = [i = j] under the weights."""
    Q, _ = np.linalg.qr(rng.normal(size=(len(weights), m)))
    return Q.T / np.sqrt(weights)


@pytest.fixture(params=["uniform", "weighted"])
def problem(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = np.full(10, 0.1) if request.param == "uniform" else rng.dirichlet(np.ones(10))
    return rng.normal(size=(6, 10)), rng.normal(size=(10, 3)), weights


def test_gram_mean_covariance_and_projection(problem):
    table, points, weights = problem
    H = gv.FiniteClass(table, points, weights=weights)
    assert_allclose(H.gram(), reference.gram(table, weights), rtol=1e-13, atol=1e-15)
    assert_allclose(H.mean(points), reference.class_mean(table), rtol=1e-13, atol=1e-15)
    assert_allclose(H.covariance(points, points), reference.class_covariance(table), rtol=1e-13, atol=1e-14)
    some = [7, 2, 2]
    assert_allclose(H.covariance(points[some], points), reference.class_covariance(table)[some], rtol=1e-13, atol=1e-14)
    f = np.random.default_rng(1).normal(size=(10, 4))
    assert_allclose(H.project(f), reference.projection(table, weights, f), rtol=1e-13, atol=1e-15)


def test_operator_norms(problem):
    table, points, weights = problem
    H = gv.FiniteClass(table, points, weights=weights)
    for centred in (True, False):
        expected = reference.operator_norm(table, weights, centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-13)


def test_operator_norms_when_the_members_outnumber_the_points():
    rng = np.random.default_rng(3)
    table, points, weights = rng.normal(size=(30, 4)), rng.normal(size=(4, 2)), rng.dirichlet(np.ones(4))
    H = gv.FiniteClass(table, points, weights=weights)
    for centred in (True, False):
        expected = reference.operator_norm(table, weights, centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-13)
    assert_allclose(H.gram(), reference.gram(table, weights), rtol=1e-13, atol=1e-15)


def test_members_are_the_rows_of_the_table(problem):
    table, points, weights = problem
    H = gv.FiniteClass(table, points, weights=weights)
    assert H.size == 6
    assert_allclose(H.log2_size, np.log2(6), rtol=1e-15)
    assert_array_equal(H.members(), np.arange(6))
    assert_array_equal(H.evaluate(H.members(), points), table)
    assert_array_equal(H.evaluate([4, 1], points[[9, 0, 0]]), table[np.ix_([4, 1], [9, 0, 0])])
    assert (H.inputs.dim, H.inputs.n_points) == (3, 10)
    assert_array_equal(H.inputs.points(0, 10), points)
    assert_array_equal(H.inputs.weights(0, 10), weights)


def test_functions_are_evaluated_on_the_points():
    x = reference.cube(4)
    H = gv.FiniteClass([lambda x: x[:, 0], lambda x: x[:, 1] * x[:, 3]], x)
    assert_array_equal(H.evaluate(H.members(), x), [x[:, 0], x[:, 1] * x[:, 3]])
    assert H.is_orthonormal
    assert H.labels == "signs"


def test_labels_are_signs_only_if_every_value_is_plus_or_minus_one():
    x = reference.cube(2)
    assert gv.FiniteClass(reference.parity_table(2), x).labels == "signs"
    table = reference.parity_table(2)
    table[3, 3] = 1 - 1e-9
    assert gv.FiniteClass(table, x).labels == "real"
    assert gv.FiniteClass(2 * reference.parity_table(2), x).labels == "real"


def test_a_subset_of_the_parities_is_orthonormal():
    rows = [1, 4, 6, 9, 15]
    H = gv.FiniteClass(reference.parity_table(4)[rows], reference.cube(4))
    assert H.is_orthonormal
    assert_allclose(H.operator_norm(), 1 / 5, rtol=1e-13)


@pytest.mark.parametrize("m", range(1, 17))
def test_operator_norm_of_a_gram_matrix_that_is_a_multiple_of_the_identity(m: int):
    # all eigenvalues equal, on which iterations for the largest alone have failed
    H = gv.FiniteClass(reference.parity_table(4)[:m], reference.cube(4))
    assert_allclose(H.operator_norm(centred=False), 1 / m, rtol=1e-13)
    assert_allclose(H.operator_norm(), 1 / m if m > 1 else 0, rtol=1e-13)


def test_orthonormal_functions_under_unequal_weights_are_recognised():
    rng = np.random.default_rng(4)
    weights = rng.dirichlet(np.ones(12))
    H = gv.FiniteClass(orthonormal_table(5, weights, rng), rng.normal(size=(12, 2)), weights=weights)
    assert H.is_orthonormal
    assert_allclose(H.operator_norm(), 1 / 5, rtol=1e-12)


def test_the_same_functions_under_other_weights_are_not_orthonormal():
    H = gv.FiniteClass(reference.parity_table(3), reference.cube(3), weights=np.arange(1, 9) / 36)
    assert not H.is_orthonormal


def test_a_duplicated_function_is_not_orthonormal():
    table = reference.parity_table(3)[[1, 2, 4, 2]]
    H = gv.FiniteClass(table, reference.cube(3))
    assert not H.is_orthonormal
    weights = np.full(8, 1 / 8)
    assert_allclose(H.operator_norm(), reference.operator_norm(table, weights), rtol=1e-13)
    assert H.operator_norm() > 1 / 4


@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_nearly_orthogonal_functions_are_not_orthonormal(angle: float):
    # h_2 is turned towards h_1: both of norm one, E h_1 h_2 = sin(angle)
    h = reference.parity_table(3)
    table = np.array([h[1], np.cos(angle) * h[2] + np.sin(angle) * h[1], h[4]])
    H = gv.FiniteClass(table, reference.cube(3))
    assert not H.is_orthonormal
    assert_allclose(H.gram()[0, 1], np.sin(angle), rtol=1e-9)


def test_orthogonal_functions_with_a_norm_above_one_are_not_orthonormal():
    table = reference.parity_table(3)[1:4] * np.array([[1], [1.01], [1]])
    assert not gv.FiniteClass(table, reference.cube(3)).is_orthonormal


def test_sampled_members_are_uniform():
    H = gv.FiniteClass(np.ones((5, 2)), np.eye(2))
    counts = np.bincount(H.sample(10_000, np.random.default_rng(5)), minlength=5)
    assert counts.sum() == 10_000
    assert ((counts - 2000) ** 2 / 2000).sum() < chi2.isf(1e-6, 4)


def test_two_points_at_the_same_place_keep_the_values_a_table_can_give_them():
    # the same input twice with the same values is one input of twice the weight
    H = gv.FiniteClass([[1.0, 1, -1], [1, 1, 1]], [[0.0], [0], [1]], weights=[0.25, 0.25, 0.5])
    assert_allclose(H.gram(), [[1, 0], [0, 1]], atol=1e-15)
    assert_array_equal(H.evaluate([0, 1], [[1.0], [0.0]]), [[-1, 1], [1, 1]])


def test_labels_take_a_byte_each_and_say_the_same(problem, slow_model):
    _, points, weights = problem
    table = np.random.default_rng(6).choice([-1.0, 1.0], size=(6, 10))
    signs = gv.FiniteClass(table, points, weights=weights)
    # the same class with values that a byte does not hold, over 2^10
    large = gv.FiniteClass(1024 * table, points, weights=weights)
    assert (signs._stored.values.nbytes, large._stored.values.nbytes) == (60, 480)
    assert_array_equal(signs.values, table)
    assert signs.values.dtype == np.float64
    assert_array_equal(1024 * signs.mean(points), large.mean(points))
    f = np.random.default_rng(1).normal(size=(10, 3))
    assert_array_equal(1024 * signs.project(f), large.project(f))
    assert_array_equal(2**20 * signs.gram(), large.gram())
    assert_array_equal(2**20 * signs.covariance(points, points), large.covariance(points, points))
    model = slow_model("mlp-3-tanh", 3).model
    variances = [gv.gradient_variance(H, model).value for H in (signs, large)]
    assert_allclose(2**20 * variances[0], variances[1], rtol=1e-14)


def test_a_matrix_too_large_is_said_to_be_and_the_rest_is_had(monkeypatch: pytest.MonkeyPatch, slow_model):
    from gradvar.classes.gram import matrix as gram

    table = reference.parity_table(3)
    model = slow_model("mlp-3-tanh", 3).model
    expected = gv.bound_check(gv.FiniteClass(table, reference.cube(3)), model)
    assert expected.bound_name == "theorem-1"
    monkeypatch.setattr(gram, "_LARGEST", 7)
    H = gv.FiniteClass(table, reference.cube(3))
    for call in (H.gram, H.operator_norm):
        with pytest.raises(gv.TooLargeError, match=r"a Gram matrix of 8 rows needs .* take at most 7 members"):
            call()
    assert not H.is_orthonormal
    assert H.orthonormality == ("unknown", f"not known: {_error(H.gram)}")
    check = gv.bound_check(H, model)
    assert check.variance.value == expected.variance.value
    assert check.variance.interval == expected.variance.interval
    assert "needs" in check.bounds["gershgorin"].reason
    assert np.isnan(check.bounds["gershgorin"].log2)
    # the norm is then that of members drawn from the class
    bound = check.bounds["operator-norm"]
    assert not bound.exact
    assert "estimated" in bound.reason
    low, high = bound.log2_interval
    assert low <= expected.bounds["operator-norm"].log2 <= high


def test_many_members_on_few_points_keep_their_operator_norm(monkeypatch: pytest.MonkeyPatch, slow_model):
    from gradvar.classes.gram import matrix as gram

    rng = np.random.default_rng(7)
    table, points = rng.choice([-1.0, 1.0], size=(40, 5)), rng.normal(size=(5, 3))
    monkeypatch.setattr(gram, "_LARGEST", 10)
    check = gv.bound_check(gv.FiniteClass(table, points), slow_model("mlp-3-tanh", 3).model)
    norm = reference.operator_norm(table, np.full(5, 1 / 5))
    assert_allclose(check.bound, norm * check.signal_norm_sq.value, rtol=1e-12)
    assert check.verdict == "holds"
    assert not check.bounds["gershgorin"].applicable


def _error(call) -> str:
    with pytest.raises(gv.TooLargeError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("scale", [1e-99, 1e99])
def test_bounds_of_values_whose_inner_products_have_no_squares(scale: float, slow_model):
    rng = np.random.default_rng(8)
    table, points, model = rng.normal(size=(5, 9)), rng.normal(size=(9, 3)), slow_model("mlp-3-tanh", 3).model
    plain, scaled = (gv.bound_check(gv.FiniteClass(s * table, points), model) for s in (1.0, scale))
    assert_allclose(scaled.variance.log2, plain.variance.log2 + 2 * np.log2(scale), atol=1e-9)
    for name, bound in plain.bounds.items():
        if name != "theorem-1":
            assert_allclose(scaled.bounds[name].log2, bound.log2 + 2 * np.log2(scale), atol=1e-9)


def test_many_members_are_met_in_blocks(problem, monkeypatch: pytest.MonkeyPatch):
    from gradvar.classes import finite

    table, points, weights = problem
    monkeypatch.setattr(finite, "_ROWS", 4)
    H = gv.FiniteClass(table, points, weights=weights)
    assert_allclose(H.covariance(points, points), reference.class_covariance(table), rtol=1e-13, atol=1e-14)


def test_a_table_that_does_not_fit_is_refused_before_it_is_copied():
    side = 200_000
    table = np.broadcast_to(np.int8(1), (side, side))
    points = np.arange(float(side))[:, None]
    for given in (table, np.broadcast_to(0.5, (side, side)), [lambda x: np.ones(len(x))] * side):
        with pytest.raises(gv.TooLargeError, match=r"shape \(200000, 200000\) takes 37.25 GiB, more than 8 GiB; take"):
            gv.FiniteClass(given, points)


def test_a_table_is_as_large_as_its_values_are(monkeypatch: pytest.MonkeyPatch):
    from gradvar.classes.gram import table

    monkeypatch.setattr(table, "MOST_BYTES", 60)
    points = np.arange(10.0)[:, None]
    H = gv.FiniteClass(np.ones((6, 10)), points)  # a byte each
    for given in (np.full((6, 10), 0.5), np.full((6, 10), 1000), np.ones((7, 10), dtype=np.int8)):
        with pytest.raises(gv.TooLargeError, match="more than"):
            gv.FiniteClass(given, points)
    with pytest.raises(gv.TooLargeError, match=r"`values` as float64 of shape \(6, 10\)"):
        H.values  # noqa: B018
