"""Parities by name and one hidden layer, against sums over the cube and an independent quadrature."""

import math

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.arguments import Array
from gradvar.estimation.settings import Settings
from gradvar.methods.closed_form.few_parities import FewParities, signal_coefficients
from gradvar.problem import Moment, Problem
from gradvar.testing import reference

SETTINGS = Settings.checked(0.1, 0.95, 4096, 0, None, False)
ACTIVATIONS = ["tanh", "relu", "gelu", "erf", "sigmoid", "sin", "cos", "softplus", "identity"]


def some_network(rng: np.random.Generator, dim: int, activation: str) -> gv.MLP:
    """A network with large or small weights, some of them 0 or equal, with biases or without."""
    units = int(rng.integers(1, 4))
    weights = rng.normal(size=(units, dim)) * rng.choice([0.1, 1.0, 3.0])
    kind = rng.integers(3)
    if kind == 1:
        weights[rng.random(weights.shape) < 0.4] = 0.0
    if kind == 2:
        weights = np.sign(weights) * 0.5  # inputs on the kink
    biases = [None if rng.random() < 0.3 else rng.normal(size=n) for n in (units, 1)]
    return gv.MLP([weights, rng.normal(size=(1, units))], biases, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_coefficients_and_moments_are_sums_over_the_cube(activation: str) -> None:
    rng = np.random.default_rng(ACTIVATIONS.index(activation))
    for _ in range(12):
        dim = int(rng.integers(1, 9))
        model = some_network(rng, dim, activation)
        H = gv.Parities(dim).restrict(rng.integers(0, 2**dim, size=int(rng.integers(1, 5))))
        problem = Problem(H, model, "square")
        x = H.inputs.points(0, 2**dim)
        gradient = model.gradient(x)
        c, size = -H.evaluate(H.members(), x) @ gradient / 2**dim, float(np.linalg.norm(gradient, axis=1).max())
        for row, found in zip(c, signal_coefficients(problem, SETTINGS), strict=True):
            off = np.abs(np.ldexp(found.values, found.exponent) - row)
            assert (off <= np.ldexp(found.errors, found.exponent) + 1e-14 * size).all()
        truth = {
            Moment.SECOND: (c**2).sum(axis=1).mean(),
            Moment.MEAN: (c.mean(axis=0) ** 2).sum(),
            Moment.VARIANCE: ((c - c.mean(axis=0)) ** 2).sum(axis=1).mean(),
        }
        for moment, value in truth.items():
            try:
                one = FewParities().estimate(Problem(H, model, "square", moment), SETTINGS)
            except gv.NotApplicableError:  # what cancels
                assert value < (1e-9 * size) ** 2
                continue
            assert one.value == pytest.approx(value, rel=1e-9, abs=(1e-14 * size) ** 2)


def quadrature(weights: Array, bias: float, chosen: Array, step: float = 0.02) -> tuple[float, float, float]:
    """log |E chi_S sech^2 z|, log |E chi_S tanh z| and log sum_i (E chi_(S xor i) sech^2 z)^2, by the trapezoid rule.

    E chi_T f(z) = (1/2 pi) int f~(t) e^(itb) prod_T i sin t w prod cos t w dt, f~ = pi t/sinh(pi t/2) of sech^2.
    """
    t = (np.arange(11_000) + 0.5) * step  # symmetric about 0: twice the real part
    log_factors = np.where(chosen[:, None], np.log(np.abs(np.sin(t * weights[:, None]))), 0.0)
    log_factors += np.where(chosen[:, None], 0.0, np.log(np.abs(np.cos(t * weights[:, None]))))
    signs = np.where(chosen[:, None], np.sin(t * weights[:, None]), np.cos(t * weights[:, None])) < 0
    log_g = log_factors.sum(axis=0)
    top = log_g.max()
    g = np.where(signs.sum(axis=0) % 2, -1.0, 1.0) * np.exp(log_g - top)
    k = int(chosen.sum())
    density = np.pi * t / np.sinh(np.pi * t / 2) * step / np.pi

    def real(phase: int, values: Array) -> float:
        return float(((1j**phase * np.exp(1j * t * bias)).real * values).sum())

    slope = real(k, density * g)
    value = real(k - 1, density / t * g)  # tanh~ = sech^2~ / (it)
    tan = np.tan(t * weights[:, None])
    neighbours = [
        real(k - 1, density * g / row) if inside else real(k + 1, density * g * row)
        for row, inside in zip(tan, chosen, strict=True)
    ]
    of_inputs = math.log(math.fsum(np.square(neighbours))) + 2 * top
    return math.log(abs(slope)) + top, math.log(abs(value)) + top, of_inputs


@pytest.mark.parametrize(("dim", "degree"), [(40, 2), (300, 300), (300, 7), (1000, 999)])
def test_many_coordinates_agree_with_a_quadrature(dim: int, degree: int) -> None:
    rng = np.random.default_rng(dim + degree)
    weights, chosen = rng.normal(size=dim) / math.sqrt(dim), rng.permutation(dim) < degree
    model = gv.MLP([weights[None], [[1.5]]], [[0.3], None], "tanh")
    (row,) = signal_coefficients(Problem(gv.Parities(dim).restrict([chosen]), model), SETTINGS)
    slope, value, of_inputs = quadrature(weights, 0.3, chosen)
    scale = row.exponent * math.log(2)
    assert math.log(abs(row.values[-2])) + scale == pytest.approx(slope + math.log(1.5), abs=1e-8)
    assert math.log(abs(row.values[-1])) + scale == pytest.approx(value, abs=1e-8)
    found = math.log(math.fsum(row.values[:-2] ** 2)) + 2 * scale
    assert found == pytest.approx(of_inputs + 2 * math.log(1.5), abs=1e-8)
    assert (row.errors < 1e-9 * np.abs(row.values).max()).all()


def test_a_relu_of_many_weights_is_a_count_of_inputs() -> None:
    # equal weights: E chi_S 1(z > 0) = 2^-d sum over t of 1(d - 2t > -b) sum_j (-1)^j C(k, j) C(d - k, t - j)
    dim, degree, bias = 30, 5, 2.5
    model = gv.MLP([[[1.0] * dim], [[1.0]]], [[bias], None], "relu")
    chosen = np.arange(dim) % 6 == 0

    def gate(k: int) -> float:
        signed = [sum((-1) ** j * math.comb(k, j) * math.comb(dim - k, t - j) for j in range(t + 1)) for t in range(31)]
        return sum(signed[t] for t in range(dim + 1) if dim - 2 * t + bias > 0) / 2**dim

    (row,) = signal_coefficients(Problem(gv.Parities(dim).restrict([chosen]), model), SETTINGS)
    assert row.values[:dim] == pytest.approx(np.where(chosen, -gate(degree - 1), -gate(degree + 1)), rel=1e-12)
    assert row.values[dim] == pytest.approx(-gate(degree), rel=1e-12)
    sigma = bias * gate(degree) + degree * gate(degree - 1) + (dim - degree) * gate(degree + 1)
    assert row.values[-1] == pytest.approx(-sigma, rel=1e-9)


def test_the_order_of_coordinates_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    weights, order = rng.normal(size=27), rng.permutation(27)
    chosen = rng.random(27) < 0.4
    rows = [
        signal_coefficients(
            Problem(gv.Parities(27).restrict([chosen[p]]), gv.MLP([weights[None, p], [[1.0]]], [[0.1], None], "relu")),
            SETTINGS,
        )[0]
        for p in (np.arange(27), order)
    ]
    assert np.array_equal(rows[0].values[:27][order], rows[1].values[:27])
    assert rows[0].values[27:] == pytest.approx(rows[1].values[27:], rel=1e-9)


def test_the_output_bias_answers_to_the_constant_target_alone() -> None:
    model = gv.MLP([[[0.5, -0.3]], [[2.0]]], [None, [0.7]], "tanh")
    for chosen, expected in (([False, False], -1.0), ([True, False], 0.0)):
        (row,) = signal_coefficients(Problem(gv.Parities(2).restrict([chosen]), model), SETTINGS)
        assert math.ldexp(row.values[-1], row.exponent) == expected


def test_it_declines_what_it_does_not_cover() -> None:
    deep, wide = gv.MLP.random([6, 4, 4, 1], rng=0), gv.MLP.random([45, 2, 1], "relu", rng=0)
    some = gv.Parities(6).restrict([1, 2])
    for problem, why in (
        (Problem(some, deep), "one hidden layer"),
        (Problem(some, gv.MLP.random([6, 4, 1], rng=0, scale=5.0), "hinge"), "constant"),
        (Problem(gv.Parities(45).restrict([3]), wide), "44 weights"),
        (Problem(gv.SparseParities(6, 2), gv.MLP.random([6, 2, 1], rng=0)), "by name"),
        (Problem(gv.Parities(20).restrict(range(2**19)), gv.MLP.random([20, 9, 1], rng=0)), "too many members"),
        (Problem(gv.LinearPeriodic(6, 1.0), gv.MLP.random([6, 2, 1], rng=0)), "by name"),
    ):
        assert why in str(FewParities().declines(problem))


def test_what_cancels_is_not_called_exact() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 300))
    H, model = gv.Parities(300).restrict([np.ones(300, dtype=bool)]), gv.MLP([weights, [[1.0]]], [[0.5], None], "tanh")
    with pytest.raises(gv.NotApplicableError, match="cancels"):
        FewParities().estimate(Problem(H, model, "square", Moment.SECOND), SETTINGS)


def test_alignment_of_a_class_is_its_mean_over_targets() -> None:
    H, model = gv.SparseParities(7, 2), gv.MLP.random([7, 5, 1], "relu", rng=2)
    each = [gv.gradient_alignment(target, model).value for target in H]
    assert gv.gradient_alignment(H, model).value == pytest.approx(np.mean(each), rel=1e-12)
    assert gv.gradient_alignment(H, model).value == pytest.approx(gv.degree_spectrum(model)[2], rel=1e-12)
    x = H.inputs.points(0, 2**7)
    risks = reference.gradients(
        reference.parity_table(7, 2), np.full(2**7, 2**-7), model.predict(x), model.gradient(x), "square"
    )
    share = gv.gradient_alignment(H, model).value - float(
        ((risks - model.predict(x) @ model.gradient(x) / 2**7).mean(axis=0) ** 2).sum()
    )
    assert share == pytest.approx(reference.gradient_variance(risks), rel=1e-9)
