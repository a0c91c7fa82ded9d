"""A verdict compares two intervals, and an undecided one names a side whose narrowing could decide it."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import gradvar as gv
from gradvar.bounds.verdict import compared
from gradvar.results.estimate import Estimate
from gradvar.results.findings import Bound
from gradvar.results.report import ratio_text

EXPONENTS = 0, -9000


def variance_of(
    value: float, low: float, high: float, exponent: int, *, exact: bool, resolved: bool = True
) -> Estimate:
    return Estimate(
        mantissa=value,
        exponent=exponent,
        mantissa_interval=(low, high),
        exact=exact,
        method="given",
        guarantee="as given",
        confidence=None if exact else 0.95,
        n_samples=0 if exact else 1000,
        resolved=resolved,
        zeta=None if exact else (1.0, 10.0),
    )


def bound_of(value: float, low: float, high: float, exponent: int, *, exact: bool) -> Bound:
    def log2(end: float) -> float:
        return -math.inf if end == 0 else math.log2(end) + exponent

    return Bound(
        name="operator-norm",
        formula="f",
        log2_constant=0.0,
        log2=log2(value),
        log2_interval=(log2(low), log2(high)),
        exact=exact,
        applicable=True,
        reason="estimated",
        n_samples=0 if exact else 500,
    )


def ends(rng: np.random.Generator) -> tuple[float, float, float]:
    """A value between two ends, of a grid, often equal to another side's; some without an upper end."""
    low, value, high = sorted(rng.choice([0.25, 0.5, 1.0, 2.0, 4.0, 8.0], size=3).tolist())
    return value, low, high if rng.random() < 0.85 else math.inf


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_verdicts_of_all_kinds_of_intervals(exponent: int):
    rng, seen = np.random.default_rng(exponent + 10_000), set()
    for _ in range(3000):
        (v, low, high), (b, bound_low, bound_high) = ends(rng), ends(rng)
        point, bound_point = rng.random() < 0.3, rng.random() < 0.3
        low, high = (v, v) if point else (low if rng.random() < 0.8 else -1.0, high)
        bound_low, bound_high = (b, b) if bound_point else (bound_low if rng.random() < 0.8 else 0.0, bound_high)
        variance = variance_of(v, low, high, exponent, exact=point, resolved=high < math.inf)
        bound = bound_of(b, bound_low, bound_high, exponent, exact=bound_point)
        verdict, reason = compared(variance, bound, "the bound", math.nan)
        expected = "holds" if high <= bound_low else "violated" if low > bound_high else "inconclusive"
        assert verdict == expected, (low, v, high, bound_low, b, bound_high)
        seen.add(verdict)
        if verdict != "inconclusive":
            continue
        # Some point of Var's interval beside the whole bound, or some point of the bound beside the whole of Var.
        could = {"variance": low < high and (low <= bound_low or high > bound_high)}
        could["bound"] = bound_low < bound_high and (high <= bound_high or low > bound_low)
        could["variance and the bound"] = low < high and bound_low < bound_high
        named = re.match(r"(?:The uncertain side is|Both sides are uncertain,) the ([^:]*): ", reason)
        assert named, reason
        assert could[named[1]], (reason, low, v, high, bound_low, b, bound_high)
        seen.add(named[1])
        for number in re.findall(r"about (\S+) samples", reason):
            assert float(number) >= (1000 if named[1] == "variance" else 500) * 0.99, reason
    assert seen == {"holds", "violated", "inconclusive", "variance", "bound", "variance and the bound"}


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_exact_numbers_that_are_equal_up_to_rounding_hold_and_no_others_do(exponent: int):
    rng = np.random.default_rng(0)
    for _ in range(200):
        truth, rounding = float(rng.uniform(0.5, 2)), float(10 ** rng.uniform(-15, -8))
        v, b = truth * (1 + rng.uniform(-1, 1) * rounding), truth * (1 + rng.uniform(-1, 1) * rounding)
        variance = variance_of(v, v * (1 - rounding), v * (1 + rounding), exponent, exact=True)
        bound = bound_of(b, b * (1 - rounding), b * (1 + rounding), exponent, exact=True)
        assert compared(variance, bound, "the bound", math.nan)[0] == "holds"
        wide = variance_of(v, 0.9 * v, 1.1 * v, exponent, exact=True)
        assert compared(wide, bound, "the bound", math.nan)[0] == "inconclusive"


def test_a_class_of_two_coordinates_reaches_its_bound():
    H = gv.FiniteClass(np.array([[1.0, 1, -1, -1], [1, -1, 1, -1]]), np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]))
    check = gv.bound_check(H, gv.Linear([1.0, 1.0]))
    assert check.verdict == "holds"


class Sampled:
    """Sparse parities known by their members alone."""

    labels = "signs"

    def __init__(self, dim: int, degree: int, *, sampler: bool = True):
        self.of = gv.SparseParities(dim, degree)
        self.inputs, self.log2_size = self.of.inputs, self.of.log2_size
        self.covariance = self.of.covariance
        if sampler:
            self.sample, self.evaluate = self.of.sample, self.of.evaluate


def test_a_class_that_does_not_say_that_it_is_orthonormal_is_unknown_and_has_no_theorem_1():
    check = gv.bound_check(Sampled(40, 2), gv.MLP.random([40, 3, 2, 1], rng=0), max_samples=256, rng=0)
    assert check.assumptions[0].status == "unknown"
    assert not check.bounds["theorem-1"].applicable
    assert "it is not known to be an orthonormal class" in check.reason
    assert check.bound_name == "operator-norm"
    low, high = check.bounds["operator-norm"].interval
    assert low < check.bound < high
    assert check.bounds["operator-norm"].spread in repr(check)
    assert check.bounds["operator-norm"].spread in " ".join(str(check).split())
    assert check.to_dict()["bounds"]["operator-norm"]["interval"] == [low, high]
    assert "inf" not in check.reason


def test_where_no_norm_is_known_there_is_no_bound():
    H = Sampled(40, 2, sampler=False)
    check = gv.bound_check(H, gv.MLP.random([40, 3, 2, 1], rng=0), max_samples=256, rng=0)
    assert (check.verdict, check.bound_name) == ("no bound", None)
    assert math.isnan(check.bound)
    assert math.isnan(check.log2_bound)
    assert math.isnan(check.ratio)
    assert check.bounds["theorem-1"].value > 0  # a yardstick
    assert repr(check).startswith("BoundCheck(no bound: variance=")
    assert "Verdict: NO BOUND. No bound is known for this class" in " ".join(str(check).split())
    assert {check.to_dict()[name] for name in ("bound", "log2_bound", "bound_name", "ratio")} == {None}
    row = gv.sweep([{"parameters": "one", "H": H, "model": gv.Linear([1.0] * 40), "max_samples": 64}], progress=False)
    assert row.to_dicts()[0]["verdict"] == "no bound"
    assert "no bound" in str(row)


def test_ratios_come_from_logarithms():
    found = variance_of(1.0, 0.9, 1.1, -100, exact=False)
    bound = bound_of(1.0, 1.0, 1.0, -9000, exact=True)
    assert ratio_text(found, bound.log2) == "1.469e+2679"
