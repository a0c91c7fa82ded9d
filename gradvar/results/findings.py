"""Bounds, assumptions and consequences: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.numbers import exp2
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
    exact : bool
        Whether the norm behind it is exact up to rounding; otherwise it is an estimate.
    applicable : bool
        Whether its assumptions hold for this class and loss.
    reason : str
        Why it applies, or why not.
    """

    listed = "name formula value log2 log2_interval log2_constant exact applicable reason"

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


@dataclass(frozen=True)
class Assumption(Plain):
    """One assumption of Theorem 1 and how it is known.

    `status` is "proved" (by mathematics), "checked" (computed in full), "estimated" (on a sample), "claimed" (by the
    class, with no way to look) or "failed".
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
    def seed(self) -> int | None:
        """What `rng` was reduced to."""
        return self.variance.seed

    @property
    def bound(self) -> float:
        """The bound that the verdict is about."""
        return self.bounds[self.bound_name].value

    @property
    def log2_bound(self) -> float:
        """log2 of the bound that the verdict is about."""
        return self.bounds[self.bound_name].log2
