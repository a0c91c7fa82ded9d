"""Orthogonal networks: values, norms, covariances and orthogonality against sums over signs and over members."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import gradvar as gv
from gradvar.classes.formulas.sine_products import HALVES, inner_products, mean_square, separate
from gradvar.core.activations import ACTIVATIONS
from gradvar.testing import check_hypothesis_class

CASES = [
    ("tanh", 1),
    ("tanh", 3),
    ("tanh", 7),
    ("erf", 3),
    ("sigmoid", 3),
    ("sin", 5),
    ("cos", 4),
    ("relu", 2),
    ("relu", 4),
    ("gelu", 2),
    ("gelu", 4),
    ("softplus", 2),
    ("relu", 1),
    ("gelu", 1),
    ("softplus", 1),
    ("identity", 1),
]


def sums_over_signs(activation: str, x: np.ndarray) -> np.ndarray:
    """The definition, without its normalisation, for x (n, k)."""
    k = x.shape[1]
    total = np.zeros(x.shape[0])
    for w in itertools.product((1.0, -1.0), repeat=k):
        total += math.prod(w) * ACTIVATIONS[activation](x @ np.array(w) / math.sqrt(k))[0]
    return total


def gauss(k: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Tensor Gauss-Hermite nodes and weights for N(0, I_k)."""
    t, w = np.polynomial.hermite_e.hermegauss(nodes)
    points = np.stack(np.meshgrid(*[t] * k, indexing="ij"), axis=-1).reshape(-1, k)
    weights = np.prod(np.stack(np.meshgrid(*[w / w.sum()] * k, indexing="ij"), axis=-1).reshape(-1, k), axis=1)
    return points, weights


@pytest.mark.parametrize(("activation", "degree"), CASES)
def test_values_are_multiples_of_the_definition(activation: str, degree: int):
    """One positive factor for all inputs and members, the one of the mean square (its own test)."""
    H = gv.OrthogonalNetworks(8, degree, activation)
    rng = np.random.default_rng(3)
    x, members = rng.standard_normal((50, 8)), H.sample(4, rng)
    expected = np.array([sums_over_signs(activation, x[:, v]) for v in members])
    found = H.evaluate(members, x)
    factor = float((expected * found).sum() / (expected**2).sum())
    assert factor > 0
    assert_allclose(found, factor * expected, atol=1e-11 * np.abs(found).max())
    if activation in HALVES and HALVES[activation].odd == bool(degree % 2):
        assert_allclose(factor, 2.0**-degree / math.sqrt(mean_square(HALVES[activation], degree)), rtol=1e-11)


@pytest.mark.parametrize(("activation", "degree"), [("tanh", 1), ("tanh", 3), ("erf", 3), ("sigmoid", 3), ("gelu", 2)])
def test_orthonormal_by_quadrature(activation: str, degree: int):
    """E f_S f_T = [S = T] over overlapping S and T, by a tensor rule in their union."""
    dim = degree + 1
    H = gv.OrthogonalNetworks(dim, degree, activation)
    x, weights = gauss(dim, {2: 60, 3: 60, 4: 40}[dim])
    values = H.evaluate(H.members(), x)
    gram = (values * weights) @ values.T
    assert_allclose(gram, np.eye(dim), atol=3e-4 if activation == "tanh" else 1e-5)
    assert_allclose(gram - np.diag(np.diagonal(gram)), 0, atol=1e-12)
    assert_array_equal(H.inner_products(H.members(), H.members()), np.eye(dim))


def test_relu_of_two_coordinates_is_known():
    """(|a + b| - |a - b|)/sqrt 2 = sqrt 2 sign(ab) min(|a|, |b|), E min^2 = 1 - 2/pi."""
    H = gv.OrthogonalNetworks(2, 2, "relu")
    a, b = np.random.default_rng(0).standard_normal((2, 100))
    expected = np.sign(a * b) * np.minimum(np.abs(a), np.abs(b)) / math.sqrt(1 - 2 / math.pi)
    assert_allclose(H.evaluate([[True, True]], np.stack([a, b], axis=1))[0], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("activation", "degree"), [("tanh", 3), ("erf", 5), ("sin", 9), ("cos", 8), ("softplus", 4)])
def test_mean_square_by_double_integral(activation: str, degree: int):
    """The Hermite series against the double integral of the sine transform, itself a sum of positive terms."""
    half = HALVES[activation]
    if half.density is None:
        expected = inner_products(np.ones(1), np.ones(1), degree)[0, 0]
    else:
        t, w = np.polynomial.legendre.leggauss(1200)
        masses = 15 * w * half.density(15 * (t + 1))
        expected = masses @ inner_products(15 * (t + 1), 15 * (t + 1), degree) @ masses
    assert_allclose(mean_square(half, degree), expected, rtol=1e-11)


@pytest.mark.parametrize(("activation", "k"), [("relu", 2), ("relu", 4), ("relu", 6)])
def test_mean_square_by_the_dual_activation(activation: str, k: int):
    """2^-k sum_j (-1)^j C(k, j) rho(1 - 2j/k), rho of the relu: the arc-cosine kernel."""
    u = 1 - 2 * np.arange(k + 1) / k
    rho = (np.sqrt(1 - u * u) + u * (math.pi - np.arccos(u))) / (2 * math.pi)
    alternating = sum((-1) ** j * math.comb(k, j) * r for j, r in enumerate(rho)) / 2**k
    assert_allclose(mean_square(HALVES[activation], k), alternating, rtol=1e-11)


@pytest.mark.parametrize(("activation", "degree"), [("tanh", 3), ("erf", 3), ("gelu", 2), ("softplus", 4), ("cos", 4)])
def test_few_frequencies_are_as_close_as_they_say(activation: str, degree: int):
    half = HALVES[activation]
    found = separate(half, degree)
    assert found is not None
    t, c, share = found
    assert share <= 1e-4
    H = gv.OrthogonalNetworks(degree, degree, activation)
    x = np.random.default_rng(5).standard_normal((20_000, degree))
    values = H.evaluate(np.ones((1, degree), dtype=bool), x)[0]
    products = np.prod(np.sin(t[:, None] * x[:, None, :] / math.sqrt(degree)), axis=2) @ c
    products *= np.sign(products @ values) / math.sqrt(mean_square(half, degree))
    # The mean over 20 000 of a square whose kurtosis is in the tens.
    assert np.sqrt(np.mean((products - values) ** 2)) <= 2 * share + 1e-13


def test_no_few_frequencies_carry_a_kink():
    assert separate(HALVES["relu"], 2) is None
    H = gv.OrthogonalNetworks(300, 2, "relu")
    with pytest.raises(gv.NotApplicableError, match="take a smaller dim, or an activation without a kink"):
        H.covariance(np.zeros((1, 300)), np.zeros((1, 300)))


@pytest.mark.parametrize(("activation", "degree"), CASES)
def test_mean_and_covariance_over_all_members(activation: str, degree: int):
    H = gv.OrthogonalNetworks(8, degree, activation)
    rng = np.random.default_rng(7)
    x, x2 = rng.standard_normal((6, 8)), rng.standard_normal((5, 8))
    values, values2 = H.evaluate(H.members(), x), H.evaluate(H.members(), x2)
    expected = (values - values.mean(axis=0)).T @ (values2 - values2.mean(axis=0)) / H.size
    scale = float(np.abs(values).max() * np.abs(values2).max())
    assert_allclose(H.mean(x), values.mean(axis=0), atol=1e-14 * scale)
    assert_allclose(H.covariance(x, x2), expected, atol=1e-14 * scale)


@pytest.mark.large
@pytest.mark.parametrize(("activation", "degree", "dim"), [("sin", 5, 22), ("cos", 4, 32), ("tanh", 3, 60)])
def test_large_classes_by_frequencies(activation: str, degree: int, dim: int):
    """Above 2^15 members the frequencies take over; the members tell whether they are right."""
    H = gv.OrthogonalNetworks(dim, degree, activation)
    if activation == "tanh":
        H.size = 2**40  # as if too large, and undone below
    else:
        H.size = H.size if H.size > 2**15 else 2**40
    size = math.comb(dim, degree)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, dim))
    found, mean = H.covariance(x, x), H.mean(x)
    scale = H.size / size
    H.size = size
    values = np.concatenate([H.evaluate(part, x) for part in np.array_split(H.members(), 20)])
    uncentred = values.T @ values / size
    found = (found + mean[:, None] * mean) * scale
    mean = mean * scale
    if activation == "tanh":
        # 1e-4 of the norm of each member, in the mean over pairs: <C, error> with E C^2 = 1/|H|.
        assert np.linalg.norm(found - uncentred) <= 3e-4 * np.linalg.norm(uncentred)
        assert_allclose(mean, values.mean(axis=0), atol=1e-3 / math.sqrt(size))
    else:
        assert_allclose(found, uncentred, atol=1e-13 * float(np.abs(values).max()) ** 2)
        assert_allclose(mean, values.mean(axis=0), atol=1e-13 * float(np.abs(values).max()))


def test_members_numbers_and_sampling():
    H = gv.OrthogonalNetworks(7, 3)
    members = H.members()
    numbers = members @ (1 << np.arange(7))
    assert members.shape == (35, 7)
    assert (members.sum(axis=1) == 3).all()
    assert (np.diff(numbers) > 0).all()
    assert_array_equal(np.array([H.member(i).which for i in range(35)]), members)
    assert len(H) == 35
    drawn = H.sample(35_000, 11)
    assert_array_equal(drawn, H.sample(35_000, 11))
    counts = np.bincount(np.searchsorted(numbers, drawn @ (1 << np.arange(7))), minlength=35)
    assert stats.chisquare(counts).pvalue > 1e-6


def test_sizes_and_norms():
    H = gv.OrthogonalNetworks(30, 3)
    assert (H.size, H.operator_norm(), H.operator_norm(centred=False)) == (4060, *[pytest.approx(1 / 4060)] * 2)
    assert gv.OrthogonalNetworks(3, 3).operator_norm() == 0.0
    assert gv.OrthogonalNetworks(3, 3).operator_norm(centred=False) == 1.0
    big = gv.OrthogonalNetworks(10_000, 15)
    assert big.log2_operator_norm() == -big.log2_size == -math.log2(math.comb(10_000, 15))
    wide = gv.OrthogonalNetworks(1000, 5)
    assert wide.member(wide.size - 1).which.nonzero()[0].tolist() == list(range(995, 1000))
    with pytest.raises(gv.TooLargeError, match="draw some with sample"):
        big.members()


@pytest.mark.parametrize(
    ("activation", "degree"),
    [("relu", 3), ("gelu", 5), ("softplus", 3), ("tanh", 2), ("sigmoid", 4), ("erf", 2), ("cos", 3), ("identity", 2)],
)
def test_a_class_of_zeros_is_an_error(activation: str, degree: int):
    """And the sums really are zero."""
    x = np.random.default_rng(0).standard_normal((20, degree))
    assert np.abs(sums_over_signs(activation, x)).max() < 1e-14 * 2**degree
    with pytest.raises(ValueError, match=r"`degree` must be .* for the activation"):
        gv.OrthogonalNetworks(8, degree, activation)


@pytest.mark.parametrize(("activation", "degree"), [("tanh", 1), ("erf", 3), ("gelu", 2)])
def test_null_functions(activation: str, degree: int):
    """E_x'[C_H(x, x') f(x')] = 0 within 6 standard errors; the coordinates at degree 1 are not such functions."""
    H = gv.OrthogonalNetworks(4, degree, activation)
    x, x2 = (H.inputs.sample(n, np.random.default_rng(n)) for n in (5, 100_000))
    covariance = H.covariance(x, x2)
    functions = H.null_functions(x2)
    assert functions.shape[1] == (2 if degree == 1 else 6)
    means, errors = [], []
    for f in np.concatenate([functions, x2], axis=1).T:
        means.append((covariance * f).mean(axis=1))
        errors.append((covariance * f).std(axis=1) / x2.shape[0] ** 0.5)
    seen = np.abs(means) > 6 * np.array(errors)
    assert not seen[: functions.shape[1]].any()
    assert seen[functions.shape[1] :].any() == (degree == 1)


@pytest.mark.parametrize(("activation", "degree"), [("tanh", 3), ("relu", 2)])
def test_all_that_is_said_of_the_class(activation: str, degree: int):
    report = check_hypothesis_class(gv.OrthogonalNetworks(6, degree, activation), rng=0)
    assert report.passed, str(report)


def test_bad_arguments():
    H = gv.OrthogonalNetworks(4, 3)
    with pytest.raises(ValueError, match="`degree` must be an integer from 1 to 4, got 5"):
        gv.OrthogonalNetworks(4, 5)
    with pytest.raises(ValueError, match="`activation` must be one of 'tanh'"):
        gv.OrthogonalNetworks(4, 3, "step")
    with pytest.raises(gv.ShapeError, match=r"`members` must have shape \(m, 4\)"):
        H.evaluate([[True] * 3], np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"`members` must be rows of True and False .* got other values than 0 and 1"):
        gv.OrthogonalNetworks(4, 3).evaluate([[0, 1, 2, 3]], np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"OrthogonalNetworks.* has no member of degree 2"):
        H.evaluate([[True, True, False, False]], np.zeros((1, 4)))
    with pytest.raises(gv.ShapeError, match=r"`x` must have shape \(n, 4\)"):
        H.mean(np.zeros((1, 3)))
    with pytest.raises(gv.LabelError):
        gv.bound_check(H, gv.Linear([1.0] * 4), loss="hinge")


def test_equality_and_copies():
    H = gv.OrthogonalNetworks(5, 3, "erf")
    twin = pickle.loads(pickle.dumps(H))
    x = np.random.default_rng(0).standard_normal((3, 5))
    assert twin == H
    assert_array_equal(twin.covariance(x, x), H.covariance(x, x))
    assert gv.OrthogonalNetworks(5, 3) == gv.OrthogonalNetworks(5, 3, "tanh") != gv.OrthogonalNetworks(5, 3, "erf")
    assert repr(gv.OrthogonalNetworks(5, 2, "relu")) == "OrthogonalNetworks(dim=5, degree=2, activation='relu')"
    assert len({gv.OrthogonalNetworks(5, 3), gv.OrthogonalNetworks(5, 3)}) == 1


def test_variance_of_a_member_as_predictor():
    """p = u f_T for one member T, in its output weight: g = f_T, so that Var = (1 - 1/|H|)/|H| exactly."""
    H = gv.OrthogonalNetworks(6, 3)
    target = H.member(4)
    model = gv.from_function(lambda x: target(x), lambda x: target(x)[:, None], 1)
    check = gv.bound_check(H, model, rng=0, max_samples=4096, confidence=1 - 1e-6)
    low, high = check.variance.interval
    assert low <= (1 - 1 / 20) / 20 <= high
    assert high - low < 0.05
    assert check.verdict != "violated"
    assert check.bounds["theorem-1"].applicable
