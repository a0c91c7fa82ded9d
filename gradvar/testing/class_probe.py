"""What the checks of a hypothesis class look at: inputs, members and values, drawn once and made sure of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..arguments import Array, SeedLike, seed_sequence, stream
from ..inputs import Inputs
from .checks import CheckFailed, called, offered, resting_on, skip
from .comparison import number, real, short

MEMBERS, INPUTS = 32, 16
"""Members and inputs that are drawn where a handful will do."""
_TABLE = 4096
_TABLE_SIZE = 2**21
_DRAWN, _BLOCK = 2**14, 2**10


class ClassProbe:
    """A hypothesis class with what has been drawn from it.

    Whatever is returned has been made sure of; what a foundation of it lacks makes the asking check not applicable.
    """

    def __init__(self, hypotheses: object, rng: SeedLike) -> None:
        self.H = hypotheses
        self.seed = seed_sequence(rng)

    def stream(self, key: int) -> np.random.Generator:
        """The random stream of this number."""
        return stream(self.seed, key)

    # --- inputs ---------------------------------------------------------------------------------------------

    def draw_inputs(self, n: int, key: int) -> Array:
        """Return n inputs, shape (n, dim)."""
        inputs = self.given_inputs()
        drawn = called("inputs.sample", inputs.sample, n, self.stream(key))
        return real(f"`inputs.sample({n}, rng)`", drawn, (n, inputs.dim))

    def given_inputs(self) -> Inputs:
        """The class's `inputs`, made sure to be a distribution."""
        try:
            inputs: object = self.H.inputs  # type: ignore[attr-defined]
        except AttributeError:
            raise CheckFailed("a hypothesis class must have `inputs`, the distribution of x") from None
        if not isinstance(inputs, Inputs) or isinstance(inputs, type):
            missing = [n for n in ("dim", "n_points", "sample", "points", "weights") if not hasattr(inputs, n)]
            raise CheckFailed(f"`inputs` must be an input distribution; {short(inputs)} has no {', '.join(missing)}")
        for name, value in (("dim", inputs.dim), ("n_points", inputs.n_points)):
            if isinstance(value, bool) or not (isinstance(value, (int, np.integer)) or value is None):
                raise CheckFailed(f"`inputs.{name}` must be an int, got {short(value)}")
        if inputs.dim is None or inputs.dim < 1 or (inputs.n_points is not None and inputs.n_points < 1):
            raise CheckFailed(f"`inputs` must have dim, n_points >= 1, got {inputs.dim} and {inputs.n_points}")
        return inputs

    @property
    def inputs(self) -> Inputs:
        """The distribution of x."""
        return resting_on("inputs", self.given_inputs)

    @cached_property
    def points(self) -> tuple[Array, Array] | None:
        """All points (n, dim) and their probabilities (n,), None where they are too many."""
        inputs = self.inputs
        if inputs.n_points is None or inputs.n_points > _TABLE:
            return None
        return resting_on("input-points", lambda: self.given_points(inputs.n_points or 0))

    def given_points(self, stop: int) -> tuple[Array, Array]:
        """The first points and their probabilities."""
        inputs = self.given_inputs()
        points = called("inputs.points", inputs.points, 0, stop)
        weights = called("inputs.weights", inputs.weights, 0, stop)
        return (
            real(f"`inputs.points(0, {stop})`", points, (stop, inputs.dim)),
            real(f"`inputs.weights(0, {stop})`", weights, (stop,)),
        )

    @cached_property
    def x(self) -> Array:
        """Some inputs: the first points, where there may be structure, and sampled ones, shape (n, dim)."""
        sampled = resting_on("inputs", lambda: self.draw_inputs(INPUTS, 1))
        n_points = self.inputs.n_points
        if n_points is None or n_points > 2**62:
            return sampled
        few = resting_on("input-points", lambda: self.given_points(min(4, n_points)))
        return np.concatenate([few[0], sampled])

    def weighted_inputs(self, n: int, key: int) -> tuple[Array, Array, bool]:
        """All points with their probabilities, or n sampled inputs with 1/n; and whether they are all points."""
        if self.points is not None:
            return (*self.points, True)
        return resting_on("inputs", lambda: self.draw_inputs(n, key)), np.full(n, 1 / n), False

    # --- members --------------------------------------------------------------------------------------------

    def draw(self, m: int, key: int) -> object:
        """Return m members as the class describes them."""
        return offered(self.H, "sample")(m, self.stream(key))

    def draw_values(self, m: int, x: Array, key: int) -> Array:
        """Return the values (m, n) of m drawn members, made sure of."""
        return self.given_values(self.draw(m, key), m, x)

    def given_values(self, members: object, m: int, x: Array) -> Array:
        """Return the values (m, n) of these members, made sure of."""
        values = offered(self.H, "evaluate")(members, x)
        return real(f"`evaluate` of {m} members at {x.shape[0]} inputs", values, (m, x.shape[0]))

    def values(self, members: object, m: int, x: Array) -> Array:
        """The same for checks of something else."""
        return resting_on("evaluate", lambda: self.given_values(members, m, x))

    @cached_property
    def members(self) -> object:
        """Some members."""
        return resting_on("sample", lambda: self.draw(MEMBERS, 2))

    def drawn_values(self, x: Array, key: int) -> Iterator[Array]:
        """Values of 16 384 members that are drawn independently, in blocks of shape (1024, n)."""
        rng = self.stream(key)
        sample = offered(self.H, "sample")
        for _ in range(_DRAWN // _BLOCK):
            members = resting_on("sample", lambda: sample(_BLOCK, rng))
            yield self.values(members, _BLOCK, x)

    # --- everything -----------------------------------------------------------------------------------------

    def given_log2_size(self) -> float:
        """log2 |H|, made sure to be a number >= 0."""
        try:
            size = number("`log2_size`", self.H.log2_size)  # type: ignore[attr-defined]
        except AttributeError:
            raise CheckFailed("a hypothesis class must have `log2_size`") from None
        if not size >= 0:
            raise CheckFailed(f"`log2_size` must be >= 0, got {size}")
        return size

    @property
    def log2_size(self) -> float:
        """log2 |H|."""
        return resting_on("size", self.given_log2_size)

    @cached_property
    def all_members(self) -> tuple[object, int] | None:
        """All members in one order and their number; None where they are not listed or too many."""
        if not callable(getattr(self.H, "members", None)) or self.log2_size > math.log2(_TABLE):
            return None
        return resting_on("members", self.given_members)

    def given_members(self) -> tuple[object, int]:
        """The same, made sure that the number is |H| and that members which are drawn are among them."""
        size = round(2**self.log2_size)
        members = offered(self.H, "members")()
        if not hasattr(members, "__len__") or len(members) != size:
            count = f"{len(members):,}" if hasattr(members, "__len__") else short(members)
            raise CheckFailed(f"`members()` must list |H| = {size:,} members, got {count}")
        everywhere = self.x if self.points is None else self.points[0]
        listed = {row.tobytes() for row in self.values(members, size, everywhere) + 0.0}
        drawn = self.values(self.members, MEMBERS, everywhere) + 0.0
        for i, row in enumerate(drawn):
            # Bytes first; then values, for a class whose values depend on the batch in the last bit.
            if row.tobytes() not in listed and not self._near(row, members, size, everywhere):
                raise CheckFailed(
                    f"`sample` drew a member that is not among members(): number {i} of sample({MEMBERS}) takes the "
                    f"values {short(row)}"
                )
        return members, size

    def _near(self, row: Array, members: object, size: int, x: Array) -> bool:
        values = self.values(members, size, x)
        return bool((np.abs(values - row).max(axis=1) <= 1e-9 * (1 + np.abs(row).max())).any())

    @cached_property
    def table(self) -> tuple[Array, Array, Array] | None:
        """Values (m, n) of all members at all points, the points and their probabilities; None where too many."""
        listed = self.all_members
        if listed is None or self.points is None or listed[1] * self.points[1].size > _TABLE_SIZE:
            return None
        return self.values(*listed, self.points[0]), *self.points

    @property
    def signs(self) -> bool:
        """Whether the class claims labels -1 and +1."""
        return getattr(self.H, "labels", "real") == "signs"


def row_of(members: object, i: int) -> object:
    """Member number i alone, as a batch of one."""
    if not isinstance(members, (np.ndarray, list, tuple)):
        skip(f"members are {type(members).__name__} objects, which cannot be taken apart")
    return members[i : i + 1]
