"""Theorem 2: the sharp constant, the explicit bound and Shamir's tail function."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, special

import gradvar as gv
from gradvar.bounds.theorem2 import log_upper_gamma

mpl.use("Agg")


@pytest.mark.parametrize(
    ("dim", "radius", "uncentred", "centred"),
    [(2, 2.0, 0.20700, 0.11763), (5, 2.0, 0.070352, 0.019158), (50, 4.0, 1.3010e-6, 1.0828e-7)],
)
def test_published_constants(dim: int, radius: float, uncentred: float, centred: float):
    bound = gv.Theorem2(dim, radius)
    assert_allclose(bound.sharp_uncentred, uncentred, rtol=3e-5)
    assert_allclose(bound.sharp, centred, rtol=5e-5)


@pytest.mark.parametrize("dim", [1, 2, 3, 10, 100, 1000, 10_000])
@pytest.mark.parametrize("radius", [1e-3, 0.5, 1.0, 3.0, 30.0, 300.0])
def test_order_of_the_bounds(dim: int, radius: float):
    bound = gv.Theorem2(dim, radius)
    assert bound.log2_sharp < bound.log2_sharp_uncentred <= bound.log2_explicit
    assert dim == 1 or math.isfinite(bound.log2_sharp)
    assert bound.log2_tail <= 0
    assert bound.log2_tail_sum >= bound.log2_tail
    assert bound.sharp == gv.LinearPeriodic(dim, radius).operator_norm()


def test_no_decay_in_the_radius_alone():
    # at fixed d lambda_0 falls only as rho^-(d-1): the explicit bound stops at its cap, the tail function does not
    near, far = gv.Theorem2(4, 50.0), gv.Theorem2(4, 500.0)
    assert_allclose(near.log2_sharp_uncentred - far.log2_sharp_uncentred, 3 * math.log2(10), rtol=1e-3)
    assert_allclose(far.explicit, 0.75**1.5 / 2)
    assert far.log2_tail < -1e5


def test_sigma_scales_the_radius():
    assert_allclose(gv.Theorem2(7, 1.5, sigma=2.0).log2_sharp, gv.Theorem2(7, 3.0).log2_sharp, rtol=1e-14)
    assert_allclose(gv.Theorem2(7, 1.5, sigma=2.0).log2_tail, gv.Theorem2(7, 3.0).log2_tail, rtol=1e-14)


def test_tail_is_the_mass_of_the_squared_transform():
    # one dimension: sqrt of the density of N(0, sigma^2), its transform by a sum, squared, outside [-r, r]
    sigma, radius = 0.7, 1.9
    r = radius / (2 * math.pi)
    x = np.linspace(-12, 12, 2001)
    root = np.exp(-(x**2) / (4 * sigma**2)) / (2 * math.pi * sigma**2) ** 0.25
    omega = np.linspace(r, r + 3, 3001)
    transform = np.cos(2 * np.pi * np.outer(omega, x)) @ root * (x[1] - x[0])
    mass = 2 * integrate.simpson(transform**2, x=omega)
    assert_allclose(gv.Theorem2(1, radius, sigma).tail ** 2, mass, rtol=1e-6)


@pytest.mark.parametrize("x", [0.01, 3.0, 40.0, 700.0, 1500.0, 1e5])
@pytest.mark.parametrize("n", [1, 5, 300])
def test_logarithm_of_the_upper_gamma_function(n: int, x: float):
    # Q(n, x) = e^-x sum_{k < n} x^k/k!
    k = np.arange(n)
    expected = float(special.logsumexp(k * math.log(x) - special.gammaln(k + 1))) - x
    assert_allclose(log_upper_gamma(float(n), x), expected, rtol=1e-12, atol=1e-12)


def test_tail_sum_by_adding_up():
    bound = gv.Theorem2(6, 0.4)
    terms = [gv.Theorem2(6, n * 0.4).tail for n in range(1, 40)]
    assert_allclose(bound.tail_sum, math.fsum(terms), rtol=1e-12)


@pytest.mark.parametrize("over", ["radius", "dim"])
def test_plot_shows_all_of_them(over: str):
    ax = gv.Theorem2(100, 20.0).plot(over=over)
    assert len(ax.lines) == 4
    for line in ax.lines:
        assert np.isfinite(line.get_ydata()).all()
    assert gv.Theorem2(3, 1.0).plot(ax=ax) is ax
    mpl.pyplot.close(ax.figure)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`dim`"):
        gv.Theorem2(0, 1.0)
    with pytest.raises(ValueError, match="`radius`"):
        gv.Theorem2(3, -1.0)
    with pytest.raises(ValueError, match="`sigma`"):
        gv.Theorem2(3, 1.0, sigma=0)
    with pytest.raises(TypeError, match="`radius`"):
        gv.Theorem2(3, "wide")
    with pytest.raises(ValueError, match="`over`"):
        gv.Theorem2(3, 1.0).plot(over="sigma")


@pytest.mark.parametrize("rho", [1.0, 2.0, 3.0])
def test_no_variance_exceeds_the_sharp_constant_and_an_eigenfunction_reaches_it(rho: float):
    # d = 2 by a Gauss-Hermite rule over x and 64 directions of v: the variance of the gradients themselves
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    x = np.stack(np.meshgrid(node, node), axis=-1).reshape(-1, 2)
    w = np.outer(weight, weight).ravel() / weight.sum() ** 2
    angle = 2 * np.pi * np.arange(64) / 64
    weighted = np.cos(rho * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ x.T) * w

    def share(gradient: np.ndarray) -> float:
        return (weighted @ gradient).var(axis=0).sum() / float(w @ (gradient**2).sum(axis=1))

    sharp = gv.Theorem2(2, rho).sharp
    rng = np.random.default_rng(0)
    models = [gv.Cosine(3 * rng.normal(size=2)) for _ in range(10)]
    models += [gv.MLP.random([2, 5, 1], name, rng=i, scale=3.0) for i in range(5) for name in ("tanh", "relu", "sin")]
    found = [share(model.gradient(x)) for model in models]
    assert max(found) <= sharp * (1 + 1e-9)
    assert max(found) > sharp / 10
    size, turn = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    assert_allclose(share((special.jv(2, rho * size) * np.cos(2 * turn))[:, None]), sharp, rtol=1e-8)
