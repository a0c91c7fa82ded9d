"""The assumptions of Theorem 1 and how each is known."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from ..classes.base import HypothesisClass, KnowsOperatorNorm, Samples
from ..classes.inputs.base import nodes
from ..core.arguments import Array, Stream, stream
from ..core.errors import NotApplicableError, TooLargeError
from ..core.numbers import exp2, format_number
from ..estimation.settings import Settings
from ..losses import Loss
from ..problem import Problem
from ..results.estimate import Estimate
from ..results.findings import Assumption

_MEMBERS, _INPUTS, _ENUMERATED = 32, 4096, 2**16


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
        return Assumption(name, "failed", "the class does not say that it is orthonormal")
    if hypotheses.log2_size == math.inf:
        return Assumption(name, "failed", "claimed, but the class is infinite: G^2/|H| says nothing")
    if isinstance(hypotheses, KnowsOperatorNorm):
        with suppress(NotApplicableError, TooLargeError):  # by which a class says that it does not know
            norm, most = hypotheses.operator_norm(centred=True), exp2(-hypotheses.log2_size)
            if norm > most * (1 + 1e-9):
                above = f"operator_norm() = {norm:.6g} is above 1/|H| = {most:.6g}"
                return Assumption(name, "failed", f"claimed, but {above}")
    if not isinstance(hypotheses, Samples):
        return Assumption(name, "claimed", "the class has no `sample` and `evaluate` to look at it by")
    return _sampled_orthonormality(name, hypotheses, settings)


def _sampled_orthonormality(name: str, hypotheses: Samples[object], settings: Settings) -> Assumption:
    """Look at the Gram matrix of members drawn from the class, on all inputs or on a sample of them."""
    rng = stream(settings.seed, Stream.ASSUMPTIONS)
    members = hypotheses.sample(_MEMBERS, rng)
    x, weights, enumerated = nodes(hypotheses.inputs, _ENUMERATED, _INPUTS, rng)
    values = np.asarray(hypotheses.evaluate(members, x), dtype=np.float64)
    gram = (values * weights) @ values.T
    off = np.abs(np.where(_different(members, values, hypotheses.log2_size), gram, 0.0))
    top = np.diagonal(gram)
    if enumerated:
        tolerance = np.full(gram.shape, 4 * x.shape[0] * float(np.finfo(np.float64).eps) * max(1.0, float(top.max())))
    else:
        # Six standard errors of each entry: over 496 pairs a false alarm has probability below 1e-6.
        fourth = (values**2 * weights) @ (values**2).T
        tolerance = 6 * np.sqrt(np.maximum(fourth - gram**2, 1 / _INPUTS) / _INPUTS)
    holds = bool((off <= tolerance).all() and (top <= 1 + np.diagonal(tolerance)).all())
    where = f"{x.shape[0]:,} {'points' if enumerated else 'sampled inputs'}"
    evidence = (
        f"claimed; Gram matrix of {_MEMBERS} sampled members on {where}: max |E h h'| = {off.max():.2g}, "
        f"max E h^2 = {top.max():.6g}"
    )
    return Assumption(name, "estimated" if holds else "failed", evidence)


def _different(members: object, values: Array, log2_size: float) -> NDArray[np.bool_]:
    """Which pairs of drawn members are two members, not one that was drawn twice."""
    rows = np.asarray(members, dtype=object) if not isinstance(members, np.ndarray) else members
    if rows.ndim >= 1 and rows.shape[0] == _MEMBERS:
        return np.array([[not np.array_equal(a, b) for b in rows] for a in rows])
    # Members that cannot be compared: in a large class none is drawn twice, in a small one equal values may be one.
    if log2_size > 30:
        return ~np.eye(_MEMBERS, dtype=np.bool_)
    return np.array([[not np.array_equal(a, b) for b in values] for a in values])


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
