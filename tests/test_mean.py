"""The interval of a sampled mean: what it is in known cases, and that it holds what a sample may have missed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import chi2, norm

import gradvar as gv
from gradvar.core.reach import Reach
from gradvar.estimation.mean import Mean

Draw = Callable[[np.random.Generator, int], np.ndarray]


@pytest.mark.parametrize(("value", "bound"), [(0.0, 1.0), (1.0, 42.0), (3.0, 3.0)])
def test_equal_values_leave_what_they_have_missed(value: float, bound: float):
    n, level = 2000, 0.975
    mean = Mean.of(np.full(n, value), bound)
    # P(none of n above) = (1 - p)^n: p below -log(1 - level)/n
    missed = -math.log(1 - level) / n
    assert mean.resolved
    assert_allclose(mean.upper(level), value + missed * (bound - value), rtol=1e-3)
    assert_allclose(mean.lower(1 - level), value - missed * value, rtol=1e-3)
    assert mean.upper(level) >= value >= mean.lower(1 - level)


def test_equal_values_without_a_bound_have_a_lower_end_alone():
    mean = Mean.of(np.full(100, 2.0))
    assert not mean.resolved
    assert mean.upper(0.975) == math.inf
    assert 1.9 < mean.lower(0.025) < 2.0
    # nor do values that differ by rounding say anything of other values
    assert not Mean.of(2.0 + 1e-15 * np.arange(100)).resolved


@pytest.mark.parametrize("count", [2, 5, 20, 100])
def test_a_count_of_rare_events_has_the_interval_of_garwood(count: int):
    n = 100_000
    values = np.zeros(n)
    values[:count] = 1.0
    mean = Mean.of(values, 1.0)
    assert_allclose(mean.upper(0.975), chi2.ppf(0.975, 2 * count + 2) / 2 / n, rtol=0.01)
    # and the lower end is that of one event less, since an interval is only drawn where there are some
    assert_allclose(mean.lower(0.025), chi2.ppf(0.025, 2 * count - 2) / 2 / n, rtol=0.03)


def test_many_even_values_have_the_normal_interval():
    values = np.random.default_rng(0).uniform(0, 1, 100_000)
    mean, half = Mean.of(values), norm.ppf(0.975) * values.std(ddof=1) / math.sqrt(values.size)
    assert_allclose(mean.upper(0.975), values.mean() + half, atol=0.02 * half)
    assert_allclose(mean.lower(0.025), values.mean() - half, atol=0.02 * half)


def test_the_interval_has_the_unit_of_the_values_and_narrows_with_their_number():
    values = np.random.default_rng(1).exponential(size=500)
    one, other = Mean.of(values), Mean.of(1e6 * values)
    assert_allclose(other.upper(0.9), 1e6 * one.upper(0.9), rtol=1e-9)
    assert_allclose(other.lower(0.1), 1e6 * one.lower(0.1), rtol=1e-9)
    widths = [one.at(n).half_width(0.95) for n in (500, 1000, 10_000, 1_000_000)]
    assert widths == sorted(widths, reverse=True)
    assert_allclose(widths[-1], norm.ppf(0.975) * values.std() / 1000, rtol=0.05)
    assert one.half_width(0.9) < one.half_width(0.99)


def rare(expected: float, size: float, base: float = 0.0) -> tuple[Draw, float]:
    """Values `base`, and on average `expected` of 500 that are larger by `size`; and their mean."""
    p = expected / 500
    return lambda rng, n: base + size * (rng.random(n) < p), base + p * size


KINDS: dict[str, tuple[Draw, float]] = {
    "even": (lambda rng, n: rng.random(n), 0.5),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "square of a normal": (lambda rng, n: rng.standard_normal(n) ** 2, 1.0),
    "fourth power of a normal": (lambda rng, n: rng.standard_normal(n) ** 4, 3.0),
    "log-normal": (lambda rng, n: np.exp(rng.standard_normal(n)), math.exp(0.5)),
    "rarely smaller": (lambda rng, n: 1.0 - (rng.random(n) < 5 / 500), 1 - 5 / 500),
    "rare, 0.2 of them": rare(0.2, 1.0),
    "rare, 1 of them": rare(1.0, 41.0, 1.0),
    "rare, 3 of them": rare(3.0, 1.0),
    "rare, 10 of them": rare(10.0, 1.0),
    "rare, 30 of them": rare(30.0, 5.0, 1.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_the_truth_as_often_as_they_say(kind: str):
    draw, truth = KINDS[kind]
    rng = np.random.default_rng(3)
    means = [Mean.of(draw(rng, 500)) for _ in range(400)]
    for confidence in (0.9, 0.95):
        tail = 0.5 - confidence / 2
        missed = sum(not mean.lower(tail) <= truth <= mean.upper(1 - tail) for mean in means)
        # 1.5 points below nominal, and four standard errors of 400 runs: one false alarm in 10^4
        assert missed / 400 <= 1 - confidence + 0.015 + 4 * math.sqrt(confidence * (1 - confidence) / 400)


def test_an_interval_from_the_spread_alone_would_have_been_seen():
    # the test above says no to a normal interval of rare events
    draw, truth = rare(1.0, 41.0, 1.0)
    rng = np.random.default_rng(3)
    samples = [draw(rng, 500) for _ in range(400)]
    missed = sum(abs(v.mean() - truth) > 1.96 * v.std() / math.sqrt(500) for v in samples)
    assert missed / 400 > 0.05 + 0.015 + 4 * math.sqrt(0.05 * 0.95 / 400)


def deep_and_rarely_active(dim: int, threshold: float) -> gv.MLP:
    """p = relu(relu(sum_i x_i - threshold)): nearly all inputs have the gradient of the output bias alone."""
    return gv.MLP([[[1.0] * dim], [[1.0]], [[1.0]]], [[-threshold], [0.0], [0.0]], "relu")


def truth_of_the_rare(dim: int, threshold: float) -> float:
    """E||dp/dw||^2, a sum over the number of coordinates that are +1: at z > 0, 1 + (z^2 + 1) + (z^2 + 1) + d."""
    total = 0.0
    for plus in range(dim + 1):
        z = max(2 * plus - dim - threshold, 0.0)
        total += math.comb(dim, plus) / 2**dim * (1 + (2 * z * z + 2 + dim) * (z > 0))
    return total


@pytest.mark.parametrize("bounded", [True, False])
def test_a_network_that_is_rarely_active_is_not_called_known(bounded: bool):
    model = deep_and_rarely_active(40, 22.0)
    truth = truth_of_the_rare(40, 22.0) / 2.0**40
    if not bounded:
        model = gv.from_function(model.predict, model.gradient, model.n_parameters)
    held, resolved = 0, 0
    for seed in range(40):
        found = gv.gradient_variance(gv.Parities(40), model, rtol=0, max_samples=2000, rng=seed)
        held += found.interval[0] <= truth * (1 + 1e-11) and truth <= found.interval[1] * (1 + 1e-11)
        resolved += found.resolved
        assert found.interval[0] > 0.99 * 2.0**-40
        assert bounded or found.resolved or "no upper end" in found.guarantee
    assert held >= 38  # of 40 at 95%: 37 or fewer have probability below 0.14 at nominal, and these are conservative
    assert resolved == 40 if bounded else resolved <= 5


def test_a_pilot_that_saw_nothing_vary_does_not_stop_early():
    model = deep_and_rarely_active(40, 30.0)
    slow = gv.from_function(model.predict, model.gradient, model.n_parameters)
    found = gv.gradient_variance(gv.Parities(40), slow, max_samples=2**15, rng=0)
    assert found.n_samples == 2**15


def test_a_bound_that_a_sample_refutes_is_an_error():
    class Wrong(gv.Linear):
        def largest_gradient(self, reach: Reach) -> float:
            return reach.norm**2 / 2

    with pytest.raises(ValueError, match=r"`largest_gradient` of `model` must bound .* 100 where .* has 200"):
        gv.bound_check(gv.SparseParities(200, 3), Wrong([1.0] * 200), rng=0)
