"""The rows as a table of Markdown, as JSON and as a figure."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

from .machine import Machine
from .timing import Row

HEADER = "| row | gradvar | peer | takes | ratio | cpu | MiB | error | note |\n|" + 9 * "---|"


def seconds(value: float | None) -> str:
    if value is None:
        return ""
    unit, size = ("s", 1) if value >= 1 else ("ms", 1e3) if value >= 1e-3 else ("us", 1e6)
    return f"{value * size:.3g} {unit}"


def times_as(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.2g}"


def pair(own: float | None, theirs: float | None) -> str:
    """gradvar's, and the peer's behind a stroke."""
    if own is None and theirs is None:
        return ""
    return number(own) if theirs is None else f"{number(own)} / {number(theirs)}"


def line(row: Row) -> str:
    memory, error = pair(row.memory, row.peer_memory), pair(row.error, row.peer_error)
    times = (seconds(row.gradvar), row.peer, seconds(row.peer_seconds), times_as(row.ratio), times_as(row.cpu_ratio))
    cells = (row.name, *times, memory, error, row.note)
    return "| " + " | ".join(cells) + " |"


def write_json(path: Path, machine: Machine, rows: list[Row]) -> None:
    """Not a number is null: other readers of JSON know no NaN."""
    document = {"machine": machine, "rows": [plain(asdict(row)) for row in rows]}
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def draw(path: Path, rows: list[Row]) -> str:
    """A bar for each ratio; returns what there is to say of it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "no figure: matplotlib is not installed"
    shown = [(row, row.ratio) for row in rows if row.ratio]
    if not shown:
        return "no figure: no row has a ratio"
    figure = Figure(figsize=(9, 1 + 0.2 * len(shown)), layout="constrained")
    axes = figure.subplots()
    questions = list(dict.fromkeys(row.question for row, _ in shown))
    heights = range(len(shown))
    colours = [f"C{questions.index(row.question) % 10}" for row, _ in shown]
    axes.barh(heights, [ratio - 1 for _, ratio in shown], left=1, color=colours)
    labels = [f"{row.question}: {row.name}, {row.peer}" for row, _ in shown]
    axes.set_yticks(heights, labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time of the peer over gradvar's")
    axes.margins(y=0.01)
    figure.savefig(path, dpi=150)
    return f"figure: {path}"
