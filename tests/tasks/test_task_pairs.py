"""Pairs of tasks: the U-statistic itself on recorded examples, its sizes, and what it says of exact numbers.

Where an estimate is compared with the truth the seed is fixed and four standard errors are allowed: a false
alarm in 16 000 for a normal estimate.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.core.errors import NonFiniteError, NotApplicableError, TooLargeError
from gradvar.estimation.settings import Settings
from gradvar.results.interruption import Interrupted
from gradvar.tasks import pairs, sample_sizes
from gradvar.tasks.enumeration import TaskEnumeration
from gradvar.tasks.pairs import TaskPairs
from gradvar.testing import reference


def pairs_of_tasks(H, model, loss="square", **settings) -> gv.Estimate:
    estimate = gv.gradient_variance(H, model, loss, method=TaskPairs(), **settings)
    assert not estimate.exact
    assert estimate.method.startswith("monte-carlo")
    return estimate


class Recording:
    """A user's task class, no subclass of anything: planted parities that remember what was drawn."""

    labels = "signs"

    def __init__(self, dim: int, degree: int) -> None:
        self.H = gv.PlantedParities(dim, degree)
        self.inputs, self.log2_size = self.H.inputs, self.H.log2_size
        self.drawn: list[tuple[np.ndarray, np.ndarray]] = []

    def sample(self, m: int, rng: np.random.Generator) -> np.ndarray:
        return self.H.sample(m, rng)

    def draw(self, members: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        self.drawn.append(self.H.draw(members, n, rng))
        return self.drawn[-1]


def example_gradients(slow, loss: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """u = dloss/dp g of every example, shape (m, n, P), for x (m, n, dim) and y (m, n)."""
    p, g = slow.predict(x.reshape(-1, x.shape[2])), slow.gradient(x.reshape(-1, x.shape[2]))
    slopes = [reference.loss_derivative(loss, float(a), float(b)) for a, b in zip(p, y.ravel(), strict=True)]
    return (np.array(slopes)[:, None] * g).reshape(*y.shape, -1)


def pair_values(u: np.ndarray) -> np.ndarray:
    """h_AB = (W_A + W_B)/2 - <ubar_A, ubar_B> of batches of tasks u (batches, tasks, n, P), by loops."""
    within, mean = [], []
    for batch in u:
        n = batch.shape[1]
        of_tasks = [
            math.fsum(float(task[i] @ task[j]) for i, j in itertools.permutations(range(n), 2)) / (n * (n - 1))
            for task in batch
        ]
        within.append(sum(of_tasks) / len(of_tasks))
        mean.append(batch.mean(axis=(0, 1)))
    m = len(u)
    return np.array([[(within[a] + within[b]) / 2 - mean[a] @ mean[b] for b in range(m)] for a in range(m)])


def u_statistic(h: np.ndarray) -> tuple[float, float]:
    """reference.u_statistic by sums over pairs and rows, for sizes where quadruples are too many."""
    m = len(h)
    h = h - np.diag(np.diagonal(h))
    total, rows, squares = h.sum(), (h.sum(axis=1) ** 2).sum(), (h**2).sum()
    pairs = m * (m - 1)
    quadruples = (total**2 - 4 * rows + 2 * squares) / (pairs * (m - 2) * (m - 3))
    zeta_1, zeta_2 = (rows - squares) / (pairs * (m - 2)) - quadruples, squares / pairs - quadruples
    return total / pairs, math.sqrt((4 * (m - 2) * max(zeta_1, 0) + 2 * zeta_2) / pairs)


def recorded(slow, loss: str, samples: int, tasks: int = 1) -> tuple[gv.Estimate, np.ndarray]:
    """The estimate from one worker, and the gradients on its examples by batches of so many tasks."""
    H = Recording(5, 3)
    with ThreadPoolExecutor(1) as pool:
        estimate = pairs_of_tasks(H, slow.model, loss, max_samples=samples, rtol=0, rng=3, executor=pool)
    u = np.concatenate([example_gradients(slow, loss, x, y) for x, y in H.drawn])
    assert len(u) * u.shape[1] == estimate.n_samples
    return estimate, u.reshape(-1, tasks, *u.shape[1:])


@pytest.mark.parametrize("model", ["linear", "function", "mlp-3-tanh", "mlp-3x2-relu-nobias"])
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_value_and_standard_error_are_the_u_statistic_s(model: str, loss: str, slow_model):
    slow = slow_model(model, 5)
    estimate, u = recorded(slow, loss, 96)
    assert u.shape[:3] == (48, 1, 2)
    h = pair_values(u)
    value, error = u_statistic(h)
    assert_allclose(estimate.value, value, rtol=1e-11, atol=1e-13)
    assert_allclose(estimate.standard_error, error, rtol=1e-9)


def test_value_and_standard_error_by_loops_over_quadruples(slow_model):
    estimate, u = recorded(slow_model("linear", 5), "square", 64)
    value, error = reference.u_statistic(pair_values(u), np.ones((32, 32)))
    assert_allclose(estimate.value, value, rtol=1e-11)
    assert_allclose(estimate.standard_error, error, rtol=1e-9)


@pytest.mark.parametrize(("samples", "n", "tasks"), [(1000, 8, 2), (3000, 16, 3)])
@pytest.mark.parametrize("rows", [16, 96, 1024])
def test_tasks_in_batches(samples: int, n: int, tasks: int, rows: int, slow_model, monkeypatch: pytest.MonkeyPatch):
    # a tile of several batches, of one, and of one drawn in several blocks
    monkeypatch.setattr(sample_sizes, "_BATCHES", 64)
    monkeypatch.setattr(pairs, "_ROWS", rows)
    estimate, u = recorded(slow_model("linear", 5), "square", samples, tasks)
    assert u.shape[1:3] == (tasks, n)
    assert samples - n * (tasks + 1) < estimate.n_samples <= samples
    value, error = u_statistic(pair_values(u))
    assert_allclose(estimate.value, value, rtol=1e-11)
    assert_allclose(estimate.standard_error, error, rtol=1e-9)
    # The norms come from the same examples; what is independent is a batch.
    *_, example = estimate.norms
    of_batches = (u**2).sum(axis=3).mean(axis=(1, 2))
    assert example.n_samples == estimate.n_samples
    assert_allclose(example.value, of_batches.mean(), rtol=1e-12)
    assert_allclose(example.standard_error, of_batches.std(ddof=1) / math.sqrt(len(u)), rtol=1e-9)


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (gv.Linear(np.ones(9)), "square"),
        (gv.MLP.random([9, 6, 1], "relu", rng=1), "hinge"),
        (gv.MLP.random([9, 4, 3, 1], rng=2, scale=3), "logistic"),
        (gv.from_function(lambda x: x[:, 0] * x[:, 1], lambda x: x[:, :1] * x[:, 1:2] + x[:, 2:3], 1), "square"),
    ],
)
def test_close_to_the_exact_number(model, loss: str):
    H = gv.PlantedParities(9, 3)
    truth = gv.gradient_variance(H, model, loss, method=TaskEnumeration()).value
    estimate = pairs_of_tasks(H, model, loss, rng=0)
    assert abs(estimate.value - truth) < 4 * estimate.standard_error
    exact = gv.bound_check(H, model, loss, method=TaskEnumeration(), rng=0)
    assert exact.gradient_norm_sq.exact
    for norm, known in zip(estimate.norms, (exact.gradient_norm_sq, exact.signal_norm_sq), strict=False):
        # a norm that is one number has no error but rounding
        assert abs(norm.value - known.value) <= 4 * norm.standard_error + 1e-12 * known.value


def test_bound_check_has_its_norms_from_the_same_examples():
    def noise(rng):
        return lambda n, rng: (rng.standard_normal((n, 3)), np.sign(rng.standard_normal(n)))

    H = gv.TaskClass(noise, 3, labels="signs")
    check = gv.bound_check(H, gv.MLP.random([3, 4, 1], rng=0), max_samples=2048, rtol=0, rng=0)
    found = (check.gradient_norm_sq, check.signal_norm_sq, check.example_norm_sq)
    assert found == check.variance.norms


def test_meets_rtol_and_stops_early_where_it_can():
    H, model = gv.PlantedParities(50, 5), gv.Linear(np.zeros(50))
    estimate = pairs_of_tasks(H, model, rtol=0.1, rng=0)
    low, high = estimate.interval
    assert (high - low) / 2 < 0.1 * estimate.value
    assert estimate.n_samples < 2**16
    finer = pairs_of_tasks(H, model, rtol=0.02, max_samples=2**19, rng=0)
    low, high = finer.interval
    assert (high - low) / 2 < 0.02 * finer.value
    assert estimate.n_samples < finer.n_samples < 2**19
    assert abs(finer.value - 5 * (1 - 5 / 50) / 4) < 4 * finer.standard_error


def settings(**changed) -> Settings:
    given = {"rtol": 0.0, "confidence": 0.95, "max_samples": 2**15, "rng": 0, "executor": None, "progress": False}
    return Settings.checked(**(given | changed))


def terms_of(H, model, loss: str, x: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Var and the three terms of the estimate's variance, from the tables of all tasks."""
    problem = gv.Problem(H, model, loss)
    a, b = problem.loss_split(x)
    g = model.gradient(x)
    means, covariances = [], []
    for weights, y in zip(probabilities, labels, strict=True):
        u = (a + y * b)[:, None] * g
        means.append(weights @ u)
        covariances.append((u - means[-1]).T @ (weights[:, None] * (u - means[-1])))
    v = np.array(means) - np.mean(means, axis=0)
    size = (v**2).sum(axis=1)
    mixed = [float(one @ covariance @ one) for one, covariance in zip(v, covariances, strict=True)]
    noise = [float((covariance**2).sum()) for covariance in covariances]
    return np.array([size.mean(), size.var(), np.mean(mixed), np.mean(noise)])


def test_the_pilot_estimates_the_terms_of_the_variance():
    # 65 536 examples: within a fifth, with Var ||v_A||^2 to the accuracy of the terms it is the difference of
    H, model = gv.PlantedParities(5, 3), gv.MLP.random([5, 4, 1], rng=5, scale=3)
    expected = terms_of(H, model, "square", reference.cube(5), *reference.planted_parities(5, 3))
    found = np.array(sample_sizes._Pilot(gv.Problem(H, model), settings())(4096 * 16)[:4])
    assert_allclose(found, expected, rtol=0.2, atol=0.2 * expected[0] ** 2)


def test_the_design_takes_many_examples_where_noise_hides_the_tasks_and_few_where_tasks_differ():
    # Tasks that are one target, seen through noise; and tasks of very different strength, seen without. Between 32
    # and 64 examples the variance hardly differs, and the pilot may take either.
    def noisy(rng):
        shift = 0.01 * rng.standard_normal(4)
        return lambda n, rng: (shift + rng.standard_normal((n, 4)), np.ones(n))

    def strong(rng):
        size = float(np.exp(2 * rng.standard_normal()))
        return lambda n, rng: (np.full((n, 4), size) + 0.01 * rng.standard_normal((n, 4)), np.ones(n))

    model = gv.Linear(np.zeros(4))
    many = sample_sizes.planned(gv.Problem(gv.TaskClass(noisy, 4), model), settings())
    few = sample_sizes.planned(gv.Problem(gv.TaskClass(strong, 4), model), settings())
    assert many.examples in (32, 64)
    assert few.examples == 2
    assert many.samples == few.samples == 2**15


@pytest.mark.parametrize("samples", [4, 5, 6, 63])
def test_few_samples_give_the_value_but_no_interval(samples: int):
    H, model = gv.PlantedParities(6, 3), gv.Linear(np.zeros(6))
    estimate = pairs_of_tasks(H, model, max_samples=samples, rng=0)
    assert 4 <= estimate.n_samples <= samples
    assert not estimate.resolved
    assert estimate.standard_error == math.inf
    assert math.isfinite(estimate.value)
    assert "resolve nothing" in estimate.guarantee


def test_gradients_that_are_never_met_are_unresolved():
    H = gv.PlantedParities(30, 3)
    rare = gv.from_function(lambda x: np.zeros(len(x)), lambda x: (x > 0).all(axis=1)[:, None] * x, 30)
    estimate = pairs_of_tasks(H, rare, rng=0)
    assert not estimate.resolved
    assert estimate.interval == (-math.inf, math.inf)


def test_targets_on_the_same_inputs_seen_as_tasks():
    # the coordinates of the uniform cube, of which the exact variance is that of SparseParities(d, 1)
    d = 6

    def sampler(rng):
        i = rng.integers(d)

        def task(n, rng):
            x = 2.0 * rng.integers(0, 2, size=(n, d)) - 1
            return x, x[:, i]

        return task

    H = gv.TaskClass(sampler, d, "signs", log2_size=math.log2(d))
    model = gv.MLP.random([d, 4, 1], rng=0)
    truth = gv.gradient_variance(gv.SparseParities(d, 1), model, method="enumeration").value
    estimate = pairs_of_tasks(H, model, rng=0)
    assert abs(estimate.value - truth) < 4 * estimate.standard_error
    assert estimate.standard_error < 0.2 * truth


def test_one_and_the_same_task_has_none():
    # never clamped: the values scatter around 0, below it too
    H = gv.TaskClass(lambda rng: lambda n, rng: (rng.standard_normal((n, 3)), np.ones(n)), 3)
    estimates = [pairs_of_tasks(H, gv.Linear(np.zeros(3)), max_samples=1024, rng=seed) for seed in range(20)]
    values = np.array([estimate.value for estimate in estimates])
    assert values.min() < 0 < values.max()
    assert all(low < 0 < high for low, high in (e.interval for e in estimates if abs(e.value) < e.standard_error))
    assert abs(values.mean()) < 4 * values.std(ddof=1) / math.sqrt(20)


def test_a_large_common_gradient_does_not_hide_a_small_variance():
    # u = -y x with x = c + shift + noise: h_AB is free of c, and so is its rounding up to eps c^2
    def sampler(rng):
        shift = rng.standard_normal(3)
        return lambda n, rng: (1e3 + shift + 0.1 * rng.standard_normal((n, 3)), np.ones(n))

    estimate = pairs_of_tasks(gv.TaskClass(sampler, 3), gv.Linear(np.zeros(3)), rng=0)
    assert abs(estimate.value - 3) < 4 * estimate.standard_error < 1


def test_gradients_whose_squares_leave_float64_are_an_error():
    H = gv.PlantedParities(8, 3)
    large = gv.from_function(lambda x: np.zeros(len(x)), lambda x: 2.0**700 * x, 8)
    with pytest.raises(NonFiniteError, match="rescale"):
        pairs_of_tasks(H, large, "correlation", rng=0)
    huge = gv.from_function(lambda x: np.full(len(x), 1e200), lambda x: x, 8)
    with pytest.raises(NonFiniteError, match="overflow"):
        pairs_of_tasks(H, huge, rng=0)


def test_same_bits_for_any_number_of_workers_and_for_processes():
    H, model = gv.PlantedParities(9, 3), gv.MLP.random([9, 6, 1], rng=0)
    values = set()
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            estimate = pairs_of_tasks(H, model, max_samples=2**13, rng=7, executor=pool)
            values.add((estimate.value, estimate.standard_error))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        estimate = pairs_of_tasks(H, model, max_samples=2**13, rng=7, executor=processes)
        values.add((estimate.value, estimate.standard_error))
    assert len(values) == 1
    assert pairs_of_tasks(H, model, max_samples=2**13, rng=8).value not in {value for value, _ in values}


class InterruptedAfter(Executor):
    """Runs so many tasks, then Ctrl-C arrives."""

    def __init__(self, tasks: int) -> None:
        self.left = tasks

    def submit(self, fn, /, *args, **kwargs):
        self.left -= 1
        if self.left < 0:
            signal.raise_signal(signal.SIGINT)
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_ctrl_c_hands_back_the_batches_that_were_finished(monkeypatch: pytest.MonkeyPatch):
    H, model = gv.PlantedParities(9, 3), gv.Linear(np.zeros(9))
    monkeypatch.setattr(pairs, "_ROWS", 1)
    monkeypatch.setattr(sample_sizes, "_BATCHES", 1024)
    with pytest.raises(Interrupted) as caught:
        pairs_of_tasks(H, model, max_samples=2**15, rtol=0, rng=0, executor=InterruptedAfter(400))
    estimate = caught.value.estimate
    assert estimate is not None
    assert estimate.resolved
    assert 0 < estimate.n_samples < 2**15
    assert abs(estimate.value - 3 * (1 - 3 / 9) / 4) < 4 * estimate.standard_error
    with pytest.raises(Interrupted) as caught:
        pairs_of_tasks(H, model, rng=0, executor=InterruptedAfter(0))
    assert caught.value.estimate is None


def test_declines_with_the_reason():
    declines = TaskPairs().declines
    model = gv.Linear(np.ones(6))
    assert declines(gv.Problem(gv.PlantedParities(6, 3), model)) is None
    assert "within-task minus between-task" in TaskPairs().plan(gv.Problem(gv.PlantedParities(6, 3), model))
    shared = declines(gv.Problem(gv.SparseParities(6, 3), model))
    assert isinstance(shared, NotApplicableError)
    assert "`draw(members, n, rng)`" in str(shared)
    infinite = declines(gv.Problem(gv.PlantedParities(6, 3), gv.InfiniteMLP(1, "relu")))
    assert "has no predictions" in str(infinite)
    large = gv.from_function(lambda x: x[:, 0], lambda x: x, 2**25)
    assert isinstance(declines(gv.Problem(gv.PlantedParities(6, 3), large)), TooLargeError)


@pytest.mark.parametrize("method", ["enumeration", "monte-carlo"])
def test_methods_for_shared_inputs_never_take_tasks_as_targets(method: str):
    # whatever they say, it is not the variance of the labels on the pooled inputs
    H, model = gv.PlantedParities(7, 3), gv.Linear(np.zeros(7))
    try:
        estimate = gv.gradient_variance(H, model, method=method, rng=0)
    except NotApplicableError:
        return
    low, high = estimate.interval
    assert low <= 3 * (1 - 3 / 7) / 4 <= high


def test_progress_bar(terminal: pytest.CaptureFixture[str]):
    pairs_of_tasks(gv.PlantedParities(5, 3), gv.Linear(np.ones(5)), max_samples=512, rng=0, progress=True)
    assert "pairs of tasks" in terminal.readouterr().err


def test_progress_hands_over_the_estimate_so_far():
    seen: list[gv.Estimate] = []
    H, model = gv.PlantedParities(9, 3), gv.Linear(np.ones(9))
    estimate = pairs_of_tasks(H, model, max_samples=2**14, rtol=0, rng=0, progress=seen.append)
    sizes = [so_far.n_samples for so_far in seen]
    assert sizes == sorted(set(sizes))
    assert seen[-1].value == estimate.value
    assert len(seen) > 8
