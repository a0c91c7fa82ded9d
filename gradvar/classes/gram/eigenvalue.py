"""The largest eigenvalue of a positive semi-definite matrix."""

from __future__ import annotations

import math

import numpy as np

from ...core.arguments import Array

_DENSE, _STEPS, _CHECKED_EVERY = 2000, 400, 8
_TOLERANCE = 1e-13


def top_eigenvalue(matrix: Array) -> float:
    """Return the largest eigenvalue of a symmetric positive semi-definite matrix (n, n), exact up to rounding.

    All eigenvalues up to n = 2000: LAPACK's search for the last one alone fails on multiples of the identity. Beyond,
    Lanczos from a fixed random vector, orthogonalised against all its steps, until its residual is 1e-13 of the
    eigenvalue; where 400 steps do not get there, as for clusters, all eigenvalues again. Costs n^2 for each step.
    """
    if matrix.shape[0] > _DENSE:
        found = _lanczos(matrix)
        if found is not None:
            return max(found, 0.0)
    return max(float(np.linalg.eigvalsh(matrix)[-1]), 0.0)


def _lanczos(matrix: Array) -> float | None:
    from scipy.linalg import eigh_tridiagonal

    n = matrix.shape[0]
    unit = math.ldexp(1.0, math.frexp(float(np.diagonal(matrix).max()))[1])  # squares stay within float64
    start = np.random.default_rng(0).standard_normal(size=(n,))
    v: Array = start * (1 / float(np.linalg.norm(start)))
    basis = np.empty((min(_STEPS, n), n))
    diagonal: list[float] = []
    off: list[float] = []
    for k in range(basis.shape[0]):
        basis[k] = v
        w = (matrix @ v) / unit
        diagonal.append(float(v @ w))
        for _ in range(2):  # once leaves what cancelled in it
            w -= basis[: k + 1].T @ (basis[: k + 1] @ w)
        off.append(float(np.linalg.norm(w)))
        # An invariant subspace, which a multiple of the identity is at once, leaves nothing to go on with.
        invariant = off[-1] <= _TOLERANCE * max(map(abs, diagonal))
        if invariant or k % _CHECKED_EVERY == _CHECKED_EVERY - 1:
            values, vectors = eigh_tridiagonal(diagonal, off[:-1])
            top = float(values[-1])
            if invariant or off[-1] * abs(float(vectors[-1, -1])) <= _TOLERANCE * top:
                return top * unit
        v = np.asarray(w / off[-1])
    return None
