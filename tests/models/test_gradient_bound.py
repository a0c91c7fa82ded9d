"""The bound on the gradient of a fully connected network, against its gradients at all corners and inside."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.core.activations import ACTIVATIONS, ranges


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_input_has_a_gradient_above_the_bound(data: st.DataObject):
    activation = data.draw(st.sampled_from(sorted(ACTIVATIONS)))
    sizes = [data.draw(st.integers(1, 6)), *data.draw(st.lists(st.integers(1, 5), max_size=3)), 1]
    scale = data.draw(st.sampled_from([0.1, 1.0, 5.0]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    weights = [scale * rng.standard_normal((out, fan_in)) for fan_in, out in itertools.pairwise(sizes)]
    biases = [None if rng.random() < 0.3 else scale * rng.standard_normal(w.shape[0]) for w in weights]
    model = gv.MLP(weights, biases, activation)
    x = np.array(list(itertools.product([-1.0, 1.0], repeat=sizes[0])))
    largest = (model.gradient(x) ** 2).sum(axis=1).max()
    bound = model.largest_gradient(1.0, sizes[0] ** 0.5)
    assert largest <= bound
    # inside of the box and of the ball too
    inside = rng.uniform(-1, 1, (64, sizes[0]))
    assert (model.gradient(inside) ** 2).sum(axis=1).max() <= bound
    if len(sizes) == 2:
        assert_allclose(bound, largest, rtol=1e-8)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_ranges_hold_values_and_slopes(activation: str):
    rng = np.random.default_rng(0)
    low = 3 * rng.standard_normal(200)
    high = low + 3 * np.abs(rng.standard_normal(200))
    z = np.linspace(low, high, 501)
    value, slope = ACTIVATIONS[activation](z)
    least, most, steepest = ranges(activation, low, high)
    assert (least <= value.min(axis=0) + 1e-12).all()
    assert (most >= value.max(axis=0) - 1e-12).all()
    assert (steepest >= np.abs(slope).max(axis=0) - 1e-12).all()


def test_a_hidden_layer_bounds_its_gradient_tightly():
    # 1.5 to 2.5 times the largest at all 2^10 inputs, for one hidden layer of 8 units
    x = gv.Hypercube(10).points(0, 1024)
    for activation in ("tanh", "relu", "sigmoid"):
        model = gv.MLP.random([10, 8, 1], activation, rng=0)
        ratio = model.largest_gradient(1.0, 10**0.5) / (model.gradient(x) ** 2).sum(axis=1).max()
        assert 1 <= ratio < 3
