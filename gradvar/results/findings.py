"""Bounds, assumptions and consequences: plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from ..core.numbers import exp2, format_log2
from .estimate import Estimate
from .plain import Plain


@dataclass(frozen=True, kw_only=True)
class Bound(Plain):
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
    interval : (float, float)
        The same, as numbers.
    exact : bool
        Whether the norm behind it is exact up to rounding; otherwise it is an estimate.
    n_samples : int
        Samples of the norm that the width of the interval comes from; 0 where it comes from elsewhere.
    applicable : bool
        Whether its assumptions hold for this class and loss.
    reason : str
        Why it applies, or why not.
    """

    listed = "name formula value log2 interval log2_interval log2_constant exact n_samples applicable reason"

    name: str
    formula: str
    log2_constant: float
    log2: float
    log2_interval: tuple[float, float]
    exact: bool
    applicable: bool
    reason: str
    n_samples: int = 0

    def times(self, log2_factor: float, said: str) -> Bound:
        """Return the bound times 2**log2_factor, said in the formula; zero times what is not known is zero."""

        def moved(log2: float) -> float:
            return log2 if log2 == math.inf > log2_factor > -math.inf else log2_factor + min(log2, 1e300)

        low, high = self.log2_interval
        return replace(
            self,
            formula=f"{said} {self.formula}",
            log2_constant=moved(self.log2_constant),
            log2=moved(self.log2),
            log2_interval=(moved(low), moved(high)),
        )

    @property
    def value(self) -> float:
        """The bound; 0.0 where it underflows."""
        return exp2(self.log2)

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high)."""
        low, high = self.log2_interval
        return exp2(low), exp2(high)

    @property
    def spread(self) -> str:
        """The interval for a reader; "" where it is narrower than the six digits that are printed, or not known."""
        low, high = self.log2_interval
        return f"[{format_log2(low)}, {format_log2(high)}]" if high - low > 1e-6 / math.log(2) else ""


@dataclass(frozen=True)
class Assumption(Plain):
    """One assumption of Theorem 1 and how it is known.

    `status` is "proved" (by mathematics), "checked" (computed in full), "estimated" (on a sample), "claimed" (by the
    class, with no way to look), "unknown" (nobody says) or "failed".
    """

    listed = "name status evidence"

    name: str
    status: str
    evidence: str


@dataclass(frozen=True)
class Consequence(Plain):
    """One meaning of the variance for an optimiser: a number, as base-2 logarithm, and the sentence around it."""

    listed = "name log2 statement"

    name: str
    log2: float
    statement: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings(Plain):
    """The fields of a `BoundCheck`: what its report and its plot read."""

    variance: Estimate
    gradient_norm_sq: Estimate
    signal_norm_sq: Estimate
    log2_size: float
    bound_name: str | None
    bounds: dict[str, Bound]
    ratio: float
    verdict: str
    reason: str
    assumptions: tuple[Assumption, ...]
    consequences: tuple[Consequence, ...]
    problem: dict[str, str] = field(default_factory=dict)
    example_norm_sq: Estimate | None = None

    @property
    def seed(self) -> int | None:
        """The int that `rng` was reduced to."""
        return self.variance.seed

    @property
    def bound(self) -> float:
        """The bound that the verdict is about; nan where there is none."""
        return math.nan if self.bound_name is None else self.bounds[self.bound_name].value

    @property
    def log2_bound(self) -> float:
        """log2 of the bound that the verdict is about; nan where there is none."""
        return math.nan if self.bound_name is None else self.bounds[self.bound_name].log2
