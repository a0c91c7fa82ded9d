"""Enumeration of tasks against loops over all of them and all inputs."""

from __future__ import annotations

import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.errors import NonFiniteError, NotApplicableError, TooLargeError
from gradvar.tasks import enumeration
from gradvar.tasks.enumeration import TaskEnumeration
from gradvar.testing import reference


def brute_force(dim: int, degree: int, slow, loss: str) -> float:
    x = reference.cube(dim)
    tables = reference.planted_parities(dim, degree)
    return reference.gradient_variance(reference.task_gradients(*tables, slow.predict(x), slow.gradient(x), loss))


@pytest.mark.parametrize(("dim", "degree"), [(1, 1), (3, 3), (4, 3), (5, 1), (6, 3)])
@pytest.mark.parametrize("model", ["linear", "cosine", "function", "mlp-3-tanh", "mlp-3x2-relu-nobias"])
@pytest.mark.parametrize("loss", ["square", "hinge", "logistic"])
def test_every_task_and_every_input(dim: int, degree: int, model: str, loss: str, slow_model):
    slow = slow_model(model, dim)
    estimate = gv.gradient_variance(gv.PlantedParities(dim, degree), slow.model, loss, method=TaskEnumeration())
    expected = brute_force(dim, degree, slow, loss)
    assert estimate.exact
    assert estimate.value == pytest.approx(expected, rel=1e-12, abs=1e-28)
    low, high = estimate.interval
    assert low <= expected * (1 + 1e-15) + 1e-30
    assert expected * (1 - 1e-15) <= high
    assert estimate.n_evaluated == 2**dim


@pytest.mark.parametrize("rows", [16, 64])
def test_blocks_of_inputs_tasks_and_components_join(rows: int, slow_model, monkeypatch: pytest.MonkeyPatch):
    slow = slow_model("mlp-3-tanh", 6)
    H = gv.PlantedParities(6, 3)
    whole = gv.gradient_variance(H, slow.model, method=TaskEnumeration())
    monkeypatch.setattr(enumeration, "_BLOCK", 150)
    monkeypatch.setattr(enumeration, "_ROWS", rows)
    in_parts = gv.gradient_variance(H, slow.model, method=TaskEnumeration())
    assert in_parts.value == pytest.approx(whole.value, rel=1e-13)


def test_same_bits_for_any_number_of_workers_and_for_processes():
    H, model = gv.PlantedParities(9, 3), gv.MLP.random([9, 8, 1], rng=0)
    values = set()
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            values.add(gv.gradient_variance(H, model, method=TaskEnumeration(), executor=pool).value)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        values.add(gv.gradient_variance(H, model, method=TaskEnumeration(), executor=pool).value)
    assert len(values) == 1


@pytest.mark.large
def test_agrees_with_the_moments_at_dim_13():
    H, model = gv.PlantedParities(13, 5), gv.Linear(np.random.default_rng(0).normal(size=13))
    enumerated = gv.gradient_variance(H, model, method=TaskEnumeration())
    assert enumerated.value == pytest.approx(gv.gradient_variance(H, model, method="closed-form").value, rel=1e-12)


def test_declines_with_the_reason():
    model = gv.Linear(np.ones(6))
    declines = TaskEnumeration().declines
    assert declines(gv.Problem(gv.PlantedParities(6, 3), model)) is None
    assert "does not say" in str(declines(gv.Problem(gv.SparseParities(6, 3), model)))
    tasks = gv.TaskClass(lambda rng: lambda n, rng: (np.ones((n, 6)), np.ones(n)), 6)
    assert "infinitely many" in str(declines(gv.Problem(tasks, model)))
    for dim, words in [(40, "2^40 inputs"), (3000, "2^3000 inputs")]:
        error = declines(gv.Problem(gv.PlantedParities(dim, 3), gv.Linear(np.ones(dim))))
        assert isinstance(error, TooLargeError)
        assert words in str(error)
        assert "monte-carlo" in str(error)
    error = TaskEnumeration(max_work=1000).declines(gv.Problem(gv.PlantedParities(6, 3), model))
    assert isinstance(error, NotApplicableError)
    error = declines(gv.Problem(gv.PlantedParities(6, 3), gv.InfiniteMLP(1, "relu")))
    assert "has no predictions" in str(error)


def test_gradients_whose_squares_leave_float64_are_an_error():
    huge = gv.from_function(lambda x: np.full(len(x), 1e200), lambda x: x, 5)
    with pytest.raises(NonFiniteError, match="overflows float64"):
        gv.gradient_variance(gv.PlantedParities(5, 3), huge, method=TaskEnumeration())


def test_plan_counts_tasks_and_inputs():
    problem = gv.Problem(gv.PlantedParities(10, 3), gv.Linear(np.ones(10)))
    assert TaskEnumeration().plan(problem) == f"exact sum over all {math.comb(10, 3)} tasks and all 1,024 inputs"


@pytest.mark.parametrize(("dim", "degree"), [(4, 3), (5, 1), (5, 3)])
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_the_squared_gradient_of_an_example_is_summed_over_all_tasks_and_inputs(dim: int, degree: int, loss: str):
    H, model = gv.PlantedParities(dim, degree), gv.MLP.random([dim, 3, 1], rng=0, scale=2.0)
    x = reference.cube(dim)
    p, g = model.predict(x), model.gradient(x)
    expected = 0.0
    for chosen in H.members():
        one = np.asarray(chosen)[None]
        density, y = H.probabilities(one, x)[0], H.targets(one, x)[0]
        slope = p - y if loss == "square" else np.where(y * p < 1, -y, 0.0)
        expected += float(density @ (slope[:, None] ** 2 * g**2).sum(axis=1)) / len(H.members())
    found = gv.bound_check(H, model, loss).example_norm_sq
    assert found.exact
    np.testing.assert_allclose(found.value, expected, rtol=1e-12)


def test_too_many_tasks_and_inputs_leave_it_to_a_sample():
    found = gv.bound_check(gv.PlantedParities(50, 3), gv.Linear(np.full(50, 0.1)), rng=0).example_norm_sq
    assert not found.exact
    assert found.n_samples > 0
