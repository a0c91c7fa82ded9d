r"""Fourier weights of a ridge function f(<w, x> + b) on the cube, at some degrees and any dimension.

With f(y + b) = sum_n c_n e^{i t_n y} each node is a product over coordinates, so that its coefficient at S is
g_n(S) = prod_{S} sin(t_n w_i) prod_{not S} cos(t_n w_i) up to a power of i: at one degree k the coefficient of f is
a_n g_n(S) summed over t_n >= 0, with a_n the cosine's coefficient for even k and the sine's for odd k, up to a sign
that depends on k only. Hence (`kernels/polynomials.py`)

    W_k(f) = sum_{|S|=k} f^(S)^2 = sum_{n,m} a_n a_m [z^k] prod_i (cos t_n w_i cos t_m w_i + z sin t_n w_i sin t_m w_i).

One pass gives all degrees up to the largest, for f = sigma and sigma' alike. Where k > m/2 for m coordinates, sines and
cosines change places and k becomes m - k.

Nothing underflows: at each node the factors (cos, sin) are divided by r = (cos^2 + rho sin^2)^(1/2), the sine times
rho^(1/2), where rho = 4^q makes the degrees asked for the typical ones; the products of the r are carried with
their exponents.

**Nodes.** |a_n| (sum_{|S|=k} g_n(S)^2)^(1/2), had from one product a node, is the most that a node contributes to
the root of W_k (the amplitude). Nodes below 2^-62 of the largest are left out and their sum is part of the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....core.activations import KINKED
from ....core.arguments import Array
from ....core.errors import NotApplicableError
from ..rounded import EPS
from .fourier import DECAY, Series, series

_NEGLIGIBLE = 2.0**-62
TAIL_SAFETY = 32.0
"""Safety of the estimate of a cut series' tail: coefficients beyond the cut have no reason to have the signs of those
before, so that their products with these count by the root of their mean square."""
_MAX_SIZE = 2**23
KINKED_NODES = 4096
KINKED_KEPT = 1024


@dataclass(frozen=True)
class Nodes:
    """The nodes that count for some degrees of sigma and a sigma' of one unit, and what was left out.

    Attributes
    ----------
    cosines, sines : ndarray, shape (m, n)
        Scaled factors; exchanged when `exchanged`.
    degrees : tuple of int
        The degrees k asked for, those of them in 0..m.
    coefficients : ndarray, shape (2, len(degrees), n)
        Scaled; of sigma and of a sigma'.
    exponents : tuple of int
        The weight at each degree is what the scaled nodes give times 2 to this power, which is even.
    amplitudes : ndarray, shape (2, len(degrees))
        The sum over nodes of the most that each contributes to the root of the scaled weight.
    left_out : ndarray, shape (2, len(degrees))
        By how much the root of the scaled weight may be off, since nodes were left out and the series has an error.
    tail_energy : ndarray, shape (2, len(degrees))
        Where a series that does not end was cut: the sum of squares of what the nodes beyond contribute.
    growth : float
        How roundings of the m factors add up, in units of EPS: like a random walk, but those of equal weights are
        equal.
    """

    cosines: Array
    sines: Array
    degrees: tuple[int, ...]
    coefficients: Array
    exponents: tuple[int, ...]
    exchanged: bool
    amplitudes: Array
    left_out: Array
    tail_energy: Array
    growth: float

    def order(self, degree: int) -> int:
        """The power of z that stands for this degree."""
        return self.cosines.shape[0] - degree if self.exchanged else degree

    def exponent(self, degree: int) -> int:
        """Weights at this degree are scaled by 2 to this power."""
        return self.exponents[self.degrees.index(degree)]

    @property
    def work(self) -> float:
        """Steps of the polynomial products of all pairs."""
        count, nodes = self.cosines.shape
        return 0.5 * float(count * nodes**2 * (2 + max(self.order(k) for k in self.degrees)))

    def weights(self, doubled: bool) -> Array:
        """Return the scaled weights as sums of two, shape (2, 2, len(degrees)): of sigma and a sigma'."""
        from ....kernels import doubled_polynomials, polynomials  # compiled code only where it is needed

        orders = [self.order(k) for k in self.degrees]
        spread = np.zeros((2, max(orders) + 1, self.cosines.shape[1]))
        spread[:, orders] = self.coefficients
        if doubled:
            return doubled_polynomials.quadratic_forms(self.cosines, self.sines, spread)[:, :, orders]
        forms = polynomials.quadratic_forms(self.cosines, self.sines, spread)[:, orders]
        return np.stack([forms, np.zeros_like(forms)])

    def sums(self, degree: int, doubled: bool) -> Array:
        """Return the scaled sums over |S| = degree of the coefficients, as sums of two, shape (2, 2)."""
        from ....kernels import doubled_polynomials, polynomials

        coefficients = np.ascontiguousarray(self.coefficients[:, self.degrees.index(degree)])
        order = self.order(degree)
        if doubled:
            return doubled_polynomials.sums(self.cosines, self.sines, coefficients, order)
        products = polynomials.products(self.cosines, self.sines, order)[order]
        return np.stack([coefficients @ products, np.zeros(2)])

    def shifted_sums(self, degree: int, exponent: int, doubled: bool) -> Array:
        """Return for each coordinate i the sum over |S| = degree of the coefficient of a sigma' at S xor {i}.

        As sums of two, shape (2, m), scaled as weights of 2**exponent are.
        """
        from ....kernels import doubled_polynomials, polynomials

        first, second = (degree + 1, degree - 1) if self.exchanged else (degree - 1, degree + 1)
        low, high = (self._slopes(k, exponent) for k in (first, second))
        if doubled:
            return doubled_polynomials.omitted_sums(self.cosines, self.sines, low, high, self.order(degree))
        sums = polynomials.omitted_sums(self.cosines, self.sines, low, high, self.order(degree))
        return np.stack([sums, np.zeros_like(sums)])

    def _slopes(self, degree: int, exponent: int) -> Array:
        if degree not in self.degrees:
            return np.zeros(self.cosines.shape[1])
        coefficients = self.coefficients[1, self.degrees.index(degree)]
        return np.asarray(np.ldexp(coefficients, (self.exponent(degree) - exponent) // 2))


def listed(activation: str, weights: Array, bias: float, degree: int, decay: float = DECAY) -> Series:
    """Return the series for weights at degrees up to this one, with as many frequencies as memory has room for."""
    few = min(KINKED_NODES, max(256, 2**18 // weights.size))
    return series(activation, weights, bias, degree, few, _MAX_SIZE // weights.size, decay)


def nodes(activation: str, weights: Array, bias: float, slope: float, degrees: tuple[int, ...]) -> Nodes:
    """Return the nodes of sigma(<w, x> + b) and slope sigma'(<w, x> + b) for Fourier weights at these degrees.

    `weights` has no zeros. Costs (number of frequencies) m max(degrees).
    """
    from ....kernels import polynomials  # compiled code only where it is needed

    wave = listed(activation, weights, bias, max(degrees))
    factors = _factors(weights, wave.frequencies, degrees)
    # a_n at each degree, of sigma and of slope sigma'
    plain = np.stack([wave.at_degree(k) for k in degrees], axis=1)
    plain[1] *= slope
    # a_n g_n(S) = coefficient_n prod_S sine prod_{not S} cosine, in units of 2^base
    base = _bases(plain, factors.powers)
    scale = factors.mantissa * np.ldexp(1.0, np.clip(factors.powers - base[:, None], -1100, 900))
    coefficients = np.where(plain == 0, 0.0, plain * scale)
    # |a_n| (sum_{|S|=k} g_n(S)^2)^(1/2)
    squares = polynomials.products(factors.cosines**2, factors.sines**2, max(factors.orders))[factors.orders]
    amplitudes = np.abs(coefficients) * np.sqrt(squares)
    kept, left_out, tail_energy = _select(activation, amplitudes)
    present = (plain[:, :, 1:-1] != 0).any(axis=2)  # where a function is even or odd, its series is, with its error
    left_out = left_out + present * _series_error(wave, weights, slope, degrees, base)
    rounding = _phase_rounding(wave, weights, bias, slope)[:, None] * (scale * np.sqrt(squares))
    left_out = left_out + present * rounding[:, :, kept].sum(axis=2)
    if activation in KINKED:
        later = slice(squares.shape[1] // 2, -1)  # all but the last node, which stands for y
        size = (scale[:, later] ** 2 * squares[:, later]).mean(axis=1)
        tail_energy = tail_energy + present * np.array([[wave.remainder[0]], [wave.remainder[1] * slope**2]]) * size
    return Nodes(
        np.ascontiguousarray(factors.cosines[:, kept]),
        np.ascontiguousarray(factors.sines[:, kept]),
        degrees,
        coefficients[:, :, kept],
        tuple(2 * int(b) for b in base),
        factors.exchanged,
        amplitudes[:, :, kept].sum(axis=2),
        left_out,
        tail_energy,
        4.0 + math.sqrt(math.fsum(np.unique(np.abs(weights), return_counts=True)[1] ** 2.0)),
    )


@dataclass(frozen=True)
class _Factors:
    """The factors of all g_n: g_n(S) = mantissa_n 2^power_n prod_S sine prod_{not S} cosine.

    Sines and cosines, shape (m, n), have squares that add up to 1, and have changed places where `exchanged`; `orders`
    are the powers of z that stand for the degrees, `powers` has shape (len(degrees), n).
    """

    cosines: Array
    sines: Array
    mantissa: Array
    powers: npt.NDArray[np.int64]
    orders: list[int]
    exchanged: bool


def _factors(weights: Array, frequencies: Array, degrees: tuple[int, ...]) -> _Factors:
    count = weights.size
    angles = weights[:, None] * frequencies
    cosines, sines = np.cos(angles), np.sin(angles)
    exchanged = 2 * degrees[len(degrees) // 2] > count
    if exchanged:
        cosines, sines = sines, cosines
    orders = [count - k if exchanged else k for k in degrees]
    # (cos, 2^q sin) / r with r^2 = cos^2 + 4^q sin^2
    q = _scale(weights, frequencies, exchanged, orders[len(orders) // 2])
    sines = np.ldexp(sines, q)
    radius = np.hypot(cosines, sines)
    mantissa, exponent = product(radius)
    powers = exponent - q * np.array(orders)[:, None]
    return _Factors(cosines / radius, sines / radius, mantissa, powers, orders, exchanged)


def _bases(plain: Array, powers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each degree the exponent of its largest a_n g_n; where all a_n vanish, one that others have."""
    absent = -(2**40)
    largest = np.abs(plain).max(axis=0)
    base = np.where(largest > 0, np.frexp(largest)[1] + powers, absent).max(axis=1)
    empty = base < absent // 2
    base[empty] = 0 if empty.all() else base[~empty].max()
    return np.asarray(base)


def _phase_rounding(wave: Series, weights: Array, bias: float, slope: float) -> Array:
    """How much the coefficients of sigma and slope sigma' move as phases t (y + b) are rounded, shape (2, n).

    By EPS t (|b| + |w|) of themselves, for the typical y.
    """
    waves = np.hypot(wave.coefficients[:, 0], wave.coefficients[:, 1])
    waves[:, [0, -1]] = 0.0
    waves[1] *= abs(slope)
    phases = wave.frequencies * (abs(bias) + math.sqrt(math.fsum(weights**2)))
    return np.asarray(2 * EPS * waves * phases)


def _scale(weights: Array, frequencies: Array, exchanged: bool, order: int) -> npt.NDArray[np.int64]:
    """For each node q such that sum_i rho sin^2 / (cos^2 + rho sin^2) is about `order` at rho = 4^q.

    On 64 weights of all sizes: only the size of the numbers hangs on it.
    """
    some = np.sort(np.abs(weights))[np.linspace(0, weights.size - 1, min(weights.size, 64)).astype(np.int64)]
    angles = some[:, None] * frequencies
    cosines, sines = np.abs(np.cos(angles)), np.abs(np.sin(angles))
    if exchanged:
        cosines, sines = sines, cosines
    wanted = min(max(order, 0.5), weights.size - 0.5) * some.size / weights.size
    low, high = np.full(frequencies.size, -240), np.full(frequencies.size, 240)
    while (low < high).any():
        q = (low + high) // 2
        scaled = np.ldexp(sines, q)
        few = ((scaled / np.hypot(cosines, scaled)) ** 2).sum(axis=0) < wanted
        low, high = np.where(few, np.minimum(q + 1, high), low), np.where(few, high, q)
    # Where all sines vanish (the constant) no scale brings them up.
    return np.where(np.abs(low) < 240, low, 0)


def product(factors: Array) -> tuple[Array, Array]:
    """The product over rows of positive numbers, as mantissa and exponent."""
    mantissas, exponents = np.frexp(factors)
    exponent = exponents.sum(axis=0, dtype=np.int64)
    product = np.ones(factors.shape[1])
    for start in range(0, factors.shape[0], 512):
        product, more = np.frexp(product * mantissas[start : start + 512].prod(axis=0))
        exponent += more
    return product, exponent


def _select(activation: str, amplitudes: Array) -> tuple[npt.NDArray[np.intp], Array, Array]:
    """The nodes that are kept, what the others add to the amplitude at most, and the sum of their squares."""
    largest = amplitudes.max(axis=2, keepdims=True)
    share = np.divide(amplitudes, largest, out=np.zeros_like(amplitudes), where=largest > 0).max(axis=(0, 1))
    kept = share > _NEGLIGIBLE
    kinked = activation in KINKED
    if kinked and np.count_nonzero(kept) > KINKED_KEPT:
        kept &= share >= np.sort(share)[-KINKED_KEPT]
    beyond = amplitudes[:, :, ~kept]
    none = np.zeros(amplitudes.shape[:2])
    total: Array = (beyond**2 if kinked else beyond).sum(axis=2)
    return np.flatnonzero(kept), none if kinked else total, total if kinked else none


def _series_error(
    wave: Series, weights: Array, slope: float, degrees: tuple[int, ...], base: npt.NDArray[np.int64]
) -> Array:
    """How much the tails of the series and the inputs out of its reach add to the scaled amplitude."""
    norm = math.sqrt(math.fsum(weights**2))
    errors = np.zeros((2, len(degrees)))
    for column, (k, scale) in enumerate(zip(degrees, base, strict=True)):
        log_tail = log_outside = -math.inf
        if wave.tail > 0:
            # at most tail, and at most the k-th derivative times (sum_S prod w_i^2)^(1/2) <= |w|^k / k!^(1/2)
            log_tail = math.log(wave.tail) + min(0.0, k * math.log(wave.rate * norm) - 0.5 * math.lgamma(k + 1))
        if wave.outside > 0:
            # Cauchy-Schwarz, and the level-k inequality for functions of small support
            log_share = math.log(wave.outside)
            log_outside = 0.5 * log_share
            if 0 < k <= -2 * log_share:
                log_outside = min(log_outside, log_share + 0.5 * k * math.log(-2 * math.e * log_share / k))
            log_outside += math.log(wave.size)
        for row, factor in enumerate((1.0, max(wave.rate, 1.0) * abs(slope))):
            if factor > 0:
                log = np.logaddexp(log_tail, log_outside) + math.log(factor) - scale * math.log(2)
                if log > 300.0:
                    raise NotApplicableError(
                        f"the Fourier weight at degree {k} is below what the tails of the series leave by e^-{log:.0f}"
                    )
                errors[row, column] = math.exp(log)
    return errors
