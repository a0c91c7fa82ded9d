"""Every bound against the reference, their order, and the verdict in both directions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.testing import reference

OPERATOR_BOUNDS = {
    "operator-norm": lambda table, weights: reference.operator_norm(table, weights),
    "operator-norm-uncentred": lambda table, weights: reference.operator_norm(table, weights, centred=False),
    "gershgorin": reference.gershgorin,
    "boas-bellman": reference.boas_bellman,
    "cross-predictability": lambda table, weights: math.sqrt(reference.cross_predictability(table, weights)),
}


def norms(classes, slow, loss) -> tuple[float, float]:
    """E||s||^2 and G^2."""
    p, g = slow.predict(classes.points), slow.gradient(classes.points)
    return reference.signal_norm_sq(classes.weights, p, g, loss), reference.gradient_norm_sq(classes.weights, g)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("finite-signs", "square"),
        ("finite-signs", "hinge"),
        ("finite-signs", "logistic"),
        ("finite-real", "square"),
        ("finite-real", "correlation"),
        ("parities", "hinge"),
        ("sparse-0", "square"),
        ("sparse-2", "square"),
        ("sparse-3", "hinge"),
    ],
)
def test_bounds_are_the_reference_s(name: str, loss: str, seed: int, slow_class, slow_model):
    classes, slow = slow_class(name, 3, seed), slow_model("mlp-3-tanh", 3, seed)
    check = gv.bound_check(classes.H, slow.model, loss)
    signal, gradient = norms(classes, slow, loss)
    assert check.variance.exact
    assert_allclose(check.signal_norm_sq.value, signal, rtol=1e-12)
    assert_allclose(check.gradient_norm_sq.value, gradient, rtol=1e-12)
    assert_allclose(check.log2_size, math.log2(len(classes.table)), rtol=1e-15)
    assert set(check.bounds) == {"theorem-1", *OPERATOR_BOUNDS}
    for bound, constant in OPERATOR_BOUNDS.items():
        expected = constant(classes.table, classes.weights) * signal
        # one member: the centred norm is zero, to rounding in the reference
        assert_allclose(check.bounds[bound].value, expected, rtol=1e-12, atol=1e-15 * signal)
        assert check.bounds[bound].applicable
    if name.startswith("finite"):
        assert not check.bounds["theorem-1"].applicable
        assert check.bound_name == "operator-norm"
        assert check.bound == check.bounds["operator-norm"].value
    else:
        assert check.bounds["theorem-1"].applicable
        assert check.bound_name == "theorem-1"
        assert_allclose(check.bound, gradient / len(classes.table), rtol=1e-12)
    assert_allclose(check.ratio, check.variance.value / check.bound, rtol=1e-12)
    assert_allclose(2**check.log2_bound, check.bound, rtol=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_exact_is_under_operator_norm_is_under_each_of_the_others(seed: int, slow_model):
    rng = np.random.default_rng(seed)
    m, n, dim = rng.integers(1, 9), rng.integers(1, 9), rng.integers(1, 4)
    # common to all members: correlations that range from none to nearly one
    table = rng.normal(size=(m, n)) + rng.exponential(2.0) * rng.normal(size=n)
    weights = rng.dirichlet(np.ones(n))
    H = gv.FiniteClass(table, rng.normal(size=(n, dim)), weights=weights)
    check = gv.bound_check(H, slow_model("mlp-3-relu", int(dim), seed).model)
    value = {name: check.bounds[name].value for name in OPERATOR_BOUNDS}
    slack = 1 + 1e-12
    rounding = 1e-14 * value["gershgorin"]
    assert check.variance.value <= value["operator-norm"] * slack + rounding
    assert value["operator-norm"] <= value["operator-norm-uncentred"] * slack
    for name in ("gershgorin", "boas-bellman", "cross-predictability"):
        assert value["operator-norm-uncentred"] <= value[name] * slack
    assert check.verdict == "holds"


def test_operator_norm_bound_is_attained():
    # P = 1 and s the top eigenfunction of the class covariance: Var = ||T_C|| E||s||^2, so no constant is smaller
    rng = np.random.default_rng(0)
    table, points, weights = rng.normal(size=(5, 8)), np.arange(8.0)[:, None], rng.dirichlet(np.ones(8))
    root = np.sqrt(weights)
    _, vectors = np.linalg.eigh(root[:, None] * reference.class_covariance(table) * root)
    s = vectors[:, -1] / root
    model = gv.from_function(lambda x: 0 * x[:, 0], lambda x: s[x[:, 0].astype(int)][:, None], 1)
    check = gv.bound_check(gv.FiniteClass(table, points, weights=weights), model)
    assert_allclose(check.variance.value, check.bounds["operator-norm"].value, rtol=1e-12)
    assert check.verdict == "holds"


@pytest.mark.parametrize(("dim", "published"), [(5, 0.1513671875), (10, 0.009756088256835938)])
def test_linear_model_on_all_parities(dim: int, published: float):
    check = gv.bound_check(gv.Parities(dim), gv.Linear(np.linspace(-1, 1, dim)))
    assert_allclose(check.variance.value, published, rtol=1e-12)
    assert_allclose(check.bound, dim / 2**dim, rtol=1e-12)
    assert_allclose(check.ratio, 1 - 2.0**-dim, rtol=1e-12)
    assert check.verdict == "holds"


def test_all_parities_at_dim_10_000():
    check = gv.bound_check(gv.Parities(10_000), gv.Linear(np.ones(10_000)), rng=0)
    assert check.log2_size == 10_000
    assert_allclose(check.log2_bound, math.log2(10_000) - 10_000, rtol=1e-12)
    assert_allclose(check.variance.log2, math.log2(10_000) - 10_000, rtol=1e-12)
    assert_allclose(check.ratio, 1, rtol=1e-9)
    # the root of the cross-predictability is |H|^{-1/2}
    assert_allclose(check.bounds["cross-predictability"].log2, math.log2(10_000) - 5_000, rtol=1e-12)
    assert check.verdict == "holds"


def test_sizes_of_sparse_parities_at_dim_1000():
    check = gv.bound_check(
        gv.SparseParities(1000, 5), gv.Linear(np.ones(1000)), method="monte-carlo", max_samples=64, rng=0
    )
    log2_size = math.log2(math.comb(1000, 5))
    assert_allclose(check.log2_bound, math.log2(1000) - log2_size, rtol=1e-12)
    for name in ("operator-norm", "operator-norm-uncentred", "gershgorin", "boas-bellman"):
        assert_allclose(check.bounds[name].log2, math.log2(1000) - log2_size, rtol=1e-12)


def test_theorem_1_has_the_square_of_the_lipschitz_constant(slow_class, slow_model):
    H, model = slow_class("sparse-2", 4).H, slow_model("mlp-3-tanh", 4).model
    one = gv.bound_check(H, model, "square").bounds["theorem-1"].value
    three = gv.bound_check(H, model, gv.MarginLoss(lambda t: -3 / (1 + t * t), lipschitz=3.0))
    assert_allclose(three.bounds["theorem-1"].value, 9 * one, rtol=1e-12)
    assert three.verdict == "holds"


# --- the false direction ---------------------------------------------------------------------------------


def copies(m: int) -> tuple[gv.FiniteClass, gv.Model]:
    """m copies of h(x) = x and m of its negative on x = +-1, and p = x w: Var = 1 = G^2 at any |H| = 2m."""
    h = np.array([1.0, -1.0])
    return gv.FiniteClass(np.array([h] * m + [-h] * m), [[1.0], [-1.0]]), gv.Linear([0.3])


@pytest.mark.parametrize("m", [1, 2, 10])
@pytest.mark.parametrize("method", ["enumeration", "monte-carlo"])
def test_a_class_that_breaks_g_squared_over_its_size_is_told_so(m: int, method: str):
    H, model = copies(m)
    check = gv.bound_check(H, model, method=method, max_samples=2000, rng=0)
    assert_allclose(check.gradient_norm_sq.value, 1, rtol=1e-14)
    assert abs(check.variance.value - 1) <= 1e-12 + 4 * check.variance.standard_error
    assert check.variance.value > check.gradient_norm_sq.value / (2 * m)
    assert not H.is_orthonormal
    assert not check.bounds["theorem-1"].applicable
    assert check.bounds["theorem-1"].reason
    assert "failed" in {assumption.status for assumption in check.assumptions}
    assert check.bound_name == "operator-norm"
    assert_allclose(check.bound, 1, rtol=1e-12)
    assert_allclose(check.bounds["operator-norm"].value, 1, rtol=1e-12)
    assert check.verdict in {"enumeration": ("holds",), "monte-carlo": ("holds", "inconclusive")}[method]


def test_twice_the_parities_are_orthogonal_but_too_large(slow_model):
    H = gv.FiniteClass(2 * reference.parity_table(3), reference.cube(3))
    check = gv.bound_check(H, slow_model("mlp-3-tanh", 3).model)
    assert check.variance.value > check.gradient_norm_sq.value / 8
    assert not check.bounds["theorem-1"].applicable
    assert_allclose(check.bound, 4 * check.signal_norm_sq.value / 8, rtol=1e-12)
    assert check.verdict == "holds"


def test_a_loss_without_lipschitz_constant_has_no_theorem_1(slow_class, slow_model):
    # exponential: r(t) = e^{-t}, b = -cosh p; the formula and the operator-norm bound still hold
    classes, slow = slow_class("parities", 3), slow_model("mlp-3-tanh", 3)
    check = gv.bound_check(classes.H, slow.model, gv.MarginLoss(lambda t: -np.exp(-t), lipschitz=math.inf))
    classes.assert_variance(check.variance.value, slow, lambda t: -math.exp(-t))
    assert not check.bounds["theorem-1"].applicable
    assert check.bound_name == "operator-norm"
    assert check.verdict == "holds"


class LyingClass:
    """The copies of one function and its negative, claiming to be orthonormal."""

    labels, is_orthonormal = "signs", True

    def __init__(self, m: int) -> None:
        self.H, _ = copies(m)
        self.inputs, self.log2_size = self.H.inputs, self.H.log2_size

    def operator_norm(self, centred: bool = True) -> float:
        return 1 / self.H.size

    def covariance(self, x: np.ndarray, x2: np.ndarray) -> np.ndarray:
        return self.H.covariance(x, x2)

    def project(self, f: np.ndarray) -> np.ndarray:
        return self.H.project(f)


@pytest.mark.parametrize("method", ["enumeration", "monte-carlo"])
def test_a_broken_bound_is_called_violated(method: str):
    # Var = 1, and the claims make the bound 1/20: both numbers are exact, or the interval is far above
    check = gv.bound_check(LyingClass(10), copies(10)[1], method=method, max_samples=2000, rng=0)
    assert check.variance.interval[0] > 2 * check.bound
    assert check.verdict == "violated"
    assert check.ratio > 2


def test_an_interval_that_straddles_the_bound_is_inconclusive():
    # |H| = 1820: 40 samples resolve G^2/(40 sqrt(1820)), about the bound itself
    H, model = gv.SparseParities(16, 4), gv.MLP.random([16, 4, 1], rng=0)
    straddled = 0
    for seed in range(8):
        check = gv.bound_check(H, model, method="monte-carlo", max_samples=40, rtol=0, rng=seed)
        low, high = check.variance.interval
        if low < check.bound < high:
            straddled += 1
            assert check.verdict == "inconclusive"
            assert "sample" in check.reason
        elif low > check.bound:
            assert check.verdict == "violated"
    assert straddled >= 4


@pytest.mark.large
def test_more_samples_settle_it():
    H, model = gv.SparseParities(16, 2), gv.MLP.random([16, 4, 1], rng=0)
    check = gv.bound_check(H, model, method="monte-carlo", max_samples=4096, rtol=0, rng=0)
    assert check.variance.interval[1] < check.bound
    assert check.verdict == "holds"
    exact = gv.bound_check(H, model)
    assert exact.variance.exact
    assert exact.verdict == "holds"
    assert abs(check.variance.value - exact.variance.value) <= 4 * check.variance.standard_error


def test_a_model_that_does_not_move_has_nothing_to_violate():
    model = gv.from_function(lambda x: x[:, 0], lambda x: np.zeros((len(x), 2)), 2)
    check = gv.bound_check(gv.Parities(4), model)
    assert check.variance.value == 0
    assert check.bound == 0
    assert check.verdict == "holds"
    assert str(check)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"operator_norm": lambda self: 1 / 8}, "operator_norm"),
        ({"operator_norm": lambda self, centered=True: 1 / 8}, "operator_norm"),
        ({"operator_norm": lambda self, centred, /: 1 / 8}, "operator_norm"),
        ({"operator_norm": 1 / 8}, "operator_norm"),
        ({"log2_operator_norm": lambda self: -3.0}, "log2_operator_norm"),
    ],
)
def test_an_operator_norm_that_cannot_be_asked_for_both_is_refused_in_words(attributes, name: str):
    H = type("Own", (gv.Parities,), attributes)(3)
    message = (
        rf"`H.{name}` must be a method that accepts `centred`: {name}\(centred=True\) .* that of Parities\(dim=3\)"
    )
    with pytest.raises(TypeError, match=message):
        gv.bound_check(H, gv.Linear([1.0] * 3))


def test_an_operator_norm_without_a_default_will_do():
    H = type("Own", (gv.FiniteClass,), {"operator_norm": lambda self, centred: 0.5})([[1, 1], [1, -1]], [[1.0], [-1.0]])
    check = gv.bound_check(H, gv.Linear([1.0]))
    assert check.bounds["operator-norm"].value == 0.5 * check.signal_norm_sq.value
