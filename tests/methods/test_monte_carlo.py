"""Monte Carlo: the U-statistic itself on recorded samples, and what it says about exact numbers.

Where an estimate is compared with the truth the seed is fixed and four standard errors are allowed: a false
alarm in 16 000 for a normal estimate.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import re
import signal
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.estimation.u_statistic import moments
from gradvar.methods.monte_carlo.class_kernel import work_of_pair
from gradvar.testing import reference


def monte_carlo(H, model, loss="square", **settings) -> gv.Estimate:
    estimate = gv.gradient_variance(H, model, loss, method="monte-carlo", **settings)
    assert not estimate.exact
    assert estimate.method.startswith("monte-carlo")
    return estimate


class RecordingInputs:
    """The inputs given, remembering every sample drawn from them."""

    def __init__(self, inputs: gv.Hypercube) -> None:
        self.inputs, self.drawn = inputs, []
        self.dim, self.n_points = inputs.dim, inputs.n_points

    def points(self, start: int, stop: int) -> np.ndarray:
        return self.inputs.points(start, stop)

    def weights(self, start: int, stop: int) -> np.ndarray:
        return self.inputs.weights(start, stop)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        x = self.inputs.sample(n, rng)
        self.drawn.append(x.copy())
        return x


class RecordingClass:
    """A user's class: the covariance of the class given, nothing else said, on recording inputs."""

    labels = "signs"

    def __init__(self, H) -> None:
        self.H, self.log2_size, self.inputs = H, H.log2_size, RecordingInputs(H.inputs)

    def covariance(self, x: np.ndarray, x2: np.ndarray) -> np.ndarray:
        return self.H.covariance(x, x2)


def recorded(classes, model, loss, n: int, seed: int) -> tuple[gv.Estimate, np.ndarray]:
    """The estimate from n samples and these samples (those of 1 and of 64 inputs are there to size arrays).

    One worker, as several may draw the same samples more than once.
    """
    H = RecordingClass(classes.H)
    with ThreadPoolExecutor(1) as pool:
        estimate = monte_carlo(H, model, loss, max_samples=n, rtol=0, rng=seed, executor=pool)
    assert estimate.n_samples == n
    x = np.concatenate([x for x in H.inputs.drawn if len(x) not in (1, 64)])
    assert len(x) == n
    return estimate, x


def pair_matrices(classes, slow, loss: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class covariance (from the table) and tangent kernel of the signal, of points x of the cube."""
    numbers = ((x < 0) @ 2 ** np.arange(x.shape[1])).astype(int)
    covariance = reference.class_covariance(classes.table)[np.ix_(numbers, numbers)]
    p = slow.predict(x)
    b = [
        (reference.loss_derivative(loss, float(v), 1.0) - reference.loss_derivative(loss, float(v), -1.0)) / 2
        for v in p
    ]
    signal_gradient = np.array(b)[:, None] * slow.gradient(x)
    return covariance, signal_gradient @ signal_gradient.T


def fast_u_statistic(covariance: np.ndarray, kernel: np.ndarray) -> tuple[float, float]:
    """reference.u_statistic by sums over pairs and rows, for n where quadruples are too many."""
    n = len(covariance)
    h = covariance * kernel
    np.fill_diagonal(h, 0)
    total, rows, squares = h.sum(), (h.sum(axis=1) ** 2).sum(), (h**2).sum()
    pairs = n * (n - 1)
    quadruples = (total**2 - 4 * rows + 2 * squares) / (pairs * (n - 2) * (n - 3))
    zeta_1 = (rows - squares) / (pairs * (n - 2)) - quadruples
    zeta_2 = squares / pairs - quadruples
    return total / pairs, math.sqrt((4 * (n - 2) * max(zeta_1, 0) + 2 * zeta_2) / pairs)


@pytest.mark.parametrize("n", [4, 5, 9])
def test_sums_over_pairs_and_rows_are_the_loops_over_quadruples(n: int):
    rng = np.random.default_rng(n)
    C, K = rng.normal(size=(2, n, n))
    C, K = C + C.T, K + K.T
    assert_allclose(fast_u_statistic(C, K), reference.u_statistic(C, K), rtol=1e-12)


@pytest.mark.parametrize("H", ["sparse-1", "sparse-2", "parities"])
@pytest.mark.parametrize("model", ["linear", "function", "mlp-3-tanh", "mlp-3x2-relu-nobias"])
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_value_and_standard_error_are_the_u_statistic_s(H: str, model: str, loss: str, slow_class, slow_model):
    classes, slow = slow_class(H, 3), slow_model(model, 3)
    estimate, x = recorded(classes, slow.model, loss, 60, seed=4)
    value, error = fast_u_statistic(*pair_matrices(classes, slow, loss, x))
    assert_allclose(estimate.value, value, rtol=1e-12, atol=1e-14)
    assert_allclose(estimate.standard_error, error, rtol=1e-9)


def test_value_and_standard_error_by_loops_over_quadruples(slow_class, slow_model):
    classes, slow = slow_class("sparse-1", 3), slow_model("linear", 3)
    estimate, x = recorded(classes, slow.model, "square", 32, seed=2)
    value, error = reference.u_statistic(*pair_matrices(classes, slow, "square", x))
    assert_allclose(estimate.value, value, rtol=1e-12)
    assert_allclose(estimate.standard_error, error, rtol=1e-9)


@pytest.mark.parametrize(
    "n", [515, pytest.param(1000, marks=pytest.mark.large), pytest.param(3001, marks=pytest.mark.large)]
)
def test_value_and_standard_error_at_other_sample_sizes(n: int, slow_class, slow_model):
    classes, slow = slow_class("sparse-2", 5), slow_model("mlp-3-tanh", 5)
    estimate, x = recorded(classes, slow.model, "square", n, seed=1)
    value, error = fast_u_statistic(*pair_matrices(classes, slow, "square", x))
    assert_allclose(estimate.value, value, rtol=1e-11, atol=1e-15)
    assert_allclose(estimate.standard_error, error, rtol=1e-9)


@pytest.mark.parametrize("n", [4, 6])
def test_so_few_pairs_give_the_value_but_no_interval(n: int, slow_class, slow_model):
    classes, slow = slow_class("sparse-2", 5), slow_model("mlp-3-tanh", 5)
    estimate, x = recorded(classes, slow.model, "square", n, seed=1)
    value, _ = reference.u_statistic(*pair_matrices(classes, slow, "square", x))
    assert_allclose(estimate.value, value, rtol=1e-11, atol=1e-15)
    assert not estimate.resolved
    assert estimate.standard_error == math.inf


def test_the_interval_is_the_score_interval_of_its_pairs(slow_class, slow_model):
    classes, slow = slow_class("sparse-2", 6), slow_model("mlp-3-tanh", 6)
    estimate, x = recorded(classes, slow.model, "square", 60, seed=4)
    C, K = pair_matrices(classes, slow, "square", x)
    h = C * K
    np.fill_diagonal(h, 0)
    triangles = np.einsum("ij,jk,ki->", h, h, h) / (60 * 59 * 58)
    squares, cubes, effective = (h**2).sum(), (h**3).sum() / (60 * 59), (h**2).sum() ** 2 / (h**4).sum() / 2
    found = moments(h.sum(axis=1), float(squares), triangles, float(cubes), float(effective))
    # the row that is furthest from the mean may have been met once too often, or once too seldom
    means = h.sum(axis=1) / 59
    reach = 2 / 60 * np.abs(means - means.mean()).max()
    low, high = found.interval(found.quantile(0.975))
    assert_allclose(estimate.interval, (low - reach, high + reach), rtol=1e-9)
    assert_allclose(estimate.upper, found.interval(found.quantile(0.95))[1] + reach, rtol=1e-9)
    assert estimate.upper < estimate.interval[1]
    assert_allclose(estimate.resolution, 1.959963984540054 * math.sqrt(2 * found.zeta2 / (60 * 59)), rtol=1e-9)


def test_the_interval_follows_the_confidence(slow_class, slow_model):
    H, model = slow_class("sparse-2", 6).H, slow_model("mlp-3-tanh", 6).model
    widths = []
    for confidence in (0.5, 0.95, 0.999):
        low, high = monte_carlo(H, model, max_samples=400, rtol=0, rng=0, confidence=confidence).interval
        widths.append(high - low)
    assert widths[0] < widths[1] < widths[2]


def test_norms_come_from_the_same_samples(slow_class, slow_model):
    classes, slow = slow_class("sparse-2", 6), slow_model("mlp-3-tanh", 6)
    estimate, x = recorded(classes, slow.model, "hinge", 60, seed=4)
    gradient, signal = estimate.norms
    norms = (slow.gradient(x) ** 2).sum(axis=1)
    b = gv.Problem(classes.H, slow.model, "hinge").signal_scale(x)
    assert_allclose(gradient.value, norms.mean(), rtol=1e-12)
    assert_allclose(signal.value, (b**2 * norms).mean(), rtol=1e-12)
    assert_allclose(gradient.standard_error, norms.std(ddof=1) / math.sqrt(60), rtol=1e-6)


@pytest.mark.parametrize("H", ["parities", "sparse-1", "sparse-2", "sparse-4", "finite-signs", "finite-real"])
@pytest.mark.parametrize("model", ["linear", "cosine", "function", "mlp-4-tanh", "mlp-3x2-relu"])
def test_estimates_agree_with_enumeration(H: str, model: str, slow_class, slow_model):
    H, model = slow_class(H, 5).H, slow_model(model, 5).model
    exact = gv.gradient_variance(H, model, method="enumeration").value
    estimate = monte_carlo(H, model, max_samples=600, rtol=0, rng=7)
    assert abs(estimate.value - exact) <= 4 * estimate.standard_error + 1e-14


@pytest.mark.parametrize("loss", ["hinge", "logistic", "perceptron", "correlation"])
def test_estimates_of_other_losses_agree_with_enumeration(loss: str, slow_class, slow_model):
    H, model = slow_class("sparse-2", 5).H, slow_model("mlp-4-relu", 5).model
    exact = gv.gradient_variance(H, model, loss, method="enumeration").value
    estimate = monte_carlo(H, model, loss, max_samples=600, rtol=0, rng=8)
    assert abs(estimate.value - exact) <= 4 * estimate.standard_error


@pytest.mark.large
def test_a_dimension_where_nothing_can_be_enumerated():
    # degree one and a linear model: grad F_i = w - e_i, variance 1 - 1/d
    estimate = monte_carlo(gv.SparseParities(300, 1), gv.Linear(np.ones(300)), max_samples=4000, rng=0, rtol=0)
    assert abs(estimate.value - (1 - 1 / 300)) <= 4 * estimate.standard_error
    assert estimate.standard_error < 0.1


class Coordinates:
    """h_i(x) = x_i for i = 1..d on x ~ N(0, I): a user's class that says its covariance and nothing more."""

    def __init__(self, dim: int) -> None:
        self.inputs, self.log2_size = gv.Gaussian(dim), math.log2(dim)

    def covariance(self, x: np.ndarray, x2: np.ndarray) -> np.ndarray:
        return x @ x2.T / x.shape[1] - np.outer(x.mean(axis=1), x2.mean(axis=1))


def test_a_user_s_class_on_gaussian_inputs():
    # E[x_i x] = e_i: variance 1 - 1/d
    estimate = gv.gradient_variance(Coordinates(5), gv.Linear(np.ones(5)), rng=3, rtol=0.05)
    assert estimate.method.startswith("monte-carlo")
    assert abs(estimate.value - 0.8) <= 4 * estimate.standard_error
    assert estimate.standard_error < 0.05


@pytest.mark.large
def test_sampling_stops_at_the_accuracy_asked_for():
    H, model = gv.SparseParities(12, 2), gv.MLP.random([12, 8, 1], rng=0)
    loose = monte_carlo(H, model, rng=0, rtol=0.2)
    assert loose.n_samples < 2**16
    low, high = loose.interval
    # the size is chosen before the last sample is drawn, so that the width is met only about
    assert (high - low) / 2 <= 1.5 * 0.2 * loose.value
    tight = monte_carlo(H, model, rng=0, rtol=0.05)
    assert loose.n_samples < tight.n_samples < 2**16


@pytest.mark.large
def test_the_budget_is_kept():
    H, model = gv.SparseParities(12, 2), gv.MLP.random([12, 8, 1], rng=0)
    for budget in (4, 100, 1500):
        assert monte_carlo(H, model, rng=0, rtol=1e-9, max_samples=budget).n_samples <= budget
        assert monte_carlo(H, model, rng=0, rtol=0, max_samples=budget).n_samples == budget


@pytest.mark.large
def test_same_seed_same_bits_for_any_number_of_workers():
    H, model = gv.SparseParities(40, 2), gv.MLP.random([40, 16, 1], rng=0)
    settings = {"max_samples": 5000, "rtol": 0, "rng": 11}
    default = monte_carlo(H, model, **settings)
    for workers in (1, 2, 3):
        with ThreadPoolExecutor(workers) as pool:
            estimate = monte_carlo(H, model, **settings, executor=pool)
        assert estimate.value == default.value
        assert estimate.standard_error == default.standard_error
    again = monte_carlo(H, model, **{**settings, "rng": np.random.SeedSequence(11)})
    assert again.value == default.value
    assert monte_carlo(H, model, **{**settings, "rng": 12}).value != default.value


@pytest.mark.large
def test_same_bits_in_another_process():
    H, model = gv.SparseParities(20, 2), gv.MLP.random([20, 8, 1], rng=0)
    settings = {"max_samples": 1000, "rtol": 0, "rng": 11}
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = monte_carlo(H, model, **settings, executor=pool)
    assert there.value == monte_carlo(H, model, **settings).value


def test_without_a_seed_results_differ():
    H, model = gv.SparseParities(12, 2), gv.MLP.random([12, 4, 1], rng=0)
    values = {monte_carlo(H, model, max_samples=50, rtol=0).value for _ in range(3)}
    assert len(values) == 3


@pytest.mark.large
def test_nothing_is_resolved_where_the_covariance_vanishes_on_every_pair():
    # all parities at d = 40: Cov_h(h(x), h(x')) is 0 unless x = x', which no sampled pair fulfils
    H, model = gv.Parities(40), gv.MLP.random([40, 8, 1], rng=0)
    estimate = monte_carlo(H, model, rng=0, max_samples=2000)
    assert estimate.standard_error == math.inf
    assert estimate.interval == (-math.inf, math.inf)
    assert not estimate.resolved
    check = gv.bound_check(H, model, method="monte-carlo", rng=0, max_samples=2000)
    assert check.verdict == "inconclusive"
    assert check.variance.standard_error == math.inf
    for text in (repr(estimate), str(check), repr(check)):
        assert "0 +- 0" not in text


def test_a_handful_of_pairs_does_not_count_as_resolved():
    # all parities at d = 16, 100 samples: 4950 pairs, of which 1 in 65 536 agree
    H, model = gv.Parities(16), gv.MLP.random([16, 4, 1], rng=0)
    exact = gv.gradient_variance(H, model, method="closed-form").value
    for seed in range(40):
        estimate = monte_carlo(H, model, rng=seed, max_samples=100, rtol=0)
        low, high = estimate.interval
        assert low < exact < high
        assert estimate.standard_error > 0


class DiesAt(gv.Linear):
    """A model whose process is killed at its n-th prediction, as by a lack of memory."""

    def __init__(self, weights: np.ndarray, calls: int) -> None:
        super().__init__(weights)
        self.left = calls

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.left -= 1
        if self.left < 0 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(x)


@pytest.mark.large
def test_workers_that_die_leave_the_estimate_so_far():
    H, weights = gv.SparseParities(12, 1), np.ones(12)
    expected = monte_carlo(H, gv.Linear(weights), max_samples=512, rtol=0, rng=0)
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(gv.WorkersLostError, match="so far: Estimate") as caught,
    ):
        monte_carlo(H, DiesAt(weights, 12), max_samples=20_000, rtol=0, rng=0, executor=pool)
    assert isinstance(caught.value, BrokenExecutor)
    found = caught.value.estimate
    assert 512 <= found.n_samples < 20_000
    assert abs(found.value - expected.value) < 4 * (found.standard_error + expected.standard_error)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.estimate, str(again)) == (found, str(caught.value))


def test_workers_that_die_at_once_leave_nothing():
    class Broken(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):
            raise BrokenExecutor("all of them")

    with pytest.raises(gv.WorkersLostError, match="all of them; nothing was finished") as caught:
        monte_carlo(gv.SparseParities(12, 1), gv.Linear(np.ones(12)), rng=0, executor=Broken(1))
    assert caught.value.estimate is None


@pytest.mark.large
def test_ctrl_c_raises_with_the_estimate_so_far():
    H, slow = gv.SparseParities(40, 1), gv.Linear(np.ones(40))
    seen, lock, sent = [0], threading.Lock(), threading.Event()

    def predict(x: np.ndarray) -> np.ndarray:
        with lock:
            seen[0] += len(x)
            if seen[0] > 6000 and not sent.is_set():
                sent.set()
                signal.raise_signal(signal.SIGINT)
        return slow.predict(x)

    model = gv.from_function(predict, slow.gradient, 40)
    with pytest.raises(gv.Interrupted) as caught:
        monte_carlo(H, model, max_samples=2**17, rtol=1e-4, rng=0)
    assert isinstance(caught.value, KeyboardInterrupt)
    estimate = caught.value.estimate
    if estimate is not None:
        assert estimate.n_samples > 0
        assert abs(estimate.value - (1 - 1 / 40)) <= 5 * estimate.standard_error


def test_a_class_that_does_not_say_its_covariance_is_declined():
    class Silent:
        inputs, log2_size = gv.Gaussian(3), 1.0

    with pytest.raises(gv.NotApplicableError):
        monte_carlo(Silent(), gv.Linear(np.ones(3)))


def test_signals_that_are_all_annihilated_say_what_is_assumed_of_the_others():
    model = gv.from_function(lambda x: x.sum(axis=1), lambda x: x, 40)
    found = gv.gradient_variance(gv.SparseParities(40, 2), model, rng=0, max_samples=1024, rtol=0)
    assert found.resolved
    assert "up to 80" in found.guarantee  # twice the largest ||s||^2, 40, of a model without a bound
    # 40 is ||s||^2 of every input, and -log(.025)/n the share that n of them may have missed
    assert found.interval[1] == pytest.approx((math.log(0.025) / 1024) ** 2 * 80, rel=1e-6)


@pytest.mark.parametrize("rtol", [0.1, 0.05])
def test_where_rtol_is_out_of_reach_the_guarantee_says_what_it_would_take(rtol):
    H, model = gv.SparseParities(40, 2), gv.MLP.random([40, 16, 16, 1], rng=0)
    few = gv.gradient_variance(H, model, method="monte-carlo", max_samples=2048, rtol=rtol, rng=0)
    assert few.n_samples == 2048
    said = re.search(rf"; rtol={rtol} would take about (\S+) inputs \(max_samples=...\)$", few.guarantee)
    assert said is not None
    # So many do meet it, up to the error of the estimate from the few; and those that meet it say nothing.
    enough = gv.gradient_variance(H, model, method="monte-carlo", max_samples=2 * int(float(said[1])), rtol=rtol, rng=0)
    low, high = enough.interval
    assert high - low <= 2 * rtol * enough.value
    assert "would take" not in enough.guarantee
    assert "would take" not in gv.gradient_variance(H, model, method="monte-carlo", max_samples=64, rtol=0).guarantee


def test_what_a_pair_of_inputs_takes_counts_the_members_harmonics_and_widths_that_it_meets():
    model, wide = gv.MLP.random([12, 8, 8, 1], rng=0), gv.MLP.random([12, 256, 256, 1], rng=0)
    all_of_them = gv.Parities(12)
    few, many = (all_of_them.restrict(np.arange(m)) for m in (8, 4096))
    cosine, triangle = gv.LinearPeriodic(12, 3.0), gv.LinearPeriodic(12, 3.0, "triangle")
    table = gv.FiniteClass(np.sign(np.random.default_rng(0).standard_normal((4096, 9))), np.eye(9, 12))
    of = {name: work_of_pair(gv.Problem(H, model)) for name, H in (("few", few), ("many", many), ("table", table))}
    assert of["many"] > 5 * of["few"]
    assert of["table"] > 5 * of["few"]
    assert work_of_pair(gv.Problem(triangle, model)) > 2 * work_of_pair(gv.Problem(cosine, model))
    assert work_of_pair(gv.Problem(few, wide)) > 2 * of["few"]
    # So a default call takes fewer pairs of what takes more: 2^33 in all.
    found = gv.gradient_variance(many, model, method="monte-carlo", rng=0)
    assert found.n_samples**2 / 2 * of["many"] <= 2**33


def test_samples_that_tell_nothing_from_zero_say_that_they_are_too_few():
    H, model = gv.SparseParities(40, 4), gv.MLP.random([40, 4, 4, 1], rng=0)
    found = [gv.gradient_variance(H, model, max_samples=512, rng=seed) for seed in range(8)]
    below = [one for one in found if one.resolved and one.value <= 0]
    assert below
    assert all(one.guarantee.endswith("; too few to say what rtol=0.1 would take (max_samples=...)") for one in below)
