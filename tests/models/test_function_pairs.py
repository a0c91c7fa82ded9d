"""Networks whose activation is a pair of functions (value, slope)."""

import math
import pickle

import numpy as np
import pytest

import gradvar as gv
from gradvar.testing import check_model

SINE = (np.sin, np.cos)
SQUARE = (lambda x: x**2, lambda x: 2 * x)
PARTS = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]]) > 0
ENUMERATED = [gv.Parities(6), gv.SparseParities(6, 2), gv.SparseParities(6, 2).restrict(PARTS), gv.DiscreteLog(11)]


def twins(dim, hidden=(5,), bias=True, named="sin", pair=SINE):
    sizes = [dim, *hidden, 1]
    return [gv.MLP.random(sizes, activation, rng=1, bias=bias) for activation in (named, pair)]


@pytest.mark.parametrize("H", ENUMERATED, ids=repr)
@pytest.mark.parametrize(("hidden", "loss"), [((), "square"), ((5,), "hinge"), ((5,), "logistic"), ((3, 4), "square")])
def test_a_pair_is_worth_what_the_name_is(H, hidden, loss):
    named, pair = twins(H.inputs.dim, hidden)
    truth, check = gv.gradient_variance(H, named, loss), gv.bound_check(H, pair, loss)
    assert check.variance.exact
    assert check.variance.value == pytest.approx(truth.value, rel=1e-9)
    x = H.inputs.points(0, H.inputs.n_points)
    size = np.mean(np.sum(named.gradient(x) ** 2, axis=1))
    assert check.gradient_norm_sq.value == pytest.approx(size, rel=1e-9)


def test_gaussian_inputs_are_sampled():
    H = gv.LinearPeriodic(3, 1.0)
    named, pair = twins(3)
    estimates = [gv.gradient_variance(H, model, method="monte-carlo", rng=0, max_samples=256) for model in twins(3)]
    assert estimates[0].value == pytest.approx(estimates[1].value, rel=1e-9)
    assert gv.gradient_variance(H, named, "correlation").exact
    assert not gv.gradient_variance(H, pair, "correlation", rng=0, max_samples=256).exact


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("hidden", [(4,), (3, 2)])
def test_squares_against_the_slow_reference(hidden, bias):
    H = gv.SparseParities(5, 2)
    model = gv.MLP.random([5, *hidden, 1], SQUARE, rng=2, bias=bias)
    x = np.array([[1 - 2 * (i >> j & 1) for j in range(5)] for i in range(32)], dtype=float)
    members = np.array([x[:, i] * x[:, j] for i in range(5) for j in range(i)])
    step = 1e-6
    w = model.parameters
    gradient = np.stack(
        [
            (model.with_parameters(w + step * e).predict(x) - model.with_parameters(w - step * e).predict(x))
            / (2 * step)
            for e in np.eye(w.size)
        ],
        axis=1,
    )
    vectors = members @ (gradient) / 32
    expected = ((vectors - vectors.mean(axis=0)) ** 2).sum() / len(members)
    found = gv.gradient_variance(H, model)
    assert found.exact
    assert found.value == pytest.approx(expected, rel=1e-7)


def test_the_unit_by_unit_sum_takes_it():
    model = gv.MLP.random([12, 3, 1], SQUARE, rng=0)
    found = gv.gradient_variance(gv.SparseParities(12, 3), model)
    # sigma' of a unit is linear: nothing of degree 3, so that only x_i sigma' could have any, of degree at most 2
    assert found.method.startswith("enumeration")
    assert found.value == pytest.approx(0, abs=1e-25)


@pytest.mark.parametrize(
    "H", [gv.SparseParities(100, 2), gv.LinearPeriodic(20, 1.0), gv.Parities(100).restrict(np.eye(100)[:2] > 0)]
)
def test_theorems_decline_what_they_do_not_know(H):
    model = gv.MLP.random([H.inputs.dim, 3, 1], SINE, rng=0)
    problem = gv.Problem(H, model, "correlation")
    assert gv.ClosedForm().declines(problem)
    named = gv.MLP.random([H.inputs.dim, 3, 1], "sin", rng=0)
    assert not gv.ClosedForm().declines(gv.Problem(H, named, "correlation"))


def test_nothing_bounds_its_gradient():
    named, pair = twins(4)
    reach = gv.Hypercube(4).reach
    assert math.isfinite(named.largest_gradient(reach))
    assert pair.largest_gradient(reach) == math.inf


def test_it_says_its_functions_and_travels():
    model = gv.MLP.random([4, 3, 1], activation=SINE, rng=0)
    assert repr(model) == "MLP(4-3-1, (sin, cos))"
    again = pickle.loads(pickle.dumps(model))
    x = np.eye(4)
    assert (again.gradient(x) == model.gradient(x)).all()
    other = gv.MLP(model.weights, model.biases, model.activation)
    assert (other.predict(x) == model.predict(x)).all()
    assert repr(gv.MLP.random([2, 1, 1], SQUARE, rng=0)) == "MLP(2-1-1, (<lambda>, <lambda>))"


def test_a_check_finds_a_slope_that_does_not_fit():
    assert check_model(gv.MLP.random([4, 3, 1], SINE, rng=0)).passed
    assert not check_model(gv.MLP.random([4, 3, 1], (np.sin, np.sin), rng=0)).passed


@pytest.mark.parametrize("activation", [np.tanh, (np.tanh,), (np.tanh, 1.0), (np.sin, np.cos, np.cos), "tan", None, 3])
def test_what_is_no_activation(activation):
    with pytest.raises(ValueError, match=r"`activation` must be one of 'tanh'.*pair of functions \(value, slope\)"):
        gv.MLP.random([4, 3, 1], activation, rng=0)
    with pytest.raises(ValueError, match="`activation`"):
        gv.ResidualMLP.random(4, 3, 1, SINE)


def test_functions_that_return_something_else():
    with pytest.raises(gv.ShapeError, match=r"`activation\[1\]` of \(sin, <lambda>\) must return shape \(2, 3\)"):
        gv.MLP.random([4, 3, 1], (np.sin, lambda z: 1.0), rng=0).predict(np.ones((2, 4)))
    with pytest.raises(TypeError, match=r"activation\[0\] of \(<lambda>, cos\)"):
        gv.MLP.random([4, 3, 1], (lambda z: "much", np.cos), rng=0).predict(np.ones((2, 4)))
    with pytest.raises(ValueError, match="`mlp` must have an activation that is known by name"):
        gv.WeightTied.from_mlp(gv.MLP.random([4, 3, 1], SINE, rng=0))
