"""A cheap look at what a user's class claims of itself, before anything rests on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array
from ...core.errors import LabelError, NonFiniteError, NotApplicableError, ShapeError, TooLargeError
from ..base import HypothesisClass, Samples, log2_share
from ..gram.derived import ListsMembers
from ..inputs import Gaussian, Hypercube, Inputs
from .repeats import too_often
from .selection import Selection
from .target import key

_MOST_LOG2_LISTED = 20.0
_LISTED, _DRAWN, _MOST_DRAWN = 1024, 128, 1024
_VALUES, _MOST_POINTS, _COORDINATES = 2**16, 512, 2**22

Evaluate = Callable[[object, Array], npt.ArrayLike]


def look_at_class(hypotheses: HypothesisClass, seed: int | np.random.SeedSequence = 0) -> None:
    """Raise an error that says what was claimed, what was seen and where, if a look at a user's class refutes it.

    Looked at: that `members()`, where they are few, and `size` are as many as `log2_size` says, and that draws do not
    repeat more often than so many members would; that `evaluate` returns finite real numbers, one for each member and
    input, and -1 and +1 where `labels` say "signs". All members up to 1024, else 128 of them, at 64 to 512 inputs, the
    first and last of finitely many and far ones of a Gaussian among them. Classes of this library are proved.

    Raises
    ------
    ValueError, ShapeError, TypeError, NonFiniteError, LabelError
        A claim is false.
    """
    if _is_ours(hypotheses.parent if isinstance(hypotheses, Selection) else hypotheses):
        return
    rng = np.random.default_rng(seed)
    found = _some_members(hypotheses, rng)
    evaluate: Evaluate | None = getattr(hypotheses, "evaluate", None)
    if found is None or evaluate is None:
        return
    members, m = found
    x = _some_inputs(hypotheses.inputs, min(_MOST_POINTS, max(64, _VALUES // m)), rng)
    values = _real_values(hypotheses, evaluate(members, x), (m, len(x)))
    signs = getattr(hypotheses, "labels", "real") == "signs"
    for wrong in (~np.isfinite(values), np.abs(values) != 1 if signs else np.zeros_like(values, dtype=np.bool_)):
        if wrong.any():
            i, j = (int(at) for at in np.argwhere(wrong)[0])
            seen = (
                f"got {values[i, j]:.6g} of {hypotheses!r} for the member {_described(members, i, m)} at "
                f"x = {_short(x[j])}"
            )
            if not np.isfinite(values[i, j]):
                raise NonFiniteError(f"`H.evaluate(members, x)` must be finite, {seen}")
            raise LabelError(f'`H.labels` say "signs", so that `H.evaluate` must return -1 and +1, {seen}')


def _is_ours(hypotheses: object) -> bool:
    return type(hypotheses).__module__.partition(".")[0] == __name__.partition(".")[0]


def _some_members(hypotheses: HypothesisClass, rng: np.random.Generator) -> tuple[object, int] | None:
    """All members where they are few, else some of them, or drawn ones, and how many; None where none are to be had."""
    size = getattr(hypotheses, "size", None)
    if isinstance(size, (int, np.integer)):
        _check_size(hypotheses, int(size), "`size` is")
    if isinstance(hypotheses, ListsMembers) and hypotheses.log2_size <= _MOST_LOG2_LISTED:
        with suppress(NotApplicableError, TooLargeError):
            listed = hypotheses.members()
            n = len(listed)
            _check_size(hypotheses, n, "`members()` are")
            chosen = np.unique(np.append(rng.permutation(n)[: n if n <= _LISTED else _DRAWN], [0, n - 1]))
            if isinstance(listed, np.ndarray):
                return listed[chosen], chosen.size
            if isinstance(listed, list):
                return [listed[i] for i in chosen], chosen.size
    if not isinstance(hypotheses, Samples):
        return None
    drawn: object = hypotheses.sample(_DRAWN, rng)
    few_numbers = isinstance(drawn, np.ndarray) and drawn.nbytes <= 8 * _VALUES
    _check_repeats(hypotheses, hypotheses.sample(_MOST_DRAWN, rng) if few_numbers else drawn)
    return drawn, _DRAWN


def _check_size(hypotheses: HypothesisClass, found: int, what: str) -> None:
    if found < 1 or abs(math.log2(found) - hypotheses.log2_size) > 1e-9 * max(1.0, hypotheses.log2_size):
        raise ValueError(
            f"`log2_size` of {hypotheses!r} is {hypotheses.log2_size:.9g}, that is 2^{hypotheses.log2_size:.9g} "
            f"members, but {what} {found:,}; `log2_size` is the base-2 logarithm of their number"
        )


def _check_repeats(hypotheses: HypothesisClass, drawn: object) -> None:
    if not isinstance(drawn, (np.ndarray, list)) or len(drawn) not in (_DRAWN, _MOST_DRAWN):
        return
    try:
        different = len({key(row) for row in drawn})
    except TypeError:  # descriptions that cannot be compared
        return
    if too_often(len(drawn) - different, len(drawn), -log2_share(hypotheses)):
        raise ValueError(
            f"`log2_size` of {hypotheses!r} is {hypotheses.log2_size:.9g}, but of {len(drawn):,} members drawn by "
            f"`sample` only {different:,} are different, far fewer than of 2^{hypotheses.log2_size:.9g} equally likely "
            "ones; `log2_size` is the base-2 logarithm of their number"
        )


def _some_inputs(inputs: Inputs, n: int, rng: np.random.Generator) -> Array:
    """Inputs of the support: all where they are few, else drawn ones and those where a fault would hide."""
    n = max(8, min(n, _COORDINATES // inputs.dim))
    points = inputs.n_points
    if points is not None and points <= n:
        return _likely(inputs, 0, points)
    drawn = inputs.sample(n, rng)
    if isinstance(inputs, Gaussian):
        # Of one sign, near and far; no point of a null set, such as 0, where a target may be anything.
        signs, scale = np.tile([1.0, -1.0], (n + 1) // 2)[:n], np.repeat([1.0, 0.1, 3.0, 10.0], -(-n // 4))[:n]
        return np.concatenate([drawn[: n // 2], (signs * scale)[: n // 2, None] * np.abs(drawn[n // 2 :][: n // 2])])
    if isinstance(inputs, Hypercube):
        return np.concatenate([drawn, np.ones((1, inputs.dim)), -np.ones((1, inputs.dim))])
    if points is not None and points <= 2**62:
        return np.concatenate([drawn, _likely(inputs, 0, 16), _likely(inputs, points - 16, points)])
    return drawn


def _likely(inputs: Inputs, start: int, stop: int) -> Array:
    return inputs.points(start, stop)[inputs.weights(start, stop) > 0]


def _real_values(hypotheses: HypothesisClass, given: npt.ArrayLike, shape: tuple[int, int]) -> Array:
    try:
        values = np.asarray(given)
    except ValueError as error:  # rows of different lengths
        raise ShapeError(f"`H.evaluate` must return an array of shape {shape}: {error}") from None
    if values.dtype.kind not in "biuf":
        raise TypeError(f"`H.evaluate` must return real numbers, got dtype {values.dtype} of {hypotheses!r}")
    if values.shape != shape:
        raise ShapeError(
            f"`H.evaluate` must return shape {shape} for {shape[0]} members and {shape[1]} inputs, got {values.shape} "
            f"of {hypotheses!r}"
        )
    return np.asarray(values, dtype=np.float64)


def _described(members: object, i: int, m: int) -> str:
    if isinstance(members, (np.ndarray, list)) and len(members) == m:
        return _short(members[i])
    return f"number {i} of {m} drawn ones"


def _short(row: object) -> str:
    return np.array2string(np.asarray(row), threshold=8, edgeitems=3, precision=6, separator=", ")
