"""Expected variance over random initialisation: against the kernel on the whole cube, 700-digit sums, and networks."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.methods.closed_form.infinite_width import eigenvalue

MODELS = {
    "relu": gv.InfiniteMLP(1, "relu"),
    "erf": gv.InfiniteMLP(1, "erf"),
    "relu-width-64": gv.InfiniteMLP(1, "relu", 64, scale=0.4),
    "erf-no-bias": gv.InfiniteMLP(1, "erf", 8, bias=False, scale=5.0),
    "relu-no-bias": gv.InfiniteMLP(1, "relu", bias=False),
    "deep-relu": gv.InfiniteMLP(4, "relu", scale=math.sqrt(2)),
    "deep-erf": gv.InfiniteMLP(3, "erf", 32, scale=2.0),
}


def levels(model: gv.InfiniteMLP, dim: int) -> np.ndarray:
    """The eigenvalues at degree 0..dim by brute force: the mean of Theta(x, (1, ..., 1)) chi_S(x) over all x."""
    points = gv.Hypercube(dim).points(0, 2**dim)
    row = model.tangent_kernel(points, points[:1])[:, 0]
    return np.array([math.fsum(row * points[:, :k].prod(axis=1)) / 2**dim for k in range(dim + 1)])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dim", [1, 2, 5, 8])
def test_eigenvalues_are_those_of_the_kernel_matrix(name: str, dim: int):
    model = MODELS[name]
    points = gv.Hypercube(dim).points(0, 2**dim)
    matrix = model.tangent_kernel(points, points) / 2**dim
    expected = np.linalg.eigvalsh(matrix)
    found = [np.ldexp(e.mantissa, e.exponent) for e in (eigenvalue(model, dim, k) for k in range(dim + 1))]
    repeated = np.sort(np.repeat(found, [math.comb(dim, k) for k in range(dim + 1)]))
    assert_allclose(repeated, expected, rtol=1e-9, atol=1e-14 * expected[-1] * 2**dim)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dim", [3, 7, 10])
def test_eigenvalue_of_each_degree(name: str, dim: int):
    model = MODELS[name]
    expected = levels(model, dim)
    top = float(model.kernel(1.0, dim))
    for k in range(dim + 1):
        found = eigenvalue(model, dim, k)
        value, error = np.ldexp(found.mantissa, found.exponent), np.ldexp(found.error, found.exponent)
        assert_allclose(value, expected[k], rtol=1e-9, atol=1e-14 * top)
        assert error <= 1e-11 * value
    # the trace
    total = math.fsum(
        math.comb(dim, k) * np.ldexp(e.mantissa, e.exponent)
        for k, e in enumerate(eigenvalue(model, dim, k) for k in range(dim + 1))
    )
    assert_allclose(total, top, rtol=1e-12)


# mantissa * 2^exponent, by the sum over Hamming weights in 800 digits
REFERENCE = [
    ((1, "relu", None), {}, 25, 1, 1.6961809641211212, -6),
    ((1, "relu", None), {}, 25, 2, 1.6212018723300918, -11),
    ((1, "relu", None), {}, 25, 3, 1.6284003215933887, -17),
    ((1, "relu", None), {}, 25, 4, 1.4163727579974087, -19),
    ((1, "relu", None), {}, 25, 12, 1.0965260637578353, -29),
    ((1, "relu", None), {}, 25, 24, 1.2615739441291369, -30),
    ((1, "relu", None), {}, 25, 25, 1.2210314742041714, -30),
    ((1, "erf", None), {}, 25, 1, 1.1064775421913689, -5),
    ((1, "erf", None), {}, 25, 2, 1.3408741430973398, -12),
    ((1, "erf", None), {}, 25, 3, 1.7846522198382616, -15),
    ((1, "erf", None), {}, 25, 4, 1.2616528945390969, -19),
    ((1, "erf", None), {}, 25, 12, 1.38410782630542, -36),
    ((1, "erf", None), {}, 25, 24, 1.0704495128738672, -47),
    ((1, "erf", None), {}, 25, 25, 1.1058497531398562, -47),
    ((3, "relu", 50), {"scale": 1.5}, 25, 1, 1.2147724507565893, 1),
    ((3, "relu", 50), {"scale": 1.5}, 25, 2, 1.0967150908733909, -3),
    ((3, "relu", 50), {"scale": 1.5}, 25, 3, 1.0185643178017247, -7),
    ((3, "relu", 50), {"scale": 1.5}, 25, 12, 1.4571895579970401, -21),
    ((3, "relu", 50), {"scale": 1.5}, 25, 25, 1.5459554007944081, -22),
    ((3, "erf", None), {"scale": 2.0, "bias": False}, 25, 1, 1.9824933876647498, -3),
    ((3, "erf", None), {"scale": 2.0, "bias": False}, 25, 3, 1.5733596955455438, -10),
    ((3, "erf", None), {"scale": 2.0, "bias": False}, 25, 5, 1.9025287388751402, -15),
    ((3, "erf", None), {"scale": 2.0, "bias": False}, 25, 25, 1.2684340734534857, -24),
    ((1, "relu", 128), {}, 1000, 1, 1.1286369385878033, -2),
    ((1, "relu", 128), {}, 1000, 2, 1.388588549495195, -12),
    ((1, "relu", 128), {}, 1000, 5, 1.6330732701086346, -50),
    ((1, "relu", 128), {}, 1000, 10, 1.4097957955848392, -76),
    ((1, "relu", 128), {}, 1000, 500, 1.5600937155485351, -998),
    ((1, "relu", 128), {}, 1000, 999, 1.0736316152613904, -1008),
    ((1, "erf", 128), {}, 1000, 1, 1.9161334815294349, -2),
    ((1, "erf", 128), {}, 1000, 2, 1.5854962546010564, -23),
    ((1, "erf", 128), {}, 1000, 5, 1.071783756721825, -38),
    ((1, "erf", 128), {}, 1000, 10, 1.0447472370813306, -87),
    ((1, "erf", 128), {}, 1000, 900, 1.4135247499789393, -1840),
    ((3, "relu", None), {}, 1000, 1, 1.9749186935256209, -13),
    ((3, "relu", None), {}, 1000, 5, 1.9754707448252281, -49),
    ((3, "relu", None), {}, 1000, 10, 1.4166698673605489, -85),
]


@pytest.mark.parametrize(("arguments", "options", "dim", "degree", "mantissa", "exponent"), REFERENCE)
def test_eigenvalues_against_many_digits(
    arguments: tuple, options: dict, dim: int, degree: int, mantissa: float, exponent: int
):
    found = eigenvalue(gv.InfiniteMLP(*arguments, **options), dim, degree)
    unit = found.exponent - exponent
    true_error = abs(math.ldexp(found.mantissa, unit) - mantissa)
    claimed = math.ldexp(found.error, unit)
    assert true_error <= claimed
    # the odd part of the relu kernel is small, and at k = 999 so is what is left of it beyond the last coefficient
    assert claimed <= (2e-9 if degree == 999 else 1e-10) * mantissa
    # not lazy: within a factor 1000 of the error (4000 where 16 384 coefficients are added up), or a hundred roundings
    lazy = 4000 if degree == 500 else 1000
    assert claimed <= max(lazy * true_error, 2e-14 * arguments[0])


@pytest.mark.parametrize("name", MODELS)
def test_variance_is_the_kernel_against_the_class_covariance(name: str):
    # E_{x,x'}[C_H(x, x') Theta(x, x')] over all pairs
    model, dim = MODELS[name], 6
    points = gv.Hypercube(dim).points(0, 2**dim)
    theta = model.tangent_kernel(points, points)
    for H in (gv.Parities(dim), *(gv.SparseParities(dim, k) for k in range(dim + 1))):
        for loss, factor in (("square", 1), ("correlation", 1), ("logistic", 0.25), ("perceptron", 0.25)):
            estimate = gv.gradient_variance(H, model, loss)
            assert estimate.exact
            assert estimate.method.startswith("closed-form")
            expected = factor * (H.covariance(points, points) * theta).mean()
            assert_allclose(estimate.value, expected, rtol=1e-9, atol=1e-15 * theta.max())
            low, high = estimate.interval
            assert low <= estimate.value <= high


@pytest.mark.large
@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("bias", [True, False])
def test_one_hidden_layer_is_the_mean_over_random_networks(activation: str, bias: bool):
    # exact at every width; 7 degrees, 4 standard errors: 2e-3 for all four cases, at a fixed seed
    dim, width, n = 7, 16, 400
    spectra = np.array(
        [gv.degree_spectrum(gv.MLP.random([dim, width, 1], activation, rng=i, bias=bias)) for i in range(n)]
    )
    mean, error = spectra.mean(axis=0), spectra.std(axis=0) / math.sqrt(n)
    model = gv.InfiniteMLP(1, activation, width, bias=bias)
    for k in range(1, dim):
        shrunk = gv.gradient_variance(gv.SparseParities(dim, k), model).value
        expected = shrunk / (1 - 1 / math.comb(dim, k))
        assert abs(mean[k] - expected) <= 4 * error[k] + 1e-15


@pytest.mark.large
@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_variance_of_random_networks_by_enumeration(activation: str):
    dim, n = 8, 150
    for sizes, slack in (([dim, 24, 1], 0.0), ([dim, 96, 96, 1], 4 / 96)):
        model = gv.InfiniteMLP(len(sizes) - 2, activation, sizes[1])
        for degree in (2, 3) if len(sizes) == 3 else (1,):
            H = gv.SparseParities(dim, degree)
            many = n if len(sizes) == 3 else 12
            values = [
                gv.gradient_variance(H, gv.MLP.random(sizes, activation, rng=i), method="enumeration").value
                for i in range(many)
            ]
            expected = gv.gradient_variance(H, model).value
            error = np.std(values) / math.sqrt(many)
            assert abs(np.mean(values) - expected) <= 4 * error + slack * expected


@pytest.mark.parametrize(("activation", "zero"), [("relu", range(3, 9, 2)), ("erf", range(2, 9, 2))])
def test_without_biases_one_parity_of_the_degrees_is_exactly_zero(activation: str, zero: range):
    # relu: Theta - rho/2 is even; erf: Theta is odd
    model = gv.InfiniteMLP(1, activation, bias=False)
    for k in range(1, 9):
        estimate = gv.gradient_variance(gv.SparseParities(9, k), model)
        assert (estimate.value == 0) == (k in zero)
        assert estimate.interval == (0.0, 0.0) or k not in zero


@pytest.mark.parametrize("name", ["relu", "erf", "deep-relu", "deep-erf"])
def test_dimension_1000(name: str):
    model = MODELS[name]
    last = {0: math.inf, 1: math.inf}
    for k in range(1, 11):
        estimate = gv.gradient_variance(gv.SparseParities(1000, k), model)
        low, high = estimate.interval
        assert 0 < low < estimate.value < high
        assert high - low <= 1e-12 * estimate.value
        # within one parity of the degrees they fall, and fast
        assert estimate.value < 1e-2 * last[k % 2]
        last[k % 2] = estimate.value


def test_dimension_10_000_and_numbers_below_float64():
    estimate = gv.gradient_variance(gv.SparseParities(10_000, 400), gv.InfiniteMLP(2, "erf", 16))
    assert estimate.value == 0
    assert -6000 < estimate.log2 < -1100
    low, high = estimate.mantissa_interval
    assert 0 < low < high < low * (1 + 1e-10)


@pytest.mark.parametrize("dim", [4, 1000, 5000])
def test_all_parities_are_the_trace(dim: int):
    model = gv.InfiniteMLP(2, "relu", 10)
    estimate = gv.gradient_variance(gv.Parities(dim), model)
    top = float(model.kernel(1.0, dim))
    assert_allclose(estimate.log2, math.log2(top) - dim + math.log1p(-(2.0**-dim)) / math.log(2), rtol=1e-14)
    if dim == 4:
        total = sum(math.comb(dim, k) * levels(model, dim)[k] for k in range(dim + 1))
        assert_allclose(estimate.value, total / 16 * (1 - 1 / 16), rtol=1e-12)


@pytest.mark.parametrize("degree", [0, 6])
def test_a_class_of_one_member_has_no_variance(degree: int):
    estimate = gv.gradient_variance(gv.SparseParities(6, degree), MODELS["relu"])
    assert estimate.value == 0
    assert estimate.exact


@pytest.mark.parametrize("H", [gv.SparseParities(1000, 3), gv.Parities(30), gv.SparseParities(9, 2)])
@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_bound_check(H, loss: str):
    model = gv.InfiniteMLP(1, "relu", 128)
    check = gv.bound_check(H, model, loss)
    assert check.verdict == "holds"
    assert check.bound_name == "theorem-1"
    top = float(model.kernel(1.0, H.dim))
    square = 0.25 if loss == "logistic" else 1
    assert_allclose(check.gradient_norm_sq.value, top, rtol=1e-14)
    assert_allclose(check.signal_norm_sq.value, square * top, rtol=1e-14)
    assert check.gradient_norm_sq.exact
    assert_allclose(check.log2_bound, math.log2(top) - H.log2_size, rtol=1e-14)
    assert 0 < check.ratio <= 1
    text = check.explain()
    assert text.count("expected over random initialisation") >= 3
    assert "parameters" not in text
    assert check.to_dict()["problem"]["model"] == model.description
    assert check._repr_html_()


@pytest.mark.parametrize("method", ["monte-carlo", "enumeration"])
def test_methods_that_need_weights_decline(method: str):
    with pytest.raises(gv.NotApplicableError, match="no predictions or gradients"):
        gv.gradient_variance(gv.SparseParities(6, 2), MODELS["relu"], method=method)


@pytest.mark.parametrize("H", [gv.SparseParities(6, 2), gv.SparseParities(6, 6), gv.Parities(6)])
@pytest.mark.parametrize("loss", ["hinge", gv.MarginLoss(lambda t: -np.exp(-t), lipschitz=math.inf)])
def test_losses_whose_b_depends_on_the_prediction_are_declined(H, loss):
    for method in ("auto", "closed-form"):
        with pytest.raises(gv.NotApplicableError, match="depends on the prediction"):
            gv.gradient_variance(H, MODELS["relu"], loss, method=method)
    with pytest.raises(gv.NotApplicableError):
        gv.bound_check(H, MODELS["relu"], loss)


def test_other_classes_are_declined():
    H = gv.FiniteClass(np.array([[1.0, -1.0], [1.0, 1.0]]), [[1.0], [-1.0]])
    with pytest.raises(gv.NotApplicableError, match="neither Parities nor SparseParities"):
        gv.gradient_variance(H, MODELS["relu"])


def test_a_degree_too_high_for_the_series_is_declined():
    with pytest.raises(gv.NotApplicableError, match="relative error"):
        gv.gradient_variance(gv.SparseParities(10_000, 9000), MODELS["relu"])


def test_spectrum_needs_a_network_with_weights():
    with pytest.raises(gv.NotApplicableError, match="no predictions or gradients"):
        gv.degree_spectrum(gv.InfiniteMLP(1, dim=5))


def test_dimensions_must_fit():
    with pytest.raises(gv.ShapeError):
        gv.gradient_variance(gv.Parities(5), gv.InfiniteMLP(1, dim=6))


def test_a_network_with_weights_is_not_covered_by_it():
    problem = gv.Problem(gv.SparseParities(6, 2), gv.MLP.random([6, 3, 1], rng=0))
    from gradvar.methods.closed_form import infinite_width

    assert infinite_width.InfiniteWidth().uncovered(problem) == "the model is not an InfiniteMLP"
    covered = gv.Problem(gv.SparseParities(6, 2), MODELS["relu"])
    assert infinite_width.InfiniteWidth().declines(pickle.loads(pickle.dumps(covered))) is None
    assert gv.Auto().select(covered).method.name == "closed-form"
