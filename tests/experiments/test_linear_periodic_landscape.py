"""The landscape of a cosine and the variance over directions, against quadrature over the inputs."""

import itertools
import math

import matplotlib
import numpy as np
import pytest

from gradvar.experiments import linear_periodic
from gradvar.experiments.linear_periodic import critical_points, landscape, run

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
X = np.array(list(itertools.product(NODES, NODES)))
P = np.outer(WEIGHTS, WEIGHTS).ravel() / (2 * math.pi)
V = np.array([2.0, 2.0])


def by_quadrature(w):
    """F, its gradient and its Hessian, as means over a Gauss-Hermite grid of inputs."""
    c, s, y = np.cos(X @ w), np.sin(X @ w), np.cos(X @ V)
    value = P @ (c - y) ** 2
    gradient = X.T @ (P * 2 * (c - y) * -s)
    hessian = np.einsum("n,ni,nj->ij", P * 2 * (s * s - (c - y) * c), X, X)
    return value, gradient, hessian


@pytest.mark.parametrize("w", [(0.3, -0.7), (1.9, 2.2), (0.0, 0.0), (-1.2, 1.1)])
def test_the_landscape_is_the_mean_over_inputs(w):
    for found, expected in zip(landscape(np.array([w]), V), by_quadrature(np.array(w)), strict=True):
        np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-9)


def test_critical_points_have_no_slope_and_the_curvature_that_their_kind_says():
    points = critical_points(V)
    assert sorted(kind for _, kind in points) == ["maximum", "minimum", "minimum", "saddle", "saddle"]
    for point, kind in points:
        _, gradient, hessian = by_quadrature(point)
        np.testing.assert_allclose(gradient, 0, atol=1e-9)
        assert (np.linalg.eigvalsh(hessian) > 1e-3).sum() == {"maximum": 0, "saddle": 1, "minimum": 2}[kind]


def test_the_variance_of_a_row_is_that_over_directions():
    row = next(iter(run(dims=[2], radii=[1.0], width=2)))
    angles = np.arange(400) * (2 * math.pi / 400)  # the trapezoidal rule, exact for smooth functions of an angle
    members = np.cos(math.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1) @ X.T)
    signal = np.sin(X[:, 0])[:, None] * X
    gradients = (members * P) @ signal
    share = ((gradients - gradients.mean(axis=0)) ** 2).sum(axis=1).mean() / (P @ (signal**2).sum(axis=1))
    assert row["cosine"] == pytest.approx(math.log2(share), abs=1e-9)


def test_another_target_is_not_what_the_figure_shows(monkeypatch):
    result = run(dims=[2], radii=[1.0], width=2)
    assert result.agrees
    monkeypatch.setattr(linear_periodic, "_TARGET", np.array([1.0, 1.0]))
    found = {c.what: c.agrees for c in run(dims=[2], radii=[1.0], width=2).comparisons}
    assert not found["F at 0, the top"]
    assert not found["F at the saddles"]


def test_the_figure_names_its_axes_and_bounds():
    matplotlib.use("agg")
    axes = run(dims=[2, 5], radii=[1.0, 2.0], width=2).plot()
    assert [len(ax.lines) for ax in axes[3:]] == [5, 5, 5]
    assert axes[1].get_legend_handles_labels()[1] == ["maximum: 1", "saddle: 2", "minimum: 2"]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
    assert "Shamir" in axes[3].get_legend().get_texts()[-1].get_text()
