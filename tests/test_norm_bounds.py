"""A bound is a constant of the class times a norm: where the constant comes from, and the ends and samples of both."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import gradvar as gv
from gradvar.bounds import operator_norm
from gradvar.bounds.bounds import bounds, norm_bound, theorem_1
from gradvar.bounds.operator_norm import Constant, check_norm_signature, norm_constant
from gradvar.bounds.sampled_norm import GramSpectrum
from gradvar.classes.gram.derived import DerivedNorm
from gradvar.core.arguments import Stream, stream
from gradvar.estimation.settings import Settings
from gradvar.losses import MarginLoss
from gradvar.problem import Problem
from gradvar.results.estimate import Estimate
from gradvar.results.findings import Assumption
from gradvar.testing import reference

SETTINGS = Settings.checked(0.0, 0.9, 4096, 7, None, False)
HOLDS = (Assumption("orthonormal class", "proved", "so"),)


def norm_of(value: float, low: float, high: float, *, exponent: int = 0, exact: bool = True) -> Estimate:
    return Estimate(
        mantissa=value,
        mantissa_interval=(low, high),
        exponent=exponent,
        exact=exact,
        method="",
        guarantee="",
        n_samples=0 if exact else 300,
    )


ONE = norm_of(1, 1, 1)


# --- a norm times a constant ----------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, -4000])
def test_a_bound_and_its_ends_are_products(exponent: int):
    rng = np.random.default_rng(0)
    for _ in range(100):
        low, value, high = sorted(rng.uniform(0.1, 9, size=3).tolist())
        below, constant, above = sorted(rng.uniform(0.1, 9, size=3).tolist())
        ends = None if rng.random() < 0.3 else (math.log2(below), math.log2(above))
        exact = bool(rng.random() < 0.5)
        found = norm_bound(
            "it",
            "f",
            Constant(math.log2(constant), "why", ends),
            norm_of(value, low, high, exponent=exponent, exact=exact),
        )
        factors = (constant, constant) if ends is None else (below, above)
        assert found.log2 == pytest.approx(math.log2(constant * value) + exponent, abs=1e-9)
        expected = [math.log2(factor * end) + exponent for factor, end in zip(factors, (low, high), strict=True)]
        assert found.log2_interval == pytest.approx(expected, abs=1e-9)
        assert found.log2_constant == math.log2(constant)
        assert (found.name, found.formula, found.reason, found.applicable) == ("it", "f", "why", True)
        assert found.exact == (exact and ends is None)
        # its samples are the norm's, but where half of the width or more is the constant's they narrow nothing
        share = 0.0 if ends is None else math.log2(above / below) / (math.log2(above / below) + math.log2(high / low))
        assert found.n_samples == (0 if exact or share >= 0.5 else 300)


def test_half_of_the_width_is_the_constant_s():
    def samples(high: float, top: float) -> int:
        return norm_bound("it", "f", Constant(0.0, "", (0.0, top)), norm_of(1, 1, high, exact=False)).n_samples

    assert (samples(2.0, 1.0), samples(2.0, 0.99), samples(4.0, 1.0)) == (0, 300, 300)


def test_a_constant_of_zero_bounds_by_zero_and_an_unknown_one_does_not_apply():
    zero = norm_bound("it", "f", Constant(-math.inf, ""), norm_of(1, 0.5, math.inf, exact=False))
    assert (zero.log2, zero.log2_interval, zero.applicable) == (-math.inf, (-math.inf, -math.inf), True)
    half = norm_bound("it", "f", Constant(-2.0, "", (-math.inf, -1.0)), norm_of(1, 0.5, 2.0))
    assert half.log2_interval == (-math.inf, 0.0)
    unknown = norm_bound("it", "f", Constant(math.nan, ""), ONE)
    assert not unknown.applicable
    assert math.isnan(unknown.log2)
    assert norm_bound("it", "f", Constant(math.nan, ""), ONE, applicable=True).applicable
    assert not norm_bound("it", "f", Constant(0.0, ""), ONE, applicable=False).applicable


# --- Theorem 1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lipschitz", [0.25, 1.0, 3.0, math.inf])
def test_theorem_1_is_the_squared_constant_over_the_size(lipschitz: float):
    problem = Problem(gv.SparseParities(7, 3), gv.Linear([1.0] * 7), MarginLoss(lambda t: 0 * t, lipschitz))
    found = theorem_1(problem, norm_of(5.0, 4.0, 6.0), HOLDS)
    factor = 1.0 if lipschitz == math.inf else lipschitz**2
    assert found.value == pytest.approx(5 * factor / 35, rel=1e-12)
    assert found.interval == pytest.approx((4 * factor / 35, 6 * factor / 35), rel=1e-12)
    expected = "G^2/|H|" if factor == 1 else f"L^2 G^2/|H|, L = {lipschitz:g}"
    assert (found.formula, found.applicable, found.reason) == (expected, True, "its assumptions hold")


def test_theorem_1_says_which_assumptions_fail_and_which_nobody_knows():
    problem = Problem(gv.SparseParities(7, 3), gv.Linear([1.0] * 7), "square")
    known = (
        Assumption("orthonormal class", "unknown", "silence"),
        Assumption("labels", "failed", "a 3"),
        Assumption("gradient norm", "estimated", "fine"),
    )
    found = theorem_1(problem, ONE, known)
    assert not found.applicable
    assert found.reason == "it is not known to be an orthonormal class: silence; no labels: a 3"
    for status in ("proved", "checked", "estimated", "claimed"):
        assert theorem_1(problem, ONE, (Assumption("labels", status, ""),)).applicable


# --- all bounds of a class ------------------------------------------------------------------------------

SLOW = {
    "operator-norm": reference.operator_norm,
    "operator-norm-uncentred": lambda table, weights: reference.operator_norm(table, weights, centred=False),
    "gershgorin": reference.gershgorin,
    "boas-bellman": reference.boas_bellman,
    "cross-predictability": lambda table, weights: math.sqrt(reference.cross_predictability(table, weights)),
}


def test_every_constant_is_the_reference_s_and_belongs_to_the_norm_of_the_signal():
    rng = np.random.default_rng(0)
    for _ in range(20):
        m, n = (int(x) for x in rng.integers(2, 7, size=2))
        table, weights = rng.normal(size=(m, n)), rng.dirichlet(np.ones(n))
        problem = Problem(
            gv.FiniteClass(table, rng.normal(size=(n, 2)), weights=weights), gv.Linear([1.0, 2.0]), "square"
        )
        gradient, signal = norm_of(3, 2, 4), norm_of(7, 6, 8)
        found = bounds(problem, gradient, signal, HOLDS, SETTINGS)
        assert list(found) == ["theorem-1", *SLOW]
        for name, slow in SLOW.items():
            constant = slow(table, weights)
            assert found[name].value == pytest.approx(7 * constant, rel=1e-9)
            assert found[name].interval == pytest.approx((6 * constant, 8 * constant), rel=1e-9)
            assert found[name].formula.endswith(" E||s||^2")
            assert "|H|" in found[name].formula
        # Theorem 1 of a Gram matrix that is given: its upper end is that of the matrix as it is
        assert found["theorem-1"].value == pytest.approx(3 / m, rel=1e-12)
        low, high = found["theorem-1"].interval
        assert low == pytest.approx(2 / m, rel=1e-12)
        assert high == pytest.approx(4 * max(SLOW["operator-norm"](table, weights), 1 / m), rel=1e-9)


def test_the_formulas_of_an_infinite_class_speak_of_a_kernel_and_its_own_bound_stands_last():
    H, known = gv.LinearPeriodic(3, 1.0), (Assumption("orthonormal class", "failed", "infinite"),)
    found = bounds(Problem(H, gv.Linear([1.0] * 3), "square"), ONE, ONE, known, SETTINGS)
    assert found["operator-norm"].formula == "lambda_max(centred Gram kernel) E||s||^2"
    assert found["operator-norm-uncentred"].formula == "lambda_max(Gram kernel) E||s||^2"
    assert list(found)[-1] == "theorem-2"
    for name, centred in (("operator-norm", True), ("operator-norm-uncentred", False)):
        assert found[name].value == pytest.approx(H.operator_norm(centred=centred), rel=1e-12)
    for name in ("gershgorin", "boas-bellman", "cross-predictability", "theorem-1"):
        assert math.isnan(found[name].log2)
        assert not found[name].applicable
    assert found["gershgorin"].reason == "the class is infinite"


@pytest.mark.parametrize("status", ["proved", "claimed", "estimated", "failed", "unknown"])
def test_a_class_has_the_norms_of_an_orthonormal_one_only_where_that_did_not_fail(status: str):
    """The class says a norm of 1/4; the other norms of 8 members are those of the identity, if it is orthonormal."""
    H = Silent()
    H.operator_norm = lambda centred=True: 0.25
    problem = Problem(H, gv.Linear([1.0] * 3), "square")
    known = (Assumption("labels", "failed", ""), Assumption("orthonormal class", status, ""))
    found = bounds(problem, ONE, ONE, known, SETTINGS)
    known_to_hold = status in {"proved", "claimed", "estimated"}
    assert found["operator-norm"].value == (1 / 8 if known_to_hold else 1 / 4)
    assert found["theorem-1"].interval == (1 / 8, 1 / 8)  # no Gram matrix says more
    assert found["gershgorin"].applicable == known_to_hold
    assert found["gershgorin"].value == 1 / 8 or not known_to_hold


# --- where the norm comes from --------------------------------------------------------------------------


class Silent:
    """Eight targets of which nothing is known."""

    def __init__(self) -> None:
        self.inputs, self.log2_size = gv.Gaussian(3), 3.0


def saying(**methods: object) -> Silent:
    H = Silent()
    vars(H).update(methods)
    return H


@pytest.mark.parametrize("centred", [True, False])
def test_the_logarithm_that_a_class_says_comes_before_its_norm(centred: bool):
    def norm(centred: bool = True) -> float:
        return 0.5 if centred else 2.0

    said = norm_constant(saying(operator_norm=norm), centred, SETTINGS)
    assert said == (-1.0 if centred else 1.0, "operator norm as the class says it", None)
    H = saying(operator_norm=norm, log2_operator_norm=lambda centred=True: -2000.0 if centred else -1.0)
    assert norm_constant(H, centred, SETTINGS).log2 == (-2000.0 if centred else -1.0)
    assert norm_constant(saying(operator_norm=lambda centred: 0.0), centred, SETTINGS).log2 == -math.inf
    H = saying(operator_norm=norm, log2_operator_norm=lambda centred=True: -math.inf)
    assert norm_constant(H, centred, SETTINGS).log2 == -math.inf


@pytest.mark.parametrize("norm", [-1e-9, math.inf, math.nan, "one"])
def test_what_is_no_norm_is_refused(norm: object):
    with pytest.raises((ValueError, TypeError), match=r"`H.operator_norm` must be a finite number >= 0"):
        norm_constant(saying(operator_norm=lambda centred: norm), True, SETTINGS)


@pytest.mark.parametrize("log2", [math.inf, math.nan, None])
def test_what_is_no_logarithm_of_a_norm_is_refused(log2: object):
    H = saying(operator_norm=lambda centred: 1.0, log2_operator_norm=lambda centred: log2)
    with pytest.raises((ValueError, TypeError), match=r"`H.log2_operator_norm` must be a number"):
        norm_constant(H, True, SETTINGS)


@pytest.mark.parametrize("error", [gv.NotApplicableError, gv.TooLargeError])
def test_where_nothing_is_known_it_is_said_in_the_class_s_words(error: type[Exception]):
    def norm(centred: bool = True) -> float:
        raise error("not today")

    for H, why in [
        (Silent(), "the class says neither its operator norm nor how to draw and evaluate members"),
        (saying(operator_norm=norm), "not today"),
        (saying(operator_norm=lambda centred: 1.0, log2_operator_norm=norm), "not today"),
    ]:
        found = norm_constant(H, True, SETTINGS)
        assert math.isnan(found.log2)
        assert (found.why, found.ends) == (why, None)


def test_a_derived_norm_has_an_interval_where_it_has_a_residual(monkeypatch: pytest.MonkeyPatch):
    asked = []
    for residual, ends in [(0.0, None), (0.5, (-1.0, 0.0)), (1.5, (-1.0, 1.0))]:
        monkeypatch.setattr(
            operator_norm,
            "operator_norm",
            lambda H, centred, residual=residual: asked.append(centred) or DerivedNorm(0.5, residual, "a look"),
        )
        assert norm_constant(Silent(), False, SETTINGS) == (-1.0, "operator norm from a look", ends)
    assert asked == [False] * 3

    def refused(H: object, centred: bool) -> None:
        raise gv.TooLargeError("too large")

    monkeypatch.setattr(operator_norm, "operator_norm", refused)
    assert math.isnan(norm_constant(Silent(), True, SETTINGS).log2)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("drawn", [4096, None])
def test_a_norm_known_by_draws_alone_is_the_sample_s_with_its_interval(
    centred: bool, drawn: int | None, monkeypatch: pytest.MonkeyPatch
):
    def spectrum(
        H: object, m: int, rng: np.random.Generator, *, n_inputs: int, centred: bool, confidence: float
    ) -> GramSpectrum:
        assert (m, n_inputs, confidence) == (1024, 4096, 0.9)
        draws = rng.random(4)
        assert np.array_equal(draws, stream(7, Stream.OPERATOR_NORM, int(centred)).random(4))
        return GramSpectrum((0.25, 4.0), np.array([2.0, 1.0, 0.5]), drawn)

    monkeypatch.setattr(operator_norm, "sampled_spectrum", spectrum)
    H = saying(sample=lambda m, rng: np.zeros(m), evaluate=lambda members, x: np.zeros((len(members), len(x))))
    inputs = "all inputs" if drawn is None else "4,096 sampled inputs"
    why = f"estimated: Gram matrix of 3 sampled members on {inputs}, norm in [0.25, 4] at 90%"
    assert norm_constant(H, centred, SETTINGS) == (1.0, why, (-2.0, 2.0))


def test_a_signature_that_cannot_be_read_will_do_and_any_other_must_take_centred():
    check_norm_signature(Silent())
    check_norm_signature(saying(operator_norm=max, log2_operator_norm=lambda **anything: 0.0))
    for name in ("operator_norm", "log2_operator_norm"):
        with pytest.raises(TypeError, match=rf"`H.{name}` must be a method that accepts `centred`: {name}\("):
            check_norm_signature(saying(**{name: lambda: 1.0}))


def test_bounds_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        norm_bound("it", "f", Constant(0.0, ""), ONE).log2 = 3.0
