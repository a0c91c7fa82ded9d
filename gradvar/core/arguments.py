"""Arguments made sure of once, at the top of every public function."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import SupportsFloat, SupportsIndex, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import NonFiniteError, ShapeError

Array: TypeAlias = npt.NDArray[np.float64]
Item = TypeVar("Item")
SeedLike: TypeAlias = int | Sequence[int] | np.random.SeedSequence | np.random.Generator | None


def integer(name: str, value: SupportsIndex, low: int, high: int | None = None) -> int:
    """Return `value` as an int in [low, high], or raise an error that names it."""
    accepted = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be {accepted}, got the bool {value}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be {accepted}, got {value!r}") from None
    if number < low or (high is not None and number > high):
        raise ValueError(f"`{name}` must be {accepted}, got {number}")
    return number


def number(
    name: str, value: SupportsFloat, accepted: str = "a real number", within: Callable[[float], bool] = lambda _: True
) -> float:
    """Return `value` as a float for which `within` holds, or raise an error that names it."""
    refusal = f"`{name}` must be {accepted}, got {value!r}"
    if isinstance(value, (str, bytes, bool, np.bool_)):
        raise TypeError(refusal)
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise TypeError(refusal) from None
    if not within(found):
        raise (ValueError if math.isfinite(found) else NonFiniteError)(refusal)
    return found


def with_members(name: str, value: object, what: str, members: dict[str, str]) -> None:
    """Raise a `TypeError` that says which of these members the value lacks, by their signatures, if any."""
    if isinstance(value, type):
        raise TypeError(
            f"`{name}` must be {what}, got the class {value.__name__}: make one of it, {value.__name__}(...)"
        )
    lacking = [signature for member, signature in members.items() if not hasattr(value, member)]
    if lacking:
        raise TypeError(f"`{name}` must be {what}, got {value!r}, which lacks {' and '.join(lacking)}")


def positive(name: str, value: SupportsFloat) -> float:
    """Return `value` as a float between 0 and infinity, or raise an error that names it."""
    return number(name, value, "a positive finite number", lambda found: 0 < found < math.inf)


def flag(name: str, value: object, accepted: str = "True or False") -> bool:
    """Return `value` as a bool, or raise an error that names it."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be {accepted}, got {value!r}")
    return bool(value)


def sequence(name: str, value: Sequence[Item], accepted: str) -> list[Item]:
    """Return `value` as a list, or raise an error that names it."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"`{name}` must be {accepted}, got {value!r}")
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"`{name}` must be {accepted}, got {value!r}") from None


def real_array(name: str, value: npt.ArrayLike, ndim: int, shape: str) -> Array:
    """Return `value` as a finite float64 array with `ndim` dimensions, or raise an error that names it."""
    array = np.array(real(name, value, shape), order="C")
    if array.ndim != ndim:
        raise ShapeError(f"`{name}` must have shape {shape}, got {array.shape}")
    finite(name, array)
    return array


def probabilities(name: str, value: npt.ArrayLike, count: int, what: str) -> Array:
    """Return `value` as the probabilities of so many things, made to add up to one, or raise an error that names it."""
    given = real_array(name, value, 1, f"({count},)")
    if given.shape != (count,):
        raise ShapeError(f"`{name}` must have shape ({count},), one for each {what}, got {given.shape}")
    if given.min() < 0:
        row = int(given.argmin())
        raise ValueError(f"`{name}` must be non-negative, got {given[row]} at index {row}")
    if abs(given.sum() - 1) > 1e-9:
        remedy = "; divide them by it" if given.any() else ""
        raise ValueError(f"`{name}` must sum to one, got the sum {given.sum():.12g}{remedy}")
    found: Array = given / given.sum()
    found.setflags(write=False)
    return found


def real(name: str, value: npt.ArrayLike, shape: str = "") -> Array:
    """Return `value` as a float64 array, itself where it is one, or raise an error that names it."""
    accepted = f"an array of real numbers{f' of shape {shape}' if shape else ''}"
    try:
        given = np.asarray(value)
        if given.dtype.kind not in "biufO":
            raise TypeError(f"got {value!r:.60} of type {given.dtype}")
        return np.asarray(given, dtype=np.float64)
    # ragged lists; words in arrays of objects; tensors that know their gradient or live elsewhere; ints beyond floats
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(f"`{name}` must be {accepted}: {error}") from None


def finite(name: str, array: Array) -> None:
    """Raise `NonFiniteError` with the first offending index unless all of `array` is finite."""
    if not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"`{name}` must be finite, got {array[index]} at index {index}")


def inputs_of(x: npt.ArrayLike, dim: int, owner: str) -> Array:
    """Return inputs `x` as a float64 array of shape (n, dim), or raise an error that names their owner."""
    array = real("x", x, f"(n, {dim})")
    if array.ndim != 2 or array.shape[1] != dim:
        raise ShapeError(f"`x` must have shape (n, {dim}) for {owner}, got {array.shape}")
    return array


def functions_of(f: npt.ArrayLike, points: int, owner: str) -> Array:
    """Return the values `f` of functions at all points as a float64 array (points, q), or raise an error."""
    values = real("f", f, f"({points}, q)")
    if values.ndim != 2 or values.shape[0] != points:
        raise ShapeError(f"`f` must have shape ({points}, q) for {owner}, got {values.shape}")
    return values


def seed_of(rng: SeedLike) -> int:
    """Reduce the `rng` argument to the one int that names all random streams of a call.

    An int names itself, and a SeedSequence of one int is that int; other ones, and sequences of ints, are hashed to 128
    bits. A Generator is drawn from (a second call with it gives new streams). None takes fresh entropy.
    """
    if isinstance(rng, np.random.Generator):
        return int.from_bytes(rng.bytes(16), "little")
    sequence = _seed_sequence(rng)
    if isinstance(sequence.entropy, (int, np.integer)) and not sequence.spawn_key and sequence.pool_size == 4:
        return int(sequence.entropy)
    return int.from_bytes(sequence.generate_state(4).astype("<u4").tobytes(), "little")


def generator(rng: SeedLike) -> np.random.Generator:
    """Turn the `rng` argument into a Generator: a Generator is used as it is."""
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(_seed_sequence(rng))


def _seed_sequence(rng: int | Sequence[int] | np.random.SeedSequence | None) -> np.random.SeedSequence:
    if isinstance(rng, np.random.SeedSequence):
        return rng
    accepted = "`rng` must be a non-negative int, a SeedSequence, a Generator or None"
    if isinstance(rng, bool):
        raise TypeError(f"{accepted}, got the bool {rng}")
    try:
        return np.random.SeedSequence(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{accepted}, got {rng!r}") from None


class Stream(IntEnum):
    """First keys of the random streams under one seed: what draws from a stream of its own.

    A training run has a seed of its own and keys of another length: its streams share two numbers with others.
    """

    PAIRS_PILOT = 0
    PAIRS = 1
    MEAN_PILOT = 2
    MEAN = 3
    ASSUMPTIONS = 5
    MEMBERS_PILOT = 6
    MEMBERS = 7
    CONTROL_VARIATES = 8
    OPERATOR_NORM = 9
    TASKS_PILOT = 10
    TASKS = 11
    TRAINING = 0
    EVALUATION = 1


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the random stream of this name: the same for any number of workers and order of work."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))
