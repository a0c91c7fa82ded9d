"""The comparison of two intervals, the variance and a bound on it, in words."""

from __future__ import annotations

import math

from ..core.numbers import exp2, format_log2, format_number, log2_end, log2_of, percent
from ..results.estimate import Estimate
from ..results.findings import Bound


def ratio(variance: Estimate, log2_bound: float) -> float:
    """Return variance / bound, also where both underflow; nan where one of them is not known."""
    if not variance.resolved or math.isnan(log2_bound) or (variance.mantissa == 0 and log2_bound == -math.inf):
        return math.nan
    if variance.mantissa == 0:
        return 0.0
    size = log2_of(abs(variance.mantissa), variance.exponent)
    return math.copysign(exp2(size - log2_bound), variance.mantissa)


def verdict_on(variance: Estimate, found: dict[str, Bound], name: str) -> tuple[str, str]:
    """Compare the intervals of the variance and of the bound."""
    bound, theorem = found[name], found["theorem-1"]
    if name == "theorem-1":
        return compared(variance, bound, theorem.formula, found["operator-norm"].log2_constant)
    verdict, reason = compared(variance, bound, "the operator-norm bound", bound.log2_constant)
    times = ratio(variance, theorem.log2)
    exceeded = f", and Var is {times:.4g} times {theorem.formula}" if times > 1 else ""
    return verdict, f"{reason} Theorem 1 does not apply ({theorem.reason}){exceeded}."


def compared(variance: Estimate, bound: Bound, label: str, log2_norm: float) -> tuple[str, str]:
    """The verdict on one bound, and why: never stronger than the two intervals."""
    if math.isnan(bound.log2) or math.isnan(variance.mantissa):
        return "inconclusive", f"No bound is known for this class: {bound.reason}."
    share = variance.log2_signal_share
    if not variance.exact and share is not None and share <= log2_norm:
        return (
            "holds",
            f"Var is at most {label} at every input (Parseval): no sampling error enters the comparison.",
        )
    low, high = (log2_end(end, variance.exponent) for end in variance.mantissa_interval)
    bound_low, bound_high = bound.log2_interval
    if variance.exact and bound.exact and low <= bound_high and high >= bound_low:
        return "holds", f"Var, exact, equals {label} up to rounding."
    how = "Var, exact," if variance.exact else "The whole interval of Var"
    if high <= bound_low:
        return "holds", f"{how} lies below {label}."
    if not variance.exact and variance.mantissa_interval[0] <= 0:
        upper = variance.mantissa_interval[1] if variance.mantissa_upper is None else variance.mantissa_upper
        if log2_end(upper, variance.exponent) <= bound_low:
            return "holds", (
                f"These samples cannot tell Var from zero, but it is at most {format_number(upper, variance.exponent)} "
                f"at {percent(variance.confidence)} (one-sided), below {label}."
            )
    if low > bound_high:
        chance = "" if variance.exact else f" {_chance(variance)}"
        return "violated", (
            f"{how} lies above {label}. The theorem is proved, so an assumption is false: look at what the class "
            f"claims, and at what `covariance`, `project` and `gradient` return.{chance}"
        )
    if not variance.resolved:
        return "inconclusive", (
            f"{variance.guarantee[0].upper()}{variance.guarantee[1:]}. method='auto' takes a closed form or an "
            "enumeration where there is one."
        )
    return "inconclusive", f"The interval of Var straddles {label}{_samples_to_settle(variance, bound)}."


def _chance(variance: Estimate) -> str:
    assert variance.confidence is not None
    tail = percent((1 - variance.confidence) / 2)
    return f"Or it is chance: an interval at {percent(variance.confidence)} lies too high in {tail} of all runs."


def _samples_to_settle(variance: Estimate, bound: Bound) -> str:
    """How many samples would bring the half width of Var down to its distance from the bound."""
    if variance.zeta is None or variance.confidence is None or not any(variance.zeta):
        return ""
    from scipy.special import ndtri

    gap = abs(exp2(bound.log2 - variance.exponent) - variance.mantissa)
    zeta1, zeta2 = (z * float(ndtri(0.5 + variance.confidence / 2)) ** 2 for z in variance.zeta)
    if gap == 0:
        return "; the estimate lies on it"
    # The root of gap^2 n^2 = 4 zeta1 n + 2 zeta2.
    n = (2 * zeta1 + math.sqrt(4 * zeta1**2 + 2 * gap**2 * zeta2)) / gap**2
    samples = format_log2(math.log2(n), 2)
    return f"; if the truth is where the estimate is, about {samples} samples would settle it (rtol=0, max_samples=...)"
