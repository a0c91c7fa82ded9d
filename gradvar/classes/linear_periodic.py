"""Linear-periodic targets: periodic functions of a projection whose direction is unknown."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import cached_property
from typing import SupportsFloat, SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, generator, inputs_of, integer, positive
from ..core.errors import NotApplicableError
from ..core.numbers import exp2
from .formulas.sphere import SphereTransform, log_zonal
from .formulas.waves import MAX_HARMONICS, Wave, as_wave
from .inputs import Gaussian
from .members.checks import vector_rows
from .members.target_class import TargetClass

_COVARIANCE_HARMONICS = 64
_NORM_DEGREES = 60
_COVARIANCE_REMAINDER = 1e-9
"""Share of the operator norm that a covariance may leave out."""
_NORM_TERMS = 200_000


class LinearPeriodic(TargetClass):
    r"""The functions h_v(x) = psi(<v, x> / 2 pi), v uniform on the sphere of radius rho in R^dim, x ~ N(0, I).

    psi has period 1; the default, psi(u) = cos 2 pi u, is h_v(x) = cos<v, x> (section 2 of arXiv 1703.07950,
    Theorem 2; in Shamir's notation, arXiv 1609.01037, h(x) = psi(<w, x>) with |w| = rho / 2 pi).

    With J the characteristic function of the unit sphere (`gradvar.classes.sphere`), the cosine class has

        C_H(x, x') = (J(rho |x - x'|) + J(rho |x + x'|))/2 - J(rho |x|) J(rho |x'|),    mean J(rho |x|),

    and the Gram kernel e^{-rho^2} cosh(rho^2 cos angle(v, v')), whose eigenvalues on the spherical harmonics of
    even degree l are lambda_l = e^{-rho^2} Gamma(d/2) (2/rho^2)^nu I_{nu+l}(rho^2), nu = d/2 - 1, and 0 for odd l.
    The mean is l = 0, so that the operator norm is lambda_2, and lambda_0 uncentred. For another wave, with
    harmonics a_n cos(n <v,x>) + b_n sin(n <v,x>), even l takes sum_{n,m} a_n a_m e^{-rho^2 (n-m)^2/2} K_l(rho^2 n m)
    and odd l the same sum of b_n b_m.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.
    radius : float
        rho > 0, the norm of v: the number of periods that a typical input spans, times 2 pi.
    wave : str or callable
        "cosine"; "square", the sign of cos 2 pi u (labels -1, +1); "triangle", 1 - 4 |u - round(u)|, in phase with
        the cosine; "sawtooth", 2 (u mod 1) - 1; or a function u -> psi(u) of period 1 on arrays, known through
        samples at 2^15 phases.

    Notes
    -----
    In dimension 1 the class has two members, or one when the wave is even; else it is infinite (`log2_size` = inf).

    Raises
    ------
    ValueError, TypeError
        A dimension or radius out of range, an unknown wave, a function without one finite number for each phase.

    Examples
    --------
    >>> H = LinearPeriodic(10, 8**0.5)
    >>> round(H.operator_norm(), 7), round(H.operator_norm(centred=False), 7)
    (0.0013718, 0.0047344)
    """

    is_orthonormal = False

    def __init__(
        self, dim: SupportsIndex, radius: SupportsFloat, wave: str | Callable[[Array], Array] = "cosine"
    ) -> None:
        self.dim = integer("dim", dim, 1)
        self.radius = positive("radius", radius)
        self.wave: Wave = as_wave(wave)
        self.inputs = Gaussian(self.dim)
        self.labels = self.wave.labels
        self._sphere = SphereTransform(self.dim)

    def __repr__(self) -> str:
        wave = "" if self.wave.name == "cosine" else f", wave={self.wave.name!r}"
        return f"LinearPeriodic(dim={self.dim}, radius={self.radius:g}{wave})"

    @property
    def _key(self) -> tuple[object, ...]:
        return self.dim, self.radius, self.wave

    @property
    def description(self) -> str:
        """The class in words."""
        function = "cos<v, x>" if self.wave.name == "cosine" else f"psi(<v, x>/2 pi), psi the {self.wave.name} wave"
        return f"{function}, v uniform on the sphere of radius {self.radius:g} in R^{self.dim}"

    @property
    def size(self) -> int | None:
        """None, for infinitely many members; in dimension 1, 2, or 1 for an even wave."""
        if self.wave.is_constant or (self.dim == 1 and self.wave.is_even):
            return 1
        return 2 if self.dim == 1 else None

    def members(self) -> Array:
        """Return all members as rows v, where they are finitely many: v = rho, and -rho unless the wave is even."""
        if self.size is None:
            raise NotApplicableError(f"{self!r} has infinitely many members; draw some with sample(m, rng)")
        rows = np.zeros((self.size, self.dim))
        rows[:, 0] = (self.radius, -self.radius)[: self.size]
        return rows

    @property
    def orthonormality(self) -> tuple[str, str]:
        """("failed", why): the targets depend on v continuously, so no two nearby ones are orthogonal."""
        if self.log2_size < math.inf:
            return "failed", "in dimension 1 the members are h(x) and h(-x)"
        return "failed", "infinite class: E h_v h_v' depends continuously on the angle between v and v'"

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return m members drawn independently, as rows v of shape (m, dim)."""
        v = generator(rng).standard_normal((integer("m", m, 0), self.dim))
        return np.asarray(v * (self.radius / np.linalg.norm(v, axis=1, keepdims=True)))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return psi(<v, x>/2 pi), shape (m, n), for members v (m, dim) and inputs x (n, dim). Costs m n dim."""
        v = vector_rows(members, self.dim, repr(self))
        angles = v @ inputs_of(x, self.dim, repr(self)).T
        return np.asarray(np.cos(angles)) if self.wave.name == "cosine" else self.wave(angles / (2 * math.pi))

    def inner_products(self, members: npt.ArrayLike, members2: npt.ArrayLike) -> Array:
        """Return E_x[h_v(x) h_v'(x)], shape (m, m2): (e^(-|v - v'|^2/2) + e^(-|v + v'|^2/2))/2, for the cosine.

        Exact up to rounding; costs m m2 dim. Raises `NotApplicableError` for another wave.
        """
        if self.wave.name != "cosine":
            raise NotApplicableError(f"the inner products of {self!r} have no closed form")
        v, v2 = self._checked(np.asarray(members)), self._checked(np.asarray(members2))
        products = v @ v2.T
        # |v -+ v'|^2 = 2 rho^2 -+ 2 <v, v'>
        found = np.exp(np.minimum(products - self.radius**2, 0.0)) + np.exp(np.minimum(-products - self.radius**2, 0.0))
        return np.asarray(0.5 * found)

    def _checked(self, rows: npt.NDArray[np.generic]) -> Array:
        v = vector_rows(rows, self.dim, repr(self))
        norms = np.linalg.norm(v, axis=1)
        wrong = norms[~(np.abs(norms - self.radius) <= 1e-9 * self.radius)]
        if wrong.size:
            raise ValueError(f"a member of {self!r} is a vector v with |v| = {self.radius:g}, got |v| = {wrong[0]:g}")
        return v

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_v h_v(x) = a_0 + sum_n a_n J(n rho |x|), shape (n,). Accuracy as `covariance`."""
        array = inputs_of(x, self.dim, repr(self))
        if self.dim == 1:
            return self._halves(array[:, 0])[0]
        norms = self.radius * np.linalg.norm(array, axis=1)
        a = self.wave.coefficients[0]
        total = np.full(array.shape[0], self.wave.constant)
        for n in sorted({n for n, _ in self._pairs}):
            if a[n - 1] != 0:
                total += a[n - 1] * self._sphere(n * norms)
        return total

    def null_functions(self, x: npt.ArrayLike) -> Array:
        """Return 1 and |x|^2, and for an even wave the coordinates of x, shape (n, q).

        E_x[h_v(x) f(|x|)] does not depend on the direction of v, and an even h_v has no odd part.
        """
        array = inputs_of(x, self.dim, repr(self))
        radial = np.stack([np.ones(array.shape[0]), np.einsum("ij,ij->i", array, array)], axis=1)
        return np.concatenate([radial, array], axis=1) if self.wave.is_even else radial

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x'), shape (n, n2).

        Exact up to rounding for the cosine (about 1e-13 of the size of its three terms, at any dimension, however
        small they are) and in dimension 1. For another wave a sum over pairs of harmonics (n, m), n, m <= 64: the
        operator of what it leaves out has a norm below 1e-9 of the operator norm, so that a gradient variance from it
        is off by at most 1e-9 of its operator-norm bound. (At x = x' alone, where the covariance of a wave with jumps
        has a kink, the value is that of the first 64 harmonics.)

        Raises `NotApplicableError` where 64 harmonics leave more, as those of waves with kinks in low dimensions, or
        of any wave with jumps at a small radius: then members can be drawn.

        Costs n n2 (dim + 40) operations for each pair of harmonics.
        """
        first, second = inputs_of(x, self.dim, repr(self)), inputs_of(x2, self.dim, repr(self))
        if self.dim == 1:
            return np.asarray(self._halves(first[:, 0])[1][:, None] * self._halves(second[:, 0])[1])
        rho = self.radius
        squares, squares2 = np.einsum("ij,ij->i", first, first), np.einsum("ij,ij->i", second, second)
        norms, norms2 = rho * np.sqrt(squares), rho * np.sqrt(squares2)
        products = 2.0 * (first @ second.T)
        a, b = self.wave.coefficients
        total = np.zeros(products.shape)
        for n, m in self._pairs:
            # E_v cos(n <v,x>) cos(m <v,x'>) = (J(rho |n x - m x'|) + J(rho |n x + m x'|))/2; for sines the difference.
            even, odd = a[n - 1] * a[m - 1], b[n - 1] * b[m - 1]
            plain = (n * n * squares)[:, None] + m * m * squares2
            for sign, weight in ((-1.0, 0.5 * (even + odd)), (1.0, 0.5 * (even - odd))):
                if weight != 0:
                    distance = products * (sign * n * m)
                    distance += plain
                    np.maximum(distance, 0.0, out=distance)
                    np.sqrt(distance, out=distance)
                    distance *= rho
                    total += weight * self._sphere(distance)
            if even != 0:
                total -= (even * self._sphere(n * norms))[:, None] * self._sphere(m * norms2)
        return total

    @property
    def covariance_work(self) -> float:
        """Multiplications that a value of the covariance counts as: 20 for each value of J."""
        return 40.0 * max(len(self._pairs), 1)

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram kernel; 0.0 where it underflows (see the log)."""
        return exp2(self.log2_operator_norm(centred))

    def log2_operator_norm(self, centred: bool = True) -> float:
        """Return log2 of the largest eigenvalue of the (centred) Gram kernel: of l >= 1, or l >= 0 uncentred.

        Cosine: log2 lambda_2 (lambda_0), relative error of lambda about 1e-12. Other waves: an upper bound, by what
        harmonics past the last one that is summed could add (nothing for smooth waves; 1e-6 for jumps from
        dimension 3 on, 1e-3 in dimension 2). In dimension 1 the second moment of the odd (even) part of h, by a sum
        over 2^18 points.
        """
        centred_log, uncentred_log = self._log_norms
        return (centred_log if centred else uncentred_log) / math.log(2.0)

    def log_harmonic_residual(self, last: int) -> float:
        """Return the log of a bound on the uncentred norm of the class of the harmonics n > last alone.

        |a_n a_m| e^{-rho^2 (n-m)^2/2} K_0(rho^2 n m), K_0 falling, summed by Young's inequality.
        """
        tail = float(self.wave.tails[last])
        if tail == 0:
            return -math.inf
        kappa = self.radius**2
        spread = 1.0 + math.sqrt(2 * math.pi) / self.radius  # at least the sum over k of e^(-kappa k^2/2)
        return math.log(tail * spread) + float(log_zonal(self.dim, 0, np.array([kappa * (last + 1.0) ** 2]))[0])

    def last_harmonic(self, log_share: float, most: int) -> int:
        """Return the fewest harmonics (<= most) beyond which the residual is e^log_share of the operator norm."""
        goal = self._log_norms[0] + log_share
        few = range(min(most, MAX_HARMONICS))
        return max(bisect_left(few, True, key=lambda last: self.log_harmonic_residual(last) <= goal), 1)

    @cached_property
    def _log_norms(self) -> tuple[float, float]:
        """Natural logarithms of the centred and the uncentred norm."""
        if self.wave.is_constant:
            return -math.inf, 2 * math.log(abs(self.wave.constant)) if self.wave.constant else -math.inf
        x = np.linspace(-9.0, 9.0, 2**18)
        density = np.exp(-0.5 * x * x)
        density /= density.sum()
        if self.dim == 1:
            mean, deviation = (float(density @ part**2) for part in self._halves(x))
            centred = -math.inf if self.wave.is_even else math.log(deviation)
            return centred, max(centred, math.log(mean) if mean > 0 else -math.inf)
        band = min(MAX_HARMONICS, math.ceil(9.5 / self.radius))
        used = np.flatnonzero(np.hypot(*self.wave.coefficients))
        last = min(int(used[-1]) + 1, max(64, _NORM_TERMS // band))
        rest = self.log_harmonic_residual(last)
        best = -math.inf
        degree = 0
        while True:
            degree += 1
            value, most = self._log_eigenvalue(degree, last, band)
            best = max(best, value)
            # The sum of absolute values falls with l, within each parity.
            if degree > 1 and max(most, self._log_eigenvalue(degree + 1, last, band)[1]) <= best:
                break
            if degree == _NORM_DEGREES:
                raise NotApplicableError(
                    f"the operator norm of {self!r} cancels in the sums over its harmonics at this radius and "
                    "dimension; take a larger radius, or a smoother wave"
                )
        uncentred = max(best, self._log_eigenvalue(0, last, band)[0])
        # The trace, E h^2: what a harmonic bound may exceed at radii too small for the harmonics.
        trace = math.log(float(density @ self.wave(x * (self.radius / (2 * math.pi))) ** 2) * (1 + 1e-6))
        return min(_add_roots(best, rest), trace), min(_add_roots(uncentred, rest), trace)

    def _log_eigenvalue(self, degree: int, last: int, band: int) -> tuple[float, float]:
        """log of lambda_l from the first harmonics, and of the sum of the absolute values of its terms."""
        c = self.wave.coefficients[degree % 2][:last]
        kappa = self.radius**2
        values, logs = [np.zeros(0)], [np.zeros(0)]
        for offset in range(min(band, last - 1) + 1):
            products = c[: last - offset] * c[offset:] * (1.0 if offset == 0 else 2.0)
            n = np.flatnonzero(products) + 1.0
            values.append(products[products != 0])
            logs.append(log_zonal(self.dim, degree, kappa * n * (n + offset)) - 0.5 * kappa * offset**2)
        if degree == 0 and self.wave.constant != 0:
            values += [np.array([self.wave.constant**2]), 2 * self.wave.constant * c]
            logs += [np.zeros(1), -0.5 * kappa * np.arange(1.0, last + 1) ** 2]
        value, log = np.concatenate(values), np.concatenate(logs)
        if value.size == 0 or log.max() == -math.inf:
            return -math.inf, -math.inf
        top = float(log.max())
        terms = value * np.exp(log - top)
        size = math.fsum(np.abs(terms))
        # Upwards by the rounding, where terms cancel: the norm serves as a bound.
        total = max(math.fsum(terms), 0.0) + (0.0 if value.size == 1 else 1e-11 * size)
        return top + math.log(total), top + math.log(size)

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        """The pairs of harmonics (n, m) that the covariance is summed over, which leave less than 1e-9 of the norm."""
        if self.wave.is_constant:
            return []
        log_norm = self._log_norms[0]
        # With h = h_1 + h_2, the harmonics to 64 and those beyond, ||C - C_1|| <= 2 (||C|| ||C_2||)^1/2 + 3 ||C_2||.
        root = math.exp(min(0.5 * (self.log_harmonic_residual(_COVARIANCE_HARMONICS) - log_norm), 0.0))
        room = _COVARIANCE_REMAINDER - 2 * root - 3 * root**2
        if room <= 0:
            raise NotApplicableError(
                f"the covariance of {self!r} is a sum over {_COVARIANCE_HARMONICS} harmonics, and those of the "
                f"{self.wave.name} wave beyond may leave more than {_COVARIANCE_REMAINDER:g} of the operator norm at "
                "this radius and dimension; draw members, or take a smoother wave"
            )
        a, b = (c[:_COVARIANCE_HARMONICS] for c in self.wave.coefficients)
        n = np.arange(1.0, a.size + 1)
        with np.errstate(divide="ignore"):
            even = 2 * np.log(np.abs(a)) + log_zonal(self.dim, 2, self.radius**2 * n * n)
            odd = 2 * np.log(np.abs(b)) + log_zonal(self.dim, 1, self.radius**2 * n * n)
        # The pair (n, m) has a norm of at most (lambda(n) lambda(m))^1/2: the smallest are left out while room lasts.
        alone = np.logaddexp(even, odd)
        shares = np.exp(0.5 * (alone[:, None] + alone) - log_norm)
        ascending = np.sort(shares, axis=None)
        left_out = int(np.searchsorted(np.cumsum(ascending), room, side="right"))
        return [(int(i) + 1, int(j) + 1) for i, j in np.argwhere(shares >= ascending[left_out])]

    def _halves(self, x: Array) -> tuple[Array, Array]:
        """Dimension 1: the even and the odd part of h; the members are their sum and their difference."""
        plus, minus = self.evaluate([[self.radius], [-self.radius]], x[:, None])
        return 0.5 * (plus + minus), 0.5 * (plus - minus)


def _add_roots(log_value: float, log_rest: float) -> float:
    """log of (value^(1/2) + rest^(1/2))^2."""
    return 2.0 * float(np.logaddexp(0.5 * log_value, 0.5 * log_rest))
