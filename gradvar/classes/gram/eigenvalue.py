"""The largest eigenvalue of a positive semi-definite matrix."""

from __future__ import annotations

import math

import numpy as np

from ...core.arguments import Array

_DENSE, _RESTARTS = 2000, 40
_TOLERANCE, _RITZ = 1e-13, ((1e-10, 1e-6), (1e-6, 1e-3))


def top_eigenvalue(matrix: Array) -> float:
    """Return the largest eigenvalue of a symmetric positive semi-definite matrix (n, n), exact up to rounding.

    All eigenvalues up to n = 2000: LAPACK's search for the last one alone fails on multiples of the identity. Beyond,
    ARPACK's restarted Lanczos from a fixed random vector, until its residual is 1e-13 of the eigenvalue; where 40
    restarts do not get there, as for clusters, all eigenvalues again. Costs n^2 for each step.
    """
    if matrix.shape[0] > _DENSE:
        found = _lanczos(matrix)
        if found is not None:
            return max(found, 0.0)
    return max(float(np.linalg.eigvalsh(matrix)[-1]), 0.0)


def top_ritz_value(matrix: Array) -> tuple[float, float] | None:
    """Return the top Ritz value theta of a symmetric positive semi-definite matrix, and how far above the truth may be.

    By ARPACK's Lanczos from a fixed random vector, to a residual of 1e-10 theta, or else 1e-6 theta, in 40 restarts;
    None where these are too few. theta is at most the largest eigenvalue. Some eigenvalue is within the residual of
    it: the largest one, or one of a cluster with it, unless the random vector has next to nothing of its eigenvector.
    So the truth may be above by 1e-6 theta, or 1e-3, in which a cluster has room.
    """
    if not np.diagonal(matrix).any():  # the zero matrix
        return 0.0, 0.0
    for residual, above in _RITZ:
        found = _lanczos(matrix, residual)
        if found is not None:
            return found, above * found
    return None


def _lanczos(matrix: Array, tolerance: float = _TOLERANCE) -> float | None:
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    def product(v: Array) -> Array:
        return np.asarray(matrix @ v / unit)

    n = matrix.shape[0]
    # ARPACK's tolerance is absolute for eigenvalues below 4e-11.
    unit = math.ldexp(1.0, math.frexp(float(np.diagonal(matrix).max()))[1])
    scaled: LinearOperator[np.float64] = LinearOperator((n, n), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size=(n,))
    # Of a multiple of the identity every vector is an eigenvector, and ARPACK goes on from one of its own.
    first = product(start)
    if np.abs(first - first[0] / start[0] * start).max() <= 2.0**-50 * np.abs(first).max():
        return float(np.diagonal(matrix).max())
    try:
        top = eigsh(scaled, 1, which="LA", v0=start, tol=tolerance, maxiter=_RESTARTS, return_eigenvectors=False)
    except ArpackError:
        return None
    return float(top[0]) * unit
