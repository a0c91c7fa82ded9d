"""Which methods a task class is given, and what they decline."""

from __future__ import annotations

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.errors import NotApplicableError, TooLargeError
from gradvar.problem import Moment
from gradvar.tasks.enumeration import TaskEnumeration
from gradvar.tasks.methods import task_methods
from gradvar.tasks.pairs import TaskPairs
from gradvar.tasks.planted_parities_linear import PlantedParitiesLinear

PLANTED = gv.PlantedParities(6, 3)
LINEAR, NETWORK = gv.Linear(np.ones(6)), gv.MLP.random([6, 4, 1], rng=0)


class Own:
    """A user's own method."""

    name = "own"

    def declines(self, problem):
        return None

    def work(self, problem):
        return 0.0

    def plan(self, problem):
        return "three"

    def estimate(self, problem, settings):
        return gv.Estimate(mantissa=3.0, mantissa_interval=(3.0, 3.0), exact=True, method="own", guarantee="said so")


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (gv.ClosedForm(), ["closed-form"]),
        (gv.Enumeration(), ["enumeration"]),
        (gv.MonteCarlo(), ["monte-carlo"]),
        (gv.Auto(), ["closed-form", "enumeration", "monte-carlo"]),
    ],
)
def test_a_method_of_the_library_stands_for_those_of_tasks(method, names: list[str]):
    found = task_methods(method)
    assert sorted({one.name for one in found}, key=names.index) == names
    assert not any(isinstance(one, (gv.Enumeration, gv.MonteCarlo)) for one in found)


def test_an_enumeration_keeps_its_limits():
    assert task_methods(gv.Enumeration(max_memory=1000, max_work=7)) == (TaskEnumeration(1000, 7),)
    with pytest.raises(TooLargeError, match=r"method='enumeration' declines this problem: .* max_memory = 2\^9.966"):
        gv.gradient_variance(PLANTED, NETWORK, method=gv.Enumeration(max_memory=1000))
    with pytest.raises(NotApplicableError, match="products, more than 7"):
        gv.gradient_variance(PLANTED, NETWORK, method=gv.Enumeration(max_work=7))


def test_any_other_method_is_meant_as_it_is():
    own = Own()
    assert task_methods(own) == (own,)
    assert gv.gradient_variance(PLANTED, NETWORK, method=own).value == 3


@pytest.mark.parametrize(
    ("H", "model", "name"),
    [
        (PLANTED, LINEAR, "closed-form"),
        (PLANTED, NETWORK, "enumeration"),
        (PLANTED.restrict([2]), NETWORK, "closed-form"),
        (gv.TaskClass(lambda rng: lambda n, rng: (np.ones((n, 6)), np.ones(n)), 6), LINEAR, "monte-carlo"),
    ],
)
def test_auto_says_which_it_takes(H, model, name: str):
    choice = gv.Auto().select(gv.Problem(H, model))
    assert choice.method.name == name
    assert choice.reason.startswith(f"{name}: ")
    assert gv.gradient_variance(H, model, max_samples=64, rng=0).method.startswith(name)


def test_auto_leaves_out_an_enumeration_of_more_than_about_a_minute():
    H, wide = gv.PlantedParities(13, 5), gv.MLP.random([13, 256, 1], rng=0)
    choice = gv.Auto().select(gv.Problem(H, wide))
    assert choice.method == TaskPairs()
    assert "not enumeration: it takes about 4e+10 multiplications, more than 3.4e+10" in choice.reason
    assert gv.Auto().select(gv.Problem(H, gv.MLP.random([13, 64, 1], rng=0))).method == TaskEnumeration()
    assert TaskEnumeration().declines(gv.Problem(H, wide)) is None


@pytest.mark.parametrize("moment", [Moment.SECOND, Moment.MEAN])
@pytest.mark.parametrize("method", [PlantedParitiesLinear(), TaskEnumeration(), TaskPairs()], ids=lambda m: m.name)
def test_moments_of_targets_that_share_their_inputs_are_declined(moment: Moment, method):
    assert method.declines(gv.Problem(PLANTED, LINEAR)) is None
    declined = method.declines(gv.Problem(PLANTED, LINEAR, moment=moment))
    assert isinstance(declined, NotApplicableError)
    assert "tasks with inputs of their own have the variance only" in str(declined)
    assert moment.value in str(declined)


class Drawing(gv.SparseParities):
    """Targets that share their inputs, with all that a class may say of these; and examples of their own."""

    def draw(self, members, n, rng):
        x = self.inputs.sample(len(members) * n, rng)
        y = self.evaluate(members, x).reshape(len(members), len(members), n)
        return x.reshape(len(members), n, -1), y[np.arange(len(members)), np.arange(len(members))]


def test_a_class_that_draws_examples_is_one_of_tasks_whatever_else_it_says():
    H, model = Drawing(6, 1), gv.MLP.random([6, 4, 1], rng=0)
    check = gv.bound_check(H, model, max_samples=2**14, rng=0)
    assert check.variance.method == "monte-carlo (pairs of tasks)"
    assert "shared inputs" in {assumption.name for assumption in check.assumptions}
    shared = gv.bound_check(gv.SparseParities(6, 1), model)
    assert "shared inputs" not in {assumption.name for assumption in shared.assumptions}
    assert abs(check.variance.value - shared.variance.value) < 4 * check.variance.standard_error


def test_methods_for_shared_inputs_know_nothing_of_tasks():
    problem = gv.Problem(PLANTED, LINEAR)
    for method in (gv.ClosedForm(), gv.Enumeration(), gv.MonteCarlo()):
        assert isinstance(method.declines(problem), NotApplicableError)
