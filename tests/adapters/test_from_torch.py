"""`from_torch` beside the library's own network, in threads and processes, and in memory."""

from __future__ import annotations

import copy
import doctest
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch_modules import build, images, plain

import gradvar as gv
import gradvar.models.adapters.torch
from gradvar.testing.reference import cube


def same_network(model: gv.MLP) -> nn.Sequential:
    """The library's network as a module."""
    activations = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "softplus": nn.Softplus, "sigmoid": nn.Sigmoid}
    layers: list[nn.Module] = []
    for weights, bias in zip(model.weights, model.biases, strict=True):
        layer = nn.Linear(weights.shape[1], weights.shape[0], bias=bias is not None).double()
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weights))
            if bias is not None:
                layer.bias.copy_(torch.tensor(bias))
        layers += [layer, activations[model.activation]()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "softplus", "sigmoid"])
@pytest.mark.parametrize("sizes", [[6, 1], [6, 8, 1], [6, 5, 4, 1]])
@pytest.mark.parametrize("bias", [True, False])
def test_it_agrees_with_the_library_s_network(activation: str, sizes: list[int], bias: bool):
    own = gv.MLP.random(sizes, activation, rng=1, bias=bias)
    model = gv.from_torch(same_network(own))
    x = np.random.default_rng(0).standard_normal((9, 6))
    assert model.dim == 6
    assert_allclose(model.predict(x), own.predict(x), rtol=1e-12, atol=1e-14)
    assert_allclose(model.gradient(x), own.gradient(x), rtol=1e-12, atol=1e-14)  # the order of columns too
    for (a, b), (own_a, own_b) in zip(model.tangent_factors(x), own.tangent_factors(x), strict=True):
        assert_allclose(a, own_a, rtol=1e-12, atol=1e-14)
        assert_allclose(b, own_b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", ["square", "hinge", "logistic"])
@pytest.mark.parametrize("method", ["auto", "closed-form", "enumeration", "monte-carlo"])
def test_variances_agree_with_the_library_s_network(loss: str, method: str):
    own = gv.MLP.random([6, 7, 4, 1], rng=3)
    model = gv.from_torch(same_network(own))
    H = gv.Parities(6) if method == "closed-form" else gv.SparseParities(6, 2)
    found, expected = (
        gv.gradient_variance(H, m, loss, method=method, max_samples=1024, rng=5).value for m in (model, own)
    )
    assert found == pytest.approx(expected, rel=1e-10)


def test_other_classes_and_inputs_agree_too():
    own = gv.MLP.random([4, 6, 1], rng=3)
    model = gv.from_torch(same_network(own))
    points = np.random.default_rng(0).standard_normal((40, 4))
    for H in (gv.FiniteClass(np.sign(points @ points[:9].T).T, points), gv.LinearPeriodic(4, radius=2.0)):
        found, expected = (
            gv.gradient_variance(H, m, method="auto" if m is own else method, max_samples=1024, rtol=0, rng=5)
            for m, method in (
                (model, "enumeration" if isinstance(H, gv.FiniteClass) else "monte-carlo"),
                (own, None),
            )
        )
        assert found.interval[0] - 1e-10 * found.value <= expected.value <= found.interval[1] + 1e-10 * found.value


def test_a_notebook_s_first_line():
    check = gv.bound_check(gv.Parities(12), gv.from_torch(nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1))))
    assert check.verdict == "holds"
    assert "Sequential (PyTorch, float64), 113 parameters" in str(check)


def test_the_module_is_left_alone_and_not_followed():
    module = plain().train()
    before = copy.deepcopy(module.state_dict())
    model = gv.from_torch(module)
    x = cube(6)[:8]
    predictions, gradient = model.predict(x), model.gradient(x)
    model.tangent_factors(x)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert module[0].weight.dtype == torch.float32
    assert module.training
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert not module[0]._forward_hooks
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    assert_array_equal(model.predict(x), predictions)
    assert_array_equal(model.gradient(x), gradient)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(mode):
    module, transform = build("encoder")
    x = cube(6)[:8]
    expected = gv.from_torch(module, transform=transform).gradient(x)
    with mode():
        model = gv.from_torch(module, transform=transform)
        assert_array_equal(model.gradient(x), expected)
        assert_array_equal(gv.from_torch(plain().requires_grad_()).predict(x).shape, (8,))


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("plain", "enumeration"),
        ("plain", "monte-carlo"),
        ("conv2d", "monte-carlo"),
        ("encoder", "monte-carlo"),
        ("lstm", "enumeration"),
    ],
)
def test_any_number_of_workers_gives_the_same_bits(name: str, method: str):
    module, transform = build(name)
    H = gv.SparseParities(6, 2)
    values = []
    for workers in (1, 2, 3):
        model = gv.from_torch(module, transform=transform)
        with ThreadPoolExecutor(workers) as pool:
            found = gv.gradient_variance(H, model, method=method, max_samples=1100, rtol=0, rng=0, executor=pool)
        values.append((found.value, found.interval))
    assert values[0] == values[1] == values[2]


def test_threads_at_once_give_what_one_gives():
    module, transform = build("attention")
    model = gv.from_torch(module, transform=transform)
    blocks = [cube(6)[i : i + 4] for i in range(0, 64, 4)] * 4
    expected = [model.gradient(block) for block in blocks]
    with ThreadPoolExecutor(8) as pool:
        for found, right in zip(pool.map(model.gradient, blocks), expected, strict=True):
            assert_array_equal(found, right)


def test_torch_s_settings_are_as_before():
    module, transform = build("encoder")
    before = torch.get_num_threads(), torch.backends.cuda.flash_sdp_enabled(), torch.is_grad_enabled()
    model = gv.from_torch(module, transform=transform)
    with ThreadPoolExecutor(3) as pool:
        gv.gradient_variance(gv.SparseParities(6, 2), model, method="monte-carlo", max_samples=600, executor=pool)
    with pytest.raises(ValueError, match="fails at inputs"):
        model.predict(np.zeros((3, 7)))
    assert (torch.get_num_threads(), torch.backends.cuda.flash_sdp_enabled(), torch.is_grad_enabled()) == before


def test_it_pickles_and_runs_in_processes():
    module, _ = build("conv2d")
    model = gv.from_torch(module, transform=images)
    x = cube(6)[:8]
    assert_array_equal(pickle.loads(pickle.dumps(model)).gradient(x), model.gradient(x))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert_array_equal(pool.submit(model.gradient, x).result(), model.gradient(x))


def test_a_wide_network_takes_little_memory():
    # 3 layers of width 512 (559,105 parameters): the gradients of 8192 examples would take 34 GiB
    code = """
import resource, numpy as np, torch, gradvar as gv
from torch import nn
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
H = gv.SparseParities(64, 3)
run = lambda model, n: gv.gradient_variance(
    H, model, method=gv.MonteCarlo(variance_reduction=False), max_samples=n, rtol=0, rng=0
)
widths = lambda *w: nn.Sequential(*[part for i, o in zip(w, w[1:]) for part in (nn.Linear(i, o), nn.ReLU())][:-1])
run(gv.from_torch(widths(64, 2, 1)), 64)
before = peak()
model = gv.from_torch(widths(64, 512, 512, 512, 1))
x = H.inputs.sample(8192, np.random.default_rng(0))
model.predict(x)
model.tangent_factors(x)
run(model, 1024)
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.6  # GiB; the factors themselves are .19


def test_the_examples_in_the_documentation_run():
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    results = doctest.testmod(gradvar.models.adapters.torch, optionflags=flags)
    assert results.attempted > 0
    assert results.failed == 0


def test_a_module_is_taken_as_it_is():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    H = gv.Parities(6)
    taken, made = (gv.bound_check(H, model) for model in (net, gv.from_torch(net)))
    assert taken.variance.value == made.variance.value
    one = H.member(3)
    assert gv.gradient_alignment(one, net).value == gv.gradient_alignment(one, gv.from_torch(net)).value
    with pytest.raises(TypeError, match="`H`"):
        gv.bound_check(net, H)


def test_a_tensor_gives_the_points_of_a_class():
    rows = np.random.default_rng(0).choice([-1.0, 1.0], (14, 4))
    assert gv.Parities(4).on(torch.tensor(rows)) == gv.Parities(4).on(rows)
