"""The split dl/dp = a(p) + h b(p) of every loss, against the direct derivative at both labels."""

from __future__ import annotations

import dataclasses
import pickle
import re

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


@pytest.mark.parametrize("name", ["square", "correlation", "hinge", "logistic", "perceptron"])
def test_losses_by_name_are_1_lipschitz_which_is_proved_and_stays_so(name: str):
    loss = as_loss(name)
    assert (loss.lipschitz, loss.evidence[0]) == (1.0, "proved")
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.lipschitz = 2.0


def test_a_margin_loss_says_no_more_than_it_was_told():
    loss = gv.MarginLoss(arctan_slope, 2.0)
    assert (loss.labels, loss.constant, loss.lipschitz) == ("signs", None, 2.0)
    assert loss.evidence == ("estimated", "|r'| <= 2 as stated, and at every prediction that was met")


@pytest.mark.parametrize(("bound", "size"), [(0.5, 0.5), (1.0, 1.0), (3.0, 2.9), (1e6, 1e6)])
def test_a_slope_within_the_bound_passes_and_one_above_it_is_named(bound: float, size: float):
    within = gv.MarginLoss(lambda m: -size * np.ones_like(m), bound)
    assert_array_equal(within.split(P)[1], -size)
    with pytest.raises(ValueError, match=rf"`lipschitz` = {re.escape(f'{bound:g}')} is not a bound"):
        gv.MarginLoss(lambda m: -1.5 * bound * (m > 0.2), bound).split(P)
    assert within.split(P[:0])[0].shape == (0,)


@pytest.mark.parametrize("bound", [0.5, 1.0, 1e6])
def test_a_slope_may_exceed_its_bound_by_rounding_and_no_more(bound: float):
    """1e-12 of itself is thousands of roundings of float64."""
    gv.MarginLoss(lambda m: -bound * (1 + 5e-13) * np.ones_like(m), bound).split(P)
    with pytest.raises(ValueError, match="is not a bound"):
        gv.MarginLoss(lambda m: -bound * (1 + 2e-12) * np.ones_like(m), bound).split(P)


@pytest.mark.parametrize("bound", [0, -1.0, "one", None])
def test_a_bound_that_is_no_positive_number_is_refused(bound):
    with pytest.raises((TypeError, ValueError), match="`lipschitz`"):
        gv.MarginLoss(arctan_slope, bound)


@pytest.mark.parametrize("slope", [lambda m: -1.0, lambda m: -np.ones((m.size, 1)), lambda m: -np.ones(m.size + 1)])
def test_a_slope_of_another_shape_is_refused(slope):
    with pytest.raises(gv.ShapeError, match="`derivative` of margin loss"):
        gv.MarginLoss(slope, 1.0).split(P)


def test_a_slope_that_is_not_finite_is_named_with_its_margin():
    with pytest.raises(gv.NonFiniteError, match=r"is nan at margin -0\.7"):
        gv.MarginLoss(lambda m: np.where(m == -0.7, np.nan, 0.0), 1.0).split(P)


def test_what_is_no_loss_is_refused():
    with pytest.raises(ValueError, match=r"'square' \(1/2 .*'cross-entropy' .*; or a MarginLoss, got 'squared'"):
        as_loss("squared")
    with pytest.raises(TypeError, match="`loss` must be a name, a MarginLoss or an object"):
        as_loss(3)
