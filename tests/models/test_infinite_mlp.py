"""The kernel of InfiniteMLP: against quadrature, its power series, and the mean over random networks of ours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, special

import gradvar as gv
from gradvar.models.dual_activations import DUALS
from gradvar.testing import reference

ACTIVATIONS = ["relu", "erf"]


def conditional_mean(activation: str, derivative: bool, mean: float, std: float) -> float:
    """E[sigma(z)] or E[sigma'(z)] for z ~ N(mean, std^2)."""
    if activation == "relu":
        q = mean / std
        density = math.exp(-q * q / 2) / math.sqrt(2 * math.pi)
        return float(special.ndtr(q)) if derivative else mean * float(special.ndtr(q)) + std * density
    width = 1 + 2 * std**2
    if derivative:
        return 2 / math.sqrt(math.pi * width) * math.exp(-(mean**2) / width)
    return math.erf(mean / math.sqrt(width))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("v", "v2", "c"), [(1, 1, 0.3), (1, 1, -0.8), (0.5, 2, 0.9), (4, 0.25, -0.1), (30, 20, 10)])
def test_dual_activations_against_quadrature(activation: str, v: float, v2: float, c: float):
    found = DUALS[activation].at(*(np.array(float(number)) for number in (v, v2, c)))
    std = math.sqrt(v2 - c * c / v)
    for value, derivative in zip(found, (False, True), strict=True):
        function = reference.activation_derivative if derivative else reference.activation

        def integrand(q: float, function=function, derivative=derivative) -> float:
            z = math.sqrt(v) * q
            there = conditional_mean(activation, derivative, c / v * z, std)
            return function(activation, z) * there * math.exp(-q * q / 2) / math.sqrt(2 * math.pi)

        expected = (
            integrate.quad(integrand, -12, 0, epsabs=1e-13)[0] + integrate.quad(integrand, 0, 12, epsabs=1e-13)[0]
        )
        assert_allclose(value, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("depth", "width", "scale", "bias"),
    [(1, None, 1.0, True), (1, 30, 0.5, False), (2, 30, 1.0, True), (3, None, 2.5, False), (5, 100, 1.4, True)],
)
def test_power_series_is_the_kernel_s(activation: str, depth: int, width: int | None, scale: float, bias: bool):
    model = gv.InfiniteMLP(depth, activation, width, scale=scale, bias=bias, dim=7)
    coefficients, radius, total = model.power_series(512)
    assert radius >= 1
    assert (coefficients >= 0).all()
    rho = np.array([-0.9, -0.3, 0.0, 1e-3, 0.5, 0.9])
    # 0.9^512 = 4e-24, and the coefficients are bounded
    values = [math.fsum(coefficients * (r / radius) ** np.arange(512)) for r in rho]
    assert_allclose(model.kernel(rho), values, rtol=1e-12, atol=1e-13 * float(model.kernel(1.0)))
    assert math.fsum(coefficients) <= total * (1 + 1e-9)
    assert float(model.kernel(1.0)) <= total * (1 + 1e-9)


def test_one_hidden_layer_of_relu_by_hand():
    # K_1 = (sqrt(1 - r^2) + r (pi - arccos r))/2pi and D_1 = (pi - arccos r)/2pi
    rho = np.linspace(-1, 1, 11)
    slope = (math.pi - np.arccos(rho)) / (2 * math.pi)
    value = np.sqrt(1 - rho**2) / (2 * math.pi) + rho * slope
    assert_allclose(gv.InfiniteMLP(1).kernel(rho), (rho + 1) * slope + value + 1, atol=1e-15)
    assert_allclose(gv.InfiniteMLP(1, bias=False).kernel(rho), rho * slope + value, atol=1e-15)
    standard = gv.InfiniteMLP(1, width=9, dim=4, scale=2.0)
    assert_allclose(standard.kernel(rho), (4 * rho + 1) * 4 * slope + 9 * 4 * value + 1, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", [None, 11])
def test_tangent_kernel_on_the_cube_is_the_kernel_of_the_cosine(activation: str, width: int | None):
    model = gv.InfiniteMLP(2, activation, width, scale=1.3)
    x = gv.Hypercube(6).points(0, 64)
    assert_allclose(model.tangent_kernel(x[:20], x), model.kernel(x[:20] @ x.T / 6, dim=6), rtol=1e-13)


def random_kernels(sizes, activation, x, n, ntk=False, **options) -> np.ndarray:
    """<g, g'> of n random networks; in the NTK parametrisation weights count scale^2/fan_in times."""
    kernels = []
    for seed in range(n):
        model = gv.MLP.random(sizes, activation, rng=seed, **options)
        factors = []
        for (a, b), fan_in in zip(model.tangent_factors(x), sizes[:-1], strict=True):
            weight = options.get("scale", 1.0) ** 2 / fan_in if ntk else 1.0
            inner = a[:, :fan_in] @ a[:, :fan_in].T * weight + a[:, fan_in:] @ a[:, fan_in:].T
            factors.append(inner * (b @ b.T))
        kernels.append(sum(factors))
    return np.array(kernels)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("ntk", [True, False])
def test_one_hidden_layer_is_the_mean_over_networks_of_any_width(activation: str, bias: bool, ntk: bool):
    # 10 entries each, 4.5 standard errors: 6e-4 for all eight cases
    x = np.random.default_rng(1).normal(size=(4, 5))
    kernels = random_kernels([5, 3, 1], activation, x, 3000, ntk, scale=1.5, bias=bias)
    model = gv.InfiniteMLP(1, activation, None if ntk else 3, scale=1.5, bias=bias)
    error = kernels.std(axis=0) / math.sqrt(len(kernels))
    assert (np.abs(kernels.mean(axis=0) - model.tangent_kernel(x, x)) <= 4.5 * error).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("ntk", [True, False])
def test_deeper_networks_tend_to_it_as_their_width_grows(activation: str, ntk: bool):
    x = np.random.default_rng(1).normal(size=(4, 5))
    for width in (32, 256):
        kernels = random_kernels([5, width, width, 1], activation, x, 60, ntk)
        expected = gv.InfiniteMLP(2, activation, None if ntk else width).tangent_kernel(x, x)
        error = kernels.std(axis=0) / math.sqrt(len(kernels))
        top = expected.max()
        assert (np.abs(kernels.mean(axis=0) - expected) <= 4.5 * error + 3 * top / width).all()
        # and each network by itself, as 1/sqrt(width)
        assert np.abs(kernels / top - expected / top).mean() <= 3 / math.sqrt(width)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_kernel_per_unit_of_width_has_a_limit_without_the_input_layer(activation: str):
    rho = np.array([-0.5, 0.2, 1.0])
    near, far = (gv.InfiniteMLP(2, activation, n, dim=5).kernel(rho) / n for n in (10**6, 10**8))
    assert_allclose(near, far, rtol=1e-4)
    # the terms with factor n alone: those of two widths apart
    one, two = (gv.InfiniteMLP(2, activation, n, dim=5).kernel(rho) for n in (1, 2))
    assert_allclose(far, two - one, rtol=1e-6)


def test_inputs_at_zero_do_not_move_a_relu_network_without_biases():
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert_array_equal(gv.InfiniteMLP(2, "relu", bias=False).tangent_kernel(x, x)[0], 0)
    model = gv.MLP.random([2, 6, 6, 1], "relu", rng=0, bias=False)
    assert_array_equal(model.gradient(x)[0], 0)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "sin", "identity", "nonsense"])
def test_activations_without_a_closed_form_are_refused(activation: str):
    with pytest.raises(ValueError, match="`activation` of InfiniteMLP must be 'relu' or 'erf'"):
        gv.InfiniteMLP(1, activation)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((0,), {}, ValueError),
        ((1.5,), {}, TypeError),
        ((1, "relu", 0), {}, ValueError),
        ((1,), {"scale": 0}, ValueError),
        ((1,), {"scale": math.inf}, ValueError),
        ((1,), {"scale": math.nan}, ValueError),
        ((1,), {"dim": 0}, ValueError),
    ],
)
def test_wrong_arguments(arguments: tuple, options: dict, error: type):
    with pytest.raises(error):
        gv.InfiniteMLP(*arguments, **options)


def test_kernel_refuses_what_is_no_cosine_and_asks_for_the_dimension():
    with pytest.raises(ValueError, match="rho"):
        gv.InfiniteMLP(1).kernel([1.5])
    with pytest.raises(gv.ShapeError, match="dim"):
        gv.InfiniteMLP(1, width=5).kernel([0.5])
    with pytest.raises(gv.ShapeError):
        gv.InfiniteMLP(1, dim=3).tangent_kernel(np.ones((2, 4)), np.ones((2, 4)))
    with pytest.raises(gv.ShapeError):
        gv.InfiniteMLP(1).tangent_kernel(np.ones((2, 4)), np.ones((2, 3)))
    with pytest.raises(gv.ShapeError):
        gv.InfiniteMLP(1).tangent_kernel(np.ones(4), np.ones(4))


def test_it_says_what_it_is():
    model = gv.InfiniteMLP(2, "erf", 64, scale=1.5, bias=False, dim=9)
    assert repr(model) == "InfiniteMLP(2, 'erf', width=64, scale=1.5, bias=False, dim=9)"
    assert "leading order" in model.description
    assert "NTK parametrisation" in gv.InfiniteMLP(1).description
    assert not hasattr(model, "predict")
