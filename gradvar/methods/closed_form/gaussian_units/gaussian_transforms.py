r"""Gaussian Fourier transforms of activations: what a hidden unit has in common with a cosine.

For f = sigma or sigma', u = s z + b, z ~ N(0, 1) and a frequency alpha >= 0,

    T_0(alpha) = E[e^(i alpha z) f(s z + b)],       T_1(alpha) = E[z e^(i alpha z) f(s z + b)].

They fall with alpha, as e^(-alpha^2/2) or e^(-pi alpha/2s), and are wanted with a small *relative* error: they come
as e^scale times a number of moderate size, beside a bound on what their rounding is a multiple of.

In closed form, by Stein's identity T_1 = i alpha T_0 + s E[e^(i alpha z) f'] and, with q = s^2 + tau^2,

    G = E[e^(i alpha z) Phi(u/tau)] = e^(-alpha^2/2) Phi((b + i s alpha)/sqrt q),         g = dG/db,

for the step and relu (tau = 0), erf (tau^2 = 1/2) and gelu (tau = 1); sin, cos and the identity are elementary.
Softplus, sigmoid and tanh have poles at Im u = pi (tanh: pi/2): the trapezoidal rule in z on the line
Im z = eta, just below the nearest pole, where the integrand does not cancel:

    T_0 = e^(-alpha eta + eta^2/2) E_z[e^(i (alpha - eta) z) f(s (z + i eta) + b)].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ....core.activations import ACTIVATIONS
from ....core.arguments import Array
from .complex_activations import ANALYTIC, Complex

MAX_NODES = 2**15
_TILE = 2**17
_WIDTH = 9.0
"""Half width in z: the normal density beyond is below 3e-18 of its peak."""


@dataclass(frozen=True)
class Transform:
    """e^scale (T_0, T_1), with the size of the terms that each was summed from: rounding is eps times that."""

    scale: Array
    zeroth: Complex
    first: Complex
    zeroth_size: Array
    first_size: Array


@dataclass(frozen=True)
class GaussianUnit:
    """f(s z + b): an activation or its derivative behind a Gaussian projection of standard deviation s.

    Attributes
    ----------
    function : str
        Name of the activation.
    derivative : bool
        Whether f is its derivative.
    slope, bias : float
        s >= 0 and b.
    """

    function: str
    derivative: bool
    slope: float
    bias: float

    def transform(self, alpha: Array, fineness: float = 1.0) -> Transform:
        """Return the transforms at frequencies alpha >= 0, shape (n,). `fineness` divides the step of a quadrature."""
        if self.slope == 0 or (self.function == "identity" and self.derivative):
            value, slope = (float(part[0]) for part in ACTIVATIONS[self.function](np.array([self.bias])))
            return _affine(alpha, 0.0, slope if self.derivative else value)
        if self.function == "identity":
            return _affine(alpha, self.slope, self.bias)
        if self.function in ("sin", "cos"):
            return _oscillating(alpha, self.slope, self.bias, _PHASES[self.function, self.derivative])
        if self.function in _WITH_POLES:
            return self._quadrature(alpha, fineness)
        return _SMOOTHED[self.function](alpha, self.slope, self.bias, self.derivative)

    @property
    def is_affine(self) -> bool:
        """Whether f(s z + b) is affine in z."""
        return self.function == "identity" or self.slope == 0

    @property
    def parity(self) -> str:
        """The symmetry of f(s z + b) in z: "odd", "even", "odd but for a constant", or "none" of these."""
        if self.slope == 0 or (self.function == "identity" and self.derivative):
            return "even"
        if self.bias != 0:
            return "none"
        return _PARITIES[self.function][self.derivative]

    @property
    def is_quadrature(self) -> bool:
        """Whether the transform is not in closed form."""
        return self.function in _WITH_POLES and self.slope != 0

    def nodes(self, top: float, fineness: float = 1.0) -> tuple[int, float, float]:
        """Return the number of nodes on either side of 0, the step and the largest eta, for alpha <= top."""
        pole = _WITH_POLES[self.function] / self.slope
        # e^(alpha gap) is what is lost to cancellation, four digits at the highest frequency.
        gap = min(0.4 * pole, 8.0 / max(top, 1.0))
        # Aliases of frequency 2 pi/h - alpha must be below rounding, measured against e^(-alpha eta).
        frequency = 37.0 / min(gap, 4.0) + 2.0 * top + 10.0
        step = 2 * math.pi / frequency / fineness
        return math.ceil(_WIDTH / step), step, pole - gap

    def _quadrature(self, alpha: Array, fineness: float) -> Transform:
        count, step, most = self.nodes(float(alpha.max(initial=0.0)), fineness)
        eta = np.minimum(alpha, most)
        z = step * np.arange(-count, count + 1)
        density = np.exp(-0.5 * z * z) * (step / math.sqrt(2 * math.pi))
        moments = np.empty((2, alpha.size), dtype=np.complex128)
        sizes = np.empty((2, alpha.size))
        rows = max(1, _TILE // z.size)
        for start in range(0, alpha.size, rows):
            part = slice(start, start + rows)
            line = z[None, :] + 1j * eta[part, None]
            values = ANALYTIC[self.function, self.derivative](self.slope * line + self.bias)
            values *= density
            values *= np.exp(1j * ((alpha - eta)[part, None] * z))
            size = np.abs(values)
            moments[0, part], sizes[0, part] = values.sum(axis=1), size.sum(axis=1)
            moments[1, part], sizes[1, part] = (values * line).sum(axis=1), (size * np.abs(line)).sum(axis=1)
        return Transform(-alpha * eta + 0.5 * eta * eta, moments[0], moments[1], sizes[0], sizes[1])


def _complex(values: npt.NDArray[np.complexfloating]) -> Complex:
    """The values with the type that NumPy's arithmetic with complex scalars has."""
    return np.asarray(values, dtype=np.complex128)


def _by_stein(
    scale: Array, alpha: Array, s: float, value: Complex, slope: Complex, value_size: Array, slope_size: Array
) -> Transform:
    """T_0 = E[e^(i alpha z) f] and T_1 = i alpha T_0 + s E[e^(i alpha z) f'] from the two expectations."""
    first = _complex(1j * alpha * value + s * slope)
    return Transform(scale, value, first, value_size, alpha * value_size + s * slope_size)


def _affine(alpha: Array, s: float, b: float) -> Transform:
    """F = s z + b."""
    value, one = _complex(b + 1j * s * alpha), np.ones_like(alpha)
    return _by_stein(-0.5 * alpha**2, alpha, s, value, _complex(one + 0j), np.abs(value), one)


def _oscillating(alpha: Array, s: float, b: float, phase: complex) -> Transform:
    """F = Re(phase e^(iu)): e^(-(alpha - s)^2/2) times cosh and sinh of alpha s over e^(alpha s)."""
    turned = phase * complex(math.cos(b), math.sin(b))
    even, odd = 0.5 * (1.0 + np.exp(-2.0 * alpha * s)), -0.5 * np.expm1(-2.0 * alpha * s)
    # f = Re(turned) cos(sz) - Im(turned) sin(sz)
    c, d = turned.real, -turned.imag
    zeroth = _complex(c * even + 1j * (d * odd))
    first = _complex(1j * (c * (alpha * even - s * odd)) + d * (s * even - alpha * odd))
    return Transform(
        -0.5 * (alpha - s) ** 2,
        zeroth,
        first,
        abs(c) * even + abs(d) * odd,
        (alpha + s) * (abs(c) + abs(d)),
    )


@dataclass(frozen=True)
class _Steps:
    """G, g, its derivative g' in b, and (b + i s alpha), all over e^scale."""

    scale: Array
    cumulative: Complex
    density: Complex
    slope: Complex
    point: Complex
    cumulative_size: Array


def _steps(alpha: Array, s: float, b: float, tau_sq: float) -> _Steps:
    q = s * s + tau_sq
    point = _complex(b + 1j * s * alpha)
    root = math.sqrt(2 * q)
    zeta = point / root
    level = -0.5 * alpha**2 * (tau_sq / q) - 0.5 * (b / math.sqrt(q)) ** 2
    turn = np.exp(-1j * (b * s / q) * alpha)
    if b <= 0:
        scale = level
        cumulative = 0.5 * turn * special.wofz(-1j * zeta)
        size, shrink = np.abs(cumulative), np.ones_like(alpha)
    else:
        scale = np.maximum(level, -0.5 * alpha**2)
        shrink = np.exp(level - scale)
        whole, part = np.exp(-0.5 * alpha**2 - scale), 0.5 * shrink * turn * special.wofz(1j * zeta)
        cumulative, size = whole - part, whole + np.abs(part)
    # A phase is known to eps times itself.
    size = size * (1.0 + abs(b * s / q) * alpha / 8)
    density = shrink * turn / math.sqrt(2 * math.pi * q)
    return _Steps(scale, cumulative, density, -point / q * density, point, size)


def _ramp(at: _Steps, s: float) -> tuple[Complex, Array]:
    """(b + i s alpha) G + s^2 g, and its size."""
    value = at.point * at.cumulative + s * s * at.density
    return value, np.abs(at.point) * at.cumulative_size + s * s * np.abs(at.density)


def _relu(alpha: Array, s: float, b: float, derivative: bool) -> Transform:
    """f = u 1(u > 0): E f = (b + i s alpha) G + s^2 g, E f' = G, E f'' = g."""
    at = _steps(alpha, s, b, 0.0)
    if derivative:
        return _by_stein(at.scale, alpha, s, at.cumulative, at.density, at.cumulative_size, np.abs(at.density))
    value, size = _ramp(at, s)
    return _by_stein(at.scale, alpha, s, value, at.cumulative, size, at.cumulative_size)


def _gelu(alpha: Array, s: float, b: float, derivative: bool) -> Transform:
    """f = u Phi(u): E f = (b + i s alpha) G + s^2 g, E f' = G - g', E f'' = (1 + 1/q) g + (b + i s alpha) g'/q."""
    at, q = _steps(alpha, s, b, 1.0), 1.0 + s * s
    slope, slope_size = at.cumulative - at.slope, at.cumulative_size + np.abs(at.slope)
    if not derivative:
        value, value_size = _ramp(at, s)
        return _by_stein(at.scale, alpha, s, value, slope, value_size, slope_size)
    parts = at.density * (1.0 + 1.0 / q), at.point / q * at.slope
    curvature, size = parts[0] + parts[1], np.abs(parts[0]) + np.abs(parts[1])
    return _by_stein(at.scale, alpha, s, slope, curvature, slope_size, size)


def _erf(alpha: Array, s: float, b: float, derivative: bool) -> Transform:
    """f = 2 Phi(2^(1/2) u) - 1: E f = 2 G - e^(-alpha^2/2), E f' = 2 g, E f'' = 2 g'."""
    at = _steps(alpha, s, b, 0.5)
    slope = 2.0 * at.density
    if derivative:
        return _by_stein(at.scale, alpha, s, slope, 2.0 * at.slope, np.abs(slope), np.abs(2.0 * at.slope))
    whole = np.exp(-0.5 * alpha**2 - at.scale)
    value = 2.0 * at.cumulative - whole
    small = np.abs(at.point) < 0.5 * math.sqrt(s * s + 0.5)
    # erf itself where it is small: no cancellation.
    value[small] = whole[small] * special.erf(at.point[small] / math.sqrt(1.0 + 2.0 * s * s))
    value_size = np.where(small, np.abs(value), 2.0 * at.cumulative_size + whole)
    return _by_stein(at.scale, alpha, s, value, slope, value_size, np.abs(slope))


_SMOOTHED: dict[str, Callable[[Array, float, float, bool], Transform]] = {"relu": _relu, "erf": _erf, "gelu": _gelu}
_PHASES: dict[tuple[str, bool], complex] = {
    ("cos", False): 1.0,
    ("cos", True): 1j,  # -sin u = Re(i e^(iu))
    ("sin", False): -1j,
    ("sin", True): 1.0,
}
_SHIFTED = "odd but for a constant"
_PARITIES = {
    "tanh": ("odd", "even"),
    "erf": ("odd", "even"),
    "sin": ("odd", "even"),
    "identity": ("odd", "even"),
    "cos": ("even", "odd"),
    "sigmoid": (_SHIFTED, "even"),
    "softplus": ("none", _SHIFTED),
    "gelu": ("none", _SHIFTED),
    "relu": ("none", _SHIFTED),
}
"""Of the activation and of its derivative, at zero bias."""
_WITH_POLES = {"tanh": math.pi / 2, "sigmoid": math.pi, "softplus": math.pi}
