"""What every class of the library offers beyond its formulas: single targets, subclasses, iteration and len()."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, SupportsIndex

import numpy as np
import numpy.typing as npt

from ..arguments import Array, SeedLike, integer
from ..errors import TooLargeError
from ..inputs import Inputs

if TYPE_CHECKING:
    from .restriction import Restriction

Members = npt.NDArray[np.generic]

_MOST_ITERATED = 2**24


class Evaluates(Protocol):
    """Something that evaluates its members."""

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values h(x), shape (m, n)."""


@dataclass(frozen=True, eq=False)
class Target:
    """One member of a class: a function from inputs (n, dim) to labels (n,).

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

    hypotheses: Evaluates
    which: Members

    def __call__(self, x: npt.ArrayLike) -> Array:
        """Return h(x), shape (n,), for inputs x of shape (n, dim)."""
        return np.asarray(self.hypotheses.evaluate(self.which[None], x)[0])

    def __repr__(self) -> str:
        which: object = self.which
        if self.which.dtype == np.bool_:
            which = np.flatnonzero(self.which).tolist()
        elif self.which.ndim:
            which = np.array2string(self.which, threshold=8, precision=4, separator=", ")
        return f"<target {which} of {self.hypotheses!r}>"


class Combinators(ABC):
    """A mixin: `member`, `restrict`, iteration and `len` for a class with `size`, `members`, `sample`, `evaluate`.

    `size` is the number of members; None where they are infinitely many.
    """

    inputs: Inputs
    size: int | None

    @abstractmethod
    def members(self) -> Members:
        """Return the descriptions of all members, shape (|H|, ...)."""

    @abstractmethod
    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return the descriptions of m members drawn independently, shape (m, ...)."""

    @abstractmethod
    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values h(x), shape (m, n)."""

    def member(self, which: SupportsIndex | npt.ArrayLike) -> Target:
        """Return one member as a function of the inputs.

        Parameters
        ----------
        which : int or array_like
            Its number in the order of `members()`; or its description, as a row of `members()` or `sample()`. Where
            members are described by numbers, the description.

        Raises
        ------
        ValueError, TypeError
            A number out of range, a number where there are infinitely many members, or no description of a member.
        """
        return Target(self, self._description(which))

    def restrict(self, members: npt.ArrayLike | Sequence[Target]) -> Restriction:
        """Return the class of these members only, on the same inputs.

        Parameters
        ----------
        members : sequence
            Numbers in the order of `members()`, descriptions (as `sample` returns them), or targets of this class.

        Returns
        -------
        Restriction
            A class of m members, whose Gram matrix is known where this class's inner products are, or where its
            inputs can be enumerated.

        Examples
        --------
        >>> import gradvar as gv
        >>> H = gv.SparseParities(1000, 5)
        >>> H.restrict(H.sample(64, rng=0)).operator_norm()
        0.015625
        """
        from .restriction import Restriction

        if isinstance(members, Sequence) and any(isinstance(one, Target) for one in members):
            members = [one.which if isinstance(one, Target) else one for one in members]
        given = [self._description(one) for one in np.asarray(members)]
        return Restriction(self, np.array(given) if given else np.empty(0))

    def _description(self, which: SupportsIndex | npt.ArrayLike) -> Members:
        """The description of the member with this number, or this description made sure to be one."""
        description = np.asarray(which)
        if description.ndim == 0 and not self._described_by_numbers:
            if self.size is None:
                raise TypeError(
                    f"{self!r} has infinitely many members, which have no numbers; give a description, as "
                    f"sample(1) returns it, got {which!r}"
                )
            if description.dtype.kind not in "iu":
                raise TypeError(f"a member of {self!r} is a number or a row of members(), got {which!r}")
            return self._numbered(integer("which", int(description), 0, self.size - 1))
        self.evaluate(description[None], self.inputs.sample(1, np.random.default_rng(0)))
        return description

    _described_by_numbers = False

    def _numbered(self, number: int) -> Members:
        """The description of a member by its number in the order of `members()`."""
        return np.asarray(self.members()[number])

    def __len__(self) -> int:
        if self.size is None:
            raise TypeError(f"{self!r} has infinitely many members and no len(); see log2_size")
        return self.size

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Target]:
        """Yield every member as a function, in the order of `members()`."""
        if self.size is None:
            raise TypeError(f"{self!r} has infinitely many members; draw some with sample(m, rng)")
        if self.size > _MOST_ITERATED:
            raise TooLargeError(
                f"{self!r} has 2^{math.log2(self.size):.4g} members, too many to iterate over (2^24 is the most); "
                "take one with member(i), or draw some with sample(m, rng)"
            )
        numbers = self.members() if self._described_by_numbers else range(self.size)
        return (self.member(number) for number in numbers)
