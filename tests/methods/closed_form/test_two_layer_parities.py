"""Parities of one degree and one hidden layer: against brute force, enumeration and 64-bit mantissas."""

from __future__ import annotations

import dataclasses
import decimal
import math
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.core.activations import ACTIVATIONS, CLOSED_FORMS
from gradvar.kernels.walsh_hadamard import level_weights
from gradvar.methods.closed_form import two_layer_parities
from gradvar.methods.closed_form.cube_units import equal_weights, unit_variance
from gradvar.methods.closed_form.cube_units.ridge import EPS, nodes
from gradvar.methods.closed_form.cube_units.unit_variance import HiddenUnit
from gradvar.problem import Moment

KNOWN = [name for name in ACTIVATIONS if name in CLOSED_FORMS]
SMOOTH = [name for name in KNOWN if name != "relu"]


def closed_form(H, model, loss="square", **settings) -> gv.Estimate:
    estimate = gv.gradient_variance(H, model, loss, method="closed-form", **settings)
    assert estimate.method.startswith("closed-form")
    assert estimate.exact
    return estimate


def network(dim: int, width: int, activation: str, rng: np.random.Generator, scale=1.0, bias=True) -> gv.MLP:
    """Deep draws: a unit in four has zeros among its weights, the last one has a single coordinate."""
    weights = rng.normal(size=(width, dim)) * scale / math.sqrt(dim)
    weights[::4, : dim // 3] = 0.0
    weights[-1, 1:] = 0.0
    biases = [rng.normal(size=width), rng.normal(size=1)] if bias else None
    return gv.MLP([weights, rng.normal(size=(1, width))], biases, activation)


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("bias", ["", "-nobias"])
@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_against_the_gradients_of_all_members(activation: str, bias: str, loss: str, slow_class, slow_model):
    for degree in (1, 3):
        classes, slow = slow_class(f"sparse-{degree}", 5), slow_model(f"mlp-3-{activation}{bias}", 5)
        classes.assert_variance(closed_form(classes.H, slow.model, loss).value, slow, loss)


@pytest.mark.large
@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("bias", [True, False])
def test_against_enumeration_at_every_degree(activation: str, bias: bool):
    rng = np.random.default_rng([SMOOTH.index(activation), bias])
    for dim, scale in ((6, 1.0), (9, 3.0), (11, 1.0), (11, 0.2), (11, 3.0)):
        model = network(dim, 5, activation, rng, scale, bias)
        classes = [gv.SparseParities(dim, k) for k in range(1, dim)]
        enumerated = [gv.gradient_variance(H, model, method="enumeration") for H in classes]
        largest = max(e.value for e in enumerated)
        for H, expected in zip(classes, enumerated, strict=True):
            found = closed_form(H, model)
            half = (found.interval[1] - found.interval[0]) / 2
            if expected.value > 1e-15 * largest:
                assert half <= 1e-9 * expected.value
                assert abs(found.value - expected.value) <= 1e-9 * expected.value
            # The enumerated roots are off by a few eps of the norm of the signal, sqrt(largest level).
            noise = 64 * np.finfo(float).eps * math.sqrt(largest)
            assert abs(found.value - expected.value) <= half + 2 * noise * math.sqrt(expected.value) + noise**2


# A second reference with longdouble's 64 bits, against which errors of float64 can be seen.

LONG = {
    "tanh": lambda z: (np.tanh(z), 1 / np.cosh(z) ** 2),
    "sigmoid": lambda z: (1 / (1 + np.exp(-z)), 1 / ((1 + np.exp(-z)) * (1 + np.exp(z)))),
    "sin": lambda z: (np.sin(z), np.cos(z)),
    "cos": lambda z: (np.cos(z), -np.sin(z)),
    "softplus": lambda z: (np.log1p(np.exp(-abs(z))) + np.maximum(z, 0), 1 / (1 + np.exp(-z))),
    "identity": lambda z: (z, np.ones_like(z)),
}


def long_variances(model: gv.MLP) -> list[np.longdouble]:
    """The gradient variance at every degree 1..d-1, component by component."""
    dim = model.dim
    points = np.arange(2**dim)
    x = (1 - 2 * ((points[:, None] >> np.arange(dim)) & 1)).astype(np.longdouble)
    degree = np.bitwise_count(points)
    characters = 1 - 2 * (np.bitwise_count(points[:, None] & points) % 2).astype(np.longdouble)
    components = []
    for j, w in enumerate(model.weights[0].astype(np.longdouble)):
        z = x @ w + (0 if model.biases[0] is None else np.longdouble(model.biases[0][j]))
        value, slope = LONG[model.activation](z)
        value, slope = (
            characters @ value / points.size,
            np.longdouble(model.weights[1][0, j]) * (characters @ slope / points.size),
        )
        components += [value] + [slope[points ^ (1 << i)] for i in range(dim)]
        components += [] if model.biases[0] is None else [slope]
    rows = np.array(components)
    return [((c := rows[:, degree == k]) - c.mean(axis=1, keepdims=True)).var(axis=1).sum() for k in range(1, dim)]


@pytest.mark.large
@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="longdouble is float64 here")
def test_the_error_is_honest_and_not_lazy():
    rng = np.random.default_rng(7)
    ratios = []
    for trial in range(90):
        activation = list(LONG)[trial % len(LONG)]
        dim, width = int(rng.integers(2, 9)), int(rng.integers(1, 4))
        weights = rng.normal(size=(width, dim)) * rng.choice([0.01, 0.3, 1, 3, 6]) / math.sqrt(dim)
        kind = trial % 5
        if kind == 1:
            weights[rng.random((width, dim)) < 0.5] = 0
        elif kind == 2:  # nearly all-equal: the class mean is nearly the whole second moment
            weights = np.abs(weights[:, :1]) * (1 + 1e-6 * rng.normal(size=(width, dim)))
        elif kind == 3:
            weights = weights[:, :1] * rng.choice([-1, 0, 1], size=(width, dim))
        elif kind == 4:
            weights[:, 1:] *= 1e-4
        biases = None if trial % 2 else [rng.choice([0.3, 1, 4]) * rng.normal(size=width), [0.1]]
        model = gv.MLP([weights, rng.normal(size=(1, width))], biases, activation)
        expected = long_variances(model)
        largest = max(math.comb(dim, k + 1) * float(v) for k, v in enumerate(expected))
        noise = 3e-20 * math.sqrt(largest + 1)  # of the reference's roots
        for k, truth in enumerate(expected, start=1):
            found = closed_form(gv.SparseParities(dim, k), model)
            half = (found.interval[1] - found.interval[0]) / 2
            error = float(abs(found.value - truth))
            slack = 2 * noise * math.sqrt(float(truth)) + noise**2
            assert error <= half + slack, (activation, dim, k, kind)
            if error > slack:
                ratios.append(half / error)
    assert len(ratios) > 100
    # Single errors may be small by luck; the usual one is not overstated.
    assert np.median(ratios) < 100
    assert np.quantile(ratios, 0.95) < 1000


def level_weights_at(activation: str, w: np.ndarray, bias: float, degrees: tuple[int, ...]):
    """W_k of sigma and sigma' at these degrees, with their errors and powers of two, from the nodes of the series."""
    chosen = nodes(activation, w, bias, 1.0, degrees)
    values = chosen.weights(False)[0]
    off = chosen.left_out + chosen.growth * EPS * chosen.amplitudes
    errors = 4 * chosen.growth * EPS * chosen.amplitudes**2 + 2 * np.sqrt(np.maximum(values, 0.0)) * off + off**2
    return values, errors, np.array(chosen.exponents)


@pytest.mark.parametrize("activation", SMOOTH)
def test_level_weights_of_both_functions_at_all_degrees(activation: str):
    w, b = np.random.default_rng(3).normal(size=8), 0.4
    z = (1 - 2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)) @ w + b
    expected = level_weights(np.array(ACTIVATIONS[activation](z)))
    weights, errors, exponents = level_weights_at(activation, w, b, tuple(range(9)))
    found = weights * 2.0**exponents
    slack = 1e-15 * np.sqrt(expected.sum(axis=1, keepdims=True))
    bound = errors * 2.0**exponents + 2 * slack * np.sqrt(expected) + slack**2
    assert (np.abs(found - expected) <= bound).all()
    assert (bound <= 1e-11 * expected.max(axis=1, keepdims=True)).all()


# Equal weights.


@pytest.mark.parametrize("activation", KNOWN)
@pytest.mark.parametrize("signs", ["plus", "minus", "mixed", "zeros", "none"])
def test_equal_weights_against_enumeration(activation: str, signs: str):
    rng = np.random.default_rng(4)
    w = {
        "plus": np.full(7, 0.5),
        "minus": np.full(7, -0.5),
        "mixed": 0.5 * rng.choice([-1, 1], size=7),
        "zeros": 0.5 * rng.choice([-1, 0, 1], size=7),
        "none": np.zeros(7),
    }[signs]
    for bias in (None, [np.array([0.25]), np.zeros(1)]):
        model = gv.MLP([w[None], [[1.3]]], bias, activation)
        for k in range(1, 7):
            H = gv.SparseParities(7, k)
            expected = gv.gradient_variance(H, model, method="enumeration").value
            assert_allclose(closed_form(H, model).value, expected, rtol=1e-11, atol=1e-30)


@pytest.mark.parametrize("n", [9, 15, 101])
def test_sum_of_relus_as_published(n: int):
    # Var over the input weights of relu(sum x_i), n odd, k even: k (n-k) / (4n) (m_{k-1} - m_{k+1})^2
    def moment(j: int) -> float:
        half = (n - 1) // 2
        sign = -1 if (j - 1) // 2 % 2 else 1
        return sign * math.comb(half, (j - 1) // 2) / math.comb(n - 1, j - 1) * math.comb(n - 1, half) / 2 ** (n - 1)

    model = gv.MLP([np.ones((1, n)), [[1.0]]], None, "relu")
    for k in (2, 4):
        expected = k * (n - k) / (4 * n) * (moment(k - 1) - moment(k + 1)) ** 2
        found = closed_form(gv.SparseParities(n, k), model)
        assert_allclose(found.value, expected, rtol=1e-12)
        assert found.interval[0] <= expected <= found.interval[1]


@pytest.mark.large
@pytest.mark.parametrize("activation", ["tanh", "erf", "gelu", "softplus", "cos"])
@pytest.mark.parametrize(("dim", "degree"), [(1000, 1), (1000, 4), (1000, 9), (40, 20), (40, 33)])
def test_fourier_series_and_hamming_weights_agree_at_large_dimensions(activation: str, dim: int, degree: int):
    for signs in (np.ones(dim), np.random.default_rng(5).choice([-1.0, 1.0], size=dim)):
        unit = HiddenUnit(signs / math.sqrt(dim), 0.3, 1.2, True, activation)
        a = equal_weights.contribution(unit, degree, Moment.VARIANCE).number
        b = unit_variance.contribution(unit, degree, Moment.VARIANCE, False).number
        assert b.mantissa > 0
        shift = 2.0 ** (b.exponent - a.exponent)
        assert abs(a.mantissa - b.mantissa * shift) <= a.error + b.error * shift
        if dim == 1000:
            assert a.relative_error < 1e-10
            assert b.relative_error < 1e-10


# Kinks.


@pytest.mark.large
@pytest.mark.parametrize("bias", [0.0, 0.4])
def test_the_tail_estimate_of_the_relu_covers_its_error(bias: float):
    w = np.random.default_rng(6).normal(size=16) / 4
    model = gv.MLP([w[None], [[1.0]]], [[bias], [0.0]], "relu")
    for k in (2, 4, 5, 8, 14):
        expected = gv.gradient_variance(gv.SparseParities(16, k), model, method="enumeration").value
        (unit,) = two_layer_parities.units(model)
        part = unit_variance.contribution(unit, k, Moment.VARIANCE, False).number
        scale = 2.0**part.exponent / math.comb(16, k)
        error = abs(part.mantissa * scale - expected)
        assert error <= part.error * scale + 1e-30
        series = unit_variance.by_series([unit], k, Moment.VARIANCE, False)[0].number
        assert error <= series.error * scale + 1e-30  # these weights have no ties
        assert series.error * scale <= max(1000 * error, 1e-30)


@pytest.mark.large
def test_relu_at_200_is_the_limit_of_softplus():
    # softplus(s z)/s - relu(z) and sigmoid(s z) - step(z) live where |z| is about 1/s: moments differ by O(1/s^2)
    rng = np.random.default_rng(8)
    w, b = rng.normal(size=(2, 200)) / math.sqrt(200), rng.normal(size=2)
    H = gv.SparseParities(200, 4)
    relu = closed_form(H, gv.MLP([w, [[1.0, -2.0]]], [b, [0.0]], "relu"))
    assert relu.interval[1] - relu.interval[0] < 1e-10 * relu.value
    off = []
    for s in (16.0, 32.0):  # what belongs to the output weights is s^2 times too large
        soft = closed_form(H, gv.MLP([s * w, [[1.0, -2.0]]], [s * b, [0.0]], "softplus"))
        bare = closed_form(H, gv.MLP([s * w, [[0.0, 0.0]]], [s * b, [0.0]], "softplus")).value
        # gradients in w and b carry a factor 1 at weights s w, output weights a/s
        off.append(soft.value - bare + bare / s**2 - relu.value)
    assert abs(off[1]) < 1e-2 * relu.value
    assert_allclose(off[0] / off[1], 4, rtol=0.2)


# At any dimension.


@pytest.mark.large
def test_against_sampling_at_dimension_100():
    model = gv.MLP.random([100, 3, 1], rng=1, scale=2.0)
    H = gv.SparseParities(100, 1)
    exact = closed_form(H, model).value
    sampled = gv.gradient_variance(H, model, method="monte-carlo", rng=2, rtol=0, max_samples=2**13)
    assert sampled.standard_error < 0.05 * exact
    assert abs(sampled.value - exact) < 4 * sampled.standard_error


@pytest.mark.large
def test_dimension_1000_and_10000():
    model = gv.MLP.random([1000, 4, 1], rng=0)
    values = [closed_form(gv.SparseParities(1000, k), model) for k in range(1, 11)]
    for estimate in values:
        low, high = estimate.mantissa_interval
        assert 0 < low < estimate.mantissa < high
        assert high - low < 1e-12 * estimate.mantissa
    huge = gv.MLP.random([10_000, 2, 1], rng=0)
    for activation in ("tanh", "relu"):
        estimate = closed_form(gv.SparseParities(10_000, 4), gv.MLP(huge.weights, huge.biases, activation))
        low, high = estimate.mantissa_interval
        assert high - low < 1e-11 * estimate.mantissa


def test_values_that_underflow():
    # weights 2^-s w: sigma'(z) has coefficient prod w_i sigma^(k)(b) 2^(-s(k-1)) at |S| = k - 1
    w = np.random.default_rng(9).normal(size=(1, 20))

    def log2(s: int) -> float:
        model = gv.MLP([w * 2.0**-s, [[1.0]]], [[0.3], [0.0]], "tanh")
        return closed_form(gv.SparseParities(20, 6), model).log2

    assert_allclose(log2(100) - log2(200), 2 * 5 * 100, rtol=1e-14)
    assert closed_form(gv.SparseParities(20, 6), gv.MLP([w * 2.0**-200, [[1.0]]], None, "sin")).value == 0.0


def test_odd_functions_have_no_even_degrees():
    model = gv.MLP.random([30, 3, 1], rng=0, bias=False)
    estimate = closed_form(gv.SparseParities(30, 4), model)
    assert estimate.interval == (0.0, 0.0)


# Losses and what is declined.


def test_losses_with_constant_b(slow_model):
    model = gv.MLP([np.full((2, 6), 0.1) * np.arange(1, 7), [[0.3, -0.4]]], [[0.1, 0.2], [0.05]], "tanh")
    H = gv.SparseParities(6, 2)
    square = closed_form(H, model).value
    assert closed_form(H, model, "correlation").value == square
    # |p| <= 0.75 < 1 on the whole cube
    assert two_layer_parities.largest_prediction(model) < 0.75
    assert closed_form(H, model, "hinge").value == square
    for loss in ("logistic", "perceptron"):
        assert closed_form(H, model, loss).value == square / 4
    for loss in ("hinge", "logistic"):
        enumerated = gv.gradient_variance(H, model, loss, method="enumeration").value
        assert_allclose(closed_form(H, model, loss).value, enumerated, rtol=1e-11)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_largest_prediction_bounds_every_prediction(activation: str):
    model = network(8, 3, activation, np.random.default_rng(10), 2.0)
    x = gv.Hypercube(8).points(0, 256)
    assert np.abs(model.predict(x)).max() <= two_layer_parities.largest_prediction(model)


def test_declines_what_it_does_not_cover():
    rng = np.random.default_rng(11)
    wide = network(8, 3, "tanh", rng, 3.0)
    squared_hinge = gv.MarginLoss(lambda m: -2 * np.maximum(0, 1 - m), lipschitz=math.inf)
    for H, model, loss in [
        (gv.SparseParities(8, 2), gv.MLP.random([8, 3, 3, 1], rng=0), "square"),
        (gv.SparseParities(8, 2), gv.Linear(np.ones(8)), "square"),
        (gv.SparseParities(8, 2), gv.MLP((*wide.weights[:1], 100 * wide.weights[1])), "hinge"),
        (gv.SparseParities(8, 2), wide, squared_hinge),
        (gv.SparseParities(8, 2), network(8, 3, "relu", rng), "square"),  # to be enumerated
        (gv.SparseParities(60, 2), network(60, 3, "relu6", rng), "square"),
        (gv.SparseParities(60, 2), gv.MLP([np.full((1, 60), 0.1), [[1.0]]], None, "relu6"), "square"),
    ]:
        problem = gv.Problem(H, model, loss)
        assert two_layer_parities.TwoLayerParities().declines(problem) is not None
        if not isinstance(model, gv.Linear):  # which has a theorem of its own
            with pytest.raises(gv.NotApplicableError):
                closed_form(H, model, loss)
    grid = gv.MLP([rng.choice([-2, -1, 1, 2], size=(1, 200)) / 16, [[1.0]]], None, "relu")
    with pytest.raises(gv.NotApplicableError, match="grid"):
        closed_form(gv.SparseParities(200, 2), grid)


@pytest.mark.large
def test_an_error_that_is_too_large_is_declined_and_auto_goes_on():
    rng = np.random.default_rng(12)
    model = gv.MLP([rng.normal(size=(1, 30)) / 5, [[1.0]]], [[0.3], [0.0]], "relu")
    H = gv.SparseParities(30, 12)
    with pytest.raises(gv.NotApplicableError, match="relu leaves an error"):
        closed_form(H, model, rtol=0)
    estimate = gv.gradient_variance(H, model, method=gv.Auto(), max_samples=64, rtol=0, rng=0)
    assert not estimate.method.startswith("closed-form")


@pytest.mark.large
@pytest.mark.parametrize(
    ("dim", "degree", "bias"), [(23, 2, True), (18, 2, True), (18, 3, True), (18, 5, True), (18, 2, False)]
)
def test_a_cut_series_within_rtol_is_taken_with_its_interval_and_is_not_called_exact(
    dim: int, degree: int, bias: bool, monkeypatch: pytest.MonkeyPatch
):
    # "auto" takes it from 23 on; on a smaller cube it is asked for by name, and made to answer
    rng, method = np.random.default_rng([degree, bias]), "closed-form" if dim < 23 else "auto"
    monkeypatch.setattr(two_layer_parities, "_ENUMERATED", dim - 1)
    biases = [rng.normal(size=2) / 2, None] if bias else None
    model = gv.MLP([rng.normal(size=(2, dim)) / math.sqrt(dim), rng.normal(size=(1, 2))], biases, "relu")
    H = gv.SparseParities(dim, degree)
    found = gv.gradient_variance(H, model, rtol=0.9, method=method)
    assert found.method.startswith("closed-form")
    assert not found.exact
    assert found.confidence is None
    assert "not exact" in found.guarantee
    exact = gv.gradient_variance(H, model, method="enumeration")
    assert found.interval[0] <= exact.interval[0] <= exact.interval[1] <= found.interval[1]
    share = (found.interval[1] - found.value) / found.value
    assert 1e-6 < share <= 0.9
    # Where rtol asks for more, it is declined: by its name with the reason, by "auto" for another method.
    with pytest.raises(gv.NotApplicableError, match="relu leaves an error"):
        gv.gradient_variance(H, model, rtol=share / 1.01, method="closed-form")
    assert gv.gradient_variance(H, model, rtol=share * 1.01, method="closed-form").interval == found.interval


def test_weights_that_take_too_many_frequencies_are_declined():
    rng = np.random.default_rng(14)
    with pytest.raises(gv.NotApplicableError, match="frequencies"):
        closed_form(gv.SparseParities(9, 2), gv.MLP([1e6 * rng.normal(size=(1, 9)), [[1.0]]], None, "tanh"))


@pytest.mark.large
def test_the_same_bits_from_any_executor():
    model = network(40, 9, "gelu", np.random.default_rng(13))
    H = gv.SparseParities(40, 3)
    one = closed_form(H, model, rng=0)
    for executor in (ThreadPoolExecutor(3), ProcessPoolExecutor(2)):
        with executor:
            other = closed_form(H, model, rng=0, executor=executor)
        assert dataclasses.replace(other, seconds=one.seconds) == one


@pytest.mark.large
@pytest.mark.parametrize(("dim", "degree"), [(60, 55), (60, 30), (200, 190)])
def test_high_degrees_against_200_digits(dim: int, degree: int):
    # equal weights: Var = k (d-k) / d (phi_{k-1} - phi_{k+1})^2, phi_j = 2^-d sum_h [z^j] (1-z)^h (1+z)^(d-h) / C(d, j)
    # sum over the inputs with h entries -1; here the two phi are of size 1e-20 to 1e-120. The coefficient of z^(d-j) is
    # (-1)^h times that of z^j, and the sum for the lower one is shorter.
    decimal.getcontext().prec = 200
    w, b = 0.125, 0.5

    def slope(h: int) -> Decimal:
        e = (2 * (Decimal(w) * (dim - 2 * h) + Decimal(b))).exp()
        return 4 * e / (e + 1) ** 2  # tanh' = 1 - tanh^2

    def phi(j: int) -> Decimal:
        total = Decimal(0)
        for h in range(dim + 1):
            low = min(j, dim - j)
            krawtchouk = sum((-1) ** i * math.comb(h, i) * math.comb(dim - h, low - i) for i in range(low + 1))
            total += math.comb(dim, h) * krawtchouk * slope(h) * (1 if low == j else (-1) ** h)
        return total / math.comb(dim, j) / 2**dim

    expected = Decimal(degree * (dim - degree)) / dim * (phi(degree - 1) - phi(degree + 1)) ** 2
    model = gv.MLP([np.full((1, dim), w), [[1.0]]], [[b], [0.0]], "tanh")
    found = closed_form(gv.SparseParities(dim, degree), model)
    half = (found.mantissa_interval[1] - found.mantissa_interval[0]) / 2
    error = abs(float(Decimal(found.mantissa) * Decimal(2) ** found.exponent / expected - 1))
    assert error <= half / found.mantissa <= 1e-9


@pytest.mark.large
@pytest.mark.parametrize(("degree", "pairs"), [(1, "few"), (3, "all")])
def test_relu_weights_that_cancel_in_pairs_are_left_to_enumeration(degree, pairs):
    """<w, x> = 0 on a share of the cube, where the series takes the step at 1/2 and the network at 0."""
    root = 2**0.5
    weights = np.zeros(23)
    if pairs == "few":
        weights[:4] = 1, 1, root, root
    else:
        weights[:22] = np.repeat(np.random.default_rng(0).standard_normal(11), 2)
    model, H = gv.MLP([weights[None], [[1.0]]], None, "relu"), gv.SparseParities(23, degree)
    with pytest.raises(gv.NotApplicableError, match="the Fourier series of the relu leaves"):
        gv.gradient_variance(H, model, method="closed-form")
    assert gv.Auto().select(gv.Problem(H, model)).method.name == "closed-form"  # and it gives up
    found = gv.gradient_variance(H, model)
    assert found.method == "enumeration"
    # The share of inputs on the kink has a signal of its own.
    assert found.value > (1e-4 if pairs == "few" else 1e-10)


def test_ties_are_estimated_from_above():
    generic = np.random.default_rng(0).standard_normal(60)
    assert unit_variance.on_the_kink(generic) < 1e-7
    for pairs in (1, 2, 5):
        weights = np.repeat(np.random.default_rng(1).standard_normal(pairs), 2)
        assert 2.0**-pairs <= unit_variance.on_the_kink(weights) < 2.0**-pairs + 0.1


@pytest.mark.parametrize(("weight", "bias"), [(1e-170, 0.3), (0.3, 1e300), (1e160, 0.3)])
def test_weights_out_of_the_range_of_the_series_are_declined(weight, bias):
    model = gv.MLP([[[weight, 2 * weight, 3 * weight]], [[1.0]]], [[bias], None], "tanh")
    with pytest.raises(gv.NotApplicableError, match="weights or biases of the hidden layer are not between"):
        gv.gradient_variance(gv.SparseParities(3, 2), model, method="closed-form")


def test_auto_takes_the_enumeration_where_it_knows_more_digits():
    weights = 0.3 * np.random.default_rng(0).standard_normal((2, 8))
    model, H = gv.MLP([weights, [[1.0, 1.0]]], [[-10.0, -10.0], None], "gelu"), gv.SparseParities(8, 2)
    series = gv.gradient_variance(H, model, method="closed-form")
    assert not series.is_tight
    assert gv.gradient_variance(H, model).method == "enumeration"
    low, high = series.interval
    assert low <= gv.gradient_variance(H, model).value <= high
