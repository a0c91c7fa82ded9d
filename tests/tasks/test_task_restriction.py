"""Single tasks, iteration and restrictions of task classes, against the table of their tasks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.tasks import mixture
from gradvar.tasks.base import DrawsExamples, TabulatesTasks
from gradvar.testing import check_hypothesis_class, reference

PARENT = gv.PlantedParities(5, 3)
CHOICES = [[0], [7, 1, 3], [2, 2, 4, 0, 2], list(range(10))]


def clusters(rng: np.random.Generator):
    centre = rng.standard_normal(2)

    def task(n: int, rng: np.random.Generator):
        x = centre + rng.standard_normal((n, 2))
        return x, np.where(x[:, 0] > centre[0], 1.0, -1.0)

    return task


def test_tasks_by_number_by_description_and_in_order_are_functions_to_their_labels():
    x = reference.cube(5)
    _, labels = reference.planted_parities(5, 3)
    assert len(PARENT) == len(labels) == 10
    assert_array_equal([task(x) for task in PARENT], labels)
    assert_array_equal([PARENT.member(i)(x) for i in range(10)], labels)
    assert_array_equal([PARENT.member(v)(x) for v in PARENT.members()], labels)
    assert PARENT.member(3) == gv.PlantedParities(5, 3).member(PARENT.members()[3].tolist())
    assert PARENT.member(3) != gv.SparseParities(5, 3).member(3)
    assert repr(PARENT.member(0)) == "<target on coordinates [0, 1, 2] of PlantedParities(dim=5, degree=3)>"


@pytest.mark.parametrize("rows", CHOICES, ids=str)
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_a_restriction_has_the_variance_over_its_tasks(rows: list[int], loss: str, slow_model):
    H = PARENT.restrict(rows)
    slow, x = slow_model("mlp-3-tanh", 5), reference.cube(5)
    probabilities, labels = (table[rows] for table in reference.planted_parities(5, 3))
    assert isinstance(H, gv.TaskRestriction)
    assert isinstance(H, TabulatesTasks)
    assert (len(H), H.size, H.log2_size) == (len(rows), len(rows), np.log2(len(rows)))
    assert_array_equal([task(x) for task in H], labels)
    assert_allclose(H.probabilities(H.members(), x), probabilities, rtol=1e-15)
    assert_array_equal(H.inputs.points(0, 32), x)
    assert_allclose(H.inputs.weights(0, 32), probabilities.mean(axis=0), rtol=1e-14)
    p, g = slow.predict(x), slow.gradient(x)
    expected = reference.gradient_variance(reference.task_gradients(probabilities, labels, p, g, loss))
    check = gv.bound_check(H, slow.model, loss)
    assert check.variance.method == ("closed-form (one member)" if len(rows) == 1 else "enumeration")
    assert_allclose(check.variance.value, expected, rtol=1e-12, atol=1e-28)
    gradient = reference.gradient_norm_sq(probabilities.mean(axis=0), g)
    assert_allclose(check.gradient_norm_sq.value, gradient, rtol=1e-12)


def test_sampled_it_has_that_variance_too():
    # A fixed seed; of 99.9999% intervals one in a million misses.
    H, model = PARENT.restrict([7, 7, 7, 1]), gv.MLP.random([5, 4, 1], rng=0)
    exact = gv.gradient_variance(H, model, method="enumeration").value
    found = gv.gradient_variance(H, model, method="monte-carlo", confidence=1 - 1e-6, max_samples=2**14, rng=0)
    low, high = found.interval
    assert low < exact < high
    whole = gv.gradient_variance(PARENT, model, method="enumeration").value
    assert not low < whole < high


def test_its_inputs_are_weighed_in_blocks(monkeypatch: pytest.MonkeyPatch):
    H = PARENT.restrict([7, 1, 3, 3])
    whole = H.inputs.weights(3, 30)
    monkeypatch.setattr(mixture, "_BLOCK", 60)
    assert_allclose(H.inputs.weights(3, 30), whole, rtol=1e-14)


def test_it_passes_the_checks_of_a_class():
    report = check_hypothesis_class(PARENT.restrict([7, 1, 3]))
    assert report.passed, report
    assert "tabulated" not in {result.name for result in report.not_applicable}


def test_restrictions_nest_and_are_equal_where_their_tasks_are():
    H = PARENT.restrict([7, 1, 3])
    again = PARENT.restrict([0, 7, 1, 3]).restrict([1, 2, 3])
    assert again.parent == PARENT
    assert H == again == PARENT.restrict([PARENT.member(7), *(again.member(i) for i in (1, 2))])
    assert hash(H) == hash(again)
    assert PARENT.restrict([1, 7, 3]) != H
    assert gv.SparseParities(5, 3).restrict([7, 1, 3]) != H
    assert pickle.loads(pickle.dumps(H)) == H
    assert repr(H) == "TaskRestriction(PlantedParities(dim=5, degree=3), 3 members)"
    assert H.description.startswith("3 members of: ")


def test_tasks_that_can_only_be_drawn_are_restricted_to_some():
    H = gv.TaskClass(clusters, 2, labels="signs")
    tasks = H.sample(3, rng=0)
    some = H.restrict(tasks)
    assert isinstance(some, DrawsExamples)
    assert not isinstance(some, TabulatesTasks)
    assert (len(some), some.labels, some.inputs.n_points) == (3, "signs", None)
    assert [task.which.item() for task in some] == tasks
    x, y = some.draw(some.members(), 50, rng=1)
    expected = H.draw(tasks, 50, rng=1)
    assert_array_equal(x, expected[0])
    assert_array_equal(y, expected[1])
    assert set(some.sample(100, rng=0).tolist()) == set(tasks)
    assert some.member(tasks[2]) == some.member(2)
    assert some.restrict([tasks[1]]).member(0).which.item() is tasks[1]
    assert gv.gradient_variance(some, gv.Linear([0.1, 0.2]), max_samples=4096, rng=0).method.startswith("monte-carlo")
    report = check_hypothesis_class(some)
    assert report.passed, report


def test_one_of_them_is_trained_on_with_its_own_inputs():
    H = gv.TaskClass(clusters, 2, labels="signs")
    task = H.member(H.sample(1, rng=0)[0])
    model = gv.MLP.random([2, 8, 1], rng=0)
    found = gv.descend(task, model, "logistic", steps=300, learning_rate=0.5, record=300, rng=0)
    assert found.accuracies[-1] > 0.9


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: PARENT.member(10), ValueError, "`which` must be an integer from 0 to 9, got 10"),
        (lambda: PARENT.member([1, 1, 0, 0, 0]), ValueError, "has no member of degree"),
        (lambda: PARENT.restrict([]), gv.ShapeError, "at least one member"),
        (lambda: PARENT.restrict([0, 1]).member(PARENT.members()[5]), ValueError, "is not one of the 2 members of"),
        (
            lambda: PARENT.restrict([gv.SparseParities(5, 3).member(0)]),
            ValueError,
            "must be members of PlantedParities",
        ),
        (lambda: len(gv.TaskClass(clusters, 2)), TypeError, r"infinitely many members and no len\(\)"),
        (lambda: list(gv.TaskClass(clusters, 2)), TypeError, "draw some with sample"),
        (lambda: gv.TaskClass(clusters, 2).members(), gv.NotApplicableError, "cannot be listed; draw some with sample"),
        (
            lambda: gv.TaskClass(clusters, 2).member("first"),
            TypeError,
            r"is a task, .* as sample\(m, rng\) returns it, got 'first'",
        ),
        (
            lambda: gv.TaskClass(clusters, 2).restrict([0, 1]),
            TypeError,
            "infinitely many members, which have no numbers",
        ),
        (
            lambda: gv.TaskClass(clusters, 2).member(len)([[0.0, 0.0]]),
            gv.NotApplicableError,
            r"does not say the label of an input; draw examples of a task with draw",
        ),
    ],
)
def test_what_is_not_a_task_is_refused_in_words(call, error, message: str):
    with pytest.raises(error, match=message):
        call()


def test_a_task_class_is_true_though_it_has_no_len():
    assert gv.TaskClass(clusters, 2)
    assert gv.PlantedParities(100, 51)
