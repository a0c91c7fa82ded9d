"""How often 95% intervals hold the truth, from a few seeds; `interval_coverage.py` and `mean_coverage.py` take many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import gradvar as gv
from gradvar.classes.base import Samples

from .interval_coverage import Drawn, problems
from .timing import Row, Run, Side, each_alone

PROBLEMS = ("parities(12, 2) tanh", "parities(10, 3) 2 layers", "cosine(10, 2) tanh", "log(1009) relu hinge")


def coverage(problem: str, seeds: int, members: int) -> Run:
    """The rate, which is the value: by pairs of 200 inputs, or by so many members, drawn, at 1000."""
    H, model, loss = problems()[problem]
    truth, n = gv.gradient_variance(H, model, loss).value, 1000 if members else 200
    estimated = Drawn(H) if members and isinstance(H, Samples) else H
    method = gv.MonteCarlo(n_members=members, n_projections=None) if members else "monte-carlo"

    def run(turn: int) -> tuple[float, float]:
        held = 0
        for seed in range(seeds):
            found = gv.gradient_variance(estimated, model, loss, method=method, rtol=0, max_samples=n, rng=seed)
            held += found.interval[0] <= truth <= found.interval[1]
        return held / seeds, math.nan

    return run


def rows(quick: bool) -> Iterator[Row]:
    seeds, sides = 40 if quick else 300, []
    for members in (0, 64):
        for problem in PROBLEMS[: 2 if members and quick else None]:
            name = f"{problem}, {f'{members} members drawn' if members else 'pairs of 200 inputs'}"
            sides.append(Side(name, coverage, (problem, seeds, members)))
    for row in each_alone("coverage", sides, 0):
        yield said(row, seeds)


def said(row: Row, seeds: int) -> Row:
    """The rate with its standard error if the true one is 95%."""
    if not row.turns["gradvar values"]:
        return row
    note = f"{row.turns['gradvar values'][0]:.1%} of {seeds} seeds; 95% +- {(0.95 * 0.05 / seeds) ** 0.5:.1%} is right"
    return replace(row, note=note, memory=None)
