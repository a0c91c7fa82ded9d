"""Enumeration against the variance of the gradients of all risks, one hypothesis at a time."""

from __future__ import annotations

import math
import pickle
import tracemalloc
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.losses import as_loss
from gradvar.methods.enumeration import cube
from gradvar.problem import Problem
from gradvar.testing import reference


def slope(margin):
    """r' of a margin loss of our own, Lipschitz with constant 1."""
    return -1 / (1 + margin * margin)


LOSSES = {name: (name, name) for name in ("square", "correlation", "hinge", "logistic", "perceptron")}
LOSSES["margin"] = (gv.MarginLoss(slope, 1.0), slope)

CLASSES = ["parities", *(f"sparse-{k}" for k in range(5)), "finite-signs", "finite-real"]
MODELS = ["linear", "cosine", "function", "mlp-0-tanh", "mlp-3-tanh", "mlp-3-relu-nobias", "mlp-3x2-gelu"]

ACCEPTED = [
    (H, model, loss)
    for H in CLASSES
    for model in MODELS
    for loss in LOSSES
    if H != "finite-real" or loss in ("square", "correlation")
]


def enumerated(H, model, loss, **settings) -> gv.Estimate:
    estimate = gv.gradient_variance(H, model, loss, method="enumeration", **settings)
    assert estimate.exact
    assert estimate.method.startswith("enumeration")
    assert estimate.standard_error == 0
    return estimate


@pytest.mark.parametrize(("H", "model", "loss"), ACCEPTED)
def test_every_class_model_and_loss_at_dim_4(H: str, model: str, loss: str, slow_class, slow_model):
    classes, slow = slow_class(H, 4), slow_model(model, 4)
    fast_loss, slow_loss = LOSSES[loss]
    estimate = enumerated(classes.H, slow.model, fast_loss)
    classes.assert_variance(estimate.value, slow, slow_loss)
    low, high = estimate.interval
    assert low <= estimate.value <= high


@pytest.mark.parametrize("H", ["parities", *(f"sparse-{k}" for k in range(7))])
@pytest.mark.parametrize("model", ["mlp-4-relu", "mlp-3x2-sigmoid", "mlp-2-sin-nobias"])
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_every_degree_at_dim_6(H: str, model: str, loss: str, slow_class, slow_model):
    classes, slow = slow_class(H, 6), slow_model(model, 6)
    classes.assert_variance(enumerated(classes.H, slow.model, loss).value, slow, loss)


@pytest.mark.parametrize(("dim", "degree"), [(d, k) for d in (1, 2, 3) for k in (None, *range(d + 1))])
@pytest.mark.parametrize("model", ["linear", "mlp-2-tanh", "mlp-2x2-relu-nobias"])
def test_small_dimensions(dim: int, degree: int | None, model: str, slow_class, slow_model):
    classes = slow_class("parities" if degree is None else f"sparse-{degree}", dim)
    slow = slow_model(model, dim)
    classes.assert_variance(enumerated(classes.H, slow.model, "square").value, slow, "square")


@pytest.mark.parametrize("degree", [0, 5])
def test_a_class_of_one_member_has_no_variance(degree: int, slow_model):
    estimate = enumerated(gv.SparseParities(5, degree), slow_model("mlp-3-tanh", 5).model, "square")
    assert estimate.value == 0
    assert estimate.log2 == -math.inf


def test_a_finite_class_of_one_member_has_no_variance(slow_model):
    points = np.random.default_rng(0).normal(size=(9, 3))
    H = gv.FiniteClass(np.random.default_rng(1).normal(size=(1, 9)), points)
    assert enumerated(H, slow_model("mlp-3-tanh", 3).model, "square").value == 0


@pytest.mark.parametrize("dim", [1, 5, 10])
def test_linear_model_and_all_parities(dim: int):
    # d/2^d - d/4^d; published: d=5 0.1513671875, d=10 .009756088256835938
    published = {1: 0.25, 5: 0.1513671875, 10: 0.009756088256835938}[dim]
    w = np.random.default_rng(dim).normal(size=dim)
    assert_allclose(enumerated(gv.Parities(dim), gv.Linear(w), "square").value, published, rtol=1e-12)


@pytest.mark.large
def test_linear_model_and_all_parities_at_dim_20():
    w = np.random.default_rng(0).normal(size=20)
    value = enumerated(gv.Parities(20), gv.Linear(w), "square").value
    assert_allclose(value, 1.9073468138230965e-5, rtol=1e-12)


def all_ones_relu(n: int) -> gv.Model:
    """p = relu(sum_i w_i x_i) at w = 1."""
    return gv.from_function(
        lambda x: np.maximum(x.sum(axis=1), 0), lambda x: (x.sum(axis=1) > 0)[:, None] * x, n, dim=n
    )


def all_ones_relu_variance(n: int, k: int) -> float:
    """k(n-k)/(4n) (m_{k-1} - m_{k+1})^2, n odd, k even, m_j the Fourier coefficients of the majority."""

    def m(j: int) -> float:
        half = (n - 1) // 2
        ratio = math.comb(half, (j - 1) // 2) / math.comb(n - 1, j - 1)
        return (-1) ** ((j - 1) // 2) * ratio * 2.0 ** (1 - n) * math.comb(n - 1, half)

    return k * (n - k) / (4 * n) * (m(k - 1) - m(k + 1)) ** 2


@pytest.mark.parametrize(
    ("n", "k", "published"),
    [
        (9, 2, 3.797743e-2),
        pytest.param(15, 4, 3.084183e-4, marks=pytest.mark.large),
        (7, 4, None),
        (7, 6, None),
    ],
)
def test_all_ones_relu_neuron(n: int, k: int, published: float | None):
    value = enumerated(gv.SparseParities(n, k), all_ones_relu(n), "square").value
    assert_allclose(value, all_ones_relu_variance(n, k), rtol=1e-12)
    if published is not None:
        assert_allclose(value, published, rtol=2e-7)  # seven digits are printed


@pytest.mark.parametrize(("n", "k"), [(9, 2), (7, 4)])
def test_all_ones_relu_neuron_as_a_network_with_a_fixed_output_weight(n: int, k: int):
    # MLP parameters add the output weight v = 1, whose gradient is relu(sum x): W_k of that function on top
    model = gv.MLP([np.ones((1, n)), np.ones((1, 1))], activation="relu")
    relu = np.maximum(reference.cube(n).sum(axis=1), 0)
    coefficients = reference.parity_table(n, k) @ relu / 2**n
    value = enumerated(gv.SparseParities(n, k), model, "square").value
    assert_allclose(value, all_ones_relu_variance(n, k) + coefficients.var(), rtol=1e-12)


@pytest.mark.parametrize("H", ["parities", "sparse-2", "sparse-3", "finite-signs"])
@pytest.mark.parametrize("model", ["mlp-3-tanh", "mlp-3x2-relu", "function"])
@pytest.mark.parametrize(("loss", "factor"), [("correlation", 1), ("logistic", 0.25), ("perceptron", 0.25)])
def test_variance_relative_to_the_square_loss(H: str, model: str, loss: str, factor: float, slow_class, slow_model):
    H, model = slow_class(H, 5).H, slow_model(model, 5).model
    square = enumerated(H, model, "square").value
    assert_allclose(enumerated(H, model, loss).value, factor * square, rtol=1e-14)


def test_shamir_s_square_is_four_times_ours(slow_class, slow_model):
    # (p - y)^2 has b = -2: on labels +-1 it is the margin loss (1 - yp)^2 with r'(t) = -2(1 - t), no bound
    H, model = slow_class("sparse-2", 5).H, slow_model("mlp-3-tanh", 5).model
    doubled = gv.MarginLoss(lambda t: -2 * (1 - t), lipschitz=math.inf)
    square = enumerated(H, model, "square").value
    assert_allclose(enumerated(H, model, doubled).value, 4 * square, rtol=1e-12)


def test_hinge_is_the_square_loss_while_predictions_stay_inside_the_margin(slow_class):
    rng = np.random.default_rng(0)
    W, v = rng.normal(size=(3, 5)), rng.uniform(-0.3, 0.3, size=(1, 3))  # |p| <= sum |v| < 1
    H, small = slow_class("sparse-2", 5).H, gv.MLP([W, v])
    large = gv.MLP([W, 20 * v])
    assert_allclose(enumerated(H, small, "hinge").value, enumerated(H, small, "square").value, rtol=1e-14)
    assert enumerated(H, large, "hinge").value < 0.9 * enumerated(H, large, "square").value


def matrix_gradients(model, dim: int, loss: str) -> np.ndarray:
    """The gradients of the risks of all 2^dim parities by one matrix product a label, (2^dim, P).

    The model here is (W1, b1, W2, b2, activation); dl/dp takes only two values at a point, at labels +-1.
    """
    x = reference.cube(dim)
    p, g = reference.mlp_predict(*model, x), reference.mlp_gradient(*model, x)
    table = reference.parity_table(dim)
    result = 0
    for label in (1.0, -1.0):
        slopes = np.array([reference.loss_derivative(loss, float(value), label) for value in p])
        result = result + (table == label).astype(float) @ (slopes[:, None] * g)
    return result / 2**dim


def variance_of(gradients: np.ndarray) -> float:
    """Two passes."""
    return float(((gradients - gradients.mean(axis=0)) ** 2).sum() / len(gradients))


@pytest.fixture(scope="module")
def network() -> tuple[list[np.ndarray], list[np.ndarray], str]:
    rng = np.random.default_rng(12)
    weights = [rng.normal(size=(6, 12)) / math.sqrt(12), rng.normal(size=(4, 6)), rng.normal(size=(1, 4))]
    return weights, [0.3 * rng.normal(size=6), 0.3 * rng.normal(size=4), rng.normal(size=1)], "tanh"


@pytest.mark.large
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_two_hidden_layers_against_all_4096_parities_at_dim_12(loss: str, network):
    gradients = matrix_gradients(network, 12, loss)
    model = gv.MLP(network[0], network[1], activation="tanh")
    degrees = np.array([S.bit_count() for S in range(4096)])
    assert_allclose(enumerated(gv.Parities(12), model, loss).value, variance_of(gradients), rtol=1e-12)
    for k in (1, 2, 3, 6, 11):
        value = enumerated(gv.SparseParities(12, k), model, loss).value
        # rounding of a mean of 4096 terms, about 16 eps ||terms||, against deviations of norm sqrt(value)
        rounding = 16 * np.finfo(float).eps * 4
        assert abs(math.sqrt(value) - math.sqrt(variance_of(gradients[degrees == k]))) <= (
            5e-13 * math.sqrt(value) + rounding
        )


@pytest.mark.large
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_one_hidden_layer_against_all_4096_parities_at_dim_12(activation: str, network):
    W, b = [network[0][0], network[0][2][:, [0, 1, 2, 3, 0, 1]]], [network[1][0], network[1][2]]
    gradients = matrix_gradients((W, b, activation), 12, "square")
    model = gv.MLP(W, b, activation=activation)
    assert_allclose(enumerated(gv.Parities(12), model, "square").value, variance_of(gradients), rtol=1e-12)
    degrees = np.array([S.bit_count() for S in range(4096)])
    for k in (2, 5):
        value = enumerated(gv.SparseParities(12, k), model, "square").value
        assert_allclose(value, variance_of(gradients[degrees == k]), rtol=1e-12)


def test_the_settings_of_sampling_do_not_matter(slow_class, slow_model):
    H, model = slow_class("sparse-2", 5).H, slow_model("mlp-3-tanh", 5).model
    first = enumerated(H, model, "square")
    again = enumerated(H, model, "square", rng=3, rtol=0.5, max_samples=8, confidence=0.5)
    assert first.value == again.value
    assert again.interval[0] <= first.value <= again.interval[1]


@pytest.mark.parametrize("model", ["linear", "cosine", "function", "mlp-0-tanh", "mlp-3-relu", "mlp-3x2-gelu-nobias"])
@pytest.mark.parametrize("loss", ["square", "hinge", "logistic"])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_degree_spectrum(model: str, loss: str, dim: int, slow_model):
    slow = slow_model(model, dim)
    x = reference.cube(dim)
    expected = reference.degree_spectrum(dim, slow.predict(x), slow.gradient(x), loss)
    spectrum = gv.degree_spectrum(slow.model, loss, dim=dim)
    assert spectrum.shape == (dim + 1,)
    # roots of the entries are norms of vectors with rounding about 16 eps ||terms||, as for the variance
    scale = math.sqrt(reference.signal_norm_sq(np.full(2**dim, 0.5**dim), slow.predict(x), slow.gradient(x), "square"))
    rounding = 16 * np.finfo(float).eps * scale
    assert_allclose(np.sqrt(spectrum), np.sqrt(expected), rtol=5e-13, atol=rounding)


def test_degree_spectrum_sums_to_the_mean_squared_signal(slow_model):
    # Parseval: sum_k C(d, k) spectrum_k = E||s||^2
    slow = slow_model("mlp-4-tanh", 8)
    x = reference.cube(8)
    spectrum = gv.degree_spectrum(slow.model)
    total = sum(math.comb(8, k) * spectrum[k] for k in range(9))
    assert_allclose(total, reference.gradient_norm_sq(np.full(256, 1 / 256), slow.gradient(x)), rtol=1e-13)


def test_degree_spectrum_of_a_linear_model_is_degree_one():
    assert_allclose(gv.degree_spectrum(gv.Linear(np.arange(1.0, 5))), [0, 1, 0, 0, 0], atol=1e-30)


def units(activation: str, bias: bool, lattice: bool) -> gv.MLP:
    """Five hidden units on the cube of dimension 6; at lattice weights many pre-activations vanish."""
    rng = np.random.default_rng(3)
    inner = rng.integers(-2, 3, (5, 6)) / 10 if lattice else rng.standard_normal((5, 6))
    shift = [rng.integers(-2, 3, 5) / 10, [0.3]] if bias else None
    return gv.MLP([inner, rng.standard_normal((1, 5))], shift, activation)


@pytest.mark.parametrize("block", [1, 4, 64, 2**15])
@pytest.mark.parametrize("loss", ["square", "hinge"])
@pytest.mark.parametrize(
    ("activation", "bias", "lattice"), [("tanh", True, False), ("relu", True, True), ("sin", False, True)]
)
def test_units_may_be_evaluated_in_blocks_of_any_size(activation, bias, lattice, loss, block, monkeypatch):
    model, x = units(activation, bias, lattice), reference.cube(6)
    monkeypatch.setattr(cube, "_IN_CACHE", block)
    expected = reference.degree_spectrum(6, model.predict(x), model.gradient(x), loss)
    rounding = 16 * np.finfo(float).eps * np.linalg.norm(model.gradient(x)) / 8  # as above
    assert_allclose(np.sqrt(gv.degree_spectrum(model, loss)), np.sqrt(expected), rtol=5e-13, atol=rounding)
    H = gv.SparseParities(6, 3)  # has a mean
    monkeypatch.undo()
    whole = enumerated(H, model, loss)
    monkeypatch.setattr(cube, "_IN_CACHE", block)
    low, high = whole.interval  # rounding
    assert low <= enumerated(H, model, loss).value <= high


@pytest.mark.parametrize("numbers", [1, 64, 2**9, 2**11])
@pytest.mark.parametrize("loss", ["square", "hinge"])
@pytest.mark.parametrize("layers", [None, ["weights[0]", "weights[1]"], ["biases[1]"]])
def test_products_of_factors_may_be_taken_in_tiles_of_any_size(numbers, loss, layers, monkeypatch):
    network, H, x = gv.MLP.random([6, 5, 7, 1], bias=True, rng=0), gv.SparseParities(6, 3), reference.cube(6)
    model = network if layers is None else gv.trainable(network, layers)
    for name, value in (("_TASK", numbers), ("_RESIDENT", max(1, numbers // 4)), ("_TOGETHER", max(1, numbers // 64))):
        monkeypatch.setattr(cube, name, value)
    table = reference.parity_table(6, 3)  # their mean is not zero
    gradients = reference.gradients(table, np.full(64, 1 / 64), model.predict(x), model.gradient(x), loss)
    low, high = enumerated(H, model, loss).interval  # rounding
    assert low <= reference.gradient_variance(gradients) <= high


def test_means_of_products_are_sums_of_few_roundings():
    # Runs of 64, 32 of them, and halves: 64 + 32 + (d - 11) roundings, under the 8 (d + 8) of the guarantee.
    rng = np.random.default_rng(0)
    for dim in (0, 3, 6, 7, 11, 12, 15):
        few, many, mean = (
            rng.standard_normal((2, 2**dim)),
            rng.standard_normal((3, 2**dim)),
            rng.standard_normal(2**dim),
        )
        exact = [[math.fsum(a * mean * b) for b in many] for a in few]
        sizes = np.abs(few * mean) @ np.abs(many).T
        found = cube._sum_of_products(few, many, mean)
        assert np.all(np.abs(found - exact) <= (min(2**dim, 64) + 2 * dim + 3) * np.finfo(float).eps / 2 * sizes)


class Posts(Executor):
    """Does each task at once, from a pickled copy, as another process would."""

    def submit(self, task, /, *args):
        future = Future()
        future.set_result(pickle.loads(pickle.dumps(partial(task, *args)))())
        return future


def test_the_spectrum_has_the_same_bits_for_any_workers(monkeypatch):
    monkeypatch.setattr(cube, "_IN_CACHE", 8)  # a task for each unit
    model = units("tanh", True, False)
    expected = gv.degree_spectrum(model, "hinge", executor=Posts())
    for workers in (1, 2, 5):
        with ThreadPoolExecutor(workers) as pool:
            assert np.array_equal(gv.degree_spectrum(model, "hinge", executor=pool), expected)


def test_the_spectrum_has_the_same_bits_where_values_and_slopes_are_evaluated_one_after_the_other(monkeypatch):
    H, model = gv.SparseParities(6, 3), units("relu", True, True)
    expected, variance = gv.degree_spectrum(model, "hinge"), enumerated(H, model, "hinge").value
    monkeypatch.setattr(cube, "_ROOM", 0)
    assert np.array_equal(gv.degree_spectrum(model, "hinge"), expected)
    assert enumerated(H, model, "hinge").value == variance


@pytest.mark.large
@pytest.mark.parametrize(("loss", "room", "rows"), [("square", 2**22, 4), ("hinge", 2**22, 3)])
def test_two_workers_keep_two_rows_of_the_cube_each_or_one_where_there_is_no_room(loss, room, rows, monkeypatch):
    monkeypatch.setattr(cube, "_ROOM", room)
    model, row = gv.MLP.random([20, 12, 1], "relu", rng=0), 8 * 2**20
    with ThreadPoolExecutor(2) as pool:
        gv.degree_spectrum(gv.MLP.random([6, 2, 1], rng=0), loss, executor=pool)
        tracemalloc.start()
        try:
            gv.degree_spectrum(model, loss, executor=pool)
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < rows * row + 2 * 8 * 2**20  # and eight blocks that stay in the cache
    assert kept < row / 8  # nothing stays with the threads


@pytest.mark.alone
@pytest.mark.large
def test_an_enumeration_takes_the_memory_that_it_says_with_a_pool_of_the_user_too():
    H, model = gv.SparseParities(15, 3), gv.MLP.random([15, 32, 32, 1], "relu", rng=0)
    gv.gradient_variance(gv.SparseParities(4, 3), gv.MLP.random([4, 8, 8, 1], rng=0), method="enumeration")
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            gv.gradient_variance(H, model, method="enumeration", executor=pool)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < cube.memory_needed(Problem(H, model, as_loss("square")))
