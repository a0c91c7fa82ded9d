"""Consequences of the variance for an optimiser: signal to noise, precision, oracle steps."""

from __future__ import annotations

import math

from ..core.numbers import format_log2, log2_of
from ..results.estimate import Estimate
from ..results.findings import Consequence

PRECISION = 1e-2


FAILURE = 0.1


def oracle_steps(log2_variance: float, log2_precision: float, failure: float = FAILURE) -> float:
    """Return log2 T, T = failure precision^2 / Var.

    T steps of any method that sees gradients only up to `precision` are independent of the target with probability
    1 - failure (Chebyshev and a union bound).
    """
    return math.log2(failure) + 2 * log2_precision - log2_variance


def consequences(variance: Estimate, signal: Estimate, noise: str = "E||s||^2") -> tuple[Consequence, ...]:
    """Return the consequences of the variance; from the upper end of its interval when it is an estimate.

    `signal` is the squared norm of the gradient on one example, which a reader is told of as `noise`.
    """
    end = variance.mantissa if variance.exact and variance.is_tight else variance.mantissa_interval[1]
    if not math.isfinite(end) or end < 0 or signal.mantissa <= 0:
        return ()
    log2_variance = log2_of(end, variance.exponent)
    if log2_variance == -math.inf:
        return (
            Consequence(
                "independence",
                math.inf,
                "The gradient does not depend on the target at all: no method that sees only gradients can learn it.",
            ),
        )
    at_least, at_most = ("", "") if variance.exact and variance.is_tight else ("at least ", "at most ")
    samples = signal.log2 - log2_variance
    deviation = -samples / 2
    precision = math.log2(PRECISION) + signal.log2 / 2
    steps = oracle_steps(log2_variance, precision)
    cube_root = math.log2(FAILURE) - log2_variance / 3
    known_to = f"Gradients known to {PRECISION:g} of the typical signal, as from a batch of {PRECISION**-2:,.0f}"
    hidden = (
        f"the first T = p eps^2/Var = {format_log2(steps, 3)} steps of any method that sees no more are independent "
        f"of the target with probability {1 - FAILURE:g}."
        if steps >= 0
        else "T = p eps^2/Var is below one step, so this argument hides nothing."
    )
    return (
        Consequence(
            "samples",
            samples,
            f"Signal to noise: {at_least}{format_log2(samples, 3)} examples until the gradient's dependence on the "
            f"target, Var, equals the noise of one example, {noise}.",
        ),
        Consequence(
            "relative-deviation",
            deviation,
            f"Precision: which target it is moves the gradient by {at_most}{format_log2(deviation, 3)} of a typical "
            f"per-example signal; {_resolution(deviation)}.",
        ),
        Consequence("oracle-steps", steps, f"{known_to}: {hidden}"),
        Consequence(
            "oracle-steps-cube-root",
            cube_root,
            f"Shamir's form, eps = Var^(1/3): T = p/eps = {format_log2(cube_root, 3)} steps at p = {FAILURE:g}.",
        ),
    )


def _resolution(log2_deviation: float) -> str:
    if log2_deviation < -53:
        return "below the resolution of float64 (2^-53) and float32"
    if log2_deviation < -24:
        return "below the resolution of float32 (2^-24), within that of float64 (2^-53)"
    return "within the resolution of float32 (2^-24)"
