"""The assumptions of Theorem 1 and how each is known."""

from __future__ import annotations

import math

import numpy as np

from .arguments import Array, stream
from .classes.base import HypothesisClass, Samples
from .problem import Problem
from .results import Assumption, Estimate, format_number
from .settings import Settings

_STREAM = 5
_MEMBERS, _INPUTS = 32, 4096


def assumptions(problem: Problem, gradient: Estimate, settings: Settings) -> tuple[Assumption, ...]:
    """Return what Theorem 1 of arXiv 1703.07950 assumes: an orthonormal class, a loss, a finite gradient norm."""
    loss = problem.loss
    if math.isfinite(loss.lipschitz):
        loss_assumption = Assumption("Lipschitz loss", *loss.evidence)
    else:
        loss_assumption = Assumption("Lipschitz loss", "failed", f"{loss.name} has no Lipschitz constant")
    norm = format_number(gradient.mantissa, gradient.exponent)
    return (
        orthonormality(problem.hypotheses, settings),
        loss_assumption,
        _labels(problem),
        Assumption(
            "gradient norm",
            "checked" if gradient.exact else "estimated",
            f"G^2 = E||dp/dw||^2 = {norm} {gradient.spread}",
        ),
    )


def orthonormality(hypotheses: HypothesisClass, settings: Settings) -> Assumption:
    """Whether E h^2 <= 1 and E h h' = 0: as the class proves it, or checked on members drawn from it."""
    name = "orthonormal class"
    known = getattr(hypotheses, "orthonormality", None)
    if known is not None:
        status, evidence = known
        return Assumption(name, status, evidence)
    if not getattr(hypotheses, "is_orthonormal", False):
        return Assumption(name, "failed", "the class does not say that it is orthonormal")
    if not isinstance(hypotheses, Samples):
        return Assumption(name, "failed", "claimed, but the class has no `sample` and `evaluate` to check it by")
    return _sampled_orthonormality(name, hypotheses, settings)


def _sampled_orthonormality(name: str, hypotheses: Samples[object], settings: Settings) -> Assumption:
    """Look at the Gram matrix of members drawn from the class, on all inputs or on a sample of them."""
    rng = stream(settings.seed, _STREAM)
    members = hypotheses.sample(_MEMBERS, rng)
    inputs = hypotheses.inputs
    enumerated = inputs.n_points is not None and inputs.n_points <= 2**16
    if enumerated:
        assert inputs.n_points is not None
        x, weights = inputs.points(0, inputs.n_points), inputs.weights(0, inputs.n_points)
    else:
        x, weights = inputs.sample(_INPUTS, rng), np.full(_INPUTS, 1 / _INPUTS)
    values = np.asarray(hypotheses.evaluate(members, x), dtype=np.float64)
    gram = (values * weights) @ values.T
    # The same member may be drawn twice: two rows with equal values are one function.
    different = np.array([[not np.array_equal(a, b) for b in values] for a in values])
    if enumerated:
        tolerance: Array | float = 4 * x.shape[0] * float(np.finfo(np.float64).eps) * max(1.0, float(gram.max()))
        status = "checked"
    else:
        # Six standard errors of each entry: over 496 pairs a false alarm has probability below 1e-6.
        fourth = (values**2 * weights) @ (values**2).T
        tolerance = 6 * np.sqrt(np.maximum(fourth - gram**2, 1 / _INPUTS) / _INPUTS)
        status = "estimated"
    off = np.abs(np.where(different, gram, 0.0))
    top = np.diagonal(gram)
    holds = bool((off <= tolerance).all() and (top <= 1 + np.diagonal(np.broadcast_to(tolerance, gram.shape))).all())
    where = f"{x.shape[0]:,} {'points' if enumerated else 'sampled inputs'}"
    evidence = (
        f"claimed; Gram matrix of {_MEMBERS} sampled members on {where}: max |E h h'| = {off.max():.2g}, "
        f"max E h^2 = {top.max():.6g}"
    )
    return Assumption(name, status if holds else "failed", evidence)


def _labels(problem: Problem) -> Assumption:
    if problem.loss.labels == "real":
        return Assumption("labels", "proved", "the loss is affine in any real label")
    proved = getattr(problem.hypotheses, "orthonormality", ("checked", ""))[0] == "proved"
    return Assumption("labels", "proved" if proved else "checked", "every target takes the values -1 and +1 only")
