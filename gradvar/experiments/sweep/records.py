"""The record of one problem of a sweep: one line of its file, one row of its table."""

from __future__ import annotations

import functools
import json
import math
import platform
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import metadata
from typing import TYPE_CHECKING

from ...core.numbers import JSON, exp2, format_log2, log2_end, log2_of
from ...results.bound_check import BoundCheck
from ...results.estimate import Estimate
from ...results.table import Scalar
from .recording import fingerprint, model_fingerprint

if TYPE_CHECKING:
    from .problems import NamedProblem


FORMAT = 1
BEGINNING = b'{"gradvar_sweep": %d, "parameters": {' % FORMAT
"""Every line begins like this, and no other file does."""


@functools.cache
def versions() -> dict[str, str]:
    """The versions of what a number is computed with."""

    packages = {name: metadata.version(name) for name in ("numpy", "scipy", "numba")}
    return {"gradvar": metadata.version("gradient-variance"), **packages, "python": platform.python_version()}


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of one problem. Numbers that are infinite, not known or not a number are None.

    Attributes
    ----------
    parameters : dict of str to str, int, float, bool or None
        What the problem is called.
    seed : int
        Seed of the model, where it was made, and of the samples.
    status : {"done", "failed", "interrupted"}
        "interrupted": the estimate from the samples until Ctrl-C.
    value, log2, low, high, log2_low, log2_high, standard_error, exact, confidence, method, n_samples
        The gradient variance and its interval, see `Estimate`. log2_low is None where low <= 0.
    bound, log2_bound, bound_name, verdict
        See `BoundCheck`.
    ratio, ratio_low, ratio_high
        value / bound, and the ends of the interval over the bound.
    gradient_norm_sq, log2_size, n_parameters
        G^2 = E||dp/dw||^2, log2 |H| and the number of the model's parameters.
    seconds : float
        Time that the problem took.
    error : str or None
        Why it failed.
    versions : dict of str to str
        What it was computed with.
    fingerprint : dict
        What tells this problem from another one of the same name: the parts in words and at a few inputs, the settings.
    """

    parameters: dict[str, Scalar]
    seed: int
    status: str
    value: float | None = None
    log2: float | None = None
    low: float | None = None
    high: float | None = None
    log2_low: float | None = None
    log2_high: float | None = None
    standard_error: float | None = None
    exact: bool | None = None
    confidence: float | None = None
    bound: float | None = None
    log2_bound: float | None = None
    bound_name: str | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    verdict: str | None = None
    method: str | None = None
    n_samples: int | None = None
    gradient_norm_sq: float | None = None
    log2_size: float | None = None
    n_parameters: int | None = None
    seconds: float
    error: str | None = None
    versions: dict[str, str] = field(default_factory=versions)
    fingerprint: dict[str, JSON] = field(default_factory=dict)

    @classmethod
    def done(cls, problem: NamedProblem, model: object, check: BoundCheck, seconds: float) -> Record:
        """The record of a check that came to its end."""
        variance, log2_bound = check.variance, check.log2_bound
        low, high = (_over(end, variance.exponent, log2_bound) for end in variance.mantissa_interval)
        parameters: int | None = getattr(model, "n_parameters", None)
        return replace(
            cls.interrupted(problem, variance, seconds),
            status="done",
            bound=_finite(check.bound),
            log2_bound=_finite(log2_bound),
            bound_name=check.bound_name,
            ratio=_finite(check.ratio),
            ratio_low=low,
            ratio_high=high,
            verdict=check.verdict,
            gradient_norm_sq=_finite(check.gradient_norm_sq.value),
            log2_size=_finite(float(check.log2_size)),
            n_parameters=None if parameters is None else int(parameters),
            fingerprint={**fingerprint(problem), "model": model_fingerprint(problem.H, model)},
        )

    @classmethod
    def interrupted(cls, problem: NamedProblem, estimate: Estimate | None, seconds: float) -> Record:
        """The record of an estimate from the samples until Ctrl-C; None is without any."""
        record = cls(parameters=problem.parameters, seed=problem.seed, status="interrupted", seconds=seconds)
        if estimate is None:
            return record
        low, high = estimate.interval
        log2_low, log2_high = (log2_end(end, estimate.exponent) for end in estimate.mantissa_interval)
        return replace(
            record,
            value=_finite(estimate.value) if estimate.resolved else None,
            log2=_finite(estimate.log2) if estimate.resolved else None,
            low=_finite(low),
            high=_finite(high),
            log2_low=_finite(log2_low),
            log2_high=_finite(log2_high),
            standard_error=_finite(estimate.standard_error),
            exact=estimate.exact,
            confidence=estimate.confidence,
            method=estimate.method,
            n_samples=estimate.n_samples,
        )

    @classmethod
    def failed(cls, problem: NamedProblem, error: BaseException, seconds: float) -> Record:
        """The record of an error."""
        return cls(
            parameters=problem.parameters,
            seed=problem.seed,
            status="failed",
            error=f"{type(error).__name__}: {error}",
            seconds=seconds,
        )

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Read a line of a file, or raise a ValueError."""
        values = json.loads(line)
        if not isinstance(values, dict) or values.pop("gradvar_sweep", None) != FORMAT:
            raise ValueError(f"not a record of a sweep in format {FORMAT}")
        if set(values) != {f.name for f in fields(cls)}:
            raise ValueError("not the fields of a record of a sweep")
        return cls(**values)

    def to_line(self) -> str:
        """The record as one line of JSON. Floats are written so that they are read back to the last bit."""
        return json.dumps({"gradvar_sweep": FORMAT, **asdict(self)}, allow_nan=False) + "\n"

    @property
    def key(self) -> str:
        """The parameters in one canonical text."""
        return key_of(self.parameters)

    def row(self) -> dict[str, Scalar]:
        """The record as one flat row: the parameters, then the columns."""
        columns = {name: value for name, value in vars(self).items() if name not in _NESTED}
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return {**self.parameters, **columns, "versions": versions}

    @property
    def text(self) -> str:
        """The number for a reader: "0.151367", "0.15 ± 0.01", or why there is none."""
        if self.status == "failed":
            return f"failed: {self.error}"
        if self.value is None or self.low is None or self.high is None:
            return "unresolved"
        if self.value == 0 and self.log2 is not None and self.log2_high is not None:  # it underflows
            half = exp2(self.log2_high - self.log2) - 1
            return format_log2(self.log2) if half <= 1e-6 else f"{format_log2(self.log2, 4)} ± {half:.2g} of it"
        half = (self.high - self.low) / 2
        return f"{self.value:.6g}" if half <= 1e-6 * abs(self.value) else f"{self.value:.4g} ± {half:.2g}"


_NESTED = ("parameters", "versions", "fingerprint")
NUMBERS = tuple(f.name for f in fields(Record) if "float" in str(f.type))
COLUMNS = frozenset({f.name for f in fields(Record)} - {"parameters", "fingerprint"})
"""The columns of the results beside the parameters, and those of them that are real numbers."""


def key_of(parameters: dict[str, Scalar]) -> str:
    """The parameters in one canonical text: what a record is found by."""
    return json.dumps(parameters, sort_keys=True, allow_nan=False)


def _over(mantissa: float, exponent: int, log2_bound: float) -> float | None:
    """An end of an interval over the bound, where either may underflow."""
    size = log2_of(abs(mantissa), exponent) - log2_bound
    return None if math.isnan(size) else _finite(math.copysign(exp2(size), mantissa))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
