"""BiasedParities against the table of their values on the whole cube, exact decimals at large dimension, and Parseval.

Statistical tests have fixed seeds and a false-alarm rate of 1e-6 each.
"""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2

import gradvar as gv
from gradvar.bounds.assumptions import orthonormality
from gradvar.estimation.settings import Settings
from gradvar.methods.closed_form.all_parities import AllParities
from gradvar.testing import reference

UNIT = 2.0**-53
BIASES = [0.3, -0.6, 0.95]
CLASSES = [(d, None) for d in (1, 2, 5)] + [(d, k) for d in (1, 2, 5) for k in range(d + 1)]
KINDS = pytest.mark.parametrize("normalised", [True, False])


def table(H: gv.BiasedParities) -> np.ndarray:
    """The values of all members at all points, by the definition."""
    dim, mu = H.inputs.dim, H.inputs.bias
    sigma = math.sqrt(1 - mu**2)
    rows = []
    for number in range(2**dim):
        members = [i for i in range(dim) if number >> i & 1]
        if H.degree is None or len(members) == H.degree:
            values = [[(x[i] - mu) / sigma if H.normalised else x[i] for i in members] for x in reference.cube(dim)]
            rows.append([math.prod(row) for row in values])
    return np.array(rows)


def point_weights(dim: int, mu: float) -> np.ndarray:
    return np.array([math.prod((1 + mu * xi) / 2 for xi in x) for x in reference.cube(dim)])


# The class on the whole cube


@pytest.mark.parametrize("mu", BIASES)
@pytest.mark.parametrize(("dim", "degree"), CLASSES)
@KINDS
def test_values_and_members_are_those_of_the_definition(dim: int, degree: int | None, mu: float, normalised: bool):
    H = gv.BiasedParities(dim, mu, degree, normalised)
    expected, members = table(H), H.members()
    assert members.shape == (H.size, dim)
    assert members.dtype == bool
    assert_array_equal(members, (gv.Parities(dim) if degree is None else gv.SparseParities(dim, degree)).members())
    assert H.log2_size == math.log2(H.size)
    values = H.evaluate(members, reference.cube(dim))
    assert_allclose(values, expected, rtol=1e-14)
    assert (H.labels == "signs") == (not normalised or degree == 0)
    if H.labels == "signs":
        assert_array_equal(values, expected)


@pytest.mark.parametrize("mu", BIASES)
@pytest.mark.parametrize(("dim", "degree"), CLASSES)
@KINDS
def test_mean_and_covariance_are_those_of_the_table(dim: int, degree: int | None, mu: float, normalised: bool):
    H = gv.BiasedParities(dim, mu, degree, normalised)
    values, x = table(H), reference.cube(dim)
    size = np.abs(values).mean(axis=0)  # what the sums over the members are made of
    assert (np.abs(H.mean(x) - reference.class_mean(values)) <= 64 * UNIT * size).all()
    pairs = np.abs(values).T @ np.abs(values) / len(values) + np.outer(size, size)
    assert (np.abs(H.covariance(x, x) - reference.class_covariance(values)) <= 64 * UNIT * pairs).all()
    some = [0, -1, len(x) // 2]
    assert_array_equal(H.covariance(x[some], x), H.covariance(x, x)[some])


@pytest.mark.parametrize("mu", BIASES)
@pytest.mark.parametrize(("dim", "degree"), CLASSES)
@KINDS
def test_gram_matrix_and_norms_are_those_of_the_table(dim: int, degree: int | None, mu: float, normalised: bool):
    H = gv.BiasedParities(dim, mu, degree, normalised)
    values, weights, members = table(H), point_weights(dim, mu), H.members()
    gram = reference.gram(values, weights)
    assert_allclose(H.inner_products(members, members), gram, rtol=0, atol=1e-13)
    assert H.inner_products(members[:1], members).shape == (1, H.size)
    for centred in (True, False):
        expected = reference.operator_norm(values, weights, centred)
        assert_allclose(H.operator_norm(centred), expected, rtol=1e-12, atol=1e-15)
        assert_allclose(2 ** H.log2_operator_norm(centred), expected, rtol=1e-12, atol=1e-15)
    orthonormal = np.abs(gram - np.eye(H.size)).max() < 1e-12
    assert H.is_orthonormal == orthonormal
    assert H.orthonormality[0] == ("proved" if orthonormal else "failed")


@pytest.mark.parametrize("mu", BIASES)
@pytest.mark.parametrize(("dim", "degree"), CLASSES)
@KINDS
def test_projection_is_the_mean_of_the_product_for_every_member(
    dim: int, degree: int | None, mu: float, normalised: bool
):
    H = gv.BiasedParities(dim, mu, degree, normalised)
    f = np.random.default_rng(0).normal(size=(2**dim, 3))
    before = f.copy()
    values, weights = table(H), point_weights(dim, mu)
    expected = reference.projection(values, weights, f)
    magnitude = np.abs(values) @ (weights[:, None] * np.abs(f))
    assert (np.abs(H.project(f) - expected) <= (4 * dim + 2**dim + 16) * UNIT * magnitude).all()
    assert_array_equal(f, before)


@pytest.mark.parametrize(("degree", "kinds"), [(None, (0, 0)), (0, (6, 6)), (1, (2, 2)), (2, (7, 2)), (5, (7, 7))])
@KINDS
def test_what_the_covariance_annihilates_has_one_inner_product_with_all_members(
    degree: int | None, kinds: tuple[int, int], normalised: bool
):
    H, x = gv.BiasedParities(5, 0.4, degree, normalised), reference.cube(5)
    f = H.null_functions(x)
    assert f.shape == (32, kinds[0] if normalised else kinds[1])
    products = reference.projection(table(H), point_weights(5, 0.4), f)
    assert_allclose(products, np.broadcast_to(products[:1], products.shape), rtol=0, atol=1e-14)
    image = H.covariance(x, x) @ (point_weights(5, 0.4)[:, None] * f)
    assert_allclose(image, np.zeros_like(f), rtol=0, atol=1e-14)


def test_normalised_characters_are_a_basis():
    # Parseval: sum_S E[h_S f]^2 = E f^2 under the biased measure; the plain ones are none
    f = np.random.default_rng(1).normal(size=(2**9, 2))
    weights = point_weights(9, -0.7)
    found = gv.BiasedParities(9, -0.7).project(f)
    assert_allclose((found**2).sum(axis=0), weights @ f**2, rtol=40 * 9 * UNIT)
    plain = gv.BiasedParities(9, -0.7, normalised=False).project(f)
    assert (np.abs((plain**2).sum(axis=0) / (weights @ f**2) - 1) > 0.1).all()


@pytest.mark.parametrize("degree", [None, 0, 1, 3, 7])
@KINDS
def test_without_a_bias_they_are_the_parities_of_the_uniform_cube(degree: int | None, normalised: bool):
    H = gv.BiasedParities(7, 0.0, degree, normalised)
    uniform = gv.Parities(7) if degree is None else gv.SparseParities(7, degree)
    x, members = reference.cube(7), uniform.members()
    assert H.inputs == uniform.inputs
    assert (H.size, H.labels, H.is_orthonormal) == (uniform.size, "signs", True)
    assert_array_equal(H.evaluate(members, x), uniform.evaluate(members, x))
    assert_array_equal(H.mean(x), uniform.mean(x))
    assert_array_equal(H.covariance(x, x), uniform.covariance(x, x))
    assert_array_equal(H.inner_products(members, members), np.eye(H.size))
    assert H.operator_norm() == uniform.operator_norm()
    assert H.log2_operator_norm(centred=False) == -uniform.log2_size
    f = np.random.default_rng(2).normal(size=(128, 2))
    assert_allclose(H.project(f), uniform.project(f), rtol=0, atol=40 * UNIT * np.abs(f).mean())


# Large dimension


def means_and_sensitivities(counts: Sequence[int], values: Sequence[Decimal], k: int) -> tuple[Decimal, Decimal]:
    """e_k / C(d, k) of repeated values, and how much it moves when each is changed relatively: all in Decimal."""

    def coefficient(counts: Sequence[int], k: int) -> Decimal:
        total = Decimal(0)
        for split in itertools.product(range(k + 1), repeat=len(counts) - 1):
            parts = [*split, k - sum(split)]
            if parts[-1] >= 0:
                terms = zip(counts, values, parts, strict=True)
                total += math.prod((math.comb(n, j) * v**j for n, v, j in terms), start=Decimal(1))
        return total

    size = math.comb(sum(counts), k)
    moved = Decimal(0)
    for i, count in enumerate(counts):
        if count and k:
            fewer = [n - (i == j) for j, n in enumerate(counts)]
            moved += count * abs(values[i] * coefficient(fewer, k - 1))
    mean = coefficient(counts, k) / size
    return mean, abs(mean) + moved / size


@pytest.mark.parametrize("mu", [0.3, -0.8, 0.98])
@pytest.mark.parametrize(("dim", "degree"), [(40, 5), (1000, 2), (1000, 5), (1000, 10)])
def test_covariance_of_one_degree_at_large_dimension_is_that_of_exact_decimals(dim: int, degree: int, mu: float):
    H = gv.BiasedParities(dim, mu, degree)
    x = H.inputs.sample(3, np.random.default_rng(dim + degree))
    x[2, : dim // 3] *= -1  # and a point such as is never drawn
    found, means = H.covariance(x, x), H.mean(x)
    with localcontext() as context:
        context.prec = 60
        at_plus = ((1 - Decimal(mu)) / (1 + Decimal(mu))).sqrt()
        single = (at_plus, -1 / at_plus)
        both = (at_plus**2, 1 / at_plus**2, Decimal(-1))
        minus = [int((row < 0).sum()) for row in x]
        exact = [means_and_sensitivities((dim - count, count), single, degree) for count in minus]
        unit = Decimal(UNIT)
        for i in range(3):
            mean, sensitivity = exact[i]
            assert abs(Decimal(means[i]) - mean) <= 8 * unit * sensitivity
            for j in range(i, 3):
                different = int((x[i] != x[j]).sum())
                negative = (minus[i] + minus[j] - different) // 2
                second, moved = means_and_sensitivities((dim - negative - different, negative, different), both, degree)
                (m, s), (m2, s2) = exact[i], exact[j]
                tolerance = 8 * unit * (moved + abs(m) * s2 + abs(m2) * s)
                assert abs(Decimal(found[i, j]) - (second - m * m2)) <= tolerance
                assert found[i, j] == found[j, i]


@pytest.mark.parametrize("mu", [0.3, -0.8, 0.98])
def test_covariance_of_all_parities_at_large_dimension_is_a_product_over_coordinates(mu: float):
    dim = 1000
    H = gv.BiasedParities(dim, mu)
    x = H.inputs.sample(3, np.random.default_rng(4))
    x = np.vstack([x, x[1]])
    with localcontext() as context:
        context.prec = 60
        at_plus = ((1 - Decimal(mu)) / (1 + Decimal(mu))).sqrt()
        chi = [[at_plus if xi > 0 else -1 / at_plus for xi in row] for row in x]
        mean = [math.prod((1 + c) / 2 for c in row) for row in chi]
        second = [[math.prod((1 + c * c2) / 2 for c, c2 in zip(row, row2, strict=True)) for row2 in chi] for row in chi]
        # Logarithms of up to 1024 binary digits in size, each rounded: e^(L (1 + u)) is off by L u
        tolerance = 8 * 1024 * UNIT
        assert_allclose(H.mean(x), [float(m) for m in mean], rtol=tolerance)
        expected = [[float(second[i][j] - mean[i] * mean[j]) for j in range(4)] for i in range(4)]
        assert_allclose(H.covariance(x, x), expected, rtol=2 * tolerance)
    # chi(+1) chi(-1) = -1: only a point and itself have more than the product of their means
    off = H.covariance(x, x) + np.outer(H.mean(x), H.mean(x))
    assert_array_equal(np.abs(off) > 1e-300, np.eye(4, dtype=bool) | np.eye(4, dtype=bool)[[0, 3, 2, 1]])


def test_sizes_and_norms_at_large_dimension():
    H = gv.BiasedParities(10_000, 0.3)
    assert H.size == 2**10_000
    assert (H.log2_size, H.operator_norm(), H.log2_operator_norm()) == (10_000, 0.0, -10_000)
    plain = gv.BiasedParities(10_000, 0.3, normalised=False)
    assert_allclose(plain.log2_operator_norm(centred=False), 10_000 * math.log2(0.65), rtol=1e-14)
    assert_allclose(plain.log2_operator_norm(), 9_999 * math.log2(0.65) + math.log2(0.35), rtol=1e-14)
    assert plain.operator_norm() == 0.0
    sparse = gv.BiasedParities(1000, 0.3, 5, normalised=False)
    assert 1 / sparse.size < sparse.operator_norm() < sparse.operator_norm(centred=False) < 1


def test_members_have_numbers_at_any_dimension():
    for degree in (None, 0, 1, 3, 5):
        H = gv.BiasedParities(5, 0.3, degree)
        for number, row in enumerate(H.members()):
            assert_array_equal(H.member(number).which, row)
    assert_array_equal(np.flatnonzero(gv.BiasedParities(1000, 0.3, 3).member(0).which), [0, 1, 2])
    last = gv.BiasedParities(1000, 0.3, 3)
    assert_array_equal(np.flatnonzero(last.member(last.size - 1).which), [997, 998, 999])
    assert_array_equal(np.flatnonzero(gv.BiasedParities(1000, 0.3).member(2**50 + 1).which), [0, 50])


# Sampling


def test_sampled_members_are_uniform():
    for H in (gv.BiasedParities(4, 0.3), gv.BiasedParities(6, -0.3, 2, normalised=False)):
        members = H.sample(16_000, np.random.default_rng(5))
        numbers = members @ 2 ** np.arange(H.dim)
        known = H.members() @ 2 ** np.arange(H.dim)
        counts = np.array([(numbers == number).sum() for number in known])
        assert counts.sum() == 16_000
        assert ((counts - 16_000 / H.size) ** 2 * H.size / 16_000).sum() < chi2.isf(1e-6, H.size - 1)
        assert_array_equal(members, H.sample(16_000, np.random.default_rng(5)))
        assert_array_equal(H.sample(9, rng=1), H.sample(9, rng=1))


# Gradient variances


def slow_variance(H: gv.BiasedParities, model: object, loss: str) -> float:
    x = reference.cube(H.dim)
    values, weights = table(H), point_weights(H.dim, H.bias)
    return reference.gradient_variance(
        reference.gradients(values, weights, model.predict(x), model.gradient(x), loss)  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize("degree", [None, 1, 3])
@KINDS
@pytest.mark.parametrize("loss", ["square", "correlation", "logistic"])
def test_enumeration_is_the_brute_force(degree: int | None, normalised: bool, loss: str):
    H = gv.BiasedParities(5, 0.4, degree, normalised)
    model = gv.MLP.random([5, 3, 1], rng=0)
    if loss == "logistic" and normalised:
        with pytest.raises(gv.LabelError, match="accepts labels -1 and \\+1 only"):
            gv.gradient_variance(H, model, loss)
        return
    found = gv.gradient_variance(H, model, loss, method="enumeration")
    assert found.exact
    assert found.method == "enumeration"
    expected = slow_variance(H, model, loss)
    assert_allclose(found.value, expected, rtol=1e-11)
    assert found.interval[0] <= expected <= found.interval[1]


@pytest.mark.parametrize("mu", [0.6, -0.2])
def test_all_normalised_parities_by_parseval(mu: float):
    # Var = E||s||^2 / 2^d - ||E[m s]||^2, m(x) = prod_i (1 + (x_i - mu)/sigma)/2: no sum over the class
    dim, model = 9, gv.MLP.random([9, 4, 1], "relu", rng=1)
    x, weights = reference.cube(dim), point_weights(dim, mu)
    s = -model.gradient(x)
    mean = np.prod((1 + (x - mu) / math.sqrt(1 - mu**2)) / 2, axis=1)
    expected = weights @ (s**2).sum(axis=1) / 2**dim - (((weights * mean) @ s) ** 2).sum()
    assert_allclose(gv.gradient_variance(gv.BiasedParities(dim, mu), model).value, expected, rtol=1e-12)


@pytest.mark.parametrize("mu", BIASES)
def test_linear_models_have_variances_in_closed_form(mu: float):
    # x_i = mu + sigma h_{i}: E[h_S x_i] is mu at S = {}, sigma at S = {i}, else 0; for plain ones mu^{|S xor {i}|}
    dim = 8
    sigma = math.sqrt(1 - mu**2)
    expected = {
        (None, True): dim / 2**dim - dim * (mu + sigma) ** 2 / 4**dim,
        (None, False): dim * (((1 + mu**2) / 2) ** dim - ((1 + mu) / 2) ** (2 * dim)),
        (1, True): sigma**2 * (1 - 1 / dim),
        (1, False): sigma**4 * (1 - 1 / dim),
    }
    for (degree, normalised), value in expected.items():
        H = gv.BiasedParities(dim, mu, degree, normalised)
        assert_allclose(gv.gradient_variance(H, gv.Linear(np.ones(dim))).value, value, rtol=1e-11)


def test_reference_numbers():
    linear = gv.Linear(np.ones(10))
    assert_allclose(gv.gradient_variance(gv.BiasedParities(10, 0.3), linear).value, 0.009750629772941111, rtol=1e-11)
    plain = gv.BiasedParities(10, 0.3, normalised=False)
    assert_allclose(gv.gradient_variance(plain, linear).value, 0.021306331301055146, rtol=1e-11)
    assert_allclose(plain.operator_norm(centred=False), 0.013462743344628906, rtol=1e-14)
    assert_allclose(plain.operator_norm(), 0.007249169493261718, rtol=1e-14)
    sparse = gv.BiasedParities(1000, 0.3, 5, normalised=False)
    assert_allclose(
        [sparse.operator_norm(), sparse.operator_norm(False)],
        [3.477574657648366e-07, 7.522096034883062e-06],
        rtol=1e-13,
    )


@pytest.mark.large
@pytest.mark.parametrize(
    ("H", "norm"),
    [
        (gv.BiasedParities(8, 0.3, 2), 1 / 28),
        (gv.BiasedParities(8, -0.5), 2**-8),
        (gv.BiasedParities(8, 0.5, normalised=False), 0.75**7 * 0.25),
        (gv.BiasedParities(8, -0.5, normalised=False), 0.75**8),
        (gv.BiasedParities(8, 0.3, 3, normalised=False), None),
    ],
)
def test_monte_carlo_agrees_with_enumeration_below_the_bound(H: gv.BiasedParities, norm: float | None):
    model = gv.MLP.random([8, 6, 1], rng=3)
    check = gv.bound_check(H, model, method="enumeration")
    assert check.verdict == "holds"
    assert check.variance.method == "enumeration"
    assert check.bounds["theorem-1"].applicable == H.is_orthonormal
    if norm is not None:
        assert_allclose(2 ** check.bounds["operator-norm"].log2_constant, norm, rtol=1e-12)
    sampled = gv.gradient_variance(H, model, method="monte-carlo", rtol=0, max_samples=2048, rng=4, confidence=1 - 1e-6)
    assert sampled.resolved
    assert sampled.interval[0] <= check.variance.value <= sampled.interval[1]


@pytest.mark.large
def test_monte_carlo_at_a_dimension_that_cannot_be_enumerated():
    # Degree 1 and a linear model: sigma^2 (1 - 1/d), and sigma^4 (1 - 1/d) for the plain characters
    for normalised, exact in ((True, 0.91 * 0.995), (False, 0.91**2 * 0.995)):
        H = gv.BiasedParities(200, 0.3, 1, normalised)
        found = gv.gradient_variance(H, gv.Linear(np.ones(200)), rtol=0, max_samples=2048, rng=6, confidence=1 - 1e-6)
        assert found.method == "monte-carlo (U-statistic)"
        assert found.interval[0] <= exact <= found.interval[1]
        assert found.interval[1] - found.interval[0] < 0.5


@pytest.mark.large
def test_samples_that_miss_a_heavy_tail_resolve_nothing():
    # mu = 0.98, degree 3: h is 1 unless three given coordinates of rare -1 meet; the sampled pairs see none
    H = gv.BiasedParities(14, 0.98, 3)
    model = gv.Linear(np.ones(14))
    found = gv.gradient_variance(H, model, method="monte-carlo", rtol=0, max_samples=1024, rng=7)
    assert not found.resolved
    assert found.interval == (-math.inf, math.inf)


def test_a_cube_too_large_to_enumerate_names_the_way_out_and_is_sampled():
    H, model = gv.BiasedParities(40, 0.3, 2), gv.MLP.random([40, 4, 1], rng=8)
    with pytest.raises(gv.TooLargeError, match=r"enumerating 2\^40 inputs needs .*pass method='monte-carlo'"):
        gv.gradient_variance(H, model, method="enumeration")
    assert gv.gradient_variance(H, model, max_samples=256, rng=9).method.startswith("monte-carlo")


def test_biased_parities_are_not_taken_for_uniform_ones():
    problem = gv.Problem(gv.BiasedParities(6, 0.5), gv.Linear(np.ones(6)))
    assert "not that of all parities" in str(AllParities().declines(problem))
    sparse = gv.Problem(gv.BiasedParities(6, 0.5, 2), gv.MLP.random([6, 3, 1], rng=0))
    assert "not that of the parities of one degree" in str(gv.ClosedForm().declines(sparse))
    assert gv.Auto().select(sparse).method.name == "enumeration"


def test_one_member_has_no_variance():
    for degree in (0, 6):
        H = gv.BiasedParities(6, 0.5, degree)
        assert_array_equal(H.covariance(reference.cube(6), reference.cube(6)), np.zeros((64, 64)))
        assert (H.operator_norm(), H.operator_norm(centred=False)) == (0.0, 1.0)
        assert gv.gradient_variance(H, gv.Linear(np.ones(6))).value == 0
    assert gv.BiasedParities(6, 0.5, 6, normalised=False).is_orthonormal


def test_the_report_says_why_theorem_1_applies_or_not():
    settings = Settings.checked(0.1, 0.95, 4, 0, None, False)
    proved = orthonormality(gv.BiasedParities(6, 0.5), settings)
    assert (proved.status, "independent" in proved.evidence) == ("proved", True)
    failed = orthonormality(gv.BiasedParities(6, 0.5, normalised=False), settings)
    assert (failed.status, "mu = 0.5" in failed.evidence) == ("failed", True)


@pytest.mark.large
def test_a_cube_of_dimension_14_is_enumerated():
    check = gv.bound_check(gv.BiasedParities(14, 0.3), gv.MLP.random([14, 32, 1], rng=0))
    assert check.variance.exact
    assert check.variance.is_tight
    assert check.verdict == "holds"


# The object


def test_equality_representation_and_pickling():
    H = gv.BiasedParities(5, 0.3, 2)
    assert gv.BiasedParities(5, 0.3, degree=2, normalised=True) == H
    assert hash(H) == hash(gv.BiasedParities(5, 0.3, 2))
    assert H not in (gv.BiasedParities(5, 0.3), gv.BiasedParities(5, 0.2, 2), gv.BiasedParities(5, 0.3, 2, False))
    assert gv.SparseParities(5, 2) != H
    assert repr(H) == "BiasedParities(dim=5, bias=0.3, degree=2, normalised=True)"
    assert repr(gv.BiasedParities(5, 0)) == "BiasedParities(dim=5, bias=0.0, normalised=True)"
    assert pickle.loads(pickle.dumps(H)) == H
    assert H.description == "the C(5, 2) = 10 parities of degree 2, normalised, of coordinates of mean 0.3"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 0.3), ValueError, "`dim` must be an integer >= 1, got 0"),
        ((2.5, 0.3), TypeError, "`dim` must be an integer >= 1, got 2.5"),
        ((3, 1.0), ValueError, "`bias` must be a number with -1 < bias < 1, the mean of every coordinate, got 1.0"),
        ((3, "a"), TypeError, "`bias` must be"),
        ((3, 0.3, 4), ValueError, "`degree` must be an integer from 0 to 3, got 4"),
        ((3, 0.3, 2, "yes"), TypeError, "`normalised` must be True or False, got 'yes'"),
    ],
)
def test_arguments_out_of_range_are_named(arguments: tuple, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        gv.BiasedParities(*arguments)


def test_arrays_that_do_not_fit_are_named():
    H = gv.BiasedParities(3, 0.3)
    with pytest.raises(gv.ShapeError, match=r"`x` must have shape \(n, 3\) for BiasedParities"):
        H.mean(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"`x` must hold only -1 and \+1 for BiasedParities.*, got 0.5 in row 1"):
        H.covariance([[1, 1, 1], [1, 0.5, 1]], [[1, 1, 1]])
    with pytest.raises(gv.ShapeError, match=r"`members` must have shape \(m, 3\) for BiasedParities"):
        H.evaluate([[True, False]], [[1, 1, 1]])
    with pytest.raises(ValueError, match=r"`members` must be rows of True and False for BiasedParities"):
        H.inner_products([[2, 0, 1]], [[1, 0, 1]])
    with pytest.raises(gv.ShapeError, match=r"`f` must have shape \(2\^3, q\) for BiasedParities.*, got \(8,\)"):
        H.project(np.ones(8))
