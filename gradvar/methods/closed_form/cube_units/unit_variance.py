r"""The part of one hidden unit: what it adds to the gradient variance over the parities of one degree.

For a unit with signal sigma(z) at its output weight and delta = a sigma'(z), z = <w, x> + b, and C = C(d, k),

    V = [ (k+1) W_{k+1}(delta) + (d-k+1) W_{k-1}(delta) + W_k(delta) + W_k(sigma) ] / C - ||M||^2 / C^2,

the terms from its input weights (first-layer shift), its bias and its output weight; M is the sum over |S| = k of the
coefficients of each component of the signal, for input weight i those of delta at S xor {i}.

**Error.** A relative error eps of the factors cos(t_n w_i), sin(t_n w_i) and of the coefficients moves the root of V by
at most eps times A, the sum of the amplitudes of the nodes (Minkowski; centring makes a norm no larger), and so does
what was left out of the series. The rounding of the sums themselves is relative to A^2, not to A sqrt(V): where
A^2 >> V they are taken again in doubled precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ....core.activations import KINKED
from ....core.arguments import Array
from ....core.numbers import Scaled, power_of_two
from ....problem import Moment
from ..rounded import EPS
from .ridge import KINKED_KEPT, TAIL_SAFETY, Nodes, listed, nodes

_LISTED = 600
"""Steps that the factors of a frequency that is listed count as, a weight: sines, cosines, their scale and size."""
_TIED = 256
"""Weights whose sums are looked at: <w, x> has no larger atoms than a part of it."""


@dataclass(frozen=True)
class Contribution:
    """The part of a unit in C(d, k) times a moment.

    Attributes
    ----------
    number : Scaled
        The number with its error.
    rounding : float
        That part of the error, in the same unit, that sums in doubled precision would not have.
    work : float
        Multiplications that it took.
    """

    number: Scaled
    rounding: float = 0.0
    work: float = 0.0


@dataclass(frozen=True)
class HiddenUnit:
    """A hidden unit of a network on the cube: what its input weights, bias and output weight contribute.

    Attributes
    ----------
    weights : ndarray, shape (d,)
    bias : float
    output : float
        Its output weight.
    has_bias, has_weights, has_output : bool
        Whether its bias, its input weights and its output weight are parameters.
    """

    weights: Array
    bias: float
    output: float
    has_bias: bool
    activation: str
    has_weights: bool = True
    has_output: bool = True

    def nodes(self, degree: int) -> Nodes | None:
        """The nodes for the degrees next to this one; None where all weights vanish there."""
        active = self.weights[self.weights != 0]
        degrees = tuple(k for k in (degree - 1, degree, degree + 1) if 0 <= k <= active.size)
        return nodes(self.activation, active, self.bias, self.output, degrees) if degrees else None

    def work(self, degree: int) -> float:
        """Steps that the series takes: N^2/2 polynomial products of all factors for N of the frequencies listed."""
        active = self.weights[self.weights != 0]
        if active.size == 0 or degree - 1 > active.size:
            return 0.0
        top = min(degree + 1, active.size)
        count = listed(self.activation, active, self.bias, top).frequencies.size
        kept = min(count, KINKED_KEPT) if self.activation in KINKED else count
        products = 0.5 * kept**2 * (3 + min(degree, active.size - degree + 1))
        return float(active.size * (products + _LISTED * count))


def on_grid(weights: Array) -> bool:
    """Whether all weights seem to be multiples of a number larger than 1e-7 of their norm.

    By Euclid's algorithm on real numbers, to 1e-9 of the largest. On such a grid <w, x> has atoms, which a cut series
    does not see until its frequencies reach pi over the grid's step.
    """
    sizes = np.unique(np.abs(weights[weights != 0]))
    tolerance = 1e-9 * float(sizes[-1])
    step = float(sizes[0])
    for size in sizes[1:]:
        a, b = float(size), step
        while b > tolerance:
            a, b = b, abs(a - b * round(a / b))
        step = a
    return step > 1e-7 * math.sqrt(math.fsum(weights**2))


def on_the_kink(weights: Array) -> float:
    """Return an estimate, from above, of P(<w, x> = 0), x uniform on the cube: weights that cancel, such as pairs.

    It is at most the mean of prod_i |cos(t w_i)| over all t, of some of the weights, here over 1024 of them up to
    10^6/|w|, plus four standard errors: about 2^-(d/2) for weights that do not cancel.
    """
    sizes = np.abs(weights[weights != 0])[:_TIED]
    span = 1e6 / math.sqrt(math.fsum(sizes**2))
    times = span * np.random.default_rng(0).random(1024)
    products = np.ones(times.size)
    for block in np.array_split(sizes, max(1, sizes.size // 64)):
        products *= np.abs(np.cos(times[:, None] * block).prod(axis=1))
    return float(products.mean() + 4 * products.std() / math.sqrt(times.size))


def contribution(unit: HiddenUnit, degree: int, moment: Moment, doubled: bool) -> Contribution:
    """Return C(d, k) times the moment of the unit, by its Fourier series."""
    return contributions([unit], degree, moment, doubled)[0]


def contributions(parts: Sequence[HiddenUnit], degree: int, moment: Moment, doubled: bool) -> list[Contribution]:
    """Return that of each of several parts of one unit, which differ in what they train, by one series."""
    found = by_series(parts, degree, moment, doubled)
    unit = parts[0]
    if unit.activation not in KINKED or unit.bias != 0 or degree % 2 == 0 or not unit.weights.any():
        return found
    # At z = 0 the step of the series is 1/2, and that of the network 0. Half the indicator of z = 0 is even, as is
    # nothing else of the step but its mean, so that no other term of the error speaks for it: by Bessel's inequality
    # it moves (k+1) W_{k+1} + (d-k+1) W_{k-1} by no more than this.
    ties = unit.output**2 * (unit.weights.size + 2) * on_the_kink(unit.weights)
    for i, part in enumerate(parts):
        if part.has_weights:
            number = found[i].number
            error = number.error + power_of_two(ties, max(-2000, min(900, -number.exponent)))
            found[i] = replace(found[i], number=replace(number, error=error))
    return found


def by_series(parts: Sequence[HiddenUnit], degree: int, moment: Moment, doubled: bool) -> list[Contribution]:
    """Return these with the error of the series alone, blind to inputs on the kink."""
    chosen = parts[0].nodes(degree)
    if chosen is None:
        return [Contribution(Scaled(0.0)) for _ in parts]
    weights = None if moment is Moment.MEAN else chosen.weights(doubled)
    return [_of_part(unit, degree, moment, doubled, chosen, weights) for unit in parts]


def _of_part(
    unit: HiddenUnit, degree: int, moment: Moment, doubled: bool, chosen: Nodes, weights: Array | None
) -> Contribution:
    base = chosen.exponent(chosen.degrees[len(chosen.degrees) // 2])
    factors = _factors(unit, degree, chosen, base)
    # C E_S ||E[chi_S s]||^2 and C ||E[m s]||^2 = ||M||^2 / C
    second: float | Fraction = 0.0
    mean: float | Fraction = 0.0
    if weights is not None:
        second = _second_moment(weights, factors, doubled)
    if moment is not Moment.SECOND:
        mean = _mean_part(unit, degree, chosen, base, doubled) / math.comb(unit.weights.size, degree)
    value = max(float({Moment.VARIANCE: second - mean, Moment.SECOND: second, Moment.MEAN: mean}[moment]), 0.0)

    # The error, see above: `off` bounds that of the root, A^2 = `amplitude_sq`.
    amplitude_sq = float((factors * chosen.amplitudes**2).sum())
    off = math.sqrt(float((factors * chosen.left_out**2).sum())) + chosen.growth * EPS * math.sqrt(amplitude_sq)
    rounding = 0.0 if doubled else 4 * chosen.growth * EPS * amplitude_sq
    tail_energy = (factors * chosen.tail_energy).sum(axis=0)
    if tail_energy.any():
        counts = [math.comb(chosen.cosines.shape[0], j) for j in chosen.degrees]
        off += TAIL_SAFETY * math.sqrt(math.fsum(tail_energy / counts))
    error = rounding + TAIL_SAFETY * math.fsum(tail_energy) + 2 * math.sqrt(value) * off + off**2
    return Contribution(Scaled(value, error, base), rounding, chosen.work)


def _factors(unit: HiddenUnit, degree: int, chosen: Nodes, base: int) -> Array:
    """How often the scaled W_j(sigma) and W_j(delta) count in units of 2^base: 1, k + 1 and d - k + 1."""
    factors = np.zeros((2, len(chosen.degrees)))
    for column, j in enumerate(chosen.degrees):
        shift = math.ldexp(1.0, chosen.exponent(j) - base)
        if j == degree:
            factors[:, column] = shift * unit.has_output, shift * unit.has_bias
        elif unit.has_weights:
            factors[1, column] = shift * (degree + 1 if j > degree else unit.weights.size - degree + 1)
    return factors


def _second_moment(weights: Array, factors: Array, doubled: bool) -> float | Fraction:
    """(k+1) W_{k+1}(delta) + (d-k+1) W_{k-1}(delta) + W_k(delta) + W_k(sigma), from weights that are sums of two."""
    if not doubled:
        return math.fsum((factors * weights[0]).flat)
    terms = zip(factors.flat, weights[0].flat, weights[1].flat, strict=True)
    return sum((Fraction(f) * (Fraction(high) + Fraction(low)) for f, high, low in terms), Fraction(0))


def _mean_part(unit: HiddenUnit, degree: int, chosen: Nodes, base: int, doubled: bool) -> float | Fraction:
    """||M||^2, M the sums over |S| = k of the coefficients of each component, in units of 2^base.

    A weight that is zero has delta's coefficients at S without it: the sum over the subsets of the others of size
    k - 1, the same for each of these weights.
    """
    dim, count = unit.weights.size, chosen.cosines.shape[0]
    sums: list[tuple[Array, int]] = []  # as sums of two, and how often they count
    if degree <= count:
        root = 2.0 ** ((chosen.exponent(degree) - base) // 2)
        sums.append((chosen.sums(degree, doubled)[:, [unit.has_output, unit.has_bias]] * root, 1))
        if unit.has_weights:
            sums.append((chosen.shifted_sums(degree, base, doubled), 1))
    if unit.has_weights and degree - 1 in chosen.degrees and dim > count:
        root = 2.0 ** ((chosen.exponent(degree - 1) - base) // 2)
        sums.append((chosen.sums(degree - 1, doubled)[:, 1:] * root, dim - count))
    if not doubled:
        return math.fsum(n * math.fsum(s[0].ravel() ** 2) for s, n in sums)
    return sum((n * sum((Fraction(a) + Fraction(b)) ** 2 for a, b in s.T) for s, n in sums), Fraction(0))
