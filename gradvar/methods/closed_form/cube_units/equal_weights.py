r"""A hidden unit whose weights are all +c, -c or 0: an exact sum over Hamming weights, for any activation.

With m weights that are not 0, signs eps_i and h of the eps_i x_i equal to -1, y = <w, x> = c (m - 2h). By symmetry the
coefficient of f(y + b) at S is phi_|S| prod_{i in S} eps_i where no weight in S vanishes, else 0, with

    phi_j = sum_h 2^-m C(m, h) f(c (m - 2h) + b) K_j(h) / C(m, j),      W_j(f) = C(m, j) phi_j^2,

K_j the Krawtchouk polynomial. In the gradient variance over the parities of degree k the component of input weight i
is phi_{k-1}(delta) prod_S eps eps_i where i is in S and phi_{k+1}(delta) prod_S eps eps_i elsewhere, so that its
variance over S is a quadratic form in these two with rational coefficients: what does not vary with S cancels exactly.

The sums are taken with K_j / C(m, j)^(1/2), whose mean square is 1: their rounding is relative to (E f^2)^(1/2).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from ....core.activations import ACTIVATIONS, KINKED, settle
from ....core.arguments import Array
from .ridge import EPS
from .unit_variance import Contribution, Unit

_LARGEST = 2**16


def declines(unit: Unit, degree: int) -> bool:
    """Whether the unit's weights are not all of one size, or too many."""
    sizes = np.abs(unit.weights[unit.weights != 0])
    if sizes.size == 0:
        return False
    return bool((sizes != sizes[0]).any()) or sizes.size * min(degree + 2, sizes.size - degree + 2) > _LARGEST


def contribution(unit: Unit, degree: int) -> Contribution:
    """Return C(d, k) V of the unit (`unit_variance.py`). Costs m^2 for the Krawtchouk polynomials, once."""
    dim, k = unit.weights.size, degree
    active = unit.weights[unit.weights != 0]
    m, negative = active.size, int(np.count_nonzero(active < 0))
    step = float(np.abs(active[0])) if m else 0.0
    z = step * (m - 2.0 * np.arange(m + 1)) + unit.bias
    if unit.activation in KINKED:
        settle(z, 4 * EPS * (step * m + abs(unit.bias)))
    value, slope = ACTIVATIONS[unit.activation](z)
    slope = unit.output * slope
    # Rounding of z, and of sigma' where it is a difference (1 - tanh^2) or crosses zero, on top of that of the values.
    floor = 0.0 if unit.activation in ("relu", "identity", "erf", "sigmoid", "softplus") else abs(unit.output)
    wave = float(unit.activation in ("sin", "cos"))
    moved = {
        id(value): np.abs(value) + np.abs(z) * np.maximum(np.abs(slope / unit.output) if unit.output else 1.0, wave),
        id(slope): (1 + np.abs(z)) * np.abs(slope) + floor * (1 + wave * np.abs(z)),
    }
    size = math.comb(dim, k)
    mass = _binomial(m)

    def phi(f: Array, j: int) -> tuple[float, float]:
        """C(m, j)^(1/2) phi_j and its error."""
        if not 0 <= j <= m:
            return 0.0, 0.0
        terms = mass * f * _krawtchouk(m, j)
        return math.fsum(terms), 8 * EPS * math.sqrt(math.fsum(mass * moved[id(f)] ** 2))

    def quadratic(p: Fraction, q: Fraction, r: float) -> tuple[float, float]:
        """p f^2 + q g^2 - 2 r f g and its error, f and g the amplitudes at the degrees beside k."""
        (f, df), (g, dg) = phi(slope, k - 1), phi(slope, k + 1)
        a, b = math.sqrt(p), math.sqrt(q)
        off = a * df + b * dg + 4 * EPS * (a * abs(f) + b * abs(g))
        if abs(r) == 1:
            root = a * f - r * b * g
            return root**2, 2 * abs(root) * off + off**2
        terms = ((a * f) ** 2, (b * g) ** 2, -2 * r * (a * f) * (b * g))
        return math.fsum(terms), 2 * (a * abs(f) + b * abs(g)) * off + off**2

    total, error = [0.0], [0.0]
    # Bias and output weight: the coefficients phi_k prod eps, or 0, less their mean.
    if k <= m:
        share = 1 - Fraction(_signed(m, negative, k) ** 2, math.comb(m, k) * size)
        for f in [value, slope][: 1 + unit.has_bias]:
            a, da = phi(f, k)
            total.append(float(share) * a * a)
            error.append(float(share) * (2 * abs(a) * da + da * da + 4 * EPS * a * a))
    for number, sign in ((m - negative, 1), (negative, -1), (dim - m, 0)):
        if number:
            part, off = quadratic(*_shifted(dim, m, negative, k, sign))
            total.append(number * part)
            error.append(number * off)
    return Contribution(max(math.fsum(total), 0.0), math.fsum(error), 0)


def _shifted(dim: int, m: int, negative: int, k: int, sign: int) -> tuple[Fraction, Fraction, float]:
    """p, q, r of one input weight with this sign: its part is p f^2 + q g^2 - 2 r (p q)^(1/2) f g."""
    size = math.comb(dim, k)
    below, above = math.comb(m, k - 1) if k >= 1 else 0, math.comb(m, k + 1)
    if sign == 0:  # S must hold i, and no other coordinate whose weight is 0
        first, second = _signed(m, negative, k - 1), 0
        p, q = Fraction(below), Fraction(0)
    else:
        others = negative - (sign < 0)
        first, second = _signed(m - 1, others, k - 1), sign * _signed(m - 1, others, k)
        p, q = Fraction(math.comb(m - 1, k - 1) if k >= 1 else 0), Fraction(math.comb(m - 1, k))
    p, q = p - Fraction(first**2, size), q - Fraction(second**2, size)
    r = 0.0
    if p and q:
        square = Fraction(first * second, size) ** 2 / (p * q)
        r = math.copysign(math.sqrt(square), first * second)
    return p / below if below else Fraction(0), q / above if above else Fraction(0), r


def _signed(m: int, negative: int, k: int) -> int:
    """The sum over |S| = k of the products of m signs, this many of which are negative: K_k(negative)."""
    if not 0 <= k <= m:
        return 0
    return sum((-1) ** j * math.comb(negative, j) * math.comb(m - negative, k - j) for j in range(min(k, negative) + 1))


@lru_cache(maxsize=64)
def _binomial(m: int) -> Array:
    """C(m, h) / 2^m for h = 0..m, correctly rounded."""
    row, number = [], 1
    for h in range(m + 1):
        row.append(number / 2**m)
        number = number * (m - h) // (h + 1)
    return np.array(row)


@lru_cache(maxsize=64)
def _krawtchouk(m: int, j: int) -> Array:
    """K_j(h) / C(m, j)^(1/2) for h = 0..m, to a relative error of 2^-52, in integers."""
    low = min(j, m - j)
    root = math.isqrt(math.comb(m, low) << 256)
    table = np.empty(m + 1)
    for h in range(m + 1):
        previous, current = 0, 1
        for i in range(low):
            previous, current = current, ((m - 2 * h) * current - (m - i + 1) * previous) // (i + 1)
        sign = -1 if low != j and h % 2 else 1
        table[h] = sign * (current << 128) / root
    return table
