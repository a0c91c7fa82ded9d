"""All labelings of a few points: against the table of all of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.testing import check_hypothesis_class, reference

POINTS = np.random.default_rng(0).standard_normal((6, 3))
WEIGHTS = np.random.default_rng(1).dirichlet(np.ones(6))
TABLE = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
MODEL = gv.MLP.random([3, 4, 1], scale=2.0, rng=0)


@pytest.mark.parametrize("loss", ["square", "correlation", "hinge", "logistic"])
@pytest.mark.parametrize("method", ["auto", "covariance-sum", "enumeration"])
def test_variance_and_bounds_are_those_of_the_table(loss, method):
    H = gv.RandomLabels(POINTS, weights=WEIGHTS)
    gradients = reference.gradients(TABLE, WEIGHTS, MODEL.predict(POINTS), MODEL.gradient(POINTS), loss)
    check = gv.bound_check(H, MODEL, loss, method=method)
    assert check.variance.exact
    assert_allclose(check.variance.value, reference.gradient_variance(gradients), rtol=1e-10)
    assert_allclose(gv.gradient_alignment(H, MODEL, loss).value, check.variance.value, rtol=1e-10)
    factors = {
        "operator-norm": reference.operator_norm(TABLE, WEIGHTS),
        "operator-norm-uncentred": reference.operator_norm(TABLE, WEIGHTS, centred=False),
        "cross-predictability": math.sqrt(reference.cross_predictability(TABLE, WEIGHTS)),
    }
    for bound, factor in factors.items():
        assert_allclose(2 ** check.bounds[bound].log2_constant, factor, rtol=1e-10)
    assert (check.log2_size, check.bounds["theorem-1"].applicable) == (6.0, False)


def test_all_that_it_says_is_true():
    H = gv.RandomLabels(POINTS, weights=WEIGHTS)
    check_hypothesis_class(H).raise_if_failed()
    assert len({tuple(row) for row in H.members()}) == len(list(H)) == 64
    assert_array_equal(H.member(5)(POINTS), [-1, 1, -1, 1, 1, 1])
    assert_array_equal(H.evaluate(H.sample(3, 0), POINTS), H.sample(3, 0))
    assert_allclose(H.restrict([0, 63]).operator_norm(), 1.0)


def test_classes_are_those_of_the_table_of_class_labels():
    x, w, model = POINTS[:4], WEIGHTS[:4] / WEIGHTS[:4].sum(), gv.MLP.random([3, 4, 3], rng=0)
    labels = np.array(list(itertools.product(range(3), repeat=4)))
    few = gv.RandomLabels(x, n_classes=3, weights=w)
    listed = gv.bound_check(gv.FiniteClass(labels, x, w, n_classes=3), model, "cross-entropy")
    found = gv.bound_check(few, model, "cross-entropy")
    assert_allclose(found.variance.value, listed.variance.value, rtol=1e-10)
    assert_allclose(few.operator_norm(), 2 ** listed.bounds["operator-norm"].log2_constant, rtol=1e-10)
    assert_allclose(few.frobenius_norm(), 2 ** listed.bounds["cross-predictability"].log2_constant, rtol=1e-10)
    assert_array_equal(few.member([2, 0, 1, 1])(x), [2, 0, 1, 1])


def test_two_classes_are_signs():
    # Each of two logits has the signal -+h/2 times the hidden units at its last weights; p_1 - p_0 ("logistic") too.
    x, two = np.random.default_rng(2).standard_normal((300, 3)), gv.MLP.random([3, 4, 2], rng=0)
    w, b = two.weights[1], two.biases[1]
    one = gv.MLP([two.weights[0], w[1:] - w[:1]], [two.biases[0], b[1:] - b[:1]], two.activation)
    last = ["weights[1]", "biases[1]"]
    classes = gv.bound_check(gv.RandomLabels(x, n_classes=2), gv.trainable(two, last), "cross-entropy")
    signs = gv.gradient_variance(gv.RandomLabels(x), gv.trainable(one, last), "logistic")
    assert classes.variance.exact
    assert_allclose(classes.variance.value, 2 * signs.value, rtol=1e-10)
    assert_allclose(classes.ratio, 1.0, rtol=1e-9)


def test_many_points_have_the_mean_over_n():
    x = np.random.default_rng(2).standard_normal((2000, 3))
    check = gv.bound_check(gv.RandomLabels(x), MODEL)
    assert_allclose(check.variance.value, (MODEL.gradient(x) ** 2).sum(axis=1).mean() / 2000, rtol=1e-10)
    assert (check.log2_size, check.variance.exact) == (2000.0, True)


def test_refusals():
    with pytest.raises(ValueError, match="equal ones in rows 0 and 2"):
        gv.RandomLabels([[0.0], [1.0], [-0.0]])
    with pytest.raises(ValueError, match="`n_classes`"):
        gv.RandomLabels(POINTS, n_classes=1)
    H = gv.RandomLabels(POINTS)
    with pytest.raises(ValueError, match="row 1 is not one"):
        H.evaluate(H.sample(1, 0), [POINTS[0], [9.0, 9.0, 9.0]])
    with pytest.raises(ValueError, match="`members` must hold labels"):
        H.member([0, 1, 1, 1, 1, 1])
    with pytest.raises(TypeError, match="known at its own points alone"):
        H.on(POINTS)
    with pytest.raises(gv.NotApplicableError, match="too many to list"):
        gv.RandomLabels(np.eye(40)).members()
