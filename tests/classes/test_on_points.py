"""Built-in classes on a user's sample: against the table of all their members there."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.testing import check_hypothesis_class, reference

DIM = 4
ROWS = np.random.default_rng(0).choice([-1.0, 1.0], (14, DIM))
ROWS[3] = 1.0  # where the class mean is not zero
ROWS[9] = ROWS[3]
WEIGHTS = np.random.default_rng(1).dirichlet(np.ones(14))
CLASSES = {
    "all": gv.Parities(DIM),
    "degree": gv.SparseParities(DIM, 2),
    "biased": gv.BiasedParities(DIM, 0.4),
    "some": gv.Parities(DIM).restrict([3, 5, 5, 9]),
}
MODEL = gv.MLP.random([DIM, 3, 1], scale=2.0, rng=1)


def truth(H, weights: np.ndarray, loss: str = "square") -> tuple[np.ndarray, float, float]:
    """The table of all members at all rows, Var and its second moment there; rows are as they are, with repeats."""
    table = H.evaluate(H.members(), ROWS)
    gradients = reference.gradients(table, weights, MODEL.predict(ROWS), MODEL.gradient(ROWS), loss)
    turned = reference.gradients(-table, weights, MODEL.predict(ROWS), MODEL.gradient(ROWS), loss)
    signal = (gradients - turned) / 2
    return table, reference.gradient_variance(gradients), float((signal**2).sum(axis=1).mean())


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["uniform", "weighted"])
def test_variance_alignment_and_norms_are_those_of_the_table(name, weights):
    w = np.full(14, 1 / 14) if weights is None else weights
    H = CLASSES[name].on(ROWS, weights)
    table, variance, second = truth(CLASSES[name], w)
    for method in ("auto", "enumeration", "covariance-sum"):
        assert_allclose(gv.gradient_variance(H, MODEL, method=method).value, variance, rtol=1e-10)
        assert_allclose(gv.gradient_alignment(H, MODEL, method=method).value, second, rtol=1e-10)
    check = gv.bound_check(H, MODEL)
    assert check.variance.exact
    factors = {
        "operator-norm": reference.operator_norm(table, w),
        "operator-norm-uncentred": reference.operator_norm(table, w, centred=False),
        "cross-predictability": math.sqrt(reference.cross_predictability(table, w)),
    }
    for bound, factor in factors.items():
        assert_allclose(2 ** check.bounds[bound].log2_constant, factor, rtol=1e-9)
    assert check.bounds["theorem-1"].applicable is False
    assert check.verdict == "holds"
    assert math.isnan(check.bounds["gershgorin"].value) == (name != "some")


def test_labels_that_are_signs_have_their_losses():
    _, variance, _ = truth(gv.Parities(DIM), WEIGHTS, "hinge")
    found = gv.gradient_variance(gv.Parities(DIM).on(ROWS, WEIGHTS), MODEL, "hinge")
    assert_allclose(found.value, variance, rtol=1e-10)
    assert "uncorrelated" in found.method
    _, variance, _ = truth(gv.Parities(DIM), WEIGHTS)
    noisy = gv.Parities(DIM).noisy(0.1).on(ROWS, WEIGHTS)
    assert noisy == gv.Parities(DIM).on(ROWS, WEIGHTS).noisy(0.1)
    assert_allclose(gv.gradient_variance(noisy, MODEL).value, 0.64 * variance, rtol=1e-10)


def test_zeros_and_ones_are_what_the_model_sees():
    bits = (1 - ROWS) / 2
    H = gv.SparseParities(DIM, 2).on(bits, coding="01")
    table = gv.SparseParities(DIM, 2).evaluate(gv.SparseParities(DIM, 2).members(), ROWS)
    weights = np.full(14, 1 / 14)
    gradients = reference.gradients(table, weights, MODEL.predict(bits), MODEL.gradient(bits), "square")
    assert_allclose(gv.gradient_variance(H, MODEL).value, reference.gradient_variance(gradients), rtol=1e-10)
    h = H.member([True, True, False, False])
    assert_array_equal(h(bits), (-1.0) ** (bits[:, 0] + bits[:, 1]))


def test_equal_rows_are_one_point():
    H = gv.Parities(DIM).on(ROWS)
    points, n = np.unique(ROWS, axis=0, return_counts=True)
    found = H.inputs.points(0, H.inputs.n_points)
    assert_array_equal(found[0], ROWS[0])
    assert sorted(map(tuple, found)) == sorted(map(tuple, points))
    assert_allclose(sorted(H.inputs.weights(0, H.inputs.n_points)), sorted(n / 14), rtol=1e-12)
    assert H == pickle.loads(pickle.dumps(H)) != gv.Parities(DIM).on(ROWS[1:])


def test_one_target_on_a_sample_is_not_taken_for_the_one_on_the_cube():
    H = gv.SparseParities(DIM, DIM).on(ROWS)
    _, _, second = truth(gv.SparseParities(DIM, DIM), np.full(14, 1 / 14))
    assert_allclose(gv.gradient_alignment(H, MODEL).value, second, rtol=1e-10)


def test_infinitely_many_targets_by_their_covariance():
    x = np.random.default_rng(3).standard_normal((12, 2))
    H, model = gv.LinearPeriodic(2, 1.7).on(x), gv.MLP.random([2, 3, 1], rng=0)
    angles = 2 * np.pi * np.arange(64) / 64  # exact for the harmonics that float64 resolves
    table = np.cos(1.7 * np.stack([np.cos(angles), np.sin(angles)], axis=1) @ x.T)
    weights = np.full(12, 1 / 12)
    gradients = reference.gradients(table, weights, model.predict(x), model.gradient(x), "square")
    check = gv.bound_check(H, model)
    assert_allclose(check.variance.value, reference.gradient_variance(gradients), rtol=1e-9)
    assert_allclose(
        2 ** check.bounds["operator-norm"].log2_constant, reference.operator_norm(table, weights), rtol=1e-8
    )
    assert (check.log2_size, check.variance.exact, check.bound_name) == (math.inf, True, "operator-norm")
    assert "theorem-2" not in check.bounds


def test_members_that_are_neither_listed_nor_averaged_are_drawn():
    def halfspace(rng: np.random.Generator):
        v = rng.standard_normal(2)
        return lambda x: np.sign(x @ v)

    H = gv.SampledClass(halfspace, gv.Gaussian(2), labels="signs")
    x = np.random.default_rng(3).standard_normal((30, 2))
    found = gv.gradient_variance(H.on(x), gv.MLP.random([2, 3, 1], rng=0), "hinge", rng=0, max_samples=2000)
    assert not found.exact
    assert found.value > 0


@pytest.mark.parametrize("H", [gv.Parities(DIM), gv.SparseParities(DIM, 3), gv.BiasedParities(DIM, 0.3)], ids=repr)
def test_all_that_it_says_is_true(H):
    check_hypothesis_class(H.on(ROWS, WEIGHTS)).raise_if_failed()


def test_many_rows_of_many_bits():
    rows = gv.Hypercube(60).sample(40_000, rng=0)
    H, model = gv.Parities(60).on(rows), gv.Linear(np.ones(60))
    check = gv.bound_check(H, model, "correlation")
    assert check.variance.exact
    assert_allclose(check.variance.value, 60 / 40_000, rtol=1e-12)
    assert_allclose(check.ratio, 1.0, rtol=1e-12)


def test_tables_and_distributions_give_points():
    H = gv.Parities(DIM).on(ROWS)
    assert gv.Parities(DIM).on(pandas.DataFrame(ROWS)) == gv.Parities(DIM).on(gv.FinitePoints(ROWS)) == H


def test_refusals():
    with pytest.raises(ValueError, match="pass coding='01'"):
        gv.Parities(2).on([[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="`points` must hold 0 and 1 only, got -1 in row 0; pass coding='pm1'"):
        gv.Parities(2).on([[-1, 1]], coding="01")
    with pytest.raises(ValueError, match="`coding` '01' is for targets on the cube"):
        gv.LinearPeriodic(2, 1.0).on([[0, 1]], coding="01")
    with pytest.raises(ValueError, match="`coding` must be"):
        gv.Parities(2).on([[0, 1]], coding="bits")
    with pytest.raises(gv.ShapeError, match="`points` must have 2 columns"):
        gv.Parities(2).on([[1, 1, 1]])
    with pytest.raises(ValueError, match="sum to one"):
        gv.Parities(2).on([[1, 1]], weights=[0.5])
    table = gv.FiniteClass([[1, -1]], [[0.0], [1.0]])
    for H in (table, table.restrict([0])):
        with pytest.raises(TypeError, match="known at its own points alone"):
            H.on([[0.0]])
    for tasks in (gv.PlantedParities(5, 3), gv.PlantedParities(5, 3).restrict([0])):
        with pytest.raises(TypeError, match="inputs of their own"):
            tasks.on([[1.0] * 5])
