"""Planted parities with the linear model: the moments against sums over all sets and all inputs."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.tasks.planted_parities_linear import PlantedParitiesLinear
from gradvar.testing import reference

SIZES = [(1, 1), (2, 1), (3, 1), (3, 3), (4, 3), (5, 3), (5, 5), (6, 3), (6, 5), (7, 3), (9, 1)]


def brute_force(dim: int, degree: int, weights: np.ndarray, loss: str) -> float:
    x = reference.cube(dim)
    gradients = reference.task_gradients(*reference.planted_parities(dim, degree), x @ weights, x, loss)
    return reference.gradient_variance(gradients)


def closed_form(dim: int, degree: int, weights: np.ndarray, loss: str | gv.MarginLoss) -> gv.Estimate:
    H = gv.PlantedParities(dim, degree)
    estimate = gv.gradient_variance(H, gv.Linear(weights), loss, method="closed-form")
    assert estimate.exact
    assert estimate.method.startswith("closed-form")
    low, high = estimate.interval
    assert low <= estimate.value <= high
    return estimate


@pytest.mark.parametrize(("dim", "degree"), SIZES)
@pytest.mark.parametrize("loss", ["square", "correlation"])
@pytest.mark.parametrize("kind", ["random", "ones", "one-large"])
def test_any_weights(dim: int, degree: int, loss: str, kind: str):
    rng = np.random.default_rng([dim, degree])
    w = {"random": rng.normal(size=dim), "ones": np.ones(dim), "one-large": rng.normal(size=dim)}[kind]
    if kind == "one-large":
        w[0] = 1e3
    expected = brute_force(dim, degree, w, loss)
    # the brute force sums terms as large as |p| |x|: its rounding is some eps (E p^2 |x|^2)^(1/2) in the root
    rounding = 64 * np.finfo(float).eps * (1 + np.linalg.norm(w)) * math.sqrt(dim)
    assert abs(math.sqrt(closed_form(dim, degree, w, loss).value) - math.sqrt(expected)) <= rounding


@pytest.mark.parametrize(("dim", "degree"), [(4, 3), (5, 1), (6, 5), (9, 3)])
@pytest.mark.parametrize("loss", ["square", "correlation", "hinge", "logistic", "perceptron"])
def test_any_loss_at_zero(dim: int, degree: int, loss: str):
    w = np.zeros(dim)
    assert_allclose(closed_form(dim, degree, w, loss).value, brute_force(dim, degree, w, loss), rtol=1e-12, atol=1e-30)


def test_margin_loss_of_the_user_at_zero():
    loss = gv.MarginLoss(lambda m: -0.75 * np.exp(-m), lipschitz=math.inf)
    expected = brute_force(6, 3, np.zeros(6), lambda m: -0.75 * math.exp(-m))
    assert_allclose(closed_form(6, 3, np.zeros(6), loss).value, expected, rtol=1e-12)


@pytest.mark.parametrize(("dim", "degree"), [(50, 5), (9, 3), (10_001, 5001)])
def test_at_zero_it_is_k_times_one_minus_k_over_n_over_four(dim: int, degree: int):
    expected = degree * (1 - degree / dim) / 4
    assert_allclose(closed_form(dim, degree, np.zeros(dim), "square").value, expected, rtol=1e-14)


def exactly(dim: int, degree: int, weights: list[int]) -> Fraction:
    """Var at integer weights by the mean and variance of samples without replacement, one coordinate at a time."""
    q, total = Fraction(degree, dim), Fraction(0)
    for i in range(dim):
        rest = [Fraction(w) for j, w in enumerate(weights) if j != i]
        mean = sum(rest) / (dim - 1)
        spread = sum((w - mean) ** 2 for w in rest) / (dim - 1)
        of_sum = (degree - 1) * Fraction(dim - degree, dim - 2) * spread
        centre = (degree - 1) * mean / 2 - Fraction(1, 2)
        total += q * (1 - q) * centre**2 + q * of_sum / 4
    return total


@pytest.mark.parametrize("shift", [0, 10**6])
def test_exact_at_a_size_that_no_sum_over_sets_reaches(shift: int):
    dim, degree = 60, 31
    weights = [int(w) + shift for w in np.random.default_rng(0).integers(-9, 10, size=dim)]
    weights[0] += 1000
    estimate = closed_form(dim, degree, np.array(weights, dtype=float), "square")
    truth = exactly(dim, degree, weights)
    low, high = (Fraction(end) for end in estimate.interval)
    assert low <= truth <= high
    assert abs(Fraction(estimate.value) / truth - 1) < Fraction(1, 10**12)


def test_where_the_mean_cancels_the_interval_holds_the_truth():
    # weights whose sum makes m_i vanish nearly: (k-1)/(2(d-1)) (S - w_i) = 1/2 at equal weights w = 1/(k-1)
    dim, degree = 41, 7
    w = np.full(dim, 1 / 6)
    estimate = closed_form(dim, degree, w, "square")
    low, high = estimate.interval
    # the truth at the float64 nearest to 1/6
    centre = 6 * Fraction(w[0]) / 2 - Fraction(1, 2)
    truth = degree * (1 - Fraction(degree, dim)) * centre**2
    assert Fraction(low) <= truth <= Fraction(high)
    assert high < 1e-25


def test_large_weights_do_not_overflow_on_the_way():
    w = np.random.default_rng(0).normal(size=20)
    small = closed_form(20, 5, w * 2.0**40, "square")
    large = closed_form(20, 5, w * 2.0**600, "square")
    assert large.log2 == pytest.approx(small.log2 + 2 * 560, rel=1e-9)


def test_a_large_slope_of_the_loss_at_zero_does_not_overflow_on_the_way():
    steep = gv.MarginLoss(lambda m: np.full_like(m, -(2.0**600)), lipschitz=math.inf)
    estimate = closed_form(20, 5, np.zeros(20), steep)
    assert estimate.log2 == pytest.approx(1200 + math.log2(5 * (1 - 5 / 20) / 4), rel=1e-12)


def test_declines_what_two_moments_do_not_give():
    H, w = gv.PlantedParities(6, 3), np.ones(6)
    for problem, words in [
        (gv.Problem(gv.SparseParities(6, 3), gv.Linear(w)), "not that of planted parities"),
        (gv.Problem(H, gv.Cosine(w)), "linear model only"),
        (gv.Problem(H, gv.Linear(w), "hinge"), "more of the tasks than two moments"),
        (gv.Problem(H, gv.Linear(w), "logistic"), "more of the tasks than two moments"),
    ]:
        assert words in str(PlantedParitiesLinear().declines(problem))
    assert PlantedParitiesLinear().declines(gv.Problem(H, gv.Linear(0 * w), "hinge")) is None


def test_auto_takes_it():
    estimate = gv.gradient_variance(gv.PlantedParities(50, 5), gv.Linear(np.ones(50)))
    assert estimate.value == pytest.approx(10.125, rel=1e-14)  # 5 (1 - 1/10) (4/98 49 - 1/2)^2
    assert estimate.method == "closed-form (moments of planted parities)"
    one_task = gv.gradient_variance(gv.PlantedParities(5, 5), gv.Linear(np.ones(5)))
    assert (one_task.value, one_task.exact) == (0.0, True)
