"""What a computation hands back: plain data that prints itself. Nothing here computes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]


def power_of_two(mantissa: float, exponent: int) -> float:
    """mantissa * 2**exponent as a float, 0.0 or inf where it leaves the range of float64."""
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def log2_of(mantissa: float, exponent: int) -> float:
    """log2(mantissa * 2**exponent); -inf at zero, nan below."""
    if mantissa == 0:
        return -math.inf
    return math.log2(mantissa) + exponent if mantissa > 0 else math.nan


def log2_end(end: float, exponent: int) -> float:
    """log2 of an end of an interval for a number that is not negative: -inf where the end is."""
    return end if end == math.inf else log2_of(max(end, 0.0), exponent)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number, what it is worth, and where it comes from.

    The number is `mantissa * 2**exponent`, so that 2**-10000 is as good as any other.

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
        True when the number is exact up to float64 rounding; an estimate from samples is never exact.
    method : str
        The method that gave it: "closed-form ...", "enumeration ..." or "monte-carlo ...".
    guarantee : str
        The same for a reader, in one sentence.
    confidence : float or None
        Coverage of the interval; None when `exact`.
    n_samples : int
        Sampled inputs behind the number; 0 when `exact`.
    n_evaluated : int
        Inputs at which the model was evaluated by an exact method.
    seconds : float
        Time it took.
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
    """

    mantissa: float
    exponent: int = 0
    mantissa_interval: tuple[float, float]
    mantissa_error: float = 0.0
    mantissa_upper: float | None = None
    mantissa_resolution: float = 0.0
    exact: bool
    method: str
    guarantee: str
    confidence: float | None = None
    n_samples: int = 0
    n_evaluated: int = 0
    seconds: float = 0.0
    resolved: bool = True
    zeta: tuple[float, float] | None = None
    norms: tuple[Estimate, ...] | None = None
    log2_signal_share: float | None = None

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

    def __repr__(self) -> str:
        value = f"{format_number(self.mantissa, self.exponent)}, " if self.resolved else ""
        return f"Estimate({value}{self.spread}, method={self.method!r})"

    @property
    def spread(self) -> str:
        """The interval for a reader: "exact", "[low, high] at 95%" or "unresolved"."""
        if self.exact:
            return "exact" if self.is_tight else f"exact up to rounding, {self._ends}"
        if not self.resolved:
            return "unresolved"
        return f"{self._ends} at {percent(self.confidence)}"

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
        """The fields as JSON-ready values; infinities and nan become None."""
        low, high = self.interval
        return {
            "value": _json(self.value) if self.resolved else None,
            "log2": _json(self.log2) if self.resolved else None,
            "interval": [_json(low), _json(high)],
            "standard_error": _json(self.standard_error),
            "upper": _json(self.upper),
            "resolution": _json(self.resolution),
            "exact": self.exact,
            "resolved": self.resolved,
            "method": self.method,
            "guarantee": self.guarantee,
            "confidence": self.confidence,
            "n_samples": self.n_samples,
            "n_evaluated": self.n_evaluated,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, kw_only=True)
class Bound:
    """An upper bound on the gradient variance.

    Attributes
    ----------
    name, formula : str
        Its name and what it is.
    value, log2 : float
        The number and its base-2 logarithm; nan when it could not be had.
    log2_constant : float
        log2 of what multiplies the squared norm (G^2 for Theorem 1, else E||s||^2).
    log2_interval : (float, float)
        Where its true value lies.
    exact : bool
        Whether the norm behind it is exact up to rounding; otherwise it is an estimate.
    applicable : bool
        Whether its assumptions hold for this class and loss.
    reason : str
        Why it applies, or why not.
    """

    name: str
    formula: str
    log2_constant: float
    log2: float
    log2_interval: tuple[float, float]
    exact: bool
    applicable: bool
    reason: str

    @property
    def value(self) -> float:
        """The bound; 0.0 where it underflows."""
        return exp2(self.log2)

    def to_dict(self) -> dict[str, JSON]:
        """The fields as JSON-ready values."""
        return {
            "name": self.name,
            "formula": self.formula,
            "value": _json(self.value),
            "log2": _json(self.log2),
            "log2_interval": [_json(end) for end in self.log2_interval],
            "log2_constant": _json(self.log2_constant),
            "exact": self.exact,
            "applicable": self.applicable,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Assumption:
    """One assumption of Theorem 1 and how it is known.

    `status` is "proved" (by mathematics), "checked" (computed in full), "estimated" (on a sample), "claimed" (by the
    class, with no way to look) or "failed".
    """

    name: str
    status: str
    evidence: str


@dataclass(frozen=True)
class Consequence:
    """What the variance means for an optimiser: a number, as base-2 logarithm, and the sentence around it."""

    name: str
    log2: float
    statement: str


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundCheck:
    """The gradient variance of one problem next to the bounds on it.

    Attributes
    ----------
    variance : Estimate
        Var(H, F, w) = E_h ||grad F_h(w) - E_h' grad F_h'(w)||^2, over the uniform choice of target h in H.
    gradient_norm_sq : Estimate
        G^2 = E_x ||dp/dw||^2 of the predictor.
    signal_norm_sq : Estimate
        E_x ||s||^2 of the signal s = b(p) dp/dw, where dloss/dp = a(p) + h b(p).
    example_norm_sq : Estimate or None
        E||u||^2 of the gradient u = (a(p) + y b(p)) dp/dw on one example of a random task, for tasks that come with
        inputs of their own; None for targets that share their inputs.
    log2_size : float
        log2 |H|.
    bound, log2_bound : float
        Theorem 1, G^2/|H| (times the squared Lipschitz constant of the loss); the operator-norm bound where
        Theorem 1 does not apply. For tasks with inputs of their own no bound is known, and this is G^2/|H| as a
        yardstick.
    bound_name : str
        Which of `bounds` that is.
    bounds : dict of str to Bound
        Every bound by name.
    ratio : float
        variance / bound, meaningful even when both underflow; nan when the variance is unresolved.
    verdict : {"holds", "violated", "inconclusive"}
        Never stronger than the intervals: an interval that straddles the bound is inconclusive.
    reason : str
        Why, in a sentence; how many samples would settle it where that helps.
    assumptions : tuple of Assumption
        The assumptions of Theorem 1 and how each is known.
    consequences : tuple of Consequence
        What the number means for an optimiser.
    problem : dict of str to str
        The three parts in words: "class", "inputs", "model", "loss".
    """

    variance: Estimate
    gradient_norm_sq: Estimate
    signal_norm_sq: Estimate
    log2_size: float
    bound_name: str
    bounds: dict[str, Bound]
    ratio: float
    verdict: str
    reason: str
    assumptions: tuple[Assumption, ...]
    consequences: tuple[Consequence, ...]
    problem: dict[str, str] = field(default_factory=dict)
    example_norm_sq: Estimate | None = None

    @property
    def bound(self) -> float:
        """The bound that the verdict is about."""
        return self.bounds[self.bound_name].value

    @property
    def log2_bound(self) -> float:
        """log2 of the bound that the verdict is about."""
        return self.bounds[self.bound_name].log2

    def __repr__(self) -> str:
        variance = self.variance
        value = format_number(variance.mantissa, variance.exponent) if variance.resolved else "unresolved"
        bound = format_log2(self.log2_bound)
        name = self.bound_name + ("" if self.bounds[self.bound_name].applicable else ", not applicable")
        return f"BoundCheck({self.verdict}: variance={value}, bound={bound} ({name}), ratio={self.ratio:.4g})"

    def __str__(self) -> str:
        from .report import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from .report import as_html

        return as_html(self)

    def to_dict(self) -> dict[str, JSON]:
        """Everything as JSON-ready values; infinities and nan become None."""
        return {
            "problem": dict(self.problem),
            "variance": self.variance.to_dict(),
            "gradient_norm_sq": self.gradient_norm_sq.to_dict(),
            "signal_norm_sq": self.signal_norm_sq.to_dict(),
            "example_norm_sq": None if self.example_norm_sq is None else self.example_norm_sq.to_dict(),
            "log2_size": _json(self.log2_size),
            "bound": _json(self.bound),
            "log2_bound": _json(self.log2_bound),
            "bound_name": self.bound_name,
            "bounds": {name: bound.to_dict() for name, bound in self.bounds.items()},
            "ratio": _json(self.ratio),
            "verdict": self.verdict,
            "reason": self.reason,
            "assumptions": [{"name": a.name, "status": a.status, "evidence": a.evidence} for a in self.assumptions],
            "consequences": [
                {"name": c.name, "log2": _json(c.log2), "statement": c.statement} for c in self.consequences
            ],
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the variance, its interval and every bound on one logarithmic axis; return the Axes.

        Needs matplotlib (the extra `plot`).
        """
        from .plotting import plot_bound_check

        return plot_bound_check(self, ax)


def exp2(log2: float) -> float:
    """2**log2 without an exception: inf where it overflows, 0.0 where it underflows."""
    if math.isnan(log2) or math.isinf(log2):
        return 0.0 if log2 == -math.inf else log2
    whole = math.floor(log2)
    return power_of_two(2.0 ** (log2 - whole), whole)


def format_number(mantissa: float, exponent: int = 0, digits: int = 6) -> str:
    """A number for a reader: decimal where float64 can hold it, a power of ten beyond."""
    value = power_of_two(mantissa, exponent)
    if (value == 0 or math.isinf(value)) and mantissa != 0 and math.isfinite(mantissa):
        return ("-" if mantissa < 0 else "") + format_log2(log2_of(abs(mantissa), exponent), digits)
    return f"{value:.{digits}g}"


def format_log2(log2: float, digits: int = 6) -> str:
    """2**log2 for a reader, far outside the range of float64 too."""
    if not math.isfinite(log2) or abs(log2) < 1000:
        return f"{exp2(log2):.{digits}g}"
    log10 = log2 * math.log10(2)
    power = math.floor(log10)
    mantissa = f"{10 ** (log10 - power):.{digits}g}"
    return f"{mantissa}e{power:+d}" if float(mantissa) < 10 else f"1e{power + 1:+d}"


def percent(confidence: float | None) -> str:
    """0.95 as "95%"."""
    return "" if confidence is None else f"{100 * confidence:.6g}%"


def _json(value: float) -> float | None:
    return value if math.isfinite(value) else None
