"""Weight tying: any network as a weight-tied one, and equilibria that exist, or do not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.core.activations import ACTIVATIONS


def random_mlp(hidden: list[int], activation: str, biases: str) -> gv.MLP:
    rng = np.random.default_rng(len(hidden))
    sizes = [5, *hidden, 1]
    weights = [rng.normal(size=(out, into)) / np.sqrt(into) for into, out in itertools.pairwise(sizes)]
    given = [
        rng.normal(size=out) if biases == "all" or (biases == "some" and i % 2) else None
        for i, out in enumerate(sizes[1:])
    ]
    return gv.MLP(weights, given, activation)


def with_steps(model: gv.WeightTied, steps: int | None) -> gv.WeightTied:
    return gv.WeightTied(
        model.state_weights,
        model.input_weights,
        model.output_weights,
        model.bias,
        model.output_bias,
        steps=steps,
        activation=model.activation,
    )


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(20, 5))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("biases", ["all", "some", "none"])
@pytest.mark.parametrize("hidden", [[4], [4, 3], [3, 5, 2, 4]], ids=str)
def test_every_mlp_is_a_weight_tied_network(hidden, activation, biases, x):
    # to rounding: the zeros of W_z may make the sums of a product add in another order
    mlp = random_mlp(hidden, activation, biases)
    tied = gv.WeightTied.from_mlp(mlp)
    assert tied.steps == len(hidden)
    assert tied.state_weights.shape == (sum(hidden), sum(hidden))
    assert tied.activation == activation
    expected = mlp.predict(x)
    assert_allclose(tied.predict(x), expected, rtol=1e-13, atol=1e-14)
    assert_allclose(with_steps(tied, len(hidden) + 3).predict(x), expected, rtol=1e-13, atol=1e-14)
    assert_allclose(with_steps(tied, None).predict(x), expected, rtol=1e-13, atol=1e-14)


def test_one_step_fewer_is_another_function(x):
    mlp = random_mlp([4, 3], "tanh", "all")
    assert np.abs(with_steps(gv.WeightTied.from_mlp(mlp), 1).predict(x) - mlp.predict(x)).max() > 1e-2


@pytest.mark.parametrize("equilibrium", [False, True])
@pytest.mark.parametrize("hidden", [[4], [4, 3], [3, 5, 2]], ids=str)
def test_at_the_mlp_s_own_weights_the_gradient_is_the_mlp_s(hidden, equilibrium, x):
    mlp = random_mlp(hidden, "tanh", "all")
    tied = gv.WeightTied.from_mlp(mlp)
    g = (with_steps(tied, None) if equilibrium else tied).gradient(x)
    # an MLP with every weight numbered puts each number where its weight goes
    numbers = iter(range(1, mlp.n_parameters + 1))
    weights, biases = [], []
    for W, b in zip(mlp.weights, mlp.biases, strict=True):
        weights.append(np.array([next(numbers) for _ in range(W.size)], dtype=float).reshape(W.shape))
        biases.append(np.array([next(numbers) for _ in range(b.size)], dtype=float))
    where = gv.WeightTied.from_mlp(gv.MLP(weights, biases)).parameters.astype(int)
    kept = where > 0
    assert sorted(where[kept]) == list(range(1, mlp.n_parameters + 1))
    assert_allclose(g[:, kept], mlp.gradient(x)[:, where[kept] - 1], rtol=1e-12, atol=1e-14)


def test_the_gradient_has_more_components_than_the_mlp_s(x):
    tied = gv.WeightTied.from_mlp(random_mlp([4, 3], "tanh", "all"))
    g = tied.gradient(x)
    assert np.abs(g[:, tied.parameters == 0]).max() > 1e-2  # weights that are zero are parameters too


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_random_equilibria_contract(scale: float):
    model = gv.WeightTied.random(6, 20, None, rng=0, scale=scale)
    assert np.linalg.norm(model.state_weights, 2) <= 0.8 + 1e-12
    x = np.random.default_rng(1).choice([-1.0, 1.0], size=(50, 6))
    assert np.isfinite(model.gradient(x)).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_its_random_equilibrium(activation: str, x):
    model = gv.WeightTied.random(5, 20, None, activation, rng=0)
    h = with_steps(model, 1000)
    assert_allclose(model.predict(x), h.predict(x), rtol=1e-11, atol=1e-12)
    # same function, so the same gradient, although W_z is used a thousand times in one and once in the other
    assert_allclose(model.gradient(x), h.gradient(x), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("q", [0.5, 0.9, -0.9, 0.99])
def test_the_equilibrium_is_as_near_as_the_docstring_says(q: float):
    # h = q h + x: h = x/(1 - q); delta = 1/(1 - q). Error r q/(1 - q) in each, and some eps/(1 - q) of rounding.
    model = gv.WeightTied([[q]], [[1.0]], [1.0], steps=None, activation="identity")
    x = np.array([[1.0], [-3.0]])
    allowed = (1e-13 * abs(q) + 1e-15) / (1 - abs(q))
    assert_allclose(model.predict(x), x[:, 0] / (1 - q), rtol=allowed)
    slope = 1 / (1 - q)
    expected = np.column_stack([x[:, 0] * slope**2, x[:, 0] * slope, x[:, 0] * slope])
    assert_allclose(model.gradient(x), expected, rtol=2 * allowed)


X = np.array([[1.0, 1.0], [1.0, -1.0]])


@pytest.mark.parametrize(
    ("weights", "activation"),
    [
        ([[1.5]], "identity"),  # runs away
        ([[1e200]], "relu"),  # out of float64
        ([[-3.0]], "tanh"),  # swings between two states
        ([[1.0]], "identity"),  # goes on at the same pace
        ([[4.0]], "sin"),  # wanders
    ],
)
@pytest.mark.parametrize("verb", ["predict", "gradient", "tangent_factors"])
def test_no_equilibrium_is_an_error(weights, activation, verb):
    model = gv.WeightTied(weights, [[0.5, 0.5]], [1.0], [0.1], steps=None, activation=activation)
    with pytest.raises(ValueError, match=r"h = .* does not reach an equilibrium: .* use `state_weights` that contract"):
        getattr(model, verb)(X)
    assert np.isfinite(gv.WeightTied.random(2, 1, 3).predict(X)).all()


def test_an_unstable_equilibrium_has_no_gradient():
    # tanh(5h + x_1 - x_2) stays at h = 0 for x_1 = x_2, but no neighbouring weights do
    model = gv.WeightTied([[5.0]], [[1.0, -1.0]], [1.0], steps=None)
    assert_array_equal(model.predict(X[:1]), [0.0])
    with pytest.raises(ValueError, match=r"the gradient's equation .* does not reach an equilibrium"):
        model.gradient(X[:1])
    assert np.isfinite(model.gradient(X[1:])).all()


def test_the_error_reaches_the_user_of_bound_check():
    model = gv.WeightTied([[-3.0]], [[0.5, 0.5]], [1.0], [0.1], steps=None)
    with pytest.raises(ValueError, match="does not reach an equilibrium"):
        gv.bound_check(gv.Parities(2), model)
