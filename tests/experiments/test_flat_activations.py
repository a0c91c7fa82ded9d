"""Staircases, their soft substitute and the rule that is no gradient, against their definitions."""

import matplotlib
import numpy as np
import pytest

from gradvar.experiments import flat_activations
from gradvar.experiments.flat_activations import (
    SmallGaussian,
    Task,
    flat_starts,
    level_of,
    run,
    soft_staircase,
    soft_unit,
    staircase,
    unit,
)

LEVELS = np.array([-1.0, 0.0, 0.25, 2.0])
TINY = {"repeats": 1, "steps": 3, "forward_steps": 4, "batch": 8}


@pytest.fixture(scope="module")
def tiny():
    return run(**TINY)


def test_the_staircase_is_the_largest_level_reached():
    z = np.array([-3.0, -1.0, -0.1, 0.0, 0.24, 0.25, 1.9, 2.0, 7.0])
    expected = [max([level for level in LEVELS if level <= at], default=-1.0) for at in z]
    np.testing.assert_array_equal(staircase(LEVELS, z), expected)
    np.testing.assert_array_equal(LEVELS[level_of(LEVELS, z)], expected)
    assert len(flat_activations._LEVELS) == 52


def test_the_soft_staircase_has_the_slope_of_its_value_and_nears_the_levels():
    z = np.linspace(-2.0, 3.0, 501)
    value, slope = soft_staircase(LEVELS, z)
    above, below = soft_staircase(LEVELS, z + 1e-6)[0], soft_staircase(LEVELS, z - 1e-6)[0]
    np.testing.assert_allclose(slope, (above - below) / 2e-6, rtol=1e-5, atol=1e-6)
    # by a tenth of a step's height before it, and flat between
    np.testing.assert_allclose(soft_staircase(LEVELS, np.array([-0.5, 0.1, 1.0, 9.0]))[0], LEVELS, atol=1e-3)
    assert (np.diff(value) >= 0).all()


def test_forward_only_follows_the_error_times_the_inputs():
    task = Task.random(3)
    x = SmallGaussian(100).sample(50, 0)
    model = unit(task.start(1), lambda z: staircase(task.levels, z), np.ones_like)
    y = staircase(task.levels, task.projection(x))
    wrong = staircase(task.levels, x @ model.parameters[:100] + model.parameters[100]) - y
    np.testing.assert_allclose(model.pullback(x)[1](model.predict(x) - y)[:100], wrong @ x, rtol=1e-12)
    np.testing.assert_allclose(model.pullback(x)[1](model.predict(x) - y)[100], wrong.sum(), rtol=1e-12)
    assert model.n_parameters == 101


def test_the_soft_unit_has_a_gradient_only_near_its_steps():
    start = Task.random(0).start(1)
    inputs = SmallGaussian(100).sample(20, 0)
    for shift, flat in ((0.5, True), (0.05, False)):  # the middle of a step; where one begins
        model = soft_unit(start, np.arange(-5.0, 5.0) + shift)
        assert bool(np.abs(model.gradient(inputs)).max() < 1e-6) is flat
    assert 0.2 < flat_starts(0, 50) < 0.6


def test_inputs_are_small_and_their_levels_few():
    x = SmallGaussian(100).sample(4000, 0)
    assert x.std() == pytest.approx(0.01, rel=0.01)
    task = Task.random(1)
    assert len(np.unique(staircase(task.levels, task.projection(x)))) <= 7


def test_a_run_that_has_not_learned_disagrees(tiny):
    assert [row["learner"] for row in tiny.rows] == ["soft staircase", "end to end", "classes", "forward only"]
    agrees = {c.what: c.agrees for c in tiny.comparisons}
    assert not agrees["forward only: largest error"]
    assert not agrees["classes: largest error"]
    assert agrees["starts where its gradient is below Adam's epsilon"]
    assert "in 1 of 1 repeats" in tiny.notes[1]


def test_the_figure_has_a_panel_for_each_learner(tiny):
    matplotlib.use("agg")
    axes = tiny.plot()
    assert [ax.get_title() for ax in axes[:4]] == ["soft staircase", "end to end", "classes", "forward only"]
    assert all(len(ax.lines) == 2 for ax in axes[:4])
    assert [len(ax.lines) for ax in axes[4:]] == [4, 4]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
