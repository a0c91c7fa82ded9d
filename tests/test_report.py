"""What a bound check prints, and what its numbers mean where float64 ends."""

import json
import math

import matplotlib
import numpy as np
import pytest

import gradvar as gv
from gradvar.core.numbers import exp2, format_log2, format_number

matplotlib.use("Agg")
pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def exact():
    return gv.bound_check(gv.Parities(6), gv.MLP.random([6, 5, 1], rng=0), method="closed-form")


@pytest.fixture(scope="module")
def huge():
    return gv.bound_check(gv.Parities(10_000), gv.Linear(np.ones(10_000)), rng=0, max_samples=256)


@pytest.fixture(scope="module")
def sampled():
    H, model = gv.SparseParities(30, 2), gv.MLP.random([30, 8, 8, 1], rng=0)
    return gv.bound_check(H, model, method="monte-carlo", max_samples=2048, rng=0)


@pytest.fixture(scope="module")
def dependent():
    # Four copies of one function and four of its negative: the centred Gram matrix has eigenvalue 8.
    h = np.array([1.0, 1.0, -1.0, -1.0])
    points = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    return gv.bound_check(gv.FiniteClass([h] * 4 + [-h] * 4, points), gv.Linear([1.0, 0.0]))


def test_repr_is_one_line(exact, huge, sampled):
    for check in (exact, huge, sampled):
        assert "\n" not in repr(check)
        assert repr(check).startswith("BoundCheck(")
        assert "\n" not in repr(check.variance)


def test_report_names_the_parts_the_guarantee_and_the_verdict(exact):
    text = str(exact)
    for words in (
        "Gradient variance over all 2^6 = 64 parities",
        "x uniform on the cube",
        "MLP(6-5-1, tanh), 41 parameters",
        "square, 1/2 (p - y)^2",
        "exact up to series and float64 rounding, both within the interval: a sum over 5 hidden units, by Parseval",
        "Verdict: HOLDS",
        "proved: orthonormal class, Lipschitz loss, labels",
        "Signal to noise",
        "Var is E||s||^2/|H| but for one point (Parseval)",
    ):
        assert words in " ".join(text.split())
    assert len(text.splitlines()) <= 25
    assert max(map(len, text.splitlines())) <= 88


def test_the_long_report_says_how_each_thing_is_known(exact):
    text = exact.explain()
    for words in (
        "proved    orthonormal class",
        "lambda_max(J Gram J)/|H| E||s||^2",
        "Shamir's form",
        "Verdict: HOLDS",
    ):
        assert words in text
    for estimate in (exact.variance, exact.gradient_norm_sq):
        assert estimate.guarantee in " ".join(text.split())


def test_equal_bounds_stand_in_one_line_and_the_value_comes_first(exact):
    lines = str(exact).splitlines()
    assert "0.0615775, exact" in lines[1]
    assert "Verdict" in lines[2]
    shown = [line for line in lines if line.startswith(("* ", "   ")) and "Theorem 1;" in line]
    assert len(shown) == 1
    assert "operator norm, centred" in shown[0]


def test_report_of_a_sampled_estimate_shows_its_interval_and_never_says_exact(sampled):
    text = str(sampled)
    assert "at 95%" in text
    assert "U-statistic" in text
    assert "exact" not in text
    assert not sampled.variance.exact


def test_class_that_is_not_orthonormal_is_told_so(dependent):
    assert dependent.bound_name == "operator-norm"
    assert not dependent.bounds["theorem-1"].applicable
    assert "NOT APPLICABLE" in dependent.explain()
    assert "Theorem 1 does not apply; G^2/|H| = 0.25, Var is 4 of it" in str(dependent)
    assert "Theorem 1 does not apply" in dependent.reason
    # Var = 1 > G^2/|H| = 2/8: the number really breaks what Theorem 1 would say.
    assert dependent.variance.value == pytest.approx(1.0, rel=1e-12)
    assert dependent.bounds["theorem-1"].value == pytest.approx(0.25, rel=1e-12)
    assert "Var is 4 times G^2/|H|" in dependent.reason
    assert dependent.verdict == "holds"
    assert dependent.bound == pytest.approx(2.0, rel=1e-12)


def test_html_has_the_same_words_and_escapes(exact):
    page = exact._repr_html_()
    assert page.startswith("<div>")
    assert "Theorem 1" in page
    assert "Verdict: holds" in page
    assert "E||dp/dw||^2" in page
    assert "|b| &lt;= 1" in gv.bound_check(gv.Parities(3), gv.Cosine(np.ones(3)), "hinge")._repr_html_()


def test_to_dict_is_json(exact, huge, dependent):
    for check in (exact, huge, dependent):
        back = json.loads(json.dumps(check.to_dict(), allow_nan=False))
        assert back["verdict"] == check.verdict
        assert set(back["bounds"]) == set(check.bounds)


def test_numbers_beyond_float64(huge):
    assert huge.variance.value == 0.0
    assert huge.variance.log2 == pytest.approx(math.log2(10_000) - 10_000)
    assert huge.bound == 0.0
    assert math.isfinite(huge.log2_bound)
    assert huge.ratio == pytest.approx(1.0)
    assert huge.verdict == "holds"
    assert "e-3007" in str(huge)


def test_at_d_10_000_a_linear_model_is_exact_and_a_deep_one_is_not_called_so(huge):
    assert huge.variance.exact
    deep = gv.gradient_variance(gv.Parities(10_000), gv.MLP.random([10_000, 2, 2, 1], rng=0), rng=0, max_samples=256)
    assert not deep.exact
    assert deep.interval == (0.0, 0.0)
    assert deep.mantissa_interval[0] < deep.mantissa_interval[1]


def test_unresolved_is_never_zero_plus_minus_zero():
    check = gv.bound_check(gv.Parities(40), gv.Linear(np.ones(40)), method="monte-carlo", max_samples=512, rng=0)
    estimate = check.variance
    assert not estimate.resolved
    assert estimate.standard_error == math.inf
    assert estimate.interval == (-math.inf, math.inf)
    assert check.verdict == "inconclusive"
    assert "resolve nothing" in check.reason
    assert "unresolved" in repr(estimate)
    assert "0 +-" not in str(check)


def test_inconclusive_says_how_many_samples_would_settle_it():
    H, model = gv.SparseParities(30, 3), gv.MLP.random([30, 8, 1], rng=0)
    plain = gv.MonteCarlo(variance_reduction=False)
    check = gv.bound_check(H, model, method=plain, max_samples=96, rtol=0, rng=2)
    low, high = check.variance.interval
    assert low < check.bound < high
    assert check.verdict == "inconclusive"
    assert "samples would settle it" in check.reason


def test_zero_variance_of_one_target():
    check = gv.bound_check(gv.SparseParities(1000, 0), gv.Linear(np.ones(1000)), max_samples=256, rng=0)
    assert check.variance.value == 0.0
    assert check.variance.log2 == -math.inf
    assert check.variance.exact
    assert check.ratio == 0.0
    assert check.verdict == "holds"
    assert check.consequences == ()


def test_plot_returns_the_axes_it_was_given(exact, sampled, huge, dependent):
    import matplotlib.pyplot as plt

    for check in (exact, sampled, huge, dependent):
        figure, ax = plt.subplots()
        assert check.plot(ax) is ax
        labels = [tick.get_text() for tick in ax.get_yticklabels()]
        assert any("Theorem 1" in label for label in labels)
        figure.canvas.draw()
        plt.close(figure)
    assert exact.plot() is not None
    plt.close("all")


@pytest.mark.parametrize(
    ("log2", "text"), [(-10_000.0, "5.01237e-3011"), (0.0, "1"), (-1.0, "0.5"), (-math.inf, "0"), (math.inf, "inf")]
)
def test_powers_of_two_for_a_reader(log2, text):
    assert format_log2(log2) == text
    if abs(log2) < 1000:
        assert format_number(exp2(log2)) == text


@pytest.mark.parametrize("loss", ["square", "logistic", "hinge"])
def test_what_the_report_says_of_all_parities_is_so_for_every_loss(loss):
    H, model = gv.Parities(9), gv.MLP.random([9, 5, 1], rng=1, scale=3.0)
    check = gv.bound_check(H, model, loss)
    x = H.inputs.points(0, 1)  # the point (1, ..., 1)
    dropped = gv.Problem(H, model, loss).norms(x)[0, 1] / 4**9
    assert "Var is E||s||^2/|H| but for one point" in " ".join(str(check).split())
    assert check.variance.value == pytest.approx(check.signal_norm_sq.value / 2**9 - dropped, rel=1e-10)
