"""LinearPeriodic: its covariance, mean and operator norm against sampling and formulas of their own."""

from __future__ import annotations

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

import gradvar as gv
from gradvar.classes.formulas.sphere import SphereTransform, _hankel, _log_series, _log_uniform, log_zonal
from gradvar.classes.formulas.waves import as_wave


def smooth(u):
    """exp(cos) in the even harmonics, one odd harmonic."""
    return np.exp(np.cos(2 * np.pi * u)) + np.sin(2 * np.pi * u)


WAVES = ["cosine", "square", "triangle", "sawtooth", smooth]


def zonal_mean(f, dim: int) -> tuple[float, float]:
    """E f(T) e^-c and c for log-valued pairs f(t) = (log of a factor, the rest), T = tanh(y) summed over y."""
    y = np.linspace(-25, 25, 400_001) if dim < 50 else np.linspace(-2, 2, 400_001)
    log_weight = -(dim - 1) * np.log(np.cosh(y))
    log, rest = f(np.tanh(y))
    top = float((log_weight + log).max())
    norm_top = float(log_weight.max())
    return float((np.exp(log_weight + log - top) * rest).sum() / np.exp(log_weight - norm_top).sum()), top - norm_top


@pytest.mark.parametrize(
    ("dim", "radius", "uncentred", "centred"),
    [
        (2, 2.0, 0.20700, 0.11763),
        (5, 2.0, 0.070352, 0.019158),
        (10, 2 * math.sqrt(2), 4.7344e-3, 1.3718e-3),
        (50, 4.0, 1.3010e-6, 1.0828e-7),
    ],
)
def test_published_eigenvalues(dim: int, radius: float, uncentred: float, centred: float):
    H = gv.LinearPeriodic(dim, radius)
    assert_allclose(H.operator_norm(centred=False), uncentred, rtol=3e-5)
    assert_allclose(H.operator_norm(), centred, rtol=5e-5)


@pytest.mark.parametrize(("dim", "radius"), [(500, 1.0), (1000, 30.0), (3, 100.0), (10_000, 20.0), (7, 2.5)])
def test_eigenvalues_against_the_integral_over_the_sphere(dim: int, radius: float):
    # lambda_l = E e^(kappa (T - 1)) P_l(T) for even l, P_2(t) = (d t^2 - 1)/(d - 1)
    H, kappa = gv.LinearPeriodic(dim, radius), radius**2
    for centred, legendre in ((False, lambda t: np.ones_like(t)), (True, lambda t: (dim * t * t - 1) / (dim - 1))):
        value, exponent = zonal_mean(lambda t, p=legendre: (kappa * (t - 1), p(t)), dim)
        expected = (math.log(value) + exponent) / math.log(2)
        assert_allclose(H.log2_operator_norm(centred), expected, rtol=0, atol=1e-8)
        assert math.isfinite(H.log2_operator_norm(centred))


@pytest.mark.parametrize(("dim", "radius"), [(2, 0.3), (2, 40.0), (3, 5.0), (10, 3.0), (300, 10.0)])
def test_the_eigenvalues_fall_with_the_degree(dim: int, radius: float):
    logs = [float(log_zonal(dim, degree, np.array([radius**2]))[0]) for degree in range(12)]
    assert all(a > b for a, b in pairwise(logs))
    H = gv.LinearPeriodic(dim, radius)
    assert_allclose(H.log2_operator_norm() * math.log(2), logs[2], rtol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
@pytest.mark.parametrize("dim", [400, 2000, 20_000])
def test_eigenvalues_at_large_dimensions_against_the_power_series(dim: int, degree: int):
    z = np.array([30.0, 100.0, 1e3, 5e3])
    # up to 5000 terms, of four roundings each, eleven of up to 5000 where they are rescaled, and -z: 1e-11
    expected = _log_series(0.5 * dim - 1, degree, z)
    assert_allclose(_log_uniform(0.5 * dim - 1, degree, z), expected, rtol=1e-14, atol=1e-11)
    assert_allclose(log_zonal(dim, degree, z), expected, rtol=1e-14, atol=1e-11)


@pytest.mark.parametrize("dim", [2, 3, 10, 201, 202, 203])
def test_eigenvalues_of_large_degree_against_the_power_series(dim: int):
    # Bessel functions of large order underflow in any dimension.
    z = np.array([1.0, 35.0, 200.0, 1000.0])
    for degree in (150, 400, 1000):
        expected = _log_series(0.5 * dim - 1, degree, z)
        assert np.isfinite(expected).all()
        assert_allclose(log_zonal(dim, degree, z), expected, rtol=1e-14, atol=1e-11)


@pytest.mark.parametrize(
    ("dim", "z"), [(10**6, 1e5), (10**6, 2e8), (10**5, 2e8), (3000, 2e8), (10_000, 1e10), (250, 1e9)]
)
def test_eigenvalues_beyond_the_bessel_functions_fulfil_their_recurrence(dim: int, z: float):
    # I_(m-1)(z) - I_(m+1)(z) = 2 m/z I_m(z), m = d/2: 1 - K_2/K_0 is d/z K_1/K_0
    first, second, third = (float(log_zonal(dim, degree, np.array([z]))[0]) for degree in (0, 1, 2))
    digits = 8 * np.finfo(float).eps * (abs(first) + z / dim + dim / z)
    assert -math.expm1(third - first) == pytest.approx(
        dim / z * math.exp(second - first), rel=1e-12 + digits * max(1, z / dim)
    )


def test_eigenvalues_agree_where_one_expansion_takes_over_from_the_other():
    z = np.array([2e8, 1e10, 1e12])
    for order in (60.0, 100.0, 300.0):
        hankel = (
            math.lgamma(order + 1) + order * np.log(2 / z) - 0.5 * np.log(2 * math.pi * z) + np.log(_hankel(order, z))
        )
        assert_allclose(_log_uniform(order, 0, z), hankel, rtol=1e-14)


@pytest.mark.parametrize("wave", ["cosine", "triangle", smooth])
def test_operator_norm_against_the_gram_matrix_on_the_circle(wave):
    # dimension 2: the Gram kernel is a function of the angle, its eigenvalues are a Fourier transform
    H, n = gv.LinearPeriodic(2, 1.7, wave), 64
    z, weight = np.polynomial.hermite_e.hermegauss(100)
    x = np.stack(np.meshgrid(z, z, indexing="ij"), -1).reshape(-1, 2)
    weight = np.outer(weight, weight).ravel() / weight.sum() ** 2
    angles = 2 * np.pi * np.arange(n) / n
    h = H.evaluate(1.7 * np.stack([np.cos(angles), np.sin(angles)], 1), x)
    eigenvalues = np.fft.rfft((h * weight) @ h[0]).real / n
    rtol = 3e-2 if wave == "triangle" else 1e-8  # the sum over x does not know kinks
    assert_allclose(H.operator_norm(), eigenvalues[1:].max(), rtol=rtol)
    assert_allclose(H.operator_norm(centred=False), eigenvalues.max(), rtol=rtol)


@pytest.mark.parametrize("wave", WAVES)
@pytest.mark.parametrize(("dim", "radius"), [(1, 2.0), (2, 2.0), (5, 3.0), (20, 4.0)])
def test_covariance_and_mean_against_sampled_members(dim: int, radius: float, wave):
    # Six standard errors at 40 entries: false alarms below 1e-7. Waves with kinks or jumps are known in dimension 20.
    rng, m = np.random.default_rng([dim, 3]), 100_000
    H = gv.LinearPeriodic(dim, radius, wave)
    x, x2 = 2 * rng.normal(size=(5, dim)), 2 * rng.normal(size=(4, dim))
    v = H.sample(m, rng)
    assert_allclose(np.linalg.norm(v, axis=1), radius, rtol=1e-14)
    if dim in (2, 5) and wave in ("triangle", "square", "sawtooth"):
        for refused in (lambda: H.covariance(x, x2), lambda: H.mean(x)):
            with pytest.raises(gv.NotApplicableError, match="64 harmonics"):
                refused()
        return
    h, h2 = H.evaluate(v, x), H.evaluate(v, x2)
    assert (np.abs(h.mean(0) - H.mean(x)) <= 6 * h.std(0) / math.sqrt(m) + 1e-11).all()
    h, h2 = h - h.mean(0), h2 - h2.mean(0)
    sampled = h.T @ h2 / m
    error = np.sqrt(np.maximum((h**2).T @ h2**2 / m - sampled**2, 0) / m)
    assert (np.abs(sampled - H.covariance(x, x2)) <= 6 * error + 1e-11).all()
    assert_allclose(H.covariance(x, x2), H.covariance(x2, x).T, rtol=0, atol=1e-14)


def test_covariance_of_the_cosine_by_explicit_formulas():
    rng = np.random.default_rng(0)
    for dim in (2, 3):
        x, x2 = rng.normal(size=(6, dim)), rng.normal(size=(5, dim))
        x2[0], x2[1] = x[0], -x[0]
        H = gv.LinearPeriodic(dim, 3.0)
        if dim == 2:  # a mean over 200 angles is exact for these frequencies
            angles = 2 * np.pi * np.arange(200) / 200
            v = 3.0 * np.stack([np.cos(angles), np.sin(angles)], 1)
        else:
            t, weight = np.polynomial.legendre.leggauss(60)
            angles = 2 * np.pi * np.arange(120) / 120
            root = np.sqrt(1 - t**2)[:, None]
            v = 3.0 * np.stack([t[:, None] + 0 * angles, root * np.cos(angles), root * np.sin(angles)], -1)
            v = v.reshape(-1, 3)
        weights = np.full(len(v), 1 / len(v)) if dim == 2 else np.repeat(weight / 2, 120) / 120
        h, h2 = np.cos(v @ x.T), np.cos(v @ x2.T)
        expected = (h.T * weights) @ h2 - np.outer(weights @ h, weights @ h2)
        assert_allclose(H.covariance(x, x2), expected, rtol=0, atol=1e-12)
        assert_allclose(H.mean(x), weights @ h, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 11, 60, 61, 500, 10_000])
def test_sphere_transform_where_other_formulas_are_good(dim: int):
    J = SphereTransform(dim)
    u = np.array([0.0, 0.01, 0.3, 1.0, 2.0, 5.0, 7.7, 13.0])
    series = np.ones_like(u)
    term = np.ones_like(u)
    for k in range(1, 120):
        term = term * (-u * u / 4) / (k * (dim / 2 + k - 1))
        series += term
    # the series cancels from terms of size exp(u): 13 takes 5 digits
    assert_allclose(J(u), series, rtol=0, atol=1e-14 + 1e-10 * (dim < 100))
    far = np.array([30.0, 100.0, 1000.0])
    nu = dim / 2 - 1
    with np.errstate(divide="ignore"):
        log = special.gammaln(dim / 2) + nu * np.log(2 / far) + np.log(np.abs(special.jv(nu, far)))
    known = special.jv(nu, far) != 0
    # past u = nu J oscillates with this amplitude
    amplitude = np.minimum(special.gammaln(dim / 2) + nu * np.log(2 / far) - 0.5 * np.log(far), 0.0)
    difference = np.abs(np.abs(J(far[known])) - np.exp(log[known]))
    assert (difference <= 1e-9 * np.exp(np.where(far > nu, amplitude, log)[known])).all()


def test_sphere_transform_keeps_relative_accuracy_where_it_is_tiny():
    J, u = SphereTransform(1000), np.array([150.0, 268.0, 400.0])
    log = special.gammaln(500.0) + 499 * np.log(2 / u) + np.log(special.jv(499, u))
    assert log.min() < -80
    assert_allclose(np.log(J(u)), log, rtol=0, atol=1e-10)
    # in any order and through the table or past its end
    assert_allclose(SphereTransform(5)(np.array([[1e6, 2.0]])), SphereTransform(5).direct(np.array([1e6, 2.0]))[None])
    # far out J_nu(u) = (2/(pi u))^(1/2) cos(u - nu pi/2 - pi/4) to 1e-3
    u, nu = 1e6, 29.5
    asymptotic = special.gamma(nu + 1) * (2 / u) ** nu * math.sqrt(2 / (math.pi * u))
    value = SphereTransform(61)(np.array([u]))[0]
    assert_allclose(value, asymptotic * math.cos(u - nu * math.pi / 2 - math.pi / 4), atol=1e-3 * asymptotic)


@pytest.mark.parametrize("wave", WAVES)
def test_harmonics_add_up_to_the_wave(wave):
    psi = as_wave(wave)
    a, b = psi.coefficients
    u = (np.arange(20_000) + 0.5) / 20_000
    n = np.arange(1, 201)[:, None]
    partial = psi.constant + a[:200] @ np.cos(2 * np.pi * n * u) + b[:200] @ np.sin(2 * np.pi * n * u)
    assert_allclose(np.mean((partial - psi(u)) ** 2), psi.tails[200] / 2, rtol=2e-2, atol=1e-13)
    assert_allclose(psi.constant**2 + psi.tails[0] / 2, np.mean(psi(u) ** 2), rtol=1e-4)
    assert (np.diff(psi.tails) <= 0).all()


def test_dimension_one_has_one_or_two_members():
    assert gv.LinearPeriodic(1, 2.0).log2_size == 0
    assert gv.LinearPeriodic(1, 2.0).operator_norm() == 0
    x = np.linspace(-2, 2, 7)[:, None]
    assert (gv.LinearPeriodic(1, 2.0).covariance(x, x) == 0).all()
    H = gv.LinearPeriodic(1, 2.0, "sawtooth")
    assert H.log2_size == 1
    odd = (H.evaluate([[2.0]], x) - H.evaluate([[-2.0]], x))[0] / 2
    assert_allclose(H.covariance(x, x), np.outer(odd, odd))
    z = np.random.default_rng(0).normal(size=(200_000, 1))
    odd = (H.evaluate([[2.0]], z) - H.evaluate([[-2.0]], z))[0] / 2
    assert_allclose(H.operator_norm(), np.mean(odd**2), rtol=2e-2)
    assert gv.LinearPeriodic(2, 2.0).log2_size == math.inf
    assert gv.LinearPeriodic(3, 1.0, lambda u: 0 * u + 2).log2_size == 0


def test_class_says_what_it_is():
    H = gv.LinearPeriodic(12, 3, "square")
    assert repr(H) == "LinearPeriodic(dim=12, radius=3, wave='square')"
    assert H.labels == "signs"
    assert gv.LinearPeriodic(10, 3).labels == "real"
    assert not H.is_orthonormal
    assert H.orthonormality[0] == "failed"
    values = H.evaluate(H.sample(5, 0), np.random.default_rng(0).normal(size=(100, 12)))
    assert set(np.unique(values)) == {-1.0, 1.0}
    copy = pickle.loads(pickle.dumps(H))
    x = np.random.default_rng(0).normal(size=(4, 12))
    assert (copy.covariance(x, x) == H.covariance(x, x)).all()


def test_radii_too_small_for_the_harmonics():
    # h is nearly -sign<v, x>, which harmonics up to 64 do not see
    H = gv.LinearPeriodic(10, 1e-4, "sawtooth")
    assert H.operator_norm() <= 1 + 1e-5
    with pytest.raises(gv.NotApplicableError, match="64 harmonics"):
        H.covariance(np.ones((1, 10)), np.ones((1, 10)))
    # the cosine has no such limit: lambda_2 = kappa^2/(d (d + 2)) to leading order
    H = gv.LinearPeriodic(10, 1e-4)
    assert_allclose(H.operator_norm(), 1e-16 / (10 * 12), rtol=1e-6)


def test_wrong_arguments_are_named():
    for radius in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match="`radius`"):
            gv.LinearPeriodic(3, radius)
    with pytest.raises(TypeError, match="`radius`"):
        gv.LinearPeriodic(3, "wide")
    with pytest.raises(ValueError, match="`wave` must be one of"):
        gv.LinearPeriodic(3, 1, "saw")
    with pytest.raises(TypeError, match="`wave`"):
        gv.LinearPeriodic(3, 1, 7)
    with pytest.raises(ValueError, match="period 1"):
        gv.LinearPeriodic(3, 1, np.cos)
    with pytest.raises(gv.ShapeError, match="`wave`"):
        gv.LinearPeriodic(3, 1, lambda u: 1.0)
    with pytest.raises(gv.NonFiniteError, match="`wave`"):
        gv.LinearPeriodic(3, 1, lambda u: np.full_like(u, np.nan))
    H = gv.LinearPeriodic(3, 1)
    with pytest.raises(gv.ShapeError, match="`members`"):
        H.evaluate(np.zeros((2, 4)), np.zeros((1, 3)))
    with pytest.raises(gv.ShapeError, match="`x`"):
        H.covariance(np.zeros((1, 2)), np.zeros((1, 3)))
    with pytest.raises(gv.LabelError):
        gv.Problem(H, gv.Linear([1.0, 1.0, 1.0]), "hinge")


def test_report_of_an_infinite_class():
    check = gv.bound_check(gv.LinearPeriodic(8, 2.0), gv.MLP.random([8, 3, 1], rng=0), rng=0, max_samples=2048)
    assert check.verdict == "holds"
    assert check.bound_name == "operator-norm"
    theorem = check.bounds["theorem-1"]
    assert not theorem.applicable
    assert math.isnan(theorem.value)
    assert check.to_dict()["log2_size"] is None
    text = str(check)
    assert "nan" not in text
    assert "inf " not in text
    assert "infinite class" in text
    assert "Theorem 2, explicit" in text
    assert "infinite class" in check._repr_html_()
    bounds = check.bounds
    assert bounds["operator-norm"].log2 < bounds["operator-norm-uncentred"].log2 < bounds["theorem-2"].log2
    # below the range of float64 the norm still has its logarithm
    tiny = gv.bound_check(gv.LinearPeriodic(2000, 40.0), gv.Cosine(np.ones(2000) / 40), rng=0, max_samples=256)
    assert tiny.bound == 0
    assert math.isfinite(tiny.log2_bound)
    assert tiny.verdict == "holds"


@pytest.mark.parametrize("wave", ["cosine", "sawtooth", "triangle"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_what_it_names_is_annihilated(wave: str, dim: int):
    # E_x[h_v(x) f(x)] by Gauss-Hermite quadrature is one number for all v. The sawtooth jumps, which costs the
    # quadrature digits: its error is that of the step nearest to a jump.
    H = gv.LinearPeriodic(dim, 1.3, wave=wave)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    grid = np.stack(np.meshgrid(*[nodes] * dim), axis=-1).reshape(-1, dim)
    weight = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * dim), axis=-1).reshape(-1, dim), axis=1)
    f = H.null_functions(grid)
    assert f.shape[1] == (2 if wave == "sawtooth" else 2 + dim)
    projections = (H.evaluate(H.sample(6, rng=0), grid) * weight) @ f
    np.testing.assert_allclose(projections - projections[0], 0, atol={"cosine": 1e-9}.get(wave, 0.05))


def test_the_linear_part_of_a_sawtooth_is_not_annihilated():
    H = gv.LinearPeriodic(2, 1.3, wave="sawtooth")
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / weights.sum() ** 2
    projections = (H.evaluate([[1.3, 0.0], [0.0, 1.3]], grid) * weight) @ grid
    assert np.abs(projections[0] - projections[1]).max() > 0.2


def test_what_a_covariance_leaves_out_is_below_a_billionth_of_the_norm():
    """The harmonics past 64 of a square wave, and the pairs left out, as an operator on 400 directions of v.

    On functions of x the pair (n, m) is A_n A_m', and with G_nm = A_n' A_m, of size e^(-kappa (n-m)^2/2) K(kappa n m),
    the norm of a sum of such pairs is that of its blocks between directions: here with zonal functions, one number l.
    """
    dim, radius = 12, 3.0
    H, kappa = gv.LinearPeriodic(dim, radius, "square"), radius**2
    a = H.wave.coefficients[0][:256]
    n = np.arange(1.0, 257)
    gram = np.exp(
        log_zonal(dim, 2, (kappa * n[:, None] * n).ravel()).reshape(256, 256) - 0.5 * kappa * (n[:, None] - n) ** 2
    )
    # A = R' diag(a) with R' R = gram: A 1 1' A' is the class covariance at l = 2, and kept pairs replace 1 1'.
    root = np.linalg.cholesky(gram + 1e-30 * np.eye(256)).T * a
    kept = np.zeros((256, 256))
    kept[tuple(np.array(H._pairs).T - 1)] = 1.0
    norm = np.linalg.norm(root @ np.ones((256, 256)) @ root.T, 2)
    assert_allclose(norm, H.operator_norm(), rtol=1e-6)
    assert np.linalg.norm(root @ (1 - kept) @ root.T, 2) < 1e-9 * norm


@pytest.mark.parametrize(("dim", "wave"), [(3, "square"), (5, "triangle")])
def test_members_of_waves_with_kinks_are_drawn_in_low_dimensions(dim: int, wave: str):
    H, model = gv.LinearPeriodic(dim, 1.5, wave), gv.MLP.random([dim, 6, 6, 1], rng=0)
    found = gv.gradient_variance(H, model, rng=0, max_samples=2048, confidence=1 - 1e-6)
    assert found.method == "monte-carlo (sampled members)"
    # an independent plug-in: 400 members, each gradient's own noise is taken out by two halves of the inputs
    v, gradients = H.sample(400, 1), []
    for seed in (2, 3):
        x = H.inputs.sample(40_000, np.random.default_rng(seed))
        gradients.append(-H.evaluate(v, x) @ model.gradient(x) / len(x))
    first, second = (g - g.mean(axis=0) for g in gradients)
    shares = (first * second).sum(axis=1)
    expected, error = shares.sum() / 399, shares.std() / 20
    low, high = found.interval
    assert low - 5 * error < expected < high + 5 * error
    assert high < 10 * expected


def test_equal_classes_have_equal_members():
    H = gv.LinearPeriodic(3, 2, "square")
    assert gv.LinearPeriodic(3, 2.0, wave="square") == H
    assert hash(H) == hash(gv.LinearPeriodic(3, 2.0, wave="square"))
    for other in (gv.LinearPeriodic(4, 2, "square"), gv.LinearPeriodic(3, 1, "square"), gv.LinearPeriodic(3, 2)):
        assert other != H
    assert H.member([2, 0, 0]) == gv.LinearPeriodic(3, 2.0, "square").member([2.0, 0, 0])
    psi = as_wave("triangle").function
    assert gv.LinearPeriodic(3, 2, psi) == gv.LinearPeriodic(3, 2, psi)
    assert gv.LinearPeriodic(3, 2, psi) != gv.LinearPeriodic(3, 2, "triangle")
