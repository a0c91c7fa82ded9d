"""A plain object that lists and evaluates its members is enumerated like a class that knows its projection."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.classes.gram.derived import known_gram, operator_norm, projection
from gradvar.testing import reference


class Thresholds:
    """h_t(x) = sign(x_0 - t) on the points of R^2, in ten lines and of no library class."""

    labels = "signs"

    def __init__(self, thresholds=(-1.0, -0.2, 0.3, 0.9), points=11):
        rng = np.random.default_rng(0)
        self.thresholds = list(thresholds)
        self.inputs = gv.FinitePoints(rng.normal(size=(points, 2)), rng.dirichlet(np.ones(points)))
        self.log2_size = math.log2(len(self.thresholds))

    def members(self):
        return self.thresholds

    def evaluate(self, members, x):
        return [[1 if row[0] > t else -1 for row in x] for t in members]

    @property
    def table(self):
        return np.array(self.evaluate(self.thresholds, self.inputs.points(0, self.inputs.n_points)), dtype=float)


class Slopes(Thresholds):
    """The real functions t x_0."""

    labels = "real"

    def evaluate(self, members, x):
        return np.outer(members, x[:, 0])


@pytest.mark.parametrize("plain", [Thresholds(), Slopes()], ids=["signs", "real"])
@pytest.mark.parametrize("method", ["auto", "enumeration"])
def test_a_plain_object_is_enumerated(plain, method: str, slow_model):
    slow = slow_model("mlp-3-tanh", 2)
    points, weights = plain.inputs.points(0, 11), plain.inputs.weights(0, 11)
    F = reference.gradients(plain.table, weights, slow.predict(points), slow.gradient(points), "square")
    check = gv.bound_check(plain, slow.model, method=method)
    assert check.variance.method == "enumeration"
    assert check.variance.exact
    assert_allclose(check.variance.value, reference.gradient_variance(F), rtol=1e-12)
    low, high = check.variance.interval
    assert low <= check.variance.value <= high
    # it says neither a Gram matrix nor a norm: that is derived from the same values
    assert check.verdict == "holds"
    signal = reference.signal_norm_sq(weights, slow.predict(points), slow.gradient(points), "square")
    for name, centred in (("operator-norm", True), ("operator-norm-uncentred", False)):
        expected = reference.operator_norm(plain.table, weights, centred) * signal
        assert_allclose(check.bounds[name].value, expected, rtol=1e-12)
        assert check.bounds[name].exact
        assert check.bounds[name].reason == "operator norm from values of all 4 members at all 11 inputs"


class Plain:
    """The targets of a table by one method alone, on points of which one has probability 0."""

    table = np.random.default_rng(3).normal(size=(4, 11))

    def __init__(self, points=11):
        rng = np.random.default_rng(0)
        weights = np.append(rng.dirichlet(np.ones(10)), np.zeros(points - 10))
        self.inputs, self.log2_size = gv.FinitePoints(np.arange(float(points))[:, None], weights), 2.0

    def at(self, x):
        return self.table[:, x[:, 0].astype(int) % 11]


class OnlyCovariance(Plain):
    def covariance(self, x, x2):
        return (self.at(x) - self.at(x).mean(axis=0)).T @ (self.at(x2) - self.at(x2).mean(axis=0)) / 4


class CovarianceAndMean(OnlyCovariance):
    def mean(self, x):
        return self.at(x).mean(axis=0)


class OnlyProjection(Plain):
    def project(self, f):
        return self.table @ (self.inputs.weights(0, 11)[:, None] * f)


@pytest.mark.parametrize(
    "plain", [OnlyCovariance(), CovarianceAndMean(), OnlyProjection()], ids=lambda H: type(H).__name__
)
def test_the_operator_norm_is_derived_from_covariance_or_projection(plain):
    weights = plain.inputs.weights(0, 11)
    check = gv.bound_check(plain, gv.Linear([0.3]), rng=0)
    signal = check.signal_norm_sq.value
    found = {name: check.bounds[name] for name in ("operator-norm", "operator-norm-uncentred")}
    expected = reference.operator_norm(plain.table, weights)
    assert_allclose(found["operator-norm"].value, expected * signal, rtol=1e-12)
    assert found["operator-norm"].applicable
    if isinstance(plain, OnlyCovariance) and not isinstance(plain, CovarianceAndMean):
        assert not found["operator-norm-uncentred"].applicable
    else:
        expected = reference.operator_norm(plain.table, weights, centred=False)
        assert_allclose(found["operator-norm-uncentred"].value, expected * signal, rtol=1e-12)


class Drawn(CovarianceAndMean):
    """The covariance, times a factor, and members that can be drawn, not listed."""

    def __init__(self, factor=1.0, points=11):
        super().__init__(points)
        self.factor = factor

    def sample(self, m, rng):
        return rng.integers(4, size=m)

    def evaluate(self, members, x):
        return self.at(x)[members]

    def covariance(self, x, x2):
        return self.factor * super().covariance(x, x2)


@pytest.mark.parametrize("factor", [1e-3, 0.5, 2, 1e3])
def test_a_wrong_formula_is_not_held_against_itself_where_members_can_be_drawn(factor):
    norm = reference.operator_norm(Plain.table, Drawn().inputs.weights(0, 11))
    check = gv.bound_check(Drawn(factor), gv.Linear([0.3]), rng=0)
    ends = check.bounds["operator-norm"]
    assert not ends.exact
    assert 0.5 * norm < 2**ends.log2_constant < 2 * norm
    if factor == 1e3:
        assert check.verdict == "violated"


@pytest.mark.parametrize("points", [11, 2100])
def test_a_formula_that_drawn_members_do_not_refute_gives_the_norm(points):
    plain = Drawn(1.0, points)
    table, weights = plain.at(plain.inputs.points(0, points)), plain.inputs.weights(0, points)
    for seed in range(3 if points == 11 else 1):
        check = gv.bound_check(plain, gv.Linear([0.3]), rng=seed)
        for name, centred in (("operator-norm", True), ("operator-norm-uncentred", False)):
            bound, norm = check.bounds[name], reference.operator_norm(table, weights, centred)
            low, high = (end / check.signal_norm_sq.value for end in bound.interval)
            assert low * (1 - 1e-12) <= norm <= high * (1 + 1e-12)
            # E||s||^2 is known to 1e-12 on either side, a Ritz value to 1e-6 above
            assert high / low - 1 < (3e-12 if points == 11 else 2e-6)
            assert "drawn members do not refute" in bound.reason
        assert check.verdict == "holds"
        assert check.variance.exact


def test_no_operator_norm_is_derived_from_too_many_points():
    assert operator_norm(CovarianceAndMean(2**11), True).residual == 0
    assert operator_norm(CovarianceAndMean(2**14 + 1), True) is None
    plain = OnlyCovariance()
    plain.inputs = gv.Gaussian(1)
    assert operator_norm(plain, True) is None


@pytest.mark.parametrize("centred", [True, False])
def test_beyond_2_048_points_it_is_a_ritz_value_with_its_residual(centred: bool):
    plain = CovarianceAndMean(2100)
    found = operator_norm(plain, centred)
    exact = reference.operator_norm(plain.table[:, np.arange(2100) % 11], plain.inputs.weights(0, 2100), centred)
    assert 0 < found.residual < 2e-6 * found.value
    assert found.value <= exact * (1 + 1e-12)
    assert exact <= (found.value + found.residual) * (1 + 1e-12)
    bound = gv.bound_check(plain, gv.Linear([0.3]), rng=0).bounds[
        "operator-norm" if centred else "operator-norm-uncentred"
    ]
    assert not bound.exact
    assert "Lanczos" in bound.reason
    low, high = bound.log2_interval
    assert low < high < low + 1e-5


def test_a_covariance_or_projection_of_another_shape_is_refused_in_words():
    plain = OnlyCovariance()
    plain.covariance = lambda x, x2: np.ones((len(x), 3))
    with pytest.raises(gv.ShapeError, match=r"`H.covariance` must return shape \(11, 11\) at 11 inputs, got \(11, 3\)"):
        operator_norm(plain, True)
    plain = OnlyProjection()
    plain.project = lambda f: np.ones((4, 3))
    with pytest.raises(gv.ShapeError, match=r"`H.project` must return shape \(4, 11\)"):
        operator_norm(plain, True)


def test_it_is_the_number_of_the_same_table(slow_model):
    plain, model = Thresholds(), slow_model("mlp-3x2-relu", 2).model
    same = gv.FiniteClass(plain.table, plain.inputs)
    for loss in ("square", "hinge"):
        found, expected = gv.gradient_variance(plain, model, loss), gv.gradient_variance(same, model, loss)
        assert_allclose(found.value, expected.value, rtol=1e-14)
        # E h^2 is looked at, so that the rounding is that of the values
        assert_allclose(found.interval, expected.interval, rtol=1e-14)


def test_the_interval_knows_how_large_the_values_are(slow_model):
    model = slow_model("mlp-3-tanh", 2).model
    widths = []
    for scale in (1.0, 1000.0):
        plain = Slopes([scale * t for t in (-1.0, -0.2, 0.3, 0.9)])
        found = gv.gradient_variance(plain, model)
        widths.append((found.interval[1] - found.interval[0]) / found.value)
    assert_allclose(widths[1], widths[0], rtol=1e-3)  # the ends are rounded to 1e-4 of it


def test_what_a_class_says_itself_is_taken():
    H = gv.Parities(3)
    assert projection(H) is H


def test_what_cannot_be_listed_is_not_derived(slow_model):
    model = slow_model("mlp-3-tanh", 2).model
    plain = Thresholds()
    f = np.random.default_rng(0).normal(size=(11, 3))
    derived = projection(plain)
    assert_allclose(derived.project(f), plain.table @ (plain.inputs.weights(0, 11)[:, None] * f), rtol=1e-12)
    assert_allclose(known_gram(derived).largest_second_moment(), 1, rtol=1e-14)
    plain.log2_size = 21.0
    assert projection(plain) is None
    plain.log2_size, plain.inputs = 2.0, gv.Gaussian(2)
    assert projection(plain) is None
    with pytest.raises(gv.NotApplicableError, match=r"the inputs are infinitely many"):
        gv.gradient_variance(plain, model, method="enumeration")

    class Unlisted(Thresholds):
        members = None

    unlisted = Unlisted()
    del Thresholds.members
    try:
        del Unlisted.members
        assert projection(unlisted) is None
        with pytest.raises(gv.NotApplicableError, match=r"no method `project\(f\)`, nor does it list .* `members\(\)`"):
            gv.gradient_variance(unlisted, model, method="enumeration")
    finally:
        Thresholds.members = lambda self: self.thresholds


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (lambda m, n: np.ones((m, n + 1)), gv.ShapeError, "`H.evaluate` must return shape"),
        (lambda m, n: np.full((m, n), np.inf), gv.NonFiniteError, "must be finite, got inf"),
    ],
)
def test_wrong_values_are_refused_in_words(values, error, message: str, slow_model):
    class Wrong(Thresholds):
        def evaluate(self, members, x):
            return values(len(members), len(x))

    with pytest.raises(error, match=message):
        gv.gradient_variance(Wrong(), slow_model("mlp-3-tanh", 2).model)


def test_work_that_would_take_hours_is_left_to_other_methods():
    n = 4000
    plain = Thresholds(np.linspace(-1, 1, 2**16), points=n)
    model = gv.from_function(lambda x: x[:, 0], lambda x: np.ones((len(x), 10**4)), 10**4)
    problem = gv.Problem(plain, model)
    assert "would transform" in str(gv.Enumeration(max_work=2**35).declines(problem))
    assert gv.Enumeration().declines(problem) is None
