r"""E sigma(z)^2 and E sigma'(z)^2 of one hidden unit, z = <w, x> + b, x uniform on the cube, at any dimension.

Three ways, for the m weights that are not 0:

- **Atoms.** Where m is small, or the weights are multiples of one number, <w, x> takes few values: their distribution
  by doubling, or by adding up one weight after the other. Any activation; all terms are positive.
- **Waves.** A smooth activation is sum_n e_n cos t_n y + o_n sin t_n y (`fourier.py`), y = <w, x>, t_n = (2n + 1) t_0,
  besides a constant and c y. With gamma_n = e_n - i o_n and C(t) = E cos t y = prod_i cos t w_i,

      E f^2 = (1/2) sum_{n,m} Re(gamma_n conj gamma_m) C(t_n - t_m) + Re(gamma_n gamma_m) C(t_n + t_m) + ...,

  where t_n - t_m and t_n + t_m are multiples of 2 t_0: two convolutions of gamma with itself against one vector of
  products, O(N m) in all. The constant and c y add terms in C(t_n) and E[y sin t_n y] = -C'(t_n).
- **Halves.** For the relu E sigma'^2 = P(z > 0) and E sigma^2 = E[z^2; z > 0], by two sorted halves of the coordinates
  (`kernels/sorted_halves.py`), up to m = 44.

**Beyond** m = 44 the relu is (|w|^2 + b^2 + E z|z|)/2, (1 + E sgn z)/2, with sgn z and z|z| as sines of t_n z: sums of
C(t_n) sin t_n b. They are cut, and what is left out is estimated: not exact. At b = 0 they vanish.

**Error.** The root of E f^2 is off by the L2 norm of what the series is off (Minkowski), rounding is relative to the
square of the sum of the amplitudes. Inputs on the kink count as the model counts them: within rounding of it, by the
model's own bound, they are on it; those between half and four times the bound may be on either side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from ....core.activations import KINKED, settle
from ....core.arguments import Array
from ....core.errors import NotApplicableError
from ....core.numbers import Scaled
from ....models.network import rounding
from ..rounded import EPS, rounded
from .fourier import Series
from .ridge import TAIL_SAFETY, listed
from .unit_variance import HiddenUnit, on_grid, on_the_kink

_FEW = {False: 12, True: 16}
"""Weights up to which all signs are gone through, for smooth activations and with a kink."""
_HALVED = 44
_STEPS = {False: 2.0**18, True: 2.0**28}
"""Additions up to which multiples of one number are added up."""
_MULTIPLES = 64
_UNIT, _SERIES, _WAVE, _EACH, _MERGED = 2.0**16, 2.0**20, 15.0, 50.0, 50.0
"""Multiplications that a unit, preparing a series, a cosine, an atom and a value of a half count as."""
_NEGLIGIBLE = 2.0**-64
_PROBED = 64
"""Weights, the largest, whose products bound those of all."""
_VANISHED = 9.5
"""e^(-t^2/2) is 2^-65 here."""
_TERM_BY_TERM = 1024

Waves = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class UnitNorms:
    """E sigma^2 and E sigma'^2, and whether their errors are bounds (else estimates)."""

    value: Scaled
    slope: Scaled
    exact: bool = True


@dataclass(frozen=True)
class Way:
    """How a unit's norms are had, and about how many multiplications that takes."""

    work: float
    norms: Callable[[], UnitNorms]
    is_compiled: bool = False


def way(unit: HiddenUnit, halves: bool = True) -> Way | None:
    """Return the cheapest exact way, else the one that is not exact, else None; `halves` are allowed or not."""
    active = unit.weights[unit.weights != 0]
    kinked, m = unit.activation in KINKED, active.size
    if (m and not 1e-100 < np.abs(active).min() <= np.abs(active).max() < 1e100) or abs(unit.bias) > 1e100:
        return None
    if m <= _FEW[kinked]:
        return Way(_UNIT + _EACH * 2**m, partial(_by_signs, unit, active))
    multiples = _multiples(active)
    if multiples is not None and m * float(multiples.sum()) <= _STEPS[kinked]:
        return Way(_UNIT + m * float(multiples.sum()), partial(_by_multiples, unit, active, multiples))
    if kinked and m <= _HALVED and halves:
        return Way(_UNIT + _MERGED * 2.0 ** (m / 2), partial(_by_halves, unit, active), is_compiled=True)
    if kinked and on_grid(active):
        return None
    try:
        series = listed(unit.activation, active, unit.bias, 0)
    except NotApplicableError:
        return None
    work = _SERIES + _WAVE * float(m * series.frequencies.size)
    return Way(work, partial(_by_cut_waves if kinked else _by_waves, unit, active, series))


def _by_signs(unit: HiddenUnit, active: Array) -> UnitNorms:
    """All 2^m sums."""
    y: Array = np.zeros(1)
    for weight in active:
        y = np.concatenate([y - weight, y + weight])
    roundings = active.size * EPS * float(np.abs(active).sum())
    return _of_atoms(unit, y, np.full(y.size, 1 / y.size), 0.0, roundings)


def _by_multiples(unit: HiddenUnit, active: Array, multiples: npt.NDArray[np.int64]) -> UnitNorms:
    """The distribution of y = step (L - 2 T), T the sum of the multiples where x_i w_i < 0."""
    mass = _distribution(tuple(sorted(multiples.tolist())))
    step = float(np.abs(active[0])) / int(multiples[0])
    y = np.asarray(step * (mass.size - 1 - 2.0 * np.arange(mass.size)))
    off = float(np.abs(np.abs(active) - step * multiples).sum())
    return _of_atoms(unit, y, mass, 2 * EPS * active.size, off)


def _of_atoms(unit: HiddenUnit, y: Array, mass: Array, mass_error: float, off: float) -> UnitNorms:
    """The mean squares over values y, each known up to `off`, of masses known to a relative error."""
    z = y + unit.bias
    doubtful = 0.0
    if unit.activation in KINKED:
        margin = slack(unit)
        doubtful = float(mass[(np.abs(z) > margin / 2) & (np.abs(z) < 4 * margin)].sum())
        settle(z, margin, unit.activation)
    size = np.abs(y) + abs(unit.bias) + off / (2 * EPS)
    sigma, slope = (f.mean_square(mass, mass_error) for f in rounded(unit.activation, z, size))
    return UnitNorms(sigma, Scaled(slope.mantissa, slope.error + doubtful))


def slack(unit: HiddenUnit) -> float:
    """Below this the model takes |z| for 0."""
    dim = unit.weights.size
    return float(rounding(np.ones((1, dim)), unit.weights[None, :], np.array([unit.bias]), dim)[0, 0])


def _multiples(active: Array) -> npt.NDArray[np.int64] | None:
    """The weights' sizes over a number of which all of them are multiples up to rounding, if there is one."""
    sizes = np.abs(active)
    ratios = sizes / sizes.min()
    if ratios.max() > 2**20:
        return None
    factors = np.arange(1.0, _MULTIPLES)
    # a few weights first: mostly they say no
    for k in factors[_are_integers(factors[:, None] * ratios[:8]).all(axis=1)]:
        if _are_integers(ratios * k).all():
            return np.asarray(np.rint(ratios * k), dtype=np.int64)
    return None


def _are_integers(x: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(x - np.rint(x)) <= 8 * EPS * x)


@lru_cache(maxsize=16)
def _distribution(multiples: tuple[int, ...]) -> Array:
    """P(T = t), T the sum of these numbers, each of which counts with probability 1/2."""
    mass = np.zeros(sum(multiples) + 1)
    mass[0] = 1.0
    top = 1
    for n in multiples:
        mass[:top] *= 0.5
        mass[n : top + n] += mass[:top].copy()
        top += n
    return mass


def _by_halves(unit: HiddenUnit, active: Array) -> UnitNorms:
    """P(z > 0) and E[z^2; z > 0] over all pairs of sums of two halves."""
    from ....kernels.sorted_halves import above, signed_sums  # compiled code only where it is needed

    margin = slack(unit)
    first, second = signed_sums(active[::2]), signed_sums(active[1::2])
    count, doubtful, total, size = above(first, second, unit.bias, margin / 2, 4 * margin)
    share = 2.0**-active.size
    value = max(total * share, 0.0)
    # z is known to half the slack
    error = 16 * EPS * size * share + margin * math.sqrt(value) + margin**2
    half = 0.5 * doubtful
    return UnitNorms(Scaled(value, error), Scaled((count - half) * share, half * share + 4 * EPS))


def _cosines(active: Array, t: Array) -> Array:
    """C(t) = E cos t y = prod_i cos t w_i."""
    products = np.zeros(t.size)
    for some in _blocks_that_count(active, t):
        products[some] = np.cos(t[some, None] * active).prod(axis=1)
    return products


def _tilted_sines(active: Array, t: Array) -> Array:
    """E[y sin t y] = C(t) sum_i w_i tan t w_i."""
    sums = np.zeros(t.size)
    for some in _blocks_that_count(active, t):
        angles = t[some, None] * active
        cosines = np.cos(angles)
        sums[some] = cosines.prod(axis=1) * (np.sin(angles) / cosines @ active)
    return sums


def _blocks_that_count(active: Array, t: Array) -> list[npt.NDArray[np.intp]]:
    """Indices of the frequencies where C does not vanish, in blocks that fit into the cache.

    |cos u| <= e^(-u^2/2) up to pi/2: it does where the weights with t |w_i| <= pi/2 make it so.
    """
    sizes = np.sort(np.abs(active))
    squares = np.concatenate([[0.0], np.cumsum(sizes**2)])
    small = np.searchsorted(sizes, np.divide(math.pi / 2, t, out=np.full(t.size, math.inf), where=t > 0))
    counts = np.flatnonzero(t**2 * squares[small] < _VANISHED**2)
    return np.array_split(counts, 1 + counts.size * active.size // 2**18)


def _by_waves(unit: HiddenUnit, active: Array, series: Series) -> UnitNorms:
    """Sigma and sigma' as waves."""
    gamma = series.coefficients[:, 0] - 1j * series.coefficients[:, 1]
    constants, waves = gamma[:, 0].real, gamma[:, 1:-1]
    straight = series.coefficients[:, 1, -1] * series.frequencies[-1]
    t = series.frequencies[1:-1]
    norm_sq = math.fsum(active**2)
    squares = constants**2 + straight**2 * norm_sq
    if t.size:
        squares += 0.5 * _of_pairs(active, waves, 2 * t[0])
        if constants.any():
            squares += 2 * constants * (waves.real @ _cosines(active, t))
        if straight.any():
            squares -= 2 * straight * (waves.imag @ _tilted_sines(active, t))
    return _with_errors(unit, active, series, squares, np.abs(waves), np.abs(constants) + straight * math.sqrt(norm_sq))


def _of_pairs(active: Array, waves: Waves, step: float) -> Array:
    """Sum over n, m of Re(gamma_n conj gamma_m) C(t_n - t_m) + Re(gamma_n gamma_m) C(t_n + t_m), for each row."""
    count = waves.shape[1]
    lags = np.zeros((waves.shape[0], 2 * count))
    for row, gamma in zip(lags, waves, strict=True):
        # t_n - t_m = k step, of either sign, and t_n + t_m = (n + m + 1) step
        row[0] = float((np.abs(gamma) ** 2).sum())
        row[1:count] = 2 * _convolved(gamma, gamma[::-1].conj())[count:].real
        row[1:] += _convolved(gamma, gamma).real
    kept = np.flatnonzero((np.abs(lags) > _NEGLIGIBLE * np.abs(lags).max(axis=1, keepdims=True)).any(axis=0))
    return np.asarray(lags[:, kept] @ _cosines(active, np.asarray(step * kept)))


def _convolved(a: Waves, b: Waves) -> Waves:
    """The full convolution; few numbers term by term, so that those that fall off stay small."""
    if a.size <= _TERM_BY_TERM:
        return np.convolve(a, b)
    return np.asarray(np.fft.ifft(np.fft.fft(a, 2 * a.size) * np.fft.fft(b, 2 * a.size))[:-1])


def _with_errors(
    unit: HiddenUnit, active: Array, series: Series, squares: Array, waves: Array, others: Array
) -> UnitNorms:
    """The sums with what the series is off, inputs out of its reach, phases and rounding as their errors."""
    amplitude = waves.sum(axis=1) + others
    growth = 32 + 4 * math.sqrt(math.fsum(np.unique(np.abs(active), return_counts=True)[1] ** 2.0))
    phases = 2 * EPS * waves @ (series.frequencies[1:-1] * (abs(unit.bias) + math.sqrt(math.fsum(active**2))))
    missed = series.tail + math.sqrt(series.outside) * series.size
    off = np.array([1.0, max(series.rate, 1.0)]) * missed + phases
    values = np.maximum(squares, 0.0)
    errors = growth * EPS * amplitude**2 + 2 * np.sqrt(values) * off + off**2
    value, slope = (Scaled(float(v), float(e)) for v, e in zip(values, errors, strict=True))
    return UnitNorms(value, slope)


def _by_cut_waves(unit: HiddenUnit, active: Array, series: Series) -> UnitNorms:
    """(1 + E sgn z)/2 and E[z^2; z > 0] of the relu: z|z|/4 = P z/4 - sum (B_n/t_n^2) sin t_n z, B_n = 2/(P t_n)."""
    t = series.frequencies[1:-1]
    period, norm_sq, b = math.pi / float(t[0]), math.fsum(active**2), unit.bias
    rounding_of = 64 * EPS * math.sqrt(active.size)
    if b == 0:
        # By symmetry, but for inputs on the kink.
        ties = on_the_kink(active)
        return UnitNorms(Scaled(0.5 * norm_sq, rounding_of * norm_sq), Scaled(0.5 - 0.5 * ties, ties), exact=False)
    products = _cosines(active, t)
    terms = 2 / (period * t) * np.sin(t * b) * products
    share = 0.5 + math.fsum(terms)
    square = 0.5 * (norm_sq + b * b + period * b) - 2 * math.fsum(terms / t**2)
    beyond = _beyond(active, t)
    size = norm_sq + b * b + period * abs(b)
    of_square = rounding_of * size + series.outside * series.size**2 + 2 * beyond[1]
    of_share = 8 * rounding_of + series.outside + beyond[0]
    return UnitNorms(Scaled(max(square, 0.0), of_square), Scaled(share, of_share), exact=False)


def _beyond(active: Array, t: Array) -> tuple[float, float]:
    """Bound what sum B_n C(t_n) and sum B_n C(t_n)/t_n^2 may come to over the frequencies after these.

    Where weights are nearly multiples of a number, C recurs: the largest of them alone bound it up to frequencies at
    which 64ths of them would; what follows has the size of C before it.
    """
    large = np.sort(np.abs(active))[-_PROBED:]
    spacing, period = 2 * float(t[0]), math.pi / float(t[0])
    last = min(2**16, math.ceil(_MULTIPLES * math.pi / float(np.median(large)) / spacing))
    later = np.asarray(spacing * (np.arange(t.size, max(last, t.size)) + 0.5))
    bound = np.abs(_cosines(large, later))
    after = math.sqrt(float((np.concatenate([_cosines(large, t), bound])[-(t.size // 2) :] ** 2).mean()))
    end = float(later[-1] if later.size else t[-1])
    rest = TAIL_SAFETY * after * np.sqrt([1 / (end * spacing), 1 / (5 * end**5 * spacing)])
    steps = bound / later
    return 2 / period * (float(steps.sum()) + float(rest[0])), 2 / period * (
        float((steps / later**2).sum()) + float(rest[1])
    )
