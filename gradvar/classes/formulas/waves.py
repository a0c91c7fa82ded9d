r"""Waves: real functions of period 1, and their harmonics

psi(u) = a_0 + sum_{n >= 1} (a_n cos 2 pi n u + b_n sin 2 pi n u).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, real
from ...core.errors import NonFiniteError, ShapeError

MAX_HARMONICS = 4096
"""The most harmonics that are ever used."""
_SAMPLES = 2**15


def _cosine(u: Array) -> Array:
    return np.cos(2 * math.pi * u)


def _square(u: Array) -> Array:
    # cos(2 pi u) >= 0; the distance to the nearest integer is exact, the cosine would not be at the jumps.
    return np.where(np.abs(u - np.round(u)) <= 0.25, 1.0, -1.0)


def _triangle(u: Array) -> Array:
    return 1.0 - 4.0 * np.abs(u - np.round(u))


def _sawtooth(u: Array) -> Array:
    return 2.0 * (u - np.floor(u)) - 1.0


@dataclass(frozen=True)
class Wave:
    """A function of period 1.

    Attributes
    ----------
    name : str
        For reports.
    function : callable
        psi, on arrays of phases u.
    labels : {"signs", "real"}
        Whether its values are -1 and +1 only.
    """

    name: str
    function: Callable[[Array], Array]
    labels: str = "real"

    def __call__(self, u: Array) -> Array:
        """Return psi(u)."""
        return np.asarray(self.function(u), dtype=np.float64)

    @cached_property
    def constant(self) -> float:
        """a_0."""
        return 0.0 if self.name in _SERIES else float(self._spectrum[0].real)

    @cached_property
    def coefficients(self) -> tuple[Array, Array]:
        """(a_n, b_n) for n = 1..MAX_HARMONICS.

        In closed form for the named waves; otherwise from a Fourier transform of 2^15 samples, exact up to rounding
        for a wave whose harmonics end there, up to about 2^-15 of its jumps otherwise.
        """
        if self.name in _SERIES:
            n = np.arange(1, MAX_HARMONICS + 1, dtype=np.float64)
            cosines, sines, _ = _SERIES[self.name]
            return cosines(n), sines(n)
        spectrum = 2 * self._spectrum[1 : MAX_HARMONICS + 1]
        # What is below the rounding of the transform is not there.
        floor = 64 * np.finfo(np.float64).eps * math.sqrt(float(np.mean(self._values**2)))
        real, imaginary = (np.where(np.abs(part) > floor, part, 0.0) for part in (spectrum.real, -spectrum.imag))
        return real, imaginary

    @cached_property
    def tails(self) -> Array:
        """sum_{m > n} (a_m^2 + b_m^2) for n = 0..MAX_HARMONICS."""
        a, b = self.coefficients
        if self.name in _SERIES:
            rest = _SERIES[self.name][2]
        else:
            rest = float(np.sum(np.abs(2 * self._spectrum[MAX_HARMONICS + 1 :]) ** 2))
            rest = rest if rest > 1e-28 * float(np.mean(self._values**2)) else 0.0
        powers = np.concatenate([a**2 + b**2, [rest]])
        return np.cumsum(powers[::-1])[::-1]

    @property
    def is_even(self) -> bool:
        """Whether psi(-u) = psi(u)."""
        return not self.coefficients[1].any()

    @property
    def is_constant(self) -> bool:
        """Whether it has no harmonics."""
        return bool(self.tails[0] == 0)

    @cached_property
    def _values(self) -> Array:
        # Midpoints: no sample falls on a jump at a multiple of a power of 1/2.
        return self((np.arange(_SAMPLES) + 0.5) / _SAMPLES)

    @cached_property
    def _spectrum(self) -> npt.NDArray[np.complex128]:
        """Coefficients of e^{2 pi i n u}, n = 0..2^14 - 1."""
        n = np.arange(_SAMPLES // 2)
        shift = np.exp(-1j * math.pi * n / _SAMPLES)
        return np.asarray(np.fft.rfft(self._values)[: n.size] * shift / _SAMPLES)


_SERIES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array], float]] = {
    "cosine": (lambda n: (n == 1).astype(np.float64), np.zeros_like, 0.0),
    # sum over odd m > N of (4/(pi m))^2 <= 8/pi^2 / (N - 1)
    "square": (
        lambda n: 4 / (math.pi * n) * np.array([0.0, 1.0, 0.0, -1.0])[n.astype(np.int64) % 4],
        np.zeros_like,
        8 / math.pi**2 / (MAX_HARMONICS - 1),
    ),
    # sum over odd m > N of (8/(pi m)^2)^2 <= 32/(3 pi^4) / (N - 1)^3
    "triangle": (
        lambda n: 8 / (math.pi * n) ** 2 * (n % 2),
        np.zeros_like,
        32 / (3 * math.pi**4) / (MAX_HARMONICS - 1.0) ** 3,
    ),
    "sawtooth": (np.zeros_like, lambda n: -2 / (math.pi * n), 4 / math.pi**2 / MAX_HARMONICS),
}
"""a_n and b_n of the named waves, and a bound on the sum over m > MAX_HARMONICS of a_m^2 + b_m^2."""
_NAMED = {
    "cosine": Wave("cosine", _cosine),
    "square": Wave("square", _square, labels="signs"),
    "triangle": Wave("triangle", _triangle),
    "sawtooth": Wave("sawtooth", _sawtooth),
}


def as_wave(wave: str | Callable[[Array], Array]) -> Wave:
    """Return the wave with this name, or the wave that a callable of period 1 is."""
    if isinstance(wave, str):
        if wave not in _NAMED:
            names = ", ".join(repr(name) for name in _NAMED)
            raise ValueError(f"`wave` must be one of {names}, or a function of period 1, got {wave!r}")
        return _NAMED[wave]
    if not callable(wave):
        raise TypeError(f"`wave` must be a name or a function u -> psi(u) of period 1, got {wave!r}")
    # Odd multiples of an irrational number: no special points.
    u = np.mod(np.arange(1, 65) * 0.6180339887498949, 1.0)
    given = [wave_values(wave, u + shift) for shift in (0.0, 1.0, -2.0)]
    if not np.isfinite(given).all():
        raise NonFiniteError("`wave` must be finite")
    size = float(np.abs(given[0]).max())
    for values in given[1:]:
        # Phases move by an ulp of 3 when shifted; a phase at a jump may fall on its other side.
        if np.count_nonzero(np.abs(values - given[0]) > 1e-9 * size) > 2:
            worst = int(np.argmax(np.abs(values - given[0])))
            raise ValueError(
                f"`wave` must have period 1: psi({u[worst]:.6g}) = {given[0][worst]:.6g}, "
                f"but {values[worst]:.6g} at a phase that differs by an integer"
            )
    return Wave(getattr(wave, "__name__", repr(wave)) + "()", wave)


def wave_values(wave: Callable[[Array], Array], phases: Array) -> Array:
    """Return a user's psi(u), made sure to be one number for each of these phases."""
    values = np.array(real("wave(u)", wave(phases), str(phases.shape)))
    if values.shape != phases.shape:
        raise ShapeError(f"`wave` must return shape {phases.shape} for phases of that shape, got {values.shape}")
    return values
