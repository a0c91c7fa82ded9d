"""Checks of what a hypothesis class says of itself in formulas: mean, covariance, orthonormality, transforms.

Each public function is one check: its name, with hyphens, is the check's; its docstring says what it makes sure of; it
returns the evidence. Each holds a claim against a `Truth`: exact where the class lists its members and its inputs can
be enumerated, else estimated from drawn ones, at one false alarm in a million.
"""

from __future__ import annotations

import math

import numpy as np

from ..classes.members.repeats import equal_rows
from ..core.arguments import Array
from .checks import CheckFailed, offered, skip
from .class_probe import MEMBERS, ClassProbe, scale_of
from .comparison import (
    FALSE_ALARM,
    ROUNDING,
    Truth,
    agree,
    at_inputs,
    moments,
    real,
    rounding_of,
    short,
    status_of,
    untouched,
)
from .draws import equal_to_earlier, repeat_tails
from .regions import batches

_DRAWN, _MANY, _MOST_INPUTS = 64, 256, 257
MOST_EIGENVALUES = 1024
"""Rows of a matrix of which all eigenvalues, or all entries, are looked at."""


def mean(probe: ClassProbe) -> str:
    """mean(x) is E_h h(x): of all members, or of 16,384 drawn ones within the stated error."""
    offered(probe.H, "mean")
    x, truth, members = probe.over_members(mean_by, lambda h: h.T, degree=1, key=6, most=4096)
    claim = mean_of(probe, x)
    within = truth.agrees(claim, at_inputs("`mean`", x), f"the mean of {members}")
    whole = mean_of(probe, probe.x)
    for rows in batches(len(whole), _MOST_INPUTS, probe.stream(27)):
        where = at_inputs(f"`mean` must not depend on the other inputs: its value among {len(rows)}", probe.x[rows])
        agree(mean_of(probe, probe.x[rows]), whole[rows], _rounding(probe, whole), where, f"among {len(whole)} it")
    return f"the mean of {members} at {x.shape[0]:,} inputs, {within}"


def covariance(probe: ClassProbe) -> str:
    """covariance(x, x') is Cov_h(h(x), h(x')): of all members, or of 16,384 drawn ones within the stated error."""
    offered(probe.H, "covariance")
    x, truth, members = probe.over_members(_covariance, _covariance_draws, degree=2, key=7, most=512)
    claim = covariance_of(probe, x, x)
    within = truth.agrees(claim, at_inputs("`covariance`", x, x), f"the covariance of {members}")
    return f"the covariance of {members} at {claim.size:,} pairs of inputs, {within}"


def mean_by(values: Array, prior: Array | None) -> Array:
    """The mean over members by their probabilities."""
    return np.asarray(np.average(values, axis=0, weights=prior))


def _covariance(values: Array, prior: Array | None) -> Array:
    centred = values - mean_by(values, prior)
    shares = 1 / len(values) if prior is None else prior
    return np.asarray(centred.T * shares @ centred)


def _covariance_draws(values: Array) -> Array:
    # Two independent members h, h': (h - h')(x) (h - h')(x')/2 has the covariance as its expectation.
    return np.asarray((values[0::2] - values[1::2]).T / math.sqrt(2))


def covariance_batch(probe: ClassProbe) -> str:
    """covariance(x, x') has shape (n, n2), and an entry does not depend on the other inputs."""
    x = probe.x
    whole = covariance_of(probe, x, x)
    rounding = _rounding(probe, whole)
    several = batches(len(x), _MOST_INPUTS, probe.stream(24))
    few, many = several[-2], several[-1]
    blocks = [*((few, one) for one in several[::5]), (few, many), (few, many[: len(few)]), (few[:0], few)]
    for rows, columns in [*blocks, *((columns, rows) for rows, columns in blocks)]:
        left, right = x[rows], x[columns]
        where = at_inputs(f"`covariance` among {len(left)} x {len(right)} inputs", left, right)
        part = covariance_of(probe, left, right)
        agree(part, whole[np.ix_(rows, columns)], rounding, where, f"among {len(x)} x {len(x)} inputs it")
    turned = covariance_of(probe, np.asfortranarray(x), x)
    where = at_inputs("`covariance` must not depend on the order of its inputs in memory: its value", x, x)
    agree(turned, whole, rounding, where, "of rows that lie together it")
    return f"shapes (n, n2), blocks agree with the whole of {whole.shape}"


def covariance_symmetric(probe: ClassProbe) -> str:
    """covariance(x, x') is the transpose of covariance(x', x)."""
    x, x2 = probe.x, probe.draw_inputs(12, 8)
    there, back = covariance_of(probe, x, x2), covariance_of(probe, x2, x).T
    where = at_inputs("`covariance` must be symmetric: its value", x, x2)
    agree(there, back, _rounding(probe, there), where, "the other way round it")
    return f"symmetric at {there.size:,} pairs of inputs"


def covariance_positive(probe: ClassProbe) -> str:
    """The matrix covariance(x, x) is positive semi-definite."""
    offered(probe.H, "covariance")
    x = np.concatenate([probe.x, probe.draw_inputs(64, 9)])
    matrix = covariance_of(probe, x, x)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    # The eigenvalues of an error matrix are at most its entries times its rows.
    tolerance = x.shape[0] * _rounding(probe, matrix)
    if values[0] < -tolerance:
        i, j = np.argsort(-np.abs(vectors[:, 0]))[:2]
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
    agree(
        real("`null_functions(x)` of fewer inputs", _null_functions_at(probe, x[:8]), f[:8].shape),
        f[:8],
        rounding_of(f[:8]),
        lambda at: f"`null_functions` must be functions of x alone: number {at[1]} at x = {short(x[at[0]])} among 8",
        "among more inputs it",
    )
    values = probe.table[0] if exact and probe.table is not None else probe.values(probe.members, MEMBERS, x)
    f = f / np.maximum(np.abs(f).max(axis=0), 1e-300)
    # E_x[(h - h_0)(x) f(x)] = 0 for all members h
    scale = scale_of(values)
    differences = moments(values - values[0], f.T, weights, exact, scale).at_least(ROUNDING * scale)
    within = differences.agrees(
        np.zeros_like(differences.value),
        lambda at: f"for number {at[1]} of `null_functions` E_x[h f]/max |f| of member {at[0]} less that of member 0",
        f"over {x.shape[0]:,} {'points' if exact else 'sampled inputs'} it",
    )
    return f"one E_x[h f] for {values.shape[0]:,} members, f of shape {f.shape}, {within} of their size"


def _null_functions_at(probe: ClassProbe, x: Array) -> Array:
    given = untouched("null_functions", offered(probe.H, "null_functions"), x)
    if not isinstance(given, np.ndarray) or given.ndim != 2:
        raise CheckFailed(f"`null_functions(x)` must be an array of shape ({x.shape[0]}, q), got {short(given)}")
    return real("`null_functions(x)`", given, (x.shape[0], given.shape[1]))


def orthonormal(probe: ClassProbe) -> str:
    """A class that says it is orthonormal has E h h' = 0 for h != h' and E h^2 = 1 (<= 1 for `orthonormality`)."""
    claim = bool(getattr(probe.H, "is_orthonormal", False))
    given: object = getattr(probe.H, "orthonormality", None)
    status = None if given is None else status_of("`orthonormality`", given)
    if claim and status in ("unknown", "failed"):
        raise CheckFailed(f"`is_orthonormal` is True, but `orthonormality` says {short(given)}")
    if not claim and status in (None, "unknown", "failed"):
        skip("the class does not say that it is orthonormal")
    return gram_is_identity(probe, unit=claim)


def gram_is_identity(probe: ClassProbe, unit: bool) -> str:
    """Look at E h h' of all members, or of drawn ones, with norms one (`unit`) or at most one."""
    if probe.table is not None and probe.table[0].shape[0] <= MOST_EIGENVALUES:
        (values, x, weights), exact = probe.table, True
        values = values if probe.prior is None else values[probe.prior > 0]
        # A list names each member once.
        same = np.eye(values.shape[0], dtype=np.bool_)
    else:
        x, weights, exact = probe.weighted_inputs(4096, 10)
        many = probe.values(probe.draw(_MANY, 25), _MANY, x)
        # Equal values at all of these inputs are those of one member, drawn twice or described in two ways.
        values, same = many[:_DRAWN], equal_rows(many[:_DRAWN])
        # Sign and logarithm: functions whose values have another size somewhere are not equal.
        repeats = equal_to_earlier(np.sign(many) * (700 + np.log(np.abs(many) + 1e-300)), probe.stream(26))
        if repeat_tails(repeats, _MANY, probe.log2_draws)[1] < FALSE_ALARM:
            raise CheckFailed(
                f"{repeats} of {_MANY} drawn members are equal to an earlier one at {x.shape[0]:,} inputs, too many "
                f"for |H| = 2^{probe.log2_size:.6g} members of which no two are equal"
            )
    gram = moments(values, values, weights, exact, max(1.0, float((values**2 @ weights).max())), probe.signs)
    norms = np.diagonal(gram.value)
    # E h h' = 0 for two members; E h^2 = 1, or at most that; a member that was drawn twice is one.
    identity = np.where(same, gram.value, 0.0)
    np.fill_diagonal(identity, 1.0 if unit else np.minimum(norms, 1.0))
    how = f"of {gram.value.shape[0]:,} members on {x.shape[0]:,} {'points' if exact else 'sampled inputs'}"

    def where(at: tuple[int, ...]) -> str:
        i, j = at
        return f"members {i} and {j} {how} are not orthogonal: E h h'" if i != j else f"E h^2 of member {i} {how}"

    agree(gram.value, identity, gram.tolerance, where, "in an orthonormal class it")
    off = np.abs(np.where(same, 0.0, gram.value)).max()
    said = f"Gram matrix {how}: max |E h h'| = {off:.2g}, max E h^2 = {norms.max():.6g}"
    return said if exact else f"{said}, {gram.within}"


def project(probe: ClassProbe) -> str:
    """project(f) is E_x[h(x) f(x)] for every member, in the order of members(), shape (|H|, q)."""
    method = offered(probe.H, "project")
    rows, values, weights = probe.listed_rows()
    f = probe.stream(11).standard_normal((weights.size, 3))
    size = round(2**probe.log2_size)
    what = f"E_x[h(x) f(x)] of that member of members() over all {weights.size:,} points"
    for functions in (f, f[:, :1], f[:, :0]):
        given = untouched("project", method, functions)
        claim = real("`project(f)`", given, (size, functions.shape[1]))
        truth = moments(values, functions.T, weights, True, scale_of(values) * float(np.abs(f).max()))
        truth.agrees(claim[rows], lambda at: f"`project(f)` at member {rows[at[0]]}", what)
    return f"E_x[h f] of {values.shape[0]:,} members and 3 functions on {weights.size:,} points"


def gram(probe: ClassProbe) -> str:
    """gram() is the matrix E_x[h_i(x) h_j(x)] of all members."""
    method = offered(probe.H, "gram")
    rows, values, weights = probe.listed_rows()
    size = round(2**probe.log2_size)
    claim = real("`gram()`", method(), (size, size))[np.ix_(rows, rows)]
    truth = moments(values, values, weights, True, scale_of(values) ** 2)
    return _products_agree("`gram()`", claim, truth)


def inner_products(probe: ClassProbe) -> str:
    """inner_products(members, members2) is E_x[h(x) h'(x)], shape (m, m2)."""
    method = offered(probe.H, "inner_products")
    x, weights, exact = probe.weighted_inputs(8192, 12)
    others = probe.draw(MEMBERS - 8, 13)
    left, right = probe.values(probe.members, MEMBERS, x), probe.values(others, MEMBERS - 8, x)
    given = method(probe.members, others)
    claim = real("`inner_products(members, members2)`", given, (MEMBERS, MEMBERS - 8))
    truth = moments(left, right, weights, exact, max(scale_of(left), scale_of(right)) ** 2, probe.signs)
    return _products_agree("`inner_products`", claim, truth)


def _products_agree(what: str, claim: Array, truth: Truth) -> str:
    within = truth.agrees(claim, lambda at: f"{what} of members {at[0]} and {at[1]}", "E_x[h h']")
    return f"E_x[h h'] of {claim.size:,} pairs of members, {within}"


def mean_of(probe: ClassProbe, x: Array) -> Array:
    """The class mean, made sure of."""
    return real("`mean(x)`", untouched("mean", offered(probe.H, "mean"), x), (x.shape[0],))


def covariance_of(probe: ClassProbe, x: Array, x2: Array) -> Array:
    """The class covariance, made sure of."""
    what = f"`covariance` of {x.shape[0]} and {x2.shape[0]} inputs"
    given = untouched("covariance", offered(probe.H, "covariance"), x, x2)
    return real(what, given, (x.shape[0], x2.shape[0]))


def _rounding(probe: ClassProbe, covariances: Array) -> float:
    """The most that rounding may change in the covariances: values cancel in them."""
    values = probe.scale if callable(getattr(probe.H, "evaluate", None)) else 0.0
    return max(rounding_of(covariances), ROUNDING * values**2)
