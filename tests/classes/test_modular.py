"""ModularMultiples and DiscreteLog: reference numbers, their waves, and the gradient variance by every method."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.testing import reference


@pytest.mark.parametrize("p", [5, 7, 11, 101, 1009, 2003, 10_007, 99_991])
def test_the_top_eigenvalue_of_the_cosine_class_is_2p_over_p_minus_1_on_the_units_and_2_on_all_residues(p: int):
    # Gram_ab = (p [a = +-b] - 2)/(p - 1) on the units, [a = +-b] on all residues
    for units, top in ((True, 2 * p / (p - 1)), (False, 2.0)):
        H = gv.ModularMultiples(p, units=units)
        assert_allclose(H.gram_eigenvalues().max(), top, rtol=1e-13)
        for centred in (True, False):
            assert_allclose(H.size * H.operator_norm(centred=centred), top, rtol=1e-13)
        row = np.zeros(p - 1)
        row[[0, -1]] = 1.0
        assert_allclose(H.gram_row(), (p * row - 2) / (p - 1) if units else row, rtol=0, atol=1e-13)


def test_three_residues_are_too_few_for_the_cosine_s_eigenvalue():
    # h_1 = h_2 at p = 3: Gram is a multiple of 11', so that only the constant vector has an eigenvalue
    for units, top in ((True, 1.0), (False, 2.0)):
        H = gv.ModularMultiples(3, units=units)
        assert_allclose(H.gram_eigenvalues(), [top, 0], rtol=1e-14, atol=1e-14)
        assert H.operator_norm() < 1e-15


@pytest.mark.parametrize(("p", "top"), [(101, 5.096638), (1009, 8.641553), (10_007, 9.785119)])
def test_the_top_eigenvalue_of_the_discrete_logarithm(p: int, top: float):
    # of the Gram matrix, not centred; h_{p-a} = -h_a, so that the mean is 0 and centring changes nothing
    H = gv.DiscreteLog(p)
    assert_allclose(H.gram_eigenvalues().max(), top, atol=5e-7, rtol=0)
    assert H.gram_eigenvalues()[0] == 0
    assert H.operator_norm() == H.operator_norm(centred=False)
    assert_allclose(H.operator_norm() * (p - 1), top, atol=5e-7, rtol=0)


def test_members_of_the_discrete_logarithm_come_in_pairs_of_opposite_sign():
    H = gv.DiscreteLog(1009)
    x = H.inputs.points(0, 1008)
    assert_array_equal(H.evaluate(1009 - H.members(), x), -H.evaluate(H.members(), x))
    assert_array_equal(H.mean(x), np.zeros(1008))
    assert not H.is_orthonormal
    assert H.orthonormality == (
        "failed",
        "Gram matrix of all 1,008 members: E h^2 = 1, max |E h h'| = 1 (members a = 1 and 1008)",
    )


@pytest.mark.alone
def test_spectrum_at_a_hundred_thousand_takes_seconds():
    begin = time.perf_counter()
    for p in (99_991, 100_003):  # p - 1 smooth, and twice 3 * 7 * 2381
        H = gv.DiscreteLog(p)
        eigenvalues = H.gram_eigenvalues()
        assert 9 < eigenvalues.max() < 2 * np.log(p)
        # trace Gram = sum of E h^2, and ||Gram||_F^2 = |H| times the squares of a row
        assert_allclose(eigenvalues.sum(), p - 1, rtol=1e-12)
        assert_allclose((eigenvalues**2).sum(), (p - 1) * (H.gram_row() ** 2).sum(), rtol=1e-12)
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize("p", [3, 5, 101, 1009])
@pytest.mark.parametrize("wave", ["cosine", "triangle", "sawtooth"])
def test_named_waves_have_mean_0_and_variance_1_over_all_residues(wave: str, p: int):
    H = gv.ModularMultiples(p, wave, units=False, encoding="integer")
    values = H.evaluate([1], H.inputs.points(0, p))[0]
    assert_allclose([values.mean(), values.var()], [0, 1], atol=1e-14)
    assert H.labels == "real"
    if wave == "cosine":
        assert_allclose(values, np.sqrt(2) * np.cos(2 * np.pi * np.arange(p) / p), atol=1e-14)
    if wave == "sawtooth":
        assert_allclose(values, (2 * np.arange(p) + 1 - p) / np.sqrt((p * p - 1) / 3), atol=1e-14)


def test_the_square_wave_keeps_its_signs_and_a_function_is_taken_as_it_is():
    H = gv.ModularMultiples(11, "square", encoding="integer")
    assert H.labels == "signs"
    assert_array_equal(H.evaluate([1], H.inputs.points(0, 10)), [[1, 1, -1, -1, -1, -1, -1, -1, 1, 1]])
    H = gv.ModularMultiples(11, lambda u: 11 * u, encoding="integer")
    assert_allclose(H.evaluate([2], H.inputs.points(0, 10)), [[2, 4, 6, 8, 10, 1, 3, 5, 7, 9]], rtol=1e-15)


SMALL = [
    (lambda: gv.DiscreteLog(13), lambda a, x: (-1.0) ** (pow(a, -1, 13) * x % 13), 1, "hinge"),
    (lambda: gv.DiscreteLog(11, encoding="integer"), lambda a, x: (-1.0) ** (pow(a, -1, 11) * x % 11), 1, "logistic"),
    (lambda: gv.ModularMultiples(11), lambda a, x: 2**0.5 * np.cos(2 * np.pi * a * x / 11), 1, "square"),
    (
        lambda: gv.ModularMultiples(7, lambda u: u**2, units=False, encoding="one-hot"),
        lambda a, x: (a * x % 7 / 7) ** 2,
        0,
        "square",
    ),
]


@pytest.mark.parametrize(("make", "h", "first", "loss"), SMALL)
@pytest.mark.parametrize("model", ["linear", "mlp-3-tanh", "function"])
def test_every_method_gives_the_variance_of_the_gradients(make, h, first, loss, model, slow_model):
    H = make()
    n = H.inputs.n_points
    table = np.array([[h(a, x) for x in range(first, n + first)] for a in range(1, H.p)])
    x, weights = H.inputs.points(0, n), np.full(n, 1 / n)
    slow = slow_model(model, H.inputs.dim)
    predictions, jacobian = slow.predict(x), slow.gradient(x)
    gradients = reference.gradients(table, weights, predictions, jacobian, loss)
    expected = reference.gradient_variance(gradients)

    check = gv.bound_check(H, slow.model, loss)
    assert check.variance.method == "enumeration"
    assert check.variance.exact
    # Gradients err by some eps of their terms; those of the integer encoding cancel: 1e-11 of the largest gradient.
    assert_allclose(check.variance.value, expected, rtol=1e-11, atol=1e-13 * (gradients**2).sum(axis=1).max())
    low, high = check.variance.interval
    assert low <= check.variance.value <= high
    assert check.verdict == "holds"
    assert [a.status for a in check.assumptions if a.name == "orthonormal class"] == ["failed"]

    # The class covariance, over all pairs of inputs: E C_H(x, x') <s, s'>.
    slopes = np.array([reference.loss_derivative(loss, float(q), 1.0) for q in predictions])
    slopes = (slopes - [reference.loss_derivative(loss, float(q), -1.0) for q in predictions]) / 2
    signal = slopes[:, None] * jacobian
    pairs = weights @ (H.covariance(x, x) * (signal @ signal.T)) @ weights
    assert_allclose(pairs, expected, rtol=1e-11, atol=1e-13 * (signal**2).sum(axis=1).max())

    # Monte Carlo: four standard errors, seeds fixed.
    estimate = gv.gradient_variance(H, slow.model, loss, method="monte-carlo", rng=1, max_samples=8192, rtol=0)
    assert abs(estimate.value - expected) < 4 * estimate.standard_error


@pytest.mark.parametrize("p", [2, 3, 13])
@pytest.mark.parametrize(("units", "wave"), [(True, "log"), (True, "sawtooth"), (False, "cosine"), (False, np.exp)])
def test_the_bounds_by_name_are_those_of_the_table(units: bool, wave, p: int):
    # For these classes they come from one row of the Gram matrix; here the reference sums over all of it.
    H = gv.DiscreteLog(p, "integer") if wave == "log" else gv.ModularMultiples(p, wave, units, "integer")
    n = H.inputs.n_points
    table, weights = H.evaluate(H.members(), H.inputs.points(0, n)), np.full(n, 1 / n)
    bounds = gv.bound_check(H, gv.Linear([1.0])).bounds
    assert bounds["theorem-1"].applicable == (H.orthonormality[0] == "checked")
    expected = {
        "operator-norm": reference.operator_norm(table, weights),
        "operator-norm-uncentred": reference.operator_norm(table, weights, centred=False),
        "gershgorin": reference.gershgorin(table, weights),
        "boas-bellman": reference.boas_bellman(table, weights),
        "cross-predictability": reference.cross_predictability(table, weights) ** 0.5,
    }
    for name, constant in expected.items():
        assert_allclose(2 ** bounds[name].log2_constant, constant, rtol=1e-13, atol=1e-15)


def test_labels_are_checked_on_all_values():
    for H in (gv.DiscreteLog(13), gv.ModularMultiples(13, "square")):
        check = gv.bound_check(H, gv.Linear([1.0] * 4), "hinge")
        labels = next(a for a in check.assumptions if a.name == "labels")
        assert (labels.status, labels.evidence) == ("checked", "every value of every target is -1 or +1")


def test_all_bounds_and_the_exact_variance_where_no_gram_matrix_fits():
    H, model = gv.DiscreteLog(10_007), gv.MLP.random([14, 8, 1], rng=0)
    check = gv.bound_check(H, model)
    assert check.variance.method == "enumeration"
    assert check.verdict == "holds"
    assert all(bound.applicable for name, bound in check.bounds.items() if name != "theorem-1")
    constants = {name: bound.log2_constant for name, bound in check.bounds.items()}
    for name in ("gershgorin", "boas-bellman", "cross-predictability"):
        assert constants["operator-norm"] <= constants["operator-norm-uncentred"] <= constants[name]
    # ||Gram||_F^2 is the sum of the squares of the eigenvalues
    frobenius = np.sqrt((H.gram_eigenvalues() ** 2).sum())
    assert_allclose(2 ** constants["cross-predictability"], frobenius / H.size, rtol=1e-12)


@pytest.mark.parametrize("sizes", [[12, 40, 1], [12, 20, 20, 1]])
def test_the_discrete_logarithm_modulo_3001_with_a_network_on_its_bits(sizes: list[int]):
    H, model = gv.DiscreteLog(3001), gv.MLP.random(sizes, rng=0)
    variance = gv.gradient_variance(H, model)
    # All members' gradients by one product of the table with the per-example gradients.
    x = H.inputs.points(0, 3000)
    residues = np.arange(1, 3001)
    inverses = np.array([pow(int(a), -1, 3001) for a in residues])
    table = 1.0 - 2.0 * (inverses[:, None] * residues % 3001 % 2)
    gradients = table @ model.gradient(x) / 3000
    expected = ((gradients - gradients.mean(axis=0)) ** 2).sum() / 3000
    assert variance.method == "enumeration"
    assert_allclose(variance.value, expected, rtol=1e-12)


def test_classes_are_equal_when_their_parameters_are():
    assert gv.DiscreteLog(11) == gv.DiscreteLog(11)
    assert gv.ModularMultiples(11, "square") == gv.ModularMultiples(11, wave="square")
    different = {
        gv.DiscreteLog(11),
        gv.DiscreteLog(13),
        gv.DiscreteLog(11, "integer"),
        gv.ModularMultiples(11),
        gv.ModularMultiples(11, "square"),
        gv.ModularMultiples(11, units=False),
        gv.ModularMultiples(11, np.cos),
    }
    assert len(different) == 7


def test_what_they_are_called():
    assert repr(gv.DiscreteLog(11)) == "DiscreteLog(p=11)"
    assert repr(gv.DiscreteLog(11, "one-hot")) == "DiscreteLog(p=11, encoding='one-hot')"
    assert repr(gv.ModularMultiples(11)) == "ModularMultiples(p=11)"
    H = gv.ModularMultiples(11, np.cos, units=False, encoding="integer")
    assert repr(H) == "ModularMultiples(p=11, wave=cos, units=False, encoding='integer')"
    assert H.description == "the 10 functions psi(a x mod p / p), psi = cos, a in Z_p^*, p = 11"
    assert gv.ModularMultiples(1009).description == "the 1,008 functions sqrt(2) cos(2 pi a x/p), a in Z_p^*, p = 1,009"
    assert gv.DiscreteLog(1009).description == "the 1,008 functions (-1)^(a^-1 x mod p), a in Z_p^*, p = 1,009"


def test_bad_arguments_are_named():
    for build in (gv.DiscreteLog, gv.ModularMultiples):
        with pytest.raises(ValueError, match=r"`p` must be a prime, got 1001 = 7 \* 143"):
            build(1001)
        with pytest.raises(ValueError, match="`encoding` must be one of"):
            build(11, encoding="decimal")
    with pytest.raises(ValueError, match="`wave` must be one of 'cosine', 'square', 'triangle', 'sawtooth'"):
        gv.ModularMultiples(11, "sine")
    with pytest.raises(TypeError, match="`wave` must be a name or a function"):
        gv.ModularMultiples(11, 3)
    with pytest.raises(gv.ShapeError, match=r"`wave` must return shape \(11,\) for phases of that shape, got \(\)"):
        gv.ModularMultiples(11, lambda u: 1.0)
    with pytest.raises(gv.NonFiniteError, match="`wave` must be finite, got inf at the phase 3/11"):
        gv.ModularMultiples(11, lambda u: np.where(np.round(11 * u) == 3, np.inf, u))
    with pytest.raises(gv.ShapeError, match="`model` takes inputs of dimension 5"):
        gv.bound_check(gv.DiscreteLog(11), gv.Linear([1.0] * 5))
    with pytest.raises(gv.LabelError, match="accepts labels -1 and \\+1 only"):
        gv.bound_check(gv.ModularMultiples(11), gv.Linear([1.0] * 4), "hinge")


@pytest.mark.parametrize("build", [gv.DiscreteLog, gv.ModularMultiples])
def test_the_other_order_of_bits_is_the_other_order_of_columns(build):
    first, last = build(31), build(31, encoding="bits-msb-first")
    assert first != last
    assert_array_equal(last.inputs.points(0, 30), first.inputs.points(0, 30)[:, ::-1])
    w = np.random.default_rng(0).normal(size=5)
    variances = [gv.gradient_variance(H, gv.Linear(v)).value for H, v in ((first, w), (last, w[::-1]))]
    assert_allclose(variances[1], variances[0], rtol=1e-12)
