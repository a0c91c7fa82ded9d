"""Networks with one hidden layer as modules of PyTorch, functions of JAX and products of NumPy, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

import gradvar as gv

if TYPE_CHECKING:
    import torch


def network(dim: int, width: int) -> gv.MLP:
    return gv.MLP.random([dim, width, 1], rng=0)


def torch_module(model: gv.MLP) -> torch.nn.Sequential:
    import torch

    (width, dim), dtype = np.shape(model.weights[0]), torch.float64
    net = torch.nn.Sequential(torch.nn.Linear(dim, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)).to(dtype)
    for layer, w, b in zip((net[0], net[2]), model.weights, model.biases, strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(np.array(w), dtype=dtype), torch.tensor(b, dtype=dtype)
    return net


def torch_per_example(model: gv.MLP) -> Callable[[np.ndarray], torch.Tensor]:
    """Gradients of single inputs (n, P), by torch.func."""
    import torch
    from torch.func import functional_call, grad, vmap

    net = torch_module(model)
    parameters = {name: value.detach() for name, value in net.named_parameters()}
    each = vmap(grad(lambda p, x: functional_call(net, p, (x[None],)).squeeze()), in_dims=(None, 0))

    def gradients(x: np.ndarray) -> torch.Tensor:
        parts = each(parameters, torch.from_numpy(x)).values()
        return torch.cat([part.reshape(len(x), -1) for part in parts], dim=1)

    return gradients


def torch_pull_back(model: gv.MLP) -> Callable[[np.ndarray, np.ndarray, int | None], torch.Tensor]:
    """The gradients of sum_i labels_hi p(x_i), (members, P), by vmap over members, so many at a time."""
    import torch
    from torch.func import functional_call, vjp, vmap

    net = torch_module(model)
    parameters = {name: value.detach() for name, value in net.named_parameters()}

    def gradients(x: np.ndarray, labels: np.ndarray, chunk: int | None) -> torch.Tensor:
        inputs = torch.from_numpy(x)
        back = vjp(lambda p: functional_call(net, p, (inputs,))[:, 0], parameters)[1]
        parts = vmap(back, chunk_size=chunk)(torch.from_numpy(labels))[0].values()
        return torch.cat([part.reshape(len(labels), -1) for part in parts], dim=1)

    return gradients


def numpy_per_example(model: gv.MLP) -> Callable[[np.ndarray], np.ndarray]:
    """Gradients of single inputs (n, P), by the chain rule written out."""
    (w1, w2), (b1, _) = model.weights, model.biases
    assert b1 is not None

    def gradients(x: np.ndarray) -> np.ndarray:
        hidden = np.tanh(x @ w1.T + b1)
        delta = (1 - hidden**2) * w2[0]
        first = (delta[:, :, None] * x[:, None, :]).reshape(len(x), -1)
        return np.concatenate([first, delta, hidden, np.ones((len(x), 1))], axis=1)

    return gradients


def jax_per_example(model: gv.MLP) -> Callable[[np.ndarray], np.ndarray]:
    """Gradients of single inputs (n, P), compiled by JAX."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    parameters = [jnp.asarray(a) for a in (*model.weights, *model.biases)]

    def predict(p: list[jax.Array], x: jax.Array) -> jax.Array:
        w1, w2, b1, b2 = p
        return (jnp.tanh(w1 @ x + b1) @ w2[0] + b2[0]).squeeze()

    @jax.jit
    def each(x: jax.Array) -> jax.Array:
        parts = jax.vmap(jax.grad(predict), in_axes=(None, 0))(parameters, x)
        return jnp.concatenate([part.reshape(len(x), -1) for part in parts], axis=1)

    return lambda x: np.asarray(each(x))


def backpack_per_example(model: gv.MLP) -> Callable[[np.ndarray], torch.Tensor]:
    """Gradients of single inputs (n, P), by BackPACK's BatchGrad."""
    import torch
    from backpack import backpack, extend
    from backpack.extensions import BatchGrad

    net = extend(torch_module(model))

    def gradients(x: np.ndarray) -> torch.Tensor:
        net.zero_grad()
        with backpack(BatchGrad()):
            net(torch.from_numpy(x)).sum().backward()
        return torch.cat([p.grad_batch.reshape(len(x), -1) for p in net.parameters()], dim=1)

    return gradients
