"""Rows of scalars: which columns tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None


def distinguishing_columns(
    rows: Sequence[Mapping[str, Scalar]], names: Sequence[str], given: Sequence[str] = ()
) -> list[str]:
    """Those of `names`, as few as it takes, that tell rows apart which `given` does not."""

    def kinds(columns: Sequence[str]) -> int:
        return len({tuple(row.get(name) for name in columns) for row in rows})

    kept = [name for name in names if name not in given]
    for name in list(kept):
        fewer = [other for other in kept if other != name]
        if kinds([*given, *fewer]) == kinds([*given, *kept]):
            kept = fewer
    return kept
