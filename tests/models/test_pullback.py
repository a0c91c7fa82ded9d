"""Pullbacks against sums over gradients that are stored."""

import numpy as np
import pytest

import gradvar as gv
from gradvar.models import network
from gradvar.models.base import pullback

LATTICE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 7.0])
MODELS = {
    "linear": gv.Linear(np.linspace(-1, 1, 6)),
    "cosine": gv.Cosine(np.linspace(-1, 1, 6)),
    "no hidden layer": gv.MLP.random([6, 1], rng=0),
    "tanh": gv.MLP.random([6, 5, 1], "tanh", rng=0),
    "relu": gv.MLP.random([6, 5, 1], "relu", rng=0),
    "relu, deep": gv.MLP.random([6, 5, 1, 4, 1], "relu", rng=0),
    "sigmoid, deep": gv.MLP.random([6, 5, 4, 1], "sigmoid", rng=0),
    "identity": gv.MLP.random([6, 5, 1], "identity", rng=0),
    "no biases": gv.MLP.random([6, 5, 4, 1], "gelu", rng=0, bias=False),
    "some biases": gv.MLP([np.ones((3, 6)) / 7, np.ones((1, 3))], [None, [0.5]], "sin"),
    "relu on a lattice": gv.MLP([LATTICE[None] / 10, [[1.0]]], None, "relu"),
    "convolutional": gv.Convolutional.random(6, [3], 2, rng=0),
    "recurrent": gv.Recurrent.random(6, 4, rng=0),
    "attention": gv.Attention.random(6, 4, rng=0),
    "weight-tied": gv.WeightTied.random(6, 4, steps=3, rng=0),
    "equilibrium": gv.WeightTied.random(6, 4, steps=None, rng=0),
    "residual": gv.ResidualMLP.random(6, 4, blocks=2, activation="relu", rng=0),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n", [0, 1, 64])
def test_the_pullback_is_the_weighted_sum_of_gradients(name, n):
    model = MODELS[name]
    x = gv.Hypercube(6).points(0, n)
    c = np.random.default_rng(0).standard_normal(n)
    p, pull = pullback(model, x)
    g = model.gradient(x)
    # n + width + depth additions of products: some 100 eps of the sum of their sizes.
    np.testing.assert_allclose(p, model.predict(x), rtol=0, atol=1e-13)
    found = pull(c)
    assert found.shape == (model.n_parameters,)
    assert (np.abs(found - c @ g) <= 1e-13 * (1 + np.abs(c) @ np.abs(g))).all()


def test_the_slope_of_a_relu_is_0_on_its_kink_however_it_rounds():
    # (x_1 + 2 x_2 + 3 x_3 + 4 x_4 + 5 x_5 + 7 x_6)/10 is 0 at 4 of the points, and rounds to +-1e-17 at some of them.
    model, x = MODELS["relu on a lattice"], gv.Hypercube(6).points(0, 64)
    on_the_kink = x @ LATTICE == 0
    assert on_the_kink.sum() == 4
    assert np.abs(x @ (LATTICE / 10))[on_the_kink].max() > 0
    _, pull = pullback(model, x)
    assert (pull(on_the_kink.astype(float)) == 0).all()


def test_architectures_take_inputs_in_blocks(monkeypatch):
    model, x = MODELS["convolutional"], gv.Hypercube(6).points(0, 64)
    c = np.random.default_rng(0).standard_normal(64)
    whole = pullback(model, x)
    monkeypatch.setattr(network, "_NUMBERS", 1)
    parts = pullback(model, x)
    np.testing.assert_allclose(parts[0], whole[0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(parts[1](c), whole[1](c), rtol=0, atol=1e-12)
