"""Checks of what a hypothesis class is made of: its inputs, its members and their values.

Each function is one check: its name, with hyphens, is the check's; its docstring says what it makes sure of; it
returns the evidence.
"""

from __future__ import annotations

import math

import numpy as np

from ..core.arguments import Array
from .checks import CheckFailed, offered, resting_on, skip
from .class_probe import INPUTS, MEMBERS, ClassProbe, row_of
from .comparison import FALSE_ALARM, ROUNDING, chi_square_tail, first, real, short, worst

_SEED = 20
_MOST_CATEGORIES = 512


def inputs(probe: ClassProbe) -> str:
    """`inputs` is a distribution whose sample(n, rng) has shape (n, dim), is finite, and follows the seed."""
    given = probe.given_inputs()
    first_draw, second, other = (probe.draw_inputs(INPUTS, key) for key in (_SEED, _SEED, _SEED + 1))
    if not np.array_equal(first_draw, second):
        row = first(first_draw != second)[0]
        raise CheckFailed(
            f"`inputs.sample` must depend on `rng` alone: one seed gave {short(first_draw[row])} and then "
            f"{short(second[row])} in row {row}"
        )
    if np.array_equal(first_draw, other) and (given.n_points is None or given.n_points >= 2**8):
        raise CheckFailed(f"`inputs.sample` must draw from `rng`: two seeds gave the same {INPUTS} inputs")
    probe.draw_inputs(0, _SEED)
    return f"{short(given)}: {INPUTS} inputs of shape (n, {given.dim})"


def input_points(probe: ClassProbe) -> str:
    """points(start, stop) and weights(start, stop) agree between blocks, and the weights are probabilities."""
    n = probe.inputs.n_points
    points, weights = probe.given_points()
    return f"{len(points):,} of {n:,} points, weights sum to {math.fsum(weights):.6g}"


def input_sampling(probe: ClassProbe) -> str:
    """inputs.sample draws the points with their weights (chi-square, one false alarm in a million)."""
    if probe.points is None:
        skip("the inputs cannot be enumerated here (more than 4,096 points, or infinitely many)")
    points, weights = probe.points
    number = {row.tobytes(): 0 for row in points + 0.0}
    for i, row in enumerate(number):
        number[row] = i
    expected = np.zeros(len(number))
    for row, weight in zip(points + 0.0, weights, strict=True):
        expected[number[row.tobytes()]] += weight
    n = 64 * min(len(number), _MOST_CATEGORIES)
    counts = np.zeros(len(number))
    for drawn in resting_on("inputs", lambda: probe.draw_inputs(n, 3)) + 0.0:
        at = number.get(drawn.tobytes())
        if at is None:
            raise CheckFailed(f"`inputs.sample` drew {short(drawn)}, which is none of the {len(number):,} points")
        counts[at] += 1
    return _same_distribution("inputs.sample", "point", counts, expected)


def size(probe: ClassProbe) -> str:
    """`log2_size` is a number >= 0, and `size` and len(), where offered, are 2**log2_size."""
    log2_size = probe.given_log2_size()
    given: object = getattr(probe.H, "size", None)
    return f"log2 |H| = {log2_size:.6g}" + ("" if given is None else ", `size` agrees")


def members(probe: ClassProbe) -> str:
    """members() lists |H| members, and members that are drawn are among them."""
    offered(probe.H, "members")
    if probe.log2_size > 12:
        skip(f"2^{probe.log2_size:.4g} members are too many to list here")
    count = probe.given_members()[1]
    return f"{count:,} members; {MEMBERS} drawn ones are among them"


def sample(probe: ClassProbe) -> str:
    """sample(m, rng) returns m members, for m = 0 too, that depend on the seed alone."""
    x = probe.x
    offered(probe.H, "evaluate")
    for m in (0, 1, MEMBERS):
        drawn = probe.draw(m, 2)
        if hasattr(drawn, "__len__") and len(drawn) != m:
            raise CheckFailed(f"`sample({m}, rng)` must return {m} members, got {len(drawn)}")
    values, again = (probe.values(probe.draw(MEMBERS, _SEED), MEMBERS, x) for _ in range(2))
    if not np.array_equal(values, again):
        row = first(values != again)[0]
        raise CheckFailed(
            f"`sample` must depend on `rng` alone: one seed drew two different members (number {row}) with values "
            f"{short(values[row])} and then {short(again[row])}"
        )
    if probe.log2_size >= 1:
        other = probe.values(probe.draw(MEMBERS, _SEED + 1), MEMBERS, x)
        varies = any(not np.array_equal(row, other[0]) for row in other)
        if np.array_equal(values, other) and (varies or probe.log2_size >= 20):
            raise CheckFailed(f"`sample` must draw from `rng`: two seeds drew the same {MEMBERS} members")
    return f"m = 0, 1, {MEMBERS}; one seed draws the same members twice"


def sample_uniform(probe: ClassProbe) -> str:
    """sample draws the listed members uniformly (chi-square, one false alarm in a million)."""
    listed = probe.all_members
    if listed is None:
        skip("the class lists no `members()`, or more than 4,096")
    if listed[1] > _MOST_CATEGORIES:
        skip(f"{listed[1]:,} members are too many to count draws of each")
    everywhere = probe.points[0] if probe.table is not None and probe.points is not None else probe.x
    # To nine digits, so that a function is recognised whatever batch it was evaluated in.
    names = [row.tobytes() for row in np.round(probe.values(*listed, everywhere), 9) + 0.0]
    kinds = {name: i for i, name in enumerate(dict.fromkeys(names))}
    expected = np.zeros(len(kinds))
    for name in names:
        expected[kinds[name]] += 1 / len(names)
    n = 64 * len(kinds)
    drawn = resting_on("sample", lambda: probe.draw(n, 4))
    counts = np.zeros(len(kinds))
    for i, row in enumerate(np.round(probe.values(drawn, n, everywhere), 9) + 0.0):
        kind = kinds.get(row.tobytes())
        if kind is None:
            raise CheckFailed(f"`sample` drew a member that is not among members(): number {i} of sample({n})")
        counts[kind] += 1
    return _same_distribution("sample", "member", counts, expected)


def evaluate(probe: ClassProbe) -> str:
    """evaluate(members, x) returns finite float64 values of shape (m, n), for m = 0 and n = 0 too."""
    x = probe.x
    values = probe.given_values(probe.members, MEMBERS, x)
    probe.given_values(resting_on("sample", lambda: probe.draw(0, 2)), 0, x)
    probe.given_values(probe.members, MEMBERS, x[:0])
    return f"shape {values.shape}, values from {values.min():.4g} to {values.max():.4g}"


def evaluate_batch(probe: ClassProbe) -> str:
    """A value h(x) does not depend on the other members and inputs it is evaluated with."""
    x, drawn = probe.x, probe.members
    values = probe.values(drawn, MEMBERS, x)
    tolerance = ROUNDING * (1 + float(np.abs(values).max()))
    backwards = probe.values(drawn, MEMBERS, np.ascontiguousarray(x[::-1]))[:, ::-1]
    alone = np.concatenate([probe.values(drawn, MEMBERS, x[j : j + 1]) for j in range(x.shape[0])], axis=1)
    for how, found in (("in another order", backwards), ("alone", alone)):
        at = worst(found, values, tolerance)
        if at is not None:
            raise CheckFailed(
                f"h(x) must not depend on the other inputs: member {at[0]} at x = {short(x[at[1]])} is "
                f"{values[at]:.6g} among {x.shape[0]} inputs and {found[at]:.6g} {how}"
            )
    single = np.concatenate([probe.values(row_of(drawn, i), 1, x) for i in range(MEMBERS)])
    at = worst(single, values, tolerance)
    if at is not None:
        raise CheckFailed(
            f"h(x) must not depend on the other members: member {at[0]} at x = {short(x[at[1]])} is "
            f"{values[at]:.6g} among {MEMBERS} members and {single[at]:.6g} alone"
        )
    return f"{MEMBERS} members at {x.shape[0]} inputs, together, one by one and in another order"


def evaluate_pure(probe: ClassProbe) -> str:
    """evaluate changes neither the inputs nor the members it is given, and repeats itself."""
    x, drawn = probe.x.copy(), probe.members
    kept = drawn.copy() if isinstance(drawn, np.ndarray) else None
    evaluated = resting_on("evaluate", lambda: offered(probe.H, "evaluate")(drawn, x))
    values = resting_on("evaluate", lambda: real("`evaluate`", evaluated, (MEMBERS, x.shape[0]))).copy()
    if not np.array_equal(x, probe.x):
        row = first(x != probe.x)[0]
        raise CheckFailed(
            f"`evaluate` must not change its inputs: row {row} was {short(probe.x[row])}, is {short(x[row])}"
        )
    if isinstance(drawn, np.ndarray) and kept is not None and not np.array_equal(drawn, kept):
        raise CheckFailed(f"`evaluate` must not change the members it is given: {short(kept)} became {short(drawn)}")
    again = probe.values(probe.members, MEMBERS, x)
    if not np.array_equal(values, again):
        at = first(values != again)
        raise CheckFailed(f"`evaluate` must repeat itself: {values[at]:.6g} at {at} became {again[at]:.6g}")
    return "inputs and members are left as they were; a second call gives the same values"


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
        x = np.concatenate([probe.x, resting_on("inputs", lambda: probe.draw_inputs(256, 5))])
        values = probe.values(probe.members, MEMBERS, x)
    wrong = np.abs(values) != 1
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
    if not (np.array_equal(x, x2) and np.array_equal(y, y2)):
        raise CheckFailed("`draw` must depend on `rng` alone: one seed gave two different sets of examples")
    if probe.signs and (np.abs(y) != 1).any():
        raise CheckFailed(f"`labels` is 'signs', but `draw` gave the label {y[first(np.abs(y) != 1)]:.6g}")
    return f"{n} examples of each of {MEMBERS} tasks"


def _examples(probe: ClassProbe, tasks: object, m: int, n: int, key: int) -> tuple[Array, Array]:
    """n examples of each of m tasks, made sure of."""
    pair = offered(probe.H, "draw")(tasks, n, probe.stream(key))
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise CheckFailed(f"`draw` must return the pair (x, y), got {short(pair)}")
    return real("x of `draw`", pair[0], (m, n, probe.inputs.dim)), real("y of `draw`", pair[1], (m, n))


def tabulated(probe: ClassProbe) -> str:
    """Of tasks, probabilities(members, x) and targets(members, x) are those of what `draw` draws (chi-square)."""
    probabilities, targets = offered(probe.H, "probabilities"), offered(probe.H, "targets")
    if probe.points is None:
        skip("the inputs cannot be enumerated here (more than 4,096 points, or infinitely many)")
    points, weights = probe.points
    shape = MEMBERS, weights.size
    said = real("`probabilities(members, x)`", probabilities(probe.members, points.copy()), shape)
    labels = real("`targets(members, x)`", targets(probe.members, points.copy()), shape)
    totals = said.sum(axis=1)
    wrong = (said < 0).any(axis=1) | (np.abs(totals - 1) > ROUNDING)
    if wrong.any():
        i = first(wrong)[0]
        raise CheckFailed(
            f"`probabilities` of task {i} must be >= 0 and sum to one over all {weights.size:,} points, got the "
            f"least {said[i].min():.6g} and the sum {totals[i]:.9g}"
        )
    number: dict[bytes, int] = {}
    expected = np.zeros(weights.size)
    for i, row in enumerate(points + 0.0):  # a point that is listed twice is one
        expected[number.setdefault(row.tobytes(), i)] += said[0, i]
    n = 32 * min(len(number), _MOST_CATEGORIES)
    task = row_of(probe.members, 0)
    x, y = resting_on("examples", lambda: _examples(probe, task, 1, n, 16))
    at = [number.get(row.tobytes()) for row in x[0] + 0.0]
    counts = np.zeros(weights.size)
    for i, (j, label) in enumerate(zip(at, y[0], strict=True)):
        if j is None:
            raise CheckFailed(f"`draw` drew {short(x[0, i])}, which is none of the {len(number):,} points of `inputs`")
        if label != labels[0, j]:
            raise CheckFailed(f"`targets` at x = {short(points[j])} is {labels[0, j]:.6g}, but `draw` gave {label:.6g}")
        counts[j] += 1
    return _same_distribution("draw", "point", counts, expected)


def _same_distribution(what: str, unit: str, counts: Array, probabilities: Array) -> str:
    """Compare counts with probabilities; categories with fewer than five expected draws go together."""
    n = counts.sum()
    expected = probabilities * n
    impossible = (probabilities == 0) & (counts > 0)
    if impossible.any():
        at = first(impossible)[0]
        raise CheckFailed(f"`{what}` drew {unit} {at}, whose probability is 0")
    rare = expected < 5
    few, many = (np.append(a[~rare], a[rare].sum()) for a in (counts, expected))
    if many[-1] < 5:
        few, many = few[:-1], many[:-1]
    tail = chi_square_tail(few, many)
    if tail < FALSE_ALARM:
        at = int(np.argmax((counts - expected) ** 2 / np.maximum(expected, 1)))
        raise CheckFailed(
            f"`{what}` drew {unit} {at} {counts[at]:.0f} times in {n:.0f}, where {expected[at]:.1f} are expected "
            f"(all counts together: chi-square tail {tail:.2g})"
        )
    return f"{n:.0f} draws over {counts.size:,} {unit}s, chi-square tail {tail:.2g}"
