"""Some members of a class: what a restriction of targets and one of tasks share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import Generic, SupportsIndex, TypeVar

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike
from .target import HasMembers, Members, Target, key

Home = TypeVar("Home", bound=HasMembers)

_HASHED = 64


class Selection(HasMembers, Generic[Home]):
    """A mixin: some members of a class with the uniform distribution over them, or as likely as they are there.

    Attributes
    ----------
    parent : hypothesis class
        The class that the members belong to; for a selection of a selection, the first one.
    size : int
        The number of members, m.
    """

    size: int

    def __init__(self, parent: Home, members: npt.ArrayLike | Iterable[Target]) -> None:
        rows = np.array(parent._descriptions(members))
        self.parent: Home = parent.parent if isinstance(parent, Selection) else parent
        self.labels: str = getattr(parent, "labels", "real")
        evidence: tuple[str, str] | None = getattr(parent, "label_evidence", None)
        if evidence is not None:
            self.label_evidence = evidence
        self.n_outputs: int = getattr(parent, "n_outputs", 1)
        self.second_moment: float = getattr(parent, "second_moment", 1.0)
        self.size = rows.shape[0]
        self.prior = _renormalised(parent._chances(rows))
        self._members = rows
        self._members.setflags(write=False)
        self._described_by_numbers = parent._described_by_numbers
        self._described_by_objects = parent._described_by_objects

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.parent!r}, {self.size} members)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selection) or self.parent != other.parent:
            return False
        return np.array_equal(self._members, other._members)

    def __hash__(self) -> int:
        return hash((self.parent, self.size, *self._members[:_HASHED].ravel().tolist()))

    @property
    def description(self) -> str:
        """The class in words."""
        return f"{self.size:,} members of: {getattr(self.parent, 'description', repr(self.parent))}"

    def members(self) -> Members:
        """Return the members' descriptions in the parent, in the order they were given, shape (m, ...)."""
        return self._members

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return the descriptions of m members drawn independently, shape (m, ...)."""
        return self._members[self._drawn(m, rng)]

    def _checked(self, rows: Members) -> Members:
        found = np.asarray(self.parent._checked(rows), dtype=self._members.dtype)
        for row in found:
            if key(row) not in self._numbers:
                raise ValueError(
                    f"{Target(self.parent, np.asarray(row))!r} is not one of the {self.size} members of {self!r}"
                )
        return found

    def _numbered(self, number: int) -> Members:
        return np.asarray(self._members[number])

    @cached_property
    def _numbers(self) -> dict[Hashable, int]:
        """A number for each different member."""
        numbers: dict[Hashable, int] = {}
        for row in self._members:
            numbers.setdefault(key(row), len(numbers))
        return numbers


def _renormalised(chances: Array | None) -> Array | None:
    """Their probabilities, given that it is one of these members; a single one may have been impossible."""
    if chances is None or np.ptp(chances) == 0 < chances[0] or len(chances) == 1:
        return None
    if not chances.any():
        raise ValueError("`members` must have one whose probability is not 0: no distribution is left over them")
    return np.asarray(chances / chances.sum())
