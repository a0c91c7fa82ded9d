"""Modules and functions with K outputs against loops of plain autograd over members, inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gradvar as gv
from gradvar.testing import reference

K, N, M, DIM = 10, 12, 4, 5


def digits(rng):
    """Labels of four members at twelve points."""
    x, labels = rng.standard_normal((N, DIM)), rng.integers(0, K, (M, N))
    return x, labels, gv.FiniteClass(labels, x, n_classes=K)


def network(first):
    torch.manual_seed(0)
    return torch.nn.Sequential(first, torch.nn.Tanh(), torch.nn.Linear(6, K)).double()


class Square(torch.nn.Module):
    """A layer that is no nn.Linear."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(DIM, 6))

    def forward(self, x):
        return (x @ self.w) ** 2


def by_autograd(net, x):
    """p (n, K) and dp/dw (n, K, P)."""
    rows = []
    for point in torch.tensor(x):
        p = net(point[None])[0]
        parts = [torch.autograd.grad(q, list(net.parameters()), retain_graph=True) for q in p]
        rows.append([np.concatenate([part.numpy().ravel() for part in of_one]) for of_one in parts])
    return net(torch.tensor(x)).detach().numpy(), np.array(rows)


@pytest.mark.parametrize("first", [torch.nn.Linear(DIM, 6), Square()], ids=["linear", "own"])
def test_a_module_with_ten_outputs_on_class_labels(first):
    x, labels, H = digits(np.random.default_rng(0))
    net = network(first)
    p, g = by_autograd(net, x)
    weights = np.full(N, 1 / N)
    truth = reference.gradient_variance(reference.vector_gradients(np.eye(K)[labels], weights, p, g, "cross-entropy"))
    check = gv.bound_check(H, net, "cross-entropy")
    assert check.variance.exact
    assert check.variance.value == pytest.approx(truth, rel=1e-12)
    assert check.gradient_norm_sq.value == pytest.approx(np.mean((g**2).sum(axis=(1, 2))), rel=1e-12)
    centred = g - g.mean(axis=1, keepdims=True)
    assert check.signal_norm_sq.value == pytest.approx(np.mean((centred**2).sum(axis=(1, 2))), rel=1e-12)
    model = gv.from_torch(net)
    last = gv.gradient_variance(H, gv.trainable(model, "2.bias"), "cross-entropy")
    softmax = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    means = (softmax - np.eye(K)[labels]).mean(axis=1)
    assert last.value == pytest.approx(np.mean(((means - means.mean(axis=0)) ** 2).sum(axis=1)), rel=1e-12)
    assert model.predict(x) == pytest.approx(p, rel=1e-12)
    assert model.gradient(x) == pytest.approx(g, rel=1e-12, abs=1e-14)
    loss = gv.population_loss(H.member(0), net, "cross-entropy").value
    assert loss == pytest.approx(np.mean(np.log(np.exp(p).sum(axis=1)) - p[np.arange(N), labels[0]]), rel=1e-12)


def test_functions_with_ten_outputs_are_the_module():
    _, _, H = digits(np.random.default_rng(1))
    net = network(torch.nn.Linear(DIM, 6))
    count = sum(w.numel() for w in net.parameters())

    def predict(x):
        return net(torch.tensor(x)).detach().numpy()

    model = gv.from_function(predict, lambda x: by_autograd(net, x)[1], count, n_outputs=K)
    found, expected = (gv.bound_check(H, one, "cross-entropy") for one in (model, net))
    assert found.variance.value == pytest.approx(expected.variance.value, rel=1e-12)
    assert found.bound == pytest.approx(expected.bound, rel=1e-12)


def test_a_jax_function_with_ten_outputs_is_the_module():
    x, _, H = digits(np.random.default_rng(2))
    net = network(torch.nn.Linear(DIM, 6))
    arrays = [w.detach().numpy() for w in net.parameters()]

    def apply(params, x):
        import jax

        return jax.numpy.tanh(x @ params[0].T + params[1]) @ params[2].T + params[3]

    model = gv.from_jax(apply, arrays)
    found, expected = (gv.bound_check(H, one, "cross-entropy") for one in (model, net))
    assert found.variance.value == pytest.approx(expected.variance.value, rel=1e-12)
    assert found.gradient_norm_sq.value == pytest.approx(expected.gradient_norm_sq.value, rel=1e-12)
    assert model.predict(x).shape == (N, K)
    assert model.gradient(x) == pytest.approx(by_autograd(net, x)[1], rel=1e-12, abs=1e-14)
    with pytest.raises(gv.ShapeError, match=r"must return shape \(\d+, 3\) as targets do"):
        gv.gradient_variance(gv.FiniteClass([[0, 2]], x[:2], n_classes=3), gv.from_jax(apply, arrays))


def test_ten_outputs_and_a_target_with_one_are_refused():
    net = network(torch.nn.Linear(DIM, 6))
    with pytest.raises(gv.ShapeError, match="same number of outputs, got 10 of"):
        gv.bound_check(gv.Parities(DIM), net)
    with pytest.raises(gv.ShapeError, match=r"must return shape \(\d+,\)"):  # its first layer does not say its inputs
        gv.bound_check(gv.Parities(DIM), network(Square()))
    with pytest.raises(gv.ShapeError, match=r"`predict` must return shape \(\d+,\).*n_outputs=K"):
        gv.bound_check(gv.Parities(DIM), gv.from_function(lambda x: x, lambda x: x, DIM))
