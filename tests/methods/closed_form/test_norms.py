"""Squared norms G^2 and E||s||^2 in closed form, against sums over the whole cube, quadrature and other ways."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate

import gradvar as gv
from gradvar.core.activations import ACTIVATIONS, CLOSED_FORMS
from gradvar.estimation.settings import Settings
from gradvar.methods.closed_form import norms as module
from gradvar.methods.closed_form.cube_units import unit_norms as on_cube
from gradvar.methods.closed_form.cube_units.ridge import listed
from gradvar.methods.closed_form.cube_units.unit_variance import HiddenUnit
from gradvar.methods.closed_form.gaussian_units.unit_norms import unit_norms as on_gaussian
from gradvar.models.network import layer

SETTINGS = Settings.checked(0.1, 0.95, 4096, 0, None, False)
KNOWN = sorted(CLOSED_FORMS)
SMOOTH = [name for name in KNOWN if name != "relu"]
REST = 4e-16
"""Relative rounding of the sums below, which are numpy's pairwise ones."""


def norms(H, model, loss="square", settings=SETTINGS):
    return module.norms(gv.Problem(H, model, loss), settings)


def weights_of(kind: str, dim: int, rng: np.random.Generator) -> np.ndarray:
    return {
        "generic": lambda: rng.normal(size=dim) / math.sqrt(dim),
        "equal": lambda: 0.3 * rng.choice([-1, 1], size=dim),
        "integers": lambda: rng.integers(1, 4, size=dim) * 1.0,
        "multiples": lambda: rng.choice([-2, 2, 3], size=dim) / math.sqrt(dim),
        "zeros": lambda: rng.normal(size=dim) * (rng.random(dim) < 0.5),
        "large": lambda: 20 * rng.normal(size=dim),
    }[kind]()


def by_brute_force(unit: HiddenUnit) -> tuple[float, float]:
    """E sigma^2 and E sigma'^2 over all points, as the network itself computes them."""
    x = gv.Hypercube(unit.weights.size).points(0, 2**unit.weights.size)
    value, slope = layer(x, unit.weights[None, :], np.array([unit.bias]), unit.activation)
    return float((value**2).mean()), float((slope**2).mean())


def all_ways(unit: HiddenUnit):
    active, kinked = unit.weights[unit.weights != 0], unit.activation == "relu"
    if way := on_cube.way(unit):
        yield way.norms()
    if active.size == 0:
        return
    yield on_cube._by_signs(unit, active)
    if kinked:
        yield on_cube._by_halves(unit, active)
    else:
        yield on_cube._by_waves(unit, active, listed(unit.activation, active, unit.bias, 0))
    if (multiples := on_cube._multiples(active)) is not None:
        yield on_cube._by_multiples(unit, active, multiples)


@pytest.mark.parametrize("kind", ["generic", "equal", "integers", "multiples", "zeros", "large"])
@pytest.mark.parametrize("activation", KNOWN)
def test_every_way_gives_a_unit_within_its_error(activation, kind):
    rng = np.random.default_rng(3)
    for dim in (1, 2, 5, 10):
        weights = weights_of(kind, dim, rng)
        for bias in (0.0, 0.7, -1.0, 30.0):
            unit = HiddenUnit(weights, bias, 1.0, True, activation)
            truths = by_brute_force(unit)
            for found in all_ways(unit):
                assert found.exact
                for number, truth in zip((found.value, found.slope), truths, strict=True):
                    # the brute force itself has the rounding of sigma(z), tanh' = 1 - tanh^2 above all
                    size = float(np.abs(weights).sum()) + abs(bias)
                    own = 4e-16 * (1 + size) * (2 * math.sqrt(truth) + 4e-16) + REST * truth
                    assert abs(number.mantissa - truth) <= number.error + own, (dim, bias)


def test_errors_are_not_lazy():
    rng = np.random.default_rng(4)
    for activation in KNOWN:
        for kind in ("generic", "multiples"):
            unit = HiddenUnit(weights_of(kind, 12, rng), 0.5, 1.0, True, activation)
            for found in all_ways(unit):
                assert max(found.value.relative_error, found.slope.relative_error) < 1e-10


def test_inputs_on_the_kink_are_inactive_as_in_the_model():
    # P(z > 0) without the ties, for sums of floats that do not add up to 0: 0.1 + 0.2 - 0.3
    for weights, bias in (([0.1, 0.2, 0.3], 0.0), ([0.1] * 10, 0.2), ([0.3, 0.7, 1.1, 0.1], -0.2)):
        unit = HiddenUnit(np.array(weights), bias, 1.0, True, "relu")
        assert (by_brute_force(unit)[1] * 2 ** len(weights)) % 1 == 0
        for found in all_ways(unit):
            assert abs(found.slope.mantissa - by_brute_force(unit)[1]) <= 1e-14
            assert found.slope.error < 1e-13


def test_a_point_that_may_be_on_either_side_of_the_kink_is_in_the_error():
    # z = 1e-15 at one of four points, where the model's bound on rounding is 9e-16
    unit = HiddenUnit(np.array([1.0, 1.0 - 1e-15]), 0.0, 1.0, True, "relu")
    for found in (on_cube.way(unit).norms(), on_cube._by_halves(unit, unit.weights)):
        assert found.slope.mantissa - found.slope.error <= 0.25
        assert found.slope.mantissa + found.slope.error >= 0.5


def test_halves_and_multiples_meet_at_higher_dimensions():
    rng = np.random.default_rng(5)
    unit = HiddenUnit(rng.choice([-1.0, 1.0, 2.0], size=26), -3.0, 1.0, True, "relu")
    halves = on_cube._by_halves(unit, unit.weights)
    multiples = on_cube._by_multiples(unit, unit.weights, on_cube._multiples(unit.weights))
    for a, b in ((halves.value, multiples.value), (halves.slope, multiples.slope)):
        assert abs(a.mantissa - b.mantissa) <= a.error + b.error
        assert a.relative_error < 1e-11


@pytest.mark.parametrize("bias", [0.0, 0.8, -2.0])
def test_a_cut_series_holds_the_truth_and_is_not_called_exact(bias):
    rng = np.random.default_rng(6)
    for _ in range(5):
        unit = HiddenUnit(rng.normal(size=24) / 5, bias, 1.0, True, "relu")
        truth = on_cube._by_halves(unit, unit.weights)
        found = on_cube._by_cut_waves(unit, unit.weights, listed("relu", unit.weights, bias, 0))
        assert not found.exact
        assert abs(found.value.mantissa - truth.value.mantissa) <= found.value.error + truth.value.error
        assert abs(found.slope.mantissa - truth.slope.mantissa) <= found.slope.error + truth.slope.error
        assert found.value.relative_error < 1e-3


@pytest.mark.parametrize("values", [[1], [1, 2], [7, 11, 13]])
@pytest.mark.parametrize("dim", [60, 1000])
def test_weights_that_are_nearly_multiples_are_not_said_to_be_better_known_than_they_are(dim, values):
    # <w, x> has nearly atoms, which the series sees only at frequencies beyond its own
    rng = np.random.default_rng(11)
    steps = rng.choice(values, size=dim) / math.sqrt(dim)
    for bias in (0.3, -1.0, 0.157):
        there, near = (
            HiddenUnit(w, bias, 1.0, True, "relu") for w in (steps, steps * (1 + 1e-7 * rng.normal(size=dim)))
        )
        truth, found = on_cube.way(there).norms(), on_cube.way(near).norms()
        assert truth.exact
        assert not found.exact
        assert abs(found.slope.mantissa - truth.slope.mantissa) <= found.slope.error
        assert found.value.mantissa == pytest.approx(truth.value.mantissa, rel=1e-5)
    # the sum over units is then left to samples
    assert norms(gv.Parities(dim), gv.MLP([near.weights[None, :], [[1.0]]], [[0.157], None], "relu"))[0].n_samples > 0


@pytest.mark.parametrize("activation", KNOWN)
def test_units_under_gaussian_inputs_against_quadrature(activation):
    for norm in (0.0, 0.3, 2.0, 30.0):
        for bias in (0.0, 0.5, -3.0):
            found = on_gaussian(activation, norm, bias)

            def integrand(z, which, norm=norm, bias=bias):
                f = ACTIVATIONS[activation](np.array([norm * z + bias]))[min(which, 1)][0]
                return f**2 * (z * z if which == 2 else 1) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

            kink = -bias / norm if norm else 0.0
            ends = np.unique(np.round(np.concatenate([np.linspace(-12, 12, 49), kink + np.linspace(-1, 1, 41)]), 12))
            for which, number in enumerate(found):
                pieces = [
                    integrate.quad(partial(integrand, which=which), a, b, epsabs=1e-13, epsrel=1e-12)[0]
                    for a, b in pairwise(ends)
                ]
                truth = math.fsum(pieces)
                assert abs(number.mantissa - truth) <= number.error + 1e-11 * (1 + truth), (norm, bias, which)
                assert number.error <= 1e-12 + 1e-9 * truth


def test_rare_events_keep_their_digits_under_gaussian_inputs():
    # P(z > 20) and E[(z - 20)^2; z > 20], to six digits
    value, slope, _ = on_gaussian("relu", 1.0, -20.0)
    assert slope.mantissa == pytest.approx(2.753624118606234e-89, rel=1e-12)
    assert value.mantissa == pytest.approx(1.3562e-91, rel=1e-3)
    assert value.relative_error < 1e-9


BIASES = {
    "both": lambda n: [np.linspace(-1, 1, n), [0.3]],
    "none": lambda n: None,
    "hidden": lambda n: [np.ones(n), None],
}


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("activation", KNOWN)
def test_networks_on_the_cube_against_the_sum_over_all_points(activation, biases):
    rng, dim = np.random.default_rng(7), 9
    model = gv.MLP([rng.normal(size=(3, dim)) / 3, rng.normal(size=(1, 3))], BIASES[biases](3), activation)
    x = gv.Hypercube(dim).points(0, 2**dim)
    truth = float((model.gradient(x) ** 2).sum(axis=1).mean())
    for loss, scale in (("square", 1.0), ("logistic", 0.25)):
        gradient, signal = norms(gv.SparseParities(dim, 2), model, loss)
        assert gradient.exact
        assert signal.exact
        assert gradient.is_tight
        assert gradient.value == pytest.approx(truth, rel=1e-11)
        assert signal.value == pytest.approx(scale * truth, rel=1e-11)


def test_gaussian_networks_against_a_sample():
    rng, dim = np.random.default_rng(8), 6
    for activation in KNOWN:
        model = gv.MLP([rng.normal(size=(4, dim)), rng.normal(size=(1, 4))], [rng.normal(size=4), [0.1]], activation)
        gradient, _ = norms(gv.LinearPeriodic(dim, 1.0), model)
        values = (model.gradient(rng.standard_normal((40_000, dim))) ** 2).sum(axis=1)
        assert gradient.exact
        assert abs(gradient.value - values.mean()) < 5 * values.std() / 200  # false alarm: 6e-7 for each activation


def test_linear_and_cosine_models():
    w = np.linspace(-1, 1, 11)
    for H, inputs in ((gv.Parities(11), gv.Hypercube(11)), (gv.BiasedParities(11, 0.3), gv.Hypercube(11, 0.3))):
        x, p = inputs.points(0, 2**11), inputs.weights(0, 2**11)
        for model in (gv.Linear(w), gv.Cosine(w)):
            truth = float(p @ (model.gradient(x) ** 2).sum(axis=1))
            found = norms(H, model)
            assert found[0].exact
            assert found[0].value == pytest.approx(truth, rel=1e-12)
    # G^2 = d (1 - prod cos 2 w_i)/2 on the cube, d/2 - (d - 4 |w|^2) e^(-2 |w|^2)/2 under Gaussian inputs
    assert norms(gv.Parities(11), gv.Cosine(w))[0].value == pytest.approx(11 * (1 - np.cos(2 * w).prod()) / 2)
    q = float(w @ w)
    expected = 11 / 2 - (11 - 4 * q) * math.exp(-2 * q) / 2
    assert norms(gv.LinearPeriodic(11, 1.0), gv.Cosine(w))[0].value == pytest.approx(expected, rel=1e-12)
    assert norms(gv.LinearPeriodic(11, 1.0), gv.Linear(w))[0].value == 11


def test_the_hinge_has_a_constant_signal_where_predictions_are_below_one():
    small, large = 0.01, 3.0
    rng = np.random.default_rng(9)
    for scale, is_constant in ((small, True), (large, False)):
        model = gv.MLP([rng.normal(size=(3, 30)), scale * rng.normal(size=(1, 3))], None, "tanh")
        gradient, signal = norms(gv.SparseParities(30, 3), model, "hinge")
        assert gradient.exact
        assert signal.exact == is_constant
    # under Gaussian inputs no prediction of a relu network is bounded, nor of a linear model
    problem = gv.Problem(gv.SparseParities(5, 2), gv.Linear([0.1] * 5), "hinge")
    gradient, signal = module.norms(problem, SETTINGS)
    assert signal.value == gradient.value == 5
    x = gv.Hypercube(5).points(0, 32)
    assert problem.norms(x)[:, 1].mean() == pytest.approx(5)


def test_a_unit_that_samples_do_not_meet_is_exact():
    # a unit of weights 1, bias -22, that is on with probability 9.1e-5: samples do not meet it
    model = gv.MLP([[[1.0] * 40], [[1.0]]], [[-22.0], [0.0]], "relu")
    estimate = gv.gradient_variance(gv.Parities(40), model, rtol=0, max_samples=2000)
    on = [(2 * k - 40 - 22, math.comb(40, k)) for k in range(32, 41)]
    on = [(z, count) for z, count in on if z > 0]
    truth = sum((41 + z * z) * count for z, count in on) + 2**40  # times 2^80, with the output bias
    dropped = (41 + 18**2 + 1) / 2**40
    assert estimate.exact
    assert estimate.value == pytest.approx((truth / 2**40 - dropped) / 2**40, rel=1e-14)
    check = gv.bound_check(gv.Parities(40), model)
    assert check.gradient_norm_sq.exact
    assert check.gradient_norm_sq.value == pytest.approx(truth / 2**40, rel=1e-14)
    assert check.verdict == "holds"


def test_a_norm_below_the_range_of_float64_is_not_said_to_be_zero():
    # a unit that is on at one point of 2^3000
    model = gv.MLP([[[1.0] * 3000], [[1.0]]], [[-2999.0], None], "relu")
    gradient, _ = norms(gv.Parities(3000), model)
    low, high = gradient.interval
    assert low == 0 < high < 1e-300


def test_sums_of_large_equal_weights_are_exact():
    gradient, _ = norms(gv.Parities(30), gv.MLP([[[1e25] * 30], [[1.0]]]))
    assert gradient.is_tight
    assert gradient.value == pytest.approx(30 * math.comb(30, 15) / 2**30 + 1 - math.comb(30, 15) / 2**30, rel=1e-12)


def test_all_parities_of_a_smooth_network_are_exact_at_d_10_000():
    model = gv.MLP.random([10_000, 2, 1], rng=0)
    check = gv.bound_check(gv.Parities(10_000), model)
    for estimate in (check.variance, check.gradient_norm_sq, check.signal_norm_sq):
        assert estimate.exact
        assert estimate.is_tight
    # and within the interval of a sample
    x = gv.Hypercube(10_000).sample(400, np.random.default_rng(1))
    values = (model.gradient(x) ** 2).sum(axis=1)
    assert abs(check.gradient_norm_sq.value - values.mean()) < 5 * values.std() / 20


def test_the_dropped_point_is_subtracted_exactly_where_the_norm_is_sampled_too():
    exact = gv.gradient_variance(gv.Parities(23), gv.Linear(np.ones(23)))
    assert exact.exact
    assert exact.value == pytest.approx(2.74181333282e-6, rel=1e-11)

    class Unknown(gv.Linear):
        """The same model, of which no theorem knows."""

    sampled = gv.gradient_variance(gv.Parities(23), Unknown(np.ones(23)), method="closed-form", max_samples=512)
    assert not sampled.exact
    low, high = sampled.interval
    assert low <= exact.value <= high
    assert sampled.value == pytest.approx(exact.value, rel=1e-12)


def test_finite_inputs_are_summed_where_the_variance_took_as_much():
    deep = gv.MLP.random([20, 16, 16, 1], "relu", rng=0)
    problem = gv.Problem(gv.SparseParities(20, 3), deep)
    settings = Settings.checked(0.1, 0.95, 256, 0, None, False)
    few = gv.gradient_variance(gv.SparseParities(20, 3), deep, method="monte-carlo", max_samples=256, rtol=0, rng=0)
    gradient, _ = module.norms(problem, settings, few)
    assert not gradient.exact
    assert gradient.n_samples == 256
    # where all inputs were gone through for the variance, they are for the norms
    small = gv.bound_check(gv.SparseParities(12, 3), gv.MLP.random([12, 16, 16, 1], "relu", rng=0))
    assert small.gradient_norm_sq.exact
    assert small.gradient_norm_sq.n_evaluated == 2**12


def test_the_theorem_on_all_parities_states_the_work_that_it_takes():
    def work(dim, *widths, activation="tanh"):
        return module.work(gv.Problem(gv.Parities(dim), gv.MLP.random([dim, *widths, 1], activation, rng=0)))

    # inputs times numbers of an input where they are summed over or sampled, else units times what one takes
    assert work(18, 32) < 0.5 * work(18, 32, 32) < 2 * work(17, 32, 32)
    assert work(10_000, 8) < 30 * work(1000, 8)
    assert 20 * work(1000, 8) < work(1000, 8, 8)
    assert 1.9 < work(20, 32) / work(20, 16) < 2.1
    # two sorted halves of 2^20, compiled
    assert work(40, 8, activation="relu") == pytest.approx(2**28 + 8 * 50 * 2**20, rel=0.01)


def test_biased_inputs_and_large_weights_are_left_to_samples():
    rng = np.random.default_rng(10)
    tanh = gv.MLP([rng.normal(size=(2, 30)), [[1.0, 1.0]]])
    assert not norms(gv.BiasedParities(30, 0.2), tanh)[0].exact
    steep = gv.MLP([1e9 * rng.normal(size=(2, 30)), [[1e-9, 1e-9]]])
    assert not norms(gv.Parities(30), steep)[0].exact
    # weights on a fine grid, on which a cut series need not converge
    grid = gv.MLP([rng.integers(1, 2**19, size=(1, 60)) / 2.0**19, [[1.0]]], [[0.3], None], "relu")
    assert norms(gv.Parities(60), grid)[0].n_samples > 0


def test_a_cut_series_claims_no_coverage():
    found = gv.bound_check(gv.Parities(60), gv.MLP.random([60, 4, 1], "relu", rng=0)).gradient_norm_sq
    assert not found.exact
    assert found.confidence is None
    assert "%" not in found.spread
    assert found.spread.startswith("[")
