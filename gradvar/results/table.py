"""Tables: rows of plain values, as dicts, as a data frame and as aligned text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

Scalar: TypeAlias = str | int | float | bool | None


class Table(ABC):
    """Rows of plain values that a computation returns; iterating yields them."""

    column_types: ClassVar[Mapping[str, type]] = {}
    """Columns of numbers that every row has, and their types: a data frame without rows has these."""

    @abstractmethod
    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return the rows; numbers that are infinite, or that there are none of, are None."""

    def __iter__(self) -> Iterator[dict[str, Scalar]]:
        return iter(self.to_dicts())

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame, with nan in the place of None.

        Raises
        ------
        ImportError
            Without pandas (the extra `pandas`).
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("`to_pandas` needs pandas: pip install 'gradient-variance[pandas]'") from error
        rows = self.to_dicts()
        frame = pd.DataFrame.from_records(rows, columns=None if rows else list(self.column_types))
        return frame.astype({name: kind for name, kind in self.column_types.items() if name in frame})


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines of text whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def columns(rows: Iterable[Mapping[str, Scalar]]) -> list[str]:
    """Return the names of all columns, in the order in which they occur."""
    return list(dict.fromkeys(name for row in rows for name in row))


def distinguishing_columns(
    rows: Sequence[Mapping[str, Scalar]], names: Sequence[str], given: Sequence[str] = ()
) -> list[str]:
    """Return those of `names`, as few as it takes, in which rows differ that agree in the columns `given`."""

    def kinds(chosen: Sequence[str]) -> int:
        return len({tuple(row.get(name) for name in chosen) for row in rows})

    kept = [name for name in names if name not in given]
    for name in list(kept):
        fewer = [other for other in kept if other != name]
        if kinds([*given, *fewer]) == kinds([*given, *kept]):
            kept = fewer
    return kept
