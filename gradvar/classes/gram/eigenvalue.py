"""The largest eigenvalue of a positive semi-definite matrix."""

from __future__ import annotations

import math

import numpy as np

from ...core.arguments import Array

_DENSE, _RESTARTS = 2000, 40
_TOLERANCE, _RITZ_TOLERANCE = 1e-13, 1e-10


def top_eigenvalue(matrix: Array) -> float:
    """Return the largest eigenvalue of a symmetric positive semi-definite matrix (n, n), exact up to rounding.

    All eigenvalues up to n = 2000: LAPACK's search for the last one alone fails on multiples of the identity. Beyond,
    ARPACK's restarted Lanczos from a fixed random vector, until its residual is 1e-13 of the eigenvalue; where 40
    restarts do not get there, as for clusters, all eigenvalues again. Costs n^2 for each step.
    """
    if matrix.shape[0] > _DENSE:
        found = _lanczos(matrix, _TOLERANCE)
        if found is not None:
            return max(found[0], 0.0)
    return max(float(np.linalg.eigvalsh(matrix)[-1]), 0.0)


def top_ritz_pair(matrix: Array) -> tuple[float, float] | None:
    """Return the top Ritz value theta of a symmetric positive semi-definite matrix, and its residual |A v - theta v|.

    By ARPACK's Lanczos from a fixed random vector; None where 40 restarts do not converge. theta is no more than the
    largest eigenvalue, and some eigenvalue is within the residual of it: the largest one, unless the random vector has
    next to nothing of its eigenvector.
    """
    found = _lanczos(matrix, _RITZ_TOLERANCE)
    if found is None:
        return None
    theta, v = found
    return max(theta, 0.0), float(np.linalg.norm(matrix @ v - theta * v))


def _lanczos(matrix: Array, tolerance: float) -> tuple[float, Array] | None:
    """The top Ritz value and its vector."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    def product(v: Array) -> Array:
        return np.asarray(matrix @ v / unit)

    n = matrix.shape[0]
    # ARPACK's tolerance is absolute for eigenvalues below 4e-11.
    unit = math.ldexp(1.0, math.frexp(float(np.diagonal(matrix).max()))[1])
    scaled: LinearOperator[np.float64] = LinearOperator((n, n), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size=(n,))
    try:
        values, vectors = eigsh(scaled, 1, which="LA", v0=start, tol=tolerance, maxiter=_RESTARTS)
    except ArpackError:
        return None
    return float(values[0]) * unit, np.asarray(vectors[:, 0])
