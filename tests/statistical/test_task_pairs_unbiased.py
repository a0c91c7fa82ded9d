"""Pairs of tasks over many seeds: unbiased, with intervals that cover and standard errors that are right.

Seeds are fixed; the false-alarm rate is what a correct estimator would have over the choice of these seeds. The truth
is exact: an enumeration of all tasks and inputs, checked against loops, or the moments of the tasks.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

import gradvar as gv
from gradvar.tasks.enumeration import TaskEnumeration
from gradvar.tasks.pairs import TaskPairs
from gradvar.testing import reference

SEEDS = 300


def shifted(rng: np.random.Generator):
    """x ~ N(c, I) with c ~ N(0, I) of the task's own, y = 1: at w = 0 grad F = -c, so Var = E||c||^2 = 3."""
    centre = rng.standard_normal(3)
    return lambda n, rng: (centre + rng.standard_normal((n, 3)), np.ones(n))


PROBLEMS = {
    "linear-at-0": (gv.PlantedParities(20, 3), gv.Linear(np.zeros(20)), "square", {"max_samples": 1024, "rtol": 0}),
    "linear": (gv.PlantedParities(9, 5), gv.Linear(np.ones(9)), "square", {"max_samples": 2048, "rtol": 0}),
    "tanh": (gv.PlantedParities(8, 3), gv.MLP.random([8, 6, 1], rng=1), "square", {"max_samples": 2048, "rtol": 0}),
    "relu-hinge": (
        gv.PlantedParities(8, 3),
        gv.MLP.random([8, 6, 1], "relu", rng=2, scale=2),
        "hinge",
        {"max_samples": 2048, "rtol": 0},
    ),
    "by-a-pilot": (gv.PlantedParities(8, 3), gv.MLP.random([8, 4, 1], rng=3), "logistic", {"max_samples": 4096}),
    "shifted": (gv.TaskClass(shifted, 3), gv.Linear(np.zeros(3)), "correlation", {"max_samples": 512, "rtol": 0}),
}


def truth_of(H, model, loss: str) -> float:
    if isinstance(H, gv.TaskClass):
        return 3.0
    if H.dim > 12:
        return H.degree * (1 - H.degree / H.dim) / 4
    return gv.gradient_variance(H, model, loss, method=TaskEnumeration()).value


@pytest.fixture(scope="module", params=PROBLEMS)
def outcome(here, request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, int]:
    """Values and standard errors relative to the truth, and how many 95% intervals hold it."""
    H, model, loss, settings = PROBLEMS[request.param]
    truth = truth_of(H, model, loss)
    estimates = [
        gv.gradient_variance(H, model, loss, method=TaskPairs(), rng=seed, executor=here, **settings)
        for seed in range(SEEDS)
    ]
    covered = sum(estimate.interval[0] <= truth <= estimate.interval[1] for estimate in estimates)
    values = np.array([estimate.value for estimate in estimates]) / truth
    errors = np.array([estimate.standard_error for estimate in estimates]) / truth
    return values, errors, covered


@pytest.mark.parametrize("name", ["tanh", "relu-hinge"])
def test_the_truth_is_that_of_the_loops(name: str):
    H, model, loss, _ = PROBLEMS[name]
    x = reference.cube(H.dim)
    tables = reference.planted_parities(H.dim, H.degree)
    weights, biases = list(model.weights), [b for b in model.biases if b is not None]
    p = reference.mlp_predict(weights, biases, model.activation, x)
    g = reference.mlp_gradient(weights, biases, model.activation, x)
    expected = reference.gradient_variance(reference.task_gradients(*tables, p, g, loss))
    assert truth_of(H, model, loss) == pytest.approx(expected, rel=1e-12)


def test_unbiased(outcome):
    # the mean of 300 runs within 4 of its standard errors: a false alarm in 16 000
    values, _, _ = outcome
    assert abs(values.mean() - 1) < 4 * values.std(ddof=1) / math.sqrt(SEEDS)


def test_95_percent_intervals_cover(outcome):
    # between the 1e-4 and 1 - 1e-4 quantiles of the binomial distribution of 93% and 97.5% of 300 intervals
    _, _, covered = outcome
    assert binom.ppf(1e-4, SEEDS, 0.93) <= covered <= binom.ppf(1 - 1e-4, SEEDS, 0.975)


def test_standard_errors_are_the_spread_of_the_values(outcome):
    # Four standard deviations of the spread of 300 nearly normal values, and a tenth for the skew of U-statistics.
    values, errors, _ = outcome
    assert abs(math.sqrt((errors**2).mean()) / values.std(ddof=1) - 1) < 4 / math.sqrt(2 * SEEDS) + 0.1
