"""Two workers against one: pairs of inputs, sampled members, an enumeration and a sweep, to the same bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import gradvar as gv

from .members import Drawn
from .timing import Row, Run, Side, contest


def pairs(workers: int) -> Run:
    H, model = gv.SparseParities(64, 3), gv.MLP.random([64, 128, 1], rng=0)
    return estimated(H, model, workers, method="monte-carlo", max_samples=16_384, rtol=0, rng=0)


def members(workers: int) -> Run:
    H, model = Drawn(gv.SparseParities(64, 3)), gv.MLP.random([64, 128, 1], rng=0)
    method = gv.MonteCarlo(n_members=256, n_projections=None)
    return estimated(H, model, workers, method=method, max_samples=16_384, rtol=0, rng=0)


def enumeration(workers: int) -> Run:
    H, model = gv.SparseParities(18, 3), gv.MLP.random([18, 64, 64, 1], "relu", rng=0)
    return estimated(H, model, workers, method="enumeration")


def estimated(H: object, model: gv.MLP, workers: int, **settings: object) -> Run:
    pool = ThreadPoolExecutor(workers)
    return lambda turn: (gv.gradient_variance(H, model, executor=pool, **settings).value, math.nan)


def sweep(workers: int) -> Run:
    pool = ThreadPoolExecutor(workers)
    problems = gv.grid(
        H=[gv.Parities(d) for d in (12, 14)],
        model=lambda H, seed: gv.MLP.random([H.inputs.dim, 64, 64, 1], "relu", rng=seed),
        seed=range(8),
    )
    return lambda turn: (sum(row["value"] for row in gv.sweep(problems, executor=pool, progress=False)), math.nan)


def rows(quick: bool) -> Iterator[Row]:
    for work in (pairs, members, enumeration, sweep):
        sides = [Side("2 workers", work, (2,)), Side("1 worker", work, (1,))]
        for row in contest("workers", work.__name__, sides, 3 if quick else 7):
            same = set(row.turns["gradvar values"]) == set(row.turns["peer values"])
            yield replace(row, note=row.note or ("the same bits" if same else "other bits"))
