"""The assumptions of Theorem 1 and how each is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ..classes.base import HypothesisClass, KnowsOperatorNorm, Samples, log2_share, prior_of
from ..classes.gram.derived import ListsMembers
from ..classes.inputs.base import nodes
from ..classes.members.repeats import equal_rows, repeated, too_often
from ..core.arguments import Array, Stream, stream
from ..core.errors import NotApplicableError, TooLargeError
from ..core.numbers import exp2, format_number
from ..estimation.settings import Settings
from ..losses import Loss
from ..problem import Problem
from ..results.estimate import Estimate
from ..results.findings import Assumption

_MEMBERS, _INPUTS, _ENUMERATED = 32, 4096, 2**16
_MOST_LOG2_LISTED = 8


def assumptions(problem: Problem, gradient: Estimate, settings: Settings) -> tuple[Assumption, ...]:
    """Return the assumptions of Theorem 1 of arXiv 1703.07950: an orthonormal class, a loss, a finite gradient norm."""
    return (
        orthonormality(problem.hypotheses, settings),
        lipschitz_loss(problem.loss),
        known_labels(problem) or _sampled_labels(problem.hypotheses, settings),
        gradient_norm(gradient),
    )


def lipschitz_loss(loss: Loss) -> Assumption:
    """Whether |b| <= L for some L."""
    if math.isfinite(loss.lipschitz):
        return Assumption("Lipschitz loss", *loss.evidence)
    return Assumption("Lipschitz loss", "failed", f"{loss.name} has no Lipschitz constant")


def gradient_norm(gradient: Estimate) -> Assumption:
    """G^2, finite where it could be computed."""
    norm = format_number(gradient.mantissa, gradient.exponent)
    status = "checked" if gradient.exact else "estimated"
    return Assumption("gradient norm", status, f"G^2 = E||dp/dw||^2 = {norm} {gradient.spread}")


def known_labels(problem: Problem) -> Assumption | None:
    """Whether the loss accepts the labels, where the loss or the class says so; else None."""
    if problem.loss.labels == "real":
        return Assumption("labels", "proved", "the loss is affine in any real label")
    evidence = getattr(problem.hypotheses, "label_evidence", None)
    return None if evidence is None else Assumption("labels", *evidence)


def orthonormality(hypotheses: HypothesisClass, settings: Settings) -> Assumption:
    """Whether E h^2 <= 1 and E h h' = 0: as the class proves it, or looked at on members drawn from it."""
    name = "orthonormal class"
    known = getattr(hypotheses, "orthonormality", None)
    if known is not None:
        return Assumption(name, *known)
    if not getattr(hypotheses, "is_orthonormal", False):
        return Assumption(name, "unknown", "the class does not say that it is orthonormal")
    if hypotheses.log2_size == math.inf:
        return Assumption(name, "failed", "claimed, but the class is infinite: G^2/|H| says nothing")
    if isinstance(hypotheses, KnowsOperatorNorm):
        with suppress(NotApplicableError, TooLargeError):  # by which a class says that it does not know
            norm, most = hypotheses.operator_norm(centred=True), exp2(log2_share(hypotheses))
            if norm > most * (1 + 1e-9):
                share = "1/|H|" if prior_of(hypotheses) is None else "max_i pi_i"
                above = f"operator_norm() = {norm:.6g} is above {share} = {most:.6g}"
                return Assumption(name, "failed", f"claimed, but {above}")
    return _look_at_gram(name, hypotheses, settings)


def _look_at_gram(name: str, hypotheses: HypothesisClass, settings: Settings) -> Assumption:
    """Look at E h h' of all members on all inputs where both are few, else of drawn members, on inputs all or drawn."""
    rng = stream(settings.seed, Stream.ASSUMPTIONS)
    points = hypotheses.inputs.n_points
    values_at: Callable[[Array], ArrayLike] | None = None
    few = points is not None and points <= _ENUMERATED and hypotheses.log2_size <= _MOST_LOG2_LISTED
    if few and isinstance(hypotheses, ListsMembers):
        with suppress(NotApplicableError, TooLargeError):
            values_at = partial(hypotheses.evaluate, hypotheses.members())
    listed = values_at is not None
    if values_at is None:
        if not isinstance(hypotheses, Samples):
            return Assumption(name, "claimed", "the class has no `sample` and `evaluate` to look at it by")
        values_at = partial(hypotheses.evaluate, hypotheses.sample(_MEMBERS, rng))
    x, weights, enumerated = nodes(hypotheses.inputs, _ENUMERATED, _INPUTS, rng)
    values = np.asarray(values_at(x), dtype=np.float64)
    count = values.shape[0]
    gram = (values * weights) @ values.T
    # A list names each member once; of drawn ones, equal values are those of one member.
    same = np.eye(count, dtype=np.bool_) if listed else equal_rows(values)
    off, top = np.abs(np.where(same, 0.0, gram)), np.diagonal(gram)
    repeats = repeated(same & (top > 0))  # two that vanish at all of these inputs need not be equal
    if enumerated:
        # A sum of n terms of which the squares add up to 1; where they add up to more the class fails anyhow.
        tolerance = np.full(gram.shape, 4 * x.shape[0] * float(np.finfo(np.float64).eps))
    else:
        # Six standard errors of each entry: over 496 pairs a false alarm has probability below 1e-6.
        fourth = (values**2 * weights) @ (values**2).T
        tolerance = 6 * np.sqrt(np.maximum(fourth - gram**2, 1 / _INPUTS) / _INPUTS)
    holds = bool((off <= tolerance).all() and (top <= 1 + np.diagonal(tolerance)).all())
    evidence = (
        f"claimed; Gram matrix of {f'all {count}' if listed else f'{count} sampled'} members on {x.shape[0]:,} "
        f"{'points' if enumerated else 'sampled inputs'}: max |E h h'| = {off.max():.2g}, max E h^2 = {top.max():.6g}"
    )
    if too_often(repeats, count, -log2_share(hypotheses)):
        holds, evidence = False, f"{evidence}; but {repeats} of the draws are equal to another, too many for its size"
    return Assumption(name, "estimated" if holds else "failed", evidence)


def _sampled_labels(hypotheses: HypothesisClass, settings: Settings) -> Assumption:
    name = "labels"
    if not isinstance(hypotheses, Samples):
        return Assumption(name, "claimed", "the class has no `sample` and `evaluate` to look at them by")
    rng = stream(settings.seed, Stream.ASSUMPTIONS)
    members = hypotheses.sample(_MEMBERS, rng)
    values = np.asarray(hypotheses.evaluate(members, hypotheses.inputs.sample(256, rng)), dtype=np.float64)
    wrong = values[np.abs(values) != 1]
    if wrong.size:
        return Assumption(
            name, "failed", f"the class claims labels -1 and +1, but a member takes the value {wrong[0]:.6g}"
        )
    return Assumption(name, "estimated", f"claimed; -1 and +1 for {_MEMBERS} sampled members at 256 sampled inputs")
