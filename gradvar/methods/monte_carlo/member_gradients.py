r"""The gradients E_x[(h_a(x) - hbar(x)) s(x)] of sampled members, on blocks of inputs, at the speed of matrix products.

For each tangent factor (A, B) of the signal, s_ij(x) = A_i(x) B_j(x), the mean over a block is

    c_aij = sum_x w(x) (h_a(x) - hbar(x)) A_i(x) B_j(x).

The gradients of single inputs are never made (`member_tiles.py`), and a chunk of members costs nothing that the others
have cost already but the labels and factors, which a process keeps as far as its memory for them goes.

In float32, these gradients are made in float64 as well at a few blocks, for what inner products lack.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...classes.base import Samples
from ...core.arguments import Array, stream
from ...core.errors import NonFiniteError, ShapeError
from ...estimation.expectation import rows_per_tile
from ...estimation.tiles import CachedPerProcess, single_threaded_blas
from ...problem import Factors, Problem, norms_sq
from .member_tiles import IN_CACHE, Cell, MemberTile
from .tile_cache import TileCache

_INPUTS, _MEMBERS, _PROJECTIONS = 0, 1, 2
_BLOCKS = 64
_CHUNK = 2**24
"""Numbers in what is held of the gradients of one chunk of members, over all blocks: 128 MiB."""
_FEW = 4
"""Members in a chunk, where not even the gradient of one of them fits: it is made in pieces."""
_KEPT_BYTES = 2**27
"""What a process keeps of labels and factors, where there are several chunks."""
_GROUP = 2**21
"""Numbers in the gradients of members whose products are one task."""


@dataclass(frozen=True)
class Task:
    """One block of inputs, the members of one chunk, and a piece of their gradients; whether in float64 after all."""

    block: int
    first: int
    last: int
    piece: int
    exact: bool = False


class Sums(NamedTuple):
    """What the gradients of some members at some blocks add to the estimate and its variances.

    Attributes
    ----------
    kernel : ndarray, shape (blocks, blocks)
        The inner products of blocks, summed over the members.
    by_member, by_projection : ndarrays, shapes (2, members), (2, q)
        From each half of the blocks, the means over its pairs of blocks of the squares, summed for each member and for
        each projection; no columns for whole gradients.

    Where all inputs are taken there are no inner products, and both halves are the squares of the sums over all blocks.
    """

    kernel: Array
    by_member: Array
    by_projection: Array

    @classmethod
    def of_members(cls, parts: Sequence[Sums]) -> Sums:
        """Those of several groups of members."""
        kernels, by_member, by_projection = zip(*parts, strict=True)
        return cls(sum(kernels), np.concatenate(by_member, axis=1), sum(by_projection))

    @classmethod
    def of_pieces(cls, parts: Sequence[Sums]) -> Sums:
        """Those of several pieces of the gradients of the same members."""
        kernels, by_member, by_projection = zip(*parts, strict=True)
        return cls(sum(kernels), sum(by_member), np.concatenate(by_projection, axis=1))


class MemberGradients(CachedPerProcess):
    """One sample of inputs, members and projections; called with a task, it gives its mean of (h - hbar) s.

    Members and projections do not travel to other processes: they draw the same ones.

    Parameters
    ----------
    problem : Problem
        Its class can be drawn from.
    seed : numpy.random.SeedSequence
        Root of the random streams.
    key : int
        The name of those of this sample.
    m : int
        Members.
    n_projections : int or None
        Projections, where the signal has more components.
    n : int
        Inputs; n_blocks divides those that are sampled.
    enumerated : bool
        Whether they are all inputs.
    single : bool
        Whether gradients are made in float32.
    """

    left_behind = ("members", "sketch", "out", "_tiles")

    def __init__(
        self,
        problem: Problem,
        seed: np.random.SeedSequence,
        key: int,
        m: int,
        n_projections: int | None,
        n: int,
        enumerated: bool,
        single: bool = False,
    ) -> None:
        super().__init__()
        self.problem, self.seed, self.key, self.m, self.enumerated = problem, seed, key, m, enumerated
        self.single, self.dtype = single, np.dtype(np.float32 if single else np.float64)
        self.n_projections = n_projections
        self.n_blocks = min(_BLOCKS, n)
        self.size = math.ceil(n / self.n_blocks) if enumerated else n // self.n_blocks
        self.n = n if enumerated else self.size * self.n_blocks
        self._draw()
        fit = _CHUNK // (self.n_blocks * self.q)
        self.chunk = min(m, fit or _FEW)
        most = self.q if fit else max(1, _CHUNK // (self.n_blocks * self.chunk))
        self.pieces = _pieces(self.widths, most)
        """Components of the gradient that are held together, in all blocks."""
        width = problem.row_size + m + (self.q if self.projected else 0)
        self._rows = rows_per_tile(width, 1024)
        self.forget()

    @single_threaded_blas()
    def _draw(self) -> None:
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, Samples)
        self.members = hypotheses.sample(self.m, stream(self.seed, self.key, _MEMBERS))
        factors = self.problem.signal_factors(self.problem.inputs.sample(1, np.random.default_rng(0)))
        pairs = [(left.shape[1], right.shape[1]) for left, right in factors]
        self.widths = [(min(pair), max(pair)) for pair in pairs]
        self.q = sum(left * right for left, right in pairs)
        self.sketch: Factors = []
        self.projected = self.n_projections is not None and self.n_projections < self.q
        if self.n_projections is not None and self.projected:
            self.q = self.n_projections
            self.widths = [(1, self.q)]
            rng = stream(self.seed, self.key, _PROJECTIONS)
            # A quarter power for each side: products of the two are over the root of q.
            self.sketch = [
                (_rademacher(rng, left, self.q) / self.q**0.25, _rademacher(rng, right, self.q) / self.q**0.25)
                for left, right in pairs
            ]

    def forget(self) -> None:
        """Give the memory back."""
        self.out = np.empty((0, 0), self.dtype)
        """Where the gradients of a chunk are written in this process, shape (blocks, members q), if there is any."""
        once = self.chunk == self.m and len(self.pieces) == 1
        self._tiles: TileCache[MemberTile] = TileCache(0 if once else _KEPT_BYTES)

    def restore(self) -> None:
        """Draw the members and projections again."""
        self._draw()
        self.forget()

    def __call__(self, task: Task) -> tuple[Array, Array]:
        """The mean over a block of (h - hbar) s for the members of a chunk, shape (members q,), and its norms.

        Here q counts the components in the piece; those of one cell come after those of another, each of shape
        (members, r s). The norms ||g||^2 and ||s||^2 at the inputs, shape (n, 2), come with the first chunk and piece;
        else there are none. Costs 2 members q operations for each input (members q/8 where all are signs), and what
        labels and factors cost where they are not kept.
        """
        members, dtype = task.last - task.first, np.dtype(np.float64) if task.exact else self.dtype
        held = len(self.out) > 0 and not task.exact
        out = self.out[task.block] if held else np.empty(members * self.components(task.piece), dtype)
        norms, size = [np.empty((0, 2))], self._size(task.block)
        if size == 0:
            out[:] = 0.0
        for start in range(0, size, self._rows):
            make = functools.partial(self._tile, task.block, start, dtype)
            tile = make() if task.exact else self._tiles.get((task.block, start), make)
            for cell, total in zip(self.pieces[task.piece], self._by_cell(out, task.piece), strict=True):
                tile.sum_into(total.reshape(members, *cell.shape), task.first, task.last, cell, add=start > 0)
            if task.first == task.piece == 0 and not task.exact:
                norms.append(tile.norms)
        return out, np.concatenate(norms)

    def components(self, piece: int) -> int:
        """Numbers in a piece of the gradient of one member."""
        return sum(math.prod(cell.shape) for cell in self.pieces[piece])

    def groups(self, parts: Array, piece: int) -> range:
        """The first members of the groups whose `sums` are one task each."""
        q = self.components(piece)
        return range(0, parts.shape[1] // q, max(1, _GROUP // (len(parts) * q)))

    def sums(self, parts: Array, piece: int, first: int) -> Sums:
        """The sums of the gradients at some blocks, shape (blocks, members q), of a group of the members."""
        last = first + self.groups(parts, piece).step
        return _sums([part[:, first:last] for part in self._by_cell(parts, piece)], self.projected, self.enumerated)

    def _by_cell(self, parts: Array, piece: int) -> list[Array]:
        """Views of gradients (..., members q): the components of each cell, shape (..., members, r s)."""
        members, found, start = parts.shape[-1] // self.components(piece), [], 0
        for cell in self.pieces[piece]:
            size = math.prod(cell.shape)
            found.append(parts[..., start : start + members * size].reshape(*parts.shape[:-1], members, size))
            start += members * size
        return found

    def _size(self, block: int) -> int:
        """The inputs in a block: fewer in the last ones, where all are taken."""
        return max(0, min(self.size, self.n - block * self.size))

    def _tile(self, block: int, start: int, dtype: npt.DTypeLike) -> MemberTile:
        """The inputs of a block from number `start` on: a function of these two numbers, in the precision given."""
        stop = min(start + self._rows, self._size(block))
        if self.enumerated:
            begin, end = block * self.size + start, block * self.size + stop
            x, weights = self.problem.inputs.points(begin, end), self.problem.inputs.weights(begin, end)
        else:
            x = self.problem.inputs.sample(stop - start, stream(self.seed, self.key, _INPUTS, block, start))
            weights = np.full(stop - start, 1 / self.size)
        gradient, scale = self.problem.tangent_factors(x), self.problem.signal_scale(x)
        norm_sq = norms_sq(gradient)
        sides = self._sides([(left, right * scale[:, None]) for left, right in gradient])
        norms = np.stack([norm_sq, scale**2 * norm_sq], axis=1)
        return MemberTile.of(self._values(x), weights, sides, norms, dtype)

    def _sides(self, signal: Factors) -> Factors:
        """The narrower and the wider side of each factor; or ones and what is of rank one, or the projections."""
        if not self.projected:
            ordered = [sorted(pair, key=lambda side: side.shape[1]) for pair in signal]
            return [
                (np.ones((1, len(wide))), narrow * wide)
                if narrow.shape[1] == 1
                else (np.ascontiguousarray(narrow.T), np.ascontiguousarray(wide))
                for narrow, wide in ordered
            ]
        total = np.zeros((signal[0][0].shape[0], self.q))
        for (a, b), (u, v) in zip(signal, self.sketch, strict=True):
            product = a @ u
            product *= b @ v
            total += product
        return [(np.ones((1, len(total))), total)]

    def _values(self, x: Array) -> Array:
        """h(x) of all members, shape (m, n)."""
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, Samples)
        values = np.asarray(hypotheses.evaluate(self.members, x), dtype=np.float64)
        if values.shape != (self.m, x.shape[0]):
            raise ShapeError(
                f"`H.evaluate` must return shape {(self.m, x.shape[0])} for {self.m} members and {x.shape[0]} "
                f"inputs, got {values.shape}"
            )
        if not np.isfinite(values).all():
            raise NonFiniteError(f"`H.evaluate` of {hypotheses!r} must be finite")
        return values


def _pieces(widths: list[tuple[int, int]], most: int) -> list[list[Cell]]:
    """All components of all factors, in pieces of at most so many: as many whole rows as there is room for."""
    pieces: list[list[Cell]] = [[]]
    room = most
    for factor, (narrow, wide) in enumerate(widths):
        step = min(wide, most)
        for j in range(0, wide, step):
            columns, i = slice(j, min(j + step, wide)), 0
            width = columns.stop - j
            while i < narrow:
                if room < width:
                    pieces.append([])
                    room = most
                rows = slice(i, min(i + room // width, narrow))
                pieces[-1].append(Cell(factor, rows, columns))
                room -= (rows.stop - i) * width
                i = rows.stop
    return pieces


def _sums(cells: list[Array], projected: bool, enumerated: bool) -> Sums:
    """The sums of gradients of shape (blocks, members, r s) for each cell, by parts that stay in cache."""
    blocks, members, width = cells[0].shape
    kernel, by_member = np.zeros((blocks, blocks)), np.zeros((2, members))
    by_projection = np.zeros((2, width if projected else 0))
    columns, most = max(1, IN_CACHE // (8 * blocks)), max(1, IN_CACHE // (8 * blocks**2))
    halves = slice(blocks // 2), slice(blocks // 2, blocks)
    for cell in cells:
        some = max(1, min(columns // cell.shape[2], most))
        for a in range(0, members, some):
            for j in range(0, cell.shape[2], columns):
                part = cell[:, a : a + some, j : j + columns].astype(np.float64, copy=False)
                if enumerated:
                    squares = part.sum(axis=0) ** 2
                    by_member[:, a : a + some] += squares.sum(axis=1)
                    if projected:
                        by_projection[:, j : j + columns] += squares.sum(axis=0)
                    continue
                kernels = part.transpose(1, 0, 2) @ part.transpose(1, 2, 0)
                kernel += kernels.sum(axis=0)
                for half, rows in enumerate(halves):
                    by_member[half, a : a + some] += _mean_of_pairs(kernels[:, rows, rows])
                    if projected:
                        by_projection[half, j : j + columns] += _pairs(part[rows]).sum(axis=0)
    return Sums(kernel, by_member, by_projection)


def _mean_of_pairs(kernels: Array) -> Array:
    """The mean of what is off the diagonal of each matrix, shape (m, n, n)."""
    n = kernels.shape[1]
    means: Array = (kernels.sum(axis=(1, 2)) - np.trace(kernels, axis1=1, axis2=2)) / (n * (n - 1))
    return means


def _pairs(part: Array) -> Array:
    """The mean of the products of two different blocks, for each component."""
    squares: Array = np.einsum("bij,bij->ij", part, part)
    pairs: Array = (part.sum(axis=0) ** 2 - squares) / (len(part) * (len(part) - 1))
    return pairs


def _rademacher(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return np.asarray(rng.integers(0, 2, size=(rows, columns)) * 2.0 - 1.0, dtype=np.float64)
