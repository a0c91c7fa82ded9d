"""`trainable` of models of other libraries: parameters by name, leaves by their path."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import gradvar as gv

X = np.random.default_rng(0).choice([-1.0, 1.0], (7, 4))


def each_layer_has_its_columns(model):
    """In the gradient, the factors and the variance."""
    whole, start, total = model.gradient(X), 0, 0.0
    H = gv.SparseParities(4, 2)
    for name, shape in model.layers.items():
        part = gv.trainable(model, name)
        columns = whole[:, start : start + int(np.prod(shape))]
        start += columns.shape[1]
        np.testing.assert_array_equal(part.gradient(X), columns)
        p, pairs = part.tangent(X)
        np.testing.assert_array_equal(p, model.predict(X))
        np.testing.assert_allclose(
            sum((a @ a.T) * (b @ b.T) for a, b in pairs), columns @ columns.T, rtol=1e-12, atol=1e-15
        )
        total += gv.gradient_variance(H, part).value
    assert start == model.n_parameters
    assert total == pytest.approx(gv.gradient_variance(H, model).value, rel=1e-10)


def test_torch():
    """A module as it is: pairs, a shared layer, a convolution; frozen parameters are no layers."""
    torch.manual_seed(0)
    shared = torch.nn.Linear(3, 3)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 3), torch.nn.Tanh(), shared, torch.nn.Tanh(), shared, torch.nn.Tanh(), torch.nn.Linear(3, 1)
    )
    model = gv.from_torch(net)
    names = ["0.weight", "0.bias", "2.weight", "2.bias", "6.weight", "6.bias"]
    assert list(model.layers) == names
    assert model.layers["0.weight"] == (3, 4)
    each_layer_has_its_columns(model)
    assert list(gv.trainable(net, "6").layers) == ["6.weight", "6.bias"]
    net[0].weight.requires_grad_(False)
    assert list(gv.from_torch(net).layers) == names[1:]
    each_layer_has_its_columns(gv.from_torch(net))


def test_jax():
    """Leaves by their paths, in the order of the gradient; one array alone."""
    rng = np.random.default_rng(0)
    params = {"in": {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}, "out": rng.normal(size=3)}

    def apply(params, x):
        return jnp.tanh(x @ params["in"]["w"] + params["in"]["b"]) @ params["out"]

    model = gv.from_jax(apply, params)
    assert model.layers == {"in/b": (3,), "in/w": (4, 3), "out": (3,)}
    each_layer_has_its_columns(model)
    assert list(gv.trainable(model, "in").layers) == ["in/b", "in/w"]
    assert gv.from_jax(lambda w, x: x @ w, np.ones(4)).layers == {"params": (4,)}
