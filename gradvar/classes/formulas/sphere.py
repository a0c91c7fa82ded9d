r"""Functions on the sphere S^(d-1): its characteristic function and the eigenvalues of exponential zonal kernels.

With T the first coordinate of a uniform point, of density proportional to (1 - t^2)^((d-3)/2) and nu = d/2 - 1:

    J(u)    = E cos(u T)          = Gamma(d/2) (2/u)^nu J_nu(u) = 0F1(; d/2; -u^2/4),
    K_l(z)  = e^-z E[e^(zT) P_l(T)] = e^-z Gamma(d/2) (2/z)^nu I_(nu+l)(z),

P_l the Legendre polynomial of dimension d with P_l(1) = 1 (Funk and Hecke).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from ...core.arguments import Array

_STEP, _DEGREE, _BLOCK = 0.25, 7, 256
_LARGEST = 2.0**16
_SADDLE_DIM = 60
_LARGE_ORDER = 100.0
"""nu from which the uniform expansion stands in for functions that underflow, as they do from order 185 on: its fifth
term, the first that is left out, is 0.021 at most over the fifth power of the order, 1e-13."""


class SphereTransform:
    r"""The characteristic function J of the uniform distribution on the unit sphere of R^dim.

    Dimensions 1 to 3 are cos, J_0 and sin(u)/u. Beyond, a table of polynomials of degree 7 on cells of width 1/4
    that grows with the largest u that was asked for: the derivatives of J are at most those of cos(u), so that the
    error of a cell is below (1/8)^8 / (2^7 8!) = 1.2e-14 of the size that J has there, also where J itself is
    1e-200 (measured against other formulas: 1e-13).

    The values behind the table: the power series for u^2 <= 2 d, and the Bessel function beyond it, but between
    there and u = d - 1 when dim > 60: the integral over T = tanh(y), of weight sech(y)^(d-1), moved to the line
    Im y = theta through its saddle point, sin 2 theta = min(1, 2u/(d-1)), where it does not cancel, however small J.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._table = np.zeros((0, _DEGREE + 1))

    def __call__(self, u: Array) -> Array:
        """Return J(u) for u >= 0, any shape."""
        if self.dim == 1:
            return np.asarray(np.cos(u))
        if self.dim == 2:
            return np.asarray(special.j0(u))
        if self.dim == 3:
            return np.asarray(np.sinc(u / math.pi))
        top = float(u.max(initial=0.0))
        if top >= _LARGEST:
            return self.direct(np.ravel(u)).reshape(u.shape)
        from ...kernels.cell_polynomials import on_cells  # compiled code only where it is needed

        return on_cells(self._reaching(top), _STEP, u)

    def _reaching(self, top: float) -> Array:
        """The table, long enough. It is replaced, never changed: threads may share it."""
        table = self._table
        blocks = int(top / _STEP) // _BLOCK + 1
        have = len(table) // _BLOCK
        if blocks > have:
            parts = [self._block(number) for number in range(have, blocks)]
            table = np.concatenate([table, *parts])
            self._table = table
        return table

    def _block(self, number: int) -> Array:
        """Coefficients of the powers of the position in a cell, from -1 to 1, for a block of cells."""
        nodes = np.cos(math.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
        starts = (number * _BLOCK + np.arange(_BLOCK)) * _STEP
        u = starts[:, None] + (0.5 * _STEP) * (nodes + 1.0)
        values = self.direct(u.ravel()).reshape(u.shape)
        return np.linalg.solve(np.vander(nodes, increasing=True), values.T).T

    def direct(self, u: Array) -> Array:
        """Return J(u), u of shape (n,), from the formulas behind the table."""
        near = u * u <= 2.0 * self.dim
        # The Bessel function may underflow before J does, and Gamma(d/2) overflow.
        middle = ~near & (u <= self.dim - 1.0) & (self.dim > _SADDLE_DIM)
        far = ~near & ~middle
        values = np.empty_like(u)
        values[near] = self._series(u[near])
        values[middle] = self._saddle(u[middle])
        values[far] = self._bessel(u[far])
        return values

    def _series(self, u: Array) -> Array:
        y, total, term = -0.25 * u * u, np.ones_like(u), np.ones_like(u)
        for k in range(1, 40):  # |term| <= 1/k!^... : u^2/4 <= d/2, so each ratio is at most 1/k
            term = term * (y / (k * (0.5 * self.dim + k - 1)))
            total += term
        return total

    def _bessel(self, u: Array) -> Array:
        nu = 0.5 * self.dim - 1.0
        scale = np.exp(special.gammaln(nu + 1.0) + nu * np.log(2.0 / u))
        return np.asarray(scale * special.jv(nu, u))

    def _saddle(self, u: Array) -> Array:
        m = self.dim - 1.0
        step = 0.5 / math.sqrt(m)
        values = np.empty_like(u)
        for start in range(0, u.size, _BLOCK):
            part = u[start : start + _BLOCK]
            theta = 0.5 * np.arcsin(np.minimum(2.0 * part / m, 1.0))
            peak = -m * np.log(np.cos(theta)) - part * np.tan(theta)
            if peak.max() < -760.0:
                values[start : start + _BLOCK] = 0.0  # below the smallest float64
                continue
            y = step * np.arange(_reach(m, step, theta, part, peak))
            t = y[None, :] + 1j * theta[:, None]
            # log of sech(y + i theta)^m e^(i u tanh(y + i theta)), relative to the saddle point
            exponent = -m * np.log(np.cosh(t)) + 1j * part[:, None] * np.tanh(t) - peak[:, None]
            # The integrand at -y is the conjugate of that at y.
            terms = np.exp(exponent).real
            total = terms.sum(axis=1) - 0.5 * terms[:, 0]
            plain = np.cosh(step * np.arange(int(14.0 / (step * math.sqrt(m))))) ** -m
            values[start : start + _BLOCK] = np.exp(peak) * total / (plain.sum() - 0.5)
        return values


def _reach(m: float, step: float, theta: Array, u: Array, peak: Array) -> int:
    """Number of nodes until the modulus of the integrand is e^-45 of that at the saddle point, for good."""
    count = 16
    while True:
        y = step * count
        modulus = -0.5 * m * np.log(np.cosh(y) ** 2 - np.sin(theta) ** 2)
        modulus -= u * np.sin(2 * theta) / (np.cosh(2 * y) + np.cos(2 * theta))
        # Past the outer saddle points it falls: cosh 2y > 2u/m.
        if (modulus < peak - 45.0).all() and math.cosh(2 * y) > 2.0 * float(u.max()) / m:
            return count
        count *= 2


def log_zonal(dim: int, degree: int, z: Array) -> Array:
    """Return log K_l(z) for z >= 0: the natural logarithm of e^-z Gamma(d/2) (2/z)^nu I_(nu+l)(z), l = degree.

    Finite wherever z > 0, however small K is; relative error of K about 1e-12 (1e-11 at dim = 10 000), and never less
    than 2^-52 |log K|.
    """
    z = np.asarray(z, dtype=np.float64)
    if dim == 1:  # two points: e^-z cosh z and e^-z sinh z, and no more harmonics
        if degree > 1:
            return np.full(z.shape, -np.inf)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(0.5 * (1.0 + np.exp(-2.0 * z)) if degree == 0 else -0.5 * np.expm1(-2.0 * z)))
    nu, order = 0.5 * dim - 1.0, 0.5 * dim - 1.0 + degree
    values = np.full(z.shape, 0.0 if degree == 0 else -np.inf)
    scaled = special.ive(order, np.minimum(z, 1e8))
    by_bessel = (z >= 30.0) & (z <= 1e8) & (scaled >= 1e-250)
    large = nu >= _LARGE_ORDER  # not by its degree alone
    by_series = (z > 0) & ~by_bessel & (z < (30.0 if large else 1e8))
    beyond = (z > 0) & ~by_bessel & ~by_series
    start = float(special.gammaln(nu + 1.0))
    if by_series.any():
        values[by_series] = _log_series(nu, degree, z[by_series])
    values[by_bessel] = start + nu * np.log(2.0 / z[by_bessel]) + np.log(scaled[by_bessel])
    if large:
        values[beyond] = _log_uniform(nu, degree, z[beyond])
    elif beyond.any():
        log_i = -0.5 * np.log(2 * math.pi * z[beyond]) + np.log(_hankel(order, z[beyond]))
        values[beyond] = start + nu * np.log(2.0 / z[beyond]) + log_i
    return values


def _log_series(nu: float, degree: int, z: Array) -> Array:
    """log of e^-z (z/2)^l / (nu+1)_l 0F1(; nu+l+1; z^2/4): positive terms, rescaled as they grow."""
    y = 0.25 * z * z
    total, term, scale = np.ones_like(z), np.ones_like(z), np.zeros_like(z)
    k = 0
    while True:
        k += 1
        ratio = y / (k * (nu + degree + k))
        term = term * ratio
        total = total + term
        large = total > 1e200
        if large.any():
            scale[large] += math.log(1e200)
            term[large] *= 1e-200
            total[large] *= 1e-200
        if ((ratio < 0.5) & (term < 1e-17 * total)).all():
            break
    prefactor = sum(np.log(z / (2.0 * (nu + j))) for j in range(1, degree + 1))
    return np.asarray(prefactor + np.log(total) + scale - z)


def _log_uniform(nu: float, degree: int, z: Array) -> Array:
    """log K_l at large nu: Debye's expansion of I_(nu+l)(z), uniform in z (DLMF 10.41.3), over Stirling's of Gamma.

    Of z = nu t and r = (1 + t^2)^1/2, and with what is large in both taken together, so that it does not cancel.
    """
    order = nu + degree
    t = z / order
    r = np.hypot(1.0, t)
    above = t * t / (1 + r)  # r - 1
    p, q = 1 / r, 1 / r**2
    u = 1 + p * (3 - 5 * q) / (24 * order) + q * (81 - 462 * q + 385 * q**2) / (1152 * order**2)
    u += p * q * (30375 - 369603 * q + 765765 * q**2 - 425425 * q**3) / (414720 * order**3)
    fourth = 4465125 - 94121676 * q + 349922430 * q**2 - 446185740 * q**3 + 185910725 * q**4
    u += q**2 * fourth / (39813120 * order**4)
    stirling = 1 / (12 * nu) - 1 / (360 * nu**3) + 1 / (1260 * nu**5)
    result = degree - order * (t + above) / (r + t) - nu * np.log1p(above / 2) + degree * np.log(t / (1 + r))
    result += stirling - (nu + 0.5) * math.log1p(degree / nu) - 0.5 * np.log(r) + np.log(u)
    return np.asarray(result)


def _hankel(order: float, z: Array) -> Array:
    """sqrt(2 pi z) e^-z I_order(z) by Hankel's expansion, for z far above order^2/8."""
    total, term = np.ones_like(z), np.ones_like(z)
    for k in range(1, 12):
        term = term * -((4 * order**2 - (2 * k - 1) ** 2) / (8 * k)) / z
        total += term
    return total
