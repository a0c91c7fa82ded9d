r"""Activations of y = <w, x> on the cube as sums of cosines and sines.

Let S be odd with limits -1, 1 (times a constant) and F(t) = int S'(z) e^{-itz} dz. The sum of its translates with
alternating signs, sum_m (-1)^m S(z - mP), has antiperiod P, so that

    S(z) = sum_n B_n sin(t_n z),   B_n = 2 F(t_n) / (P t_n),   t_n = (2n + 1) pi / P,

on |z| <= reach < P, up to the tails of S at P - reach. Two families follow, with sigma' term by term:

    sigma = constant + S:   tanh F = pi t / sinh(pi t/2);  sigmoid F = pi t / sinh(pi t);  erf F = 2 exp(-t^2/4);
    sigma = z/2 + g, S = g':   softplus F = pi t / sinh(pi t);  gelu F = (1 + t^2) exp(-t^2/2);  relu F = 1,
                               g(z) = g(0) + sum_n (B_n / t_n) (1 - cos t_n z).

For the relu S is half the square wave: no tail, but F does not decay. sin and cos are one harmonic, the identity none.
y is written as sin(tau y)/tau with tau so small that the difference is under rounding at degree 1; it has no other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....core.activations import KINKED
from ....core.arguments import Array
from ....core.errors import NotApplicableError

SPREAD = 13.0
"""Multiples of |w| within which y is taken to lie: beyond it lies a share of at most 2 exp(-SPREAD^2/2) = 4e-37 of
the cube (Hoeffding)."""
_HIGH = 24
"""Beyond this degree weights may be so small that the share is not: 40 |w|, which is all of it for d <= 1600."""
DECAY = 50.0
"""Nodes are left out when a bound on them falls e^50 below that of the largest."""


@dataclass(frozen=True)
class _Transform:
    """F of an activation, and how fast the tails of its S decay: |S - limit| < bound at a distance `margin`.

    `rate` bounds the ratio of successive derivatives of the tails.
    """

    family: str
    f: Callable[[Array], Array]
    margin: float
    tail: float
    rate: float
    constant: float = 0.0


def _logistic(t: Array, scale: float) -> Array:
    """(pi t) / sinh(scale pi t), without overflow."""
    x = scale * math.pi * t
    return np.asarray(2 * math.pi * t * np.exp(-x) / -np.expm1(-2 * x))


_TRANSFORMS: dict[str, _Transform] = {
    "tanh": _Transform("sigmoid", lambda t: _logistic(t, 0.5), 22.0, 4e-19, 2.0),
    "sigmoid": _Transform("sigmoid", lambda t: _logistic(t, 1.0), 44.0, 2e-19, 1.0, 0.5),
    "erf": _Transform("sigmoid", lambda t: 2 * np.exp(-t * t / 4), 7.0, 1e-21, 16.0),
    "softplus": _Transform("rectifier", lambda t: _logistic(t, 1.0), 44.0, 2e-19, 1.0, math.log(2)),
    "gelu": _Transform("rectifier", lambda t: (1 + t * t) * np.exp(-t * t / 2), 10.0, 1e-20, 12.0),
    "relu": _Transform("rectifier", np.ones_like, 0.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Series:
    """sigma(y + b) and sigma'(y + b) = sum_n even_n cos(t_n y) + odd_n sin(t_n y), the last node only for y itself.

    Attributes
    ----------
    frequencies : ndarray, shape (n,)
        t_n >= 0; the first is 0, for the constant, the last is tau.
    coefficients : ndarray, shape (2, 2, n)
        Of sigma and sigma', even and odd.
    tail, rate : float
        The series is off by less than `tail` where |y| <= reach, its j-th derivative by less than tail rate^j.
    outside, size : float
        Share of the cube where |y| > reach may be, and how much the series may be off there.
    remainder : (float, float)
        Where the series of sigma and sigma' is cut in earnest (a kink): the sum of squares of the amplitudes of what
        was never listed; else 0.
    """

    frequencies: Array
    coefficients: Array
    tail: float = 0.0
    rate: float = 0.0
    outside: float = 0.0
    size: float = 0.0
    remainder: tuple[float, float] = (0.0, 0.0)

    def at_degree(self, degree: int) -> Array:
        """Return the coefficients that count at this degree, shape (2, n)."""
        chosen = self.coefficients[:, degree % 2].copy()
        if degree != 1:
            chosen[:, -1] = 0.0
        return chosen


def series(
    activation: str, weights: Array, bias: float, degree: int, kinked_nodes: int, most: int, decay: float = DECAY
) -> Series:
    """Return the series of sigma(<w, x> + b) and of its derivative, good for the Fourier weight at degrees 0..degree.

    Parameters
    ----------
    activation : str
        One of those of `MLP`.
    weights : ndarray, shape (m,)
        w, without zeros.
    bias : float
        b.
    degree : int
        The largest degree that is asked for; larger ones take higher frequencies.
    kinked_nodes : int
        How many frequencies to list where the series does not end.
    most : int
        How many may be listed; NotApplicableError where it takes more.
    decay : float
        How far below that of the largest, as a logarithm, the bound on those left out lies.
    """
    norm = math.sqrt(math.fsum(weights**2))
    total = math.fsum(np.abs(weights))
    if activation == "identity":
        return _assemble(np.empty(0), np.zeros((2, 2, 0)), (bias, 1.0), 1.0, total)
    if activation in ("sin", "cos"):
        s, c = math.sin(bias), math.cos(bias)
        harmonic = [[[s], [c]], [[c], [-s]]] if activation == "sin" else [[[c], [-s]], [[-s], [-c]]]
        return _assemble(np.ones(1), np.array(harmonic), (0.0, 0.0), 0.0, total)
    known, kinked = _TRANSFORMS[activation], activation in KINKED
    spread, reach, period = _period(activation, norm, total, bias, degree)
    t, remainder = _frequencies(known, period, norm, degree, kinked_nodes if kinked else 0, most, decay)
    b = 2 * known.f(t) / (period * t)
    sine, cosine = np.sin(t * bias), np.cos(t * bias)
    odd_wave = np.array([b * sine, b * cosine])  # sum b sin(t (y + bias)): its even and its odd part
    if known.family == "sigmoid":
        coefficients = np.array([odd_wave, [b * t * cosine, -b * t * sine]])
        constants, slope = (known.constant, 0.0), 0.0
        size = 4.0
    else:
        coefficients = np.array([[-b / t * cosine, b / t * sine], odd_wave])
        constants, slope = (known.constant + _at_zero(known, period, kinked) + bias / 2, 0.5), 0.5
        size = 4.0 * (reach + 1.0)
    outside = 0.0 if total <= spread else 2 * math.exp(-0.5 * (spread / norm) ** 2)
    made = _assemble(t, coefficients, constants, slope, total)
    return Series(
        made.frequencies, made.coefficients, known.tail * size, known.rate, outside, size if outside else 0.0, remainder
    )


def _period(activation: str, norm: float, total: float, bias: float, degree: int) -> tuple[float, float, float]:
    """How far y may go, how far y + bias, and the half-period P of the series."""
    spread = max((SPREAD if degree <= _HIGH else 40.0) * norm, 4.0)
    reach = min(total, spread) + abs(bias)
    return spread, reach, 1.01 * reach if activation in KINKED else reach + _TRANSFORMS[activation].margin


def _frequencies(
    known: _Transform, period: float, norm: float, degree: int, kinked_nodes: int, most: int, decay: float = DECAY
) -> tuple[Array, tuple[float, float]]:
    """The frequencies that count, and the amplitudes, squared and summed, of those beyond."""
    step = 2 * math.pi / period
    if kinked_nodes:
        t: Array = np.asarray(step * (np.arange(kinked_nodes) + 0.5), dtype=np.float64)
        # b = 2/(P t): sums of 1/t^4 and 1/t^2 beyond the last, by the midpoint rule
        end = step * kinked_nodes
        return t, ((2 / period) ** 2 / (step * 3 * end**3), (2 / period) ** 2 / (step * end))
    count = _count(known, period, norm, degree, most, decay)
    return np.asarray(step * (np.arange(count) + 0.5), dtype=np.float64), (0.0, 0.0)


def _count(known: _Transform, period: float, norm: float, degree: int, most: int, decay: float) -> int:
    """How many frequencies (n + 1/2) 2 pi / P count at this degree."""
    grid = np.linspace(0.0, 10.0 + decay + 4.0 * degree, 6001)[1:]
    with np.errstate(divide="ignore"):
        bound = np.log(known.f(grid))
    # (sum_{|S|=k} g(S)^2)^(1/2) <= min(1, (t |w|)^k / k!^(1/2))
    bound += np.minimum(0.0, degree * np.log(grid * norm) - 0.5 * math.lgamma(degree + 1))
    counted = float(grid[bound > bound.max() - decay][-1])
    count = math.ceil(counted * period / (2 * math.pi) + 0.5)
    if count > most:
        raise NotApplicableError(
            f"weights of norm {norm:.3g} and a series of half-period {period:.3g} take {count:,} frequencies, "
            f"more than {most:,}"
        )
    return count


def _at_zero(known: _Transform, period: float, kinked: bool) -> float:
    """sum_n B_n / t_n over all n."""
    if kinked:
        return period / 4
    t, _ = _frequencies(known, period, 1.0, 0, 0, 2**22)
    return math.fsum(2 * known.f(t) / (period * t * t))


def _assemble(t: Array, waves: Array, constants: tuple[float, float], slope: float, total: float) -> Series:
    """The series with the constants of sigma and sigma' as its first node and slope y as its last."""
    tau = 2.0**-30 / max(total, 1.0)
    coefficients = np.zeros((2, 2, t.size + 2))
    coefficients[:, 0, 0] = constants
    coefficients[:, :, 1:-1] = waves
    coefficients[0, 1, -1] = slope / tau
    return Series(np.concatenate([[0.0], t, [tau]]), coefficients)
