"""A user's sample of inputs for a class: its coding, and equal rows as one point with their weight."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ...core.errors import ShapeError
from ..inputs import FinitePoints, Hypercube, Inputs
from ..inputs.finite import different_rows

Points: TypeAlias = npt.ArrayLike | FinitePoints
Coding: TypeAlias = Literal["pm1", "01"]

_CUBE = {"pm1": (-1.0, 1.0), "01": (0.0, 1.0)}


class _Class(Protocol):
    """The attributes of a class that are read here."""

    inputs: Inputs
    _defined_everywhere: bool


def sample_points(owner: _Class, points: Points, weights: npt.ArrayLike | None, coding: str) -> FinitePoints:
    """Return the different points of a sample, in the order in which they come first, with their weights summed.

    Raises
    ------
    TypeError, ShapeError, ValueError
        A class without values elsewhere, points of another dimension, not of the cube or not as `coding` says.
    """
    if not owner._defined_everywhere:
        raise TypeError(f"the targets of {owner!r} are known at its own points alone: they have no values at others")
    if coding not in _CUBE:
        raise ValueError(f"`coding` must be 'pm1' or '01', got {coding!r}")
    given = FinitePoints.of(points, weights)
    if given.dim != owner.inputs.dim:
        raise ShapeError(f"`points` must have {owner.inputs.dim} columns, the dimension of {owner!r}, got {given.dim}")
    x = given.points(0, given.n_points) + 0.0
    if isinstance(owner.inputs, Hypercube):
        wrong = ~np.isin(x, _CUBE[coding])
        if wrong.any():
            row, column = (int(i) for i in np.argwhere(wrong)[0])
            low, high = _CUBE[coding]
            other = "01" if coding == "pm1" else "pm1"
            remedy = f"; pass coding={other!r}" if np.isin(x, _CUBE[other]).all() else ""
            raise ValueError(
                f"`points` must hold {low:g} and {high:g} only, got {x[row, column]:g} in row {row}{remedy}"
            )
    elif coding == "01":
        raise ValueError(f"`coding` '01' is for targets on the cube, and the inputs of {owner!r} are {owner.inputs!r}")
    rows, which = different_rows(x)
    if len(rows) == given.n_points:
        return given
    return FinitePoints(rows, np.bincount(which, given.weights(0, given.n_points)))
