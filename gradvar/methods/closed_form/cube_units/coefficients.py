r"""Coefficients of one hidden unit on single parities, at any dimension.

For a target chi_S, a unit a sigma(z) with z = <w, x> + b and delta = a sigma'(z), the signal has the coefficients

    E[chi_S delta x_i] = delta^(S xor {i}) for its input weights,  delta^(S) for its bias,  sigma^(S) for its output.

With f(y + b) = sum_n a_n cos or sin(t_n y) (`fourier.py`) each is a sum of products over coordinates,

    f^(T) = +-sum_n a_n prod_{i in T} sin(t_n w_i) prod_{i not in T} cos(t_n w_i),

the cosines for even |T| with the sign (-1)^(|T|/2), the sines for odd |T| with (-1)^((|T|-1)/2). S xor {i} exchanges
one factor. Products are carried with their exponents, so that a parity of 1000 coordinates is as good as one of two.

A relu's series does not end. Its gate is summed up to 44 weights over two sorted halves of the coordinates
(`kernels/sorted_halves.py`), in whole numbers, and relu(z) = z 1(z > 0) has
sigma^(S) = b 1^(S) + sum_i w_i 1^(S xor {i}).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....core.activations import ACTIVATIONS, KINKED
from ....core.arguments import Array
from ..rounded import EPS
from .fourier import DECAY, Series
from .ridge import listed, product
from .unit_norms import slack
from .unit_variance import HiddenUnit

HALVED = 44
"""Weights up to which a kinked gate is summed over two halves."""
_CALL, _GATE, _EACH = 2.0**19, 100.0, 64.0
"""Multiplications that a call counts as, a value of a half, and a sine with what is made of it."""

Set = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Coefficients:
    """E[chi_S s] for the parameters of one unit: of its input weights, bias and output weight, shape (d + 2,).

    In units of 2**exponent, each known up to its entry of `errors`.
    """

    values: Array
    errors: Array
    exponent: int


def work(unit: HiddenUnit, degree: int) -> float:
    """About how many multiplications the coefficients of a unit on a parity of this degree take."""
    active = unit.weights[unit.weights != 0]
    if unit.activation in KINKED:
        return _CALL + _GATE * float(np.exp2(active.size / 2))
    if not active.size:
        return _CALL
    series = listed(unit.activation, active, unit.bias, min(degree, active.size) + 1, DECAY + 0.8 * degree)
    return float(_CALL + _EACH * active.size * series.frequencies.size)


def coefficients(unit: HiddenUnit, chosen: Set) -> Coefficients:
    """Return the coefficients of a unit on the parity of these coordinates."""
    active = np.flatnonzero(unit.weights)
    idle = np.flatnonzero(chosen & (unit.weights == 0))
    found = Coefficients(np.zeros(active.size + 2), np.zeros(active.size + 2), 0)
    if idle.size <= 1:
        found = _of_active(unit, unit.weights[active], chosen[active])
    # All coefficients at sets that hold a coordinate of weight 0 vanish: at S, or at all its neighbours but one.
    place = np.append(active, [-2, -1])
    spread = []
    for kept in (found.values, found.errors):
        row = np.zeros(unit.weights.size + 2)
        if idle.size == 0:
            row[place] = kept
        elif idle.size == 1:
            row[idle] = kept[-2]
        row[:-1] *= abs(unit.output)
        row[-2] *= unit.has_bias
        spread.append(row)
    spread[0][:-1] *= math.copysign(1.0, unit.output)
    return Coefficients(spread[0], spread[1], found.exponent)


def _of_active(unit: HiddenUnit, active: Array, some: Set) -> Coefficients:
    """Those of sigma' at all S xor {i}, of sigma' and of sigma at S; no weight is 0."""
    if active.size == 0:
        value, slope = ACTIVATIONS[unit.activation](np.array([unit.bias]))
        values = np.array([slope[0], value[0]])
        return Coefficients(values, 16 * EPS * np.maximum(np.abs(values), 1.0), 0)
    return _by_halves(unit, active, some) if unit.activation in KINKED else _by_series(unit, active, some)


def _by_series(unit: HiddenUnit, active: Array, some: Set) -> Coefficients:
    degree, m = int(np.count_nonzero(some)), active.size
    # Of one set the terms are far smaller than the bound on those of all sets that says where a series may end.
    wave = listed(unit.activation, active, unit.bias, degree + 1)
    wave = listed(unit.activation, active, unit.bias, degree + 1, DECAY - _log_largest(wave, active, some))
    t, at = wave.frequencies[1:], _signed(wave, degree)  # the constant speaks for the empty set alone
    cosines, sines = _waves(active, t)
    factor, other = np.where(some[:, None], sines, cosines), np.where(some[:, None], cosines, sines)
    mantissa, powers = product(np.abs(factor))
    mantissa *= np.where(np.count_nonzero(factor < 0, axis=0) % 2, -1.0, 1.0)
    # g_n(S), and d log g_n(S) where each angle is known to EPS of itself
    angles = np.abs(active[:, None]) * t
    slip, back = angles * np.abs(other / factor), angles * np.abs(factor / other)
    largest = np.max([np.abs(a).max(axis=0) for a in at.values()], axis=0)
    exponent = int((powers + np.frexp(largest)[1])[largest > 0].max(initial=-(2**30)))
    exponent = exponent if largest.any() else 0
    g = mantissa * np.ldexp(1.0, np.clip(powers - exponent, -1100, 900))
    neighbour = np.where(some[:, None], at.get(degree - 1, at[degree])[1], at[degree + 1][1]) * g * (other / factor)
    terms = np.concatenate([neighbour, at[degree][::-1] * g])
    slips = np.concatenate([slip.sum(axis=0) - slip + back, np.tile(slip.sum(axis=0), (2, 1))])
    errors = EPS * (np.abs(terms) * (m + 16 + 4 * slips + 4 * t * abs(unit.bias))).sum(axis=1)
    values = terms.sum(axis=1)
    if degree <= 1:
        _add_constants(values, wave, some, exponent)
    step, logs = np.where(some, -1, 1), np.log(np.abs(active))
    sizes = degree + np.append(step, [0, 0])
    products = float(logs[some].sum()) + np.append(step * logs, [0.0, 0.0])
    # a function that is even or odd has no coefficients of the other kind
    some_of = {k: np.asarray(wave.at_degree(k).any(axis=1)) for k in at}
    present = np.array([*(some_of[int(k)][1] for k in sizes[:-1]), some_of[degree][0]])
    return Coefficients(values, errors + present * _left_out(wave, sizes, products, exponent), exponent)


def _waves(active: Array, t: Array) -> tuple[Array, Array]:
    angles = active[:, None] * t
    return np.cos(angles), np.sin(angles)


def _log_largest(wave: Series, active: Array, some: Set) -> float:
    """log of the largest |a_n g_n(S)|, of sigma or sigma', at most 0."""
    cosines, sines = _waves(active, wave.frequencies[1::4])
    mantissa, powers = product(np.abs(np.where(some[:, None], sines, cosines)))
    with np.errstate(divide="ignore"):
        sizes = np.log(np.abs(wave.coefficients[:, :, 1::4]).max(axis=(0, 1))) + np.log(mantissa)
    return min(float((sizes + powers * math.log(2)).max(initial=-math.inf)), 0.0)


def _signed(wave: Series, degree: int) -> dict[int, Array]:
    """The coefficients that count at S and at its neighbours, of sigma and sigma', with the signs of i^|T|."""
    return {k: wave.at_degree(k)[:, 1:] * _sign(k) for k in (degree - 1, degree, degree + 1) if k >= 0}


def _sign(degree: int) -> float:
    """Re i^k, or Im i^k for odd k."""
    return -1.0 if degree // 2 % 2 else 1.0


def _add_constants(values: Array, wave: Series, some: Set, exponent: int) -> None:
    """Add the constants of sigma and sigma' to their coefficients at the empty set."""
    sigma, slope = np.ldexp(wave.coefficients[:, 0, 0], -exponent)
    if some.any():
        values[:-2][some] += slope
    else:
        values[-2:] += slope, sigma


def _left_out(wave: Series, sizes: Array, logs: Array, exponent: int) -> Array:
    """How much the tails of the series and the inputs out of its reach may add, of sigma' but for the last.

    |f^(T)| is at most sup |f|, and at most the |T|-th derivative times prod_T |w_i|; and at most E|f|.
    """
    total = np.full(sizes.size, -math.inf)
    if wave.tail > 0:
        total = math.log(wave.tail) + np.minimum(0.0, sizes * math.log(wave.rate) + logs)
    if wave.outside > 0:
        total = np.logaddexp(total, math.log(wave.outside) + math.log(wave.size))
    total[:-1] += math.log(max(wave.rate, 1.0))
    with np.errstate(over="ignore"):
        return np.exp(total - exponent * math.log(2))


def _by_halves(unit: HiddenUnit, active: Array, some: Set) -> Coefficients:
    """Those of a relu, by the whole numbers 2^m E[chi_T 1(z > 0)]."""
    from ....kernels.sorted_halves import gate_coefficients, labelled_sums  # compiled code only where it is needed

    m, margin = active.size, slack(unit)
    parts = [active[::2], active[1::2]]
    sums = [labelled_sums(part) for part in parts]
    masks = [sum(1 << int(i) for i in np.flatnonzero(some[start::2])) for start in (0, 1)]
    gates, total, doubtful = np.empty(m), 0, 0
    for one, two in ((0, 1), (1, 0)):
        total, gates[one::2], doubtful = gate_coefficients(
            *sums[one], masks[one], *sums[two], masks[two], unit.bias, margin / 2, 4 * margin
        )
    share = 2.0**-m
    gates *= share
    own = total * share
    sigma = unit.bias * own + math.fsum(active * gates)
    size = abs(unit.bias * own) + float(np.abs(active * gates).sum())
    errors = np.full(m + 2, doubtful * share)
    errors[-1] = 4 * EPS * (m + 2) * size + (4 * doubtful * share + 1) * margin
    return Coefficients(np.append(gates, [own, sigma]), errors, 0)
