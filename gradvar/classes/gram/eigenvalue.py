"""The largest eigenvalue of a positive semi-definite matrix."""

from __future__ import annotations

import math

import numpy as np

from ...core.arguments import Array

_DENSE, _RESTARTS = 2000, 40
_TOLERANCE = 1e-13


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


def _lanczos(matrix: Array) -> float | None:
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    def product(v: Array) -> Array:
        return np.asarray(matrix @ v / unit)

    n = matrix.shape[0]
    # ARPACK's tolerance is absolute for eigenvalues below 4e-11.
    unit = math.ldexp(1.0, math.frexp(float(np.diagonal(matrix).max()))[1])
    scaled: LinearOperator[np.float64] = LinearOperator((n, n), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size=(n,))
    try:
        top = eigsh(scaled, 1, which="LA", v0=start, tol=_TOLERANCE, maxiter=_RESTARTS, return_eigenvectors=False)
    except ArpackError:
        return None
    return float(top[0]) * unit
