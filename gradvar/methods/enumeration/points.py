"""All points of finitely many inputs, a block of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ...classes.inputs import Inputs
from ...core.arguments import Array
from ...estimation.expectation import enumerated
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map, shares_memory
from ...problem import Problem
from ...results.estimate import Estimate

T = TypeVar("T")

_ROWS, _FEWEST_ROWS, _NUMBERS = 2048, 32, 2**20
"""Inputs of a block: of fewer, threads wait for the interpreter as long as they compute; and numbers of these, 8 MiB,
since blocks wait."""


def n_points(problem: Problem) -> int:
    """Return the number of inputs of a problem that has finitely many."""
    points = problem.inputs.n_points
    assert points is not None
    return points


def over_points(f: Callable[[Array], T], problem: Problem, settings: Settings) -> Iterator[tuple[slice, T]]:
    """Yield slices of the points and f there, in order."""
    yield from _over_blocks(partial(_at, f, problem.inputs), problem, settings)


def written(
    f: Callable[[Array], tuple[Sequence[Array], T]], arrays: Sequence[Array], problem: Problem, settings: Settings
) -> Iterator[tuple[slice, T]]:
    """Write the first of what f returns into arrays with a row for each point, and yield slices and the rest, in order.

    Workers that share memory write it themselves: what waits takes memory, and to write takes a third of the time.
    """
    if shares_memory(settings.executor):
        yield from _over_blocks(partial(_write, f, problem.inputs, arrays), problem, settings)
        return
    for block, (parts, rest) in over_points(f, problem, settings):
        _put(parts, arrays, block)
        yield block, rest


def _over_blocks(f: Callable[[slice], T], problem: Problem, settings: Settings) -> Iterator[tuple[slice, T]]:
    rows, points = max(_FEWEST_ROWS, min(_ROWS, _NUMBERS // problem.row_size)), n_points(problem)
    blocks = [slice(start, min(start + rows, points)) for start in range(0, points, rows)]
    with closing(ordered_map(f, blocks, settings.executor)) as results:
        yield from zip(blocks, results, strict=True)


class MeanNorms:
    """E||g||^2 and E||s||^2 over all points."""

    def __init__(self, problem: Problem) -> None:
        self._inputs, self._points = problem.inputs, n_points(problem)
        self._sums: list[Array] = []

    def take(self, sizes: Iterable[tuple[slice, Array]]) -> None:
        """Take ||g||^2 and ||s||^2 of each part of the gradient, shape (n, 2 parts), at each block of the points."""
        self._sums = [self._inputs.weights(block.start, block.stop) @ norms for block, norms in sizes]

    def beside(self, moments: Iterable[Estimate]) -> list[Estimate]:
        """Return a moment of each part with its G^2 and E||s||^2, exact up to rounding, where norms were taken."""
        if not self._sums:
            return list(moments)
        found = enumerated(self._sums, self._points, "expectation")
        pairs = zip(found[::2], found[1::2], strict=True)
        return [replace(moment, norms=pair) for moment, pair in zip(moments, pairs, strict=True)]


def _at(f: Callable[[Array], T], inputs: Inputs, block: slice) -> T:
    return f(inputs.points(block.start, block.stop))


def _write(f: Callable[[Array], tuple[Sequence[Array], T]], inputs: Inputs, arrays: Sequence[Array], block: slice) -> T:
    parts, rest = _at(f, inputs, block)
    _put(parts, arrays, block)
    return rest


def _put(parts: Sequence[Array], arrays: Sequence[Array], block: slice) -> None:
    for array, part in zip(arrays, parts, strict=True):
        array[block] = part
