"""Steps of `descend` against a plain PyTorch loop: the parity experiment of arXiv 1703.07950, 30-300-1 relu, hinge.

SGD on fresh batches of 128. Seconds are per step; peers on one thread, the faster for batches of this size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

import gradvar as gv

from .timing import Row, Run, Side, contest

DIM, WIDTH, BATCH, RATE = 30, 300, 128, 0.01
MEMBER = np.arange(DIM) % 2 == 0


def target(x: np.ndarray) -> np.ndarray:
    value: np.ndarray = x[:, MEMBER].prod(axis=1)
    return value


def by_gradvar(steps: int) -> Run:
    start = gv.MLP.random([DIM, WIDTH, 1], activation="relu", rng=0)
    inputs = gv.Hypercube(DIM)

    def run(turn: int) -> tuple[float, float]:
        gv.descend(target, start, "hinge", inputs=inputs, steps=steps, batch=BATCH, learning_rate=RATE, rng=0)
        return math.nan, math.nan

    return run


def by_torch(steps: int, precision: str) -> Run:
    import torch

    torch.set_num_threads(1)
    dtype = getattr(torch, precision)

    def run(turn: int) -> tuple[float, float]:
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(DIM, WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, 1)).to(dtype)
        optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
        members = torch.from_numpy(np.flatnonzero(MEMBER))
        for _ in range(steps):
            x = torch.randint(0, 2, (BATCH, DIM)).to(dtype) * 2 - 1
            y = x[:, members].prod(dim=1)
            optimizer.zero_grad()
            torch.clamp(1 - y * net(x).squeeze(1), min=0).mean().backward()
            optimizer.step()
        return math.nan, math.nan

    return run


def rows(quick: bool) -> Iterator[Row]:
    steps = 500 if quick else 5000
    sides = [Side("gradvar", by_gradvar, (steps,))]
    sides += [Side(f"torch loop, {precision}", by_torch, (steps, precision)) for precision in ("float64", "float32")]
    yield from contest("training", "a step", sides, 3, per=steps)
