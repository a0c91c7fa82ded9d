"""tqdm's bar, of a terminal or of a notebook. A module of its own: imported where a bar is drawn, for its time."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Never, TypeVar, overload

with warnings.catch_warnings():
    # A notebook without ipywidgets has the bar of a terminal, and need not be warned of that where none is shown.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from tqdm.auto import tqdm as base

Item = TypeVar("Item")
if TYPE_CHECKING:

    class _Base(base[Item]):
        """tqdm's class, which has a type of items to mypy alone."""
else:

    class _Base(base, Generic[Item]):
        """tqdm's class, which has a type of items to mypy alone."""


class tqdm(_Base[Item]):  # noqa: N801 - it stands for tqdm's own
    """A bar that is drawn where somebody looks, never in a file, and is taken away when an exception ends it."""

    monitor_interval = 0  # no thread stays behind

    @overload
    def __init__(self: tqdm[Never], *, unit: str, total: float, disable: bool = ..., miniters: float = ...) -> None: ...
    @overload
    def __init__(self: tqdm[Never], *, unit: str) -> None: ...
    @overload
    def __init__(self, items: Iterable[Item], *, unit: str = ..., desc: str = ..., disable: bool = ...) -> None: ...
    def __init__(
        self,
        items: Iterable[Item] | None = None,
        *,
        unit: str = "it",
        desc: str | None = None,
        total: float | None = None,
        disable: bool = False,
        miniters: float | None = None,
    ) -> None:
        hidden = disable or not is_watched()
        items = iter(()) if items is None else items  # of these tqdm asks no length
        super().__init__(items, desc, total, disable=hidden, unit=unit, miniters=miniters, dynamic_ncols=True)

    def __iter__(self) -> Iterator[Item]:
        with self:
            for item in self.iterable:
                yield item
                self.update()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.leave, self.total = False, None  # a notebook keeps a bar that has not reached its total
        super().__exit__(kind, error, traceback)


def is_watched() -> bool:
    """Whether stderr is a terminal, or this is a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", ()) or bool(getattr(sys.stderr, "isatty", lambda: False)())
