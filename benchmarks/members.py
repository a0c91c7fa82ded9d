"""The gradients of 256 sampled members of a class, against torch.func with vmap over members.

As if `SparseParities(64, 3)` did not say its covariance; a network 64-128-1. gradvar by whole gradients, and by 512
random projections of them, which are what it takes by default.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

import gradvar as gv

from . import networks
from .interval_coverage import Drawn
from .timing import Row, Run, Side, contest

DIM, WIDTH, MEMBERS = 64, 128, 256


def by_gradvar(n: int, members: int, projections: int | None) -> Run:
    H, model = Drawn(gv.SparseParities(DIM, 3)), networks.network(DIM, WIDTH)
    method = gv.MonteCarlo(n_members=members, n_projections=projections)
    return lambda turn: (gv.gradient_variance(H, model, method=method, max_samples=n, rtol=0, rng=0).value, math.nan)


def by_torch(n: int, rows: int, chunk: int) -> Run:
    """In batches of so many inputs, and so many members at a time."""
    import torch

    H = gv.SparseParities(DIM, 3)
    drawn, pull_back = H.sample(MEMBERS, 0), networks.torch_pull_back(networks.network(DIM, WIDTH))

    def run(turn: int) -> tuple[float, float]:
        total = torch.zeros(1)
        for start in range(0, n, rows):
            x = H.inputs.sample(rows, np.random.default_rng(start))
            total = total + pull_back(x, H.evaluate(drawn, x) / n, chunk)
        return float((total**2).sum()), math.nan

    return run


def rows(quick: bool) -> Iterator[Row]:
    n = 4096 if quick else 32_768
    # The fastest of those that were tried: 256 members at once, or fewer than 32, take longer.
    batches = [(4096, 64)] if quick else [(4096, 32), (4096, 64), (8192, 64), (2048, 128)]
    peers = [Side(f"torch vmap, batches of {batch} x {chunk}", by_torch, (n, batch, chunk)) for batch, chunk in batches]
    for projections in (None, 512):
        name = f"n = {n}, {'whole gradients' if projections is None else '512 projections'}"
        yield from contest(
            "members", name, [Side("gradvar", by_gradvar, (n, MEMBERS, projections)), *peers], 1 if quick else 3
        )
