r"""A hidden unit whose weights are all +c, -c or 0: an exact sum over Hamming weights, for any activation.

With m weights that are not 0, signs eps_i and h of the eps_i x_i equal to -1, y = <w, x> = c (m - 2h). By symmetry the
coefficient of f(y + b) at S is phi_|S| prod_{i in S} eps_i where no weight in S vanishes, else 0, with

    phi_j = sum_h 2^-m C(m, h) f(c (m - 2h) + b) K_j(h) / C(m, j),      W_j(f) = C(m, j) phi_j^2,

K_j the Krawtchouk polynomial. In the gradient variance over the parities of degree k the component of input weight i
is phi_{k-1}(delta) prod_S eps eps_i where i is in S and phi_{k+1}(delta) prod_S eps eps_i elsewhere, so that its
moments over S are quadratic forms in these two with rational coefficients: what does not vary with S cancels exactly.

The sums are taken with K_j / C(m, j)^(1/2), whose mean square is 1: their rounding is relative to (E f^2)^(1/2).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from ....core.activations import KINKED, settle
from ....core.arguments import Array
from ....core.numbers import Scaled
from ....problem import Moment
from ..rounded import EPS, Rounded, rounded
from .unit_variance import Contribution, HiddenUnit

_LARGEST = 2**16


def declines(unit: HiddenUnit, degree: int) -> bool:
    """Whether the unit's weights are not all of one size, or too many."""
    sizes = np.abs(unit.weights[unit.weights != 0])
    if sizes.size == 0:
        return False
    return bool((sizes != sizes[0]).any()) or sizes.size * min(degree + 2, sizes.size - degree + 2) > _LARGEST


def contribution(unit: HiddenUnit, degree: int, moment: Moment) -> Contribution:
    """Return C(d, k) times the moment of the unit. Costs m^2 for the Krawtchouk polynomials, once."""
    dim, k = unit.weights.size, degree
    active = unit.weights[unit.weights != 0]
    m, negative = active.size, int(np.count_nonzero(active < 0))
    sigma, delta = _on_hamming_weights(unit, active)
    terms: list[tuple[float, float]] = []
    # Output weight and bias: the coefficients phi_k prod eps, or 0.
    if k <= m:
        mean_share = Fraction(_signed(m, negative, k) ** 2, math.comb(m, k) * math.comb(dim, k))
        share = float({Moment.VARIANCE: 1 - mean_share, Moment.SECOND: Fraction(1), Moment.MEAN: mean_share}[moment])
        for f in [sigma] * unit.has_output + [delta] * unit.has_bias:
            a, da = _amplitude(f, k)
            terms.append((share * a * a, share * (2 * abs(a) * da + da * da + 4 * EPS * a * a)))
    # Input weights, all of one sign together.
    below, above = _amplitude(delta, k - 1), _amplitude(delta, k + 1)
    for number, sign in ((m - negative, 1), (negative, -1), (dim - m, 0)):
        if number and unit.has_weights:
            part, off = _quadratic_form(_input_weight(dim, m, negative, k, sign, moment), below, above)
            terms.append((number * part, number * off))
    value, error = (math.fsum(column) for column in zip((0.0, 0.0), *terms, strict=True))
    return Contribution(Scaled(max(value, 0.0), error))


def _amplitude(f: Rounded, j: int) -> tuple[float, float]:
    """C(m, j)^(1/2) phi_j = sum_h 2^-m C(m, h) f(h) K_j(h) / C(m, j)^(1/2), and its error, f at h = 0..m."""
    m = f.values.size - 1
    if not 0 <= j <= m:
        return 0.0, 0.0
    mass = _binomial(m)
    terms = mass * f.values * _krawtchouk(m, j)
    return math.fsum(terms), 8 * EPS * math.sqrt(math.fsum(mass * f.moved**2))


def _on_hamming_weights(unit: HiddenUnit, active: Array) -> tuple[Rounded, Rounded]:
    """sigma(z) and a sigma'(z) at z = c (m - 2h) + b."""
    m = active.size
    step = float(np.abs(active[0])) if m else 0.0
    y = step * (m - 2.0 * np.arange(m + 1))
    z = np.asarray(y + unit.bias)
    if unit.activation in KINKED:
        settle(z, 4 * EPS * (step * m + abs(unit.bias)), unit.activation)
    sigma, slope = rounded(unit.activation, z, np.abs(y) + abs(unit.bias))
    return sigma, Rounded(unit.output * slope.values, abs(unit.output) * slope.moved)


def _quadratic_form(
    coefficients: tuple[Fraction, Fraction, float], below: tuple[float, float], above: tuple[float, float]
) -> tuple[float, float]:
    """p f^2 + q g^2 - 2 r (p q)^(1/2) f g and its error, for p, q, r and two amplitudes f, g with theirs."""
    (p, q, r), (f, df), (g, dg) = coefficients, below, above
    a, b = math.sqrt(p), math.sqrt(q)
    off = a * df + b * dg + 4 * EPS * (a * abs(f) + b * abs(g))
    if abs(r) == 1:
        root = a * f - r * b * g
        return root**2, 2 * abs(root) * off + off**2
    terms = ((a * f) ** 2, (b * g) ** 2, -2 * r * (a * f) * (b * g))
    return math.fsum(terms), 2 * (a * abs(f) + b * abs(g)) * off + off**2


def _input_weight(
    dim: int, m: int, negative: int, k: int, sign: int, moment: Moment
) -> tuple[Fraction, Fraction, float]:
    """The moment of the component of one input weight of this sign, summed over S: p, q, r of `_quadratic_form`.

    f and g are the amplitudes of delta at the degrees k - 1 and k + 1.
    """
    size = math.comb(dim, k)
    below, above = math.comb(m, k - 1) if k >= 1 else 0, math.comb(m, k + 1)
    # How many S hold i, and how many do not; and the sums of their signs prod_S eps eps_i.
    if sign == 0:  # S must hold i, and no other coordinate whose weight is 0
        holding, others = below, 0
        signed_holding, signed_others = _signed(m, negative, k - 1), 0
    else:
        rest = negative - (sign < 0)
        holding, others = math.comb(m - 1, k - 1) if k >= 1 else 0, math.comb(m - 1, k)
        signed_holding, signed_others = _signed(m - 1, rest, k - 1), sign * _signed(m - 1, rest, k)
    second = Fraction(holding), Fraction(others), Fraction(0)
    mean = (
        Fraction(signed_holding**2, size),
        Fraction(signed_others**2, size),
        -Fraction(signed_holding * signed_others, size),
    )
    variance = tuple(a - b for a, b in zip(second, mean, strict=True))
    p, q, mixed = {Moment.VARIANCE: variance, Moment.SECOND: second, Moment.MEAN: mean}[moment]
    r = math.copysign(math.sqrt(mixed**2 / (p * q)), mixed) if p and q and mixed else 0.0
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
