"""The comparison of two intervals, the variance and a bound on it, in words."""

from __future__ import annotations

import math

from ..core.numbers import exp2, format_log2, format_number, log2_end, log2_of, percent
from ..results.estimate import Estimate
from ..results.findings import Bound
from ..results.report import TITLES, ratio_text


def ratio(variance: Estimate, log2_bound: float) -> float:
    """Return variance / bound, also where both underflow; nan where one of them is not known."""
    if not variance.resolved:
        return math.nan
    # nan goes through, and 0/0 is -inf - (-inf)
    size = log2_of(abs(variance.mantissa), variance.exponent)
    return math.copysign(exp2(size - log2_bound), variance.mantissa)


def verdict_on(variance: Estimate, found: dict[str, Bound]) -> tuple[str | None, str, str]:
    """The first bound that applies, the verdict on it and why; no name where none applies."""
    name = next((name for name, bound in found.items() if bound.applicable and not math.isnan(bound.log2)), None)
    theorem = found["theorem-1"]
    if name == "theorem-1":
        return name, *compared(variance, theorem, theorem.formula, found["operator-norm"].log2_constant)
    if name is None:
        verdict, reason = "no bound", f"No bound is known for this class: {found['operator-norm'].reason}."
    else:
        label = "the operator-norm bound" if name == "operator-norm" else f"the bound by {TITLES[name]}"
        verdict, reason = compared(variance, found[name], label, found[name].log2_constant)
    exceeded = ""
    if variance.resolved and variance.log2 > theorem.log2:
        exceeded = f", and Var is {ratio_text(variance, theorem.log2)} times {theorem.formula}"
    return name, verdict, f"{reason} Theorem 1 does not apply ({theorem.reason}){exceeded}."


def compared(variance: Estimate, bound: Bound, label: str, log2_norm: float) -> tuple[str, str]:
    """The verdict on one bound, and why: never stronger than the two intervals."""
    share = variance.log2_signal_share
    if not variance.exact and share is not None and share <= log2_norm:
        return (
            "holds",
            f"Var is at most {label} at every input (Parseval): no sampling error enters the comparison.",
        )
    low, high = (log2_end(end, variance.exponent) for end in variance.mantissa_interval)
    bound_low, bound_high = bound.log2_interval
    overlap = low <= bound_high and high >= bound_low
    if overlap and variance.exact and bound.exact and _is_rounding(low, high, bound):
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
        chance = "" if variance.confidence is None else f" {_chance(variance)}"
        return "violated", (
            f"{how} lies above {label}. The theorem is proved, so an assumption is false: look at what the class "
            f"claims, and at what `covariance`, `project` and `gradient` return.{chance}"
        )
    return "inconclusive", _uncertain(variance, bound, label, (low, high))


def _is_rounding(low: float, high: float, bound: Bound) -> bool:
    """Whether both intervals, of exact numbers, are narrower than what is printed; or the bound is zero."""
    bound_low, bound_high = bound.log2_interval
    return bound.log2 == -math.inf or max(high - low, bound_high - bound_low) <= 1e-6 / math.log(2)


def _uncertain(variance: Estimate, bound: Bound, label: str, ends: tuple[float, float]) -> str:
    """Which of two intervals that overlap is too wide, and what would narrow it.

    A side is to blame where the comparison would be decided with its estimate in the place of its interval; of two, the
    wider one; both, where neither would do.
    """
    (low, high), (bound_low, bound_high) = ends, bound.log2_interval
    middle = variance.log2 if variance.mantissa > 0 else -math.inf
    by_variance = middle <= bound_low or middle > bound_high
    by_bound = high <= bound.log2 or low > bound.log2
    if by_variance and by_bound:
        by_variance = high - low >= bound_high - bound_low
        by_bound = not by_variance
    remedies = [f" {variance.guarantee[0].upper()}{variance.guarantee[1:]}."] if not variance.resolved else []
    if by_variance:
        more = "" if remedies else _samples_to_settle(variance, bound)
        return f"The uncertain side is the variance: its interval straddles {label}{more}.{''.join(remedies)}"
    known = f"{label} is known to lie in {bound.spread} only"
    narrower = (
        f"what its interval rests on: {bound.reason}" if bound.n_samples == 0 else _more_of_norm(bound, low, high)
    )
    if by_bound:
        return f"The uncertain side is the bound: {known}; {narrower}."
    return f"Both sides are uncertain, the variance and the bound: {known}; {narrower}.{''.join(remedies)}"


def _chance(variance: Estimate) -> str:
    assert variance.confidence is not None
    tail = percent((1 - variance.confidence) / 2)
    return f"Or it is chance: an interval at {percent(variance.confidence)} lies too high in {tail} of all runs."


def _samples_to_settle(variance: Estimate, bound: Bound) -> str:
    """How many samples would bring the end of Var's interval to the near end of the bound's: more than there were."""
    value, (low, high), n = variance.mantissa, variance.mantissa_interval, variance.n_samples
    below, above = (exp2(end - variance.exponent) for end in bound.log2_interval)
    gap, half = (below - value, high - value) if value <= below else (value - above, value - low)
    if gap <= 0:
        return "; the estimate lies on it"
    if "members" in variance.method and variance.zeta is None:  # which limit it, rather than inputs
        return "; more members would settle it (method=gv.MonteCarlo(n_members=...))"
    if n == 0:
        return ""
    # The variance of a mean falls as 1/n, that of a U-statistic as v(n) = 4 zeta_1/n + 2 zeta_2/n^2.
    linear, square = 1.0, 0.0
    if variance.zeta is not None and any(variance.zeta):
        linear, square = 4 * variance.zeta[0], 2 * variance.zeta[1]
    # v(m) = v(n) gap^2/half^2
    goal = (linear / n + square / n**2) * (gap / half) ** 2
    needed = math.inf if goal == 0 else (linear + math.sqrt(linear**2 + 4 * goal * square)) / (2 * goal)
    if not math.isfinite(needed):
        return ""
    samples = format_log2(math.log2(needed), 2)
    return f"; if the truth is where the estimate is, about {samples} samples would settle it (rtol=0, max_samples=...)"


def _more_of_norm(bound: Bound, low: float, high: float) -> str:
    """How many samples of its norm would bring the end of the bound's interval to the near end of Var's."""
    ends, value = bound.log2_interval, bound.log2
    # In units of the bound: 2^(end - value) - 1
    half, gap = (
        (1 - exp2(ends[0] - value), 1 - exp2(high - value))
        if high <= value
        else (exp2(ends[1] - value) - 1, exp2(low - value) - 1)
    )
    if gap <= 0 or half == math.inf:
        return f"more than its {bound.n_samples:,} samples would narrow it (rtol=0, max_samples=...)"
    samples = format_log2(math.log2(bound.n_samples) + 2 * math.log2(half / gap), 2)
    return f"about {samples} samples of its norm would settle it (rtol=0, max_samples=...)"
