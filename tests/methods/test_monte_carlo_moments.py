"""The second moment E_h ||E[h s]||^2 and the mean part ||E[m s]||^2 from samples: unbiased, and declined where unknown.

The truth is a sum over all members and all points of the cube. Where a mean over seeds is compared with it the seeds
are fixed and four standard errors are allowed: a false alarm in 16 000.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.methods.monte_carlo import member_tiles
from gradvar.methods.monte_carlo.class_kernel import ClassKernel
from gradvar.methods.monte_carlo.input_pairs import InputPairs
from gradvar.methods.monte_carlo.sampled_members import SampledMembers
from gradvar.problem import Moment
from gradvar.testing import reference

MODEL = gv.MLP.random([5, 4, 1], rng=0)
TWO_LAYERS = gv.MLP.random([5, 4, 3, 1], "relu", rng=1)


class Restated:
    """The class given, of which nobody knows that it goes by the distance."""

    def __init__(self, H) -> None:
        self.H, self.inputs, self.log2_size, self.labels = H, H.inputs, H.log2_size, H.labels

    def covariance(self, x, x2):
        return self.H.covariance(x, x2)

    def mean(self, x):
        return self.H.mean(x)


class Drawn:
    """The class given, of which nothing is said but how to draw and to evaluate members."""

    def __init__(self, H) -> None:
        self.H, self.inputs, self.log2_size, self.labels = H, H.inputs, H.log2_size, H.labels

    def sample(self, m, rng):
        return self.H.sample(m, rng)

    def evaluate(self, members, x):
        return self.H.evaluate(members, x)


def truth(H, model, loss: str) -> dict[Moment, float]:
    """By sums over all members and all points of the cube."""
    x = reference.cube(5)
    b = gv.Problem(H, model, loss).signal_scale(x)
    s = b[:, None] * model.gradient(x)
    gradients = H.evaluate(H.members(), x) @ s / len(x)
    second, mean = float((gradients**2).sum(axis=1).mean()), float((gradients.mean(axis=0) ** 2).sum())
    return {Moment.SECOND: second, Moment.MEAN: mean, Moment.VARIANCE: second - mean}


def settings(n: int, seed: int, pool=None) -> Settings:
    return Settings.checked(0.0, 0.95, n, seed, pool, False)


def estimates(method, problem: gv.Problem, n: int, seeds: int) -> list[gv.Estimate]:
    with ThreadPoolExecutor(1) as pool:
        return [method.estimate(problem, settings(n, seed, pool)) for seed in range(seeds)]


@pytest.mark.parametrize("H", [gv.SparseParities(5, 2), gv.SparseParities(5, 1), gv.Parities(5)], ids=repr)
def test_the_class_s_factor_is_the_mean_over_members(H):
    x = reference.cube(5)
    table = H.evaluate(H.members(), x)
    second, mean = table.T @ table / len(table), table.mean(axis=0)
    expected = {Moment.SECOND: second, Moment.MEAN: np.outer(mean, mean)}
    expected[Moment.VARIANCE] = expected[Moment.SECOND] - expected[Moment.MEAN]
    for moment, values in expected.items():
        kernel = ClassKernel(H, moment)
        assert_allclose(kernel(x, x), values, atol=1e-14)
        assert_allclose((values**2).mean(), kernel.mean_square, rtol=1e-12)
        assert (kernel.by_distance is None) == (moment is Moment.MEAN)
        assert ClassKernel(Restated(H), moment).by_distance is None


@pytest.mark.parametrize("model", [MODEL, TWO_LAYERS, gv.Linear(np.ones(5))], ids=repr)
@pytest.mark.parametrize("restated", [False, True])
def test_on_the_same_pairs_the_second_moment_is_the_sum_of_the_other_two(model, restated: bool):
    H, values = gv.SparseParities(5, 2), {}
    for moment in Moment:
        problem = gv.Problem(Restated(H) if restated else H, model, "hinge", moment)
        values[moment] = InputPairs(variance_reduction=False).estimate(problem, settings(600, 3)).value
    assert values[Moment.SECOND] == pytest.approx(values[Moment.VARIANCE] + values[Moment.MEAN], rel=1e-9, abs=1e-12)
    assert abs(values[Moment.MEAN]) > 1e-6


@pytest.mark.parametrize("moment", [Moment.SECOND, Moment.MEAN])
@pytest.mark.parametrize("restated", [False, True])
def test_pairs_are_unbiased(moment: Moment, restated: bool):
    H, seeds = gv.SparseParities(5, 1), 150
    problem = gv.Problem(Restated(H) if restated else H, MODEL, "hinge", moment)
    found = estimates(InputPairs(), problem, 64, seeds)
    values, expected = np.array([one.value for one in found]), truth(H, MODEL, "hinge")[moment]
    assert abs(values.mean() - expected) <= 4 * values.std(ddof=1) / math.sqrt(seeds)
    # 95% nominal: fewer than 88% of 150 in one of 3000 studies
    assert sum(one.interval[0] <= expected <= one.interval[1] for one in found) >= 0.88 * seeds


def test_the_second_moment_is_not_the_variance():
    exact = truth(gv.SparseParities(5, 1), MODEL, "hinge")
    assert exact[Moment.MEAN] > 0.1 * exact[Moment.SECOND]


@pytest.mark.parametrize("q", [None, 8])
@pytest.mark.parametrize("n", [64, 16])
def test_sampled_members_are_unbiased_for_the_second_moment(q: int | None, n: int):
    """All 32 inputs, and some."""
    H, seeds = gv.SparseParities(5, 1), 150
    problem = gv.Problem(Drawn(H), MODEL, "hinge", Moment.SECOND)
    found = estimates(SampledMembers(24, q), problem, n, seeds)
    values, expected = np.array([one.value for one in found]), truth(H, MODEL, "hinge")[Moment.SECOND]
    assert abs(values.mean() - expected) <= 4 * values.std(ddof=1) / math.sqrt(seeds)
    assert sum(one.interval[0] <= expected <= one.interval[1] for one in found) >= 0.88 * seeds


@pytest.mark.parametrize("tables", [256, 1])
def test_every_member_once_gives_the_second_moment_itself(tables: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(member_tiles, "_TABLES", tables)
    H = gv.SparseParities(5, 2)
    everything = Drawn(H)
    everything.sample = lambda m, rng: H.members()
    problem = gv.Problem(everything, MODEL, "square", Moment.SECOND)
    found = SampledMembers(10, None).estimate(problem, settings(64, 0))
    assert found.value == pytest.approx(truth(H, MODEL, "square")[Moment.SECOND], rel=1e-10)


class Meanless(Restated):
    mean = None


class Covarianceless(Restated):
    covariance = None


def test_what_a_class_does_not_say_is_declined():
    H = gv.SparseParities(5, 1)

    def reason(kind, moment: Moment) -> str:
        said = {name: getattr(Restated, name) for name in ("covariance", "mean") if getattr(kind, name) is not None}
        hypotheses = type(kind.__name__, (), {"__init__": Restated.__init__, **said})(H)
        return str(InputPairs().declines(gv.Problem(hypotheses, MODEL, "square", moment)))

    assert "no method `covariance" in reason(Covarianceless, Moment.VARIANCE)
    assert "no method `covariance" in reason(Covarianceless, Moment.SECOND)
    assert reason(Covarianceless, Moment.MEAN) == "None"
    assert reason(Meanless, Moment.VARIANCE) == "None"
    assert "no method `mean" in reason(Meanless, Moment.SECOND)
    assert "no method `mean" in reason(Meanless, Moment.MEAN)


def test_members_do_not_give_the_mean_part():
    problem = gv.Problem(Drawn(gv.SparseParities(5, 1)), MODEL, "square", Moment.MEAN)
    assert "not the mean part" in str(SampledMembers().declines(problem))
    with pytest.raises(gv.NotApplicableError, match="not the mean part"):
        gv.MonteCarlo().estimate(problem, settings(64, 0))


def test_monte_carlo_takes_the_first_that_covers_the_moment():
    for H, moment, taken in [
        (gv.SparseParities(5, 1), Moment.SECOND, InputPairs()),
        (Drawn(gv.SparseParities(5, 1)), Moment.SECOND, SampledMembers()),
        (gv.SparseParities(5, 1), Moment.MEAN, InputPairs()),
    ]:
        assert gv.MonteCarlo().select(gv.Problem(H, MODEL, "square", moment)).method == taken


@pytest.mark.parametrize(("shape", "error"), [((3,), gv.ShapeError), ((1,), gv.NonFiniteError)])
def test_what_mean_returns_is_looked_at(shape, error):
    H = Restated(gv.SparseParities(5, 1))
    H.mean = lambda x: np.full(shape if error is gv.ShapeError else len(x), np.inf)
    with pytest.raises(error, match=r"`H\.mean`"):
        InputPairs().estimate(gv.Problem(H, MODEL, "square", Moment.SECOND), settings(64, 0))
