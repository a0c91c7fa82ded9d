"""All points of finitely many inputs, a block of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import TypeVar

from ...classes.inputs import Inputs
from ...core.arguments import Array
from ...estimation.expectation import rows_per_tile
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...problem import Problem

T = TypeVar("T")


def n_points(problem: Problem) -> int:
    """Return the number of inputs of a problem that has finitely many."""
    points = problem.inputs.n_points
    assert points is not None
    return points


def over_points(f: Callable[[Array], T], problem: Problem, settings: Settings) -> Iterator[tuple[slice, T]]:
    """Yield slices of the points and f there, in order."""
    rows, points = rows_per_tile(problem.row_size, 4096), n_points(problem)
    blocks = [slice(start, min(start + rows, points)) for start in range(0, points, rows)]
    with closing(ordered_map(partial(_at, f, problem.inputs), blocks, settings.executor)) as results:
        yield from zip(blocks, results, strict=True)


def _at(f: Callable[[Array], T], inputs: Inputs, block: slice) -> T:
    return f(inputs.points(block.start, block.stop))
