"""Condition numbers and descents of piecewise-linear curves, against descents that take each step."""

import matplotlib
import numpy as np
import pytest

from gradvar.experiments import conditioning
from gradvar.experiments.conditioning import dynamics, integrals, root, run, sparse_codes, windows

TINY = {"sizes": [10, 20], "steps": [2, 5], "encoder_steps": [1, 2], "curves": 60}


@pytest.fixture(scope="module")
def tiny():
    return run(**TINY)


def test_a_curve_sums_its_changes_of_slope_twice():
    codes = sparse_codes(5, 12, np.array([[1.0, -1.0, 2.0]]), np.random.default_rng(0))
    assert (np.count_nonzero(codes, axis=1) == 3).all()
    assert not codes[:, :3].any()
    assert not codes[:, -3:].any()
    curves = codes @ integrals(12).T
    np.testing.assert_allclose(curves, codes.cumsum(axis=1).cumsum(axis=1))
    slopes = np.diff(curves, axis=1)
    np.testing.assert_allclose(slopes[:, -1], 2.0)
    # the stencil finds the codes
    np.testing.assert_allclose((windows(curves) @ [1, -2, 1]).reshape(5, 10), codes[:, 2:], atol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 7, 300])
def test_the_linear_descent_is_the_one_that_takes_each_step(steps):
    n = 10
    W, U = integrals(n), np.zeros((n, n))
    eta = 1 / np.linalg.norm(W, 2) ** 2
    for _ in range(steps):
        U -= eta * (U @ W - np.eye(n)) @ W.T
    assert dynamics(n)["linear"].error(steps) == pytest.approx(np.linalg.norm(U - np.linalg.inv(W), 2), rel=1e-9)


@pytest.mark.parametrize("steps", [0, 1, 7, 300])
def test_the_convolution_descends_on_the_mean_square_over_places(steps):
    n = 10
    W, stencil, u = integrals(n), np.array([1.0, -2.0, 1.0]), np.zeros(3)
    C = sum(np.stack([W[t], W[t - 1], W[t - 2]]) @ np.stack([W[t], W[t - 1], W[t - 2]]).T for t in range(2, n)) / (
        n - 2
    )
    eta = 1 / np.linalg.eigvalsh(C)[-1]
    for _ in range(steps):
        u -= eta * C @ (u - stencil)
    descents = dynamics(n)
    assert descents["convolution"].error(steps) == pytest.approx(np.linalg.norm(u - stencil), rel=1e-9)
    assert descents["convolution"].condition == pytest.approx(np.linalg.cond(C), rel=1e-9)
    np.testing.assert_allclose(root(C) @ C @ root(C), np.eye(3), atol=1e-9)


def test_steps_to_an_error_are_the_first_that_reach_it():
    for descent in dynamics(6).values():
        t = descent.steps_to(0.3)
        assert descent.error(t) <= 0.3 * descent.error(0)
        assert t == 1 or descent.error(t - 1) > 0.3 * descent.error(0)


def test_a_result_has_a_row_for_each_learner_and_size_and_each_record(tiny):
    assert len(tiny.rows) == 2 * 4 + 2 * 4
    by_name = {c.what: c for c in tiny.comparisons}
    assert by_name["linear: condition, n = 10"].agrees
    assert by_name["conditioned: condition, largest"].agrees
    assert not by_name["conditioned: error of codes, step 2 of Adam"].agrees  # two steps are too few
    assert not tiny.agrees


def test_without_the_conditioner_the_comparison_says_no(monkeypatch):
    monkeypatch.setattr(conditioning, "root", lambda covariance: np.eye(3))
    found = {c.what: c.agrees for c in run(**TINY).comparisons}
    assert not found["conditioned: condition, largest"]
    assert not found["conditioned on curves: steps to 1e-2"]
    assert found["linear: condition, n = 10"]


def test_the_figure_has_a_curve_of_each_learner(tiny):
    matplotlib.use("agg")
    axes = tiny.plot()
    assert [ax.get_title() for ax in axes[:4]] == [
        f"decoded: {name}" for name in ("linear", "convolution", "conditioned", "auto-encoder")
    ]
    assert [len(ax.lines) for ax in axes] == [3, 3, 3, 3, 5, 3, 4]
    assert all(ax.get_xlabel() and ax.get_ylabel() and ax.get_legend() for ax in axes)
