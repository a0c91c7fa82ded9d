"""Convolutional, recurrent, attention, weight-tied and residual networks against their formulas in plain loops.

The loops run in complex arithmetic on the flat vector of parameters in the documented order, so that they give the
prediction, and by a complex step of 1e-30 its derivative to rounding: p(w + i h e_j) = p(w) + i h dp/dw_j.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

import gradvar as gv
from gradvar.models.base import tangent, tangent_factors

ACTIVATIONS: dict[str, Callable[[complex], complex]] = {
    "tanh": np.tanh,
    "relu": lambda z: z if z.real > 0 else 0,
    "relu6": lambda z: 0 if z.real <= 0 else 6 if z.real >= 6 else z,
    "erf": special.erf,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "sin": np.sin,
    "cos": np.cos,
    "gelu": lambda z: z * (1 + special.erf(z / np.sqrt(2))) / 2,
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "identity": lambda z: z,
}


class Reader:
    """Takes arrays one after the other off a flat vector."""

    def __init__(self, flat: np.ndarray) -> None:
        self.flat, self.start = flat, 0

    def __call__(self, *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        taken = self.flat[self.start : self.start + size].reshape(shape)
        assert taken.size == size
        self.start += size
        return taken

    def done(self) -> None:
        assert self.start == self.flat.size


def convolution(w, x, channels, widths, sigma, bias=True):
    read = Reader(w)
    a = [[value] for value in x]
    into = 1
    for out, width in zip(channels, widths, strict=True):
        K = read(out, into, width)
        b = read(out) if bias else np.zeros(out)
        new = []
        for t in range(len(a) - width + 1):
            z = [b[o] + sum(K[o, i, j] * a[t + j][i] for i in range(into) for j in range(width)) for o in range(out)]
            new.append([sigma(value) for value in z])
        a, into = new, out
    v = read(into)
    c = read(1)[0] if bias else 0.0
    read.done()
    return sum(v[o] * a[t][o] for o in range(into) for t in range(len(a))) / len(a) + c


def iterated(W, U, b, inputs, sigma):
    m = len(W)
    h = [0.0] * m
    for x in inputs:
        z = [
            sum(W[i, j] * h[j] for j in range(m)) + sum(U[i, j] * x[j] for j in range(len(x))) + b[i] for i in range(m)
        ]
        h = [sigma(value) for value in z]
    return h


def recurrence(w, x, m, k, sigma, bias=True):
    read = Reader(w)
    W, U = read(m, m), read(m, k)
    b = read(m) if bias else np.zeros(m)
    v = read(m)
    c = read(1)[0] if bias else 0.0
    read.done()
    h = iterated(W, U, b, [x[start : start + k] for start in range(0, len(x), k)], sigma)
    return sum(v[i] * h[i] for i in range(m)) + c


def tied(w, x, m, steps, sigma, bias=True):
    read = Reader(w)
    W, U = read(m, m), read(m, len(x))
    b = read(m) if bias else np.zeros(m)
    v = read(m)
    c = read(1)[0] if bias else 0.0
    read.done()
    h = iterated(W, U, b, [x] * steps, sigma)
    return sum(v[i] * h[i] for i in range(m)) + c


def residual(w, x, m, blocks, sigma, bias=True):
    read = Reader(w)
    h = None
    for layer in range(blocks + 1):
        fan_in = len(x) if h is None else m
        W = read(m, fan_in)
        b = read(m) if bias else np.zeros(m)
        a = x if h is None else h
        z = [sum(W[i, j] * a[j] for j in range(fan_in)) + b[i] for i in range(m)]
        h = z if layer == 0 else [h[i] + sigma(z[i]) for i in range(m)]
    v = read(m)
    c = read(1)[0] if bias else 0.0
    read.done()
    return sum(v[i] * h[i] for i in range(m)) + c


def attention(w, x, m, length, heads, bias=True):
    read = Reader(w)
    k, size = len(x) // length, m // heads
    E, P = read(m, k), read(length, m)
    Q, K, V, v = read(m, m), read(m, m), read(m, m), read(m)
    total = read(1)[0] if bias else 0.0
    read.done()
    z = [E @ x[t * k : (t + 1) * k] + P[t] for t in range(length)]
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        q = Q[rows] @ z[-1]
        powers = [np.exp(np.sum(q * (K[rows] @ z[t])) / np.sqrt(size)) for t in range(length)]
        for t in range(length):
            total = total + powers[t] / sum(powers) * np.sum(v[rows] * (V[rows] @ z[t]))
    return total


@dataclass(frozen=True)
class Case:
    model: gv.Recurrent  # any of the architectures
    formula: Callable[[np.ndarray, np.ndarray], complex]

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.array([complex(self.formula(self.model.parameters, row)).real for row in x])

    def gradient(self, x: np.ndarray) -> np.ndarray:
        w, h = self.model.parameters.astype(complex), 1e-30
        gradient = np.empty((len(x), w.size))
        for j in range(w.size):
            w[j] += 1j * h
            gradient[:, j] = [complex(self.formula(w, row)).imag / h for row in x]
            w[j] = w[j].real
        return gradient


DIM = 6
EQUILIBRIUM_STEPS = 250  # contraction by 0.8 * 1.13 at each: below 2e-11 in the end, and by tanh's 0.8 below 1e-24


def cases() -> dict[str, Case]:
    found: dict[str, Case] = {}

    def add(name: str, model, formula) -> None:
        rng = np.random.default_rng(len(found))
        moved = 0.3 if "equilibrium" not in name else 0.05
        w = model.parameters + moved * rng.normal(size=model.n_parameters)  # biases away from zero
        found[name] = Case(model.with_parameters(w), formula)

    for name, sigma in ACTIVATIONS.items():
        add(
            f"convolutional-{name}",
            gv.Convolutional.random(DIM, [2, 3], 2, name, rng=0),
            lambda w, x, sigma=sigma: convolution(w, x, [2, 3], [2, 2], sigma),
        )
        add(
            f"recurrent-{name}",
            gv.Recurrent.random(DIM, 3, 3, name, rng=0),
            lambda w, x, sigma=sigma: recurrence(w, x, 3, 2, sigma),
        )
        add(
            f"tied-{name}",
            gv.WeightTied.random(DIM, 3, 3, name, rng=0),
            lambda w, x, sigma=sigma: tied(w, x, 3, 3, sigma),
        )
        add(
            f"residual-{name}",
            gv.ResidualMLP.random(DIM, 3, 2, name, rng=0),
            lambda w, x, sigma=sigma: residual(w, x, 3, 2, sigma),
        )
    tanh = np.tanh
    add(
        "convolutional-whole-input",
        gv.Convolutional.random(DIM, [4], DIM, rng=1),
        lambda w, x: convolution(w, x, [4], [DIM], tanh),
    )
    add(
        "convolutional-last-layer-at-one-position",
        gv.Convolutional([np.ones((2, 1, 3)), np.ones((3, 2, 4))], np.ones(3), [np.ones(2), np.ones(3)], 1.0, dim=DIM),
        lambda w, x: convolution(w, x, [2, 3], [3, 4], tanh),
    )
    add(
        "convolutional-nobias",
        gv.Convolutional.random(DIM, [2, 2], 3, rng=1, bias=False),
        lambda w, x: convolution(w, x, [2, 2], [3, 3], tanh, bias=False),
    )
    add(
        "recurrent-one-coordinate-a-step",
        gv.Recurrent.random(DIM, 2, rng=1),
        lambda w, x: recurrence(w, x, 2, 1, tanh),
    )
    add("recurrent-one-step", gv.Recurrent.random(DIM, 3, 1, rng=1), lambda w, x: recurrence(w, x, 3, DIM, tanh))
    add("recurrent-two-steps", gv.Recurrent.random(DIM, 3, 2, rng=1), lambda w, x: recurrence(w, x, 3, 3, tanh))
    add(
        "recurrent-nobias",
        gv.Recurrent.random(DIM, 3, 2, rng=1, bias=False),
        lambda w, x: recurrence(w, x, 3, 3, tanh, bias=False),
    )
    for steps in (1, 2, 5):
        add(
            f"tied-{steps}-steps",
            gv.WeightTied.random(DIM, 3, steps, rng=1),
            lambda w, x, steps=steps: tied(w, x, 3, steps, tanh),
        )
    add(
        "tied-nobias",
        gv.WeightTied.random(DIM, 3, 3, rng=1, bias=False),
        lambda w, x: tied(w, x, 3, 3, tanh, bias=False),
    )
    for name in ("tanh", "relu"):
        add(
            f"equilibrium-{name}",
            gv.WeightTied.random(DIM, 3, None, name, rng=2),
            lambda w, x, sigma=ACTIVATIONS[name]: tied(w, x, 3, EQUILIBRIUM_STEPS, sigma),
        )
    add("residual-no-blocks", gv.ResidualMLP.random(DIM, 3, 0, rng=1), lambda w, x: residual(w, x, 3, 0, tanh))
    add(
        "residual-nobias",
        gv.ResidualMLP.random(DIM, 3, 2, rng=1, bias=False),
        lambda w, x: residual(w, x, 3, 2, tanh, bias=False),
    )
    for heads, length in ((1, 6), (2, 6), (4, 3), (1, 1), (2, 2)):
        add(
            f"attention-{heads}-heads-{length}-positions",
            gv.Attention.random(DIM, 4, heads, length, rng=1),
            lambda w, x, heads=heads, length=length: attention(w, x, 4, length, heads),
        )
    add(
        "attention-nobias",
        gv.Attention.random(DIM, 4, 2, 3, rng=1, bias=False),
        lambda w, x: attention(w, x, 4, 3, 2, bias=False),
    )
    return found


CASES = cases()
every_architecture = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, DIM))


@every_architecture
def test_predictions_and_gradients_are_the_formula_s(case: Case, x):
    # Errors of a few eps a term; at an equilibrium the iteration stops 1e-13/(1 - q) short, q some 0.8.
    assert_allclose(case.model.predict(x), case.predict(x), rtol=3e-12, atol=3e-13)
    assert_allclose(case.model.gradient(x), case.gradient(x), rtol=1e-11, atol=1e-12)


@every_architecture
def test_gradients_are_differences_of_predictions_with_other_parameters(case: Case, x):
    # (p(w + h) - p(w - h))/2h: third derivatives of order one cost h^2, rounding of p of order one eps/h
    w, h = case.model.parameters, 1e-5
    gradient = case.model.gradient(x)
    for j in range(w.size):
        step = h * (np.arange(w.size) == j)
        plus, minus = (case.model.with_parameters(w + sign * step).predict(x) for sign in (1, -1))
        assert_allclose(gradient[:, j], (plus - minus) / (2 * h), atol=2e-8)


@every_architecture
def test_tangent_factors_are_the_gradient_s(case: Case, x):
    factors = tangent_factors(case.model, x)
    assert all(A.shape[0] == B.shape[0] == len(x) for A, B in factors)
    columns = sum(A.shape[1] * B.shape[1] for A, B in factors)
    assert columns == case.model.n_parameters
    g = case.gradient(x)
    kernel = sum((A @ A.T) * (B @ B.T) for A, B in factors)
    assert_allclose(kernel, g @ g.T, rtol=1e-10, atol=1e-11)


@every_architecture
def test_predictions_and_factors_come_together(case: Case, x):
    p, factors = tangent(case.model, x)
    assert_array_equal(p, case.model.predict(x))
    for pair, other in zip(factors, case.model.tangent_factors(x), strict=True):
        for factor, same in zip(pair, other, strict=True):
            assert_array_equal(factor, same)


def test_what_a_subclass_says_of_itself_is_not_passed_over(x):
    class Doubled(gv.MLP):
        def predict(self, x):
            return 2 * super().predict(x)

    model = Doubled.random([DIM, 3, 1], rng=0)
    assert_array_equal(tangent(model, x)[0], 2 * gv.MLP.random([DIM, 3, 1], rng=0).predict(x))


@every_architecture
def test_rows_depend_on_their_own_inputs_alone(case: Case, x):
    model = case.model
    predictions, gradient = model.predict(x), model.gradient(x)
    for rows in (slice(0, 1), [3, 1]):
        assert_allclose(model.predict(x[rows]), predictions[rows], rtol=1e-12, atol=1e-13)
        assert_allclose(model.gradient(x[rows]), gradient[rows], rtol=1e-12, atol=1e-13)


@every_architecture
def test_no_inputs_give_no_rows(case: Case, x):
    model = case.model
    assert model.predict(x[:0]).shape == (0,)
    assert model.gradient(x[:0]).shape == (0, model.n_parameters)
    widths = [(A.shape[1], B.shape[1]) for A, B in model.tangent_factors(x)]
    assert [(A.shape, B.shape) for A, B in model.tangent_factors(x[:0])] == [((0, r), (0, q)) for r, q in widths]


@every_architecture
def test_parameters_go_round_and_stay_as_they_are(case: Case, x):
    model = case.model
    w = model.parameters
    assert w.shape == (model.n_parameters,) == (model.gradient(x).shape[1],)
    same = model.with_parameters(w)
    assert type(same) is type(model)
    assert repr(same) == repr(model)
    assert_array_equal(same.parameters, w)
    assert_array_equal(same.predict(x), model.predict(x))
    w[:] = 7.0
    assert not (model.parameters == 7.0).any()
    assert model.dim == DIM
    before = x.copy()
    model.tangent_factors(x)
    assert_array_equal(x, before)


@every_architecture
def test_many_inputs_are_taken_in_blocks(case: Case, x, monkeypatch):
    expected = case.model.predict(x), case.model.gradient(x), case.model.tangent_factors(x)
    monkeypatch.setattr("gradvar.models.network._NUMBERS", 3 * case.model._row_size())  # blocks of 3 and 1
    assert_allclose(case.model.predict(x), expected[0], rtol=1e-12, atol=1e-13)
    assert_allclose(case.model.gradient(x), expected[1], rtol=1e-12, atol=1e-13)
    for pair, other in zip(case.model.tangent_factors(x), expected[2], strict=True):
        for factor, same in zip(pair, other, strict=True):
            assert_allclose(factor, same, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("model", "widths"),
    [
        (gv.Convolutional.random(6, [4], 6, rng=0), [(7, 4), (5, 1)]),  # one position: a pair
        (gv.Convolutional.random(6, [4], 3, rng=0), [(12 + 4 + 5, 1)]),
        (gv.Recurrent.random(6, 3, 1, rng=0), [(7, 3), (9 + 4, 1)]),
        (gv.Recurrent.random(6, 3, 2, rng=0), [(3, 3), (9 + 3 + 4, 1)]),
        (gv.Recurrent.random(6, 3, 3, rng=0), [(9 + 6 + 3 + 4, 1)]),
        (gv.WeightTied.random(6, 3, 2, rng=0), [(3, 3), (7, 3), (4, 1)]),
        (gv.WeightTied.random(6, 3, 3, rng=0), [(7, 3), (9 + 4, 1)]),
        (gv.WeightTied.random(6, 3, None, rng=0), [(3, 3), (7, 3), (4, 1)]),
        (gv.ResidualMLP.random(6, 3, 2, rng=0), [(7, 3), (4, 3), (4, 3), (4, 1)]),
        (gv.Attention.random(6, 4, 2, rng=0), [(4, 2)] * 6 + [(4 + 24 + 5, 1)]),
    ],
    ids=repr,
)
def test_matrices_used_once_come_as_pairs(model, widths):
    factors = model.tangent_factors(np.ones((2, 6)))
    assert [(A.shape[1], B.shape[1]) for A, B in factors] == widths


def test_a_convolution_as_wide_as_its_input_is_a_hidden_layer(x):
    mlp = gv.MLP.random([DIM, 4, 1], rng=0)
    conv = gv.Convolutional(
        [mlp.weights[0][:, None]], mlp.weights[1][0], [mlp.biases[0]], float(mlp.biases[1][0]), dim=DIM
    )
    assert_allclose(conv.predict(x), mlp.predict(x), rtol=1e-14, atol=1e-15)
    assert_allclose(conv.gradient(x), mlp.gradient(x), rtol=1e-14, atol=1e-15)


def test_a_convolution_sees_where_a_pattern_is_not():
    model = gv.Convolutional.random(8, [5], 3, rng=0)
    x = np.zeros((2, 8))
    x[0, 2], x[1, 4] = 1.0, 1.0
    assert_allclose(*model.predict(x), rtol=1e-13)


def test_one_recurrent_step_is_a_hidden_layer(x):
    model = gv.Recurrent.random(DIM, 4, 1, rng=0)
    mlp = gv.MLP([model.input_weights, model.output_weights[None]], [model.bias, [0.0]])
    assert_allclose(model.predict(x), mlp.predict(x), rtol=1e-14, atol=1e-15)


def test_attention_without_positions_does_not_see_the_order_of_the_others():
    model = gv.Attention.random(8, 6, 2, rng=0)
    blind = gv.Attention(
        model.embedding, np.zeros((8, 6)), model.query, model.key, model.value, model.output_weights, heads=2
    )
    x = np.random.default_rng(1).choice([-1.0, 1.0], size=(5, 8))
    shuffled = x[:, [3, 1, 0, 2, 6, 5, 4, 7]]
    assert_allclose(blind.predict(shuffled), blind.predict(x), rtol=1e-13, atol=1e-14)
    assert np.abs(model.predict(shuffled) - model.predict(x)).max() > 1e-3


@pytest.mark.parametrize("length", [4, 16, 64])
def test_one_symbol_moves_soft_attention_by_the_lemma_s_order_of_one_over_length(length: int):
    # Hahn 2020, Lemma 5: at most 2 D exp(2A)/T for logits within +-A and values within +-D
    model = gv.Attention.random(length, 4, 1, rng=3)
    x = np.random.default_rng(length).choice([-1.0, 1.0], size=(200, length))
    z = x[:, :, None] * model.embedding[:, 0] + model.positions
    both = np.concatenate([z, z - 2 * x[:, :, None] * model.embedding[:, 0]])
    A = np.abs(np.einsum("ni,ntj,ki,kj->nt", z[:, -1], both[:200], model.query, model.key)).max() / 2
    A = max(A, np.abs(np.einsum("ni,ntj,ki,kj->nt", z[:, -1], both[200:], model.query, model.key)).max() / 2)
    D = np.abs(both @ model.value.T @ model.output_weights).max()
    for t in range(length - 1):
        other = x.copy()
        other[:, t] *= -1
        assert np.abs(model.predict(other) - model.predict(x)).max() <= 2 * D * np.exp(2 * A) / length


def test_attention_with_large_logits_is_finite():
    model = gv.Attention([[1.0]], np.zeros((3, 1)), [[1e3]], [[1.0]], [[1.0]], [1.0])
    x = np.array([[-1.0, -1.0, 1.0]])  # logits -1000, -1000, 1000
    assert_array_equal(model.predict(x), [1.0])
    assert np.isfinite(model.gradient(x)).all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda **to: gv.Convolutional.random(9, [4, 5], 3, **to),
        lambda **to: gv.Recurrent.random(9, 4, 3, **to),
        lambda **to: gv.WeightTied.random(9, 4, 3, **to),
        lambda **to: gv.ResidualMLP.random(9, 4, 2, **to),
        lambda **to: gv.Attention.random(9, 4, 2, 3, **to),
    ],
    ids=["Convolutional", "Recurrent", "WeightTied", "ResidualMLP", "Attention"],
)
def test_random_networks_follow_their_seed_and_scale(draw):
    w = draw(rng=3).parameters
    for again in (3, np.random.SeedSequence(3), np.random.default_rng(3)):
        assert_array_equal(draw(rng=again).parameters, w)
    assert not np.array_equal(draw(rng=4).parameters, w)
    assert_allclose(draw(rng=3, scale=3.0).parameters, 3 * w, rtol=1e-14)
    without = draw(rng=3, bias=False)
    assert without.n_parameters < w.size
    assert_array_equal(without.parameters[without.parameters != 0], w[w != 0])


def test_random_weights_have_standard_deviation_one_over_root_fan_in():
    # mean squares of >= 1200 draws have a relative standard deviation sqrt(2/n); 6 of them: 2e-9 each
    conv = gv.Convolutional.random(60, [40, 50], 30, rng=0)
    attention = gv.Attention.random(120, 60, 2, length=20, rng=0)
    recurrent = gv.Recurrent.random(120, 60, length=4, rng=0)
    tied = gv.WeightTied.random(30, 60, 2, rng=0)
    residual = gv.ResidualMLP.random(30, 60, 1, rng=0)
    for weights, fan_in in (
        (conv.kernels[0], 30),
        (conv.kernels[1], 1200),
        (attention.embedding, 6),
        (attention.positions, 1),
        *((matrix, 60) for matrix in (attention.query, attention.key, attention.value)),
        (recurrent.state_weights, 60),
        (recurrent.input_weights, 30),
        (tied.state_weights, 60),
        (tied.input_weights, 30),
        (residual.weights[0], 30),
        (residual.weights[1], 60),
    ):
        z = weights.ravel() * np.sqrt(fan_in)
        deviation = 6 * np.sqrt(2 / z.size)
        assert abs((z**2).mean() - 1) < deviation
        assert abs(z.mean()) < 6 / np.sqrt(z.size)


ON_THE_KINK = [0.1, 0.2, -0.3]  # sums to 0, and to 5.6e-17 in floating point


@pytest.mark.parametrize(
    "model",
    [
        gv.Convolutional([[[ON_THE_KINK]]], [1.0], dim=3, activation="relu"),
        gv.Recurrent([[1.0]], [ON_THE_KINK], [1.0], length=1, activation="relu"),
        gv.WeightTied([[1.0]], [ON_THE_KINK], [1.0], steps=2, activation="relu"),
        gv.WeightTied([[0.5]], [ON_THE_KINK], [1.0], steps=None, activation="relu"),
        gv.ResidualMLP([np.eye(3), np.outer([1, 1, 1], ON_THE_KINK)], [1.0, 0.0, 0.0], activation="relu"),
    ],
    ids=repr,
)
def test_relu_has_slope_zero_within_rounding_of_zero(model):
    g = model.gradient(np.ones((1, 3)))
    expected = np.zeros_like(g)
    if isinstance(model, gv.ResidualMLP):  # what it passes on remains: p = x_1
        expected[0, [0, 1, 2, -3, -2, -1]] = 1.0
    assert_array_equal(g, expected)


W1 = [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: gv.Convolutional([np.ones((2, 1, 5))], [1, 1], dim=4),
            gv.ShapeError,
            r"`kernels\[0\]` must not be wider than its input of 4 positions \(dim = 4\), got width 5",
        ),
        (
            lambda: gv.Convolutional.random(6, [2, 2, 2], 3),
            gv.ShapeError,
            r"`kernels\[2\]` must not be wider than its input of 2 positions \(dim = 6\), got width 3",
        ),
        (
            lambda: gv.Convolutional([np.ones((2, 1, 2)), np.ones((2, 3, 2))], [1, 1], dim=4),
            gv.ShapeError,
            r"`kernels\[1\]` must have shape \(channels out, 2, width\), .* got \(2, 3, 2\)",
        ),
        (lambda: gv.Convolutional([], [1.0], dim=4), gv.ShapeError, "`kernels` must hold at least one layer"),
        (lambda: gv.Convolutional([np.ones((2, 2))], [1.0], dim=4), gv.ShapeError, r"`kernels\[0\]` .* got \(2, 2\)"),
        (
            lambda: gv.Convolutional([np.ones((2, 1, 2))], [1.0], dim=4),
            gv.ShapeError,
            r"`output_weights` must have shape \(2,\), for 2 channels, got \(1,\)",
        ),
        (
            lambda: gv.Convolutional([np.ones((2, 1, 2))], [1, 1], [[1.0]], dim=4),
            gv.ShapeError,
            r"`biases\[0\]` must have shape \(2,\)",
        ),
        (
            lambda: gv.Convolutional([np.ones((2, 1, 2))], [1, 1], [None, None], dim=4),
            gv.ShapeError,
            "`biases` must hold one entry for each of the 1 layers, got 2",
        ),
        (lambda: gv.Convolutional.random(6, [], 3), gv.ShapeError, "`channels` must be a sequence .* got none"),
        (lambda: gv.Convolutional.random(6, 8, 3), TypeError, "`channels` must be a sequence of channels"),
        (lambda: gv.Convolutional.random(6, [2], 0), ValueError, "`width` must be an integer >= 1, got 0"),
        (lambda: gv.Recurrent.random(10, 4, 3), ValueError, "`length` must divide dim = 10, got 3"),
        (lambda: gv.Attention.random(10, 4, length=4), ValueError, "`length` must divide dim = 10, got 4"),
        (lambda: gv.Attention.random(10, 4, heads=3), ValueError, "`heads` must divide the width 4, got 3"),
        (
            lambda: gv.Attention([[1.0]], np.zeros((3, 2)), [[1.0]], [[1.0]], [[1.0]], [1.0]),
            gv.ShapeError,
            r"`positions` must have shape \(T, 1\)",
        ),
        (
            lambda: gv.Attention([[1.0]], np.zeros((3, 1)), [[1.0]], np.ones((2, 1)), [[1.0]], [1.0]),
            gv.ShapeError,
            r"`key` must have shape \(1, 1\), for embeddings of width 1, got \(2, 1\)",
        ),
        (
            lambda: gv.Recurrent(W1, W1, [1.0], length=2),
            gv.ShapeError,
            r"`state_weights` must have shape \(1, 1\), for 1 units, got \(1, 2\)",
        ),
        (lambda: gv.Recurrent([[1.0]], W1, [1.0, 2.0], length=2), gv.ShapeError, "`output_weights` must have shape"),
        (lambda: gv.Recurrent([[1.0]], W1, [1.0], [1.0, 1.0], length=2), gv.ShapeError, "`bias` must have shape"),
        (lambda: gv.Recurrent([[1.0]], W1, [1.0], length=0), ValueError, "`length` must be an integer >= 1, got 0"),
        (
            lambda: gv.Recurrent([[np.nan]], W1, [1.0], length=2),
            gv.NonFiniteError,
            r"`state_weights` must be finite, got nan",
        ),
        (
            lambda: gv.Recurrent([[1.0]], W1, [1.0], None, np.inf, length=2),
            gv.NonFiniteError,
            "`output_bias` must be a finite number, got inf",
        ),
        (
            lambda: gv.WeightTied([[1.0]], W1, [1.0], None, "a", steps=2),
            TypeError,
            "`output_bias` must be a finite number, got 'a'",
        ),
        (lambda: gv.WeightTied(W1, W1, [1.0], steps=2), gv.ShapeError, r"`state_weights` must have shape \(1, 1\)"),
        (lambda: gv.WeightTied([[1.0]], W1, [1.0], steps=0), ValueError, "`steps` must be an integer >= 1, got 0"),
        (lambda: gv.WeightTied([[1.0]], np.ones((0, 2)), [1.0], steps=1), gv.ShapeError, "with m, dim >= 1"),
        (
            lambda: gv.WeightTied.from_mlp(gv.MLP([W1])),
            ValueError,
            r"`mlp` must be an MLP with at least one hidden layer, got MLP\(2-1, tanh, no biases\)",
        ),
        (lambda: gv.WeightTied.from_mlp(gv.Linear([1.0])), ValueError, r"`mlp` must be an MLP .* got Linear"),
        (lambda: gv.ResidualMLP([], [1.0]), gv.ShapeError, "`weights` must hold at least one layer"),
        (lambda: gv.ResidualMLP([W1, W1], [1.0]), gv.ShapeError, r"`weights\[1\]` must have shape \(out, 1\)"),
        (
            lambda: gv.ResidualMLP([W1, np.ones((3, 1))], [1.0]),
            gv.ShapeError,
            r"`weights\[1\]` must have shape \(1, 1\), for 1 units, got \(3, 1\)",
        ),
        (
            lambda: gv.Convolutional([np.ones((2, 2, 2))], [1, 1], dim=4),
            gv.ShapeError,
            r"`kernels\[0\]` must have shape .* got \(2, 2, 2\)",
        ),
        (
            lambda: gv.ResidualMLP([np.ones((0, 3))], []),
            gv.ShapeError,
            r"`weights\[0\]` must have shape .*no axis empty, got \(0, 3\)",
        ),
        (lambda: gv.ResidualMLP([W1], [1.0], [None] * 2), gv.ShapeError, "`biases` must hold one entry"),
        (lambda: gv.ResidualMLP.random(3, 2, -1), ValueError, "`blocks` must be an integer >= 0, got -1"),
        (lambda: gv.ResidualMLP.random(3, 2, 1, "selu"), ValueError, "`activation` must be one of 'tanh', .* 'selu'"),
        (
            lambda: gv.ResidualMLP.random(3, 2, 1, scale=np.inf),
            ValueError,
            "`scale` must be a finite number >= 0, got inf",
        ),
        (
            lambda: gv.ResidualMLP([W1], [1.0]).predict(np.ones((2, 3))),
            gv.ShapeError,
            r"`x` must have shape \(n, 2\) for ResidualMLP\(2-1, 0 blocks, tanh\), got \(2, 3\)",
        ),
        (
            lambda: gv.ResidualMLP([W1], [1.0]).with_parameters(np.ones(4)),
            gv.ShapeError,
            r"`parameters` must have shape \(3,\) for ResidualMLP\(2-1, 0 blocks, tanh\), got \(4,\)",
        ),
        (
            lambda: gv.ResidualMLP([W1], [1.0]).with_parameters([1.0, np.nan, 1.0]),
            gv.NonFiniteError,
            "`parameters` must be finite",
        ),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
