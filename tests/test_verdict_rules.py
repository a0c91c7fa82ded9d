"""The verdict against rules written anew, in plain numbers: which bound, what is compared, what is said."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from gradvar.bounds.verdict import compared, ratio, verdict_on
from gradvar.results.estimate import Estimate
from gradvar.results.findings import Bound

RULE = 1e-6  # relative width below which two exact numbers are equal for a reader


def variance_of(value: float, low: float, high: float, *, exact: bool = False, **other: object) -> Estimate:
    sampled = {} if exact else {"confidence": 0.9, "n_samples": 1000, "zeta": (1.0, 10.0)}
    return Estimate(
        **{
            "mantissa": value,
            "mantissa_interval": (low, high),
            "exact": exact,
            "method": "given",
            "guarantee": "as given",
            **sampled,
            **other,
        }
    )


def log2(value: float) -> float:
    return -math.inf if value == 0 else math.log2(value)


def bound_of(value: float, low: float, high: float, *, name: str = "operator-norm", **other: object) -> Bound:
    given = {
        "formula": f"formula of {name}",
        "log2_constant": 0.0,
        "log2": log2(value),
        "log2_interval": (log2(low), log2(high)),
        "exact": low == high,
        "applicable": True,
        "reason": f"why {name}",
        "n_samples": 500,
        **other,
    }
    return Bound(name=name, **given)


def said(variance: Estimate, bound: Bound, log2_norm: float = math.nan) -> tuple[str, str]:
    return compared(variance, bound, "the bound", log2_norm)


def printed_samples(reason: str) -> float:
    found = re.search(r"about (\S+) samples", reason)
    assert found, reason
    return float(found[1])


# --- the ratio ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, 7, -5000, 900])
def test_a_ratio_is_the_quotient_of_the_two_numbers(exponent: int):
    rng = np.random.default_rng(exponent + 5000)
    for _ in range(50):
        value, below = float(rng.choice([rng.normal(), 1.0, -1.0, 0.0])), float(rng.uniform(-40, 40))
        found = ratio(variance_of(value, -9, 9, exponent=exponent), exponent + below)
        assert found == pytest.approx(value / 2**below, rel=1e-10)


def test_a_ratio_of_what_is_not_known_is_not_known_and_zero_only_for_zero():
    some, zero = variance_of(3.0, 2, 4), variance_of(0.0, -1, 1)
    assert math.isnan(ratio(some, math.nan))
    assert math.isnan(ratio(dataclasses.replace(some, resolved=False), 0.0))
    assert math.isnan(ratio(zero, -math.inf))
    assert ratio(zero, 0.0) == 0.0
    assert ratio(some, -math.inf) == math.inf
    assert ratio(variance_of(-3.0, -4, 4), -math.inf) == -math.inf
    assert ratio(some, 0.0) == pytest.approx(3, rel=1e-14)


# --- which bound ----------------------------------------------------------------------------------------

NAMES = {
    "theorem-1": "formula of theorem-1",
    "operator-norm": "the operator-norm bound",
    "operator-norm-uncentred": "the bound by operator norm, uncentred",
    "gershgorin": "the bound by Gershgorin",
    "theorem-2": "the bound by Theorem 2, explicit",
}


def test_the_verdict_is_on_the_first_bound_that_applies_and_theorem_1_is_spoken_of_where_it_is_another():
    rng = np.random.default_rng(0)
    for _ in range(300):
        found = {}
        for name in NAMES:
            value = float(rng.choice([0.25, 1.0, 4.0, math.nan]))
            found[name] = bound_of(value, value, value, name=name, applicable=bool(rng.random() < 0.4))
        value = float(rng.choice([0.0, 0.5, 1.0, 2.0]))
        variance = variance_of(value, value - 0.1, value + 0.1, resolved=bool(rng.random() < 0.8))
        known = [name for name in NAMES if found[name].applicable and not math.isnan(found[name].value)]
        name, verdict, reason = verdict_on(variance, found)
        assert name == (known[0] if known else None)
        if known:
            expected = compared(variance, found[name], NAMES[name], 0.0)
            assert verdict == expected[0]
            assert reason.startswith(expected[1])
        else:
            assert (verdict, reason[:60]) == (
                "no bound",
                "No bound is known for this class: why operator-norm. Theorem"[:60],
            )
        theorem = found["theorem-1"]
        assert ("Theorem 1 does not apply (why theorem-1)" in reason) == (name != "theorem-1")
        above = variance.resolved and value > theorem.value
        assert ("and Var is" in reason) == (above and name != "theorem-1"), reason
        if "and Var is" in reason:
            assert f", and Var is {value / theorem.value:g} times formula of theorem-1." in reason


def test_parseval_holds_sample_by_sample_against_the_norm_that_the_verdict_is_about():
    """Theorem 1 is compared by the class's norm, another bound by its own constant; an exact number needs neither."""
    wide = {"mantissa": 1.0, "mantissa_interval": (0.1, 9.0), "method": "given", "guarantee": "as given"}
    for share, theorem in [(-3.0, False), (-1.0, True), (-2.0, False), (-2.0, True), (-3.0, True), (-1.0, False)]:
        found = {
            "theorem-1": bound_of(1, 1, 1, name="theorem-1", log2_constant=-9.0, applicable=theorem),
            "operator-norm": bound_of(1, 1, 1, log2_constant=-2.0, applicable=False),
            "theorem-2": bound_of(1, 1, 1, name="theorem-2", log2_constant=-1.5),
        }
        own = -2.0 if theorem else -1.5
        _, verdict, reason = verdict_on(Estimate(**wide, log2_signal_share=share), found)
        assert (verdict == "holds") == (share <= own), (share, theorem)
        assert ("at every input (Parseval)" in reason) == (share <= own)
        assert verdict_on(Estimate(**wide), found)[1] == "inconclusive"
        assert "Parseval" not in verdict_on(Estimate(**wide, exact=True, log2_signal_share=share), found)[2]


# --- what is compared -----------------------------------------------------------------------------------


def expected(variance: Estimate, bound: Bound) -> str:
    """The rule in plain numbers, all powers of two or far from each other."""
    (low, high), (below, above) = variance.mantissa_interval, bound.interval
    if variance.exact and bound.exact and low <= above and below <= high:
        narrow = high <= low * (1 + RULE) and above <= below * (1 + RULE)
        if narrow or bound.value == 0:
            return "equals"
    if high <= below:
        return "below"
    upper = high if variance.mantissa_upper is None else variance.mantissa_upper
    if not variance.exact and low <= 0 and upper <= below:
        return "one-sided"
    return "above" if low > above else "open"


SENTENCES = {
    "equals": "Var, exact, equals the bound up to rounding.",
    "below": "{} lies below the bound.",
    "one-sided": "These samples cannot tell Var from zero, but it is at most {} at 90% (one-sided), below the bound.",
    "above": "{} lies above the bound. The theorem is proved, so an assumption is false",
}


def test_a_verdict_and_its_sentence_are_those_of_the_rule():
    rng, seen = np.random.default_rng(1), set()
    grid = [0.25, 0.5, 1.0, 2.0, 4.0]
    for _ in range(2500):
        low, value, high = sorted(rng.choice(grid, size=3).tolist())
        exact = bool(rng.random() < 0.5)
        kind = rng.random()
        low = -1.0 if kind < 0.2 else 0.0 if kind < 0.3 else low
        if kind > 0.7:
            low = high = value
        upper = None if exact or rng.random() < 0.4 else float(rng.choice([end for end in grid if end <= high]))
        variance = variance_of(value, low, high, exact=exact, mantissa_upper=upper)
        below, middle, above = sorted(rng.choice([0.0, *grid], size=3).tolist())
        if rng.random() < 0.5:
            below = above = middle
        bound = bound_of(middle, below, above, exact=bool(rng.random() < 0.5))
        rule = expected(variance, bound)
        seen.add(rule)
        verdict, reason = said(variance, bound)
        assert verdict == {"above": "violated", "open": "inconclusive"}.get(rule, "holds"), (rule, variance, bound)
        if rule == "open":
            continue
        subject = "Var, exact," if exact else "The whole interval of Var"
        end = high if upper is None else upper
        assert reason.startswith(SENTENCES[rule].format(f"{end:g}" if rule == "one-sided" else subject)), reason
        chance = "Or it is chance: an interval at 90% lies too high in 5% of all runs."
        assert reason.endswith(chance) == (rule == "above" and not exact), reason
    assert seen == {"equals", "below", "one-sided", "above", "open"}


@pytest.mark.parametrize("side", ["variance", "bound"])
@pytest.mark.parametrize("width", [0.98e-6, 1.02e-6])
def test_exact_numbers_are_equal_where_both_are_narrower_than_what_is_printed(side: str, width: float):
    wide = {"variance": 0.0, "bound": 0.0, side: width / 2}
    v, b = wide["variance"], wide["bound"]
    variance, bound = variance_of(1.0, 1 - v, 1 + v, exact=True), bound_of(1.0, 1 - b, 1 + b, exact=True)
    assert said(variance, bound)[0] == ("holds" if width < RULE else "inconclusive")
    for one, other in ((False, True), (True, False)):
        touched = said(dataclasses.replace(variance, exact=one), dataclasses.replace(bound, exact=other))
        assert "equals" not in touched[1]


# --- which side is uncertain ----------------------------------------------------------------------------


def decided(low: float, high: float, below: float, above: float) -> bool:
    return high <= below or low > above


def test_the_side_is_named_whose_estimate_would_decide_and_of_two_the_wider():
    rng, seen = np.random.default_rng(2), set()
    grid = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    while len(seen) < 250:
        low, value, high = sorted(rng.choice(grid, size=3).tolist())
        below, middle, above = sorted(rng.choice(grid, size=3).tolist())
        above = above if rng.random() < 0.85 else math.inf
        if rng.random() < 0.15:
            low, value = -1.0, float(rng.choice([-0.5, 0.0]))
        sampled_norm = bool(rng.random() < 0.7)
        resolved = bool(rng.random() < 0.8)
        variance = variance_of(value, low, high, resolved=resolved)
        low, high = variance.mantissa_interval
        bound = bound_of(middle, below, above, exact=False, n_samples=500 if sampled_norm else 0)
        if said(variance, bound)[0] != "inconclusive":
            continue
        by_variance, by_bound = decided(value, value, below, above), decided(low, high, middle, middle)
        if by_variance and by_bound:
            widths = log2(high) - log2(max(low, 0.0)), log2(above) - log2(below)
            by_variance = widths[0] >= widths[1]
            by_bound = not by_variance
        reason = said(variance, bound)[1]
        remedy, known = " As given.", f"the bound is known to lie in {bound.spread} only"
        if by_variance:
            start = "The uncertain side is the variance: its interval straddles the bound"
            assert reason.endswith(remedy) != resolved, reason
            assert ("settle" in reason or "lies on it" in reason or reason == f"{start}.") == resolved, reason
        else:
            start = (
                f"The uncertain side is the bound: {known}"
                if by_bound
                else f"Both sides are uncertain, the vari\
ance and the bound: {known}"
            )
            assert ("what its interval rests on: why operator-norm." in reason) != sampled_norm, reason
            assert ("samples" in reason) == sampled_norm
            assert reason.endswith(remedy) == (not resolved and not by_bound), reason
        assert reason.startswith(start), reason
        seen.add((low, value, high, below, middle, above, sampled_norm, resolved))


# --- how many samples would settle it -------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, -3000])
@pytest.mark.parametrize("zeta", [(1.0, 10.0), (1.0, 20.0), (0.0, 5.0), (2.0, 0.0), (1.0, 1e5), (0.0, 0.0), None])
def test_the_samples_that_settle_it_bring_the_interval_s_end_to_the_bound(
    zeta: tuple[float, float] | None, exponent: int
):
    def spread(m: float) -> float:
        one, two = zeta if zeta is not None and any(zeta) else (0.25, 0.0)
        return 4 * one / m + 2 * two / m**2

    rng = np.random.default_rng(3)
    for _ in range(40):
        value, bound = (float(x) for x in rng.uniform(1, 8, size=2))
        half_low, half_high = (float(x) for x in rng.uniform(1.0, 1.5, size=2) * abs(value - bound))
        if value - half_low <= 0:
            continue
        variance = variance_of(value, value - half_low, value + half_high, zeta=zeta, exponent=exponent, n_samples=10)
        end = math.log2(bound) + exponent
        verdict, reason = said(variance, bound_of(bound, bound, bound, log2=end, log2_interval=(end, end)))
        assert verdict == "inconclusive"
        half, gap = (half_high if value < bound else half_low), abs(value - bound)
        low, high = 10.0, 1e7
        while high - low > 1e-9 * high:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if half * math.sqrt(spread(middle) / spread(10)) > gap else (low, middle)
        assert printed_samples(reason) == pytest.approx(high, rel=0.051), reason  # of two digits
        assert "; if the truth is where the estimate is, about " in reason
        assert reason.endswith(" samples would settle it (rtol=0, max_samples=...).")


def test_where_samples_would_not_settle_it_none_are_named():
    interval = {"value": 2.0, "low": 1.0, "high": 5.0}
    bound = bound_of(3.0, 3.0, 3.0)
    straddles = "The uncertain side is the variance: its interval straddles the bound"
    assert said(variance_of(3.0, 1.0, 5.0), bound)[1] == f"{straddles}; the estimate lies on it."
    members = said(variance_of(**interval, method="monte-carlo, members", zeta=None), bound)[1]
    assert members == f"{straddles}; more members would settle it (method=gv.MonteCarlo(n_members=...))."
    assert "about" in said(variance_of(**interval, method="monte-carlo, members"), bound)[1]
    assert "about" in said(variance_of(**interval, zeta=None), bound)[1]
    assert said(variance_of(**interval, n_samples=0), bound)[1] == f"{straddles}."
    assert "about" in said(variance_of(**interval, n_samples=1), bound)[1]
    assert said(variance_of(2.0, 1.0, math.inf), bound)[1] == f"{straddles}."
    # so near that (gap/half)^2 underflows
    near = bound_of(1e-200, 1e-200, 1e-200)
    assert said(variance_of(0.0, -1.0, 1.0, resolved=True), near)[1] == f"{straddles}."


@pytest.mark.parametrize("exponent", [0, -3000])
def test_the_samples_of_a_norm_that_settle_it_bring_the_bound_s_end_to_the_variance_s(exponent: int):
    rng, above = np.random.default_rng(4), 0
    for _ in range(80):
        b, v = (float(x) for x in rng.uniform(1, 8, size=2))
        low, high = sorted((0.97 * v, 1.03 * v))
        gap = b - high if b >= high else low - b
        if gap <= 0:
            continue
        # the variance's estimate lies within: it alone decides nothing
        half = min(float(rng.uniform(1.05, 3.0)) * abs(b - v), 0.99 * b)
        below, over = b - half, b + half
        if half < 1.05 * abs(b - v):
            continue
        variance = variance_of(v, low, high, exponent=exponent)
        ends = math.log2(below) + exponent, math.log2(over) + exponent
        reason = said(variance, bound_of(b, below, over, log2=math.log2(b) + exponent, log2_interval=ends))[1]
        assert reason.startswith("The uncertain side is the bound"), reason
        assert printed_samples(reason) == pytest.approx(500 * (half / gap) ** 2, rel=0.051), reason
        assert reason.endswith(" samples of its norm would settle it (rtol=0, max_samples=...).")
        above += b < low
    assert 10 < above < 70


def test_of_a_norm_whose_end_cannot_be_brought_there_none_are_named():
    """The bound's estimate lies in the variance's interval, or on its end; or its interval has no upper end."""
    more = "more than its 500 samples would narrow it (rtol=0, max_samples=...)"
    for variance, bound in [
        (variance_of(2.0, 1.0, 3.0), bound_of(2.0, 0.5, 5.0)),
        (variance_of(2.0, 1.0, 3.0), bound_of(3.0, 0.5, 5.0)),
        (variance_of(2.0, 1.9, 2.1), bound_of(1.0, 0.5, math.inf, exact=False)),
    ]:
        assert more in said(variance, bound)[1], said(variance, bound)[1]
    # the end that is near counts, whatever the other: 0.1 is to become 0.05
    lopsided = bound_of(4.0, 3.9, 16.0, exact=False)
    assert "about 2e+03 samples of its norm" in said(variance_of(3.0, 2.0, 3.95), lopsided)[1]
