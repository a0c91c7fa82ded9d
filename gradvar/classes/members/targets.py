"""A class of targets that can be drawn and evaluated: what it must say."""

from __future__ import annotations

from abc import abstractmethod
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike
from .target import HasMembers, Members


class Targets(HasMembers):
    """A mixin: single targets, iteration and `len` for a class with `size`, `members`, `sample`, `evaluate`."""

    @abstractmethod
    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return the descriptions of m members drawn independently, shape (m, ...)."""

    @abstractmethod
    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values h(x), shape (m, n)."""

    _defined_everywhere = True
    """Whether targets have values at other inputs than those of the class."""

    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        return self.evaluate(members, x)

    def _checked(self, rows: Members) -> Members:
        """These rows, if each describes a member, else an error."""
        self.evaluate(rows, self.inputs.sample(1, np.random.default_rng(0)))
        return rows
