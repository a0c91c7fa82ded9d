"""One member of a class, and the ways to name it: by number, by description."""

from __future__ import annotations

import math
import operator
import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, SupportsIndex, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike, generator, integer
from ...core.errors import ShapeError, TooLargeError
from ..inputs import Inputs

Members = npt.NDArray[np.generic]


_MOST_ITERATED = 2**24


@dataclass(frozen=True, eq=False)
class Target:
    """One member of a class: a function from inputs (n, dim) to labels (n,). Of a task class, a task with its inputs.

    Equal to another where their classes and their descriptions are.

    Attributes
    ----------
    hypotheses : HypothesisClass
        The class it is a member of.
    which : ndarray
        Its description there: one row of what `members()` and `sample` return.

    Examples
    --------
    >>> import gradvar as gv
    >>> h = gv.Parities(3).member([True, True, False])
    >>> h([[-1, 1, -1], [-1, -1, 1]])
    array([-1.,  1.])
    """

    hypotheses: HasMembers
    which: Members

    def __call__(self, x: npt.ArrayLike) -> Array:
        """Return h(x), shape (n,), for inputs x of shape (n, dim)."""
        return np.asarray(self.hypotheses._labels(self.which[None], x)[0])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Target) or self.hypotheses != other.hypotheses:
            return False
        return np.array_equal(self.which, other.which)

    def __hash__(self) -> int:
        return hash((self.hypotheses, *self.which.ravel().tolist()))

    def __repr__(self) -> str:
        if self.which.dtype == np.bool_:
            which = f"on coordinates {_short(np.flatnonzero(self.which))}"
        else:
            which = _short(self.which)
        return f"<target {which} of {self.hypotheses!r}>"


def _short(array: Members) -> str:
    return np.array2string(
        array, threshold=8, edgeitems=3, precision=4, separator=", ", max_line_width=1000, formatter={"int": str}
    )


@runtime_checkable
class _Unranks(Protocol):
    """A class that finds the description of member number i without listing all."""

    def _numbered(self, number: int) -> Members:
        """The description of a member by its number in the order of `members()`."""


class HasMembers(ABC):
    """A mixin: `member`, iteration and `len` for a class with `size` and `members`.

    A class that finds member number i without listing all says how in `_numbered(i)`; one whose descriptions are
    numbers, or other single objects, says so in `_described_by_numbers` or `_described_by_objects`.
    """

    inputs: Inputs
    if TYPE_CHECKING:  # an attribute or a property, as the class likes

        @property
        def size(self) -> int | None:
            """The number of members; None where they are infinitely many."""

    _described_by_numbers = False
    _described_by_objects = False
    prior: Array | None = None
    """The probabilities of the members in the order of `members()`; None where they are equal."""

    @property
    def log2_size(self) -> float:
        """log2 |H|; inf where there are infinitely many members."""
        return math.inf if self.size is None else math.log2(self.size)

    @property
    def _key(self) -> object:
        """The parameters that two equal classes share; without it, a class is equal to itself alone."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and bool(self._key == other._key)

    def __hash__(self) -> int:
        return hash((type(self), self._key))

    @abstractmethod
    def members(self) -> Members:
        """Return the descriptions of all members, shape (|H|, ...)."""

    @abstractmethod
    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        """The labels of inputs x for each of these members, shape (m, n)."""

    @abstractmethod
    def _checked(self, rows: Members) -> Members:
        """These rows, if each describes a member, else an error."""

    def member(self, which: SupportsIndex | npt.ArrayLike) -> Target:
        """Return one member as a function of the inputs.

        Parameters
        ----------
        which : int or array_like
            Its number in the order of `members()`, counted from 0; or its description, as a row of `members()` or
            `sample()`. Where members are described by numbers, the description.

        Raises
        ------
        ValueError, TypeError
            A number out of range, a number where there are infinitely many members, or no description of a member.

        Examples
        --------
        >>> import gradvar as gv
        >>> gv.SparseParities(1000, 3).member(10**8)
        <target on coordinates [221, 555, 844] of SparseParities(dim=1000, degree=3)>
        """
        number = _as_number(which)
        describes = self._described_by_objects or np.ndim(cast(npt.ArrayLike, which)) > 0
        if self._described_by_numbers or (number is None and describes):
            return Target(self, np.asarray(self._checked(np.asarray(which)[None])[0]))
        if number is None:
            raise TypeError(f"`which` must be the number of a member of {self!r} or its description, got {which!r}")
        return Target(self, self._numbered_rows("which", [number])[0])

    def _drawn(self, m: SupportsIndex, rng: SeedLike) -> npt.NDArray[np.intp]:
        """The numbers of m members drawn independently."""
        source, count = generator(rng), integer("m", m, 0)
        if self.prior is None:
            return source.integers(0, len(self), size=count)
        return source.choice(len(self), size=count, p=self.prior)

    def _chances(self, rows: Members) -> Array | None:
        """The probabilities that these members have, one after the other; None where all are equal."""
        if self.prior is None:
            return None
        chances = {key(row): chance for row, chance in zip(self.members(), self.prior, strict=True)}
        return np.array([chances[key(row)] for row in rows])

    def _descriptions(self, members: npt.ArrayLike | Iterable[Target]) -> Members:
        """The descriptions of these members, shape (m, ...), made sure to be members."""
        if not isinstance(members, np.ndarray):
            try:
                members = list(cast(Iterable[Target], members))
            except TypeError:
                raise TypeError(f"`members` must be a sequence of members of {self!r}, got {members!r}") from None
            if any(isinstance(one, Target) for one in members):
                members = np.array([self._own(one) for one in members])
        if len(members) == 0:
            raise ShapeError("`members` must name at least one member: an empty class has no gradient variance")
        if not self._described_by_numbers and np.ndim(cast(npt.ArrayLike, members[0])) == 0:
            numbers = [_as_number(one) for one in members]
            if all(number is not None for number in numbers):
                return self._numbered_rows("members", [number for number in numbers if number is not None])
        try:
            rows = np.asarray(members)
        except ValueError:
            raise ShapeError(f"`members` must be descriptions of one shape, or numbers, got {members!r}") from None
        return self._checked(rows)

    def _own(self, one: object) -> Members:
        """The description of a target of this class, or of what stands beside targets in a list."""
        if not isinstance(one, Target):
            return self.member(cast(npt.ArrayLike, one)).which
        home = getattr(one.hypotheses, "parent", one.hypotheses)
        if self not in (one.hypotheses, home) and getattr(self, "parent", None) != home:
            raise ValueError(f"`members` must be members of {self!r}, got {one!r}")
        return one.which

    def _numbered_rows(self, name: str, numbers: list[int]) -> Members:
        """The descriptions of the members with these numbers."""
        size = self.size
        if size is None:
            raise TypeError(
                f"{self._unlisted}, which have no numbers; give descriptions, as sample(m, rng) returns them"
            )
        found = [integer(name, number, 0, size - 1) for number in numbers]
        return np.array([self._numbered(i) for i in found]) if isinstance(self, _Unranks) else self.members()[found]

    @property
    def _unlisted(self) -> str:
        """A class without `size` and the members that it has, for a message."""
        many = "infinitely many members" if self.log2_size == math.inf else "members that cannot be listed"
        return f"{self!r} has {many}"

    def __len__(self) -> int:
        size = self.size
        if size is None:
            raise TypeError(f"{self._unlisted} and no len(); see log2_size")
        if size > sys.maxsize:
            raise OverflowError(f"len() of {self!r} does not fit in a machine integer; use .size or .log2_size")
        return size

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Target]:
        """Yield every member as a function, in the order of `members()`."""
        size = self.size
        if size is None:
            raise TypeError(f"{self._unlisted}; draw some with sample(m, rng)")
        if size > _MOST_ITERATED:
            raise TooLargeError(
                f"{self!r} has 2^{math.log2(size):.4g} members, too many to iterate over (2^24 is the most); "
                "take one with member(i), or draw some with sample(m, rng)"
            )
        rows = map(self._numbered, range(size)) if isinstance(self, _Unranks) else iter(self.members())
        return (Target(self, np.asarray(row)) for row in rows)


def key(row: object) -> Hashable:
    """The bytes of a description, by which members are told apart; of one that is an object, itself."""
    return row.tobytes() if isinstance(row, (np.ndarray, np.generic)) else row


def _as_number(value: object) -> int | None:
    """The value as an int if it is an integer, else None."""
    array = isinstance(value, np.ndarray) and (value.ndim > 0 or value.dtype.kind == "b")
    if array or isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(cast(SupportsIndex, value))
    except TypeError:
        return None
