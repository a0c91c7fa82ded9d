"""What a variance means for an optimiser: numbers by their formulas, in powers of two and in words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradvar.bounds.consequences import consequences, oracle_steps
from gradvar.core.numbers import format_log2
from gradvar.results.estimate import Estimate


def given(value: float, low: float, high: float, exponent: int = 0, *, exact: bool = True) -> Estimate:
    return Estimate(
        mantissa=value, exponent=exponent, mantissa_interval=(low, high), exact=exact, method="", guarantee=""
    )


def test_oracle_steps_are_failure_times_precision_squared_over_the_variance():
    rng = np.random.default_rng(0)
    for variance, precision, failure in rng.uniform(0.01, 1, size=(50, 3)):
        found = oracle_steps(math.log2(variance), math.log2(precision), failure)
        assert found == pytest.approx(math.log2(failure * precision**2 / variance), abs=1e-12)
    assert oracle_steps(-10.0, 0.0) == pytest.approx(10 + math.log2(0.1))


@pytest.mark.parametrize("exponent", [0, -5000])
@pytest.mark.parametrize("kind", ["exact", "exact up to rounding", "sampled"])
def test_consequences_are_their_formulas_of_the_estimate_or_of_its_upper_end(kind: str, exponent: int):
    rng = np.random.default_rng(1)
    for _ in range(50):
        value, norm = (float(x) for x in 10 ** rng.uniform(-9, 2, size=2))
        # an exact number counts by itself only where it is as narrow as what is printed
        half = {"exact": 0.4e-6, "exact up to rounding": 1e-3, "sampled": 1e-8}[kind] * value
        variance = given(value, value - half, value + half, exponent, exact=kind != "sampled")
        used, itself = (value, True) if kind == "exact" else (value + half, False)
        found = consequences(variance, given(norm, norm, 2 * norm, 3), "E||u||^2")
        log2 = {one.name: one.log2 for one in found}
        assert list(log2) == ["samples", "relative-deviation", "oracle-steps", "oracle-steps-cube-root"]
        noise, log2_used = 8 * norm, math.log2(used) + exponent
        assert log2["samples"] == pytest.approx(math.log2(noise) - log2_used, abs=1e-9)
        assert log2["relative-deviation"] == pytest.approx((log2_used - math.log2(noise)) / 2, abs=1e-9)
        steps = math.log2(0.1 * 1e-2**2 * noise) - log2_used
        assert log2["oracle-steps"] == pytest.approx(steps, abs=1e-9)
        assert log2["oracle-steps-cube-root"] == pytest.approx(math.log2(0.1) - log2_used / 3, abs=1e-9)
        samples, deviation, oracle, shamir = (one.statement for one in found)
        examples, moved, first, cube_root = (format_log2(one.log2, 3) for one in found)
        at_least, at_most = ("", "") if itself else ("at least ", "at most ")
        assert f"Signal to noise: {at_least}{examples} examples until" in samples
        assert samples.endswith("Var, equals the noise of one example, E||u||^2.")
        assert f"moves the gradient by {at_most}{moved} of a typical per-example signal" in deviation
        assert oracle.startswith(
            "Gradients known to 0.01 of the typical signal, as from a batch of 10,000: the first "
            if steps >= 0
            else "Gradients known to 0.01 of the typical signal, as from a batch of 10,000: T = p eps^2/Var is below "
        )
        assert (f"{first} steps of any method that sees no more are independent" in oracle) == (steps >= 0)
        assert ("of the target with probability 0.9." in oracle) == (steps >= 0)
        assert shamir == f"Shamir's form, eps = Var^(1/3): T = p/eps = {cube_root} steps at p = 0.1."


def test_the_noise_is_that_of_the_signal_unless_another_is_named():
    assert "E||s||^2" in consequences(given(1, 1, 1), given(1, 1, 1))[0].statement


@pytest.mark.parametrize(
    ("log2", "words"),
    [
        (-53.01, "below the resolution of float64 (2^-53) and float32"),
        (-53.0, "below the resolution of float32 (2^-24), within that of float64 (2^-53)"),
        (-24.01, "below the resolution of float32 (2^-24), within that of float64 (2^-53)"),
        (-24.0, "within the resolution of float32 (2^-24)"),
        (3.0, "within the resolution of float32 (2^-24)"),
    ],
)
def test_a_deviation_is_told_beside_what_floats_resolve(log2: float, words: str):
    value = 2.0 ** (2 * log2)
    assert consequences(given(value, value, value), given(1, 1, 1))[1].statement.endswith(f"signal; {words}.")


def test_one_step_is_a_step():
    """T = 1/10 10^-4 2^40/Var is exactly one, or just below it."""
    for factor, hides in ((1.0, True), (1.001, False)):
        log2_one = math.log2(0.1) + 2 * math.log2(1e-2)
        value = 2.0 ** (log2_one + 40) * factor * (1 - 1e-14 * hides)
        steps = consequences(given(value, value, value), given(1, 1, 1, 40))[2]
        assert ("hides nothing" in steps.statement) != hides
        assert abs(steps.log2) < 0.01


def test_what_does_not_vary_at_all_is_said_to_be_independent():
    for variance in (given(0, 0, 0), given(0, -1, 0, exact=False)):
        (only,) = consequences(variance, given(1, 1, 1))
        assert (only.name, only.log2) == ("independence", math.inf)
        assert only.statement.startswith("The gradient does not depend on the target at all: ")


def test_nothing_follows_from_what_is_not_known():
    some = given(0.5, 0.4, 0.6, exact=False)
    assert consequences(some, given(0, 0, 0)) == ()
    assert consequences(some, given(-0.1, -1, 1)) == ()
    assert consequences(given(0.5, 0.4, math.inf, exact=False), given(1, 1, 1)) == ()
    assert consequences(given(-1, -2, -0.5, exact=False), given(1, 1, 1)) == ()
    assert len(consequences(some, given(0.5, 0.5, 0.5))) == 4
