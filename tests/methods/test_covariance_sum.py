"""The double sum of class covariance times tangent kernel is exact, for each moment, on weighted inputs."""

from __future__ import annotations

import numpy as np
import pytest

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.methods.enumeration import covariance_sum
from gradvar.methods.enumeration.covariance_sum import CovarianceSum
from gradvar.problem import Moment
from gradvar.testing import reference

RNG = np.random.default_rng(0)
POINTS = RNG.choice([-1.0, 1.0], (23, 6))
WEIGHTS = RNG.dirichlet(np.ones(23))
SETTINGS = Settings.checked(0.1, 0.95, 256, 0, None, False)


class Said:
    """A class of which nothing is known but its covariance and mean."""

    def __init__(self, table, inputs) -> None:
        self.table, self.inputs, self.log2_size, self.labels = table, inputs, np.inf, "signs"

    def _at(self, x):
        return self.table[
            :, [int(np.argmax((self.inputs.points(0, self.inputs.n_points) == row).all(axis=1))) for row in x]
        ]

    def covariance(self, x, x2):
        one, two = self._at(x), self._at(x2)
        return (one - one.mean(axis=0)).T @ (two - two.mean(axis=0)) / len(self.table)

    def mean(self, x):
        return self._at(x).mean(axis=0)


@pytest.fixture(params=[4096, 7], ids=["one tile", "many tiles"])
def rows(request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covariance_sum, "rows_per_tile", lambda size, most: request.param)


@pytest.mark.parametrize("model", [gv.MLP.random([6, 4, 1], rng=0), gv.Linear(np.arange(6.0))], ids=["mlp", "linear"])
def test_each_moment_is_that_of_brute_force(model, rows):
    points = np.unique(POINTS, axis=0)
    weights = WEIGHTS[: len(points)] / WEIGHTS[: len(points)].sum()
    table = RNG.choice([-1.0, 1.0], (9, len(points)))
    H = Said(table, gv.FiniteClass(table, points, weights=weights).inputs)
    p, g = model.predict(points), model.gradient(points)
    variance = reference.gradient_variance(reference.gradients(table, weights, p, g, "square"))
    # s = -g: c_h = E_x[h s]
    second = float((((table * weights) @ g) ** 2).sum() / len(table))
    for moment, expected in zip(Moment, (variance, second, second - variance), strict=True):
        found = CovarianceSum().estimate(gv.Problem(H, model, "square", moment), SETTINGS)
        assert found.exact
        assert found.value == pytest.approx(expected, rel=1e-11)
        assert found.interval[0] <= expected <= found.interval[1]


def test_auto_takes_it_on_a_sample_and_says_so():
    class Waves:
        """Linear-periodic targets on a sample of forty inputs."""

        inputs = gv.FiniteClass(np.ones((2, 40)), RNG.standard_normal((40, 3))).inputs
        log2_size, covariance = np.inf, gv.LinearPeriodic(3, 1.5).covariance

    H, model = Waves(), gv.MLP.random([3, 5, 1], rng=0)
    found = gv.gradient_variance(H, model)
    assert found.exact
    assert found.method == "covariance-sum"
    sampled = gv.gradient_variance(H, model, method="monte-carlo", rng=0)
    assert sampled.interval[0] <= found.value <= sampled.interval[1]


def test_it_declines_many_inputs_and_silent_classes():
    model = gv.Linear(np.ones(15))
    assert "more than 16,384" in str(CovarianceSum().declines(gv.Problem(gv.SparseParities(15, 2), model)))
    assert CovarianceSum().declines(gv.Problem(gv.SparseParities(14, 2), gv.Linear(np.ones(14)))) is None
    assert "infinitely many" in str(CovarianceSum().declines(gv.Problem(gv.LinearPeriodic(15, 2.0), model)))
    drawn = gv.SampledClass(lambda rng: lambda x: np.sign(x[:, 0]), gv.Hypercube(15))
    assert CovarianceSum().declines(gv.Problem(drawn, model)) is not None
