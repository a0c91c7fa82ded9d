"""Two workers against one: pairs of inputs, sampled members, an enumeration and two sweeps, to the same bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

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


def sweep_of_enumerations(workers: int) -> Run:
    return swept(workers, H=[gv.SparseParities(d, 3) for d in (14, 15)], method="enumeration")


def sweep_of_pairs(workers: int) -> Run:
    H = [gv.SparseParities(d, 3) for d in (48, 64)]
    return swept(workers, H=H, method="monte-carlo", max_samples=1536, rtol=0)


def swept(workers: int, **settings: Any) -> Run:
    """Sixteen problems."""
    pool = ThreadPoolExecutor(workers)
    problems = gv.grid(
        model=lambda H, seed: gv.MLP.random([H.inputs.dim, 64, 64, 1], "relu", rng=seed), seed=range(8), **settings
    )
    return lambda turn: (total(gv.sweep(problems, executor=pool, progress=False)), math.nan)


def total(swept: gv.SweepResults) -> float:
    return math.fsum(value for row in swept if isinstance(value := row["value"], float))


def rows(quick: bool) -> Iterator[Row]:
    for work, turns in ((pairs, 1), (members, 2), (enumeration, 3), (sweep_of_pairs, 1), (sweep_of_enumerations, 1)):
        sides = [Side("2 workers", work, (2,)), Side("1 worker", work, (1,))]
        for row in contest("workers", work.__name__.replace("_", " "), sides, turns if quick else 7):
            same = set(row.turns["gradvar values"]) == set(row.turns["peer values"])
            yield replace(row, note=row.note or ("the same bits" if same else "other bits"))
