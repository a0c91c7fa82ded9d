"""Gradients and second moments of portfolios, against sums over all returns and central differences."""

import itertools

import matplotlib
import numpy as np
import pytest
from scipy.special import softmax

from gradvar.experiments import decomposition_stocks
from gradvar.experiments.decomposition_stocks import gradients, run, second_moments, train
from gradvar.experiments.training.optimizers import Adam

K = 4
LOGITS = np.random.default_rng(0).standard_normal((3, K))
STOCKS = np.array([2, 0, 3])


def returns(y):
    """All z with z_y = 1."""
    return np.array([z for z in itertools.product((-1.0, 1.0), repeat=K) if z[y] == 1])


def test_the_gradient_is_that_of_what_the_portfolio_earns():
    z = np.array([[1.0, -1.0, 1.0, 1.0]])
    found = gradients(softmax(LOGITS[:1], axis=1), z)[0]
    for j in range(K):
        step = np.zeros(K)
        step[j] = 1e-6
        values = [-float(z[0] @ softmax(LOGITS[0] + sign * step)) for sign in (1, -1)]
        assert found[j] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-9)


def test_second_moments_are_means_over_all_returns_and_the_mean_gradient_is_that_from_names():
    p = softmax(LOGITS, axis=1)
    moments, named = [], []
    for row, y in zip(p, STOCKS, strict=True):
        of_returns = gradients(np.tile(row, (2 ** (K - 1), 1)), returns(y))
        of_names = gradients(row[None], np.eye(K)[[y]])[0]
        np.testing.assert_allclose(of_returns.mean(axis=0), of_names, atol=1e-15)
        moments.append((of_returns**2).sum(axis=1).mean())
        named.append((of_names**2).sum())
    np.testing.assert_allclose(second_moments(p, STOCKS), (np.mean(moments), np.mean(named)), rtol=1e-12)


@pytest.mark.parametrize("k", [2, 7, 300])
def test_the_ratio_is_k_at_a_uniform_softmax(k):
    of_returns, of_names = second_moments(np.full((5, k), 1 / k), np.arange(5) % k)
    assert of_returns / of_names == pytest.approx(k, rel=1e-12)


def test_the_first_step_follows_the_gradient():
    y = np.array([1, 0])
    path, initial = train(y, 2, "names", steps=1, batch=8, rule=Adam(), seed=0, progress=False)
    assert path.shape == (2, 2)
    np.testing.assert_allclose(initial.sum(axis=1), 1)
    assert path[1, 0] == pytest.approx(-initial[[0, 1], y].mean())
    assert path[1, 1] < path[1, 0]


def test_names_are_learned_and_too_few_steps_disagree():
    result = run(stocks=[10], inputs=20, steps=200, batch=10)
    agrees = {c.what: c.agrees for c in result.comparisons}
    assert agrees["value from names, k = 10"]
    assert agrees["ratio of second moments, uniform, k = 10"]
    few = {c.what: c.agrees for c in run(stocks=[10], inputs=20, steps=2, batch=10).comparisons}
    assert not few["value from names, k = 10"]
    assert not few["value from returns, k = 10"]


def test_other_second_moments_are_not_k(monkeypatch):
    monkeypatch.setattr(decomposition_stocks, "second_moments", lambda p, y: (1.0, 1.0))
    assert not run(stocks=[10], inputs=10, steps=1, batch=2).comparisons[-2].agrees


def test_the_figure_has_a_panel_for_each_k_with_the_papers_values():
    matplotlib.use("agg")
    axes = run(stocks=[4, 10], inputs=10, steps=60, batch=5).plot()
    assert [len(ax.lines) for ax in axes] == [2, 4, 3]  # the paper has no k = 4
    assert "paper, returns: -1" in axes[1].get_legend_handles_labels()[1]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
