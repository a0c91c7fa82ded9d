"""The interval of a U-statistic: the values that are not rejected, with coverage where the normal one fails."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.methods.hoeffding import Moments, moments
from gradvar.testing import reference


def test_moments_are_the_loops_over_quadruples():
    rng = np.random.default_rng(0)
    C, K = rng.normal(size=(2, 8, 8))
    C, K = C + C.T, K + K.T
    h = C * K
    np.fill_diagonal(h, 0)
    found = moments(h.sum(axis=1), float((h**2).sum()), 0.0)
    assert_allclose((found.zeta1, found.zeta2), reference.hoeffding(C, K), rtol=1e-12)


@pytest.mark.parametrize("value", [-0.3, 0.0, 0.5, 4.0])
@pytest.mark.parametrize("zeta1", [-0.1, 0.0, 2.0])
@pytest.mark.parametrize("triangles", [-1.0, 0.0, 0.7])
def test_ends_are_on_the_edge_of_rejection(value: float, zeta1: float, triangles: float):
    found, z = Moments(value, zeta1, 3.0, triangles, 20), 1.7
    tau = math.sqrt(2 * 3.0 / 380)
    kappa = (max(zeta1, 0) + max(triangles, 0) / 3.0 * tau) / (max(value, 0) + tau)
    for end in found.interval(z, other_variance=0.2):
        variance = (4 * 18 * kappa * end + 2 * 3.0) / 380 + 0.2
        assert_allclose((value - end) ** 2, z**2 * variance, rtol=1e-10)


def test_without_curvature_it_is_the_normal_interval():
    found = Moments(1.0, 0.0, 2.0, 0.0, 50)
    half = 1.96 * math.sqrt(2 * 2.0 / (50 * 49))
    assert_allclose(found.interval(1.96), (1 - half, 1 + half), rtol=1e-12)


def test_far_from_noise_it_is_the_normal_interval_with_a_small_shift():
    found = Moments(1.0, 0.04, 0.05, 0.0, 100_000)
    half = 1.96 * math.sqrt(found.variance(100_000))
    assert_allclose(found.interval(1.96), (1 - half, 1 + half), rtol=1e-4)


def test_nothing_at_all():
    assert Moments(0.0, 0.0, 0.0, 0.0, 10).interval(2.0) == (0.0, 0.0)


@pytest.mark.parametrize("eigenvalues", [[1.0], [1.0] * 3, [1.0] * 30, [1.0, *[0.1] * 100]])
@pytest.mark.parametrize("strength", [0.0, 2.0, 5.0, 30.0])
def test_coverage_for_kernels_of_few_eigenvalues(eigenvalues: list[float], strength: float):
    # h(x, x') = sum_k lambda_k phi_k(x) phi_k(x'), phi_k normal around mu_k, in the limit of many samples:
    # sqrt(n) mean phi_k = mu_k + z_k in units of the noise. The mean lies along the first eigenvector.
    rng = np.random.default_rng(0)
    n, runs = 10**6, 4000
    values = np.array(eigenvalues)
    mu = np.zeros(values.size)
    mu[0] = math.sqrt(strength)
    truth = float(values @ mu**2) / n
    zeta2, triangles = float((values**2).sum()), float((values**3).sum())
    hits = np.zeros(3)
    for _ in range(runs):
        q = (mu + rng.standard_normal(values.size)) ** 2 - 1
        found = Moments(float(values @ q) / n, float(values**2 @ q) / n, zeta2, triangles, n)
        for i, z in enumerate((1.6449, 1.96, 2.5758)):
            low, high = found.interval(z)
            hits[i] += low <= truth <= high
    # 4000 runs know a coverage to .5 points. One eigenvalue among a hundred small ones is the hardest of these.
    assert (hits / runs > np.array([0.88, 0.93, 0.965])).all()
    assert (hits / runs < np.array([0.945, 0.975, 0.998])).all()
