"""What `from_torch` refuses, and with what words."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch_modules import Encoder, Truth, plain

import gradvar as gv
from gradvar.testing.reference import cube

X = cube(6)[:8]


class Custom(nn.Module):
    """A network whose output is changed by a function; it does not begin with a linear layer."""

    def __init__(self, change) -> None:
        super().__init__()
        self.net, self.change = plain(), change

    def forward(self, x: torch.Tensor) -> object:
        return self.change(self.net(x))


class Cast(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.float()


def net_with(*parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 3), *parts)


OUTPUT = {
    "two heads": (lambda: Custom(lambda p: (p, p)), TypeError, r"a tensor of shape \(n,\) or \(n, 1\), got a tuple"),
    "too many axes": (lambda: Custom(lambda p: p[:, :, None]), gv.ShapeError, r"for 4 inputs, got \(4, 1, 1\)"),
    "a mean": (lambda: Custom(torch.mean), gv.ShapeError, r"for 4 inputs, got \(\)"),
    "integers": (lambda: Custom(torch.Tensor.long), TypeError, r"must return real numbers, got torch.int64"),
    "detached": (lambda: Custom(torch.Tensor.detach), ValueError, r"must have a gradient in its .*`forward` detaches"),
    "another dtype": (lambda: net_with(Cast(), nn.Linear(3, 1)), ValueError, r"fails at .*`dtype=torch.float32` suits"),
    "another input": (lambda: Encoder().eval(), ValueError, r"fails at inputs of shape \(4, 6\), .*`transform=` makes"),
}
MIXING = {
    "BatchNorm": (
        lambda: net_with(nn.BatchNorm1d(3), nn.Linear(3, 1)),
        r"but its layer '1', BatchNorm1d, is in training mode .*; call module.eval\(\) first",
    ),
    "BatchNorm without statistics": (
        lambda: net_with(nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 1)).eval(),
        r"BatchNorm1d, keeps no running statistics .*; set track_running_stats=True",
    ),
    "Dropout": (
        lambda: net_with(nn.Dropout(), nn.Linear(3, 1)),
        r"its layer '1', Dropout, drops units at random \(p = 0.5\); call module.eval\(\) first",
    ),
    "dropout of a recurrent layer": (lambda: nn.LSTM(1, 2, 2, dropout=0.2), r"but LSTM drops units at random"),
    "dropout of a transformer": (Encoder, r"at random \(p = 0.1\); call module.eval\(\) first"),
    "a mean of one's own": (
        lambda: Custom(lambda p: p - p.mean()),
        r"depends on the other inputs of the batch \(.* among others, .* alone\); call module.eval\(\) first",
    ),
    "noise of one's own": (
        lambda: Custom(lambda p: p + torch.rand_like(p) / 100),
        r"changes from call to call \(.* and .*\), as with active dropout; call module.eval\(\) first",
    ),
}


@pytest.mark.parametrize("case", OUTPUT)
def test_an_output_that_is_no_scalar_prediction_is_refused(case: str):
    make, error, message = OUTPUT[case]
    with pytest.raises(error) as caught:
        gv.from_torch(make()).predict(X)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("case", MIXING)
def test_what_is_not_a_function_of_one_example_is_refused(case: str):
    make, message = MIXING[case]
    with pytest.raises(ValueError, match=r"must be a function of one example") as caught:
        gv.from_torch(make()).gradient(X)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    "module",
    [
        net_with(nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 1)).eval(),
        net_with(nn.Dropout(0), nn.Linear(3, 1)),
        nn.Sequential(nn.Linear(6, 4), nn.Unflatten(1, (2, 2)), nn.InstanceNorm1d(2), nn.Flatten(), nn.Linear(4, 1)),
    ],
)
def test_what_only_looks_like_it_is_accepted(module: nn.Module):
    assert gv.from_torch(module).predict(X).shape == (8,)


def test_a_module_that_begins_with_a_linear_layer_is_refused_at_once():
    with pytest.raises(gv.ShapeError, match="one number for each input"):
        gv.from_torch(nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 2), nn.Unflatten(1, (2, 1))))
    with pytest.raises(gv.ShapeError, match=r"takes inputs of dimension 6 .* have dimension 5"):
        gv.bound_check(gv.Parities(5), gv.from_torch(plain()))
    with pytest.raises(gv.ShapeError, match=r"`x` must have shape \(n, 6\) for from_torch\(Sequential"):
        gv.from_torch(plain()).predict(X[:, :5])


@pytest.mark.parametrize("module", [plain().requires_grad_(False), nn.Tanh()])
def test_a_module_without_trainable_parameters_is_refused(module: nn.Module):
    with pytest.raises(ValueError, match=r"parameters with requires_grad=True: they are w; it has none"):
        gv.from_torch(module)


@pytest.mark.parametrize(
    ("module", "arguments", "error", "message"),
    [
        (torch.relu, {}, TypeError, r"`module` must be a torch.nn.Module, got <built-in method relu"),
        (nn.Linear, {}, TypeError, r"`module` must be a torch.nn.Module, got <class"),
        (nn.LazyLinear(1), {}, ValueError, r"\(lazy layers\); call it once on an input first"),
        (nn.Linear(6, 1, dtype=torch.complex64), {}, TypeError, r"must have real parameters, got complex"),
        (plain(), {"dtype": torch.float16}, ValueError, r"`dtype` must be torch.float64 or torch.float32, got torch.f"),
        (plain(), {"chunk": 0}, ValueError, r"`chunk` must be an integer >= 1, got 0"),
        (plain(), {"transform": 3}, TypeError, r"`transform` must be a function of the inputs, a tensor"),
    ],
)
def test_wrong_arguments_are_named(module: object, arguments: dict[str, object], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        gv.from_torch(module, **arguments)


@pytest.mark.parametrize("change", [lambda p: torch.log(p - 100), lambda p: p.exp() * 1e308 * 1e10])
def test_predictions_that_are_not_finite_are_said_with_the_input(change):
    with pytest.raises(gv.NonFiniteError, match=r"of `model` must be finite, got -?(nan|inf) in row 0"):
        gv.bound_check(gv.SparseParities(6, 2), gv.from_torch(Custom(change)))


def test_a_tensor_kept_from_a_forward_pass_cannot_be_copied():
    module = plain()
    module.kept = module(torch.zeros(1, 6))
    with pytest.raises(TypeError, match=r"copy.deepcopy can copy it \(no tensor kept from a forward pass\)"):
        gv.from_torch(module)


class Routed(nn.Module):
    """Inputs with x_0 < 0 skip the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = x[:, 0] > 0
        hidden = x.clone()
        hidden[chosen] = self.first(x[chosen])
        return self.second(hidden)


def test_a_layer_that_is_not_given_one_row_for_each_input_says_so():
    module = Routed()
    model, truth = gv.from_torch(module), Truth(module)
    assert_allclose(
        model.gradient(X[:4]), truth.gradient(X[:4]), rtol=1e-12, atol=1e-15
    )  # both kinds are seen at first
    model = gv.from_torch(module)
    one_kind = X[X[:, 0] > 0]
    model.gradient(one_kind)
    assert_allclose(model.gradient(-one_kind), truth.gradient(-one_kind), rtol=1e-12, atol=1e-15)
    model.tangent_factors(one_kind)
    with pytest.raises(ValueError, match=r"must send all inputs the same way, but its layer 'first'"):
        model.tangent_factors(-one_kind)


class Sorted(nn.Module):
    """A network that sees its batch sorted by one coordinate; its output is put back in order."""

    def __init__(self, key) -> None:
        super().__init__()
        self.net, self.key = plain(), key

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        order = torch.argsort(self.key(x), stable=True)
        return self.net(x[order])[torch.argsort(order)]


def test_a_module_that_sorts_its_batch_is_not_misread():
    module = Sorted(lambda x: x[:, 2])
    truth = Truth(module).gradient(X)
    model = gv.from_torch(module)
    assert_allclose(model.gradient(X), truth, rtol=1e-12, atol=1e-15)
    factors = model.tangent_factors(X)
    assert_allclose(sum((a @ a.T) * (b @ b.T) for a, b in factors), truth @ truth.T, rtol=1e-12, atol=1e-14)
    assert model.description == "Sorted (PyTorch, float64)"  # at no more than the speed of vmap


def test_a_module_that_sorts_only_some_batches_is_refused():
    # nothing to sort among the first inputs, all of which have x_0 = -1
    module = Sorted(lambda x: torch.where(x[:, 0] > 0, x[:, 1], 0.0))
    model, points = gv.from_torch(module), cube(6)
    negative, positive = points[points[:, 0] < 0], points[points[:, 0] > 0]
    model.tangent_factors(negative)
    with pytest.raises(ValueError, match=r"must send all inputs the same way, but its layer 'net.0'"):
        model.tangent_factors(positive)
    assert_allclose(model.gradient(positive), Truth(module).gradient(positive), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rows", [16, 1024])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_two_rows_in_each_other_s_place_are_seen(rows: int, dtype: torch.dtype):
    class Swapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.swap = plain(), False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            order = torch.arange(len(x))
            if len(x) == rows:
                order[[3, 7]] = order[[7, 3]]
            return self.net(x[order])[order]

    module = Swapped()
    model = gv.from_torch(module, dtype=dtype)
    x = np.random.default_rng(0).standard_normal((rows, 6))
    model.tangent_factors(x[:8])
    with pytest.raises(ValueError, match=r"must send all inputs the same way, but its layer 'net"):
        model.tangent_factors(x)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_is_refused():
    with pytest.raises(TypeError, match=r"must not be TorchScript, .* pass the nn.Module that it was made of"):
        gv.from_torch(torch.jit.script(plain()))
    with pytest.raises(TypeError, match=r"must not be TorchScript"):
        gv.from_torch(nn.Sequential(torch.jit.trace(nn.Linear(6, 3), torch.zeros(1, 6)), nn.Linear(3, 1)))
