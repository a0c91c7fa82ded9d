"""Monte Carlo against what a user of PyTorch or JAX would write by hand, side by side in one run.

    python benchmarks/against_torch_and_jax.py [pairs] [accuracy] [members] [workers]

- pairs: the sum over all pairs of n = 16 384 inputs of class covariance x tangent kernel, SparseParities(64, 3), MLP
  64-128-1: torch.func's per-example gradients, materialised; the layer-wise contraction jitted by JAX; float64 all.
- accuracy: the time to a 10% standard error on SparseParities(64, 2): torch with sampled hypotheses, two halves of the
  inputs and one batched torch.func gradient per half. Its error falls with the root of its time; the time for 10% is
  extrapolated from the error that its runs have.
- members: the gradients E_x[h s] of 256 sampled members on 32 768 inputs, in float64: torch.func, vmap over members,
  the fastest of several sizes of batches; gradvar's whole gradients; and its random projections.
- workers: two workers against one, the same bits.

Each candidate runs in a process of its own, alternately, so that peak memory is its own; a time is the best of the
repeats, after one call that compiles.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from interval_coverage import Drawn

import gradvar as gv

N = 16_384
DIM, WIDTH = 64, 128
REPEATS = 3


def network() -> gv.MLP:
    return gv.MLP.random([DIM, WIDTH, 1], rng=0)


def timed(run: Callable[[], object], repeats: int = REPEATS) -> dict[str, object]:
    """The best time of a call and its last value."""
    run()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        value = run()
        times.append(time.perf_counter() - begin)
    return {"seconds": min(times), "value": value}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


# --- pairs -------------------------------------------------------------------------------------------------


def pairs_gradvar() -> dict[str, object]:
    H, model = gv.SparseParities(DIM, 3), network()
    method = gv.MonteCarlo(variance_reduction=False)
    gv.gradient_variance(H, model, method=method, max_samples=1024, rtol=0, rng=0)
    base = peak()
    found = timed(lambda: gv.gradient_variance(H, model, method=method, max_samples=N, rtol=0, rng=0).value)
    return {**found, "extra": peak() - base}


def inputs(n: int) -> np.ndarray:
    return gv.Hypercube(DIM).sample(n, np.random.default_rng(0))


def covariance_table() -> np.ndarray:
    from gradvar.classes.parities import normalised_krawtchouk

    return normalised_krawtchouk(DIM, 3)


def torch_network() -> tuple[Any, dict[str, Any]]:
    """The same network as a module of torch, and its parameters."""
    import torch

    model, dtype = network(), torch.float64
    net = torch.nn.Sequential(torch.nn.Linear(DIM, WIDTH), torch.nn.Tanh(), torch.nn.Linear(WIDTH, 1)).to(dtype)
    for layer, w, b in zip((net[0], net[2]), model.weights, model.biases, strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(np.array(w), dtype=dtype), torch.tensor(b, dtype=dtype)
    return net, {k: v.detach() for k, v in net.named_parameters()}


def pairs_torch() -> dict[str, object]:
    import torch
    from torch.func import functional_call, grad, vmap

    (net, parameters), dtype = torch_network(), torch.float64
    per_example = vmap(grad(lambda p, x: functional_call(net, p, (x[None],)).squeeze()), in_dims=(None, 0))
    table = torch.tensor(covariance_table(), dtype=dtype)
    x = torch.tensor(inputs(N), dtype=dtype)

    def run(n: int = N) -> float:
        gradients = torch.cat([g.reshape(n, -1) for g in per_example(parameters, x[:n]).values()], dim=1)
        total = 0.0
        for i in range(0, n, 1024):
            kernel = gradients[i : i + 1024] @ gradients.T
            distance = ((DIM - x[i : i + 1024] @ x[:n].T) / 2).round().long()
            h = kernel * table[distance]
            total += float(h.sum(dtype=torch.float64) - h.diagonal(offset=i).sum(dtype=torch.float64))
        return total / (n * (n - 1))

    run(1024)
    base = peak()
    return {**timed(run, 1), "extra": peak() - base}


def pairs_jax() -> dict[str, object]:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    model, dtype = network(), jnp.float64
    (w1, w2), (b1, _) = ([jnp.asarray(a, dtype=dtype) for a in arrays] for arrays in (model.weights, model.biases))
    table, x = jnp.asarray(covariance_table(), dtype=dtype), jnp.asarray(inputs(N), dtype=dtype)

    @jax.jit
    def layers(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = jnp.tanh(x @ w1.T + b1)
        return hidden, (1 - hidden**2) * w2[0]

    @jax.jit
    def tile(x1: jax.Array, h1: jax.Array, d1: jax.Array, x2: jax.Array, h2: jax.Array, d2: jax.Array) -> jax.Array:
        products = x1 @ x2.T
        kernel = (products + 1) * (d1 @ d2.T) + h1 @ h2.T + 1
        return (kernel * table[jnp.round((DIM - products) / 2).astype(jnp.int32)]).sum(dtype=jnp.float64)

    def run(n: int = N, rows: int = 2048) -> float:
        hidden, delta = layers(x[:n])
        total = 0.0
        for i in range(0, n, rows):
            for j in range(i, n, rows):
                a, b = slice(i, i + rows), slice(j, j + rows)
                part = tile(x[a], hidden[a], delta[a], x[b], hidden[b], delta[b])
                total += part if i == j else 2 * part
        own = (DIM + 1) * (delta**2).sum(dtype=jnp.float64) + (hidden**2).sum(dtype=jnp.float64) + n
        return float((total - own) / (n * (n - 1)))

    run(4096)
    base = peak()
    return {**timed(run), "extra": peak() - base}


# --- accuracy ----------------------------------------------------------------------------------------------


def accuracy_gradvar() -> dict[str, object]:
    H, model = gv.SparseParities(DIM, 2), network()

    def run() -> float:
        found = gv.gradient_variance(H, model, method="monte-carlo", rtol=0.1 * 1.96, rng=0)
        assert found.standard_error < 0.1 * found.value
        return found.value

    return timed(run)


def accuracy_torch() -> dict[str, object]:
    import torch
    from torch.func import functional_call, vjp, vmap

    truth = gv.gradient_variance(gv.SparseParities(DIM, 2), network()).value
    net, parameters = torch_network()
    members, n = 64, 65_536

    def gradients(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        _, back = vjp(lambda p: functional_call(net, p, (x,))[:, 0], parameters)
        parts = vmap(back)(labels / len(x))[0]
        return torch.cat([g.reshape(len(labels), -1) for g in parts.values()], dim=1)

    def run(seed: int) -> float:
        rng = np.random.default_rng(seed)
        pairs = torch.tensor(np.array([rng.choice(DIM, 2, replace=False) for _ in range(members)]))
        halves = []
        for _ in range(2):
            x = torch.tensor(gv.Hypercube(DIM).sample(n // 2, rng))
            labels = x[:, pairs[:, 0]].T * x[:, pairs[:, 1]].T
            c = gradients(x, labels)
            halves.append(c - c.mean(dim=0))
        return float((halves[0] * halves[1]).sum() / (members - 1))

    run(0)
    begin, values = time.perf_counter(), []
    while len(values) < 8:
        values.append(run(len(values)))
    each = (time.perf_counter() - begin) / len(values)
    error = float(np.sqrt(np.mean((np.array(values) - truth) ** 2))) / truth
    return {"seconds": each * (error / 0.1) ** 2, "value": float(np.mean(values)), "error of one run": error}


# --- members -----------------------------------------------------------------------------------------------

MEMBERS, MANY = 256, 32_768


def members_gradvar(n_projections: int | None = None) -> dict[str, object]:
    method = gv.MonteCarlo(n_members=MEMBERS, n_projections=n_projections)
    H = Drawn(gv.SparseParities(DIM, 3))
    run = lambda: gv.gradient_variance(H, network(), method=method, max_samples=MANY, rtol=0, rng=0).value  # noqa: E731
    return timed(run)


def members_torch() -> dict[str, object]:
    import torch
    from torch.func import functional_call, vjp, vmap

    (net, parameters), dtype = torch_network(), torch.float64
    H = gv.SparseParities(DIM, 3)
    drawn = H.sample(MEMBERS, 0)

    def pull_back(x: torch.Tensor) -> Callable[..., tuple[dict[str, torch.Tensor]]]:
        return vjp(lambda p: functional_call(net, p, (x,))[:, 0], parameters)[1]

    def run(rows: int, chunk: int) -> float:
        total = 0.0
        for start in range(0, MANY, rows):
            x = H.inputs.sample(rows, np.random.default_rng(start))
            labels = torch.tensor(H.evaluate(drawn, x), dtype=dtype)
            back = pull_back(torch.tensor(x, dtype=dtype))
            parts = vmap(back, chunk_size=chunk)(labels / MANY)[0]
            total = total + torch.cat([g.reshape(MEMBERS, -1) for g in parts.values()], dim=1)
        return float((total**2).sum())

    # Rows of a batch and members at a time: all 256 at once, or fewer than 32, take longer.
    sizes = [(4096, 32), (4096, 64), (8192, 64), (2048, 128)]
    found = [
        {**timed(lambda rows=rows, chunk=chunk: run(rows, chunk), 1), "rows, members": (rows, chunk)}
        for rows, chunk in sizes
    ]
    return min(found, key=lambda one: one["seconds"])


# --- workers -----------------------------------------------------------------------------------------------


def workers(count: int) -> dict[str, object]:
    from concurrent.futures import ThreadPoolExecutor

    H, model = gv.SparseParities(DIM, 3), network()
    with ThreadPoolExecutor(count) as pool:
        return timed(
            lambda: (
                gv.gradient_variance(H, model, method="monte-carlo", max_samples=N, rtol=0, rng=0, executor=pool).value
            )
        )


CANDIDATES: dict[str, dict[str, Callable[[], dict[str, object]]]] = {
    "pairs": {"gradvar": pairs_gradvar, "jax, layer-wise": pairs_jax, "torch, gradients": pairs_torch},
    "accuracy": {"gradvar": accuracy_gradvar, "torch, sampled members": accuracy_torch},
    "members": {
        "gradvar": members_gradvar,
        "gradvar, projections": lambda: members_gradvar(512),
        "torch, vmap": members_torch,
    },
    "workers": {"2 workers": lambda: workers(2), "1 worker": lambda: workers(1)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(CANDIDATES), help=", ".join(CANDIDATES))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        part, name = given.one
        print(json.dumps(CANDIDATES[part][name]()))
        return
    for part in given.parts:
        print(part)
        own = None
        for name in CANDIDATES[part]:
            run = subprocess.run(
                [sys.executable, __file__, "--one", part, name], capture_output=True, text=True, check=True
            )
            found = json.loads(run.stdout)
            own = own or found
            memory = f"{found['extra']:8.2f} GiB more" if "extra" in found else ""
            rest = {k: v for k, v in found.items() if k not in ("seconds", "extra")}
            ratio = found["seconds"] / own["seconds"]
            print(f"  {name:<24} {found['seconds']:9.3f} s   ratio {ratio:9.2f}  {memory}  {rest}", flush=True)


if __name__ == "__main__":
    main()
