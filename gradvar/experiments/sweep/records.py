"""The record of one problem of a sweep: one line of its file, one row of its table."""

from __future__ import annotations

import functools
import json
import math
import platform
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import metadata
from types import MappingProxyType

from ...core.numbers import JSON, exp2, format_log2, json_number, log2_end, log2_of, power_of_two
from ...core.version import __version__
from ...results.bound_check import BoundCheck
from ...results.estimate import Estimate
from ...results.table import Scalar

FORMAT = 1
BEGINNING = b'{"gradvar_sweep": %d, "parameters": {' % FORMAT
"""Every line begins like this, and no other file does."""


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of what a number is computed with."""
    packages = {name: metadata.version(name) for name in ("numpy", "scipy", "numba")}
    return {"gradvar": __version__, **packages, "python": platform.python_version()}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One problem and its result. Numbers that are infinite, not known or not a number are None.

    Attributes
    ----------
    parameters : dict of str to str, int, float, bool or None
        The names and values that the problem is called by.
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
    signal_norm_sq, signal_share
        E||s||^2, and the value over it: the share of the signal that tells targets apart.
    alignment, log2_alignment, alignment_low, alignment_high, log2_alignment_low, log2_alignment_high
        E_h ||E_x[h s]||^2 and its interval, see `gradient_alignment`; None where it was not asked for.
    seconds : float
        Time that the problem took.
    error : str or None
        Why it failed.
    versions : dict of str to str
        The packages it was computed with.
    fingerprint : dict
        The parts in words and at a few inputs, and the settings: they differ from those of another problem of the same
        name. Empty for the checkpoints of a training run.
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
    signal_norm_sq: float | None = None
    signal_share: float | None = None
    alignment: float | None = None
    log2_alignment: float | None = None
    alignment_low: float | None = None
    alignment_high: float | None = None
    log2_alignment_low: float | None = None
    log2_alignment_high: float | None = None
    seconds: float
    error: str | None = None
    versions: dict[str, str] = field(default_factory=versions)
    fingerprint: dict[str, JSON] = field(default_factory=dict)

    @classmethod
    def of_estimate(cls, parameters: dict[str, Scalar], seed: int, estimate: Estimate | None, seconds: float) -> Record:
        """Return the record of a problem that Ctrl-C has ended, with the estimate so far where there is one."""
        record = cls(parameters=parameters, seed=seed, status="interrupted", seconds=seconds)
        if estimate is None:
            return record
        found, (low, high) = estimate.to_dict(), estimate.interval
        vars(record).update({name: found[name] for name in _OF_ESTIMATE})
        log2_low, log2_high = (json_number(log2_end(end, estimate.exponent)) for end in estimate.mantissa_interval)
        return replace(record, low=json_number(low), high=json_number(high), log2_low=log2_low, log2_high=log2_high)

    @classmethod
    def of_check(
        cls,
        parameters: dict[str, Scalar],
        seed: int,
        model: object,
        check: BoundCheck,
        seconds: float,
        alignment: Estimate | None = None,
    ) -> Record:
        """Return the record of a check of the bounds of this model, with its alignment where that was asked for."""
        record = cls.of_estimate(parameters, seed, check.variance, seconds)
        found, n_parameters = check.to_dict(), getattr(model, "n_parameters", None)
        vars(record).update({name: found[name] for name in _OF_CHECK})
        if alignment is not None:
            vars(record).update(numbers("alignment", alignment))
        ratio_low, ratio_high = (
            _quotient(end, check.variance.exponent, check.log2_bound) for end in check.variance.mantissa_interval
        )
        return replace(
            record,
            status="done",
            ratio_low=ratio_low,
            ratio_high=ratio_high,
            gradient_norm_sq=json_number(check.gradient_norm_sq.value),
            signal_norm_sq=json_number(check.signal_norm_sq.value),
            signal_share=_quotient(check.variance.mantissa, check.variance.exponent, check.signal_norm_sq.log2),
            n_parameters=None if n_parameters is None else int(n_parameters),
        )

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Read a line of a file, or raise a ValueError."""
        values = json.loads(line)
        if not isinstance(values, dict) or values.pop("gradvar_sweep", None) != FORMAT:
            raise ValueError(f"not a record of a sweep in format {FORMAT}")
        # files of 0.1.0 lack the columns that are younger
        if not {f.name for f in fields(cls)} - _YOUNGER <= set(values) <= {f.name for f in fields(cls)}:
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
        if not self.is_resolved:
            return "unresolved"
        return text_of(self.value, self.low, self.high, self.log2, self.log2_high)

    @property
    def is_resolved(self) -> bool:
        """Whether there is a variance with an interval of two ends."""
        return None not in (self.value, self.low, self.high)


_OF_ESTIMATE = ("value", "log2", "standard_error", "exact", "confidence", "method", "n_samples")
_OF_CHECK = ("bound", "log2_bound", "bound_name", "ratio", "verdict", "log2_size")
"""The columns that are what an estimate and a check of the bounds say by the same names."""
_YOUNGER = {f.name for f in fields(Record) if f.name.startswith("signal_") or "alignment" in f.name}
_NESTED = ("parameters", "versions", "fingerprint")
NUMBERS = MappingProxyType({f.name: float for f in fields(Record) if "float" in str(f.type)})
COLUMNS = frozenset({f.name for f in fields(Record)} - {"parameters", "fingerprint"})
"""The columns of the results beside the parameters, and those of them that are real numbers."""


def numbers(name: str, estimate: Estimate) -> dict[str, float | None]:
    """The columns of an estimate: the number, the ends of its interval, and the logarithms of all three."""
    ends = [estimate.mantissa, *estimate.mantissa_interval]
    names = [name, f"{name}_low", f"{name}_high"]
    found = {column: power_of_two(end, estimate.exponent) for column, end in zip(names, ends, strict=True)}
    logs = {f"log2_{column}": log2_of(end, estimate.exponent) for column, end in zip(names, ends, strict=True)}
    return {column: json_number(value) for column, value in {**found, **logs}.items()}


def text_of(
    value: float | None, low: float | None, high: float | None, log2: float | None, log2_high: float | None
) -> str:
    """A number for a reader, with half the width of its interval where there is one."""
    if value is None:
        return ""
    if value == 0 and log2 is not None:  # it underflows
        half = 0.0 if log2_high is None else exp2(log2_high - log2) - 1
        return format_log2(log2) if half <= 1e-6 else f"{format_log2(log2, 4)} ± {half:.2g} of it"
    half = 0.0 if low is None or high is None else (high - low) / 2
    return f"{value:.6g}" if half <= 1e-6 * abs(value) else f"{value:.4g} ± {half:.2g}"


def key_of(parameters: dict[str, Scalar]) -> str:
    """The parameters in one canonical text: what a record is found by."""
    return json.dumps(parameters, sort_keys=True, allow_nan=False)


def _quotient(mantissa: float, exponent: int, log2_bound: float) -> float | None:
    """Return mantissa * 2**exponent / bound, of which either may underflow."""
    log2 = log2_of(abs(mantissa), exponent) - log2_bound
    return None if math.isnan(log2) else json_number(math.copysign(exp2(log2), mantissa))
