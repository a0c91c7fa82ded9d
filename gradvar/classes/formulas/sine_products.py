r"""Alternating sums of an activation over the signs of its arguments, as integrals of products of sines.

Of an activation phi only one half, even or odd, is left by sum over w in {-1, 1}^k of (prod w_i) phi(<w, z>). Each
half below, up to a constant or a linear term that the sum annihilates for k >= 2, is a cosine or sine transform with a
density rho >= 0 on t > 0, so that up to its sign

    2^-k sum_w (prod_i w_i) phi(<w, z>) = int_0^inf rho(t) prod_i sin(t z_i) dt,      z = x_S/sqrt(k).

Under x ~ N(0, I) products of sines have inner products K(t, t') = ((e^{-(t-t')^2/2k} - e^{-(t+t')^2/2k})/2)^k, and
the mean square is the sum of positive terms over the Hermite degrees n = k, k + 2, ...

    c_n^2 q_n,    c_n = E[phi(z) He_n(z)]/sqrt(n!) = int rho(t) t^n e^{-t^2/2} dt/sqrt(n!),
                  q_n = E_w[(prod w_i) (sum w_i/k)^n] = n! [z^n] (sinh z)^k/k^n,

where the alternating sum over the dual activation, sum_j (-1)^j C(k, j) E[phi(u) phi(v)]_{corr = 1 - 2j/k}, cancels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from ...core.arguments import Array

_SHARE = 1e-4
_MOST_NODES = 20


@dataclass(frozen=True)
class Half:
    """The half of an activation that alternating sums see.

    Attributes
    ----------
    odd : bool
        Which half; sums over an even (odd) number of signs see the even (odd) one.
    values : callable
        That half, up to constants.
    density : callable or None
        rho(t); None for the single frequency t = 1.
    heavy : float
        E of its square where rho falls so slowly that Hermite degrees far out carry some of it, else 0.
    """

    odd: bool
    values: Callable[[Array], Array]
    density: Callable[[Array], Array] | None
    heavy: float = 0.0


def _softplus(z: Array) -> Array:
    size = np.abs(z)
    return 0.5 * size + np.log1p(np.exp(-size))


HALVES = {
    "tanh": Half(True, np.tanh, lambda t: 1 / np.sinh(0.5 * math.pi * t)),
    "sigmoid": Half(True, lambda z: 0.5 * np.tanh(0.5 * z), lambda t: 1 / np.sinh(math.pi * t)),
    "erf": Half(True, special.erf, lambda t: 2 / math.pi * np.exp(-0.25 * t * t) / t),
    "sin": Half(True, np.sin, None),
    "relu": Half(False, lambda z: 0.5 * np.abs(z), lambda t: 1 / (math.pi * t * t), heavy=0.25),
    "gelu": Half(
        False,
        lambda z: 0.5 * z * special.erf(z * math.sqrt(0.5)),
        lambda t: (1 + t * t) * np.exp(-0.5 * t * t) / (math.pi * t * t),
    ),
    "softplus": Half(False, _softplus, lambda t: 1 / (t * np.sinh(math.pi * t))),
    "cos": Half(False, np.cos, None),
}
"""Activation -> the half that is not linear."""

LINEAR = {"relu", "gelu", "softplus", "identity"}
"""Activations whose odd half is linear."""


def mean_square(half: Half, k: int) -> float:
    """Return 4^-k E[(sum_w (prod w_i) phi(<w, x>/sqrt k))^2], x ~ N(0, I_k); relative error about 1e-13."""
    # (1 - 2/k)^n is below 1e-19 past n = 22 k, and c_n^2 below 1e-30 past n = 260 unless the half has a kink.
    degrees = range(k, 22 * k + 260, 2)
    squares = _hermite_squares(half, np.array(degrees, dtype=np.float64))
    # Exact integers: the sum over j alternates.
    shares = [
        sum((-1) ** j * math.comb(k, j) * (k - 2 * j) ** n for j in range(k + 1)) / (2**k * k**n) for n in degrees
    ]
    total = math.fsum(squares * np.array(shares))
    if half.heavy:
        # Beyond, q_n is 2^(1-k), and Parseval says what is left of E[phi^2]; c_0^2 = 1/2 pi.
        below = _hermite_squares(half, np.arange(2.0, k, 2))
        total += 2.0 ** (1 - k) * (half.heavy - 0.5 / math.pi - math.fsum(below) - math.fsum(squares))
    return total


def _hermite_squares(half: Half, n: Array) -> Array:
    """c_n^2."""
    if half.density is None:
        return np.asarray(np.exp(-1.0 - special.gammaln(n + 1)))
    if n.size == 0:
        return n
    t, weights = _half_line(math.sqrt(float(n.max())) + 9.0, 800)
    logs = n[:, None] * np.log(t) - 0.5 * t * t - 0.5 * special.gammaln(n + 1)[:, None]
    return np.asarray((np.exp(logs) @ (weights * half.density(t))) ** 2)


def inner_products(t: Array, t2: Array, k: int) -> Array:
    """Return K(t, t'), the inner products of prod_i sin(t x_i/sqrt k), shape (len(t), len(t2))."""
    near = np.exp(-((t[:, None] - t2) ** 2) / (2 * k))
    return np.asarray((near * -np.expm1(-2 / k * t[:, None] * t2) / 2) ** k)


def separate(half: Half, k: int) -> tuple[Array, Array, float] | None:
    """Return few frequencies t and coefficients c with int rho(t) prod_i sin(t z_i) dt = sum_r c_r prod_i sin(t_r z_i).

    The equally spaced frequencies, with the least-squares coefficients under N(0, I), that leave at most 1e-4 of the
    norm; and the share of the norm that they leave, exact where it is one frequency. None where 20 do not.
    """
    if half.density is None:
        return np.ones(1), np.ones(1), 0.0
    if half.heavy:
        return None
    t, weights = _half_line(40.0, 800)
    masses = weights * half.density(t)
    total = mean_square(half, k)
    for count in range(2, _MOST_NODES + 1):
        best: tuple[float, Array, Array] = (math.inf, np.zeros(0), np.zeros(0))
        for step in np.geomspace(0.15, 1.5, 24):
            nodes = step * np.arange(1.0, count + 1)
            gram, moments = inner_products(nodes, nodes, k), inner_products(nodes, t, k) @ masses
            size = np.sqrt(np.diagonal(gram))
            scaled = np.linalg.lstsq(gram / size[:, None] / size, moments / size, rcond=1e-13)[0]
            c = scaled / size
            left = float(total - 2 * c @ moments + c @ gram @ c) / total
            if left < best[0]:
                best = (left, nodes, c)
        share = math.sqrt(max(best[0], 1e-13))
        if share <= _SHARE:
            return best[1], best[2], share
    return None


_gauss_legendre = functools.cache(np.polynomial.legendre.leggauss)


def _half_line(end: float, count: int) -> tuple[Array, Array]:
    nodes, weights = _gauss_legendre(count)
    return 0.5 * end * (nodes + 1), 0.5 * end * weights
