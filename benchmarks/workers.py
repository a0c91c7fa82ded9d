"""Two workers against one: pairs of inputs, sampled members, an enumeration and a sweep, to the same bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import gradvar as gv
from gradvar.classes.base import HypothesisClass

from .interval_coverage import Drawn
from .timing import Row, Run, Side, contest


def pairs(workers: int) -> Run:
    H, model = gv.SparseParities(64, 3), gv.MLP.random([64, 128, 1], rng=0)
    return estimated(H, model, workers, "monte-carlo", 16_384)


def members(workers: int) -> Run:
    H, model = Drawn(gv.SparseParities(64, 3)), gv.MLP.random([64, 128, 1], rng=0)
    method = gv.MonteCarlo(n_members=256, n_projections=None)
    return estimated(H, model, workers, method, 16_384)


def enumeration(workers: int) -> Run:
    H, model = gv.SparseParities(17, 3), gv.MLP.random([17, 64, 64, 1], "relu", rng=0)
    return estimated(H, model, workers, "enumeration")


def estimated(
    H: HypothesisClass, model: gv.MLP, workers: int, method: str | gv.MonteCarlo, n: int | None = None
) -> Run:
    pool = ThreadPoolExecutor(workers)

    def run(turn: int) -> tuple[float, float]:
        found = gv.gradient_variance(H, model, method=method, max_samples=n, rtol=0, rng=0, executor=pool)
        return found.value, math.nan

    return run


def sweep(workers: int, dims: list[int]) -> Run:
    pool = ThreadPoolExecutor(workers)
    problems = gv.grid(
        H=[gv.SparseParities(d, 3) for d in dims],
        model=lambda H, seed: gv.MLP.random([H.inputs.dim, 64, 64, 1], "relu", rng=seed),
        seed=range(8),
        method="enumeration",
    )
    return lambda turn: (total(gv.sweep(problems, executor=pool, progress=False)), math.nan)


def total(swept: gv.SweepResults) -> float:
    return math.fsum(value for row in swept if isinstance(value := row["value"], float))


def rows(quick: bool) -> Iterator[Row]:
    dims = [14, 15] if quick else [14, 15, 16]
    for work, turns, *arguments in ((pairs, 1), (members, 1), (enumeration, 2), (sweep, 2, dims)):
        sides = [Side("2 workers", work, (2, *arguments)), Side("1 worker", work, (1, *arguments))]
        for row in contest("workers", work.__name__, sides, turns if quick else 7):
            same = set(row.turns["gradvar values"]) == set(row.turns["peer values"])
            yield replace(row, note=row.note or ("the same bits" if same else "other bits"))
