"""The strategies: what they draw is what they say, and shrinks toward the small and simple."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import gradvar as gv
from gradvar.testing import check_hypothesis_class, check_loss, check_model, reference, strategies

few = settings(max_examples=20, deadline=None, derandomize=True)


@few
@given(H=strategies.hypothesis_classes(), seed=st.integers(0, 3))
def test_classes_pass_their_own_check(H, seed: int):
    check_hypothesis_class(H, rng=seed).raise_if_failed()


@few
@given(data=st.data(), labels=st.sampled_from(["signs", "real", None]))
def test_orthonormal_sets_are_orthonormal(data, labels):
    H = data.draw(strategies.orthonormal_sets(labels))
    gram = reference.gram(H.values, H.inputs.weights(0, H.inputs.n_points))
    np.testing.assert_allclose(gram, np.eye(len(gram)), rtol=0, atol=1e-13)
    assert H.is_orthonormal
    if labels == "signs":
        assert H.labels == "signs"


@few
@given(data=st.data(), dim=st.integers(1, 4))
def test_models_pass_their_own_check(data, dim: int):
    model = data.draw(strategies.models(dim))
    assert model.dim == dim
    assert np.abs(model.parameters).max() <= 2
    check_model(model).raise_if_failed()


@few
@given(loss=strategies.losses())
def test_losses_pass_their_own_check(loss):
    check_loss(loss).raise_if_failed()


@few
@given(problem=strategies.problems())
def test_problems_fit(problem):
    gv.Problem(*problem)


@few
@given(data=st.data(), labels=st.sampled_from(["signs", "real"]))
def test_labels_are_as_asked(data, labels: str):
    H = data.draw(strategies.finite_classes(labels))
    if labels == "signs":
        assert H.labels == "signs"
    loss = data.draw(strategies.losses(labels))
    if labels == "real":
        assert loss in ("square", "correlation")


@pytest.mark.parametrize("strategy", [strategies.finite_classes, strategies.orthonormal_sets, strategies.losses])
def test_unknown_labels(strategy):
    with pytest.raises(ValueError, match="`labels` must be 'signs', 'real' or None"):
        find(strategy("bits"), lambda H: True)


def smallest(strategy, wanted=lambda drawn: True):
    return find(strategy, wanted, settings=settings(max_examples=500, deadline=None, derandomize=True, database=None))


def test_classes_shrink_to_one_dimension_one_point_and_one_member():
    for strategy in (strategies.finite_classes("real"), strategies.orthonormal_sets("real")):
        H = smallest(strategy)
        assert (H.size, H.inputs.n_points, H.inputs.dim) == (1, 1, 1)
        assert H.inputs.points(0, 1).tolist() == [[0.0]]
    assert smallest(strategies.hypothesis_classes()) == gv.Parities(1)
    assert smallest(strategies.orthonormal_sets("signs")).values.tolist() == [[1.0, 1.0]]
    assert smallest(strategies.linear_periodic()).dim == 1


def test_classes_shrink_to_the_fewest_members_that_matter():
    H = smallest(strategies.orthonormal_sets("real"), lambda H: H.size >= 2 and H.inputs.dim >= 2)
    assert (H.size, H.inputs.n_points, H.inputs.dim) == (2, 2, 2)
    # nothing was turned: the functions are the normalised indicators of equally likely points
    np.testing.assert_allclose(H.values, math.sqrt(2) * np.eye(2), rtol=1e-15)
    H = smallest(strategies.finite_classes("real"), lambda H: np.ptp(H.values, axis=0).max() > 0)
    assert H.size == 2
    assert H.inputs.n_points == 1


def test_models_shrink_to_linear_ones_with_weights_zero():
    model = smallest(strategies.models(3))
    assert isinstance(model, gv.Linear)
    assert model.parameters.tolist() == [0, 0, 0]
    model = smallest(strategies.models(2), lambda model: isinstance(model, gv.MLP) and model.parameters.any())
    assert model.sizes == (2, 1)
    assert sorted(np.abs(model.parameters).tolist()) == [0.0, 1.0]


def test_losses_shrink_to_the_square_loss():
    assert smallest(strategies.losses()) == "square"
    assert smallest(strategies.losses("real")) == "square"
    assert smallest(strategies.losses(), lambda loss: not isinstance(loss, str)).lipschitz == 1
