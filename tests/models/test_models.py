"""Predictions, gradients and tangent factors of every model, against the reference's loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.testing import reference

ACTIVATIONS = ["tanh", "relu", "relu6", "erf", "sigmoid", "sin", "cos", "gelu", "softplus", "identity"]
WIDTHS = ["0", "4", "4x3", "3x4x2"]
MLPS = [
    f"mlp-{widths}-{activation}{bias}" for widths in WIDTHS for activation in ACTIVATIONS for bias in ("", "-nobias")
]
MODELS = [*MLPS, "linear", "cosine", "function"]


def kernel_of(factors: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The tangent kernel that the factors stand for, by its formula sum_l (A A^T) * (B B^T)."""
    return sum((A @ A.T) * (B @ B.T) for A, B in factors)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(7, 5))


@pytest.mark.parametrize("name", MODELS)
def test_predictions_and_gradients_are_the_reference_s(name: str, slow_model, x):
    slow = slow_model(name, 5)
    assert_allclose(slow.model.predict(x), slow.predict(x), rtol=1e-13, atol=1e-14)
    expected = slow.gradient(x)
    gradient = slow.model.gradient(x)
    assert gradient.shape == (7, slow.model.n_parameters)
    assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "function"])
def test_tangent_factors_give_the_kernel_of_the_gradients(name: str, slow_model, x):
    slow = slow_model(name, 5)
    factors = slow.model.tangent_factors(x)
    g = slow.gradient(x)
    assert all(A.shape[0] == B.shape[0] == 7 for A, B in factors)
    assert_allclose(kernel_of(factors), g @ g.T, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_each_row_depends_on_its_own_input_alone(name: str, slow_model, x):
    # to rounding: a matrix product may add in another order for another number of rows
    model = slow_model(name, 5).model
    predictions, gradient = model.predict(x), model.gradient(x)
    for rows in (slice(0, 1), slice(2, 5), [6, 0, 3]):
        assert_allclose(model.predict(x[rows]), predictions[rows], rtol=1e-13, atol=1e-14)
        assert_allclose(model.gradient(x[rows]), gradient[rows], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", MODELS)
def test_models_leave_their_input_alone_and_say_their_dimension(name: str, slow_model, x):
    model, before = slow_model(name, 5).model, x.copy()
    model.predict(x)
    model.gradient(x)
    assert_array_equal(x, before)
    if name != "function":
        assert model.dim == 5


def test_relu_has_slope_zero_at_zero():
    model = gv.MLP([np.array([[1.0, 1.0]]), np.array([[3.0]])], activation="relu")
    x = np.array([[1.0, -1.0], [1.0, 1.0]])
    assert_array_equal(model.gradient(x), [[0, 0, 0], [3, 3, 2]])


@pytest.mark.parametrize(("row", "kink"), [([0.1, 0.2, -0.3], 0.0), ([2.1, 2.2, 1.7], 6.0), ([8.1, -2.2, 0.1], 6.0)])
def test_relu6_has_slope_zero_at_and_within_rounding_of_both_its_kinks(row: list[float], kink: float):
    # 0.1 + 0.2 - 0.3 is 5.6e-17, 2.1 + 2.2 + 1.7 is 6
    model = gv.MLP([[row], [[3.0]]], activation="relu6")
    assert_array_equal(model.gradient([[1.0, 1.0, 1.0]]), [[0, 0, 0, kink]])
    recurrent = gv.Recurrent([[0.0]], [row], output_weights=[3.0], activation="relu6", length=1)
    assert recurrent.gradient([[1.0, 1.0, 1.0]])[0, -1] == kink
    inside = gv.MLP([[row], [[3.0]]], [[1e-9 if kink == 0 else -1e-9], None], activation="relu6")
    assert_array_equal(inside.gradient([[1.0, 1.0, 1.0]])[0, :4], [3, 3, 3, 3])
    assert_array_equal(gv.MLP([[[1.0]], [[1.0]]], activation="relu6").predict([[-1.0], [5.0], [9.0]]), [0, 5, 6])


def test_truncated_normal_weights_stay_within_two_standard_deviations():
    first, second = gv.MLP.random([400, 300, 1], rng=0, scale=3.0, distribution="truncated normal").weights
    z = first / 3 * 20
    assert np.abs(z).max() < 2
    assert np.abs(second).max() < 2 * 3 / np.sqrt(300)
    # E z^2 = 1 - 4 phi(2)/(2 Phi(2) - 1) = 0.8796^2, its standard error 0.86/sqrt(120 000) = 0.0025
    assert (z**2).mean() == pytest.approx(0.8796256**2, abs=5 * 0.0025)
    # the share beyond one standard deviation is 0.3173 - 0.0455 over 0.9545, its standard error 0.0013
    assert (np.abs(z) > 1).mean() == pytest.approx(0.28475, abs=5 * 0.0013)
    with pytest.raises(ValueError, match=r"`distribution` must be one of 'normal', 'truncated normal', got 'cut'"):
        gv.MLP.random([4, 2, 1], distribution="cut")


def test_parameters_are_ordered_layer_by_layer_weights_before_biases():
    weights = [np.array([[1.0, 2], [3, -1]]), np.array([[2.0, -1]])]
    biases = [np.array([0.0, 1]), np.array([0.5])]
    model = gv.MLP(weights, biases, activation="relu")
    x = np.array([[1.0, -1]])
    assert_array_equal(model.predict(x), [-4.5])
    assert_array_equal(model.gradient(x), [[0, 0, -1, 1, 0, -1, 0, 5, 1]])
    assert model.n_parameters == 9


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_far_out_are_finite_and_warn_of_nothing(activation: str):
    model = gv.MLP([np.array([[1.0]]), np.array([[1.0]])], activation=activation)
    x = np.array([[-800.0], [-40.0], [0.0], [40.0], [800.0]])
    expected = [reference.activation(activation, float(z)) for z in x[:, 0]]
    assert_allclose(model.predict(x), expected, rtol=1e-13, atol=1e-300)
    slopes = [reference.activation_derivative(activation, float(z)) for z in x[:, 0]]
    assert_allclose(model.gradient(x)[:, 0], x[:, 0] * slopes, rtol=1e-12, atol=1e-30)


@pytest.mark.parametrize("bias", [True, False])
def test_random_mlp_has_its_sizes_and_zero_biases(bias: bool):
    model = gv.MLP.random([20, 7, 3, 1], activation="erf", rng=0, bias=bias)
    assert [W.shape for W in model.weights] == [(7, 20), (3, 7), (1, 3)]
    assert model.activation == "erf"
    assert model.n_parameters == 140 + 21 + 3 + (7 + 3 + 1 if bias else 0)
    if bias:
        assert all((b == 0).all() for b in model.biases)


def test_random_mlp_is_gaussian_with_std_scale_over_root_fan_in():
    # 90 000 and 300 weights; a mean square has relative standard deviation sqrt(2/n); 5 of them: 6e-7
    model = gv.MLP.random([300, 300, 1], rng=1, scale=2.0)
    for W, fan_in in zip(model.weights, (300, 300), strict=True):
        z = W.ravel() * np.sqrt(fan_in) / 2
        assert abs(z.mean()) < 5 / np.sqrt(z.size)
        assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / z.size)
        assert abs((z**4).mean() - 3) < 5 * np.sqrt(96 / z.size)


def test_random_mlp_follows_its_seed():
    first = gv.MLP.random([6, 4, 1], rng=3).weights
    for again in (3, np.random.SeedSequence(3), np.random.default_rng(3)):
        same = gv.MLP.random([6, 4, 1], rng=again).weights
        assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    other = gv.MLP.random([6, 4, 1], rng=4).weights
    assert not np.array_equal(first[0], other[0])


def test_scale_multiplies_the_weights():
    one, three = (gv.MLP.random([6, 4, 1], rng=3, scale=scale).weights for scale in (1.0, 3.0))
    for a, b in zip(one, three, strict=True):
        assert_allclose(3 * a, b, rtol=1e-14)


def test_from_function_hands_through():
    model = gv.from_function(lambda x: x.sum(axis=1), lambda x: x[:, :2] * 3, 2)
    x = np.arange(6.0).reshape(2, 3)
    assert_array_equal(model.predict(x), [3, 12])
    assert_array_equal(model.gradient(x), [[0, 3], [9, 12]])
    assert model.n_parameters == 2
    assert gv.from_function(lambda x: x[:, 0], lambda x: x, 4, dim=4).dim == 4


def test_models_do_not_follow_later_changes_of_the_caller_s_arrays():
    w = np.ones(3)
    model = gv.Linear(w)
    weights = [np.ones((1, 3))]
    mlp = gv.MLP(weights)
    w[0] = weights[0][0, 0] = 7
    assert_array_equal(model.predict(np.ones((1, 3))), [3])
    assert_array_equal(mlp.predict(np.ones((1, 3))), [3])


def noisy(x):
    return x[:, 0] + 1e-3 * np.random.default_rng().normal(size=len(x))


def seeded_dropout(x):
    return (x * (np.random.default_rng(0).random(x.shape) < 0.8)).sum(axis=1)


@pytest.mark.parametrize("predict", [noisy, seeded_dropout, lambda x: x[:, 0] - x[:, 0].mean()])
def test_predictions_that_are_not_those_of_the_input_alone_are_noticed(predict):
    model = gv.from_function(predict, lambda x: x, 3)
    with pytest.raises(ValueError, match="`predict` must be a function of each input alone"):
        gv.bound_check(gv.Parities(3), model)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_rounding_in_single_precision_is_no_other_prediction(scale: float):
    W = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32)
    single = gv.from_function(lambda x: scale * np.tanh(x.astype(np.float32) @ W).sum(axis=1).astype(float), len, 1)
    single.predict(np.random.default_rng(1).normal(size=(300, 20)))


def test_predictions_that_are_not_finite_are_for_others_to_refuse():
    model = gv.from_function(lambda x: np.full(len(x), np.nan), lambda x: x, 3)
    assert np.isnan(model.predict(np.ones((2, 3)))).all()
