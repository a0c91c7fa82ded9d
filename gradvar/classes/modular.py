"""Modular targets: waves of a multiple modulo a prime, and the lowest bit of a quotient (discrete logarithm)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import SupportsIndex

import numpy as np

from ..core.arguments import Array
from ..core.errors import NonFiniteError
from .formulas.cyclic_orbits import CyclicOrbit
from .formulas.waves import as_wave, wave_values
from .inputs.cyclic import CyclicGroup


class ModularMultiples(CyclicOrbit):
    r"""The functions h_a(x) = psi((a x mod p)/p), a in Z_p^*, x uniform on Z_p^* or on Z_p, p prime.

    For the cosine, h_a(x) = sqrt(2) cos(2 pi a x/p), E h_a h_b is (p [a = +-b] - 2)/(p - 1) on the units and
    [a = +-b] on all residues, so that for p >= 5 the largest eigenvalue of the Gram matrix is 2p/(p - 1) on the
    units, 2 on all residues, centred or not: Var <= 2p/(p - 1)^2 E||s||^2 on the units.

    Parameters
    ----------
    p : int
        A prime, at most 2^24; p = 2 is a class of one member.
    wave : str or callable
        The name of a wave: "cosine", "triangle" or "sawtooth", shifted and scaled so that psi(j/p) has mean 0 and
        variance 1 over j in Z_p (the cosine becomes sqrt(2) cos 2 pi u); "square", the sign of cos 2 pi u, which
        keeps its labels -1 and +1. Or a function u -> psi(u) on arrays of phases in [0, 1), taken as it is: Theorem 1
        assumes E h^2 <= 1.
    units : bool
        Whether x is in {1, ..., p - 1}, the default, or in {0, ..., p - 1}. The members are the same.
    encoding : {"bits", "bits-msb-first", "integer", "one-hot"}
        What a model sees of x, as in `CyclicGroup`: "bits" has the least significant first.

    Raises
    ------
    ValueError, TypeError, ShapeError, NonFiniteError, TooLargeError
        A composite or too large p, an unknown wave, a function that does not return one finite number a phase.

    Examples
    --------
    >>> H = ModularMultiples(101)
    >>> round(H.size * H.operator_norm(), 12), 2 * 101 / 100
    (2.02, 2.02)
    >>> H = ModularMultiples(7, wave=lambda u: 7 * u, encoding="integer")
    >>> H.evaluate([1, 3], [[1], [2], [3]])
    array([[1., 2., 3.],
           [3., 6., 2.]])
    """

    def __init__(
        self,
        p: SupportsIndex,
        wave: str | Callable[[Array], Array] = "cosine",
        units: bool = True,
        encoding: str = "bits",
    ) -> None:
        self.wave = wave
        super().__init__(CyclicGroup(p, units, encoding), partial(_values, wave), inverse=False)

    def __repr__(self) -> str:
        wave = "" if self.wave == "cosine" else f", wave={self._wave_name}"
        units = "" if self.inputs.units else ", units=False"
        encoding = "" if self.inputs.encoding == "bits" else f", encoding={self.inputs.encoding!r}"
        return f"ModularMultiples(p={self.p}{wave}{units}{encoding})"

    @property
    def _key(self) -> tuple[object, ...]:
        return self.inputs, self.wave

    @property
    def description(self) -> str:
        """The class in words."""
        psi = "sqrt(2) cos(2 pi a x/p)" if self.wave == "cosine" else f"psi(a x mod p / p), psi = {self._wave_name}"
        return f"the {self.size:,} functions {psi}, a in Z_p^*, p = {self.p:,}"

    @property
    def _wave_name(self) -> str:
        return repr(self.wave) if isinstance(self.wave, str) else getattr(self.wave, "__name__", repr(self.wave))


class DiscreteLog(CyclicOrbit):
    r"""The functions h_a(x) = (-1)^(a^-1 x mod p), a in Z_p^*, x uniform on Z_p^*, p prime (arXiv 2310.01611).

    The lowest bit of x/a, as in the hard-core bit of the discrete logarithm. h_{p-a} = -h_a, so that for odd p the
    class mean is 0, and centred and uncentred norms are the same. The largest eigenvalue of the Gram matrix grows
    slowly with p (5.10 at p = 101, 8.64 at 1009, 9.79 at 10 007): the class is not orthonormal, but
    Var <= lambda_max/(p - 1) E||s||^2. The published script of that paper writes the most significant bit of x first:
    `encoding="bits-msb-first"`.

    Parameters
    ----------
    p : int
        A prime, at most 2^24; p = 2 is a class of one member.
    encoding : {"bits", "bits-msb-first", "integer", "one-hot"}
        What a model sees of x, as in `CyclicGroup`: "bits" has the least significant first.

    Raises
    ------
    ValueError, TypeError, TooLargeError
        A composite or too large p, another encoding.

    Examples
    --------
    >>> H = DiscreteLog(101)
    >>> round(float(H.gram_eigenvalues().max()), 6), round(H.operator_norm(), 8)
    (5.096638, 0.05096638)
    >>> DiscreteLog(7, encoding="integer").evaluate([1, 3], [[1], [2], [4]])  # 1/3 = 5 modulo 7
    array([[-1.,  1.,  1.],
           [-1., -1.,  1.]])
    """

    def __init__(self, p: SupportsIndex, encoding: str = "bits") -> None:
        super().__init__(CyclicGroup(p, encoding=encoding), _signs_of_parity, inverse=True)

    def __repr__(self) -> str:
        encoding = "" if self.inputs.encoding == "bits" else f", encoding={self.inputs.encoding!r}"
        return f"DiscreteLog(p={self.p}{encoding})"

    @property
    def _key(self) -> tuple[object, ...]:
        return (self.inputs,)

    @property
    def description(self) -> str:
        """The class in words."""
        return f"the {self.size:,} functions (-1)^(a^-1 x mod p), a in Z_p^*, p = {self.p:,}"


def _signs_of_parity(p: int) -> Array:
    """(-1)^j for j = 0..p-1."""
    return np.where(np.arange(p) % 2 == 1, -1.0, 1.0)


def _values(wave: str | Callable[[Array], Array], p: int) -> Array:
    """psi(j/p) for j = 0..p-1."""
    phases = np.arange(p) / p
    if not callable(wave):
        named = as_wave(wave)
        values = named(phases)
        return values if named.labels == "signs" else _standardised(values)
    values = wave_values(wave, phases)
    if not np.isfinite(values).all():
        j = int(np.argmin(np.isfinite(values)))
        raise NonFiniteError(f"`wave` must be finite, got {values[j]} at the phase {j}/{p}")
    return values


def _standardised(values: Array) -> Array:
    values = values - values.mean()
    return np.asarray(values / np.sqrt(np.mean(values**2)))
