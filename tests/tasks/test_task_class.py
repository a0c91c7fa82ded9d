"""Any sampler of tasks: what it must return, and what is said where it does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import gradvar as gv
from gradvar.core.errors import LabelError, NonFiniteError, ShapeError
from gradvar.tasks.base import DrawsExamples, TabulatesTasks
from gradvar.tasks.examples import LabelledMixture, draw_examples


def shifted(rng: np.random.Generator):
    """Gaussian inputs around a centre of the task's own; the label says on which side of it."""
    centre = rng.standard_normal(2)

    def task(n: int, rng: np.random.Generator):
        x = centre + rng.standard_normal((n, 2))
        return x, np.where(x[:, 0] > centre[0], 1, -1)

    return task


def returning(value: object) -> gv.TaskClass:
    return gv.TaskClass(lambda rng: lambda n, rng: value, dim=2, labels="signs")


def test_examples_of_a_task_are_its_own():
    H = gv.TaskClass(shifted, 2, labels="signs")
    assert isinstance(H, DrawsExamples)
    assert not isinstance(H, TabulatesTasks)
    x, y = H.draw(H.sample(3, rng=0), 50, rng=1)
    assert (x.shape, y.shape) == ((3, 50, 2), (3, 50))
    assert x.dtype == y.dtype == np.float64
    again = H.draw(H.sample(3, rng=0), 50, rng=1)
    assert_array_equal(x, again[0])
    assert_array_equal(y, again[1])
    # the centres are three different ones, and each label agrees with one threshold for its task
    for i in range(3):
        assert x[i, y[i] < 0, 0].max() < x[i, y[i] > 0, 0].min()
    assert len(set(x.mean(axis=1)[:, 0].round(1))) == 3


def test_inputs_are_those_of_a_random_task():
    H = gv.TaskClass(shifted, 2)
    assert (H.inputs.dim, H.inputs.n_points, H.log2_size) == (2, None, math.inf)
    x = H.inputs.sample(20_000, np.random.default_rng(0))
    # centre + noise: N(0, 2 I). The mean square of 40 000 coordinates has a relative deviation of sqrt(2/40 000).
    assert abs((x**2).mean() / 2 - 1) < 5 * math.sqrt(2 / 40_000)
    with pytest.raises(ValueError, match="cannot be enumerated"):
        H.inputs.points(0, 1)
    with pytest.raises(ValueError, match="cannot be enumerated"):
        H.inputs.weights(0, 1)


def test_examples_of_random_tasks_carry_their_label_last():
    H = gv.PlantedParities(5, 5)
    examples = LabelledMixture.of(H)
    drawn = examples.sample(200, np.random.default_rng(0))
    assert drawn.shape == (200, examples.dim) == (200, 6)
    assert_array_equal(drawn[:, :5].prod(axis=1), drawn[:, 5])
    for method in (examples.points, examples.weights):
        with pytest.raises(ValueError, match="cannot be enumerated"):
            method(0, 1)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.ones((4, 3)), TypeError, r"a task must return a pair \(x, y\)"),
        ((np.ones((4, 3)), np.ones(4)), ShapeError, r"`x` of a task must have shape \(4, 2\) for 4 examples"),
        ((np.ones((4, 2)), np.ones((4, 1))), ShapeError, r"`y` of a task must have shape \(4,\)"),
        ((np.ones((4, 2)), ["a"] * 4), TypeError, "`y` of a task must be an array of real numbers"),
    ],
)
def test_wrong_results_of_a_task_are_named(value: object, error: type[Exception], message: str):
    H = returning(value)
    with pytest.raises(error, match=message):
        H.draw(H.sample(2, 0), 4, 0)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.full((4, 2), np.nan), np.ones(4), NonFiniteError, "x of H.draw"),
        (np.ones((4, 2)), np.full(4, np.inf), NonFiniteError, "y of H.draw"),
        (np.ones((4, 2)), np.full(4, 0.5), LabelError, r"claims labels -1 and \+1, but a task has the label 0.5"),
    ],
)
def test_wrong_examples_are_named(x: np.ndarray, y: np.ndarray, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        draw_examples(returning((x, y)), 3, 4, np.random.default_rng(0))


def test_a_class_whose_draw_has_another_shape_is_told_so():
    class Flat(gv.PlantedParities):
        def draw(self, members, n, rng=None):
            x, y = super().draw(members, n, rng)
            return x[:, 0], y

    with pytest.raises(ShapeError, match=r"`H.draw` must return inputs of shape \(3, 4, 5\)"):
        draw_examples(Flat(5, 3), 3, 4, np.random.default_rng(0))


def test_bad_arguments():
    with pytest.raises(TypeError, match="`sampler` must be a function"):
        gv.TaskClass(3, dim=2)
    with pytest.raises(ValueError, match="`labels` must be"):
        gv.TaskClass(shifted, 2, labels="bits")
    with pytest.raises(ValueError, match="`log2_size` must be a number >= 0"):
        gv.TaskClass(shifted, 2, log2_size=-1)
    with pytest.raises(ValueError, match="`dim` must be an integer >= 1"):
        gv.TaskClass(shifted, 0)
    with pytest.raises(TypeError, match="`sampler` must return a task"):
        gv.TaskClass(lambda rng: 3, 2).sample(1, 0)
    with pytest.raises(LabelError, match="labels -1 and"):
        gv.Problem(gv.TaskClass(shifted, 2), gv.Linear([1.0, 1.0]), "hinge")


def test_repr_names_the_sampler():
    assert repr(gv.TaskClass(shifted, 2)) == "TaskClass(shifted, dim=2, labels='real')"
    assert gv.TaskClass(shifted, 2).description == "tasks drawn by shifted"


def test_a_sampler_takes_the_generator():
    with pytest.raises(TypeError, match="`sampler` must be a function of one argument, the numpy Generator"):
        gv.TaskClass(lambda: None, 2)
