"""A cache of tiles with a byte limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

Key: TypeAlias = tuple[int, int]


class Sized(Protocol):
    """An object that says how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Its bytes."""


Made = TypeVar("Made", bound=Sized)


class TileCache(Generic[Made]):
    """A cache of tiles with a byte limit; one thread makes a tile, others wait.

    Once the limit is reached, tiles that are not in it are made whenever they are asked for.
    """

    def __init__(self, nbytes: int) -> None:
        self._nbytes, self._full = nbytes, False
        self._made: dict[Key, Made] = {}
        self._locks: dict[Key, threading.Lock] = {}

    def get(self, key: Key, make: Callable[[], Made]) -> Made:
        """Return what was kept for the key, or make it."""
        if self._full and key not in self._made:
            return make()
        with self._locks.setdefault(key, threading.Lock()):
            kept = self._made.get(key)
            if kept is None:
                kept = make()
                self._full = kept.nbytes * (len(self._made) + 1) > self._nbytes
                if not self._full:
                    self._made[key] = kept
            return kept
