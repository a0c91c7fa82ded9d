r"""Classes that are one orbit of the group Z_p^*: h_c(x) = u(c x mod p), u any function of the residues.

Z_p^* is cyclic. With a primitive root r, x = r^t and c = r^s, phi(t) = u(r^t mod p) has period n = p - 1 and

    h_c(x) = phi(s + t),

so that everything there is to know is a correlation of period n: with R(tau) = 1/n sum_t phi(t) phi(t + tau), x
uniform on the units has

    Gram = R(s - s'),      C_H(x, x') = R(t - t') - m^2,      class mean m = 1/n sum_t phi(t),

and the eigenvalues of Gram are |phi^(k)|^2/n on the characters k = 0..n-1 of the group, phi^ the discrete Fourier
transform of phi. Projections are correlations with phi. k = 0 is the constant character, which is what centring
removes. With 0 among the inputs, where every member has the value u(0), Gram is (n R(s - s') + u(0)^2)/p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike, functions_of, generator, integer
from ...core.errors import TooLargeError
from ...core.primes import primitive_root
from ..gram.matrix import Gram, KnownByGram
from ..inputs.cyclic import CyclicGroup, Residues
from ..members.checks import number_rows
from ..members.target_class import TargetClass

_EPS = float(np.finfo(np.float64).eps)
_MOST_POINTS = 2**24
_MOST_IN_GRAM = 2**12


class CyclicOrbit(KnownByGram, TargetClass):
    """The functions x -> values[c x mod p], one for each c = c(a), a in Z_p^*: one orbit of the group.

    Parameters
    ----------
    inputs : CyclicGroup
        x uniform on the units or on all residues.
    values : callable
        Returns u(0), ..., u(p - 1) for p, shape (p,).
    inverse : bool
        Whether member a multiplies by c = a^-1 instead of c = a.
    """

    _described_by_numbers = True

    def __init__(self, inputs: CyclicGroup, values: Callable[[int], Array], inverse: bool) -> None:
        self.p = p = inputs.p
        if p > _MOST_POINTS:
            raise TooLargeError(
                f"`p` must be at most 2^24 = {_MOST_POINTS:,}: tables of its residues are kept, got {p:,}"
            )
        self.inputs: CyclicGroup = inputs
        self.size: int = p - 1
        self.values = values(p)
        self.values.setflags(write=False)
        self.inverse = inverse
        self.labels = "signs" if (np.abs(self.values[inputs.first :]) == 1).all() else "real"
        self.label_evidence = ("checked", "every value of every target is -1 or +1")

    @cached_property
    def gram_matrix(self) -> OrbitGram:
        """The Gram matrix, by its first row and its eigenvalues."""
        return OrbitGram(self)

    def members(self) -> Residues:
        """Return the numbers a of all members, 1, ..., p - 1, shape (p - 1,)."""
        return np.arange(1, self.p)

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Residues:
        """Return the numbers a of m members drawn independently, shape (m,)."""
        return generator(rng).integers(1, self.p, size=integer("m", m, 0))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values of members a (m,) at encoded inputs x (n, dim), shape (m, n). Costs m n."""
        factors = self._powers[self._logs_of_members(members)]
        return np.asarray(self.values[factors[:, None] * self.inputs.decode(x) % self.p])

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean, shape (n,): the same at every unit; at x = 0 the value of every member there."""
        return np.where(self.inputs.decode(x) == 0, self.values[0], self._mean)

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x'), shape (n, n2), a function of x'/x mod p alone; 0 at x = 0, where members agree.

        Exact up to rounding; a table look-up for each pair.
        """
        residues, residues2 = self.inputs.decode(x), self.inputs.decode(x2)
        covariance = _look_up(self._covariances, self._logs[residues], self._logs[residues2])
        if not self.inputs.units:
            covariance[residues == 0] = 0.0
            covariance[:, residues2 == 0] = 0.0
        return covariance

    def project(self, f: npt.ArrayLike) -> Array:
        """Return E_x[h(x) f(x)] for every member, by a correlation over the group.

        Parameters
        ----------
        f : array_like, shape (n_points, q)
            Values of q functions at the points of `inputs`, in their order.

        Returns
        -------
        ndarray, shape (p - 1, q)
            Rows in the order of `members()`. Exact up to rounding; costs q p log p.
        """
        from scipy import fft

        points, first = self.inputs.n_points, self.inputs.first
        values = functions_of(f, points, repr(self))
        # E_x[h_c f] = 1/n_points sum_t phi(s + t) f(r^t), s = log_r c: a correlation, for all s by Fourier transforms.
        length, ahead, sign = self._ahead
        by_power = values[self._powers - first]
        if sign:
            # phi(t + n/2) = +-phi(t): half of the shifts have the other half
            half = self.size // 2
            by_power = by_power[:half] + sign * by_power[half:]
        transform = fft.rfft(by_power, length, axis=0, overwrite_x=True)
        np.conjugate(transform, out=transform)
        transform *= (ahead / points)[:, None]
        by_log = fft.irfft(transform, length, axis=0, overwrite_x=True)
        if sign:
            by_log = np.concatenate([by_log[:half], sign * by_log[:half]])
        projections = by_log[self._logs_of_members(self.members())]
        if not self.inputs.units:
            projections += self.values[0] / points * values[0]
        return np.asarray(projections)

    def gram_eigenvalues(self) -> Array:
        """Return the eigenvalues of the Gram matrix E_x[h h'], shape (p - 1,).

        Number k belongs to the character a -> e^{2 pi i k log_r a/(p - 1)}, r the smallest primitive root: number 0
        to the constant vector. Those of the centred matrix J Gram J are the same with 0 in the place of number 0.

        Exact up to rounding; costs p log p.
        """
        n = self.size
        # |phi^(k)|^2/n_points on the character k, and what Gram has along the constant vector at k = 0.
        half = np.square(np.abs(self._transform)) / self.inputs.n_points
        characters = np.arange(n)
        eigenvalues = half[np.minimum(characters, n - characters)]
        eigenvalues[0] = n * self._inner_product_of_constants
        return np.asarray(eigenvalues)

    def inner_products(self, members: npt.ArrayLike, members2: npt.ArrayLike) -> Array:
        """Return E_x[h(x) h'(x)] for members a (m,) and a' (m2,), shape (m, m2).

        A function of a'/a mod p alone. Exact up to rounding; a table look-up for each pair.
        """
        logs, logs2 = self._logs_of_members(members), self._logs_of_members(members2)
        return _look_up(self._inner_products, logs, logs2)

    def gram_row(self) -> Array:
        """Return E_x[h_1(x) h_a(x)] for a = 1, ..., p - 1, shape (p - 1,).

        Every row of the Gram matrix is a permutation of this one. Exact up to rounding; costs p log p.
        """
        return np.asarray(self._inner_products[self._logs[1:]])

    @cached_property
    def _powers(self) -> Residues:
        """r^t mod p for t = 0..n-1, by doubling."""
        r, n = primitive_root(self.p), self.size
        powers = np.ones(n, dtype=np.int64)
        known = 1
        while known < n:
            new = powers[known : 2 * known]
            new[:] = powers[: new.size] * pow(r, known, self.p) % self.p
            known += new.size
        return powers

    @cached_property
    def _logs(self) -> Residues:
        """log_r x for x = 1..p-1; 0 stands in the place of the logarithm that 0 has not."""
        logs = np.zeros(self.p, dtype=np.int64)
        logs[self._powers] = np.arange(self.size)
        return logs

    def _logs_of_members(self, members: npt.ArrayLike) -> Residues:
        """log_r c for members a, made sure to be members; c = a or a^-1."""
        logs = self._logs[number_rows(members, "integers a", 1, self.p - 1)]
        return np.asarray(-logs % self.size if self.inverse else logs)

    @cached_property
    def _transform(self) -> npt.NDArray[np.complex128]:
        """phi^(k) for k = 0..n/2."""
        from scipy import fft

        transform = fft.rfft(self.values[self._powers])
        transform[0] = self.size * self._mean
        return np.asarray(transform)

    @cached_property
    def _ahead(self) -> tuple[int, npt.NDArray[np.complex128], int]:
        """A length without large prime factors, a transform of phi of that length, and s with u(-y) = s u(y), or 0.

        A transform of n itself takes four times as long where n has a large factor, as p - 1 = 2 * 16 001 has: there
        it is that of phi(t) at t = 0..2n-2 followed by zeros. Since r^(n/2) = -1, phi(t + n/2) = s phi(t), and
        t = 0..n-2 are enough where u is even or odd.
        """
        from scipy import fft

        n, units = self.size, self.values[1:]
        sign = next((s for s in (1, -1) if n > 1 and np.array_equal(units[::-1], s * units)), 0)
        if not sign and fft.next_fast_len(n, real=True) == n:
            return n, self._transform, 0
        period = n // 2 if sign else n
        length: int = fft.next_fast_len(2 * period - 1, real=True)
        phi = self.values[self._powers]
        return length, np.asarray(fft.rfft(np.concatenate([phi, phi])[: 2 * period - 1], length)), sign

    @cached_property
    def _mean(self) -> float:
        """The class mean at the units."""
        return math.fsum(self.values[1:]) / self.size

    @property
    def _inner_product_of_constants(self) -> float:
        """The mean over h' of E h h': what Gram has along the constant vector, over |H|."""
        at_zero = 0.0 if self.inputs.units else float(self.values[0]) ** 2
        return (self.size * self._mean**2 + at_zero) / self.inputs.n_points

    @cached_property
    def _covariances(self) -> Array:
        """R(tau) - m^2 for tau = 0..n-1: symmetric, as R(n - tau) = R(tau)."""
        from scipy import fft

        power = np.square(np.abs(self._transform)) / self.size
        power[0] = 0.0
        return np.asarray(fft.irfft(power, self.size))

    @cached_property
    def _inner_products(self) -> Array:
        """Gram as a function of log c - log c' = 0..n-1."""
        return self.size / self.inputs.n_points * self._covariances + self._inner_product_of_constants


class OrbitGram(Gram):
    """The Gram matrix of an orbit: every row is a permutation of the first; its eigenvalues are a Fourier transform."""

    def __init__(self, orbit: CyclicOrbit) -> None:
        members = orbit.members()
        super().__init__(orbit.size, partial(orbit.inner_products, members, members))
        self._row = orbit.gram_row()
        self._eigenvalues = orbit.gram_eigenvalues()
        # 16 log2(2n) eps (lambda_max E h^2)^1/2: a transform of n numbers errs by O(eps log n) of its largest entry,
        # (n lambda_max)^1/2, and the row, the transform back of its squared modulus, by that times the norm
        # (n E h^2)^1/2 of phi, over n.
        size = math.sqrt(float(self._eigenvalues.max()) * float(self._row[0]))
        self.rounding = 16 * math.log2(2 * self.size) * _EPS * size

    @property
    def matrix(self) -> Array:
        """E_x[h h'], shape (p - 1, p - 1); `TooLargeError` beyond 4096 members."""
        if self.size > _MOST_IN_GRAM:
            raise TooLargeError(
                f"the Gram matrix of {self.size:,} members needs {8 * self.size**2 / 2**30:.2g} GiB; "
                "see gram_row() and gram_eigenvalues()"
            )
        return super().matrix

    def rows(self) -> Array:
        """Return the first row."""
        return self._row[None]

    def norm(self, centred: bool) -> float:
        """Return the largest eigenvalue over |H|; centring removes that of the constant character, number 0."""
        return float(self._eigenvalues[1 if centred else 0 :].max(initial=0.0)) / self.size

    @property
    def _evidence(self) -> str:
        return f"Gram matrix of all {self.size:,} members, each row a permutation of the first"

    def _described(self, largest_off: float, most: float) -> str:
        if self.size == 1:
            return f"Gram matrix of the only member: E h^2 = {most:.6g}"
        other = int(np.argmax(np.abs(self._row[1:]))) + 2
        return (
            f"Gram matrix of all {self.size:,} members: E h^2 = {most:.6g}, max |E h h'| = {largest_off:.6g} "
            f"(members a = 1 and {other})"
        )


def _look_up(table: Array, logs: Residues, logs2: Residues) -> Array:
    """table[log - log2 mod n] of a symmetric table, shape (m, m2)."""
    return np.asarray(table[np.abs(np.subtract.outer(logs, logs2))])
