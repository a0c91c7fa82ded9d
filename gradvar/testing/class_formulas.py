"""Checks of what a hypothesis class says of itself in formulas: mean, covariance, orthonormality, transforms.

Each function is one check: its name, with hyphens, is the check's; its docstring says what it makes sure of; it
returns the evidence. Where the class lists its members and its inputs can be enumerated the truth is computed, else
it is estimated from drawn members, at one false alarm in a million.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from .checks import CheckFailed, offered, resting_on, skip
from .class_probe import MEMBERS, ClassProbe
from .comparison import ROUNDING, Mean, number, real, short, within, worst

MOST_EIGENVALUES = 1024
"""Rows of a matrix of which all eigenvalues, or all entries, are looked at."""
_STATUSES = ("proved", "checked", "estimated", "claimed", "failed")


def mean(probe: ClassProbe) -> str:
    """mean(x) is E_h h(x): of all members, or of 16,384 drawn ones within the stated error."""
    offered(probe.H, "mean")
    if probe.table is not None:
        values, x, _ = probe.table
        expected, tolerance = values.mean(axis=0), np.full(x.shape[0], ROUNDING * _size(values))
        how = f"of all {values.shape[0]:,} members"
    else:
        x = probe.x
        drawn = Mean(2.0 if probe.signs else None)
        for block in probe.drawn_values(x, 6):
            drawn.add(block)
        expected, tolerance, how = drawn.value, drawn.half_width, f"of {drawn.n:,} drawn members"
    found = real("`mean(x)`", offered(probe.H, "mean")(x.copy()), (x.shape[0],))
    at = worst(found, expected, tolerance)
    if at is not None:
        raise CheckFailed(
            f"`mean` at x = {short(x[at])} is {found[at]:.6g}, but the mean {how} is {expected[at]:.6g} "
            f"+- {tolerance[at]:.2g}"
        )
    return f"the mean {how} at {x.shape[0]:,} inputs, {within(tolerance)}"


def covariance(probe: ClassProbe) -> str:
    """covariance(x, x') is Cov_h(h(x), h(x')): of all members, or of 16,384 drawn ones within the stated error."""
    offered(probe.H, "covariance")
    if probe.table is not None and probe.table[1].shape[0] <= 512:
        values, x, _ = probe.table
        centred = values - values.mean(axis=0)
        expected = centred.T @ centred / values.shape[0]
        tolerance = np.full(expected.shape, ROUNDING * _size(values))
        how = f"of all {values.shape[0]:,} members"
    else:
        x = probe.x
        drawn, size = Mean(4.0 if probe.signs else None), 0.0
        for block in probe.drawn_values(x, 7):
            size = max(size, _size(block))
            # Two independent members h, h': (h - h')(x) (h - h')(x')/2 has the covariance as its expectation.
            difference = block[0::2] - block[1::2]
            drawn.add(difference[:, :, None] * difference[:, None, :] / 2)
        expected, tolerance = drawn.value, drawn.half_width + ROUNDING * size
        how = f"of {drawn.n:,} pairs of drawn members"
    tolerance = tolerance + _admitted(probe)
    found = covariance_of(probe, x, x)
    at = worst(found, expected, tolerance)
    if at is not None:
        raise CheckFailed(
            f"`covariance` at x = {short(x[at[0]])}, x' = {short(x[at[1]])} is {found[at]:.6g}, but the covariance "
            f"{how} is {expected[at]:.6g} +- {tolerance[at]:.2g}"
        )
    return f"the covariance {how} at {found.size:,} pairs of inputs, {within(tolerance)}"


def covariance_batch(probe: ClassProbe) -> str:
    """covariance(x, x') has shape (n, n2), and an entry does not depend on the other inputs."""
    offered(probe.H, "covariance")
    x = probe.x
    whole = covariance_of(probe, x, x)
    tolerance = ROUNDING * (1 + float(np.abs(whole).max()))
    for rows, columns in ((slice(0, 3), slice(1, None)), (slice(2, None), slice(0, 1)), (slice(0, 0), slice(0, 2))):
        part, expected = covariance_of(probe, x[rows], x[columns]), whole[rows, columns]
        at = worst(part, expected, tolerance)
        if at is not None:
            raise CheckFailed(
                f"`covariance` at x = {short(x[rows][at[0]])}, x' = {short(x[columns][at[1]])} is {expected[at]:.6g} "
                f"among {x.shape[0]} x {x.shape[0]} inputs and {part[at]:.6g} among {part.shape[0]} x {part.shape[1]}"
            )
    return f"shapes (n, n2), blocks agree with the whole of {whole.shape}"


def covariance_symmetric(probe: ClassProbe) -> str:
    """covariance(x, x') is the transpose of covariance(x', x)."""
    offered(probe.H, "covariance")
    x = probe.x
    x2 = resting_on("inputs", lambda: probe.draw_inputs(12, 8))
    there, back = covariance_of(probe, x, x2), covariance_of(probe, x2, x).T
    at = worst(back, there, ROUNDING * (1 + float(np.abs(there).max())))
    if at is not None:
        raise CheckFailed(
            f"`covariance` must be symmetric: at x = {short(x[at[0]])}, x' = {short(x2[at[1]])} it is {there[at]:.6g}, "
            f"the other way round {back[at]:.6g}"
        )
    return f"symmetric at {there.size:,} pairs of inputs"


def covariance_positive(probe: ClassProbe) -> str:
    """The matrix covariance(x, x) is positive semi-definite."""
    offered(probe.H, "covariance")
    x = np.concatenate([probe.x, resting_on("inputs", lambda: probe.draw_inputs(64, 9))])
    matrix = covariance_of(probe, x, x)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    tolerance = x.shape[0] * (ROUNDING * (1 + float(np.abs(matrix).max())) + _admitted(probe))
    # The eigenvalues of an error matrix are at most its entries times its rows.
    if values[0] < -tolerance:
        v = vectors[:, 0]
        i, j = np.argsort(-np.abs(v))[:2]
        raise CheckFailed(
            f"`covariance` must be positive semi-definite: its matrix at {x.shape[0]} inputs has the eigenvalue "
            f"{values[0]:.6g}, with most weight at x = {short(x[i])} and {short(x[j])}"
        )
    return f"no eigenvalue below -{tolerance:.1g} at {x.shape[0]} inputs"


def null_functions(probe: ClassProbe) -> str:
    """null_functions(x), shape (n, q), are functions f with one E_x[h(x) f(x)] for all members h."""
    offered(probe.H, "null_functions")
    x, weights, exact = probe.weighted_inputs(8192, 15)
    f = _null_functions_at(probe, x)
    if f.shape[1] == 0:
        skip("`null_functions` names no function")
    _check_alone(probe, x[:8], f[:8])
    size = np.maximum(np.abs(f).max(axis=0), 1e-300)
    if exact:
        values = probe.table[0] if probe.table is not None else probe.values(probe.members, MEMBERS, x)
        moments = (values * weights) @ (f / size)
        tolerance = np.full(moments.shape, ROUNDING * math.sqrt(_size(values)))
        expected = np.broadcast_to(moments[0], moments.shape)
    else:
        values = probe.values(probe.members, MEMBERS, x)
        differences = Mean()
        for block in range(0, x.shape[0], 1024):
            rows = slice(block, block + 1024)
            differences.add((values[:, rows] - values[0, rows]).T[:, :, None] * (f[rows] / size)[:, None, :])
        moments, expected = differences.value, np.zeros(differences.value.shape)
        tolerance = differences.half_width + ROUNDING * math.sqrt(_size(values))
    at = worst(moments, expected, tolerance)
    if at is not None:
        raise CheckFailed(
            f"`null_functions` names function {at[1]}, but its E_x[h(x) f(x)] differs between members 0 and {at[0]} by "
            f"{(moments[at] - expected[at]) * size[at[1]]:.6g} +- {tolerance[at] * size[at[1]]:.2g}"
        )
    of = f"one E_x[h f] for {values.shape[0]:,} members, f of shape {f.shape}"
    return of if exact else f"{of}, {within(tolerance)} of their size"


def _null_functions_at(probe: ClassProbe, x: Array) -> Array:
    """The functions at these inputs, made sure of."""
    given = offered(probe.H, "null_functions")(x.copy())
    if not isinstance(given, np.ndarray) or given.ndim != 2:
        raise CheckFailed(f"`null_functions(x)` must be an array of shape ({x.shape[0]}, q), got {short(given)}")
    return real("`null_functions(x)`", given, (x.shape[0], given.shape[1]))


def _check_alone(probe: ClassProbe, x: Array, among: Array) -> None:
    alone = _null_functions_at(probe, x)
    if alone.shape != among.shape:
        raise CheckFailed(
            f"`null_functions` must name the same functions everywhere: {among.shape[1]} of them among more inputs, "
            f"{alone.shape[1]} at {x.shape[0]}"
        )
    at = worst(alone, among, ROUNDING * (1 + float(np.abs(among).max())))
    if at is not None:
        raise CheckFailed(
            f"`null_functions` must be functions of x alone: number {at[1]} at x = {short(x[at[0]])} is "
            f"{among[at]:.6g} among more inputs and {alone[at]:.6g} among {x.shape[0]}"
        )


def orthonormal(probe: ClassProbe) -> str:
    """A class that says it is orthonormal has E h h' = 0 for h != h' and E h^2 = 1 (<= 1 for `orthonormality`)."""
    claim = bool(getattr(probe.H, "is_orthonormal", False))
    given: object = getattr(probe.H, "orthonormality", None)
    if given is not None:
        if not (isinstance(given, tuple) and len(given) == 2 and given[0] in _STATUSES and isinstance(given[1], str)):
            raise CheckFailed(
                f"`orthonormality` must be (status, evidence), status one of {_STATUSES}, got {short(given)}"
            )
        if claim and given[0] == "failed":
            raise CheckFailed(f"`is_orthonormal` is True, but `orthonormality` says failed: {given[1]}")
    if not claim and (given is None or given[0] == "failed"):
        skip("the class does not say that it is orthonormal")
    return gram_is_identity(probe, unit=claim)


def gram_is_identity(probe: ClassProbe, unit: bool) -> str:
    """Look at E h h' of all members, or of drawn ones, with norms one (`unit`) or at most one."""
    if probe.table is not None and probe.table[0].shape[0] <= MOST_EIGENVALUES:
        values, x, weights = probe.table
        exact = True
        same: npt.NDArray[np.bool_] = np.eye(values.shape[0], dtype=np.bool_)
    else:
        x, weights, exact = probe.weighted_inputs(4096, 10)
        values = probe.values(probe.members, MEMBERS, x)
        same = _same(probe.members, values)
    gram = (values * weights) @ values.T
    if exact:
        tolerance = np.full(gram.shape, ROUNDING * max(1.0, float(np.diagonal(gram).max())))
    else:
        products = Mean(2.0 if probe.signs else None)
        products.add((values[:, None, :] * values).transpose(2, 0, 1))
        tolerance = products.half_width
    how = f"of {gram.shape[0]:,} members on {x.shape[0]:,} {'points' if exact else 'sampled inputs'}"
    off = np.where(same, 0.0, gram)
    at = worst(off, np.zeros_like(off), tolerance)
    if at is not None:
        raise CheckFailed(
            f"members {at[0]} and {at[1]} {how} are not orthogonal: E h h' = {off[at]:.6g} +- {tolerance[at]:.2g}"
        )
    norms = np.diagonal(gram)
    excess = norms - 1 if not unit else np.abs(norms - 1)
    wrong = excess > np.diagonal(tolerance)
    if wrong.any():
        i = int(np.argmax(excess - np.diagonal(tolerance)))
        raise CheckFailed(f"member {i} {how} must have E h^2 {'=' if unit else '<='} 1, got {norms[i]:.6g}")
    said = f"Gram matrix {how}: max |E h h'| = {np.abs(off).max():.2g}, max E h^2 = {norms.max():.6g}"
    return said if exact else f"{said}, {within(tolerance)}"


def project(probe: ClassProbe) -> str:
    """project(f) is E_x[h(x) f(x)] for every member, in the order of members(), shape (|H|, q)."""
    offered(probe.H, "project")
    if probe.points is None:
        skip("the inputs cannot be enumerated here (more than 4,096 points, or infinitely many)")
    points, weights = probe.points
    f = probe.stream(11).standard_normal((weights.size, 3))
    if probe.table is None:
        skip("the class lists no `members()` to compare with, or more than 4,096")
    values = probe.table[0]
    kept = f.copy()
    found = real("`project(f)`", offered(probe.H, "project")(f), (values.shape[0], f.shape[1]))
    if not np.array_equal(f, kept):
        raise CheckFailed("`project` must not change the function it is given")
    expected = (values * weights) @ f
    size = math.sqrt(_size(values)) * float(np.abs(f).max())
    at = worst(found, expected, ROUNDING * size)
    if at is not None:
        raise CheckFailed(
            f"`project(f)` at member {at[0]} is {found[at]:.6g}, but E_x[h(x) f(x)] of that member of members() "
            f"over all {weights.size:,} points is {expected[at]:.6g}"
        )
    return f"E_x[h f] of {values.shape[0]:,} members and 3 functions on {points.shape[0]:,} points"


def gram(probe: ClassProbe) -> str:
    """gram() is the matrix E_x[h_i(x) h_j(x)] of all members."""
    offered(probe.H, "gram")
    if probe.table is None:
        skip("members and inputs cannot both be enumerated here")
    values, _, weights = probe.table
    found = real("`gram()`", offered(probe.H, "gram")(), (values.shape[0], values.shape[0]))
    return _compare_products(found, (values * weights) @ values.T, ROUNDING * _size(values), "`gram()`")


def inner_products(probe: ClassProbe) -> str:
    """inner_products(members, members2) is E_x[h(x) h'(x)], shape (m, m2)."""
    offered(probe.H, "inner_products")
    x, weights, exact = probe.weighted_inputs(8192, 12)
    others = resting_on("sample", lambda: probe.draw(MEMBERS - 8, 13))
    left, right = probe.values(probe.members, MEMBERS, x), probe.values(others, MEMBERS - 8, x)
    given = offered(probe.H, "inner_products")(probe.members, others)
    found = real("`inner_products(members, members2)`", given, (MEMBERS, MEMBERS - 8))
    expected = (left * weights) @ right.T
    if exact:
        return _compare_products(found, expected, ROUNDING * max(_size(left), _size(right)), "`inner_products`")
    products = Mean(2.0 if probe.signs else None)
    for block in range(0, x.shape[0], 1024):
        rows = slice(block, block + 1024)
        products.add((left[:, None, rows] * right[:, rows]).transpose(2, 0, 1))
    return _compare_products(found, products.value, products.half_width, "`inner_products`")


def _compare_products(found: Array, expected: Array, tolerance: Array | float, what: str) -> str:
    at = worst(found, expected, tolerance)
    if at is not None:
        raise CheckFailed(
            f"{what} of members {at[0]} and {at[1]} is {found[at]:.6g}, but E_x[h h'] is {expected[at]:.6g}"
        )
    return f"E_x[h h'] of {found.size:,} pairs of members, {within(np.broadcast_to(tolerance, found.shape))}"


def covariance_of(probe: ClassProbe, x: Array, x2: Array) -> Array:
    """The class covariance, made sure of."""
    what = f"`covariance` of {x.shape[0]} and {x2.shape[0]} inputs"
    return real(what, offered(probe.H, "covariance")(x.copy(), x2.copy()), (x.shape[0], x2.shape[0]))


def _admitted(probe: ClassProbe) -> float:
    """What the class itself says that a value of its covariance may be off by."""
    error = number("`covariance_error`", getattr(probe.H, "covariance_error", 0.0))
    if not 0 <= error < math.inf:
        raise CheckFailed(f"`covariance_error` must be finite and >= 0, got {error}")
    return error


def _size(values: Array) -> float:
    """The largest square of a value, at least 1e-300."""
    return max(float(np.abs(values).max()) ** 2, 1e-300)


def _same(members: object, values: Array) -> npt.NDArray[np.bool_]:
    """Which pairs of drawn members are one member that was drawn twice: by description, else by values."""
    rows = members if isinstance(members, np.ndarray) and members.shape[:1] == values.shape[:1] else values
    return np.array([[np.array_equal(a, b) for b in rows] for a in rows])
