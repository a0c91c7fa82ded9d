"""Parities on the cube, read off from one transform of each unit, against the table of all their values."""

from __future__ import annotations

import numpy as np
import pytest

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.kernels.shifted_coefficients import shifted_moments
from gradvar.methods.enumeration import coefficients
from gradvar.problem import Moment

SETTINGS = Settings.checked(0.1, 0.95, 64, 0, None, False)
DIM = 6


def some(H, m: int):
    members = H.sample(m, np.random.default_rng(3))
    return H.restrict(np.concatenate([members, members[:2]]))  # two of them twice


CLASSES = {
    "biased": gv.BiasedParities(DIM, 0.4),
    "biased of degree 2": gv.BiasedParities(DIM, -0.7, 2),
    "biased signs": gv.BiasedParities(DIM, 0.3, normalised=False),
    "biased signs of degree 3": gv.BiasedParities(DIM, 0.3, 3, normalised=False),
    "not biased": gv.BiasedParities(DIM, 0.0),
    "one": gv.BiasedParities(DIM, 0.3, 0),
    "some parities": some(gv.Parities(DIM), 9),
    "some of degree 3": some(gv.SparseParities(DIM, 3), 5),
    "some biased": some(gv.BiasedParities(DIM, 0.6), 9),
    "some biased signs": some(gv.BiasedParities(DIM, 0.6, 4, normalised=False), 4),
    "sparse": gv.SparseParities(DIM, 2),
}
MODELS = {
    "one hidden layer": gv.MLP.random([DIM, 5, 1], rng=0),
    "without biases": gv.MLP([m.T for m in (np.ones((DIM, 2)) * [1, 0.3], np.ones((2, 1)))], None, "relu"),
    "two hidden layers": gv.MLP.random([DIM, 5, 4, 1], "gelu", rng=1),
    "linear": gv.Linear(np.linspace(-1, 1, DIM)),
    "function": gv.from_function(
        lambda x: np.sin(x @ np.arange(DIM)), lambda x: np.cos(x @ np.arange(DIM))[:, None] * x[:, :2], n_parameters=2
    ),
}


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CLASSES)
def test_moments_against_the_table_of_all_values(name: str, model: str, moment: Moment):
    H = CLASSES[name]
    x, weights = H.inputs.points(0, 2**DIM), H.inputs.weights(0, 2**DIM)
    table = gv.FiniteClass(H.evaluate(H.members(), x), x, weights)
    loss = "hinge" if H.labels == "signs" and model == "two hidden layers" else "square"
    problem, by_table = (gv.Problem(one, MODELS[model], loss, moment) for one in (H, table))
    assert coefficients.covers(problem)
    assert not coefficients.covers(by_table)
    found, expected = (gv.Enumeration().estimate(one, SETTINGS) for one in (problem, by_table))
    low, high = expected.interval
    assert low - 1e-13 <= found.interval[1]
    assert found.interval[0] <= high + 1e-13
    assert found.value == pytest.approx(expected.value, rel=1e-9, abs=1e-15)
    # No gradient has a component along an input of its own: one transform a unit, not one a weight.
    if model == "one hidden layer":
        assert coefficients.transforms_needed(problem) == 5 + 5 + 1


def test_a_class_that_is_not_the_librarys_own_is_left_to_its_own_projection():
    class Mine(gv.Parities):
        def project(self, f):
            return 2 * super().project(f)

    model = MODELS["one hidden layer"]
    for H in (Mine(DIM), Mine(DIM).restrict([1, 2, 3]), gv.LinearPeriodic(DIM, 1.0)):
        assert not coefficients.covers(gv.Problem(H, model))


@pytest.mark.parametrize("own", [0.0, 0.7])
def test_shifted_moments_against_the_sum_over_sets(own: float):
    rng = np.random.default_rng(0)
    columns, numbers = rng.standard_normal((2**4, 3)), np.array([5, 0, 15, 5, 8])
    inside = numbers[:, None] >> np.arange(4) & 1
    shifted = numbers[:, None] ^ (1 << np.arange(4))
    values = own * (1 - 2 * inside)[..., None] * columns[numbers][:, None] + 0.8 * columns[shifted]
    variance, mean = shifted_moments(columns, numbers, 4, own, 0.8)
    np.testing.assert_allclose(variance, values.var(axis=0).sum(), rtol=1e-13)
    np.testing.assert_allclose(mean, (values.mean(axis=0) ** 2).sum(), rtol=1e-13)
