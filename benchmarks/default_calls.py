"""Default calls, as a user makes them first: at most 5 s and 600 MiB each (the peer is this budget).

First calls in a fresh process with a warm cache of compiled kernels; 64 units a layer and tanh, unless said. The rows
of by="layer" have the same call without it for a peer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

import gradvar as gv
from gradvar.classes.base import HypothesisClass
from gradvar.verbs.layers import Options

from .timing import Row, Run, Side, contest, each_alone

SECONDS, MEMORY = 5.0, 600.0


def mlp(*widths: int, activation: str = "tanh") -> gv.MLP:
    return gv.MLP.random(list(widths), activation=activation, rng=0)


def transformer() -> gv.BoundCheck:
    import torch

    class Reader(torch.nn.Module):
        """Each coordinate a token; the mean over tokens is read."""

        def __init__(self) -> None:
            super().__init__()
            self.place = torch.nn.Parameter(torch.randn(16, 16) / 4)
            self.layer = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
            self.out = torch.nn.Linear(16, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = self.out(self.layer(x[:, :, None] * self.place).mean(dim=1))[:, 0]
            return values

    torch.manual_seed(0)
    return gv.bound_check(gv.SparseParities(16, 3), gv.from_torch(Reader().double()), rng=0)


def restricted() -> gv.BoundCheck:
    H = gv.Parities(16)
    return gv.bound_check(H.restrict(H.sample(256, rng=0)), mlp(16, 64, 1), rng=0)


def finite() -> gv.BoundCheck:
    rng = np.random.default_rng(0)
    H = gv.FiniteClass(np.sign(rng.standard_normal((2000, 5000))), rng.standard_normal((5000, 16)))
    return gv.bound_check(H, mlp(16, 64, 1), rng=0)


def swept() -> gv.SweepResults:
    problems = gv.grid(
        H=[gv.Parities(d) for d in (8, 10, 12, 14)],
        model=lambda H, seed: gv.MLP.random([H.inputs.dim, 64, 1], rng=seed),
        seed=range(4),
    )
    with ThreadPoolExecutor(2) as pool:
        return gv.sweep(problems, executor=pool, progress=False)


CALLS = {
    "Parities(20), one layer": lambda: gv.bound_check(gv.Parities(20), mlp(20, 64, 1)),
    "Parities(22), one layer": lambda: gv.bound_check(gv.Parities(22), mlp(22, 64, 1)),
    "SparseParities(22, 3), 22-128-128-1 relu": lambda: gv.bound_check(
        gv.SparseParities(22, 3), mlp(22, 128, 128, 1, activation="relu"), rng=0
    ),
    "SparseParities(30, 3), one layer, relu": lambda: gv.bound_check(
        gv.SparseParities(30, 3), mlp(30, 64, 1, activation="relu"), rng=0
    ),
    "SparseParities(20, 5), two layers, relu": lambda: gv.bound_check(
        gv.SparseParities(20, 5), mlp(20, 64, 64, 1, activation="relu"), rng=0
    ),
    "SparseParities(100, 4), two layers": lambda: gv.bound_check(gv.SparseParities(100, 4), mlp(100, 64, 64, 1), rng=0),
    "SparseParities(100, 4), two layers, relu": lambda: gv.bound_check(
        gv.SparseParities(100, 4), mlp(100, 64, 64, 1, activation="relu"), rng=0
    ),
    "SparseParities(1000, 8), two layers": lambda: gv.bound_check(
        gv.SparseParities(1000, 8), mlp(1000, 64, 64, 1), rng=0
    ),
    "SparseParities(5, 2), one layer, weights x 1000": lambda: gv.bound_check(
        gv.SparseParities(5, 2), gv.MLP([1000 * mlp(5, 64, 1).weights[0], mlp(5, 64, 1).weights[1]], activation="tanh")
    ),
    "LinearPeriodic(10, 3), two layers": lambda: gv.bound_check(gv.LinearPeriodic(10, 3.0), mlp(10, 64, 64, 1), rng=0),
    "BiasedParities(18), one layer": lambda: gv.bound_check(gv.BiasedParities(18, 0.3), mlp(18, 64, 1), rng=0),
    "256 of 2^16 parities, one layer": restricted,
    "DiscreteLog(16001), 14 bits, one layer": lambda: gv.bound_check(gv.DiscreteLog(16_001), mlp(14, 64, 1), rng=0),
    "DiscreteLog(32003), 15 bits, one layer": lambda: gv.bound_check(gv.DiscreteLog(32_003), mlp(15, 64, 1), rng=0),
    "Parities(22), 22-512-512-1": lambda: gv.bound_check(gv.Parities(22), mlp(22, 512, 512, 1), rng=0),
    "SparseParities(60, 3), one layer": lambda: gv.bound_check(gv.SparseParities(60, 3), mlp(60, 64, 1), rng=0),
    "BiasedParities(16), one layer, relu": lambda: gv.bound_check(
        gv.BiasedParities(16, 0.3), mlp(16, 64, 1, activation="relu"), rng=0
    ),
    "LinearPeriodic(20, 2), one layer, relu": lambda: gv.bound_check(
        gv.LinearPeriodic(20, 2.0), mlp(20, 64, 1, activation="relu"), rng=0
    ),
    "ModularMultiples(10007), one layer": lambda: gv.bound_check(gv.ModularMultiples(10_007), mlp(14, 64, 1), rng=0),
    "ModularAddition(31), one layer": lambda: gv.bound_check(gv.ModularAddition(31), mlp(62, 64, 31), rng=0),
    "RandomNetworks(16, (16,)), one layer": lambda: gv.bound_check(gv.RandomNetworks(16, (16,)), mlp(16, 64, 1), rng=0),
    "FiniteClass, 2000 members at 5000 points": finite,
    "SparseParities(16, 3), Convolutional": lambda: gv.bound_check(
        gv.SparseParities(16, 3), gv.Convolutional.random(16, [8, 8], 3, rng=0), rng=0
    ),
    "SparseParities(16, 3), Attention": lambda: gv.bound_check(
        gv.SparseParities(16, 3), gv.Attention.random(16, 16, rng=0, length=16), rng=0
    ),
    "SparseParities(16, 3), Recurrent": lambda: gv.bound_check(
        gv.SparseParities(16, 3), gv.Recurrent.random(16, 16, rng=0, length=16), rng=0
    ),
    "SparseParities(16, 3), a torch transformer": transformer,
    "sweep of 16 problems, ThreadPoolExecutor(2)": swept,
}


def labels() -> gv.FiniteClass:
    rng = np.random.default_rng(0)
    return gv.FiniteClass(rng.choice([-1.0, 1.0], (200, 4000)), rng.normal(size=(4000, 10)))


ROUTES: dict[str, Callable[[], tuple[HypothesisClass, gv.MLP, Options]]] = {
    "pairs, 64-128-1": lambda: (
        gv.SparseParities(64, 3),
        mlp(64, 128, 1),
        {"method": "monte-carlo", "rtol": 0, "max_samples": 8192},
    ),
    "pairs, 64-256-256-1": lambda: (
        gv.SparseParities(64, 3),
        mlp(64, 256, 256, 1),
        {"rtol": 0, "max_samples": 4096},
    ),
    "members": lambda: (gv.RandomNetworks(20, [8]), mlp(20, 64, 1), {"rtol": 0.3}),
    "tasks": lambda: (gv.PlantedParities(40, 3), mlp(40, 64, 64, 1), {"rtol": 0.3}),
    "enumeration, one hidden layer": lambda: (gv.SparseParities(16, 3), mlp(16, 128, 1), {"method": "enumeration"}),
    "enumeration, two": lambda: (gv.SparseParities(14, 3), mlp(14, 32, 32, 1), {"method": "enumeration"}),
    "covariance sum": lambda: (labels(), mlp(10, 64, 64, 1), {"method": "covariance-sum"}),
    "closed form": lambda: (gv.SparseParities(200, 4), mlp(200, 64, 1), {}),
    "Parseval": lambda: (gv.Parities(40), mlp(40, 64, 1), {}),
}


_DEAREST = ("pairs, 64-128-1", "members", "tasks", "covariance sum", "closed form")
"""Those whose layers cost most beside the whole."""


def of_route(name: str, by_layer: bool) -> Run:
    H, model, options = ROUTES[name]()
    options["rng"] = 0

    def run(turn: int) -> tuple[float, float]:
        if by_layer:
            parts = gv.gradient_variance(H, model, by="layer", **options)
            return math.fsum(part.value for part in parts.values()), math.nan
        return gv.gradient_variance(H, model, **options).value, math.nan

    return run


def by_gradvar(name: str) -> Run:
    if "torch" in name:
        import torch  # noqa: F401 - its import is not the call's
    call = CALLS[name]
    # Kernels and imports, as in the second process of a user.
    gv.bound_check(
        gv.SparseParities(6, 2), gv.MLP.random([6, 4, 4, 1], rng=0), method="monte-carlo", max_samples=64, rng=0
    )

    def run(turn: int) -> tuple[float, float]:
        found = call()
        if isinstance(found, gv.BoundCheck) and not found.variance.exact:
            low, high = found.variance.interval
            return found.variance.value, (high - low) / 2 / abs(found.variance.value)
        return math.nan, math.nan

    return run


def rows(quick: bool) -> Iterator[Row]:
    for name in [name for name in ROUTES if not quick or name in _DEAREST]:
        sides = [
            Side(side, of_route, (name, by_layer)) for side, by_layer in (("by layer", True), ("the whole", False))
        ]
        yield from contest("default_calls", f'by="layer": {name}', sides, 2 if quick else 5)
    for row in each_alone("default_calls", [Side(name, by_gradvar, (name,)) for name in CALLS], 0 if quick else 3):
        if row.gradvar is None or row.memory is None:
            yield row
            continue
        missed = [word for word, over in (("seconds", row.gradvar > SECONDS), ("MiB", row.memory > MEMORY)) if over]
        note = f"over the budget of {' and '.join(missed)}" if missed else ""
        yield replace(
            row, peer="budget", peer_seconds=SECONDS, peer_memory=MEMORY, ratio=SECONDS / row.gradvar, note=note
        )
