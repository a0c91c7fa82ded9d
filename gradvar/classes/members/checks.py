"""Checks that descriptions are those of members: numbers, or rows of numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, probabilities, real
from ...core.errors import ShapeError

Numbers = npt.NDArray[np.int64]


def number_rows(members: npt.ArrayLike, what: str, first: int, last: int | None = None) -> Numbers:
    """Return members that are described by integers from `first` to `last`, shape (m,); an error calls them `what`."""
    try:
        rows = np.asarray(members)
    except ValueError as error:  # a ragged list
        raise ShapeError(f"`members` must be {what} of shape (m,): {error}") from None
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
        raise ShapeError(f"`members` must be {what} of shape (m,), got {rows.dtype} of shape {rows.shape}")
    wrong = rows[(rows < first) | (rows > last)] if last is not None else rows[rows < first]
    if wrong.size:
        accepted = f">= {first}" if last is None else f"from {first} to {last}"
        raise ValueError(f"`members` must be {what} {accepted}, got {wrong[0]}")
    return rows.astype(np.int64)


def as_prior(prior: npt.ArrayLike | None, size: int, what: str) -> Array | None:
    """Return the probabilities of so many members, or None where they are equal."""
    chances = None if prior is None else probabilities("prior", prior, size, what)
    return None if chances is None or np.ptp(chances) == 0 else chances


def vector_rows(members: npt.ArrayLike, width: int, who: str, name: str = "members") -> Array:
    """Return members of the class `who` that are described by vectors, shape (m, width)."""
    rows = real(name, members, f"(m, {width})")
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ShapeError(f"`{name}` must have shape (m, {width}) for {who}, got {rows.shape}")
    return rows
