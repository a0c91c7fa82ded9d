r"""The gradients E_x[(h_a(x) - hbar(x)) s(x)] of sampled members, on blocks of inputs, at the speed of matrix products.

For each tangent factor (A, B) of the signal, s_ij(x) = A_i(x) B_j(x), the mean over a block is

    c_aij = sum_x w(x) (h_a(x) - hbar(x)) A_i(x) B_j(x).

The gradients of single inputs are never made (`member_tiles.py`). Of the members' gradients, at all blocks, one part is
held at a time: some members, and if not even four of these fit, some of their components.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from ...classes.base import Samples
from ...core.arguments import Array, real, stream
from ...core.errors import NonFiniteError, ShapeError
from ...estimation.expectation import rows_per_tile
from ...estimation.tiles import CachedPerProcess, single_threaded_blas
from ...problem import Factors, Moment, Problem
from .member_tiles import Cell, MemberTile
from .tile_cache import TileCache

_INPUTS, _MEMBERS, _PROJECTIONS = 0, 1, 2
_BLOCKS = 64
_HELD = 2**24
"""Numbers in a part of the gradients, over all blocks: 128 MiB."""
_FEW = 4
"""Members in a part, where not even the gradients of so many fit: it has some of their components."""
_KEPT_BYTES = 2**27
"""The most that a process keeps of labels and factors, where there are several parts."""


class Part(NamedTuple):
    """Some members, and the components of their gradients that are held together.

    Gradients of a part are arrays (..., members components): those of a cell come after those of another, each of shape
    (members, r s).
    """

    first: int
    last: int
    cells: tuple[Cell, ...]

    @property
    def members(self) -> int:
        """How many members."""
        return self.last - self.first

    @property
    def components(self) -> int:
        """How many components of each."""
        return sum(cell.size for cell in self.cells)

    def by_cell(self, gradients: Array) -> list[Array]:
        """Views of gradients of the part: the components of each cell, shape (..., members, r s)."""
        stops = np.cumsum([self.members * cell.size for cell in self.cells])
        return [
            gradients[..., stop - self.members * cell.size : stop].reshape(*gradients.shape[:-1], self.members, -1)
            for cell, stop in zip(self.cells, stops, strict=True)
        ]


class Side(NamedTuple):
    """Some columns of the left side of a factor, which belong to one layer, and the widths of both sides."""

    layer: int
    factor: int
    columns: slice
    left: int
    right: int


class MemberGradients(CachedPerProcess):
    """The gradients of one sample of members, on blocks of one sample of inputs.

    Members and projections do not travel to other processes: they draw the same ones.

    Parameters
    ----------
    problem : Problem
        Its class can be drawn from.
    seed : int
        Root of the random streams.
    key : int
        The name of those of this sample.
    m : int
        Members.
    n_projections : int or None
        Projections, where a layer has more components.
    n : int
        Inputs; n_blocks divides those that are sampled.
    enumerated : bool
        Whether they are all inputs.

    Attributes
    ----------
    parts : list of Part
        The gradients, in parts that are held one after the other: those of the same members are neighbours.
    layers : list of int
        The part of the gradient, a layer or all of it, that the cells of each factor belong to.
    projections : list of int
        How many stand for each layer; 0 for whole gradients.
    held : ndarray
        Where this process writes the gradients of a part at all blocks, shape (blocks, members components), if it does.
    """

    left_behind = ("members", "sketch", "held", "_tiles")

    def __init__(
        self,
        problem: Problem,
        seed: int,
        key: int,
        m: int,
        n_projections: int | None,
        n: int,
        enumerated: bool,
    ) -> None:
        super().__init__()
        self.problem, self.seed, self.key, self.m, self.enumerated = problem, seed, key, m, enumerated
        self.n_blocks = min(_BLOCKS, n)
        self.size = math.ceil(n / self.n_blocks) if enumerated else n // self.n_blocks
        self.n = n if enumerated else self.size * self.n_blocks
        factors = problem.signal_factors(problem.inputs.sample(1, np.random.default_rng(0)))
        widths = [right.shape[1] for _, right in factors]
        # the columns of a factor's left side that are a layer's, by layers
        found = sorted((layer, i, some) for i, shares in enumerate(problem.shares) for layer, some in shares)
        self.sides = [Side(*side, factors[side[1]][0][:, side[2]].shape[1], widths[side[1]]) for side in found]
        sizes = [sum(s.left * s.right for s in self.sides if s.layer == layer) for layer in range(problem.n_parts)]
        self.projections = [n_projections if n_projections is not None and n_projections < q else 0 for q in sizes]
        shapes: list[tuple[int, int]] = []
        self.layers: list[int] = []
        for side in self.sides:
            q = self.projections[side.layer]
            if not q or side.layer not in self.layers:
                shapes.append((1, q) if q else (min(side.left, side.right), max(side.left, side.right)))
                self.layers.append(side.layer)
        self.parts = self._split(shapes)
        projected = n_projections if n_projections is not None and n_projections < sum(sizes) else 0
        self._rows = rows_per_tile(problem.row_size + m + projected, 1024)
        self.restore()

    def _split(self, shapes: list[tuple[int, int]]) -> list[Part]:
        """All gradients, in parts that are held together at all blocks."""
        numbers, self.q = max(1, _HELD // self.n_blocks), sum(r * s for r, s in shapes)
        members = min(self.m, max(_FEW, numbers // self.q))
        together = list(packed(shapes, max(1, numbers // members)))
        starts = range(0, self.m, members)
        return [Part(first, min(first + members, self.m), cells) for first in starts for cells in together]

    @single_threaded_blas()
    def restore(self) -> None:
        """Draw the members and projections, and begin with nothing kept."""
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, Samples)
        self.members = hypotheses.sample(self.m, stream(self.seed, self.key, _MEMBERS))
        rng = stream(self.seed, self.key, _PROJECTIONS)
        self.sketch: Factors = []
        for side in self.sides:
            q = self.projections[side.layer]
            # A quarter power for each side: products of the two are over the root of q.
            left, right = (_rademacher(rng, width, q) / max(q, 1) ** 0.25 for width in (side.left, side.right))
            self.sketch.append((left, right))
        self.forget()

    def forget(self) -> None:
        """Give the memory back."""
        self.held = np.empty((0, 0))
        self._tiles: TileCache[MemberTile] = TileCache(_KEPT_BYTES if len(self.parts) > 1 else 0)

    def __call__(self, task: tuple[int, int]) -> tuple[Array, Array]:
        """Return the mean of (h - hbar) s over a block for a part, shape (members components,), and norms.

        A task is the number of the block and that of the part. The norms ||g||^2 and ||s||^2 at the inputs, shape
        (n, 2), come with the first part; else there are none. Costs 2 members components operations for each input
        (an eighth of members components where all are signs), and what labels and factors cost where they are not kept.
        """
        block, number = task
        part, size = self.parts[number], self._size(block)
        out = self.held[block] if len(self.held) else np.empty(part.members * part.components)
        norms = [np.empty((0, 2 * self.problem.n_parts))]
        if size == 0:
            out[:] = 0.0
        for start in range(0, size, self._rows):
            tile = self._tiles.get((block, start), partial(self._tile, block, start))
            for cell, total in zip(part.cells, part.by_cell(out), strict=True):
                tile.sum_into(total.reshape(-1, *cell.shape), part.first, part.last, cell, add=start > 0)
            if number == 0:
                norms.append(tile.norms)
        return out, np.concatenate(norms)

    def _size(self, block: int) -> int:
        """The inputs in a block: fewer in the last ones, where all are taken."""
        return max(0, min(self.size, self.n - block * self.size))

    def _tile(self, block: int, start: int) -> MemberTile:
        """The inputs of a block from number `start` on: a function of these two numbers."""
        stop = min(start + self._rows, self._size(block))
        if self.enumerated:
            begin, end = block * self.size + start, block * self.size + stop
            x, weights = self.problem.inputs.points(begin, end), self.problem.inputs.weights(begin, end)
        else:
            x = self.problem.inputs.sample(stop - start, stream(self.seed, self.key, _INPUTS, block, start))
            weights = np.full(stop - start, 1 / self.size)
        signal, norms = self.problem.signal(x)
        centred = self.problem.moment is Moment.VARIANCE
        return MemberTile.of(self._values(x), weights, self._sides(signal), norms, centred)

    def _sides(self, signal: Factors) -> Factors:
        """The narrower and the wider side of each factor; or ones and what is of rank one, or the projections."""
        found: dict[int | str, tuple[Array, Array]] = {}
        for number, (side, (u, v)) in enumerate(zip(self.sides, self.sketch, strict=True)):
            pair = signal[side.factor][0][:, side.columns], signal[side.factor][1]
            one = np.ones((1, len(pair[0])))
            if self.projections[side.layer]:
                # sum_ij u_i A_i B_j v_j for Rademacher vectors u, v: one product of two sums for each projection
                product = pair[0] @ u
                product *= pair[1] @ v
                _, total = found.setdefault(f"layer {side.layer}", (one, np.zeros_like(product)))
                total += product
                continue
            narrow, wide = sorted(pair, key=lambda factor: factor.shape[1])
            if narrow.shape[1] == 1:
                found[number] = one, narrow * wide
            else:
                found[number] = np.ascontiguousarray(narrow.T), np.ascontiguousarray(wide)
        return list(found.values())

    def _values(self, x: Array) -> Array:
        """h(x) of all members, shape (m, n)."""
        hypotheses = cast(Samples[object], self.problem.hypotheses)  # `restore` has drawn from it
        values = real("H.evaluate", hypotheses.evaluate(self.members, x))
        if values.shape != (self.m, x.shape[0]):
            raise ShapeError(
                f"`H.evaluate` must return shape {(self.m, x.shape[0])} for {self.m} members and {x.shape[0]} "
                f"inputs, got {values.shape}"
            )
        if not np.isfinite(values).all():
            raise NonFiniteError(f"`H.evaluate` of {hypotheses!r} must be finite")
        return values


def packed(shapes: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[Cell, ...]]:
    """All components of factors of these shapes (r, s), as cells in groups of at most so many components."""
    group: list[Cell] = []
    room = most
    for cell in _cells(shapes, most):
        if cell.size > room:
            yield tuple(group)
            group, room = [], most
        group.append(cell)
        room -= cell.size
    yield tuple(group)


def _cells(shapes: Iterable[tuple[int, int]], most: int) -> Iterator[Cell]:
    """As many whole rows at a time as there is room for; or parts of one row."""
    for factor, (r, s) in enumerate(shapes):
        columns = min(s, most)
        rows = most // columns
        for i in range(0, r, rows):
            for j in range(0, s, columns):
                yield Cell(factor, slice(i, min(i + rows, r)), slice(j, min(j + columns, s)))


def _rademacher(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return np.asarray(rng.integers(0, 2, size=(rows, columns)) * 2.0 - 1.0, dtype=np.float64)
