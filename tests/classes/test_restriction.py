"""Restrictions against the table of their members' values, however their Gram matrix is had."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2

import gradvar as gv
from gradvar.testing import reference

POINTS = np.random.default_rng(0).normal(size=(12, 4))
WEIGHTS = np.random.default_rng(1).dirichlet(np.ones(12))
TABLE = np.random.default_rng(2).normal(size=(9, 12))
CUBE = np.full(16, 1 / 16)

PARENTS = {
    "parities": (gv.Parities(4), reference.parity_table(4), reference.cube(4), CUBE),
    "sparse": (gv.SparseParities(4, 2), reference.parity_table(4, 2), reference.cube(4), CUBE),
    "finite": (gv.FiniteClass(TABLE, POINTS, weights=WEIGHTS), TABLE, POINTS, WEIGHTS),
}
CHOICES = [[0], [5, 1, 3], [2, 2, 4, 0, 2], [0, 1, 2, 3, 4, 5], [3, 3]]


@pytest.fixture(params=[(name, tuple(rows)) for name in PARENTS for rows in CHOICES], ids=str)
def restricted(request: pytest.FixtureRequest):
    name, rows = request.param
    parent, table, points, weights = PARENTS[name]
    return parent.restrict(rows), table[list(rows)], points, weights


def test_members_mean_covariance_and_projection(restricted):
    H, table, points, weights = restricted
    assert H.size == len(table)
    assert_allclose(H.log2_size, math.log2(len(table)), rtol=1e-15)
    assert_array_equal(H.evaluate(H.members(), points), table)
    assert_allclose(H.mean(points), reference.class_mean(table), rtol=1e-13, atol=1e-15)
    covariance = reference.class_covariance(table)
    assert_allclose(H.covariance(points, points), covariance, rtol=1e-13, atol=1e-14)
    assert_allclose(H.covariance(points[[3, 0]], points), covariance[[3, 0]], rtol=1e-13, atol=1e-14)
    f = np.random.default_rng(1).normal(size=(len(points), 3))
    assert_allclose(H.project(f), reference.projection(table, weights, f), rtol=1e-13, atol=1e-15)


def test_gram_and_norms(restricted):
    H, table, _, weights = restricted
    gram = reference.gram(table, weights)
    assert_allclose(H.gram(), gram, rtol=1e-13, atol=1e-15)
    assert_allclose(H.gram_matrix.largest_second_moment(), np.diagonal(gram).max(), rtol=1e-13)
    for centred in (True, False):
        expected = reference.operator_norm(table, weights, centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-12, atol=1e-15)
    assert H.is_orthonormal == np.allclose(gram, np.eye(len(gram)), rtol=0, atol=1e-12)


def test_restrictions_are_equal_where_class_and_members_are():
    first = gv.Parities(4).restrict([5, 1, 3])
    again = gv.Parities(4).restrict(np.array([[1, 0, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]) == 1)
    assert first == again
    assert hash(first) == hash(again)
    assert first == gv.Parities(4).restrict([0, 5, 1, 3]).restrict([1, 2, 3])
    assert first.member(1) == again.member(1)
    for other in (
        gv.Parities(4).restrict([1, 5, 3]),
        gv.Parities(4).restrict([5, 1]),
        gv.Parities(5).restrict([5, 1, 3]),
        gv.Parities(4),
        [5, 1, 3],
    ):
        assert first != other
    assert len({first, again, gv.Parities(4).restrict([5])}) == 2


def test_every_method_finds_the_variance(restricted, slow_model):
    H, table, points, weights = restricted
    slow = slow_model("mlp-3-tanh", 4)
    F = reference.gradients(table, weights, slow.predict(points), slow.gradient(points), "square")
    check = gv.bound_check(H, slow.model)
    expected = reference.gradient_variance(F)
    assert check.variance.exact
    assert_allclose(check.variance.value, expected, rtol=1e-12, atol=1e-28)
    assert check.verdict == "holds"
    assert check.bounds["operator-norm"].applicable
    if expected > 1e-20:
        sampled = gv.gradient_variance(H, slow.model, method="monte-carlo", max_samples=800, rtol=0, rng=0)
        # five standard errors: below 1e-6 for each
        assert abs(sampled.value - expected) < 5 * sampled.standard_error


def test_bounds_are_those_of_the_gram_matrix(restricted, slow_model):
    H, table, points, weights = restricted
    slow = slow_model("mlp-3-tanh", 4)
    check = gv.bound_check(H, slow.model)
    signal = reference.signal_norm_sq(weights, slow.predict(points), slow.gradient(points), "square")
    for name, constant in {
        "gershgorin": reference.gershgorin(table, weights),
        "boas-bellman": reference.boas_bellman(table, weights),
        "cross-predictability": math.sqrt(reference.cross_predictability(table, weights)),
    }.items():
        assert_allclose(check.bounds[name].value, constant * signal, rtol=1e-12)


# --- members of an orthonormal class ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_norms_of_repeated_orthonormal_members_come_from_the_counts(seed: int):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, rng.integers(1, 8), size=rng.integers(1, 12))
    H, table = gv.Parities(3).restrict(rows), reference.parity_table(3)[rows]
    for centred in (True, False):
        expected = reference.operator_norm(table, np.full(8, 1 / 8), centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-12, atol=1e-15)
    repeated = len(set(rows.tolist())) < len(rows)
    assert H.is_orthonormal is not repeated
    assert H.orthonormality[0] == ("failed" if repeated else "proved")


def test_thousands_of_members_in_a_thousand_dimensions_need_no_matrix():
    parent = gv.SparseParities(1000, 5)
    members = parent.sample(20_000, rng=0)
    H = parent.restrict(members)
    assert H.is_orthonormal
    assert H.operator_norm() == 1 / 20_000
    with pytest.raises(gv.TooLargeError, match=r"20,000 rows needs 2.98 GiB"):
        H.gram()
    # the first member once more: the centred norm of one count of two among ones, by the secular equation
    # sum_i c_i/(c_i - z) = 0, that is 2/(2 - z) = (m - 2)/(z - 1)
    again = parent.restrict(np.concatenate([members, members[:1]]))
    m = 20_001
    assert again.operator_norm(centred=False) == 2 / m
    assert_allclose(again.operator_norm(), (2 * (m - 2) + 2) / m / m, rtol=1e-13)
    assert not again.is_orthonormal


def test_theorem_1_applies_to_different_parities_and_not_to_repeated_ones(slow_model):
    model = slow_model("mlp-3-tanh", 6).model
    parent = gv.SparseParities(6, 2)
    check = gv.bound_check(parent.restrict([1, 4, 8]), model)
    assert check.bound_name == "theorem-1"
    assert_allclose(check.bound, check.gradient_norm_sq.value / 3, rtol=1e-12)
    again = gv.bound_check(parent.restrict([1, 4, 4]), model)
    assert again.bound_name == "operator-norm"
    assert "2 of 3 members are equal to another" in again.bounds["theorem-1"].reason


def test_a_restriction_beyond_enumeration_is_sampled(slow_model):
    parent = gv.SparseParities(40, 1)
    H = parent.restrict([3, 17, 30])
    model = gv.Linear(np.arange(40.0))
    check = gv.bound_check(H, model, method="monte-carlo", max_samples=1000, rtol=0, rng=0)
    # grad F_h = -e_i: Var = 1 - 1/3
    assert check.variance.method.startswith("monte-carlo")
    assert gv.gradient_variance(H, model).value == pytest.approx(2 / 3, rel=1e-14)
    assert abs(check.variance.value - 2 / 3) < 5 * check.variance.standard_error
    assert_allclose(check.bound, 40 / 3, rtol=1e-12)


# --- inner products in closed form, and none -------------------------------------------------------------


def test_inner_products_of_cosines_by_quadrature():
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    x = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    probabilities = np.outer(weights, weights).ravel() / (2 * math.pi)
    parent = gv.LinearPeriodic(2, 1.5)
    v = np.concatenate([parent.sample(4, rng=0), [[1.5, 0.0], [0.0, 1.5], [-1.5, 0.0]]])
    values = parent.evaluate(v, x)
    assert_allclose(parent.inner_products(v, v[:3]), (values * probabilities) @ values[:3].T, rtol=0, atol=1e-13)
    H = parent.restrict(v)
    for centred in (True, False):
        expected = reference.operator_norm(values, probabilities, centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-12)
    assert H.orthonormality[0] == "failed"


def test_restricted_cosines_have_a_bound():
    parent = gv.LinearPeriodic(5, 2.0)
    check = gv.bound_check(parent.restrict(parent.sample(20, rng=0)), gv.Cosine([0.3] * 5), max_samples=1000, rng=1)
    assert check.verdict == "holds"
    assert check.bound_name == "operator-norm"
    assert check.bounds["gershgorin"].applicable


def test_where_no_inner_product_is_known_the_report_says_so():
    parent = gv.LinearPeriodic(5, 2.0, wave="square")
    H = parent.restrict(parent.sample(20, rng=0))
    with pytest.raises(gv.NotApplicableError, match=r"inner products of LinearPeriodic.* are not known"):
        H.gram()
    with pytest.raises(gv.NotApplicableError, match=r"inner products of LinearPeriodic.* are not known"):
        H.operator_norm()
    assert not H.is_orthonormal
    check = gv.bound_check(H, gv.MLP.random([5, 4, 1], rng=0), max_samples=1000, rng=1)
    assert check.variance.resolved
    # the norm is that of members drawn from the class, over sampled inputs
    assert "estimated" in check.bounds["operator-norm"].reason
    assert not check.bounds["operator-norm"].exact
    assert math.isnan(check.bounds["gershgorin"].log2)
    assert "are not known" in check.bounds["gershgorin"].reason
    assert "are not known" in str(check)


class Claims(gv.LinearPeriodic):
    """A class that says that it is orthonormal, and no more."""

    is_orthonormal = True
    orthonormality = None

    def __init__(self):
        super().__init__(3, 5.0, wave="square")

    def __getattribute__(self, name):
        if name == "orthonormality":
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_a_claim_is_passed_on_as_a_claim():
    parent = Claims()
    members = parent.sample(6, rng=0)
    H = parent.restrict(members)
    assert H.orthonormality[0] == "claimed"
    check = gv.bound_check(H, gv.Linear([1.0, 0.0, 0.0]), max_samples=1000, rng=1)
    assert check.bound_name == "theorem-1"
    assert check.bounds["theorem-1"].log2_interval[1] < math.inf
    assert "claimed" in {assumption.status for assumption in check.assumptions}
    assert parent.restrict(members[[0, 0]]).orthonormality[0] == "unknown"  # a claim about different members


# --- the members -----------------------------------------------------------------------------------------


def test_restricting_a_restriction():
    parent = gv.Parities(5)
    H = parent.restrict([3, 8, 21, 8])
    again = H.restrict([2, 0])
    assert again.parent is parent
    assert_array_equal(again.members(), parent.members()[[21, 3]])
    assert again.orthonormality[0] == "proved"
    with pytest.raises(ValueError, match=r"`members` must be an integer from 0 to 3, got 4"):
        H.restrict([4])
    with pytest.raises(ValueError, match=r"on coordinates \[2\] of Parities.* is not one of the 4 members"):
        H.restrict(parent.members()[[8, 4]])


def test_targets_numbers_and_descriptions_name_the_same_members():
    parent = gv.SparseParities(6, 3)
    rows = parent.members()[[4, 0, 9]]
    for named in ([4, 0, 9], np.array([4, 0, 9]), rows, rows.tolist()):
        assert_array_equal(parent.restrict(named).members(), rows)
    targets = [parent.member(4), parent.member(rows[1]), 9]
    H = parent.restrict(targets)
    assert_array_equal(H.members(), rows)
    assert_array_equal(parent.restrict(list(H)).members(), rows)
    assert_array_equal(H.restrict([parent.member(0)]).members(), rows[[1]])
    assert_array_equal(parent.restrict(one for one in H).members(), rows)


def test_of_a_class_described_by_numbers_they_are_the_descriptions():
    parent = gv.FiniteClass(TABLE, POINTS)
    H = parent.restrict([7, 2])
    assert_array_equal(H.members(), [7, 2])
    assert_array_equal(H.member(2)(POINTS), TABLE[2])
    assert_array_equal([target(POINTS) for target in H], TABLE[[7, 2]])
    with pytest.raises(ValueError, match=r"target 0 of FiniteClass.* is not one of the 2 members"):
        H.member(0)


def test_points_that_are_equal_keep_their_numbers():
    # two images that are the same with different labels: no function of x, and all the same a table
    table = np.array([[1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    points = [[0.0], [0.0], [1.0]]
    H = gv.FiniteClass(table, points).restrict([2, 0])
    assert_allclose(H.gram(), reference.gram(table[[2, 0]], np.full(3, 1 / 3)), rtol=1e-14)
    value = gv.gradient_variance(H, gv.Linear([1.0])).value
    expected = gv.gradient_variance(gv.FiniteClass(table[[2, 0]], points), gv.Linear([1.0])).value
    assert value == expected


def test_labels_are_the_parent_s():
    assert gv.Parities(3).restrict([1]).labels == "signs"
    assert gv.FiniteClass(TABLE, POINTS).restrict([1]).labels == "real"
    check = gv.bound_check(gv.Parities(3).restrict([1, 2, 6]), gv.Linear([1.0, 2.0, 3.0]), "hinge")
    assert check.verdict == "holds"


def test_sampled_members_are_uniform():
    H = gv.Parities(4).restrict([1, 1, 5, 8])
    members = H.sample(8000, rng=0)
    assert_array_equal(members, H.sample(8000, rng=0))
    counts = np.array([(members == row).all(axis=1).sum() for row in H.members()[1:]])
    assert counts.sum() == 8000
    expected = np.array([4000, 2000, 2000])
    assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-6, 2)


def test_large_restrictions_are_met_in_blocks(monkeypatch: pytest.MonkeyPatch):
    from gradvar.classes.gram import table
    from gradvar.classes.members import target_class

    rows = np.random.default_rng(0).integers(0, 64, size=50)
    values = reference.parity_table(6)[rows]
    weights = np.full(64, 1 / 64)
    f = np.random.default_rng(1).normal(size=(64, 3))
    monkeypatch.setattr(target_class, "_BLOCK", 500)
    monkeypatch.setattr(table, "_BLOCK", 70)
    monkeypatch.setattr(table, "_ROWS", 7)
    for kept in (0, 2**26):
        monkeypatch.setattr(table, "KEPT_BYTES", kept)
        H, x = gv.Parities(6).restrict(rows), reference.cube(6)
        assert_allclose(H.mean(x), reference.class_mean(values), rtol=0, atol=1e-15)
        assert_allclose(H.covariance(x, x), reference.class_covariance(values), rtol=0, atol=1e-14)
        assert_allclose(H.project(f), reference.projection(values, weights, f), rtol=0, atol=1e-14)


def test_a_restriction_survives_pickling():
    H = gv.LinearPeriodic(3, 2.0).restrict([[2.0, 0, 0], [0, 2.0, 0]])
    norm = H.operator_norm()
    again = pickle.loads(pickle.dumps(H))
    assert again.operator_norm() == norm
    assert_array_equal(again.members(), H.members())


def test_repr_and_description():
    H = gv.SparseParities(1000, 5).restrict([0, 10**9])
    assert repr(H) == "Restriction(SparseParities(dim=1000, degree=5), 2 members)"
    assert H.description == "2 members of: the C(1000, 5) parities of degree 5"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gv.Parities(3).restrict([]), gv.ShapeError, "`members` must name at least one member"),
        (lambda: gv.Parities(3).restrict(3), TypeError, "`members` must be a sequence of members"),
        (lambda: gv.Parities(3).restrict([8]), ValueError, "`members` must be an integer from 0 to 7, got 8"),
        (lambda: gv.Parities(3).restrict([True, False, True]), gv.ShapeError, r"described by 3 booleans.* shape \(\)"),
        (lambda: gv.Parities(3).restrict([[1, 0, 0], [1, 0]]), gv.ShapeError, "descriptions of one shape"),
        (lambda: gv.SparseParities(3, 1).restrict([[1, 1, 0]]), ValueError, "has no member of degree 2"),
        (lambda: gv.LinearPeriodic(2, 1.0).restrict([0, 1]), TypeError, "infinitely many members"),
        (lambda: gv.LinearPeriodic(2, 1.0).restrict([[1.0, 1.0]]), ValueError, r"\|v\| = 1, got \|v\| = 1.41421"),
        (lambda: gv.LinearPeriodic(2, 1.0).restrict([[np.nan, 1.0]]), ValueError, r"got \|v\| = nan"),
        (lambda: gv.FiniteClass(TABLE, POINTS).restrict([9]), ValueError, "indices from 0 to 8, got 9"),
        (
            lambda: gv.Parities(3).restrict([gv.Parities(4).member(1)]),
            ValueError,
            r"`members` must be members of Parities\(dim=3\), got <target on coordinates \[0\] of Parities\(dim=4\)>",
        ),
        (lambda: gv.Parities(3).restrict([1]).project(np.ones((4, 1))), gv.ShapeError, r"`f` must have shape \(8, q\)"),
        (
            lambda: gv.LinearPeriodic(2, 1.0).restrict([[1.0, 0]]).project(np.ones((4, 1))),
            gv.NotApplicableError,
            "infinitely many",
        ),
    ],
)
def test_what_is_not_a_member_is_refused(call, error, message: str):
    with pytest.raises(error, match=message):
        call()


# --- members of the other families -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "parent",
    [gv.ModularMultiples(13), gv.ModularMultiples(11, wave="sawtooth", units=False), gv.DiscreteLog(11)],
    ids=repr,
)
def test_modular_targets(parent, slow_model):
    rows = [3, 7, 1, 7]
    H = parent.restrict(rows)
    n = H.inputs.n_points
    points, weights = H.inputs.points(0, n), H.inputs.weights(0, n)
    table = parent.evaluate(rows, points)
    assert_allclose(H.gram(), reference.gram(table, weights), rtol=0, atol=1e-13)
    for centred in (True, False):
        expected = reference.operator_norm(table, weights, centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-12)
    slow = slow_model("mlp-3-tanh", points.shape[1])
    F = reference.gradients(table, weights, slow.predict(points), slow.gradient(points), "square")
    assert_allclose(gv.gradient_variance(H, slow.model).value, reference.gradient_variance(F), rtol=1e-12)


def halfspace(rng: np.random.Generator):
    w = rng.standard_normal(3)
    return lambda x: np.where(x @ w > 0, 1.0, -1.0)


def test_targets_that_can_only_be_drawn():
    points = np.random.default_rng(3).normal(size=(15, 3))
    parent = gv.SampledClass(halfspace, gv.FinitePoints(points), labels="signs")
    seeds = parent.sample(8, rng=0)
    H, model = parent.restrict(seeds), gv.MLP.random([3, 2, 1], rng=0)
    same = gv.FiniteClass(parent.evaluate(seeds, points), points)
    found, expected = gv.bound_check(H, model), gv.bound_check(same, model)
    assert found.variance.exact
    assert_allclose(found.variance.value, expected.variance.value, rtol=1e-12)
    assert_allclose(found.bound, expected.bound, rtol=1e-12)
    gaussian = gv.SampledClass(halfspace, gv.Gaussian(3), labels="signs")
    check = gv.bound_check(gaussian.restrict(gaussian.sample(8, rng=0)), model, max_samples=1000, rng=0)
    assert check.variance.resolved
    assert not check.bounds["operator-norm"].exact


@pytest.mark.parametrize("normalised", [True, False])
def test_biased_parities(normalised: bool, slow_model):
    parent = gv.BiasedParities(4, 0.4, normalised=normalised)
    rows = parent.members()[[3, 9, 14, 9]]
    H = parent.restrict(rows)
    points, weights = H.inputs.points(0, 16), H.inputs.weights(0, 16)
    table = parent.evaluate(rows, points)
    assert_allclose(H.gram(), reference.gram(table, weights), rtol=0, atol=1e-13)
    for centred in (True, False):
        expected = reference.operator_norm(table, weights, centred)
        assert_allclose(H.operator_norm(centred=centred), expected, rtol=1e-12)
    slow = slow_model("mlp-3-tanh", 4)
    F = reference.gradients(table, weights, slow.predict(points), slow.gradient(points), "square")
    assert_allclose(gv.gradient_variance(H, slow.model).value, reference.gradient_variance(F), rtol=1e-12)
    assert parent.restrict(rows[:3]).is_orthonormal is normalised
