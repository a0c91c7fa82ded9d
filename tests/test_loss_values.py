"""The value of a loss against its derivative, and against its formula."""

import numpy as np
import pytest

import gradvar as gv
from gradvar.losses import LOSSES, KnowsValue

P = np.array([-3.0, -0.7, 0.2, 0.9, 2.5])
FORMULAS = {
    "square": lambda p, y: (p - y) ** 2 / 2,
    "correlation": lambda p, y: -y * p,
    "hinge": lambda p, y: max(0.0, 1 - y * p),
    "logistic": lambda p, y: np.log(1 + np.exp(-y * p)),
    "perceptron": lambda p, y: max(0.0, -y * p),
}


def test_every_loss_has_a_formula_here():
    assert {*FORMULAS, "cross-entropy"} == LOSSES.keys()


def test_the_value_and_the_slope_of_the_cross_entropy():
    loss, p = LOSSES["cross-entropy"], np.stack([P, -P, P**2], axis=1)
    y = np.random.default_rng(0).dirichlet(np.ones(3), P.size)
    odds = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(loss.value(p, y), -(y * np.log(odds)).sum(axis=1), rtol=1e-13)
    a, b = loss.split(p)
    for k, step in enumerate(1e-5 * np.eye(3)):
        slope = (loss.value(p + step, y) - loss.value(p - step, y)) / 2e-5
        np.testing.assert_allclose(slope, (a + y * b)[:, k], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_a_value_is_its_formula_and_its_slope_is_a_plus_y_b(name, y):
    loss, labels = LOSSES[name], np.full(P.size, y)
    np.testing.assert_allclose(loss.value(P, labels), [FORMULAS[name](p, y) for p in P], rtol=1e-14)
    a, b = loss.split(P)
    # No kink within the step of any of these; a central difference of step 1e-5 is off by 1e-10 and rounding.
    slope = (loss.value(P + 1e-5, labels) - loss.value(P - 1e-5, labels)) / 2e-5
    np.testing.assert_allclose(slope, a + y * b, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["square", "correlation"])
@pytest.mark.parametrize("y", [-2.0, 0.5, 3.0])
def test_a_value_is_its_formula_at_real_labels(name: str, y: float):
    found = LOSSES[name].value(P, np.full(P.size, y))
    np.testing.assert_allclose(found, [FORMULAS[name](p, y) for p in P], rtol=1e-14)


def test_a_loss_known_by_its_derivative_has_no_value():
    loss = gv.MarginLoss(lambda m: -np.exp(-m), lipschitz=float("inf"))
    assert not isinstance(loss, KnowsValue)
    assert all(isinstance(LOSSES[name], KnowsValue) for name in FORMULAS)
