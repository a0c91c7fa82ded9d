r"""Theorem 2 of arXiv 1703.07950 for Gaussian inputs: what the gradient can know about a linear-periodic target.

For h_v(x) = cos<v, x>, v uniform on the sphere of radius rho and x ~ N(0, sigma^2 I) in R^d, the theorem says that
the gradient variance is G^2 (exp(-Omega(d)) + exp(-Omega(rho))), without constants. With them:

- sharp: Var <= lambda_2 E||s||^2, lambda_l = e^-kappa Gamma(d/2) (2/kappa)^nu I_(nu+l)(kappa), nu = d/2 - 1 and
  kappa = (sigma rho)^2, the eigenvalues of the Gram kernel e^-kappa cosh(kappa cos angle(v, v')); nothing smaller
  holds for every model. lambda_0 bounds the uncentred second moment.
- explicit: lambda_2 <= lambda_0 <= e^(-kappa/2) + (3/4)^((d-1)/2)/2. For lambda_0 = E e^(-kappa (1 - T)), T the first
  coordinate of a uniform unit vector: where T <= 1/2 the integrand is at most e^(-kappa/2), and
  P(T > 1/2) <= (3/4)^((d-1)/2)/2, since the cap lies in half of a ball of radius (3/4)^(1/2).
- Shamir's tail function: his bound (arXiv 1609.01037) is c_2 G (exp(-c_3 d) + sum_n eps(n r)) for psi(<w, x>), psi of
  period 1 and |w| = r = rho/2 pi, where eps(r)^2 is the mass outside radius r of the squared Fourier transform of the
  square root of the density. For N(0, sigma^2 I) that is a Gaussian of variance 1/(4 pi sigma)^2 a coordinate:
  eps(r)^2 = Q(d/2, 8 pi^2 sigma^2 r^2), Q the regularised upper incomplete gamma function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsFloat

import numpy as np
from scipy import special

from ..classes import LinearPeriodic
from ..classes.base import HypothesisClass
from ..classes.formulas.sphere import log_zonal
from ..core.arguments import integer, number, positive
from ..core.numbers import exp2, format_log2
from ..results.estimate import Estimate
from ..results.findings import Findings
from ..results.notebook import as_page
from ..results.plots import plot_estimates
from ..results.plots_style import keys_of, legend_beside, new_axes, powers_of_two, style, titled
from .operator_norm import Constant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {
    "sharp": r"sharp, $\lambda_2$",
    "sharp_uncentred": r"sharp, uncentred, $\lambda_0$",
    "explicit": r"explicit, $e^{-\sigma^2\rho^2/2} + (3/4)^{(d-1)/2}/2$",
    "tail": r"Shamir's $\varepsilon(r)$, $r = \rho/2\pi$",
}


@dataclass(frozen=True)
class Theorem2:
    """The constants of Theorem 2 for cos<v, x>, v uniform on the sphere of radius rho, x ~ N(0, sigma^2 I).

    Theorem 2 of arXiv 1703.07950 is printed without them. Each is a number and, as `log2_...`, its base-2 logarithm,
    finite where the number underflows.

    Parameters
    ----------
    dim : int
        d >= 1.
    radius : float
        rho > 0; in Shamir's notation 2 pi r.
    sigma : float
        Standard deviation of the inputs, > 0.

    Attributes
    ----------
    sharp : float
        lambda_2, what multiplies E||s||^2 in the operator-norm bound; relative error about 1e-12. 0 in dimension 1,
        where the class has one member.
    sharp_uncentred : float
        lambda_0.
    explicit : float
        e^(-(sigma rho)^2/2) + (3/4)^((d-1)/2)/2, never below `sharp_uncentred`.
    tail : float
        Shamir's eps(r) = Q(d/2, 8 pi^2 sigma^2 r^2)^(1/2) at r = rho/2 pi; it enters his bound with constants
        that are not known, and is close to 1 until rho exceeds (d/4)^(1/2)/sigma.
    tail_sum : float
        The sum of eps(n r) over n >= 1.

    Raises
    ------
    ValueError, TypeError
        A dimension, radius or deviation out of range.

    Examples
    --------
    >>> bound = Theorem2(10, 8**0.5)
    >>> f"{bound.sharp:.5g} {bound.sharp_uncentred:.5g} {bound.explicit:.5g}"
    '0.0013718 0.0047344 0.15532'
    >>> round(Theorem2(1000, 30).log2_sharp, 4)
    -842.4262
    """

    dim: int
    radius: float
    sigma: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, 1))
        for name in ("radius", "sigma"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))

    @property
    def log2_sharp(self) -> float:
        """log2 lambda_2."""
        return self._log2_eigenvalue(2)

    @property
    def log2_sharp_uncentred(self) -> float:
        """log2 lambda_0."""
        return self._log2_eigenvalue(0)

    @property
    def log2_explicit(self) -> float:
        """log2 of the explicit bound."""
        radial = -0.5 * (self.sigma * self.radius) ** 2
        return float(np.logaddexp(radial, 0.5 * (self.dim - 1) * math.log(0.75) - math.log(2))) / math.log(2)

    @property
    def log2_tail(self) -> float:
        """log2 eps(r)."""
        return 0.5 * log_upper_gamma(0.5 * self.dim, 2 * (self.sigma * self.radius) ** 2) / math.log(2)

    @property
    def log2_tail_sum(self) -> float:
        """log2 of the sum of eps(n r)."""
        total, n = -math.inf, 0
        while True:
            n += 1
            x = 2 * (n * self.sigma * self.radius) ** 2
            term = 0.5 * log_upper_gamma(0.5 * self.dim, x)
            total = float(np.logaddexp(total, term))
            # Past the bulk the terms fall faster than a geometric series.
            if term < total - 40 and x > self.dim:
                return total / math.log(2)

    @property
    def sharp(self) -> float:
        """lambda_2."""
        return exp2(self.log2_sharp)

    @property
    def sharp_uncentred(self) -> float:
        """lambda_0."""
        return exp2(self.log2_sharp_uncentred)

    @property
    def explicit(self) -> float:
        """The explicit bound on lambda_0."""
        return exp2(self.log2_explicit)

    @property
    def tail(self) -> float:
        """Shamir's eps(r)."""
        return exp2(self.log2_tail)

    @property
    def tail_sum(self) -> float:
        """The sum of Shamir's eps(n r)."""
        return exp2(self.log2_tail_sum)

    def _repr_html_(self) -> str:
        found = {name: getattr(self, f"log2_{name}") for name in (*_NAMES, "tail_sum")}
        rows = [(name, format_log2(log2), f"{log2:.6g}") for name, log2 in found.items()]
        return as_page(repr(self), [("constant", "value", "log2"), *rows])

    def plot(
        self, ax: Axes | None = None, over: str = "radius", measured: Mapping[SupportsFloat, Findings] | None = None
    ) -> Axes:
        """Draw log2 of the constants over rho up to `radius`, or over d from 2 to `dim`; return the Axes.

        Needs matplotlib (the extra `plot`).

        Parameters
        ----------
        ax : matplotlib Axes or None
            Where to draw; None makes a figure.
        over : {"radius", "dim"}
            What varies; the other stays.
        measured : mapping of float to BoundCheck, optional
            What `bound_check` found at some of these rho, or d: Var/E||s||^2 as dots, with the intervals of both.
        """
        if over not in ("radius", "dim"):
            raise ValueError(f"`over` must be 'radius' or 'dim', got {over!r}")
        for x, check in () if measured is None else measured.items():
            number("measured", x, "a mapping of numbers to BoundChecks", math.isfinite)
            if not isinstance(check, Findings):
                raise TypeError(f"`measured` must be a mapping of numbers to BoundChecks, got {check!r} of {x!r}")
        ax = new_axes(ax, 7.5, 4.0)
        if over == "radius":
            at = np.linspace(self.radius / 100, self.radius, 100)
            points = [Theorem2(self.dim, rho, self.sigma) for rho in at]
            label, title = r"radius $\rho$ of the targets", f"d = {self.dim}"
        else:
            at = np.unique(np.round(np.linspace(min(2, self.dim), self.dim, 100)))
            points = [Theorem2(int(d), self.radius, self.sigma) for d in at]
            label, title = "dimension d", rf"$\rho$ = {self.radius:g}"
        for i, (name, words) in enumerate(_NAMES.items(), start=1):
            line = [getattr(point, f"log2_{name}") for point in points]
            ax.plot(at, line, label=words, markevery=(3 * i, 20), **style(i))
        powers_of_two(ax, "y")
        ax.set_xlabel(label)
        ax.set_ylabel(r"share of E$\|s\|^2$")
        titled(ax, f"Theorem 2, {title}")
        ax.grid(alpha=0.3)
        legend_beside(ax, keys_of(ax))
        if measured:
            shares = [_share(check.variance, check.signal_norm_sq) for check in measured.values()]
            plot_estimates(ax, np.array([float(x) for x in measured]), shares, r"measured Var/E$\|s\|^2$")
        return ax

    def _log2_eigenvalue(self, degree: int) -> float:
        kappa = np.array([(self.sigma * self.radius) ** 2])
        return float(log_zonal(self.dim, degree, kappa)[0]) / math.log(2)


def _share(variance: Estimate, norm: Estimate) -> Estimate:
    """Var/E||s||^2, between the quotients of the far ends of the intervals."""
    (low, high), (least, most) = variance.mantissa_interval, norm.mantissa_interval
    known = variance.resolved and least > 0
    ends = (low / (most if low > 0 else least), high / (least if high > 0 else most)) if known else (0.0, math.inf)
    return Estimate(
        mantissa=variance.mantissa / norm.mantissa if norm.mantissa > 0 else 0.0,
        exponent=variance.exponent - norm.exponent,
        mantissa_interval=ends,
        resolved=known,
        method=variance.method,
        guarantee=variance.guarantee,
    )


def theorem_2(hypotheses: HypothesisClass) -> tuple[str, Constant] | None:
    """Return the formula and the constant of the explicit bound for cosine targets."""
    if not isinstance(hypotheses, LinearPeriodic) or hypotheses.wave.name != "cosine":
        return None
    explicit = Theorem2(hypotheses.dim, hypotheses.radius).log2_explicit
    formula = "(e^(-rho^2/2) + (3/4)^((d-1)/2)/2) E||s||^2"
    return formula, Constant(explicit, "at least the uncentred operator norm")


def log_upper_gamma(a: float, x: float) -> float:
    """Return log Q(a, x) for a, x > 0, Q(a, x) = Gamma(a, x)/Gamma(a); finite however small Q is."""
    from scipy import integrate

    q = float(special.gammaincc(a, x))
    if q > 0.5:
        return math.log1p(-float(special.gammainc(a, x)))
    if q > 1e-250:
        return math.log(q)
    # Gamma(a, x) = x^a e^-x int_0^inf (1 + t)^(a-1) e^(-x t) dt, t of the order 1/(x - a + 1) as x is far above a
    scale = 1 / (x - a + 1)

    def integrand(u: float) -> float:
        return math.exp((a - 1) * math.log1p(u * scale) - x * u * scale)

    tail = float(integrate.quad(integrand, 0, math.inf, epsabs=0, epsrel=1e-13)[0])
    return a * math.log(x) - x - float(special.gammaln(a)) + math.log(scale * tail)
