"""The start, the large step and the variances against sums over all inputs, the figure, and rows that say no."""

import itertools
import math

import matplotlib
import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments import biased_parity as experiment
from gradvar.testing import reference

matplotlib.use("agg")

import matplotlib.pyplot as plt


@pytest.fixture(scope="module")
def found():
    return experiment.run(problems=[(8, 3)], digits=[1], units=32, steps=100, digit_steps=50)


def test_the_network_starts_at_zero_in_pairs_and_below_six():
    start = experiment._start(9, 20, seed=3)
    x = reference.cube(9)
    np.testing.assert_allclose(start.predict(x), 0, atol=1e-15)
    first = start.weights[0]
    assert np.abs(first).sum(axis=1).max() + np.abs(start.biases[0]).max() < 6
    assert set(np.unique(np.round(first * 9 / 5, 12))) == {-1, 0, 1}
    np.testing.assert_array_equal(first[:10], first[10:])
    np.testing.assert_array_equal(start.weights[1][0, :10], -start.weights[1][0, 10:])


def test_the_large_step_leaves_the_gradient_alone():
    H, start = gv.PlantedParities(6, 3), experiment._start(6, 8, seed=0)
    target = H.member(subset=[0, 2, 3])
    first = experiment._one_large_step(target, start, 0)
    x = reference.cube(6)
    weights = H.probabilities(target.which[None], x)[0]
    g = reference.mlp_gradient(start.weights, start.biases, "relu6", x)[:, :48]
    mean = -(weights * x[:, [0, 2, 3]].prod(axis=1)) @ g  # the hinge at p = 0 has slope -y
    # 20 000 examples: a standard error of at most 8 sqrt(4) |v sigma'|/sqrt(20 000) = 16/2/141 = .057 an entry
    np.testing.assert_allclose(first.weights[0].ravel(), -16 * mean, atol=5 * 0.057)
    assert np.abs(first.weights[0][:, [0, 2, 3]]).max() > 1
    np.testing.assert_array_equal(first.weights[1], start.weights[1])
    np.testing.assert_array_equal(first.biases[0], start.biases[0])


def test_variances_are_those_of_all_tasks(found):
    (row,) = (row for row in found.rows if "n" in row)
    start = experiment._start(8, 32, 0)
    x = reference.cube(8)
    g = reference.mlp_gradient(start.weights, start.biases, "relu6", x)[:, : 32 * 8]
    sets = list(itertools.combinations(range(8), 3))
    tables = np.array([x[:, s].prod(axis=1) for s in sets])
    equal = np.array([np.abs(x[:, s].sum(axis=1)) == 3 for s in sets])
    for weights, name, rel in (
        ((0.5 + 2.0 * equal) / 256, "variance", 0.3),  # sampled tasks, rtol 0.1
        (np.full((len(sets), 256), 1 / 256), "uniform_variance", 1e-9),
    ):
        means = (weights * tables) @ g
        assert weights.sum(axis=1) == pytest.approx(1)
        assert row[name] == pytest.approx(((means - means.mean(axis=0)) ** 2).sum(axis=1).mean(), rel=rel)
    assert row["count"] == math.comb(8, 3)


def test_the_figure_has_every_method_on_tasks_and_digits(found):
    tasks, variance, digits = found.plot()
    assert [line.get_label() for line in tasks.get_lines()] == list(experiment._METHODS)
    assert [line.get_label() for line in variance.get_lines()] == ["inputs D_A", "uniform inputs", "1/C(n, k)"]
    assert len(digits.get_lines()) == 5
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in (tasks, variance, digits))
    plt.close("all")


def test_a_network_that_fails_and_linear_methods_that_learn_say_no():
    row = {
        "n": 64,
        "k": 5,
        "count": 7624512,
        "network": 1.0,
        "random features": 0.5,
        "random gates": 0.5,
        "linear": 0.6,
    }
    row.update(variance=0.58, uniform_variance=1e-8)
    assert all(c.agrees for c in experiment._of_task(row))
    for wrong in ({"network": 0.9}, {"random gates": 0.99}, {"variance": 1e-3}, {"uniform_variance": 0.01}):
        assert sum(not c.agrees for c in experiment._of_task({**row, **wrong})) == 1
    digits = {"digits": 2, "network": 0.94, "random features": 0.6, "random gates": 0.7, "linear": 0.5}
    assert all(c.agrees for c in experiment._of_digits(digits))
    assert [c.agrees for c in experiment._of_digits({**digits, "linear": 0.9})] == [True, False]
    assert [c.agrees for c in experiment._of_digits({**digits, "network": 0.89})] == [False, True]


def test_without_scikit_learn_the_digits_say_what_they_need(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        experiment.run(problems=[], digits=[1])
