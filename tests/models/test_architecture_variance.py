"""Expressive is not learnable: the variance of every architecture at d = 10 is the brute force's, and within the bound.

The reference differentiates the risk of one parity at a time, grad F_h = E_x[(p(x) - h(x)) g(x)], with the model's own
gradient (see test_architectures.py for that), and takes the variance over the parities in two passes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import gradvar as gv
from gradvar.models.constructions import parity_deep_xor, parity_one_hidden_layer, parity_recurrent, sawtooth
from gradvar.testing import reference

DIM = 10
TARGET = [0, 1, 2]


@cache
def parities() -> tuple[np.ndarray, np.ndarray]:
    """The cube and all parities on it, in the order of their numbers."""
    return reference.cube(DIM), reference.parity_table(DIM)


def brute_force(model, degree: int | None) -> tuple[float, float]:
    """Var over all parities (or those of one degree), and the rounding of a gradient's norm."""
    x, table = parities()
    if degree is not None:
        table = table[[number.bit_count() == degree for number in range(2**DIM)]]
    p, g = model.predict(x), model.gradient(x)
    gradients = np.array([(p - h) @ g / 2**DIM for h in table])
    deviations = gradients - gradients.mean(axis=0)
    largest = float(np.max((p - table) ** 2 @ np.sum(g**2, axis=1))) / 2**DIM
    return float(np.mean(np.sum(deviations**2, axis=1))), 16 * np.finfo(float).eps * largest**0.5


def train(model, steps: int = 300, rate: float = 0.05, batch: int = 32):
    """Plain stochastic gradient descent on 1/2 (p - y)^2 for a parity of three coordinates."""
    rng = np.random.default_rng(0)
    w = model.parameters
    for _ in range(steps):
        x = rng.choice([-1.0, 1.0], size=(batch, DIM))
        now = model.with_parameters(w)
        w = w - rate * (now.predict(x) - x[:, TARGET].prod(axis=1)) @ now.gradient(x) / batch
    return model.with_parameters(w)


RANDOM = {
    "convolutional": gv.Convolutional.random(DIM, [4, 4], 3, rng=0),
    "convolutional-relu": gv.Convolutional.random(DIM, [6], 4, "relu", rng=0),
    "recurrent": gv.Recurrent.random(DIM, 6, rng=0),
    "recurrent-two-coordinates-a-step": gv.Recurrent.random(DIM, 4, 5, "relu", rng=0),
    "attention": gv.Attention.random(DIM, 6, rng=0),
    "attention-two-heads": gv.Attention.random(DIM, 6, 2, 5, rng=0),
    "tied": gv.WeightTied.random(DIM, 8, 4, rng=0),
    "equilibrium": gv.WeightTied.random(DIM, 8, None, rng=0),
    "residual": gv.ResidualMLP.random(DIM, 8, 3, rng=0),
    "residual-relu": gv.ResidualMLP.random(DIM, 8, 2, "relu", rng=0),
}
CONSTRUCTED = {
    "parity-one-hidden-layer": parity_one_hidden_layer(DIM),
    "parity-one-hidden-layer-of-three": parity_one_hidden_layer(DIM, TARGET),
    "parity-deep-xor": parity_deep_xor(DIM),
    "parity-deep-xor-of-three": parity_deep_xor(DIM, TARGET),
    "parity-recurrent": parity_recurrent(DIM),
    "parity-tied": gv.WeightTied.from_mlp(parity_deep_xor(DIM, TARGET)),
}


@cache
def model_of(name: str):
    if name.startswith("trained-"):
        return train(RANDOM[name.removeprefix("trained-")])
    return {**RANDOM, **CONSTRUCTED}[name]


MODELS = [*RANDOM, *CONSTRUCTED, *(f"trained-{name}" for name in RANDOM)]


def assert_variance(value: float, expected: float, rounding: float) -> None:
    """Roots of variances are norms over the class, so they differ by the rounding of the gradients at most."""
    assert abs(value**0.5 - expected**0.5) <= 1e-12 * expected**0.5 + rounding


@pytest.mark.parametrize("name", MODELS)
def test_variance_over_all_parities(name: str):
    model = model_of(name)
    expected, rounding = brute_force(model, None)
    check = gv.bound_check(gv.Parities(DIM), model)
    assert check.variance.exact
    assert_variance(check.variance.value, expected, rounding)
    assert_variance(gv.gradient_variance(gv.Parities(DIM), model, method="enumeration").value, expected, rounding)
    assert check.verdict == "holds"
    assert expected <= check.bound
    assert check.gradient_norm_sq.value == pytest.approx(np.sum(model.gradient(parities()[0]) ** 2) / 2**DIM, rel=1e-12)


@pytest.mark.parametrize("degree", [1, 3, 8])
@pytest.mark.parametrize("name", MODELS)
def test_variance_over_the_parities_of_one_degree(name: str, degree: int):
    model = model_of(name)
    expected, rounding = brute_force(model, degree)
    H = gv.SparseParities(DIM, degree)
    check = gv.bound_check(H, model)
    assert check.variance.exact
    assert_variance(check.variance.value, expected, rounding)
    assert check.verdict == "holds"
    assert expected <= check.bound


@pytest.mark.parametrize("name", RANDOM)
def test_training_changes_the_weights_and_lowers_the_risk(name: str):
    x, _ = parities()
    y = x[:, TARGET].prod(axis=1)
    before, after = (np.mean((model_of(n).predict(x) - y) ** 2) for n in (name, f"trained-{name}"))
    assert after < before


@pytest.mark.parametrize("name", ["recurrent", "attention-two-heads", "tied", "convolutional"])
def test_monte_carlo_through_the_factors_agrees(name: str):
    # the interval at confidence 1 - 1e-6 of one fixed seed
    H = gv.SparseParities(DIM, 1)
    model = model_of(name)
    expected, _ = brute_force(model, 1)
    found = gv.gradient_variance(H, model, method="monte-carlo", confidence=1 - 1e-6, max_samples=4096, rng=1)
    assert found.interval[0] <= expected <= found.interval[1]
    assert found.standard_error < 0.2 * expected


@pytest.mark.parametrize("k", [1, 3, 5])
def test_variance_at_the_sawtooth_obeys_the_bound(k: int):
    # Walsh functions of 64 cells of [0, 1], an orthonormal class on their midpoints
    bits = 6
    points = (np.arange(2**bits)[:, None] + 0.5) / 2**bits
    table = reference.parity_table(bits)
    H = gv.FiniteClass(table, points)
    model = sawtooth(k)
    p, g = model.predict(points), model.gradient(points)
    gradients = np.array([(p - h) @ g / 2**bits for h in table])
    expected = float(np.mean(np.sum((gradients - gradients.mean(axis=0)) ** 2, axis=1)))
    check = gv.bound_check(H, model)
    assert check.variance.value == pytest.approx(expected, rel=1e-11)
    assert check.verdict == "holds"
    assert expected <= check.bound == pytest.approx(np.sum(g**2) / 2**bits / 2**bits, rel=1e-9)
