"""The split dl/dp = a(p) + h b(p) of every loss, against the direct derivative at both labels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.losses import as_loss
from gradvar.testing import reference


def arctan_slope(margin):
    """r' of a smooth margin loss that is Lipschitz with constant 2 and has no symmetry."""
    return -2 / (1 + (margin - 0.3) ** 2)


CUBIC = gv.MarginLoss(lambda t: np.where(t < 1, -((1 - t) ** 2) / 9, 0), lipschitz=1.0)  # |p| <= 2 here
LOSSES = [
    ("square", "square"),
    ("correlation", "correlation"),
    ("hinge", "hinge"),
    ("logistic", "logistic"),
    ("perceptron", "perceptron"),
    (gv.MarginLoss(arctan_slope, 2.0), arctan_slope),
    (CUBIC, lambda t: -((1 - t) ** 2) / 9 if t < 1 else 0.0),
]
P = np.array([-2.0, -1.0, -0.7, -1e-3, 0.0, 1e-3, 0.3, 1.0, 1.5, 2.0])


@pytest.mark.parametrize(("loss", "slow"), LOSSES)
def test_split_is_the_direct_derivative_at_both_labels(loss, slow):
    a, b = as_loss(loss).split(P)
    for h in (-1.0, 1.0):
        expected = [reference.loss_derivative(slow, float(p), h) for p in P]
        assert_allclose(a + h * b, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("loss", ["square", "correlation"])
def test_split_of_losses_for_real_labels_holds_at_any_label(loss: str):
    a, b = as_loss(loss).split(P)
    for h in (-2.5, 0.0, 0.4, 3.0):
        assert_allclose(a + h * b, [reference.loss_derivative(loss, float(p), h) for p in P], atol=1e-14)


@pytest.mark.parametrize(("loss", "slow"), LOSSES)
def test_b_is_at_most_the_lipschitz_constant(loss, slow):
    # the difference of the derivative over the labels -1 and 1 is 2b
    loss = as_loss(loss)
    p = np.linspace(-2, 2, 401)
    assert (abs(loss.split(p)[1]) <= loss.lipschitz).all()
    if loss.constant is not None:
        assert_allclose(loss.split(p)[1], loss.constant, rtol=1e-14)


def test_b_of_the_table_of_losses():
    # the published table: -1; -1; -1 where |p| < 1, -1/2 where |p| > 1, the midpoint -3/4 at 1; -1/2; -1/2
    p = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    assert_array_equal(as_loss("square").split(p)[1], [-1] * 7)
    assert_array_equal(as_loss("correlation").split(p)[1], [-1] * 7)
    assert_array_equal(as_loss("hinge").split(p)[1], [-0.5, -0.75, -1, -1, -1, -0.75, -0.5])
    assert_allclose(as_loss("logistic").split(p)[1], [-0.5] * 7, rtol=1e-15)
    assert_array_equal(as_loss("perceptron").split(p)[1], [-0.5] * 7)


def test_split_does_not_overflow():
    p = np.array([-1e4, -800.0, 800.0, 1e4])
    a, b = as_loss("logistic").split(p)
    assert_allclose(a + b, [-1, -1, 0, 0], atol=1e-15)
    assert_allclose(a - b, [0, 0, 1, 1], atol=1e-15)


def test_losses_say_which_labels_they_accept():
    assert [as_loss(name).labels for name in ("square", "correlation")] == ["real", "real"]
    assert {as_loss(name).labels for name in ("hinge", "logistic", "perceptron")} == {"signs"}
    assert as_loss(CUBIC).labels == "signs"


@pytest.mark.parametrize("name", ["square", "correlation", "hinge", "logistic", "perceptron"])
def test_losses_by_name_travel_to_other_processes(name: str):
    loss = pickle.loads(pickle.dumps(as_loss(name)))
    p = np.array([-2.0, 0.3, 1.0])
    for there, here in zip(loss.split(p), as_loss(name).split(p), strict=True):
        assert np.array_equal(there, here)
