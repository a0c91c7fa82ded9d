"""Random networks: laws of the weights, values, and the closed forms of relu neurons."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, special, stats

import gradvar as gv
from gradvar.classes.formulas.arc_cosine import arc_cosine_kernel
from gradvar.core.activations import ACTIVATIONS
from gradvar.testing import check_hypothesis_class

NEURON = [("gaussian", ()), ("sphere", ()), ("gaussian", (3,)), ("sphere", (4,))]


def test_values_layer_by_layer():
    H = gv.RandomNetworks(4, (3, 2), "tanh", weights="uniform")
    members, x = H.sample(5, 0), np.random.default_rng(1).standard_normal((6, 4))
    for row, values in zip(members, H.evaluate(members, x), strict=True):
        first, second, last = row[:12].reshape(3, 4), row[12:18].reshape(2, 3), row[18:]
        for point, value in zip(x, values, strict=True):
            assert_allclose(value, last @ np.tanh(second @ np.tanh(first @ point)), rtol=1e-13, atol=1e-15)
    assert H.n_weights == members.shape[1] == 20


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_hidden_layer_is_a_neuron(activation: str):
    H = gv.RandomNetworks(3, (), activation)
    w, x = H.sample(4, 0), np.random.default_rng(1).standard_normal((7, 3))
    assert_allclose(H.evaluate(w, x), ACTIVATIONS[activation](w @ x.T)[0], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("weights", ["gaussian", "sphere", "uniform"])
def test_laws_of_the_weights(weights: str):
    """Kolmogorov-Smirnov at 1e-6, of a weight of the first and of the output layer, and what is certain."""
    H = gv.RandomNetworks(5, (7,), weights=weights)
    drawn = H.sample(20_000, 3)
    assert_array_equal(drawn, H.sample(20_000, 3))
    for column, fan_in in ((2, 5), (36, 7)):
        law = {
            "gaussian": stats.norm(scale=fan_in**-0.5),
            "uniform": stats.uniform(-math.sqrt(3 / fan_in), 2 * math.sqrt(3 / fan_in)),
            "sphere": stats.beta((fan_in - 1) / 2, (fan_in - 1) / 2, loc=-1, scale=2),
        }[weights]
        assert stats.kstest(drawn[:, column], law.cdf).pvalue > 1e-6
    if weights == "sphere":
        assert_allclose(np.linalg.norm(drawn[:, :35].reshape(-1, 7, 5), axis=2), 1, rtol=1e-14)
        assert_allclose(np.linalg.norm(drawn[:, 35:], axis=1), 1, rtol=1e-14)


def test_reference_numbers():
    for weights in ("sphere", "gaussian"):
        H = gv.RandomNetworks(10, (), "relu", weights=weights)
        assert H.operator_norm() == pytest.approx(1 / 40, rel=1e-15)
        assert round(H.operator_norm(centred=False), 6) == 0.167301
        assert round(H.spectrum(0, centred=False)[0], 6) == 0.167301
        assert round(H.spectrum(2)[0], 8) == 1.38265e-3
        assert (H.log2_size, H.size, H.is_orthonormal) == (math.inf, None, False)
    assert gv.RandomNetworks(10**9, (), "relu").log2_operator_norm() == -2 - math.log2(1e9)
    assert_allclose(gv.RandomNetworks(10**8, (5,), "relu").operator_norm(), 1 / (2 * math.pi), rtol=1e-6)


@pytest.mark.parametrize("dim", [2, 3, 5, 10])
def test_spectrum_by_funk_and_hecke(dim: int):
    """lambda_l = E[kappa(T) P_l(T)], P_l the Legendre polynomial of dimension d, by quadrature in the angle."""
    H = gv.RandomNetworks(dim, (), "relu", weights="sphere")

    def integrand(angle: float, degree: int) -> float:
        u = math.cos(angle)
        kappa = (math.sin(angle) + (math.pi - angle) * u) / (2 * math.pi)
        if dim == 2:
            harmonic = math.cos(degree * angle)
        else:
            alpha = dim / 2 - 1
            harmonic = special.eval_gegenbauer(degree, alpha, u) / special.eval_gegenbauer(degree, alpha, 1.0)
        return kappa * harmonic * math.sin(angle) ** (dim - 2)

    total = integrate.quad(lambda a: math.sin(a) ** (dim - 2), 0, math.pi)[0]
    for degree in range(9):
        expected = integrate.quad(integrand, 0, math.pi, args=(degree,), epsabs=1e-14, limit=200)[0] / total
        assert_allclose(H.spectrum(degree, centred=False)[0], expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("weights", "widths"), NEURON)
@pytest.mark.parametrize("dim", [2, 3, 6])
def test_spectrum_sums_to_the_trace(weights: str, widths: tuple[int, ...], dim: int):
    """sum lambda_l dim(d, l) = E h^2 = 1/2; centred, minus E mean^2. The tail falls as l^-3: bounded by l^-2."""
    H = gv.RandomNetworks(dim, widths, "relu", weights=weights)
    last = 4000
    terms = [math.prod(H.spectrum(degree, centred=False)) for degree in [0, 1, *range(2, last, 2)]]
    assert math.fsum(terms) <= 0.5
    assert math.fsum(terms) == pytest.approx(0.5, abs=terms[-1] * last)
    assert all(value <= H.operator_norm() * (1 + 1e-14) for value, _ in map(H.spectrum, range(6)))
    removed = 0.5 - (H.spectrum(0, centred=False)[0] - H.spectrum(0)[0])
    mean_square = H.mean(np.eye(dim)[:1])[0] ** 2 * dim  # E |x|^2 = d
    assert removed == pytest.approx(0.5 - mean_square, rel=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 7])
def test_multiplicities(dim: int):
    """The harmonics of degree l of R^d and those of lower degrees are the polynomials of degree l on the sphere."""
    H = gv.RandomNetworks(dim, (), "relu")
    for degree in range(1, 8):
        polynomials = math.comb(dim + degree - 1, degree) + math.comb(dim + degree - 2, degree - 1)
        assert sum(H.spectrum(low)[1] for low in range(degree + 1)) == polynomials


@pytest.mark.parametrize(("weights", "widths"), NEURON)
def test_mean_and_covariance_against_members(weights: str, widths: tuple[int, ...]):
    """Means over 200 000 members within 6 standard errors: a false alarm below 1e-6 over the 3 x 12 numbers."""
    H = gv.RandomNetworks(3, widths, "relu", weights=weights)
    x, x2 = np.random.default_rng(0).standard_normal((2, 3, 3))
    x2[0] = x[0]  # and on the diagonal
    members = H.sample(200_000, 1)
    values, values2 = H.evaluate(members, x), H.evaluate(members, x2)
    assert (np.abs(values.mean(axis=0) - H.mean(x)) <= 6 * values.std(axis=0) / len(values) ** 0.5).all()
    products = (values - values.mean(axis=0))[:, :, None] * (values2 - values2.mean(axis=0))[:, None]
    error = products.std(axis=0) / len(values) ** 0.5
    assert (np.abs(products.mean(axis=0) - H.covariance(x, x2)) <= 6 * error).all()
    assert (error < 0.01).all()


@pytest.mark.parametrize("widths", [(), (3,)])
def test_inner_products_against_inputs(widths: tuple[int, ...]):
    H = gv.RandomNetworks(4, widths, "relu")
    first, second = H.sample(3, 0), H.sample(2, 1)
    x = H.inputs.sample(200_000, np.random.default_rng(2))
    products = H.evaluate(first, x)[:, None] * H.evaluate(second, x)
    error = products.std(axis=2) / x.shape[0] ** 0.5
    assert (np.abs(products.mean(axis=2) - H.inner_products(first, second)) <= 6 * error).all()


def test_kernel_at_its_edges():
    x = np.array([[1.0, 2.0], [0.0, 0.0], [-3.0, -6.0]])
    assert_allclose(arc_cosine_kernel(x, x), [[2.5, 0, 0], [0, 0, 0], [0, 0, 22.5]], atol=1e-15)


def test_closed_forms_only_where_they_hold():
    for H in (
        gv.RandomNetworks(5, (), "relu", weights="uniform"),
        gv.RandomNetworks(5, (4, 4), "relu"),
        gv.RandomNetworks(5, (4,), "tanh"),
    ):
        members, x = H.sample(2, 0), np.ones((3, 5))
        for name, arguments in (
            ("mean", (x,)),
            ("covariance", (x, x)),
            ("inner_products", (members, members)),
            ("operator_norm", ()),
            ("log2_operator_norm", (False,)),
            ("spectrum", (1,)),
        ):
            with pytest.raises(gv.NotApplicableError, match="has no closed form"):
                getattr(H, name)(*arguments)
        assert H.evaluate(members, x).shape == (2, 3)
    H = gv.RandomNetworks(5, (4,), "relu", weights="sphere")
    assert H.covariance(np.ones((3, 5)), np.ones((2, 5))).shape == (3, 2)
    for twin in (pickle.loads(pickle.dumps(H)), copy.deepcopy(H)):
        assert twin == H
        assert twin.operator_norm() == H.operator_norm()
    assert repr(H) == "RandomNetworks(5, (4,), 'relu', weights='sphere')"
    assert gv.RandomNetworks(5, (4,), "relu") != H
    assert hash(H) == hash(copy.copy(H))


@pytest.mark.parametrize(
    ("widths", "activation", "weights"),
    [((), "relu", "sphere"), ((), "relu", "gaussian"), ((3,), "relu", "sphere"), ((3, 2), "tanh", "uniform")],
)
def test_all_that_is_said_of_the_class(widths: tuple[int, ...], activation: str, weights: str):
    report = check_hypothesis_class(gv.RandomNetworks(4, widths, activation, weights=weights), rng=0)
    assert report.passed, str(report)


def test_negative_control():
    """A linear predictor lives on the degree l = 1 alone and meets the bound G^2/(4d): Var = d/(4d) = 1/4."""
    H = gv.RandomNetworks(10, (), "relu", weights="sphere")
    check = gv.bound_check(H, gv.Linear([0.0] * 10), rng=0, max_samples=4096, confidence=1 - 1e-6)
    low, high = check.variance.interval
    assert low <= 0.25 <= high
    assert high - low < 0.1
    assert check.variance.method.startswith("monte-carlo")
    assert not check.bounds["theorem-1"].applicable
    bound = check.bounds["operator-norm"]
    assert bound.log2_constant == -2 - math.log2(10)
    # G^2 is exact: the interval is the rounding of two logarithms
    assert bound.log2_interval == pytest.approx((-2, -2), abs=1e-14)
    assert check.verdict == "inconclusive"  # equality: no interval can tell


def test_drawn_members_agree_with_the_covariance():
    """The class without its closed forms, members drawn: intervals at 1 - 1e-6 both hold 1/4, not 0, not twice it."""
    H = gv.RandomNetworks(6, (), "relu", weights="sphere")
    drawn = gv.SampledClass(lambda rng: H.member(H.sample(1, rng)[0]), H.inputs)
    model = gv.Linear([0.0] * 6)
    for hypotheses in (H, drawn):
        low, high = gv.gradient_variance(hypotheses, model, rng=0, max_samples=4096, confidence=1 - 1e-6).interval
        assert 0 < low <= 0.25 <= high < 0.5


def test_bad_arguments():
    with pytest.raises(TypeError, match="`widths` must be a sequence of integers >= 1, got 5"):
        gv.RandomNetworks(4, 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"`widths\[1\]` must be an integer >= 1, got 0"):
        gv.RandomNetworks(4, (3, 0))
    with pytest.raises(ValueError, match="`weights` must be one of 'gaussian', 'sphere', 'uniform', got 'cauchy'"):
        gv.RandomNetworks(4, (), weights="cauchy")
    with pytest.raises(ValueError, match="`activation` must be one of"):
        gv.RandomNetworks(4, (), "step")
    with pytest.raises(ValueError, match="`dim` must be an integer >= 2, got 1"):
        gv.RandomNetworks(1, (), weights="sphere")
    H = gv.RandomNetworks(4, (2,), "tanh")
    with pytest.raises(gv.ShapeError, match=r"`members` must have shape \(m, 10\)"):
        H.evaluate(np.zeros((1, 9)), np.zeros((1, 4)))
    with pytest.raises(gv.NotApplicableError, match="infinitely many members"):
        H.members()
    with pytest.raises(ValueError, match="`degree` must be an integer >= 0"):
        gv.RandomNetworks(4, (), "relu").spectrum(-1)
