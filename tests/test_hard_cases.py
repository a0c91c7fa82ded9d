"""Where floating point, kinks, scales and false claims would give a wrong number or a verdict that is too strong."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

import gradvar as gv
from gradvar.bounds.consequences import consequences


def cubic(weights):
    """p = z + z^3/3 with z = <w, x>, as functions: everything about it is a polynomial with rational coefficients."""
    w = np.array(weights, dtype=float)
    return gv.from_function(lambda x: x @ w + (x @ w) ** 3 / 3, lambda x: (1 + (x @ w) ** 2)[:, None] * x, len(weights))


def exact_variance(weights, degree):
    """The gradient variance of `cubic` over the parities of one degree, in rational arithmetic, by loops."""
    d = len(weights)
    w = [Fraction(v) for v in weights]
    points = [[1 - 2 * (j >> i & 1) for i in range(d)] for j in range(2**d)]
    slopes = [1 + sum(a * b for a, b in zip(w, x, strict=True)) ** 2 for x in points]
    members = [S for S in range(2**d) if S.bit_count() == degree]
    rows = []
    for S in members:
        signs = [math.prod(x[i] for i in range(d) if S >> i & 1) for x in points]
        rows.append(
            [
                sum(s * g * x[i] for s, g, x in zip(signs, slopes, points, strict=True)) / Fraction(2**d)
                for i in range(d)
            ]
        )
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return sum((c - m) ** 2 for row in rows for c, m in zip(row, mean, strict=True)) / len(rows)


@pytest.mark.parametrize("size", [2.0**-30, 2.0**-12, 0.125, 1.0])
@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_exact_interval_holds_the_rational_truth(size, degree):
    weights = [size * v for v in (1.0, -0.5, 0.75, 0.25, 1.25, -1.0)]
    truth = exact_variance(weights, degree)
    H = gv.SparseParities(6, degree)
    x = H.inputs.points(0, 64)
    for hypotheses in (H, gv.FiniteClass(H.evaluate(H.members(), x), x)):
        found = gv.gradient_variance(hypotheses, cubic(weights))
        low, high = found.interval
        assert Fraction(low) <= truth <= Fraction(high)


def test_a_zero_that_rounding_hides_is_not_a_number_of_its_own():
    # A linear network has no signal at degree 3.
    check = gv.bound_check(gv.SparseParities(12, 3), gv.MLP.random([12, 6, 1], "identity", rng=0), method="enumeration")
    low, high = check.variance.interval
    assert low == 0 < high < 1e-25
    assert not check.variance.is_tight
    assert "exact up to rounding, [0," in " ".join(str(check).split())
    assert "at least" in check.consequences[0].statement


@pytest.mark.parametrize(("dim", "weight"), [(10, 0.1), (12, 0.1), (12, 1 / math.sqrt(12)), (8, 0.3)])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_kinks_of_lattice_weights_are_met_as_they_are(dim, weight, degree):
    """Rounding of <w, x> at all-equal weights does not decide on which side of the kink an input lies."""
    lattice, integers = (gv.MLP([np.full((1, dim), w), [[1.0]]], None, "relu") for w in (weight, 1.0))
    H = gv.SparseParities(dim, degree)
    x = H.inputs.points(0, 2**dim)
    # Integer weights are exact; the gradient in w is the same for both, that in the output weight scales.
    shrunk = gv.from_function(
        integers.predict, lambda x: integers.gradient(x) * np.r_[np.ones(dim), weight], dim + 1, dim
    )
    truth = gv.gradient_variance(H, shrunk, method="enumeration").value
    assert gv.gradient_variance(H, lattice, method="enumeration").value == pytest.approx(truth, rel=1e-10)
    table = gv.FiniteClass(H.evaluate(H.members(), x), x)
    assert gv.gradient_variance(table, lattice).value == pytest.approx(truth, rel=1e-10)


class Typed:
    """A model that returns its gradient in another dtype."""

    dim, n_parameters = 6, 6

    def __init__(self, dtype):
        self.dtype = dtype

    def predict(self, x):
        return x[:, 0]

    def gradient(self, x):
        return (3 * x).astype(self.dtype) if self.dtype is not list else (3 * x).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int64, list])
@pytest.mark.parametrize("method", ["auto", "enumeration", "monte-carlo"])
def test_gradients_of_any_dtype_are_taken_in_float64(dtype, method):
    check = gv.bound_check(gv.Parities(6), Typed(dtype), method=method, max_samples=2048, rng=0)
    expected = gv.bound_check(gv.Parities(6), Typed(np.float64), method=method, max_samples=2048, rng=0)
    assert check.variance.value == expected.variance.value
    assert check.gradient_norm_sq.value == expected.gradient_norm_sq.value == 54


def test_complex_gradients_are_refused():
    with pytest.raises(
        TypeError, match=r"`gradient` of `model` must return an array of real numbers, got dtype complex"
    ):
        gv.gradient_variance(gv.Parities(6), Typed(np.complex128))


def test_gradient_of_another_width_than_n_parameters_is_refused():
    class Narrow(Typed):
        def gradient(self, x):
            return x[:, :3]

    with pytest.raises(gv.ShapeError, match=r"must return n_parameters = 6 columns, got 3"):
        gv.gradient_variance(gv.Parities(6), Narrow(float))


def of_gradient_size(factor):
    w = np.arange(1.0, 7.0) / 8
    return gv.from_function(lambda x: np.tanh(x @ w), lambda x: factor * (1 - np.tanh(x @ w) ** 2)[:, None] * x, 6)


@pytest.mark.parametrize("scale", [1e-170, 1e-40, 1e40, 1e170])
@pytest.mark.parametrize("method", ["enumeration", "monte-carlo"])
def test_gradients_whose_squares_may_leave_float64_are_refused(scale, method):
    with pytest.raises(gv.NonFiniteError, match=r"0 or between 2\^-100 and 2\^100 in size.* got .*: rescale the model"):
        gv.bound_check(gv.SparseParities(6, 3), of_gradient_size(scale), method=method, rng=0, max_samples=1024)


@pytest.mark.parametrize("scale", [2.0**-98, 2.0**98])
@pytest.mark.parametrize("method", ["enumeration", "monte-carlo"])
def test_gradients_whose_squares_float64_holds_scale_the_variance(scale, method):
    scaled, plain = (
        gv.bound_check(gv.SparseParities(6, 3), of_gradient_size(s), method=method, rng=0, max_samples=1024)
        for s in (scale, 1.0)
    )
    assert scaled.variance.log2 == pytest.approx(plain.variance.log2 + 2 * math.log2(scale), abs=1e-9)
    assert scaled.log2_bound == pytest.approx(plain.log2_bound + 2 * math.log2(scale), abs=1e-9)
    assert scaled.ratio == pytest.approx(plain.ratio, rel=1e-9)
    assert scaled.verdict == plain.verdict


def test_a_gradient_of_zero_is_a_size_too():
    assert gv.gradient_variance(gv.SparseParities(6, 3), of_gradient_size(0.0)).value == 0


def test_spectrum_of_a_network_whose_squares_leave_float64():
    weights = np.random.default_rng(0).standard_normal((4, 6))
    tiny, plain = (gv.degree_spectrum(gv.MLP([weights, np.full((1, 4), s)], activation="tanh")) for s in (1e-160, 1.0))
    assert np.all(np.isfinite(tiny))
    assert np.all(np.isfinite(plain))


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_values_whose_squares_leave_float64_are_refused(size):
    with pytest.raises(ValueError, match="`values` must be of a size whose squares float64 holds"):
        gv.FiniteClass([[size, -size]], [[0.0], [1.0]])


def test_a_margin_loss_says_nothing_that_is_not_looked_at():
    with pytest.raises(TypeError):
        gv.MarginLoss(np.sign, 1.0, constant=-1.0)
    hinge = gv.MarginLoss(lambda m: -np.heaviside(1 - m, 0.5), 1.0)
    model = gv.MLP.random([6, 5, 1], rng=0, scale=10)
    H = gv.SparseParities(6, 2)
    assert gv.gradient_variance(H, model, hinge).value == gv.gradient_variance(H, model, "hinge").value
    (loss,) = (a for a in gv.bound_check(H, model, hinge).assumptions if a.name == "Lipschitz loss")
    assert loss.status == "estimated"


class Claims:
    """Four functions, each listed many times, that claim to be what they are not."""

    log2_size, labels, is_orthonormal = 10.0, "signs", True
    inputs = gv.Hypercube(4)

    def sample(self, m, rng):
        return rng.integers(0, 1024, m)

    def evaluate(self, members, x):
        return np.array([x[:, h % 4] for h in members]) * self.size

    def covariance(self, x, x2):
        return x @ x2.T / 4

    size = 1.0


def test_copies_in_a_class_that_claims_to_be_orthonormal_are_seen():
    check = gv.bound_check(Claims(), gv.Linear(np.ones(4)), rng=0, max_samples=2048)
    assert check.assumptions[0].status == "failed"
    assert not check.bounds["theorem-1"].applicable


def test_operator_norm_that_contradicts_the_claim_is_seen():
    class Contradicts(Claims):
        def operator_norm(self, centred=True):
            return 0.25

    check = gv.bound_check(Contradicts(), gv.Linear(np.ones(4)), rng=0, max_samples=2048)
    assert check.assumptions[0].status == "failed"
    assert "operator_norm() = 0.25 is above 1/|H|" in check.assumptions[0].evidence
    assert check.bound_name == "operator-norm"
    assert check.bound == pytest.approx(0.25 * 4)


def test_labels_that_are_not_what_the_class_claims_are_seen():
    class Large(Claims):
        size = 3.0

    with pytest.raises(gv.LabelError, match=r"`H.labels` say \"signs\", .* got (-)?3 of"):
        gv.bound_check(Large(), gv.Linear(np.ones(4)), "hinge", rng=0, max_samples=2048)


def test_a_sample_of_members_is_never_called_checked():
    class Honest:
        log2_size, is_orthonormal = 2.0, True
        inputs = gv.Hypercube(4)
        covariance = Claims.covariance

        def evaluate(self, members, x):
            return np.array([x[:, h % 4] for h in members])

        def sample(self, m, rng):
            return rng.integers(0, 4, m)

    check = gv.bound_check(Honest(), gv.Linear(np.ones(4)), rng=0, max_samples=2048)
    assert check.assumptions[0].status == "estimated"
    assert check.bounds["theorem-1"].applicable


def test_verdict_compares_with_the_bound_that_has_the_lipschitz_constant():
    steep = gv.MarginLoss(lambda m: np.full_like(m, -2.0), lipschitz=2.0)
    check = gv.bound_check(gv.Parities(6), gv.Linear([1.0] * 6), steep)
    assert check.verdict == "holds"
    assert "below L^2 G^2/|H|, L = 2" in check.reason


@pytest.mark.large
@pytest.mark.parametrize(("H", "n"), [(gv.SparseParities(18, 7), 1024), (gv.SparseParities(12, 3), 40)])
def test_rare_pairs_that_were_not_met_leave_the_estimate_unresolved(H, n):
    """Resolved intervals at high degree and small n: at least 90% hold the truth, of those that claim to."""
    model = gv.MLP.random([H.dim, 8, 1], "relu", rng=1)
    truth = gv.gradient_variance(H, model).value
    found = [gv.gradient_variance(H, model, method="monte-carlo", rtol=0, max_samples=n, rng=s) for s in range(100)]
    resolved = [e for e in found if e.resolved]
    assert sum(e.interval[0] <= truth <= e.interval[1] for e in resolved) >= 0.9 * len(resolved)


def test_nearly_orthonormal_table_is_held_to_what_it_is():
    rng = np.random.default_rng(0)
    n, m = 4096, 16
    basis = np.linalg.qr(np.column_stack([np.ones(n), rng.standard_normal((n, m))]))[0][:, 1:].T * math.sqrt(n)
    u = np.tile([1.0, -1.0], m // 2) / math.sqrt(m)
    table = basis + 1e-12 * np.outer(u, u @ basis)
    H = gv.FiniteClass(table, np.arange(n)[:, None].astype(float))
    assert H.orthonormality[0] == "checked"
    along = u @ basis
    model = gv.from_function(lambda x: x[:, 0], lambda x: along[x[:, 0].astype(int)][:, None], 1)
    assert gv.bound_check(H, model).verdict == "holds"


def test_interrupt_after_the_variance_hands_it_back():
    def predict(x):
        if len(x) > 2000:  # the whole cube, for G^2, in blocks: the samples came in tiles of 512
            raise KeyboardInterrupt
        return x[:, 0]

    model = gv.from_function(predict, lambda x: x, 12)
    with pytest.raises(gv.Interrupted) as caught:
        gv.bound_check(gv.SparseParities(12, 1), model, method="monte-carlo", max_samples=1024, rtol=0, rng=0)
    assert caught.value.estimate.n_samples == 1024
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.estimate == caught.value.estimate


def test_unresolved_has_no_ratio():
    check = gv.bound_check(gv.Parities(40), gv.Linear(np.ones(40)), method="monte-carlo", max_samples=512, rng=0)
    assert math.isnan(check.ratio)
    assert check.to_dict()["variance"]["value"] is None
    assert consequences(check.variance, check.signal_norm_sq) == ()
