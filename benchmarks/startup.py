"""The first call of a fresh process, cold (nothing compiled) and warm, against that of torch.func and of JAX."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from .timing import Row, Run, Side, contest, each_alone

GRADVAR = {
    "python -m gradvar": "from gradvar.__main__ import main; main([])",
    "closed form": "gv.bound_check(gv.SparseParities(100, 3), gv.MLP.random([100, 16, 1], rng=0))",
    "enumeration": "gv.bound_check(gv.SparseParities(12, 3), gv.MLP.random([12, 8, 8, 1], rng=0))",
    "pairs": "gv.bound_check(gv.SparseParities(40, 2), gv.MLP.random([40, 8, 8, 1], rng=0), max_samples=1024, rng=0)",
    "members": "gv.bound_check(gv.RandomNetworks(8, (8,)), gv.MLP.random([8, 8, 1], rng=0), max_samples=1024, rng=0)",
    "orthogonal networks": (
        "gv.bound_check(gv.OrthogonalNetworks(20, 7), gv.MLP.random([20, 8, 8, 1], rng=0), max_samples=256, rng=0)"
    ),
    "alignment": (
        "gv.gradient_alignment(gv.SparseParities(24, 3).member(subset=[0, 1, 2]), gv.MLP.random([24, 4, 1], 'relu', 0))"
    ),
    "discrete log": "gv.bound_check(gv.DiscreteLog(1009), gv.MLP.random([10, 8, 1], rng=0))",
    "modular addition": "gv.bound_check(gv.ModularAddition(7), gv.MLP.random([14, 8, 7], rng=0))",
    "random labels": "gv.bound_check(gv.RandomLabels(gv.Gaussian(8).sample(50, 0)), gv.MLP.random([8, 8, 1], rng=0))",
    "spectrum": "gv.degree_spectrum(gv.MLP.random([12, 16, 1], rng=0))",
}
PEERS = {
    "torch.func": """
import torch
from torch.func import functional_call, grad, vmap
net = torch.nn.Sequential(torch.nn.Linear(40, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
weights = {name: value.detach() for name, value in net.named_parameters()}
vmap(grad(lambda p, x: functional_call(net, p, (x[None],)).squeeze()), in_dims=(None, 0))(weights, torch.ones(1024, 40))
""",
    "JAX": """
import jax, jax.numpy as jnp
weights = jnp.ones((8, 40)), jnp.ones(8)
predict = lambda p, x: jnp.tanh(p[0] @ x) @ p[1]
jax.block_until_ready(jax.jit(jax.vmap(jax.grad(predict), in_axes=(None, 0)))(weights, jnp.ones((1024, 40))))
""",
}


def python(code: str, cold: bool) -> Run:
    """A process that runs this code and ends; cold: with an empty cache of compiled kernels, else once before."""

    def run(turn: int) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder} if cold else dict(os.environ)
            subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
        return math.nan, math.nan

    if not cold:
        run(0)
    return run


def peer(name: str) -> Run:
    import importlib

    importlib.import_module({"torch.func": "torch", "JAX": "jax"}[name])  # missing: said in the table
    return python(PEERS[name], False)


def rows(quick: bool) -> Iterator[Row]:
    repeats = 0 if quick else 5
    codes = {name: f"import gradvar as gv\n{call}" for name, call in GRADVAR.items()}
    warm = {f"{name}, warm": Side("gradvar", python, (code, False)) for name, code in codes.items()}
    cold = [Side(f"{name}, cold", python, (code, True)) for name, code in codes.items() if not quick or name == "pairs"]
    peers = [Side(library, peer, (library,)) for library in PEERS]
    for row in chain(
        contest("startup", "pairs, warm", [warm.pop("pairs, warm"), *peers], repeats),
        each_alone("startup", [replace(side, name=name) for name, side in warm.items()], repeats),
        each_alone("startup", cold, 0),
    ):
        yield replace(row, memory=None, peer_memory=None)  # that of the process that starts them
