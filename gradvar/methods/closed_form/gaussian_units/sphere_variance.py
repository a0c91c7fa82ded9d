r"""The variance of E_x[h_v(x) f(<w, x> + b) (x, 1)] over v uniform on a sphere: one integral over cos angle(v, w).

With t = cos angle(v, w), alpha = rho t, beta^2 = rho^2 (1 - t^2), s = |w|, z and y independent normal numbers,
<v, x> = alpha z + beta y and <w, x> = s z, so that for the harmonic n (T_0, T_1 at n alpha: `gaussian_transforms`)

    E[e^(i n <v,x>) f]               = e^(-n^2 beta^2/2) T_0,
    E[e^(i n <v,x>) f <x, w/|w|>]    = e^(-n^2 beta^2/2) T_1,
    E[e^(i n <v,x>) f x_orthogonal]  = i n beta e^(-n^2 beta^2/2) T_0 u,      u the direction of v orthogonal to w.

The direction u is uniform and has mean zero, so that the class mean lies along w and in the constant, and

    Var = Var_t[along w] + E_t[orthogonal^2] + Var_t[constant].

The integral over t = tanh(y), of weight sech(y)^(d-1), by the trapezoidal rule in y, which converges exponentially;
everything relative to exponents of e, with the mean subtracted before squaring. The step is halved, where the
integrand is not negligible, until the value stands still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ....core.arguments import Array
from ....core.errors import NotApplicableError
from ....core.numbers import Scaled, power_of_two
from .gaussian_transforms import GaussianUnit, Transform

_FARTHEST = 800.0
"""Where sech^2 y underflows: nothing is to be found beyond."""
_NEGLIGIBLE = 45.0
_EPS = float(np.finfo(np.float64).eps)
_LOG2 = math.log(2)
_LEVELS = 7
_CHUNK = 64


@dataclass(frozen=True)
class Sphere:
    """The sphere of radius rho in R^dim and the harmonics n of the wave, with their coefficients."""

    dim: int
    radius: float
    harmonics: tuple[tuple[int, float, float], ...]

    @property
    def base(self) -> float:
        """Exponent that all values have in common: that of the first harmonic at t = 0."""
        return -0.5 * (self.harmonics[0][0] * self.radius) ** 2


@dataclass(frozen=True)
class Ridge:
    """weight f(<w, x> + b) times x (`moments`) and times 1 (`constant`): a block of a network's gradient."""

    unit: GaussianUnit
    weight: float
    moments: bool
    constant: bool

    def vanishes(self, sphere: Sphere) -> bool:
        """Whether every component is zero, or independent of v, by symmetry."""
        one, both = np.ones(1), np.full(1, 1 + 1j, dtype=np.complex128)
        part = Transform(one, both, both, one, one)
        return not any(_components(self, part, one, a, b).size[0] for _, a, b in sphere.harmonics)


@dataclass
class _Profile:
    """Values at points y: e^scale times the components at t and -t, and bounds on their rounding errors."""

    y: Array
    log_weight: Array
    scale: Array
    constant: Array
    along: Array
    across: Array
    rounding: Array

    def joined(self, other: _Profile) -> _Profile:
        """Both, in increasing order of y."""
        order = np.argsort(np.concatenate([self.y, other.y]), kind="stable")
        return _Profile(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)])[order] for f in fields(self)))

    def log_size(self) -> Array:
        """log of the integrand, before the mean is subtracted."""
        size = np.abs(self.constant).sum(1) + np.abs(self.along).sum(1) + np.abs(self.across).sum(1)
        with np.errstate(divide="ignore"):
            return np.asarray(self.log_weight + 2.0 * (self.scale + np.log(size)))


def _profile(ridge: Ridge, sphere: Sphere, y: Array, floor: float, fineness: float = 1.0) -> _Profile:
    """Evaluate the components. Harmonics whose integrand is below e^floor at a point are left out there."""
    rho = sphere.radius
    log_cosh = np.abs(y) + np.log1p(np.exp(-2.0 * np.abs(y))) - math.log(2.0)
    t, sech = np.tanh(y), np.exp(-log_cosh)
    log_weight = -(sphere.dim - 1) * log_cosh
    found: list[tuple[NDArray[np.bool_], Array, _Components, Array]] = []
    first = sphere.harmonics[0][0]
    for n, a, b in sphere.harmonics:
        exponent = 0.5 * (n * rho * t) ** 2 - 0.5 * (n * n - first * first) * rho * rho
        needed = log_weight + 2.0 * exponent + 20.0 > floor if n != first else y >= 0
        if needed.any():
            exponent = exponent[needed]
            part = ridge.unit.transform(n * rho * t[needed], fineness)
            components = _components(ridge, part, n * rho * sech[needed], a, b)
            rounding = _EPS * (8.0 + np.abs(part.scale) + np.abs(exponent)) * components.size
            found.append((needed, exponent + part.scale, components, rounding))
    top = np.full(y.size, -np.inf)
    for needed, scale, _, _ in found:
        top[needed] = np.maximum(top[needed], scale)
    constant, along, across = np.zeros((3, y.size, 2))
    total = _Profile(y, log_weight, top, constant, along, across, np.zeros(y.size))
    for needed, scale, components, rounding in found:
        share = np.exp(scale - top[needed])
        total.constant[needed] += share[:, None] * components.constant
        total.along[needed] += share[:, None] * components.along
        if sphere.dim > 1:
            total.across[needed] += share[:, None] * components.across
        total.rounding[needed] += share * rounding
    return total


@dataclass(frozen=True)
class _Components:
    """E[h f], E[h f <x, w/|w|>] and the size of E[h f x_orthogonal] over a common factor, h one harmonic.

    Each is given at t and at -t, shape (n, 2); `size` is what rounding is relative to, shape (n,).
    """

    constant: Array
    along: Array
    across: Array
    size: Array


def _components(ridge: Ridge, part: Transform, beta: Array, a: float, b: float) -> _Components:
    """Return the components of a cos n<v, x> + b sin n<v, x> from the transforms T_0, T_1 at n alpha >= 0.

    What vanishes by symmetry (f odd or even; E_x[h_v f] at an affine f and an even harmonic) is left out: a variance
    that is zero comes out as zero.
    """
    parity = ridge.unit.parity
    # Of T_0, the real and the imaginary part; of T_1 the other way round. A constant adds to a cos(n <v,x>) only what
    # does not depend on v.
    real, imaginary = float(not parity.startswith("odd")), float(parity != "even")
    sine_real = float(parity != "odd")
    zeroth, first = part.zeroth, part.first
    constant = along = across = np.zeros((beta.size, 2))
    size_sq = np.zeros(beta.size)
    if ridge.constant:
        # a Re T_0 + b Im T_0; at -t the imaginary part changes its sign
        even = 0.0 if ridge.unit.is_affine else real
        constant = _at_both(a * even * zeroth.real, b * imaginary * zeroth.imag)
        size_sq += ((abs(a) * even + abs(b) * imaginary) * part.zeroth_size) ** 2
    if ridge.moments:
        share = abs(a) * imaginary + abs(b) * sine_real
        # a Re T_1 + b Im T_1
        along = _at_both(a * imaginary * first.real, b * sine_real * first.imag)
        size_sq += (share * part.first_size) ** 2
        # n beta (b Re T_0 - a Im T_0)
        across = _at_both(beta * (b * sine_real) * zeroth.real, -beta * (a * imaginary) * zeroth.imag)
        size_sq += (share * beta * part.zeroth_size) ** 2
    return _Components(constant, along, across, np.sqrt(size_sq))


def _at_both(even: Array, odd: Array) -> Array:
    """The values at t and at -t of a function with these even and odd parts."""
    return np.stack([even + odd, even - odd], axis=1)


def _integral(p: _Profile, step: float, log_norm: float) -> tuple[Scaled, float]:
    """The variance by the trapezoidal rule over these points, its rounding error, and log of |mean|."""
    half = np.where(p.y == 0, 0.5, 1.0)
    log_weight = p.log_weight + np.log(half) + math.log(step) - log_norm
    top_mean = float((log_weight + p.scale).max())
    # in units of 2^exponent = e^(2 top)
    exponent = math.floor(2.0 * float((0.5 * log_weight + p.scale).max()) / _LOG2)
    top = 0.5 * _LOG2 * exponent
    plain, root = np.exp(log_weight + p.scale - top_mean), np.exp(0.5 * log_weight + p.scale - top)
    one = np.exp(0.5 * log_weight + top_mean - top)
    variance, largest = 0.0, 0.0
    for component in (p.constant, p.along):
        # Var_t = E_t (component - mean)^2
        mean = float(plain @ component.sum(axis=1))
        deviation = root[:, None] * component - (one * mean)[:, None]
        variance += float((deviation**2).sum())
        largest = max(largest, abs(mean))
    variance += float(((root[:, None] * p.across) ** 2).sum())
    lost = 2.0 * float(((root * p.rounding) ** 2).sum())
    error = 2.0 * math.sqrt(variance * lost) + lost + 64 * _EPS * variance
    log_mean = math.log(largest) + top_mean if largest > 0 else -math.inf
    return Scaled(variance, error, exponent), log_mean


def ridge_variance(ridge: Ridge, sphere: Sphere) -> Scaled:
    """Return the variance over v of E_x[h_v weight f(<w, x> + b) (x, 1)].

    The error is the sum of the last change on halving the step, the change of the inner quadrature on refining it
    and the rounding of the values.
    """
    if sphere.dim == 1:  # v and -v: cosines do not tell them apart
        sphere = Sphere(1, sphere.radius, tuple((n, 0.0, b) for n, _, b in sphere.harmonics if b != 0))
    if ridge.weight == 0 or not sphere.harmonics or ridge.vanishes(sphere):
        return Scaled(0.0)
    found = _two_points(ridge, sphere) if sphere.dim == 1 else _over_sphere(ridge, sphere)
    log_factor = 2.0 * (sphere.base + math.log(abs(ridge.weight)))
    slack = _EPS * (abs(found.exponent * _LOG2 + log_factor) + 16.0) * found.mantissa
    return Scaled(found.mantissa, found.error + slack, found.exponent).times_exp(log_factor)


def _two_points(ridge: Ridge, sphere: Sphere) -> Scaled:
    """The variance over v and -v, each of weight 1/2."""
    ends = np.array([40.0])  # tanh(40) = 1
    value, _ = _integral(_profile(ridge, sphere, ends, -math.inf), 0.5, 0.0)
    return _refined(ridge, sphere, value, ends, 0.5, 0.0, -math.inf)


def _over_sphere(ridge: Ridge, sphere: Sphere) -> Scaled:
    log_norm = float(special.betaln(0.5, 0.5 * (sphere.dim - 1)))
    step = min(0.25, 0.5 / math.sqrt(sphere.dim - 1))
    points = _scanned(ridge, sphere, step, log_norm)
    value, log_mean = _integral(points, step, log_norm)
    coarse, change, floor = points, math.inf, -math.inf
    for _ in range(_LEVELS):
        coarse = points
        size = np.maximum(points.log_size(), points.log_weight + 2.0 * log_mean)
        floor = float(size.max()) - _NEGLIGIBLE
        alive = size > floor
        between = np.flatnonzero(alive[:-1] | alive[1:])
        between = between[np.diff(points.y)[between] < 1.5 * step]
        points = points.joined(_profile(ridge, sphere, points.y[between] + 0.5 * step, floor))
        step *= 0.5
        finer, log_mean = _integral(points, step, log_norm)
        change = abs(finer.mantissa - power_of_two(value.mantissa, value.exponent - finer.exponent))
        value = finer
        if change <= max(1e-13 * value.mantissa, value.error):
            break
    value = replace(value, error=value.error + change)
    return _refined(ridge, sphere, value, coarse.y, 2.0 * step, log_norm, floor)


def _refined(
    ridge: Ridge, sphere: Sphere, value: Scaled, y: Array, step: float, log_norm: float, floor: float
) -> Scaled:
    """The value, with what refining the inner quadrature changes over these points as part of its error."""
    if not ridge.unit.is_quadrature:
        return value
    again, same = (_integral(_profile(ridge, sphere, y, floor, fine), step, log_norm)[0] for fine in (1.4, 1.0))
    first, second = (power_of_two(part.mantissa, part.exponent - value.exponent) for part in (same, again))
    return replace(value, error=value.error + abs(first - second))


def _scanned(ridge: Ridge, sphere: Sphere, step: float, log_norm: float) -> _Profile:
    """The components at multiples of the step, outwards until nothing can matter any more."""
    rho, first = sphere.radius, sphere.harmonics[0][0]
    power = sphere.dim - 1
    lowest = Sphere(sphere.dim, rho, sphere.harmonics[:1])
    start = _profile(ridge, lowest, np.linspace(0.0, step * (_CHUNK - 1), _CHUNK), -math.inf)
    floor = float(start.log_size().max()) - _NEGLIGIBLE
    points: _Profile | None = None
    while True:
        done = 0 if points is None else points.y.size
        y = np.arange(done, done + _CHUNK, dtype=np.float64)
        y *= step
        part = _profile(ridge, sphere, y, floor)
        points = part if points is None else points.joined(part)
        log_mean = _integral(points, step, log_norm)[1]
        floor = float(np.maximum(points.log_size(), points.log_weight + 2.0 * log_mean).max()) - _NEGLIGIBLE
        # Every |component| is at most e^(-beta^2/2) of what it is made of: n rho times a moment of f.
        last = float(y[-1])
        sech_sq = 1.0 / math.cosh(min(last, 300.0)) ** 2
        envelope = -power * (last - math.log(2.0)) - (first * rho) ** 2 * sech_sq - 2.0 * sphere.base
        past = 2.0 * (first * rho) ** 2 * sech_sq < power
        if last > _FARTHEST:
            raise NotApplicableError("a unit is so small wherever x is likely that float64 does not hold its share")
        if past and max(envelope + 20.0, points.log_weight[-1] + 2.0 * log_mean) < floor:
            return points
