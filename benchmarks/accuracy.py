"""The time to an answer within 10%, against NumPy, torch.func, JAX and BackPACK: their time, and their bias.

The same 256 of the 2^16 parities for all, a network 16-64-1. Peers take per-example gradients, multiply them with
the members' labels and average the squared distance from the mean: at all 65 536 inputs, which is exact, or at 8192
sampled ones, where the noise of each member's gradient is counted as variance. That bias falls as 1/n, and is not
within 10% before a sample is larger than the cube: the whole cube is their time to 10%.

Where the cube cannot be summed over, d = 64, torch draws members and splits the inputs in two halves, which is
unbiased. Its error falls with the root of its time: the time to 10% is extrapolated from the error of its runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

import gradvar as gv

from . import networks
from .timing import Row, Run, Side, contest

DIM, WIDTH, MEMBERS = 16, 64, 256
ALL, SAMPLED, BATCH = 2**DIM, 8192, 4096
PER_EXAMPLE: dict[str, Callable[[gv.MLP], Callable[[np.ndarray], object]]] = {
    "NumPy": networks.numpy_per_example,
    "torch.func": networks.torch_per_example,
    "JAX": networks.jax_per_example,
    "BackPACK": networks.backpack_per_example,
}


def by_gradvar() -> Run:
    H = gv.Parities(DIM)
    some, model = H.restrict(H.sample(MEMBERS, rng=0)), networks.network(DIM, WIDTH)

    def run(turn: int) -> tuple[float, float]:
        found = gv.gradient_variance(some, model, rng=turn)
        low, high = found.interval
        return found.value, (high - low) / 2 / found.value

    return run


def by_peer(library: str, n: int) -> Run:
    """E_h ||c_h - E c||^2 with c_h the mean over the inputs of h(x) g(x)."""
    H = gv.Parities(DIM)
    members, gradients = H.sample(MEMBERS, rng=0), PER_EXAMPLE[library](networks.network(DIM, WIDTH))

    def run(turn: int) -> tuple[float, float]:
        points = H.inputs.points(0, ALL) if n == ALL else H.inputs.sample(n, np.random.default_rng(turn))
        total = np.zeros((MEMBERS, 1))
        for start in range(0, n, BATCH):
            x = points[start : start + BATCH]
            g, labels = gradients(x), H.evaluate(members, x)
            total = total + labels @ np.asarray(g)
        c = total / n
        return float(((c - c.mean(axis=0)) ** 2).sum(axis=1).mean()), math.nan

    return run


def sampled_by_gradvar(dim: int, degree: int) -> Run:
    H, model = gv.SparseParities(dim, degree), networks.network(dim, 128)

    def run(turn: int) -> tuple[float, float]:
        found = gv.gradient_variance(H, model, method="monte-carlo", rtol=0.1 * 1.96, rng=turn)
        return found.value, math.nan

    return run


def sampled_by_torch(dim: int, degree: int, n: int, members: int) -> Run:
    """Two halves of the inputs: the inner product of the members' deviations in one and in the other."""
    H, pull_back = gv.SparseParities(dim, degree), networks.torch_pull_back(networks.network(dim, 128))

    def run(turn: int) -> tuple[float, float]:
        rng = np.random.default_rng(turn)
        drawn, halves = H.sample(members, rng), []
        for _ in range(2):
            x = H.inputs.sample(n // 2, rng)
            c = pull_back(x, H.evaluate(drawn, x) / len(x), None)
            halves.append(c - c.mean(dim=0))
        return float((halves[0] * halves[1]).sum() / (members - 1)), math.nan

    return run


def to_ten_percent(row: Row) -> Row:
    """The peer's time if it went on until its standard error is 10%; what error it has after gradvar's time."""
    if row.peer_error is None or row.gradvar is None or row.peer_seconds is None:
        return row
    seconds = row.peer_seconds * (row.peer_error / 0.1) ** 2
    there = row.peer_error * math.sqrt(row.peer_seconds / row.gradvar)
    used = {side: statistics.median(row.turns[f"{side} cpu"]) for side in ("gradvar", "peer")}
    cpu = used["peer"] / used["gradvar"] * (row.peer_error / 0.1) ** 2
    note = f"time to 10% extrapolated from runs of {row.peer_seconds:.2g} s; error at equal time {there:.2g}"
    return replace(row, peer_seconds=seconds, ratio=seconds / row.gradvar, cpu_ratio=cpu, note=note)


def rows(quick: bool) -> Iterator[Row]:
    for n, name in ((ALL, "all 65 536 inputs"), (SAMPLED, "8192 sampled inputs")):
        # At the same inputs all libraries have the same bias.
        libraries = ["NumPy"] if quick and n == SAMPLED else list(PER_EXAMPLE)
        sides = [Side("gradvar", by_gradvar), *(Side(library, by_peer, (library, n)) for library in libraries)]
        for row in contest("accuracy", f"256 of 2^16 parities, peers: {name}", sides, 1 if quick else 5, exact=True):
            if n == SAMPLED and row.peer_error and row.ratio:
                row = replace(row, note=f"error at equal time {row.peer_error * row.ratio:.2g}: bias falls as 1/n")
            yield row
    truth = gv.gradient_variance(gv.SparseParities(64, 2), networks.network(64, 128)).value
    n = 4096 if quick else 65_536
    sides = [Side("gradvar", sampled_by_gradvar, (64, 2)), Side("torch, two halves", sampled_by_torch, (64, 2, n, 64))]
    for row in contest("accuracy", "SparseParities(64, 2), sampled", sides, 4 if quick else 8, truth=truth):
        yield to_ten_percent(row)
