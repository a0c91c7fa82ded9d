r"""Which columns of tangent factors are kept at a time, where there is no room for all of them at every input.

A pair of factors with r and q columns has the components A_i B_j: all pairs of a column of each, which meet in tiles
of a <= r and b <= q columns. One pass over the inputs makes all factors and keeps the columns of the tiles that there
is room for; a + b as large as it may be, and of such tiles those of which there are fewest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Tile(NamedTuple):
    """Columns of both factors of a pair; none of the left one where that is the inputs, which nobody keeps."""

    pair: int
    left: range
    right: range

    @property
    def columns(self) -> int:
        """How many are kept."""
        return len(self.left) + len(self.right)


def passes(widths: Sequence[tuple[int, int]], room: int) -> list[list[Tile]]:
    """Return the tiles of each pass, of pairs with so many columns, where `room` columns, two at least, may be kept."""
    found: list[list[Tile]] = []
    left_over: list[int] = []
    first: dict[int, int] = {}  # tiles of this size fit into no pass before this one: room only shrinks
    for pair, (left, right) in enumerate(widths):
        for tile in _tiles(pair, left, right, room):
            size = tile.columns
            there = next((i for i in range(first.get(size, 0), len(found)) if left_over[i] >= size), len(found))
            if there == len(found):
                found.append([])
                left_over.append(room)
            found[there].append(tile)
            left_over[there] -= size
            first[size] = there
    return found


def _tiles(pair: int, left: int, right: int, room: int) -> list[Tile]:
    if left == 0:
        return [Tile(pair, range(0), some) for some in _split(right, room)]
    sizes = [(a, min(right, room - a)) for a in range(1, min(left, room - 1) + 1)]
    a, b = min(sizes, key=lambda size: (math.ceil(left / size[0]) * math.ceil(right / size[1]), sum(size)))
    return [Tile(pair, some, others) for some in _split(left, a) for others in _split(right, b)]


def _split(columns: int, most: int) -> list[range]:
    return [range(start, min(start + most, columns)) for start in range(0, columns, most)]
