"""What the checks of a hypothesis class look at: inputs, members and values, drawn once and made sure of."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..classes.inputs import Inputs
from ..core.arguments import Array, SeedLike, seed_sequence, stream
from .checks import CheckFailed, called, offered, resting_on, skip
from .comparison import ROUNDING, first, number, real, short

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
        if not hasattr(self.H, "inputs"):
            raise CheckFailed("a hypothesis class must have `inputs`, the distribution of x")
        inputs: object = self.H.inputs
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
        return resting_on("input-points", self.given_points)

    def given_points(self) -> tuple[Array, Array]:
        """All points, or the first 4,096, with their probabilities: made sure to be the same in every block."""
        inputs = self.given_inputs()
        n = inputs.n_points
        if n is None:
            skip("`inputs.n_points` is None: there are infinitely many inputs")
        if n > 2**62:
            skip("more than 2^62 points have no numbers to ask for them by")
        stop = min(n, _TABLE)
        given = called("inputs.points", inputs.points, 0, stop), called("inputs.weights", inputs.weights, 0, stop)
        points = real(f"`inputs.points(0, {stop})`", given[0], (stop, inputs.dim))
        weights = real(f"`inputs.weights(0, {stop})`", given[1], (stop,))
        for name, method, whole in (("points", inputs.points, points), ("weights", inputs.weights, weights)):
            for start, end in ((0, stop // 2), (stop // 2, stop), (stop - 1, stop)):
                block = called(f"inputs.{name}", method, start, end)
                if not np.array_equal(block, whole[start:end]):
                    raise CheckFailed(
                        f"`inputs.{name}({start}, {end})` must be rows {start} to {end} of "
                        f"`inputs.{name}(0, {stop})`, got {short(np.asarray(block))}"
                    )
        if (weights < 0).any():
            row = first(weights < 0)[0]
            raise CheckFailed(f"`inputs.weights` must not be negative, got {weights[row]:.6g} at point {row}")
        total = math.fsum(weights)
        if total > 1 + ROUNDING or (stop == n and total < 1 - ROUNDING):
            raise CheckFailed(f"`inputs.weights` must sum to one, got {total:.12g} over {stop:,} of {n:,} points")
        return points, weights

    @cached_property
    def x(self) -> Array:
        """Some inputs: the first points, where there may be structure, and sampled ones, shape (n, dim)."""
        sampled = resting_on("inputs", lambda: self.draw_inputs(INPUTS, 1))
        n_points = self.inputs.n_points
        if n_points is None or n_points > 2**62:
            return sampled
        return np.concatenate([resting_on("input-points", self.given_points)[0][:4], sampled])

    def weighted_inputs(self, n: int, key: int) -> tuple[Array, Array, bool]:
        """All points with their probabilities, or n sampled inputs with 1/n; and whether they are all points."""
        if self.points is not None:
            return (*self.points, True)
        return resting_on("inputs", lambda: self.draw_inputs(n, key)), np.full(n, 1 / n), False

    # --- members --------------------------------------------------------------------------------------------

    def draw(self, m: int, key: int) -> object:
        """Return m members as the class describes them."""
        return offered(self.H, "sample")(m, self.stream(key))

    def given_values(self, members: object, m: int, x: Array) -> Array:
        """Return the values (m, n) of these members, made sure of."""
        # Copies: what a class does to its arguments is the business of the check "evaluate-pure".
        values = offered(self.H, "evaluate")(members, x.copy())
        return real(f"`evaluate` of {m} members at {x.shape[0]} inputs", values, (m, x.shape[0]))

    def values(self, members: object, m: int, x: Array) -> Array:
        """The same for checks of something else."""
        return resting_on("evaluate", lambda: self.given_values(members, m, x))

    @property
    def members(self) -> object:
        """Some members, the same ones each time."""
        return copy.deepcopy(self._members)

    @cached_property
    def _members(self) -> object:
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
        """log2 |H|, made sure to be a number >= 0 that agrees with `size` and len()."""
        if not hasattr(self.H, "log2_size"):
            raise CheckFailed("a hypothesis class must have `log2_size`")
        size = number("`log2_size`", self.H.log2_size)
        if not size >= 0:
            raise CheckFailed(f"`log2_size` must be >= 0, got {size}")
        count: object = getattr(self.H, "size", None)
        if count is None:
            if size < 62 and abs(2**size - round(2**size)) > ROUNDING * 2**size:
                raise CheckFailed(f"`log2_size` = {size:.12g} must be log2 of a whole number, got {2**size:.12g}")
            return size
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise CheckFailed(f"`size` must be an int >= 1, or None for an infinite class, got {short(count)}")
        log2 = math.log2(count)
        if not math.isclose(log2, size, rel_tol=1e-12, abs_tol=1e-12):
            raise CheckFailed(f"`size` = {count:,} has log2 {log2:.12g}, but `log2_size` = {size:.12g}")
        if hasattr(self.H, "__len__") and count < 2**62:
            length = offered(self.H, "__len__")()
            if length != count:
                raise CheckFailed(f"len() must be `size` = {count:,}, got {short(length)}")
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
        few = self.points is not None and size * self.points[1].size <= _TABLE_SIZE
        everywhere = self.points[0] if self.points is not None and few else self.x
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
