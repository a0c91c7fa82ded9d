"""Monte Carlo over many seeds: unbiased, with intervals that cover and standard errors that are right.

Seeds are fixed; the false-alarm rate is what a correct estimator would have over the choice of these seeds.
The truth is exact everywhere: an enumeration, or a formula where nothing can be enumerated.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.methods.monte_carlo.control_variates import regression
from gradvar.methods.monte_carlo.pair_sums import PairStatistic, PairSums

pytestmark = pytest.mark.large


def runs(here, H, model, loss: str, truth: float, seeds: int, **settings) -> tuple[np.ndarray, np.ndarray, int]:
    """Values and standard errors relative to the truth, and how many 95% intervals hold it."""
    estimates = [
        gv.gradient_variance(H, model, loss, method="monte-carlo", rng=seed, executor=here, **settings)
        for seed in range(seeds)
    ]
    covered = sum(estimate.interval[0] <= truth <= estimate.interval[1] for estimate in estimates)
    values = np.array([estimate.value for estimate in estimates]) / truth
    errors = np.array([estimate.standard_error for estimate in estimates]) / truth
    return values, errors, covered


def exact(H, model, loss: str) -> float:
    return gv.gradient_variance(H, model, loss, method="enumeration").value


def majority(n: int, j: int) -> float:
    """The Fourier coefficient of degree j (odd) of the majority of n (odd) signs."""
    half = (n - 1) // 2
    ratio = math.comb(half, (j - 1) // 2) / math.comb(n - 1, j - 1)
    return (-1) ** ((j - 1) // 2) * ratio * math.comb(n - 1, half) / 2 ** (n - 1)


ALL_ONES_RELU = gv.from_function(  # p = relu(sum_i w_i x_i) at w = 1
    lambda x: np.maximum(x.sum(axis=1), 0), lambda x: (x.sum(axis=1) > 0)[:, None] * x, 41
)
# its variance over the parities of degree k: k(n-k)/(4n) (m_{k-1} - m_{k+1})^2, here n = 41 and k = 2
ALL_ONES_RELU_VARIANCE = 2 * 39 / (4 * 41) * (majority(41, 1) - majority(41, 3)) ** 2


def tanh_network_variance(model: gv.MLP) -> float:
    """The exact variance over the parities of degree 2 of a d-m-1 tanh network at zero biases, any d.

    By oddness only the hidden biases' gradients v sech^2(<w, x>) carry degree 2. With period P, far outside of
    |<w, x>|, sech^2(z) = sum_n c_n cos(t_n z), t_n = 2 pi n/P, c_n = 2 pi t_n/sinh(pi t_n/2)/P, n >= 1 (the
    constant does not matter), and E[x_i x_j cos t<w, x>] = -prod_l cos(t w_l) tan(t w_i) tan(t w_j).
    """
    coefficients = []
    for w, v in zip(model.weights[0], model.weights[1][0], strict=True):
        period = 2 * abs(w).sum() + 50
        t = 2 * np.pi * np.arange(1, int(5 * period)) / period
        c = 2 * np.pi * t / np.sinh(np.pi * t / 2) / period
        waves = np.outer(t, w)
        tangents = np.tan(waves)
        matrix = -tangents.T @ (tangents * (c * np.cos(waves).prod(axis=1))[:, None])
        coefficients.append(v * matrix[np.triu_indices(len(w), 1)])
    return float(np.var(coefficients, axis=1).sum())


TANH_40 = gv.MLP.random([40, 4, 1], rng=0)

PROBLEMS = {
    "d40-tanh": (gv.SparseParities(40, 2), TANH_40, "square", 512),
    "d12-tanh": (gv.SparseParities(12, 2), gv.MLP.random([12, 8, 1], rng=0), "square", 512),
    "d12-relu-hinge": (gv.SparseParities(12, 2), gv.MLP.random([12, 8, 1], "relu", rng=1), "hinge", 512),
    "d10-cubic": (gv.SparseParities(10, 3), gv.MLP.random([10, 6, 4, 1], "relu", rng=3), "square", 512),
    "d41-relu": (gv.SparseParities(41, 2), ALL_ONES_RELU, "square", 512),
}
SEEDS = 250


@pytest.fixture(scope="module", params=PROBLEMS)
def outcome(here, request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, int]:
    H, model, loss, n = PROBLEMS[request.param]
    if model is ALL_ONES_RELU:
        truth = ALL_ONES_RELU_VARIANCE
    else:
        truth = tanh_network_variance(TANH_40) if model is TANH_40 else exact(H, model, loss)
    return runs(here, H, model, loss, truth, SEEDS, max_samples=n, rtol=0)


def test_the_truth_at_dim_40_comes_from_a_formula_that_is_right_at_dim_12():
    model = gv.MLP.random([12, 6, 1], rng=0)
    expected = exact(gv.SparseParities(12, 2), model, "square")
    assert abs(tanh_network_variance(model) / expected - 1) < 1e-12


def test_unbiased(outcome):
    # the mean of 250 runs within 4 of its standard errors: a false alarm in 16 000
    values, _, _ = outcome
    z = (values.mean() - 1) / (values.std(ddof=1) / math.sqrt(SEEDS))
    assert abs(z) < 4


def test_95_percent_intervals_cover(outcome):
    # between the 1e-4 and 1 - 1e-4 quantiles of the binomial distribution of 93% and 97.5% of 250 intervals
    _, _, covered = outcome
    assert binom.ppf(1e-4, SEEDS, 0.93) <= covered <= binom.ppf(1 - 1e-4, SEEDS, 0.975)


def test_standard_errors_are_the_spread_of_the_values(outcome):
    # The spread of 250 nearly normal values has a relative standard deviation of 1/sqrt(500) = 4.5%; four of
    # these and a tenth for the skew of U-statistics.
    values, errors, _ = outcome
    assert abs(math.sqrt((errors**2).mean()) / values.std(ddof=1) - 1) < 4 / math.sqrt(2 * SEEDS) + 0.1


SMALL = {
    "degenerate, few eigenvalues": (gv.LinearPeriodic(3, 1.5), gv.MLP.random([3, 8, 1], rng=0), 200),
    "not degenerate": (gv.SparseParities(12, 1), gv.Linear(np.ones(12)), 200),
    "in between": (gv.SparseParities(12, 2), gv.MLP.random([12, 8, 1], rng=0), 300),
}


LEVELS = (0.9, 0.95, 0.99)


def statistics_of(here, H, model, n: int, seeds: int, reduced: bool = True) -> list[PairStatistic | None]:
    """What the intervals of each seed rest on, at any confidence; None where the samples resolve nothing."""
    problem, found = gv.Problem(H, model), []
    for seed in range(seeds):
        settings = Settings.checked(0, 0.95, n, seed, here, False)
        sums = PairSums(problem, settings, regression(problem, settings) if reduced else None, 1)
        sums.extend(n, lambda _: None)
        statistic = sums.statistic()
        found.append(statistic if statistic.resolved else None)
    return found


def interval(found: PairStatistic | None, probability: float) -> tuple[float, float]:
    """Between the limits of this probability on either side."""
    return (-math.inf, math.inf) if found is None else found.interval(probability)


def test_intervals_come_from_the_statistic(here):
    H, model, n = SMALL["in between"]
    for one, confidence in zip(statistics_of(here, H, model, n, 3), LEVELS, strict=True):
        seed = LEVELS.index(confidence)
        estimate = gv.gradient_variance(
            H, model, method="monte-carlo", max_samples=n, rtol=0, rng=seed, confidence=confidence
        )
        np.testing.assert_allclose(estimate.interval, interval(one, 0.5 + confidence / 2), rtol=1e-9)


@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_intervals_cover_at_every_confidence(here, name: str, reduced: bool):
    # 200 seeds: between the 1e-4 quantiles of the binomial distribution of 1.5 points below nominal and 2.5 above it
    H, model, n = SMALL[name]
    truth, found = gv.gradient_variance(H, model).value, statistics_of(here, H, model, n, 200, reduced)
    for confidence in LEVELS:
        intervals = [interval(one, 0.5 + confidence / 2) for one in found]
        covered = sum(low <= truth <= high for low, high in intervals)
        below_upper = sum(truth <= interval(one, confidence)[1] for one in found)
        low, high = confidence - 0.015, min(confidence + 0.025, 1 - 1e-9)
        assert binom.ppf(1e-4, 200, low) <= covered <= binom.ppf(1 - 1e-4, 200, high)
        assert below_upper >= binom.ppf(1e-4, 200, low)


def test_intervals_cover_where_few_samples_carry_much(here):
    # p = w x^3: with relu(v x), v normal, E_x[relu(v x) x^3] = 3 v/2, so that Var = 9/4; rows have the tails of x^4.
    # 1000 seeds, between the 1e-3 quantiles of the binomial distribution of 1.5 points below nominal and 2.5 above it;
    # some resolve nothing, and are left out. Intervals that know nothing of the skewness and of the largest row fail.
    H = gv.RandomNetworks(1, (), "relu")
    everything = statistics_of(here, H, gv.from_function(lambda x: x[:, 0] ** 3, lambda x: x**3, 1), 300, 1000)
    found = [one for one in everything if one is not None]
    assert len(found) > 700

    def covered(confidence: float, plain: bool) -> int:
        p = 0.5 + confidence / 2
        intervals = [
            one.moments._replace(skewness=0.0).interval(ndtri(p)) if plain else interval(one, p) for one in found
        ]
        return sum(low <= 9 / 4 <= high for low, high in intervals)

    for confidence in LEVELS:
        least = binom.ppf(1e-3, len(found), confidence - 0.015)
        assert (
            least
            <= covered(confidence, plain=False)
            <= binom.ppf(1 - 1e-3, len(found), min(confidence + 0.025, 1 - 1e-9))
        )
        assert confidence == 0.99 or covered(confidence, plain=True) < least


def test_a_size_chosen_for_an_accuracy_leaves_the_estimate_unbiased_and_keeps_the_coverage(here):
    # rtol stops at a size that a dropped pilot chose; deciding on the reported sample would bias it. 95% intervals of
    # 150 seeds, false alarm 1e-4 on either side; the mean within 4 standard errors: 6e-5
    H, model = gv.SparseParities(12, 2), gv.MLP.random([12, 8, 1], rng=0)
    truth = exact(H, model, "square")
    values, errors, covered = runs(here, H, model, "square", truth, 150, rtol=0.2, max_samples=16_384)
    assert binom.ppf(1e-4, 150, 0.935) <= covered <= binom.ppf(1 - 1e-4, 150, 0.975)
    assert abs(values.mean() - 1) < 4 * values.std(ddof=1) / math.sqrt(150)
    assert 1.96 * np.median(errors) < 0.2
