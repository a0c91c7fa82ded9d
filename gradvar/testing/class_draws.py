"""Checks of what a hypothesis class is made of: its members and their values.

Each public function is one check: its name, with hyphens, is the check's; its docstring says what it makes sure of; it
returns the evidence.
"""

from __future__ import annotations

import numpy as np

from ..classes.members.target_class import Noisy
from ..core.arguments import Array
from .checks import CheckFailed, answered_by, offered, skip
from .class_probe import MEMBERS, ClassProbe, rows_of, scale_of
from .comparison import (
    FALSE_ALARM,
    ROUNDING,
    agree,
    at_inputs,
    first,
    identical,
    real,
    rounding_of,
    short,
)
from .draws import equal_to_earlier, numbered, repeat_tails, same_distribution
from .regions import Rows, batches

_SEED, _DRAWS, _CALLS = 20, 2**11, 4
_MOST_CATEGORIES, _MOST_INPUTS, _MOST_MEMBERS = 512, 1025, 129


def size(probe: ClassProbe) -> str:
    """`log2_size` is a number >= 0, `size` and len() agree, and drawn members repeat as often as it says (1e-6)."""
    agrees = "" if getattr(probe.H, "size", None) is None else ", `size` agrees"
    return f"log2 |H| = {probe.log2_size:.6g}{agrees}{_repeats(probe)}"


def _repeats(probe: ClassProbe) -> str:
    """How often drawn members are equal to earlier ones, made sure to fit |H|, in words.

    One member has one function, and one description is of one member. So draws whose functions are equal are at least
    as many, and draws whose descriptions are equal at most as many, as draws of one member; and these are fewest where
    all members are equally likely.
    """
    if not callable(getattr(probe.H, "sample", None)) or not callable(getattr(probe.H, "evaluate", None)):
        return ""
    drawn = probe.draw(_DRAWS, 18)
    functions = equal_to_earlier(probe.values(drawn, _DRAWS, probe.x), probe.stream(23))
    tail = repeat_tails(functions, _DRAWS, probe.log2_size)[0]
    if tail < FALSE_ALARM:
        raise CheckFailed(
            f"`log2_size` = {probe.log2_size:.6g} is too small: of {_DRAWS:,} drawn members only {functions:,} are "
            f"equal to an earlier one, which has the probability {tail:.2g}"
        )
    by_array = isinstance(drawn, np.ndarray) and drawn.dtype.kind in "biuf" and drawn.shape[:1] == (_DRAWS,)
    if by_array and probe.all_members is None:
        described = _DRAWS - len(numbered(np.asarray(drawn, dtype=np.float64).reshape(_DRAWS, -1)))
        # Descriptions may have the 24 bits of single precision.
        if repeat_tails(described, _DRAWS, min(probe.log2_draws, 24.0))[1] < FALSE_ALARM:
            raise CheckFailed(
                f"`log2_size` = {probe.log2_size:.6g} is too large, or `sample` is not uniform: of {_DRAWS:,} drawn "
                f"members {described:,} are described like an earlier one"
            )
    return f"; {functions:,} of {_DRAWS:,} draws are equal to an earlier one"


def members(probe: ClassProbe) -> str:
    """members() lists |H| members, and members that are drawn are among them."""
    offered(probe.H, "members")
    if probe.log2_size > 12:
        skip(f"2^{probe.log2_size:.4g} members are too many to list here")
    return f"{probe.listed_members[1]:,} members; {MEMBERS} drawn ones are among them"


def sample(probe: ClassProbe) -> str:
    """sample(m, rng) returns m members, for m = 0 too, that depend on the seed alone."""
    x = probe.x
    offered(probe.H, "evaluate")
    for m in (0, 1, MEMBERS):
        drawn = probe.draw(m, 2)
        if hasattr(drawn, "__len__") and len(drawn) != m:
            raise CheckFailed(f"`sample({m}, rng)` must return {m} members, got {len(drawn)}")
    values, again = (probe.values(probe.draw(MEMBERS, _SEED), MEMBERS, x) for _ in range(2))
    identical("`sample` must depend on `rng` alone, and one seed drew members with different values", values, again)
    if probe.log2_size >= 1:
        other = probe.values(probe.draw(MEMBERS, _SEED + 1), MEMBERS, x)
        varies = any(not np.array_equal(row, other[0]) for row in other)
        if np.array_equal(values, other) and (varies or probe.log2_size >= 20):
            raise CheckFailed(f"`sample` must draw from `rng`: two seeds drew the same {MEMBERS} members")
    return f"m = 0, 1, {MEMBERS}; one seed draws the same members twice"


def sample_uniform(probe: ClassProbe) -> str:
    """sample draws the listed members uniformly, or by `prior` (chi-square, one false alarm in a million)."""
    listed = probe.all_members
    if listed is None:
        skip("the class lists no `members()`, or more than 4,096")
    x = np.concatenate([probe.x, probe.draw_inputs(64, 19)])
    functions = _rounded(values := probe.values(*listed, x), scale_of(values))
    # At least eight expected draws of each.
    n = max(8 * listed[1], 64 * min(len(numbered(functions)), _MOST_CATEGORIES))
    drawn = _rounded(probe.values(probe.draw(n, 4), n, x), scale_of(values))
    chances = np.full(listed[1], 1 / listed[1]) if probe.prior is None else probe.prior
    return same_distribution("sample", "member", drawn, functions, chances)


def evaluate(probe: ClassProbe) -> str:
    """evaluate(members, x) returns finite float64 values of shape (m, n), for m = 0 and n = 0 too."""
    values = probe.values(probe.members, MEMBERS, probe.x)
    probe.values(probe.draw(0, 2), 0, probe.x)
    probe.values(probe.members, MEMBERS, probe.x[:0])
    return f"shape {values.shape}, values from {values.min():.4g} to {values.max():.4g}"


def evaluate_batch(probe: ClassProbe) -> str:
    """A value h(x) does not depend on the other members and inputs it is evaluated with, nor on how many they are."""
    x, drawn, n = probe.x, probe.members, probe.x.shape[0]
    values = probe.values(drawn, MEMBERS, x)

    def compare(found: Array, rows: Rows, columns: Rows) -> None:
        def where(at: tuple[int, ...]) -> str:
            batch = f"member {rows[at[0]]} at x = {short(x[columns[at[1]]])} among {len(rows)} x {len(columns)}"
            return f"h(x) must not depend on the other members and inputs: {batch}"

        agree(found, values[rows][:, columns], rounding_of(values), where, f"among {MEMBERS} x {n} it")

    rng = probe.stream(21)
    for rows in batches(n, _MOST_INPUTS, rng):
        compare(probe.values(drawn, MEMBERS, x[rows]), np.arange(MEMBERS), rows)
    compare(probe.values(drawn, MEMBERS, np.asfortranarray(x)), np.arange(MEMBERS), np.arange(n))
    for rows in batches(MEMBERS, _MOST_MEMBERS, rng):
        compare(probe.values(rows_of(drawn, rows), len(rows), x), rows, np.arange(n))
    return f"{MEMBERS} members at {n} inputs, together, one by one, in other orders and in larger batches"


def evaluate_pure(probe: ClassProbe) -> str:
    """evaluate changes neither the inputs nor the members it is given, and repeats itself."""
    x, drawn = probe.x.copy(), probe.members
    with answered_by("evaluate"):
        values = real("`evaluate`", offered(probe.H, "evaluate")(drawn, x), (MEMBERS, x.shape[0])).copy()
    identical("`evaluate` must not change its inputs", probe.x, x)
    given = probe.members
    if isinstance(drawn, np.ndarray) and isinstance(given, np.ndarray):
        identical("`evaluate` must not change the members it is given", given, drawn)
    for _ in range(_CALLS):
        identical("`evaluate` must repeat itself", values, probe.values(given, MEMBERS, probe.x))
    return "inputs and members are left as they were; further calls give the same values"


def labels(probe: ClassProbe) -> str:
    """`labels` is "signs" or "real", and a class that says "signs" takes the values -1 and +1 only."""
    claim: object = getattr(probe.H, "labels", "real")
    if claim not in ("signs", "real"):
        raise CheckFailed(f"`labels` must be 'signs' or 'real', got {short(claim)}")
    if claim == "real":
        return "any real label is allowed"
    if probe.table is not None:
        values, x, _ = probe.table
    else:
        x = np.concatenate([probe.x, probe.draw_inputs(256, 22)])
        values = probe.values(probe.members, MEMBERS, x)
    wrong = np.abs(values) != (probe.H.kept if isinstance(probe.H, Noisy) else 1)  # E[y | x] of flipped labels
    if wrong.any():
        at = first(wrong)
        raise CheckFailed(
            f"`labels` is 'signs', but a member takes the value {values[at]:.6g} at x = {short(x[at[1]])}"
        )
    return f"-1 or +1 for {values.shape[0]:,} members at {values.shape[1]:,} inputs"


def examples(probe: ClassProbe) -> str:
    """draw(members, n, rng), of tasks with their own inputs, gives x (m, n, dim) and y (m, n) by the seed alone."""
    offered(probe.H, "draw")
    n = 8
    (x, y), (x2, y2) = (_examples(probe, probe.members, MEMBERS, n, _SEED) for _ in range(2))
    for one, same in ((x, x2), (y, y2)):
        identical("`draw` must depend on `rng` alone, and one seed gave different examples", one, same)
    if probe.signs and (np.abs(y) != 1).any():
        raise CheckFailed(f"`labels` is 'signs', but `draw` gave the label {y[first(np.abs(y) != 1)]:.6g}")
    return f"{n} examples of each of {MEMBERS} tasks"


@answered_by("examples")
def _examples(probe: ClassProbe, tasks: object, m: int, n: int, key: int) -> tuple[Array, Array]:
    """n examples of each of m tasks."""
    pair = offered(probe.H, "draw")(tasks, n, probe.stream(key))
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise CheckFailed(f"`draw` must return the pair (x, y), got {short(pair)}")
    return real("x of `draw`", pair[0], (m, n, probe.inputs.dim)), real("y of `draw`", pair[1], (m, n))


def tabulated(probe: ClassProbe) -> str:
    """Of tasks, probabilities(members, x) and targets(members, x) are those of what `draw` draws (chi-square)."""
    probabilities, targets = offered(probe.H, "probabilities"), offered(probe.H, "targets")
    points, weights = probe.all_points()
    shape = MEMBERS, weights.size
    said = real("`probabilities(members, x)`", probabilities(probe.members, points.copy()), shape)
    labels = real("`targets(members, x)`", targets(probe.members, points.copy()), shape)[0]
    # p >= 0 and sum p = 1: both sum p and sum |p| are one.
    sums = np.stack([said.sum(axis=1), np.abs(said).sum(axis=1)])

    def where(at: tuple[int, ...]) -> str:
        return (
            f"the sum of `probabilities`{' in size' if at[0] else ''} of task {at[1]} over all {weights.size:,} points"
        )

    agree(sums, np.ones_like(sums), ROUNDING, where, "that of a distribution")
    n = 32 * min(len(numbered(points)), _MOST_CATEGORIES)
    x, y = _examples(probe, rows_of(probe.members, np.arange(1)), 1, n, 16)
    label_at = dict(zip(map(np.ndarray.tobytes, points + 0.0), labels, strict=True))
    if callable(spread := getattr(probe.H, "label_variances", None)):  # one input, several labels
        varies = real("`label_variances(members, x)`", spread(probe.members, points.copy()), shape)[0] > 0
        label_at = {name: label for name, label, two in zip(label_at, labels, varies, strict=True) if not two}
    known = [label_at.get(row.tobytes(), label) for row, label in zip(x[0] + 0.0, y[0], strict=True)]
    agree(np.array(known), y[0], 0.0, at_inputs("`targets`", x[0]), "the label of `draw`")
    return same_distribution("draw", "point", x[0], points, said[0])


def _rounded(values: Array, scale: float) -> Array:
    """Values to nine digits, so that a function is recognised whatever batch it was evaluated in."""
    unit = ROUNDING * scale
    return np.round(values / unit) * unit
