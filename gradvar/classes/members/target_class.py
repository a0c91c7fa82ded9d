"""What every class of the library offers beyond its formulas: single targets, subclasses, iteration and len()."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike
from ..gram.table import EvaluatedTable, Table
from .target import HasMembers, Members, Target

if TYPE_CHECKING:
    from .restriction import Restriction


class TargetClass(HasMembers):
    """A mixin: `member`, `restrict`, iteration and `len` for a class with `size`, `members`, `sample`, `evaluate`.

    A class where not everything that can be evaluated is a member refuses the rest in `_checked`.
    """

    @abstractmethod
    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return the descriptions of m members drawn independently, shape (m, ...)."""

    @abstractmethod
    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values h(x), shape (m, n)."""

    def restrict(self, members: npt.ArrayLike | Iterable[Target]) -> Restriction:
        """Return the class of these members only, on the same inputs.

        Parameters
        ----------
        members : sequence
            Descriptions (as `sample` and `members` return them), numbers in the order of `members()`, or targets of
            this class; one that is named twice counts twice.

        Returns
        -------
        Restriction
            A class of m members, whose Gram matrix is known where this class's inner products are, or where its
            inputs can be enumerated.

        Raises
        ------
        ValueError, TypeError
            No members, or something that is not a member of this class.

        Examples
        --------
        >>> import gradvar as gv
        >>> H = gv.SparseParities(1000, 5)
        >>> H.restrict(H.sample(64, rng=0)).operator_norm()
        0.015625
        """
        from .restriction import Restriction

        return Restriction(self, members)

    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        return self.evaluate(members, x)

    def _checked(self, rows: Members) -> Members:
        """These rows, if each describes a member, else an error."""
        self.evaluate(rows, self.inputs.sample(1, np.random.default_rng(0)))
        return rows

    def _table(self, members: Members) -> Table:
        """The values of these members at all points of finite inputs."""
        return EvaluatedTable(self.evaluate, members, self.inputs)
