"""Results as plain data: numbers, words, lists and dicts of them, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..core.numbers import JSON, json_number


class Plain:
    """A result whose `to_dict` has the attributes that are listed."""

    listed: ClassVar[str]
    """Their names, with a space between."""

    def to_dict(self) -> dict[str, JSON]:
        """Return the attributes as JSON-ready values; infinities and nan become None."""
        return {name: _plain(getattr(self, name)) for name in self.listed.split()}


def _plain(value: object) -> JSON:
    if isinstance(value, Plain):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return json_number(value)
    assert value is None or isinstance(value, (int, str))
    return value
