"""Layers, iterates and variances of the tied network against plain loops, and comparisons that say no."""

import math

import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments import universality
from gradvar.testing import reference

SMALL = {"dim": 4, "widths": [3, 2]}


def test_errors_of_layers_are_those_of_a_loop_over_steps():
    network = gv.MLP.random([4, 3, 2, 1], "tanh", rng=1)
    tied = gv.WeightTied.from_mlp(network)
    x = reference.cube(4)
    first = np.tanh(x @ network.weights[0].T)
    layers = [first, np.tanh(first @ network.weights[1].T)]
    state, expected = np.zeros((16, 5)), np.zeros((3, 2))
    for step in range(3):
        state = np.tanh(state @ tied.state_weights.T + x @ tied.input_weights.T + tied.bias)
        blocks = state[:, :3], state[:, 3:]
        expected[step] = [np.abs(block - layer).max() for block, layer in zip(blocks, layers, strict=True)]
    assert universality._errors(network, tied, x) == pytest.approx(expected, abs=1e-14)
    assert expected[0, 1] > 0.01


def test_variances_are_those_of_the_gradients_of_all_risks():
    result = universality.run(**SMALL, rng=3)
    network = gv.MLP.random([4, 3, 2, 1], "tanh", rng=3)
    tied = gv.WeightTied.from_mlp(network)
    x, weights = reference.cube(4), np.full(16, 1 / 16)
    for row in result:
        table = reference.parity_table(4, row["degree"])
        for name, model in ((universality._SAME, network), (universality._ALL, tied)):
            gradients = reference.gradients(table, weights, model.predict(x), model.gradient(x), "square")
            assert row[name] == pytest.approx(reference.gradient_variance(gradients), rel=1e-9, abs=1e-15)
        assert row[universality._TIED] == pytest.approx(row[universality._SAME], rel=1e-9)
        assert row[universality._LIMIT] == pytest.approx(row[universality._SAME], rel=1e-9)
    assert result.agrees


def test_iterates_are_those_of_a_loop():
    for name, values in universality._iterates().items():
        sigma, w = universality._ITERATES[name]
        h = 0.0
        for value in values:
            h = w * h + universality._X
            h = math.tanh(h) if sigma == "tanh" else h
            assert value == pytest.approx(h, rel=1e-12)


def test_it_says_no_where_layers_come_late_variances_differ_or_iterates_do_something_else():
    late = universality._of_layers(np.array([[0.0, 0.5], [0.0, 1e-6], [0.0, 0.0]]))
    assert [found.agrees for found in late] == [False, True]
    early = universality._of_layers(np.zeros((3, 2)))
    assert [found.agrees for found in early] == [True, False]
    names = (universality._SAME, universality._TIED, universality._LIMIT, universality._ALL)
    rows = [dict(zip(names, values, strict=True)) for values in ((1.0, 1.0, 1.0, 2.0), (2.0, 2.0001, 2.0, 1.0))]
    assert [found.agrees for found in universality._of_variances(rows)] == [False, True, False]
    converging, oscillating, _ = universality._iterates().values()
    exchanged = {"converges": oscillating, "oscillates": converging, "diverges": oscillating}
    assert [found.agrees for found in universality._of_iterates(exchanged)] == [False, False, False, True]


def test_the_figure_has_layers_iterates_and_four_variances():
    layers, iterates, variance = universality.run(**SMALL).plot()
    assert layers.images[0].get_array().shape == (3, 2)
    assert len(iterates.lines) == 3
    assert len(variance.lines) == 4
