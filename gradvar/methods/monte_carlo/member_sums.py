"""Sums of the gradients of members at blocks of inputs: all that the estimate and its variances need of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...core.arguments import Array
from .member_gradients import MemberGradients, Part
from .member_tiles import IN_CACHE

_GROUP = 2**20
"""Numbers in the gradients of members whose products are one task."""


class Sums(NamedTuple):
    """Sums over the gradients c_a in one layer, of a part's members at some blocks b.

    Attributes
    ----------
    part : Part
        The members and components.
    kernel : ndarray, shape (blocks, blocks)
        sum_a <c_a^b, c_a^b'>.
    by_member : ndarray, shape (2, members)
        From each half of the blocks, the mean of <c_a^b, c_a^b'> over its pairs of different blocks.
    by_projection : ndarray, shape (2, projections)
        The same for each projection, summed over members; no columns for whole gradients.

    Where all inputs are taken there is no kernel, and both halves are the squares of the sums over all blocks.
    """

    part: Part
    kernel: Array
    by_member: Array
    by_projection: Array

    @classmethod
    def total(cls, several: Sequence[Sums]) -> Sums:
        """Return those of the first members to the last, of one layer."""
        last = max(sums.part.last for sums in several)
        by_member = np.zeros((2, last))
        for sums in several:
            by_member[:, sums.part.first : sums.part.last] += sums.by_member
        kernel: Array = np.sum([sums.kernel for sums in several], axis=0)
        return cls(Part(0, last, ()), kernel, by_member, np.sum([sums.by_projection for sums in several], axis=0))


def groups(part: Part, blocks: int) -> Iterator[Part]:
    """The part again, a few members at a time: the sums of these are one task."""
    members = max(1, _GROUP // (blocks * part.components))
    for first in range(part.first, part.last, members):
        yield part._replace(first=first, last=min(first + members, part.last))


def sums_of(held: Array, part: Part, gradients: MemberGradients, group: Part) -> list[Sums]:
    """Return the sums over a group of the members of a part, for each layer.

    Parameters
    ----------
    held : ndarray, shape (blocks, members components)
        The gradients of the part.
    gradients : MemberGradients
        Says which components are a layer's or projections, and whether the blocks are all inputs.
    """
    blocks = len(held)
    found = [
        Sums(group, np.zeros((blocks, blocks)), np.zeros((2, group.members)), np.zeros((2, q)))
        for q in gradients.projections
    ]
    for cell, of_cell in zip(part.cells, part.by_cell(held), strict=True):
        sums = found[gradients.layers[cell.factor]]
        by_projection = sums.by_projection[:, cell.columns if sums.by_projection.size else slice(0)]
        members = of_cell[:, group.first - part.first : group.last - part.first]
        _add(members, sums.kernel, sums.by_member, by_projection, gradients.enumerated)
    return found


def _add(gradients: Array, kernel: Array, by_member: Array, by_projection: Array, enumerated: bool) -> None:
    """Add the sums of gradients, shape (blocks, members, components), by parts that stay in cache."""
    blocks, members, width = gradients.shape
    columns, most = max(1, IN_CACHE // (8 * blocks)), max(1, IN_CACHE // (8 * blocks**2))
    some = max(1, min(columns // width, most))
    projected = by_projection.shape[1] > 0
    for a in range(0, members, some):
        for j in range(0, width, columns):
            c = gradients[:, a : a + some, j : j + columns]
            if enumerated:
                # (sum_b c_a^b)^2
                squares = c.sum(axis=0) ** 2
                by_member[:, a : a + some] += squares.sum(axis=1)
                if projected:
                    by_projection[:, j : j + columns] += squares.sum(axis=0)
                continue
            # <c_a^b, c_a^b'> of each member
            kernels = c.transpose(1, 0, 2) @ c.transpose(1, 2, 0)
            kernel += kernels.sum(axis=0)
            for half, rows in enumerate((slice(blocks // 2), slice(blocks // 2, blocks))):
                by_member[half, a : a + some] += _mean_of_pairs(kernels[:, rows, rows])
                if projected:
                    by_projection[half, j : j + columns] += _pairs(c[rows]).sum(axis=0)


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
