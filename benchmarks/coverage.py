"""How often 95% intervals hold the truth, from a few seeds; `interval_coverage.py` and `mean_coverage.py` take many."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .timing import Row, Run, Side, contest

SCRIPT = Path(__file__).parent / "interval_coverage.py"
PROBLEMS = ("parities(12, 2) tanh", "parities(10, 3) 2 layers", "cosine(10, 2) tanh", "log(1009) relu hinge")


def coverage(problem: str, seeds: int, members: int) -> Run:
    """The rate, which is the value, from the script's table."""
    size = 1000 if members else 200
    command = [sys.executable, str(SCRIPT), "--seeds", str(seeds), "--sizes", str(size), "--only", problem]

    def run(turn: int) -> tuple[float, float]:
        more = ["--members", str(members)] if members else []
        table = subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout.splitlines()
        heads, cells = ([cell.strip() for cell in line.split("|")] for line in (table[0], table[-1]))
        return float(cells[heads.index("95%")].rstrip("%")) / 100, math.nan

    return run


def rows(quick: bool) -> Iterator[Row]:
    seeds = 60 if quick else 300
    for members in (0, 64):
        for problem in PROBLEMS[: 2 if members and quick else None]:
            side = Side("gradvar", coverage, (problem, seeds, members))
            name = f"{problem}, {f'{members} members drawn' if members else 'pairs of 200 inputs'}"
            for row in contest("coverage", name, [side], 0):
                yield said(row, seeds)


def said(row: Row, seeds: int) -> Row:
    """The rate with its standard error if the true one is 95%."""
    if not row.turns["gradvar values"]:
        return row
    note = f"{row.turns['gradvar values'][0]:.1%} of {seeds} seeds; 95% +- {(0.95 * 0.05 / seeds) ** 0.5:.1%} is right"
    return replace(row, note=note, memory=None)
