"""A number, what it is worth, and where it comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import SupportsFloat, TypeGuard

from ..core.numbers import JSON, Scaled, format_number, log2_of, percent, power_of_two
from .notebook import as_page
from .plain import Plain


@dataclass(frozen=True, kw_only=True)
class Estimate(Plain):
    """A number, what it is worth, and where it comes from.

    The number is `mantissa * 2**exponent`, so that 2**-10000 is as good as any other. It compares, computes and formats
    as a number does (`float(e)`, `e < 1e-3`, `e / bound`, `8 * e`, `e - e2`, f"{e:.3g}"); what comes out is a float,
    and nan where the samples resolve nothing. `==` is that of results.

    Attributes
    ----------
    value : float
        The number; 0.0 where it underflows float64 (see `log2`).
    log2 : float
        Base-2 logarithm of the number: finite even where `value` underflows. -inf at zero, nan below zero.
    interval : (float, float)
        Where the truth lies: up to rounding when `exact`, else with probability `confidence`. Never clamped:
        an unbiased estimate of a variance may be negative, and so may the lower end.
    standard_error : float
        0.0 when `exact`; inf when the samples resolve nothing.
    upper : float
        The truth lies below it with probability `confidence`: a one-sided limit, lower than the interval's end.
    resolution : float
        The smallest variance that these samples could have told from zero; 0.0 when `exact`, inf when they resolve
        nothing.
    exact : bool
        True when the number is exact up to float64 rounding, or the model's own where it computes in less, which the
        guarantee says and the interval holds; an estimate from samples is never exact.
    method : str
        The method that gave it: "closed-form ...", "enumeration ..." or "monte-carlo ...".
    guarantee : str
        The same for a reader, in one sentence.
    confidence : float or None
        Coverage of the interval; None when `exact`, or where its ends are not of a sample.
    n_samples : int
        Sampled inputs behind the number; 0 when `exact`.
    n_evaluated : int
        Inputs at which the model was evaluated by an exact method.
    seconds : float
        Time it took.
    seed : int or None
        What `rng` was reduced to: `rng=seed` gives the same bits. None for parts of a result, which has it.
    resolved : bool
        False when so few sampled pairs carry the estimate that no interval can be had from them.
    zeta : (float, float) or None
        Hoeffding's zeta_1, zeta_2 of a U-statistic, in units of 4**exponent: its variance at n samples is about
        4 zeta_1/n + 2 zeta_2/n^2.
    norms : tuple of Estimate, or None
        G^2 and E||s||^2 from the same samples, where these gave them; for tasks with inputs of their own E||u||^2, of
        the gradient on one example, as well.
    log2_signal_share : float or None
        When a theorem gives Var <= 2**share * E||s||^2 for this class sample by sample, that share: a
        comparison with a bound then carries no sampling error.

    Examples
    --------
    >>> import gradvar as gv
    >>> found = gv.gradient_variance(gv.Parities(10), gv.Linear([1.0] * 10))
    >>> found.exact, found < 0.01, f"{found:.3g}", found / found
    (True, True, '0.00976', 1.0)
    """

    listed = (
        "value log2 interval standard_error upper resolution exact resolved "
        "method guarantee confidence n_samples n_evaluated seconds seed"
    )

    mantissa: float
    exponent: int = 0
    mantissa_interval: tuple[float, float]
    mantissa_error: float = 0.0
    mantissa_upper: float | None = None
    mantissa_resolution: float = 0.0
    exact: bool = False
    method: str
    guarantee: str
    confidence: float | None = None
    n_samples: int = 0
    n_evaluated: int = 0
    seconds: float = 0.0
    seed: int | None = None
    resolved: bool = True
    zeta: tuple[float, float] | None = None
    norms: tuple[Estimate, ...] | None = None
    log2_signal_share: float | None = None

    @classmethod
    def exactly(
        cls, number: Scaled, method: str, guarantee: str, *, seconds: float = 0.0, n_evaluated: int = 0
    ) -> Estimate:
        """A number >= 0 that is exact up to its stated error."""
        return cls(
            mantissa=number.mantissa,
            exponent=number.exponent,
            mantissa_interval=(max(number.mantissa - number.error, 0.0), number.mantissa + number.error),
            exact=True,
            method=method,
            guarantee=guarantee,
            n_evaluated=n_evaluated,
            seconds=seconds,
        )

    def __post_init__(self) -> None:
        """Where samples resolve nothing, the interval is the whole line, or all above a lower end without an upper."""
        low, high = self.mantissa_interval
        if not self.resolved:
            vars(self).update(dict.fromkeys(("mantissa_error", "mantissa_upper", "mantissa_resolution"), math.inf))
            vars(self).update(mantissa_interval=(low if high == math.inf else -math.inf, math.inf), zeta=None)

    def scaled(self, exponent: int) -> Estimate:
        """Return the estimate times 2**exponent."""
        return replace(self, exponent=self.exponent + exponent)

    def times(self, factor: float) -> Estimate:
        """Return the estimate times a factor >= 0, on the same norms; 0 is exact."""
        if factor == 0:
            return replace(self.exactly(Scaled(0.0), self.method, "exactly zero"), norms=self.norms, seed=self.seed)
        low, high = self.mantissa_interval
        upper, share, zeta = self.mantissa_upper, self.log2_signal_share, self.zeta
        return replace(
            self,
            mantissa=factor * self.mantissa,
            mantissa_interval=(factor * low, factor * high),
            mantissa_upper=None if upper is None else factor * upper,
            mantissa_error=factor * self.mantissa_error,
            mantissa_resolution=factor * self.mantissa_resolution,
            zeta=None if zeta is None else (factor**2 * zeta[0], factor**2 * zeta[1]),
            log2_signal_share=None if share is None else share + log2_of(factor, 0),
        )

    @property
    def value(self) -> float:
        """The number; 0.0 where it underflows."""
        return power_of_two(self.mantissa, self.exponent)

    @property
    def log2(self) -> float:
        """Base-2 logarithm of the number."""
        return log2_of(self.mantissa, self.exponent)

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high)."""
        low, high = self.mantissa_interval
        return power_of_two(low, self.exponent), power_of_two(high, self.exponent)

    @property
    def standard_error(self) -> float:
        """Standard error; 0.0 when exact, inf when unresolved."""
        return power_of_two(self.mantissa_error, self.exponent)

    @property
    def upper(self) -> float:
        """The one-sided upper limit."""
        end = self.mantissa_interval[1] if self.mantissa_upper is None else self.mantissa_upper
        return power_of_two(end, self.exponent)

    @property
    def resolution(self) -> float:
        """The smallest variance that could have been told from zero."""
        return power_of_two(self.mantissa_resolution, self.exponent)

    def __float__(self) -> float:
        """The number; nan where the samples resolve nothing."""
        return self.value if self.resolved else math.nan

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)

    def __truediv__(self, other: SupportsFloat) -> float:
        """The quotient of two numbers, also where both leave the range of float64."""
        return self._over(other) if _is_number(other) else NotImplemented

    def __rtruediv__(self, other: SupportsFloat) -> float:
        return _estimate_of(other)._over(self) if _is_number(other) else NotImplemented

    def __mul__(self, other: SupportsFloat) -> float:
        """The product of two numbers, also where one of them leaves the range of float64."""
        if not _is_number(other):
            return NotImplemented
        factor = _estimate_of(other)
        if not (self.resolved and factor.resolved):
            return math.nan
        (a, i), (b, j) = math.frexp(self.mantissa), math.frexp(factor.mantissa)
        return power_of_two(a * b, self.exponent + factor.exponent + i + j)

    __rmul__ = __mul__

    def __add__(self, other: SupportsFloat) -> float:
        return float(self) + float(other) if _is_number(other) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: SupportsFloat) -> float:
        return float(self) - float(other) if _is_number(other) else NotImplemented

    def __rsub__(self, other: SupportsFloat) -> float:
        return float(other) - float(self) if _is_number(other) else NotImplemented

    def _over(self, other: SupportsFloat) -> float:
        below = _estimate_of(other)
        if not (self.resolved and below.resolved):
            return math.nan
        if below.mantissa == 0:
            raise ZeroDivisionError(f"division of {self!r} by zero")
        (a, i), (b, j) = math.frexp(self.mantissa), math.frexp(below.mantissa)
        return power_of_two(a / b, self.exponent - below.exponent + i - j)

    def _order(self, other: SupportsFloat) -> float:
        """A number of the sign of their difference; nan where one of them is not known."""
        below = _estimate_of(other)
        if not (self.resolved and below.resolved):
            return math.nan
        if self.mantissa == 0:
            return -below.mantissa
        return self.mantissa - power_of_two(below.mantissa, below.exponent - self.exponent)

    def __lt__(self, other: SupportsFloat) -> bool:
        return self._order(other) < 0 if _is_number(other) else NotImplemented

    def __le__(self, other: SupportsFloat) -> bool:
        return self._order(other) <= 0 if _is_number(other) else NotImplemented

    def __gt__(self, other: SupportsFloat) -> bool:
        return self._order(other) > 0 if _is_number(other) else NotImplemented

    def __ge__(self, other: SupportsFloat) -> bool:
        return self._order(other) >= 0 if _is_number(other) else NotImplemented

    def __repr__(self) -> str:
        value = f"{format_number(self.mantissa, self.exponent)}, " if self.resolved else ""
        return f"Estimate({value}{self.spread}, method={self.method!r})"

    def _repr_html_(self) -> str:
        value = format_number(self.mantissa, self.exponent) if self.resolved else "unresolved"
        return as_page("Estimate", [("value", "interval", "how it is known"), (value, self.spread, self.guarantee)])

    @property
    def spread(self) -> str:
        """The interval for a reader: "exact", "[low, high] at 95%", "at least low at 95%" or "unresolved"."""
        if self.exact:
            return "exact" if self.is_tight else f"exact up to rounding, {self._ends}"
        if not self.resolved:
            low = self.mantissa_interval[0]
            return (
                f"at least {format_number(low, self.exponent)} at {percent(self.confidence)}"
                if low > 0
                else "unresolved"
            )
        return self._ends if self.confidence is None else f"{self._ends} at {percent(self.confidence)}"

    @property
    def is_tight(self) -> bool:
        """Whether the interval is narrower than the six digits that are printed."""
        low, high = self.mantissa_interval
        return high - low <= 1e-6 * abs(self.mantissa)

    @property
    def _ends(self) -> str:
        low, high = (format_number(end, self.exponent) for end in self.mantissa_interval)
        return f"[{low}, {high}]"

    def to_dict(self) -> dict[str, JSON]:
        """Return the attributes as JSON-ready values; what is infinite, nan or unresolved becomes None."""
        unresolved: dict[str, JSON] = {} if self.resolved else {"value": None, "log2": None}
        return {**super().to_dict(), **unresolved}


def _is_number(value: object) -> TypeGuard[SupportsFloat]:
    return isinstance(value, SupportsFloat) and not isinstance(value, (str, bytes))


def _estimate_of(number: SupportsFloat) -> Estimate:
    """An estimate as it is, or a plain number beside one."""
    if isinstance(number, Estimate):
        return number
    value = float(number)
    return Estimate(mantissa=value, mantissa_interval=(value, value), exact=True, method="", guarantee="")
