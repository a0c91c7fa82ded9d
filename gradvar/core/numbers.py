"""Numbers far outside the range of float64, as mantissa and power of two, and as words for a reader."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

ROUNDING = 1e-12
"""Relative error allowed for float64 rounding in a number that is exact otherwise: sums of n terms, networks of
usual depth and compensated merges stay two orders of magnitude below it."""
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


@dataclass(frozen=True)
class Scaled:
    """The number mantissa * 2**exponent, known up to error * 2**exponent."""

    mantissa: float
    error: float = 0.0
    exponent: int = 0

    def times(self, factor: float, exponent: int = 0) -> Scaled:
        """Return the number times factor * 2**exponent, factor >= 0."""
        return Scaled(self.mantissa * factor, self.error * factor, self.exponent + exponent)

    def times_exp(self, log: float) -> Scaled:
        """Return the number times e**log."""
        whole = math.floor(log / math.log(2))
        return self.times(math.exp(log - whole * math.log(2)), whole)

    def over(self, count: int) -> Scaled:
        """Return the number over a positive integer of any size."""
        shift = max(0, count.bit_length() - 512)
        return self.times(1 / float(count >> shift), -shift)

    def error_at(self, exponent: int) -> float:
        """The error in units of 2**exponent."""
        return power_of_two(self.error, self.exponent - exponent)

    @property
    def relative_error(self) -> float:
        """error / |mantissa|; inf where only the mantissa is 0, 0 where both are."""
        if self.mantissa == 0:
            return math.inf if self.error else 0.0
        return self.error / abs(self.mantissa)

    @classmethod
    def total(cls, parts: Iterable[Scaled]) -> Scaled:
        """Return the sum, in units of the largest part; errors add."""
        parts = [part for part in parts if part.mantissa or part.error]
        top = max(
            (part.exponent + math.frexp(abs(part.mantissa) + part.error)[1] for part in parts if _is_finite(part)),
            default=0,
        )
        mantissa, error = (
            math.fsum(math.ldexp(end, max(part.exponent - top, -2200)) for part, end in zip(parts, ends, strict=True))
            for ends in ([part.mantissa for part in parts], [part.error for part in parts])
        )
        return cls(mantissa, error, top)


def _is_finite(part: Scaled) -> bool:
    return math.isfinite(part.mantissa) and math.isfinite(part.error)


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


def json_number(value: float) -> float | None:
    """The number for JSON, which has neither infinities nor nan: None for these."""
    return float(value) if math.isfinite(value) else None
