"""The verb `population_loss`: the risk F_h(w) of one target."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace
from typing import SupportsFloat, SupportsIndex

import numpy as np

from ..classes.base import HypothesisClass
from ..classes.gram.outputs import output_vectors
from ..classes.members.target import Target
from ..classes.members.target_class import Noisy
from ..core.arguments import Array, SeedLike
from ..core.errors import NotApplicableError
from ..estimation.expectation import expectation
from ..estimation.settings import Settings
from ..losses import LOSSES, KnowsValue, Loss, as_loss
from ..models.base import Model, check_one_output
from ..problem import Problem, as_model
from ..results.estimate import Estimate
from .alignment import one_member


def population_loss(
    target: Target | HypothesisClass,
    model: Model,
    loss: str | Loss = "square",
    *,
    rtol: SupportsFloat = 0.1,
    confidence: SupportsFloat = 0.95,
    max_samples: SupportsIndex | None = None,
    rng: SeedLike = None,
    executor: Executor | None = None,
) -> Estimate:
    r"""Return the risk F_h(w) = E_x[loss(p_w(x), h(x))] of one target h.

    Parameters
    ----------
    target : Target or HypothesisClass
        A member of a class, as `H.member(...)` returns it; or a class of one member.
    model, loss, rtol, confidence, max_samples, rng, executor
        As for `gradient_variance`.

    Returns
    -------
    Estimate
        Exact up to rounding where the inputs are at most 2^22; else unbiased with an interval that knows skewness. The
        correlation loss has the intervals of its positive and its negative part, at half the level each. Costs a
        prediction at each input.

    Raises
    ------
    ValueError, TypeError
        A class of several members, a loss without `value` or of negative values, and as for `gradient_variance`.

    Examples
    --------
    >>> import gradvar as gv
    >>> parity, model = gv.Parities(3).member([True, True, False]), gv.Linear([1.0, 0.0, 0.0])
    >>> gv.population_loss(parity, model).value, gv.population_loss(parity, model, "hinge").value
    (1.0, 1.0)
    """
    hypotheses, members = one_member(target)
    problem = Problem(hypotheses, model, loss)
    unflipped, kept = (hypotheses.origin, hypotheses.kept) if isinstance(hypotheses, Noisy) else (hypotheses, 1.0)
    settings = Settings.checked(rtol, confidence, max_samples, rng, executor, False)
    known, count = as_loss(loss), getattr(hypotheses, "n_outputs", 1)
    # of K outputs all at once, where the problem has one at a time
    predictor = problem.predictor if count == 1 else as_model(model)
    assert isinstance(predictor, Model)
    if not isinstance(known, KnowsValue):
        raise NotApplicableError(f"`loss` must say `value(p, y)` for a risk, not its derivative alone; got {known!r}")

    signed = known == LOSSES["correlation"]

    def values(x: Array) -> Array:
        p = predictor.predict(x)
        if count == 1:
            check_one_output("`model.predict`", p.shape, len(x))
        labels = output_vectors(unflipped.evaluate, members, x, count)[0]
        found = known.value(p, labels)
        if kept < 1:  # flipped with probability (1 - kept)/2
            found = (1 + kept) / 2 * found + (1 - kept) / 2 * known.value(p, -labels)
        found = np.asarray(found if found.ndim == 1 else found.sum(axis=1))
        if not signed and (found < 0).any():
            raise ValueError(f"`loss` must not be negative, so that its mean has an interval, got {found.min():.6g}")
        # max(l, 0) and max(-l, 0)
        return np.maximum(np.stack([found, -found], axis=1)[:, : 1 + signed], 0.0)

    first, *second = expectation(
        values,
        hypotheses.inputs,
        replace(settings, confidence=0.5 + settings.confidence / 2) if signed else settings,
        name="mean of the loss",
        method="expectation",
        row_size=problem.row_size,
        most=(np.inf,) * (1 + signed),
    )
    return replace(_difference(first, second[0], settings) if signed else first, seed=settings.seed)


def _difference(positive: Estimate, negative: Estimate, settings: Settings) -> Estimate:
    """The difference of two parts, each in its interval."""
    (low, high), (low2, high2) = positive.interval, negative.interval
    return replace(
        positive,
        mantissa=positive.value - negative.value,
        exponent=0,
        mantissa_interval=(low - high2, high - low2),
        mantissa_error=positive.standard_error + negative.standard_error,
        mantissa_upper=None,
        confidence=None if positive.exact else settings.confidence,
        resolved=positive.resolved and negative.resolved,
    )
