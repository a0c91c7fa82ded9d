"""Inputs, members and values of a hypothesis class for its checks: drawn once, and made sure of.

A defect in what is handed out here is found by whichever check asks first, and answered for by the one that is named
at the method (`answered_by`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cached_property

import numpy as np

from ..classes.inputs import Inputs
from ..core.arguments import Array, SeedLike, seed_of, stream
from .checks import CheckFailed, answered_by, called, offered, skip
from .comparison import ROUNDING, Truth, exactly, first, identical, is_count, number, real, sampled, short
from .regions import DRAWN, Rows, extremes

Statistic = Callable[[Array, Array | None], Array]

MEMBERS = 32
"""Members that are drawn where a handful will do."""
_TABLE = 4096
_ROWS, _ENDS = 256, 4
_FEW_POINTS = 32
_TABLE_SIZE = 2**21
_BLOCKS, _BLOCK = 16, 2**10


class ClassProbe:
    """A hypothesis class with what has been drawn from it."""

    def __init__(self, hypotheses: object, rng: SeedLike) -> None:
        self.H = hypotheses
        self.seed = seed_of(rng)

    def stream(self, key: int) -> np.random.Generator:
        """The random stream of this number."""
        return stream(self.seed, key)

    # --- inputs ---------------------------------------------------------------------------------------------

    @property
    @answered_by("inputs")
    def inputs(self) -> Inputs:
        """The distribution of x."""
        if not hasattr(self.H, "inputs"):
            raise CheckFailed("a hypothesis class must have `inputs`, the distribution of x")
        inputs: object = self.H.inputs
        if not isinstance(inputs, Inputs) or isinstance(inputs, type):
            missing = [n for n in ("dim", "n_points", "sample", "points", "weights") if not hasattr(inputs, n)]
            raise CheckFailed(f"`inputs` must be an input distribution; {short(inputs)} has no {', '.join(missing)}")
        if not is_count(inputs.dim):
            raise CheckFailed(f"`inputs.dim` must be an int >= 1, got {short(inputs.dim)}")
        if inputs.n_points is not None and not is_count(inputs.n_points):
            raise CheckFailed(f"`inputs.n_points` must be an int >= 1, or None, got {short(inputs.n_points)}")
        return inputs

    @answered_by("inputs")
    def draw_inputs(self, n: int, key: int) -> Array:
        """Return n inputs, shape (n, dim)."""
        drawn = called("inputs.sample", self.inputs.sample, n, self.stream(key))
        return real(f"`inputs.sample({n}, rng)`", drawn, (n, self.inputs.dim))

    @property
    def points(self) -> tuple[Array, Array] | None:
        """All points (n, dim) and their probabilities (n,), None where they are too many."""
        n = self.inputs.n_points
        return None if n is None or n > _TABLE else self.first_points

    def all_points(self) -> tuple[Array, Array]:
        """All points and their probabilities; where they are too many, the check does not apply."""
        if self.points is None:
            skip("the inputs cannot be enumerated here (more than 4,096 points, or infinitely many)")
        return self.points

    @cached_property
    @answered_by("input-points")
    def first_points(self) -> tuple[Array, Array]:
        """All points, or the first 4,096, with their probabilities: made sure to be the same in every block."""
        n = self.inputs.n_points
        if n is None:
            skip("`inputs.n_points` is None: there are infinitely many inputs")
        if n > 2**62:
            skip("more than 2^62 points have no numbers to ask for them by")
        stop = min(n, _TABLE)

        points, weights = self.block(0, stop)
        for start, end in ((0, stop // 2), (stop // 2, stop), (stop - 1, stop)):
            for name, whole, part in zip(("points", "weights"), (points, weights), self.block(start, end), strict=True):
                claim = f"`inputs.{name}({start}, {end})` must be rows {start} to {end} of `inputs.{name}(0, {stop})`"
                identical(claim, whole[start:end], part)
        if (weights < 0).any():
            row = first(weights < 0)[0]
            raise CheckFailed(f"`inputs.weights` must not be negative, got {weights[row]:.6g} at point {row}")
        total = math.fsum(weights)
        if total > 1 + ROUNDING or (stop == n and total < 1 - ROUNDING):
            raise CheckFailed(f"`inputs.weights` must sum to one, got {total:.12g} over {stop:,} of {n:,} points")
        return points, weights

    @answered_by("input-points")
    def block(self, start: int, stop: int) -> tuple[Array, Array]:
        """Points number start to stop and their weights."""
        inputs, n = self.inputs, stop - start
        points = called("inputs.points", inputs.points, start, stop)
        weights = called("inputs.weights", inputs.weights, start, stop)
        return (
            real(f"`inputs.points({start}, {stop})`", points, (n, inputs.dim)),
            real(f"`inputs.weights({start}, {stop})`", weights, (n,)),
        )

    @cached_property
    def x(self) -> Array:
        """Some inputs: all points if they are few, else the first and last, sampled and extreme ones, (n, dim)."""
        n, drawn = self.inputs.n_points, self.draw_inputs(DRAWN, 1)
        if n is None or n > 2**62:
            return np.concatenate([drawn, extremes(self.draw_inputs(2**11, 5))])
        points = self.first_points[0]
        if n <= _FEW_POINTS:
            return np.concatenate([points, drawn])
        return np.concatenate([points[:_ENDS], drawn, points[-_ENDS:], extremes(self.draw_inputs(2**11, 5))])

    def weighted_inputs(self, n: int, key: int) -> tuple[Array, Array, bool]:
        """All points with their probabilities, or n sampled inputs with 1/n; and whether they are all points."""
        if self.points is not None:
            return (*self.points, True)
        return self.draw_inputs(n, key), np.full(n, 1 / n), False

    # --- members --------------------------------------------------------------------------------------------

    @answered_by("sample")
    def draw(self, m: int, key: int) -> object:
        """Return m members as the class describes them."""
        return offered(self.H, "sample")(m, self.stream(key))

    @answered_by("evaluate")
    def values(self, members: object, m: int, x: Array) -> Array:
        """Return the values (m, n) of these members."""
        # Copies: what a class does to its arguments is the business of the check "evaluate-pure".
        values = offered(self.H, "evaluate")(members, x.copy(order="K"))
        return real(f"`evaluate` of {m} members at {x.shape[0]} inputs", values, (m, x.shape[0]))

    @property
    def members(self) -> object:
        """Some members, the same ones each time."""
        return copy.deepcopy(self._members)

    @cached_property
    def _members(self) -> object:
        return self.draw(MEMBERS, 2)

    def over_members(
        self, statistic: Statistic, draws: Callable[[Array], Array], degree: int, key: int, most: int
    ) -> tuple[Array, Truth, str]:
        """A mean over the class: the inputs it is at, the mean, and the members in words.

        `statistic(values, prior)` gives it from the values (|H|, n) of all members, where they are listed: at all
        points if those are at most `most`, else at some inputs. From the values of drawn members `draws(values)` gives
        k independent draws (n, k): it is the mean of these (degree 1), or of their products at two inputs (degree 2).
        """
        if self.all_members is not None:
            if self.table is not None and self.table[1].shape[0] <= most:
                values, x, _ = self.table
            else:
                x, values = self.x, self.values(*self.all_members, self.x)
            return (
                x,
                exactly(statistic(values, self.prior), scale_of(values) ** degree),
                f"all {values.shape[0]:,} members",
            )
        rng, sample, blocks, scale = self.stream(key), offered(self.H, "sample"), [], 0.0
        for _ in range(_BLOCKS):
            with answered_by("sample"):
                members = sample(_BLOCK, rng)
            values = self.values(members, _BLOCK, self.x)
            scale = max(scale, scale_of(values))
            blocks.append(draws(values))
        found = np.concatenate(blocks, axis=1)
        pieces = found if degree == 1 else (row * found for row in found)
        # Labels -1 and +1 have a range of 2, their products in pairs one of 4.
        truth = sampled(pieces, 2.0 * degree if self.signs else None).at_least(ROUNDING * scale**degree)
        return self.x, truth, f"{found.shape[1]:,} {'pairs of ' if degree == 2 else ''}drawn members"

    @cached_property
    def scale(self) -> float:
        """The largest size of a value of some members at some inputs."""
        return scale_of(self.values(self.members, MEMBERS, self.x))

    # --- everything -----------------------------------------------------------------------------------------

    @property
    @answered_by("size")
    def log2_size(self) -> float:
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
        if not is_count(count):
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
    def all_members(self) -> tuple[object, int] | None:
        """All members in one order and their number; None where they are not listed or too many."""
        if not callable(getattr(self.H, "members", None)) or self.log2_size > math.log2(_TABLE):
            return None
        return self.listed_members

    @cached_property
    @answered_by("members")
    def listed_members(self) -> tuple[object, int]:
        """All members, made sure that their number is |H| and that members which are drawn are among them."""
        size = round(2**self.log2_size)
        members = offered(self.H, "members")()
        count = len(members) if hasattr(members, "__len__") else short(members)
        if count != size:
            raise CheckFailed(f"`members()` must list |H| = {size:,} members, got {count}")
        few = self.points is not None and size * self.points[1].size <= _TABLE_SIZE
        everywhere = self.points[0] if self.points is not None and few else self.x
        listed = self.values(members, size, everywhere) + 0.0
        names = {row.tobytes() for row in listed}
        for i, row in enumerate(self.values(self.members, MEMBERS, everywhere) + 0.0):
            # Bytes first; then values, for a class whose values depend on the batch in the last bit.
            near = row.tobytes() in names or np.abs(listed - row).max(axis=1).min() <= 1e-9 * (1 + np.abs(row).max())
            if not near:
                raise CheckFailed(
                    f"`sample` drew a member that is not among members(): number {i} of sample({MEMBERS}) takes the "
                    f"values {short(row)}"
                )
        return members, size

    @cached_property
    def table(self) -> tuple[Array, Array, Array] | None:
        """Values (m, n) of all members at all points, the points and their probabilities; None where too many."""
        listed = self.all_members
        if listed is None or self.points is None or listed[1] * self.points[1].size > _TABLE_SIZE:
            return None
        return self.values(*listed, self.points[0]), *self.points

    def listed_rows(self) -> tuple[Rows, Array, Array]:
        """Numbers of all members, or of 256 of more than fit, their values at all points, and the probabilities.

        Where members or points are too many, the check does not apply.
        """
        points, weights = self.all_points()
        if self.all_members is None:
            skip("the class lists no `members()`, or more than 4,096")
        members, size = self.all_members
        if self.table is not None:
            return np.arange(size), self.table[0], weights
        rows = np.sort(self.stream(17).choice(size, min(size, _ROWS), replace=False))
        return rows, self.values(rows_of(members, rows), len(rows), points), weights

    @property
    def prior(self) -> Array | None:
        """The probabilities of the members, made sure to be some; None where they are equal."""
        given: object = getattr(self.H, "prior", None)
        if given is None:
            return None
        chances = real("`prior`", given, (round(2**self.log2_size),))
        if chances.min() < 0 or abs(chances.sum() - 1) > ROUNDING:
            raise CheckFailed(f"`prior` must be probabilities that sum to one, got {short(given)}")
        return chances

    @property
    def log2_draws(self) -> float:
        """-log2 max_i pi_i: draws are equal to earlier ones at most as often as of so many equally likely members."""
        return self.log2_size if self.prior is None else -math.log2(self.prior.max())

    @property
    def signs(self) -> bool:
        """Whether the class claims labels -1 and +1."""
        return getattr(self.H, "labels", "real") == "signs"


def scale_of(values: Array) -> float:
    """The largest size of a value, at least 1e-150."""
    return max(float(np.abs(values).max()), 1e-150)


def rows_of(members: object, rows: Rows) -> object:
    """The members of these numbers."""
    if isinstance(members, np.ndarray):
        return members[rows]
    if not isinstance(members, (list, tuple)):
        skip(f"members are {type(members).__name__} objects, which cannot be taken apart")
    return type(members)(members[i] for i in rows)
