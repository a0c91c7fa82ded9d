"""Classes of labellings of scikit-learn's digits: 1797 images of 8 x 8 pixels."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

import gradvar as gv
from gradvar.testing import reference

DIGITS = load_digits()
X, DIGIT = DIGITS.data / 16, DIGITS.target


def one_vs_rest(digit: np.ndarray) -> np.ndarray:
    """h_c = +1 on the images of c, (10, n)."""
    return np.where(digit == np.arange(10)[:, None], 1, -1)


def subset_parities(digit: np.ndarray) -> np.ndarray:
    """h_S = -1 on the images of a digit in S, for all 1024 sets S: (1024, n)."""
    return 1 - 2 * ((np.arange(1024)[:, None] >> digit) & 1)


def random_labels(digit: np.ndarray, m: int = 12) -> np.ndarray:
    """Independent labels of every image, (m, n)."""
    return np.random.default_rng(0).choice([-1, 1], size=(m, digit.size))


CLASSES = {"one-vs-rest": one_vs_rest, "random labels": random_labels, "subset parities": subset_parities}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_a_few_images_against_the_gradients_of_all_risks(name: str, loss: str, slow_model):
    few = np.random.default_rng(1).permutation(X.shape[0])[:14]
    table = CLASSES[name](DIGIT[few]).astype(float)
    if name == "subset parities":
        table = table[:: 1024 // 32]  # sets of the digits 5, ..., 9
    weights = np.random.default_rng(2).dirichlet(np.ones(14))
    slow = slow_model("mlp-2-tanh", 64)
    predictions, jacobian = slow.predict(X[few]), slow.gradient(X[few])
    expected = reference.gradient_variance(reference.gradients(table, weights, predictions, jacobian, loss))
    H = gv.FiniteClass(table, X[few], weights=weights)
    check = gv.bound_check(H, slow.model, loss)
    assert H.labels == "signs"
    assert check.variance.exact
    assert_allclose(check.variance.value, expected, rtol=1e-12)
    norm = reference.operator_norm(table, weights)
    signal = reference.signal_norm_sq(weights, predictions, jacobian, loss)
    assert_allclose(check.bounds["operator-norm"].value, norm * signal, rtol=1e-12)
    assert check.verdict == "holds"
    assert expected <= norm * signal


@pytest.fixture(scope="module")
def network() -> gv.MLP:
    return gv.MLP.random([64, 10, 1], rng=0)


@pytest.mark.parametrize("name", CLASSES)
def test_all_images_against_one_product_with_the_gradients(name: str, network: gv.MLP):
    table = CLASSES[name](DIGIT).astype(float)
    gradients = table @ network.gradient(X) / X.shape[0]
    expected = float(((gradients - gradients.mean(axis=0)) ** 2).sum()) / len(table)
    check = gv.bound_check(gv.FiniteClass(table, X), network)
    assert_allclose(check.variance.value, expected, rtol=1e-12)
    assert check.verdict == "holds"


def test_all_sets_of_digits_have_the_covariance_of_equal_digits(network: gv.MLP):
    # over all S the labels of different digits are independent: C_H(x, x') = [the digits are equal], of which the
    # norm is the largest share of a digit, and Var = sum_c ||E[s, digit = c]||^2
    H = gv.FiniteClass(subset_parities(DIGIT), X)
    shares = np.bincount(DIGIT) / DIGIT.size
    assert_allclose(H.operator_norm(), shares.max(), rtol=1e-12)
    means = (np.arange(10)[:, None] == DIGIT) @ network.gradient(X) / DIGIT.size
    check = gv.bound_check(H, network)
    assert_allclose(check.variance.value, (means**2).sum(), rtol=1e-12)
    assert_allclose(check.bound, shares.max() * check.signal_norm_sq.value, rtol=1e-12)
    some = [0, 1, 17, 300]
    assert_allclose(H.covariance(X[some], X[some]), DIGIT[some][:, None] == DIGIT[some], rtol=0, atol=1e-13)


def test_some_of_the_labellings_as_a_class(network: gv.MLP):
    table = subset_parities(DIGIT)
    singles = [1 << c for c in range(10)]
    H = gv.FiniteClass(table, X).restrict(singles)
    expected = gv.bound_check(gv.FiniteClass(-one_vs_rest(DIGIT), X), network)
    found = gv.bound_check(H, network)
    assert_allclose(found.variance.value, expected.variance.value, rtol=1e-12)
    assert_allclose(found.bound, expected.bound, rtol=1e-12)


def test_sampling_finds_the_exact_number(network: gv.MLP):
    H = gv.FiniteClass(random_labels(DIGIT), X)
    exact = gv.gradient_variance(H, network).value
    sampled = gv.gradient_variance(H, network, method="monte-carlo", max_samples=1000, rtol=0, rng=0)
    assert abs(sampled.value - exact) < 5 * sampled.standard_error


LARGE = """
import resource, time
import numpy as np
from sklearn.datasets import load_digits
import gradvar as gv

x = load_digits().data / 16
H = gv.FiniteClass(np.random.default_rng(0).choice([-1, 1], size=(1000, 1797)), x)
model = gv.MLP.random([64, 151, 1], rng=0)
begin = time.process_time()
check = gv.bound_check(H, model)
seconds = time.process_time() - begin
assert check.variance.exact and check.verdict == "holds"
print(check.variance.value, model.n_parameters, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.alone
@pytest.mark.large
def test_a_thousand_labellings_and_ten_thousand_parameters_take_seconds_and_less_than_one_gibibyte():
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    value, parameters, seconds, gibibytes = map(float, done.stdout.split())
    assert parameters == 9967
    assert seconds < 20  # of two cores: 10 seconds of the clock where they are free
    assert gibibytes < 1 or sys.platform == "darwin"  # there in bytes
    # independent labels: the class covariance is [x = x'], up to the sample of 1000 labellings
    x = X
    model = gv.MLP.random([64, 151, 1], rng=0)
    signal = sum(float(((a * a).sum(axis=1) * (b * b).sum(axis=1)).mean()) for a, b in model.tangent_factors(x))
    assert math.isclose(value, signal / 1797, rel_tol=0.2)
