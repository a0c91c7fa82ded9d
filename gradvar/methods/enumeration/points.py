"""All points of finitely many inputs, a block of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import TypeVar

from ...classes.inputs import Inputs
from ...core.arguments import Array
from ...estimation.expectation import enumerated
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...problem import Problem
from ...results.estimate import Estimate

T = TypeVar("T")

_ROWS, _FEWEST_ROWS, _NUMBERS = 512, 32, 2**20
"""Inputs of a block, whose factors are about what the cache holds; and numbers of these, 8 MiB, since blocks wait."""


def n_points(problem: Problem) -> int:
    """Return the number of inputs of a problem that has finitely many."""
    points = problem.inputs.n_points
    assert points is not None
    return points


def over_points(f: Callable[[Array], T], problem: Problem, settings: Settings) -> Iterator[tuple[slice, T]]:
    """Yield slices of the points and f there, in order."""
    rows, points = max(_FEWEST_ROWS, min(_ROWS, _NUMBERS // problem.row_size)), n_points(problem)
    blocks = [slice(start, min(start + rows, points)) for start in range(0, points, rows)]
    with closing(ordered_map(partial(_at, f, problem.inputs), blocks, settings.executor)) as results:
        yield from zip(blocks, results, strict=True)


class MeanNorms:
    """E||g||^2 and E||s||^2 over all points."""

    def __init__(self, problem: Problem) -> None:
        self._inputs, self._points = problem.inputs, n_points(problem)
        self._sums: list[Array] = []

    def take(self, sizes: Iterable[tuple[slice, Array]]) -> None:
        """Take ||g||^2 and ||s||^2, shape (n, 2), at each block of the points."""
        self._sums = [self._inputs.weights(block.start, block.stop) @ norms for block, norms in sizes]

    def estimates(self) -> tuple[Estimate, Estimate] | None:
        """Return G^2 and E||s||^2, exact up to rounding; None where nothing was taken."""
        if not self._sums:
            return None
        gradient, signal = enumerated(self._sums, self._points, "expectation")
        return gradient, signal


def _at(f: Callable[[Array], T], inputs: Inputs, block: slice) -> T:
    return f(inputs.points(block.start, block.stop))
