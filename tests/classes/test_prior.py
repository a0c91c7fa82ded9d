"""Members with probabilities: every method and every bound against sums over members, and against repeated members."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.classes.members.target_class import TargetClass
from gradvar.core.errors import NonFiniteError, ShapeError
from gradvar.problem import Moment, Problem
from gradvar.testing import check_hypothesis_class, check_theorem1, reference

CUBE = reference.cube(3)
KINDS = ("signs", "real", "vectors", "classes")
MOMENTS = (Moment.VARIANCE, Moment.SECOND, Moment.MEAN)


def random_problem(seed: int, kind: str):
    """A class of up to 12 members with a random prior that has zeros, a model, and what brute force needs."""
    rng = np.random.default_rng(seed)
    m, n, outputs = int(rng.integers(2, 13)), int(rng.integers(3, 9)), 1 if kind in ("signs", "real") else 3
    points, weights = CUBE[:n], rng.dirichlet(np.ones(n))
    prior = rng.dirichlet(np.full(m, 0.5)) * (rng.random(m) < 0.8)
    prior[rng.integers(m)] += 0.3
    prior /= prior.sum()
    if kind == "signs":
        values = rng.choice([-1, 1], size=(m, n))
    elif kind == "classes":
        values = rng.integers(0, 3, size=(m, n))
    else:
        values = rng.normal(size=(m, n) if kind == "real" else (m, n, 3)) * rng.exponential(size=m).reshape(
            (m,) + (1,) * (1 if kind == "real" else 2)
        )
    n_classes = 3 if kind == "classes" else None
    model = gv.MLP.random([3, 4, outputs], "tanh", rng=seed)
    return values, points, weights, n_classes, prior, model


def signals(model: gv.MLP, points: np.ndarray, outputs: int) -> np.ndarray:
    """-dp_k/dw at every point, (n, K, P), by complex steps."""
    w = np.asarray(model.parameters, dtype=complex)

    def predict(parameters):
        first, bias, second, last = split(parameters)
        return np.tanh(points @ first.T + bias) @ second.T + last

    def split(parameters):
        hidden, dim = 4, 3
        sizes = np.cumsum([hidden * dim, hidden, outputs * hidden, outputs])
        a, b, c, d = np.split(parameters, sizes[:-1])
        return a.reshape(hidden, dim), b, c.reshape(outputs, hidden), d

    found = np.empty((len(points), outputs, len(w)))
    for j in range(len(w)):
        step = w.copy()
        step[j] += 1e-30j
        found[:, :, j] = predict(step).imag / 1e-30
    return -found


def projections(values, points, weights, n_classes, model) -> np.ndarray:
    """c_h = E_x sum_k h_k(x) s_k(x), (m, P), of class labels with h - 1/K."""
    if n_classes is not None:
        values = np.eye(n_classes)[values] - 1 / n_classes
    values = values.reshape(*values.shape[:2], -1)
    s = signals(model, points, values.shape[2])
    return np.array([sum(weights[x] * h[x] @ s[x] for x in range(len(points))) for h in values])


def moment(c: np.ndarray, prior: np.ndarray, which: Moment) -> float:
    mean = sum(p * row for p, row in zip(prior, c, strict=True))
    if which is Moment.MEAN:
        return float(mean @ mean)
    centre = mean if which is Moment.VARIANCE else 0.0
    return float(sum(p * np.sum((row - centre) ** 2) for p, row in zip(prior, c, strict=True)))


def table_of(values, n_classes) -> np.ndarray:
    """(m, n K): the values, of class labels the unit vectors less 1/K."""
    if n_classes is not None:
        values = np.eye(n_classes)[values] - 1 / n_classes
    return values.reshape(len(values), -1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_every_exact_method_is_the_sum_over_members(kind, seed):
    values, points, weights, n_classes, prior, model = random_problem(seed, kind)
    H = gv.FiniteClass(values, points, weights, n_classes, prior=prior)
    c = projections(values, points, weights, n_classes, model)
    for which in MOMENTS:
        truth, scale = moment(c, prior, which), moment(c, prior, Moment.SECOND)
        for method in ("enumeration", "covariance-sum"):
            problem = Problem(H, model, "square", which)
            found = _estimate(problem, method)
            assert_allclose(found.value, truth, rtol=1e-11, atol=1e-12 * scale)
            low, high = found.interval
            assert low - 1e-15 * scale <= truth <= high + 1e-15 * scale


def _estimate(problem: Problem, method: str):
    from gradvar.estimation.settings import Settings
    from gradvar.methods.enumeration.covariance_sum import CovarianceSum
    from gradvar.methods.enumeration.enumeration import Enumeration

    chosen = Enumeration() if method == "enumeration" else CovarianceSum()
    assert chosen.declines(problem) is None
    return chosen.estimate(problem, Settings.checked(0.1, 0.95, None, 0, None, False))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_bounds_are_those_of_the_weighted_gram_matrix_in_their_order(kind, seed):
    values, points, weights, n_classes, prior, model = random_problem(seed, kind)
    H = gv.FiniteClass(values, points, weights, n_classes, prior=prior)
    check = gv.bound_check(H, model)
    table, m = table_of(values, n_classes), len(prior)
    spread = np.repeat(weights, table.shape[1] // len(weights))
    G = reference.gram(table, spread)
    weighted = np.array([[np.sqrt(prior[i] * prior[j]) * G[i, j] for j in range(m)] for i in range(m)])
    off = weighted - np.diag(np.diag(weighted))
    # lambda_max((D - pi pi') Gram), a matrix that is not symmetric
    product = (np.diag(prior) - np.outer(prior, prior)) @ G
    expected = {
        "operator-norm": np.linalg.eigvals(product).real.max(),
        "operator-norm-uncentred": np.linalg.eigvalsh(weighted)[-1],
        "gershgorin": max(float(np.abs(G[i]) @ prior) for i in range(m) if prior[i] > 0),
        "boas-bellman": np.diag(weighted).max() + np.sqrt((off**2).sum()),
        "cross-predictability": np.sqrt((weighted**2).sum()),
    }
    for name, value in expected.items():
        assert_allclose(2.0 ** check.bounds[name].log2_constant, value, rtol=1e-9, atol=1e-14, err_msg=name)
        assert check.bounds[name].applicable
        assert value >= expected["operator-norm"] * (1 - 1e-9)
        if name != "operator-norm":
            assert value >= expected["operator-norm-uncentred"] * (1 - 1e-9)
    assert check.verdict == "holds"
    assert check.variance.value <= 2.0 ** check.bounds["operator-norm"].log2 * (1 + 1e-9)
    assert_allclose(H.operator_norm(), expected["operator-norm"], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_probabilities_are_shares_of_repeated_members(kind, seed):
    values, points, weights, n_classes, _, model = random_problem(seed, kind)
    counts = np.random.default_rng(seed).integers(0, 4, size=len(values))
    counts[0] += 2
    few = gv.FiniteClass(values, points, weights, n_classes, prior=counts / counts.sum())
    many = gv.FiniteClass(np.repeat(values, counts, axis=0), points, weights, n_classes)
    assert_allclose(gv.gradient_variance(few, model).value, gv.gradient_variance(many, model).value, rtol=1e-11)
    assert_allclose(gv.gradient_alignment(few, model).value, gv.gradient_alignment(many, model).value, rtol=1e-11)
    one, other = (gv.bound_check(H, model).bounds for H in (few, many))
    for name in ("operator-norm", "operator-norm-uncentred", "gershgorin", "cross-predictability"):
        assert_allclose(one[name].log2, other[name].log2, rtol=1e-9, err_msg=name)
    if kind in ("signs", "real"):
        assert_allclose(few.mean(points), many.mean(points), atol=1e-13)
        assert_allclose(few.covariance(points, points), many.covariance(points, points), atol=1e-12)
    by_layer = gv.gradient_variance(few, model, by="layer")
    assert_allclose(sum(float(part) for part in by_layer.values()), gv.gradient_variance(many, model).value, rtol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_probabilities_are_none(kind):
    values, points, weights, n_classes, _, model = random_problem(3, kind)
    m = len(values)
    plain = gv.FiniteClass(values, points, weights, n_classes)
    said = gv.FiniteClass(values, points, weights, n_classes, prior=np.full(m, 1 / m))
    assert said.prior is None
    one, other = (gv.bound_check(H, model, rng=0) for H in (plain, said))
    assert (one.variance.interval, one.bounds) == (other.variance.interval, other.bounds)
    nearly = np.full(m, 1 / m)
    nearly[:2] += [1e-15, -1e-15]
    by_weights = gv.FiniteClass(values, points, weights, n_classes, prior=nearly)
    assert by_weights.prior is not None
    one, other = gv.bound_check(plain, model), gv.bound_check(by_weights, model)
    assert_allclose(other.variance.value, one.variance.value, rtol=1e-12)
    for name in one.bounds:
        assert_allclose(other.bounds[name].log2, one.bounds[name].log2, rtol=1e-12, err_msg=name)


def check_sampled(H, model, truth, method, name):
    missed, found = 0, []
    for seed in range(12):
        one = gv.gradient_variance(H, model, method=method, max_samples=1024, rtol=0, confidence=0.99, rng=seed)
        assert name in one.method
        found.append(one.value)
        missed += not one.interval[0] <= truth <= one.interval[1]
    assert missed <= 2
    assert abs(np.mean(found) - truth) < 7 * np.std(found) / np.sqrt(12)


@pytest.mark.parametrize("kind", ["real", "classes"])
def test_samples_are_unbiased_and_their_intervals_hold_the_sum(kind):
    """Of 12 intervals at 99% at most 2 miss: P(more) < 3e-4 for each method."""
    values, points, weights, n_classes, prior, model = random_problem(5, kind)
    H = gv.FiniteClass(values, points, weights, n_classes, prior=prior)
    truth = moment(projections(values, points, weights, n_classes, model), prior, Moment.VARIANCE)
    check_sampled(H, model, truth, gv.MonteCarlo(), "U-statistic")
    counts = np.bincount(H.sample(100_000, rng=0), minlength=len(prior))
    assert (np.abs(counts / 100_000 - prior) <= 5 * np.sqrt(prior * (1 - prior) / 100_000)).all()


def zipf(m: int) -> np.ndarray:
    shares = 1 / np.arange(1, m + 1)
    return shares / shares.sum()


def test_zipf_over_parities_breaks_one_over_the_size_and_keeps_the_largest_probability():
    table, prior = reference.parity_table(3)[1:], zipf(7)
    H = gv.FiniteClass(table, CUBE, prior=prior)
    # the model's gradient is the most likely parity: Var = pi_1 (1 - pi_1) G^2, more than G^2/|H|
    model = gv.from_function(lambda x: 0.5 * x[:, 0], lambda x: x[:, :1], 1)
    check = gv.bound_check(H, model)
    assert_allclose(check.variance.value, prior[0] * (1 - prior[0]), rtol=1e-12)
    assert check.variance.value > 1 / 7
    assert (check.bound_name, check.verdict) == ("theorem-1", "holds")
    assert_allclose(check.bound, prior[0], rtol=1e-12)
    assert check.bounds["theorem-1"].formula == "max_i pi_i G^2"
    assert "1/|H|" not in str(check) + check.explain() + check._repr_html_()
    assert "pi_i up to 0.3857" in str(check)
    assert gv.BoundCheck.from_dict(check.to_dict()) == check
    assert check_theorem1(H, model).passed
    noisy = gv.bound_check(H.noisy(0.1), model, "hinge")
    assert_allclose(2.0 ** noisy.bounds["operator-norm"].log2_constant, 0.64 * H.operator_norm(), rtol=1e-12)
    assert_allclose(noisy.variance.value, 0.64 * gv.gradient_variance(H, model, "hinge").value, rtol=1e-12)
    assert noisy.verdict == "holds"
    assert "max_i pi_i" in noisy.bounds["theorem-1"].formula


def test_a_restriction_renormalises():
    prior = np.array([0.4, 0.0, 0.3, 0.2, 0.1])
    table = reference.parity_table(3)[1:6]
    H = gv.FiniteClass(table, CUBE, prior=prior)
    model = gv.MLP.random([3, 2, 1], rng=0)
    some = H.restrict([0, 1, 4, 4])
    expected = np.array([4, 0, 1, 1]) / 6
    assert_allclose(some.prior, expected, rtol=1e-15)
    same = gv.FiniteClass(table[[0, 1, 4, 4]], CUBE, prior=expected)
    one, other = gv.bound_check(some, model), gv.bound_check(same, model)
    assert_allclose(one.variance.value, other.variance.value, rtol=1e-12)
    for name in one.bounds:
        assert_allclose(one.bounds[name].log2, other.bounds[name].log2, rtol=1e-9, err_msg=name)
    assert_allclose(some.mean(CUBE), same.mean(CUBE), atol=1e-15)
    assert_allclose(some.covariance(CUBE, CUBE), same.covariance(CUBE, CUBE), atol=1e-15)
    assert set(some.sample(200, rng=0).tolist()) == {0, 4}
    assert_allclose(some.restrict([0, 4]).prior, [0.8, 0.2], rtol=1e-15)
    assert H.restrict([4, 4]).prior is None
    assert H.restrict([1]).prior is None, "one target, also one that is never drawn"
    with pytest.raises(ValueError, match="`members` must have one whose probability is not 0"):
        H.restrict([1, 1])
    assert gv.gradient_alignment(H.member(1), model).value > 0
    assert_allclose(H.noisy(0.2).restrict([0, 4]).prior, [0.8, 0.2], rtol=1e-15)


def test_members_that_are_never_drawn_do_not_count():
    table = reference.parity_table(3)[1:4]
    H = gv.FiniteClass([*table, table[0], 3 * table[1]], CUBE, prior=[0.5, 0.3, 0.2, 0.0, 0.0])
    model = gv.MLP.random([3, 2, 1], rng=0)
    same = gv.FiniteClass(table, CUBE, prior=[0.5, 0.3, 0.2])
    assert H.is_orthonormal
    one, other = gv.bound_check(H, model), gv.bound_check(same, model)
    assert_allclose(one.variance.value, other.variance.value, rtol=1e-12)
    for name in one.bounds:
        assert one.bounds[name].applicable
        assert_allclose(one.bounds[name].log2, other.bounds[name].log2, rtol=1e-9, err_msg=name)
    check_hypothesis_class(H).raise_if_failed()
    certain = gv.FiniteClass(table, CUBE, prior=[0.0, 1.0, 0.0])
    check = gv.bound_check(certain, model)
    assert check.verdict == "holds"
    assert check.variance.value < 1e-25


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("m", [3, 40])
def test_the_checks_of_a_class_take_its_probabilities(seed, m):
    rng = np.random.default_rng(seed)
    values, prior = rng.choice([-1.0, 1.0], size=(m, 8)), zipf(m)
    H = gv.FiniteClass(values, CUBE, prior=prior)
    check_hypothesis_class(H, rng=seed).raise_if_failed()
    check_hypothesis_class(H.noisy(0.1), rng=seed).raise_if_failed()
    check_hypothesis_class(H.restrict(range(m - 1)), rng=seed).raise_if_failed()


@pytest.mark.parametrize("wrong", ["sample", "mean", "covariance", "operator_norm"])
def test_the_checks_of_a_class_find_what_forgets_its_probabilities(wrong):
    values = np.random.default_rng(0).choice([-1.0, 1.0], size=(6, 8))
    plain = gv.FiniteClass(values, CUBE)
    H = gv.FiniteClass(values, CUBE, prior=zipf(6))
    setattr(H, wrong, getattr(plain, wrong))
    failures = [result.name for result in check_hypothesis_class(H).failures]
    assert any(name.startswith(wrong.replace("_", "-")) for name in failures), failures


@pytest.mark.parametrize(
    ("prior", "error", "words"),
    [
        ([0.5, 0.5, 0.5], ValueError, "`prior` must sum to one, got the sum 1.5; divide them by it"),
        ([0.0, 0.0, 0.0], ValueError, "`prior` must sum to one, got the sum 0"),
        ([0.5, 0.7, -0.2], ValueError, "`prior` must be non-negative, got -0.2 at index 2"),
        ([0.5, 0.5], ShapeError, r"`prior` must have shape \(3,\), one for each member, got \(2,\)"),
        ([[0.5, 0.3, 0.2]], ShapeError, r"`prior` must have shape \(3,\)"),
        ([0.5, float("nan"), 0.5], NonFiniteError, r"`prior` must be finite, got nan at index \(1,\)"),
        ("uniform", TypeError, "`prior` must be an array of real numbers"),
    ],
    ids=["sum", "zeros", "negative", "short", "matrix", "nan", "word"],
)
def test_bad_probabilities_are_named(prior, error, words):
    with pytest.raises(error, match=words):
        gv.FiniteClass(reference.parity_table(3)[:3], CUBE, prior=prior)


def test_repr_and_sweeps_tell_priors_apart():
    table = reference.parity_table(3)[1:4]
    one, other = (gv.FiniteClass(table, CUBE, prior=prior) for prior in ([0.5, 0.3, 0.2], [0.5, 0.2, 0.3]))
    assert repr(one) == "FiniteClass(3 functions on 8 points of R^3, prior=[0.5, 0.3, 0.2])"
    assert repr(one) != repr(other)
    assert "\n" not in repr(gv.FiniteClass(np.ones((100, 8)), CUBE, prior=zipf(100)))
    assert_array_equal(one.members(), [0, 1, 2])
    assert len(list(itertools.chain(one))) == 3


class OwnClass(TargetClass):
    """A user's class that says its probabilities, and nothing of its moments."""

    labels = "signs"
    is_orthonormal = True

    def __init__(self, prior):
        self.table, self.prior = reference.parity_table(3)[1:6], np.asarray(prior)
        self.inputs = gv.inputs.FinitePoints(CUBE)
        self.size = 5

    def members(self):
        return np.arange(5)

    def sample(self, m, rng=None):
        return np.random.default_rng(rng).choice(5, size=m, p=self.prior)

    def evaluate(self, members, x):
        number = {row.tobytes(): i for i, row in enumerate(CUBE)}
        return self.table[np.asarray(members)][:, [number[row.tobytes()] for row in np.asarray(x) + 0.0]]


def test_a_class_of_ones_own_may_say_its_probabilities():
    prior = np.array([0.4, 0.0, 0.3, 0.2, 0.1])
    H, model = OwnClass(prior), gv.MLP.random([3, 2, 1], rng=0)
    same = gv.FiniteClass(H.table, CUBE, prior=prior)
    check_hypothesis_class(H).raise_if_failed()
    for one, other in ((H, same), (H.restrict([4, 0, 2]), same.restrict([4, 0, 2])), (H.noisy(0.1), same.noisy(0.1))):
        found, expected = (gv.bound_check(each, model, "logistic") for each in (one, other))
        assert_allclose(found.variance.value, expected.variance.value, rtol=1e-11)
        for name in ("operator-norm", "operator-norm-uncentred"):
            assert_allclose(found.bounds[name].log2, expected.bounds[name].log2, rtol=1e-9, err_msg=name)
        assert_allclose(found.bounds["theorem-1"].log2, expected.bounds["theorem-1"].log2, rtol=1e-9)
        assert found.verdict == "holds"
        alignments = (gv.gradient_alignment(each, model, "logistic").value for each in (one, other))
        assert_allclose(*alignments, rtol=1e-11)
    assert gv.bound_check(H, model).bound_name == "theorem-1"
    truth = gv.gradient_variance(same, model).value
    check_sampled(H, model, truth, gv.MonteCarlo(n_members=256), "sampled members")
    assert [f.name for f in check_hypothesis_class(OwnSampledUniformly(prior)).failures] == ["sample-uniform"]


class OwnSampledUniformly(OwnClass):
    def sample(self, m, rng=None):
        return np.random.default_rng(rng).integers(0, 5, size=m)
