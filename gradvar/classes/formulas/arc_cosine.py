r"""The arc-cosine kernel of relu neurons (Cho and Saul 2009), and its spectrum under a Gaussian or on a sphere.

With u the cosine of the angle between x and x',

    kappa(x, x') = |x| |x'| ((1 - u^2)^(1/2) + u (pi - arccos u))/2 pi:

E[relu(<w, x>) relu(<w, x'>)] = kappa(x, x')/d for w of mean square norm 1 and direction uniform on the sphere, and
E[relu(<w, x>) relu(<w', x>)] = kappa(w, w') for x ~ N(0, I).

As relu is homogeneous, its expectation against a spherical harmonic of degree l factors, and the operator of kappa
has the eigenvalues

    lambda_l = d mu_l^2,    mu_l = E[relu(T) P_l(T)],    T the first coordinate of a uniform point of the sphere,
    |mu_0| = G(d/2)/(2 pi^(1/2) G((d+1)/2)),    mu_1 = 1/(2d),
    |mu_l| = G(d/2) (l-2)!/(pi^(1/2) 2^l (l/2 - 1)! G((d+l+1)/2))  for even l >= 2,    0 for odd l >= 3

(G the gamma function), each with as many eigenfunctions as there are harmonics of degree l.
"""

from __future__ import annotations

import math

import numpy as np

from ...core.arguments import Array


def arc_cosine_kernel(x: Array, x2: Array) -> Array:
    """Return kappa(x, x'), shape (n, n2), for rows x (n, d) and x' (n2, d); exact up to rounding, costs n n2 d."""
    norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(x2, axis=1)
    cosines = x @ x2.T
    np.divide(cosines, norms, out=cosines, where=norms > 0)
    np.clip(cosines, -1.0, 1.0, out=cosines)
    # pi - arccos u = arccos(-u).
    return np.asarray(norms * (np.sqrt((1 - cosines) * (1 + cosines)) + cosines * np.arccos(-cosines)) / (2 * math.pi))


def log_eigenvalue(dim: int, degree: int) -> float:
    """Return log lambda_l, l = degree; -inf where it is 0."""
    half, ln = 0.5 * dim, math.lgamma
    if degree == 0:
        # |mu_0| = G(d/2)/(2 pi^(1/2) G((d+1)/2))
        log_mu = ln(half) - ln(half + 0.5) - math.log(2 * math.sqrt(math.pi))
    elif degree == 1:
        # mu_1 = 1/(2d)
        log_mu = -math.log(2 * dim)
    elif degree % 2 or dim == 1:  # two directions have no harmonics of degree 2 and more
        return -math.inf
    else:
        # |mu_l| = G(d/2) (l-2)!/(pi^(1/2) 2^l (l/2 - 1)! G((d+l+1)/2))
        log_mu = ln(half) + ln(degree - 1) - ln(degree / 2) - ln(half + 0.5 * degree + 0.5)
        log_mu -= degree * math.log(2) + 0.5 * math.log(math.pi)
    # lambda_l = d mu_l^2
    return math.log(dim) + 2 * log_mu


def n_harmonics(dim: int, degree: int) -> int:
    """Return the number of spherical harmonics of a degree on the sphere of R^dim."""
    below = math.comb(dim + degree - 3, degree - 2) if degree >= 2 else 0
    return math.comb(dim + degree - 1, degree) - below
