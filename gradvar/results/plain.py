"""Results as plain data: numbers, words, lists and dicts of them, ready for JSON; and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from types import NoneType
from typing import ClassVar, Self, get_args, get_origin, get_type_hints

from ..core.numbers import JSON, json_number


@dataclass(frozen=True)
class Plain:
    """A dataclass of results whose `to_dict` has the attributes that are listed, and what else it is made of."""

    listed: ClassVar[str]
    """Their names, with a space between."""

    def to_dict(self) -> dict[str, JSON]:
        """Return the attributes as JSON-ready values; infinities and nan become None.

        Under "fields" stands what `from_dict` needs besides: numbers as mantissa and exponent, where they may leave the
        range of float64, and "inf", "-inf" or "nan" for a None that is one of these.
        """
        shown = {name: _plain(getattr(self, name)) for name in self.listed.split()}
        made_of = {f.name: getattr(self, f.name) for f in fields(self)}
        unsaid = {name: _plain(value, str) for name, value in made_of.items() if _is_unsaid(name in shown, value)}
        return {**shown, "fields": unsaid} if unsaid else shown

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> Self:
        """Return the result of which `to_dict` made this, also where it went through JSON in between.

        Raises
        ------
        ValueError
            Something is missing: it was made by an earlier version, or of something else.
        """
        given: Mapping[str, JSON] = data if isinstance(data, Mapping) else {}
        unsaid = given.get("fields")
        known = {**given, **(unsaid if isinstance(unsaid, Mapping) else {})}
        needed = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
        missing = ", ".join(repr(name) for name in needed if name not in known)
        if missing:
            raise ValueError(f"`data` must be what `to_dict()` of {cls.__name__} returned: it lacks {missing}")
        kinds = get_type_hints(cls)
        return cls(**{f.name: _read(kinds[f.name], known[f.name]) for f in fields(cls) if f.name in known})


def _plain(value: object, infinite: type[str] | None = None) -> JSON:
    """The value for JSON, numbers that are infinite or nan as None or as words."""
    if isinstance(value, Plain):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(part, infinite) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_plain(part, infinite) for part in value]
    if isinstance(value, float):
        return json_number(value) if infinite is None or math.isfinite(value) else infinite(value)
    assert value is None or isinstance(value, (int, str))
    return value


def _is_unsaid(shown: bool, value: object) -> bool:
    """Whether what is shown of a field, if anything, does not say it."""
    parts = value if isinstance(value, tuple) else (value,)
    return not shown or any(isinstance(part, float) and not math.isfinite(part) for part in parts)


def _read(kind: object, value: JSON) -> object:
    """The value of a field of this type."""
    parts = [part for part in get_args(kind) if part not in (NoneType, ...)]
    if isinstance(value, list):
        return tuple(_read(parts[0], part) for part in value)
    if isinstance(value, dict) and get_origin(kind) is dict:
        return {key: _read(parts[1], part) for key, part in value.items()}
    if isinstance(value, dict):
        (made,) = (part for part in (kind, *parts) if isinstance(part, type) and issubclass(part, Plain))
        return made.from_dict(value)
    return float(value) if value is not None and float in (kind, *parts) else value
