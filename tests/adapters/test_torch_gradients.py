"""Gradients and variances of PyTorch modules, against plain autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch_modules import MODULES, Truth, build, plain

import gradvar as gv
from gradvar.testing import reference


@pytest.fixture
def x() -> np.ndarray:
    return reference.cube(6)[[0, 5, 63, 17, 40, 41, 2]]


@pytest.mark.parametrize("name", MODULES)
def test_predictions_gradients_and_factors_are_those_of_plain_autograd(name: str, x):
    module, transform = build(name)
    truth = Truth(module, transform)
    model = gv.from_torch(module, transform=transform)
    expected = truth.gradient(x)
    assert model.n_parameters == expected.shape[1]
    scale = np.abs(expected).max()
    assert_allclose(model.predict(x), truth.predict(x), rtol=1e-12, atol=1e-14)
    assert_allclose(model.gradient(x), expected, rtol=1e-12, atol=1e-13 * scale)
    factors = model.tangent_factors(x)
    kernel = sum((a @ a.T) * (b @ b.T) for a, b in factors)
    assert_allclose(kernel, expected @ expected.T, rtol=1e-12, atol=1e-12 * np.square(expected).sum(axis=1).max())
    written_out = sum(a.shape[1] * b.shape[1] for a, b in factors)
    assert written_out == model.n_parameters


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("chunk", [1, 3])
def test_chunks_change_nothing(name: str, chunk: int, x):
    module, transform = build(name)
    whole, parts = (gv.from_torch(module, transform=transform, chunk=c) for c in (None, chunk))
    scale = np.abs(whole.gradient(x)).max()
    assert_allclose(parts.predict(x), whole.predict(x), rtol=1e-12, atol=1e-14)
    assert_allclose(parts.gradient(x), whole.gradient(x), rtol=1e-12, atol=1e-13 * scale)
    for one, other in zip(parts.tangent_factors(x), whole.tangent_factors(x), strict=True):
        assert [side.shape for side in one] == [side.shape for side in other]


@pytest.mark.parametrize(
    ("name", "loss"), [*((name, "square") for name in MODULES), ("conv2d", "logistic"), ("attention", "logistic")]
)
def test_variance_is_that_of_the_gradients_of_the_true_risks(name: str, loss: str):
    module, transform = build(name)
    truth, model = Truth(module, transform), gv.from_torch(module, transform=transform)
    points, all_parities, pairs = reference.cube(6), gv.Parities(6), gv.SparseParities(6, 2)
    expected = truth.variance(reference.parity_table(6), points, loss)
    for method in ("closed-form", "enumeration"):
        found = gv.gradient_variance(all_parities, model, loss, method=method)
        assert found.exact
        assert found.value == pytest.approx(expected, rel=1e-11)
    expected = truth.variance(reference.parity_table(6, 2), points, loss)
    assert gv.gradient_variance(pairs, model, loss).value == pytest.approx(expected, rel=1e-11)


def test_a_sampled_variance_covers_the_exact_one():
    module, transform = build("encoder")
    model = gv.from_torch(module, transform=transform)
    H = gv.SparseParities(6, 2)
    sampled = gv.gradient_variance(H, model, method="monte-carlo", max_samples=2048, rtol=0, confidence=0.999, rng=0)
    low, high = sampled.interval
    assert low <= gv.gradient_variance(H, model, method="enumeration").value <= high


@pytest.mark.parametrize("name", MODULES)
def test_the_description_says_what_takes_a_pass_for_each_example(name: str, x):
    module, transform = build(name)
    model = gv.from_torch(module, transform=transform)
    model.gradient(x)
    if name in ("rnn", "lstm", "gru", "listed"):
        assert model.description.endswith("parameters by one backward pass an example")
    else:
        assert model.description == f"{type(module).__name__} (PyTorch, float64)"


def test_layers_at_several_positions_are_written_out(x):
    module, transform = build("attention")
    model = gv.from_torch(module, transform=transform)
    shapes = [(a.shape[1], b.shape[1]) for a, b in model.tangent_factors(x)]
    # the projections are used at six positions: written out with the tied embedding (2 x 6) and the norm (6 + 6)
    assert shapes == [(6 * 18 + 6 * 6 + 6 + 24, 1)]


def test_linear_layers_at_one_position_are_said_by_factors(x):
    shapes = [(a.shape[1], b.shape[1]) for a, b in gv.from_torch(plain()).tangent_factors(x)]
    assert shapes == [(7, 5), (6, 4), (5, 1)]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # what torch.compile imports
def test_a_compiled_module_is_looked_into(x):
    module = plain()
    model = gv.from_torch(torch.compile(module))
    assert [(a.shape[1], b.shape[1]) for a, b in model.tangent_factors(x)] == [(7, 5), (6, 4), (5, 1)]
    assert_array_equal(model.gradient(x), gv.from_torch(module).gradient(x))


def test_frozen_parameters_are_held_fixed(x):
    module = plain()
    module[0].weight.requires_grad_(False)
    module[2].bias.requires_grad_(False)
    model = gv.from_torch(module)
    assert model.n_parameters == 5 + 20 + 4 + 1
    assert_allclose(model.gradient(x), Truth(module).gradient(x), rtol=1e-12, atol=1e-15)
    kernel = sum((a @ a.T) * (b @ b.T) for a, b in model.tangent_factors(x))
    assert_allclose(kernel, model.gradient(x) @ model.gradient(x).T, rtol=1e-12)


def test_a_layer_that_is_silent_at_first_is_not_taken_on_trust():
    class Gated(nn.Module):
        """Nothing flows where x_0 < 0, at any weights; the layer's weight is also used without it."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = nn.functional.linear(torch.tanh(self.layer(x)), self.layer.weight)
            return torch.relu(x[:, 0]) * hidden.sum(dim=1)

    module = Gated()
    model, points = gv.from_torch(module), reference.cube(6)
    assert not model.gradient(points[points[:, 0] < 0]).any()
    assert_allclose(model.gradient(points[:5]), Truth(module).gradient(points[:5]), rtol=1e-12, atol=1e-14)


def test_parameters_can_be_read_and_replaced(x):
    model = gv.from_torch(plain())
    w = model.parameters
    assert w.shape == (model.n_parameters,)
    assert_array_equal(model.with_parameters(w).gradient(x), model.gradient(x))
    before = model.predict(x)
    step, direction = 1e-6, np.random.default_rng(0).standard_normal(w.size)
    up, down = (model.with_parameters(w + sign * step * direction).predict(x) for sign in (1, -1))
    assert_allclose((up - down) / (2 * step), model.gradient(x) @ direction, rtol=1e-7, atol=1e-8)
    assert_array_equal(model.predict(x), before)
    with pytest.raises(gv.ShapeError, match=r"`parameters` must have shape \(64,\)"):
        model.with_parameters(w[:-1])


def test_parameters_without_axes_are_parameters(x):
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.scale = plain(), nn.Parameter(torch.tensor(0.7))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale * self.net(x)

    module = Scaled()
    model, truth = gv.from_torch(module), Truth(module)
    assert_allclose(model.gradient(x), truth.gradient(x), rtol=1e-12, atol=1e-15)
    w = model.parameters
    assert w.shape == (model.n_parameters,) == (plain_size() + 1,)
    assert_array_equal(model.with_parameters(w).predict(x), model.predict(x))
    w[[p.ndim == 0 for p in module.parameters()].index(True)] *= 2  # the first of all: parameters come before modules
    assert_allclose(model.with_parameters(w).predict(x), 2 * model.predict(x), rtol=1e-14)


def plain_size() -> int:
    return sum(p.numel() for p in plain().parameters())


def test_float32_is_the_module_s_own_arithmetic(x):
    module = plain()
    model = gv.from_torch(module, dtype=torch.float32)
    with torch.no_grad():
        expected = module(torch.tensor(x, dtype=torch.float32))[:, 0].numpy()
    assert model.predict(x).dtype == np.float64
    assert_allclose(model.predict(x), expected, rtol=1e-6)
    assert_allclose(model.gradient(x), Truth(module).gradient(x), rtol=1e-4, atol=1e-6)
    assert "float32" in model.description


def test_modules_of_any_precision_are_converted(x):
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        module = plain().to(dtype)
        model = gv.from_torch(module)
        assert_allclose(model.gradient(x), Truth(module).gradient(x), rtol=1e-12, atol=1e-15)


def test_no_inputs_have_a_gradient_of_no_rows():
    for name in ("plain", "encoder"):
        module, transform = build(name)
        model = gv.from_torch(module, transform=transform)
        assert model.predict(np.empty((0, 6))).shape == (0,)
        assert model.gradient(np.empty((0, 6))).shape == (0, model.n_parameters)
        assert all(len(a) == len(b) == 0 for a, b in model.tangent_factors(np.empty((0, 6))))


def test_one_number_for_one_input_may_have_no_axis(x):
    class Squeezed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x).squeeze()

    model = gv.from_torch(Squeezed())
    assert_allclose(model.gradient(x), np.column_stack([x, np.ones(len(x))]), rtol=1e-15)
    assert model.predict(x[:1]).shape == (1,)
