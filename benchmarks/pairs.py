"""The sum over all pairs of n inputs of class covariance and tangent kernel, against JAX layer by layer and torch.

`SparseParities(64, 3)` and a network 64-128-1. JAX compiles the same contraction, layer by layer; torch materialises
the gradients of single inputs. gradvar runs as it does by default, with its variance reduction, and without.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

import gradvar as gv

from . import networks
from .timing import Row, Run, Side, against, contest, prepared, take_turns

DIM, WIDTH, DEGREE = 64, 128, 3


def inputs(n: int) -> np.ndarray:
    return gv.Hypercube(DIM).sample(n, np.random.default_rng(0))


def covariance_by_distance() -> np.ndarray:
    """E_h h(x) h(x') of parities of one degree, a function of the Hamming distance: here from x = (1, .., 1)."""
    H, rows = gv.SparseParities(DIM, DEGREE), 1 - 2.0 * np.tri(DIM + 1, DIM, -1)
    mean = H.mean(rows)
    second_moment: np.ndarray = H.covariance(rows[:1], rows)[0] + mean[0] * mean
    return second_moment


def by_gradvar(n: int, reduced: bool) -> Run:
    H, model = gv.SparseParities(DIM, DEGREE), networks.network(DIM, WIDTH)
    method = gv.MonteCarlo(variance_reduction=reduced)
    # fmt: off
    return lambda turn: (gv.gradient_variance(H, model, method=method, max_samples=n, rtol=0, rng=turn).value, math.nan)
    # fmt: on


def by_torch(n: int) -> Run:
    import torch

    gradients, x = networks.torch_per_example(networks.network(DIM, WIDTH)), inputs(n)
    table, points = torch.tensor(covariance_by_distance()), torch.tensor(x)

    def run(turn: int) -> tuple[float, float]:
        g, total = gradients(x), 0.0
        for i in range(0, n, 1024):
            distance = ((DIM - points[i : i + 1024] @ points.T) / 2).round().long()
            h = (g[i : i + 1024] @ g.T) * table[distance]
            total += float(h.sum() - h.diagonal(offset=i).sum())
        return total / (n * (n - 1)), math.nan

    return run


def by_jax(n: int) -> Run:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    model, size = networks.network(DIM, WIDTH), 2048
    (w1, w2), (b1, _) = ([jnp.asarray(a) for a in arrays] for arrays in (model.weights, model.biases))
    table, x = jnp.asarray(covariance_by_distance()), jnp.asarray(inputs(n))

    @jax.jit
    def layers(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = jnp.tanh(x @ w1.T + b1)
        return hidden, (1 - hidden**2) * w2[0]

    @jax.jit
    def tile(x1: jax.Array, h1: jax.Array, d1: jax.Array, x2: jax.Array, h2: jax.Array, d2: jax.Array) -> jax.Array:
        products = x1 @ x2.T
        kernel = (products + 1) * (d1 @ d2.T) + h1 @ h2.T + 1
        return (kernel * table[jnp.round((DIM - products) / 2).astype(jnp.int32)]).sum()

    def run(turn: int) -> tuple[float, float]:
        hidden, delta = layers(x)
        total = 0.0
        for i in range(0, n, size):
            for j in range(i, n, size):
                a, b = slice(i, i + size), slice(j, j + size)
                part = tile(x[a], hidden[a], delta[a], x[b], hidden[b], delta[b])
                total += part if i == j else 2 * part
        own = table[0] * ((DIM + 1) * (delta**2).sum() + (hidden**2).sum() + n)
        return float((total - own) / (n * (n - 1))), math.nan

    return run


def rows(quick: bool) -> Iterator[Row]:
    truth = gv.gradient_variance(gv.SparseParities(DIM, DEGREE), networks.network(DIM, WIDTH)).value
    for n, repeats in ((4096, 1 if quick else 3), *(() if quick else ((16_384, 1),))):
        sides = [Side("gradvar", by_gradvar, (n, True)), Side("torch, gradients", by_torch, (n,))]
        yield from contest("pairs", f"n = {n}, default", sides, repeats, truth=truth)
    n, names = 16_384, ("default", "no variance reduction")
    with ExitStack() as stack:
        sides = [*(Side(name, by_gradvar, (n, name == "default")) for name in names)]
        *both, jax = prepared([*sides, Side("JAX, layer by layer", by_jax, (n,))], stack)
        take_turns([*both, jax], 2 if quick else 5)
        for own in both:
            yield against("pairs", f"n = {n}, {own.side.name}", own, jax, truth=truth, peer_truth=truth)
