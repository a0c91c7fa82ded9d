"""The norm ||T_C|| of a class, as it says it, computed or from a sample."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ..classes.base import HypothesisClass, KnowsOperatorNorm, Samples, value_work
from ..classes.gram.derived import operator_norm
from ..core.arguments import Stream, number, stream
from ..core.errors import NotApplicableError, TooLargeError
from ..core.numbers import log2_of, percent
from ..estimation.settings import Settings
from .sampled_norm import GramSpectrum, sampled_spectrum


def check_norm_signature(hypotheses: HypothesisClass) -> None:
    """Raise a `TypeError` unless the class's `operator_norm` and its logarithm can be asked for both norms."""
    for name in ("operator_norm", "log2_operator_norm"):
        method = getattr(hypotheses, name, None)
        if method is None:
            continue
        try:
            inspect.signature(method).bind(centred=False)
        except ValueError:  # built-in functions without a signature
            continue
        except TypeError:
            raise TypeError(
                f"`H.{name}` must be a method that accepts `centred`: {name}(centred=True) is of the largest "
                f"eigenvalue of the centred Gram matrix E_x[h h'] over |H|, {name}(centred=False) of that of the "
                f"matrix itself; that of {hypotheses!r} does not"
            ) from None


class Constant(NamedTuple):
    """log2 of what multiplies a squared norm in a bound, why, and the ends of its interval where it is an estimate."""

    log2: float
    why: str
    ends: tuple[float, float] | None = None


_SAID = "operator norm as the class says it"
_MEMBERS, _WORK = 1024, 2.0**30
"""Members that are drawn for a norm, at four times as many inputs, or fewer where their values take more than that."""
_NO_CHANCE = 1 - 1e-9
"""Coverage of the interval of a sampled norm that a formula is held against."""


def norm_constant(hypotheses: HypothesisClass, centred: bool, settings: Settings) -> Constant:
    """As the class says it, or derived from what it says on finitely many inputs, or estimated from sampled members."""
    unknown = "the class says neither its operator norm nor how to draw and evaluate members"
    if isinstance(hypotheses, KnowsOperatorNorm):
        # The logarithm is offered where the norm may underflow.
        log2: Callable[..., float] | None = getattr(hypotheses, "log2_operator_norm", None)
        try:
            if log2 is not None:
                below = number(
                    "H.log2_operator_norm", log2(centred=centred), "a number", lambda found: found < math.inf
                )
                return Constant(below, _SAID)
            norm = hypotheses.operator_norm(centred=centred)
            finite = number("H.operator_norm", norm, "a finite number >= 0", lambda found: 0 <= found < math.inf)
            return Constant(log2_of(finite, 0), _SAID)
        except (NotApplicableError, TooLargeError) as error:
            unknown = str(error)
    with suppress(NotApplicableError, TooLargeError):
        derived = _derived(hypotheses, centred, settings)
        if derived is not None:
            return derived
    if not isinstance(hypotheses, Samples):
        return Constant(math.nan, unknown)
    (low, high), eigenvalues, n_inputs = _sampled(hypotheses, centred, settings.seed, settings.confidence)
    inputs = "all inputs" if n_inputs is None else f"{n_inputs:,} sampled inputs"
    why = (
        f"estimated: Gram matrix of {eigenvalues.size:,} sampled members on {inputs}, norm in "
        f"[{low:.3g}, {high:.3g}] at {percent(settings.confidence)}"
    )
    return Constant(log2_of(float(eigenvalues[0]), 0), why, (log2_of(low, 0), log2_of(high, 0)))


def _derived(hypotheses: HypothesisClass, centred: bool, settings: Settings) -> Constant | None:
    """From what the class says on finitely many inputs, unless members that it draws refute that."""
    derived = operator_norm(hypotheses, centred)
    if derived is None:
        return None
    value, residual, why, from_formula = derived
    if from_formula and isinstance(hypotheses, Samples):
        # Var is computed by the same formula: held against itself alone it would pass, whatever it says.
        (low, high), _, _ = _sampled(hypotheses, centred, settings.seed, _NO_CHANCE)
        if not low <= value + residual or not value <= high:
            return None
        why += ", which drawn members do not refute"
    ends = (log2_of(value, 0), log2_of(value + residual, 0)) if residual > 0 else None
    return Constant(log2_of(value, 0), f"operator norm from {why}", ends)


def _sampled(hypotheses: Samples[object], centred: bool, seed: int, confidence: float) -> GramSpectrum:
    rng = stream(seed, Stream.OPERATOR_NORM, int(centred))
    n = min(max(int(_WORK / (_MEMBERS * value_work(hypotheses))), _MEMBERS), 4 * _MEMBERS)
    return sampled_spectrum(hypotheses, _MEMBERS, rng, n_inputs=n, centred=centred, confidence=confidence)
