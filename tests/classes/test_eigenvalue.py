"""The largest eigenvalue, by Lanczos and by LAPACK, on the spectra where such iterations have failed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.classes.gram import eigenvalue
from gradvar.classes.gram.eigenvalue import top_eigenvalue, top_ritz_value

N = 300


def with_spectrum(values: np.ndarray) -> np.ndarray:
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(len(values), len(values))))
    matrix = (Q * values) @ Q.T
    return (matrix + matrix.T) / 2


def covariance(m: int, n: int) -> np.ndarray:
    X = np.random.default_rng(1).normal(size=(m, n))
    return X @ X.T / n


J = np.eye(N) - 1 / N
NOISE = np.random.default_rng(2).normal(size=(N, N))
CASES = {
    "a multiple of the identity": 3.0 * np.eye(N),
    "the centring matrix": J,
    "zero": np.zeros((N, N)),
    "ones": np.ones((N, N)),
    "rank one on two coordinates": np.outer(np.r_[1, 1, np.zeros(N - 2)], np.r_[1, 1, np.zeros(N - 2)]),
    "two blocks": np.kron(np.eye(2), np.ones((N // 2, N // 2))),
    "nearly the identity": np.eye(N) + 1e-10 * (NOISE + NOISE.T),
    "random signs": covariance(N, 3000),
    "square": covariance(N, N),
    "fewer points than members": covariance(N, 20),
    "a pair at the top": with_spectrum(np.r_[1, 1 - 1e-12, np.linspace(0, 0.9, N - 2)]),
    "a cluster at the top": with_spectrum(np.r_[1 - 1e-9 * np.arange(30), np.linspace(0, 0.999, N - 30)]),
    "geometric": with_spectrum(0.7 ** np.arange(N)),
    "tiny": 1e-200 * covariance(N, 1000),
    "huge": 1e200 * covariance(N, 1000),
}


@pytest.mark.parametrize("name", CASES)
def test_lanczos_finds_what_all_eigenvalues_say(name: str, monkeypatch: pytest.MonkeyPatch):
    expected = np.linalg.eigvalsh(CASES[name])[-1]
    assert_allclose(top_eigenvalue(CASES[name]), max(expected, 0), rtol=0, atol=0)
    monkeypatch.setattr(eigenvalue, "_DENSE", 0)
    assert_allclose(top_eigenvalue(CASES[name]), expected, rtol=1e-12)
    # where it takes more restarts than there are, all eigenvalues are had instead
    monkeypatch.setattr(eigenvalue, "_RESTARTS", 1)
    assert_allclose(top_eigenvalue(CASES[name]), expected, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_same_matrix_gives_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(eigenvalue, "_DENSE", 0)
    assert len({top_eigenvalue(CASES[name].copy()) for _ in range(3)}) == 1


def test_lanczos_gives_up_where_it_has_not_converged(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(eigenvalue, "_RESTARTS", 1)
    assert eigenvalue._lanczos(CASES["a cluster at the top"]) is None
    assert eigenvalue._lanczos(CASES["square"]) is None


def test_a_matrix_above_the_limit_is_had_by_lanczos(monkeypatch: pytest.MonkeyPatch):
    matrix = covariance(600, 2000)
    monkeypatch.setattr(eigenvalue, "_DENSE", 599)
    found = eigenvalue._lanczos(matrix)
    assert found is not None
    assert top_eigenvalue(matrix) == found
    assert_allclose(found, np.linalg.eigvalsh(matrix)[-1], rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_ritz_value_and_its_residual_hold_the_largest_eigenvalue(name: str):
    found, expected = top_ritz_value(CASES[name]), np.linalg.eigvalsh(CASES[name])[-1]
    assert found is not None
    theta, residual = found
    assert theta <= expected * (1 + 1e-12)
    assert expected <= (theta + residual) * (1 + 1e-12)
    assert residual <= 1e-3 * expected


@pytest.mark.parametrize("size", [1, 2])
def test_the_smallest_matrices(size: int):
    assert_allclose(top_eigenvalue(np.ones((size, size))), size, rtol=1e-15)
