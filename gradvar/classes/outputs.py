r"""A class of targets with K outputs as one of real functions: of an input and one of its outputs.

With c = K^1/2 e_k, k uniform on the outputs, targets are (x, c) -> <c, h(x)> and the predictor is (x, c) -> <c, p(x)>.
As E[c c'] = I, Gram = E<h, h'>, G^2 = E||dp/dw||_F^2 and the gradient variance

    Var = sum_kl E[Cov_h(h_k(x), h_l(x')) <d_k(x), d_l(x')>],      d_k = dp_k/dw,  dloss/dp = a(p) - h,

are those of the real functions: nothing is rescaled. Class labels are unit vectors less their mean 1/K: what is the
same in all members leaves Var, and Theorem 1 holds for more classes.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, generator, inputs_of, integer
from ..core.errors import NotApplicableError, TooLargeError
from .base import HypothesisClass, Samples, prior_of
from .gram.derived import ListsMembers, second_moment
from .gram.matrix import Gram, KnownByGram
from .gram.outputs import OutputTable, output_table, output_values, pairs_of
from .gram.table import Table
from .inputs import Inputs
from .inputs.outputs import OutputPairs
from .members.target import Members
from .members.target_class import Restriction, TargetClass

_MOST_LOG2_LISTED = 20.0


class ByOutput(TargetClass):
    """The real functions (x, c) -> <c, h(x)> of the targets of a class with K outputs; `by_output` makes it."""

    labels = "real"

    def __init__(self, hypotheses: Samples[Members], pairs: OutputPairs) -> None:
        self.hypotheses, self.pairs = hypotheses, pairs
        self.inputs: Inputs = pairs
        self.size: int | None = getattr(hypotheses, "size", None)
        self.second_moment, self.prior = second_moment(hypotheses), prior_of(hypotheses)
        self._described_by_numbers = bool(getattr(hypotheses, "_described_by_numbers", True))
        for name in ("uncorrelated", "operator_norm", "frobenius_norm"):  # as the class says them, if it does
            if hasattr(hypotheses, name):
                setattr(self, name, getattr(hypotheses, name))

    def __repr__(self) -> str:
        return repr(self.hypotheses)

    @property
    def log2_size(self) -> float:
        """log2 |H|."""
        return self.hypotheses.log2_size

    @property
    def description(self) -> str:
        """The class in words."""
        values = "class labels as unit vectors less 1/K" if self.pairs.centred else "vectors"
        said = getattr(self.hypotheses, "description", repr(self.hypotheses))
        return f"{said}; K = {self.pairs.n_outputs} outputs, {values}"

    @property
    def is_orthonormal(self) -> bool:
        """As the class says it."""
        return bool(getattr(self.hypotheses, "is_orthonormal", False))

    @property
    def orthonormality(self) -> tuple[str, str]:
        """As the class says it."""
        unknown = "unknown", "the class does not say that it is orthonormal"
        said: tuple[str, str] = getattr(self.hypotheses, "orthonormality", unknown)
        return said

    def members(self) -> Members:
        """Return the descriptions of all members."""
        if not isinstance(self.hypotheses, ListsMembers):
            raise NotApplicableError(f"{self.hypotheses!r} does not list its members")
        return np.asarray(self.hypotheses.members())

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return m members drawn independently."""
        return self.hypotheses.sample(integer("m", m, 0), generator(rng))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return <c, h(x)>, shape (m, n), less <c, 1/K> for class labels, at pairs (x, c)."""
        rows = np.asarray(members)
        points, c = self.pairs.split(inputs_of(x, self.pairs.dim, repr(self)))
        # Pairs with one x follow each other: it is evaluated once.
        new = np.append(True, (points[1:] != points[:-1]).any(axis=1))[: len(points)]
        which = np.cumsum(new) - 1
        values = output_values(self.hypotheses.evaluate, rows, points[new], self.pairs.n_outputs)[:, which]
        mean = c.mean(axis=1) if self.pairs.centred else 0.0
        if values.ndim == 3:
            return np.asarray(np.einsum("mnk,nk->mn", np.asarray(values, dtype=np.float64), c) - mean)
        return np.asarray(c[np.arange(len(c)), np.asarray(values, dtype=np.int64)] - mean)

    def _checked(self, rows: Members) -> Members:
        return self.hypotheses._checked(rows) if isinstance(self.hypotheses, TargetClass) else super()._checked(rows)

    def _table(self, members: Members) -> Table:
        if isinstance(self.hypotheses, TargetClass):
            return self.hypotheses._table(members)
        return output_table(self.hypotheses.evaluate, members, self.pairs)


class ListedByOutput(Restriction):
    """A class that lists its members, by output: with their mean, covariance, projections and Gram matrix."""

    def __init__(self, pairs: ByOutput) -> None:
        super().__init__(pairs, pairs.members())
        self._whole = pairs

    def __repr__(self) -> str:
        return repr(self._whole)

    @property
    def description(self) -> str:
        """The class in words."""
        return self._whole.description

    @property
    def has_class_labels(self) -> bool:
        """Whether values are class labels."""
        return getattr(self._whole.hypotheses, "labels", "real") == "classes"

    @property
    def n_classes(self) -> int:
        """K."""
        return self._whole.pairs.n_outputs

    @property
    def labels_of_all(self) -> npt.NDArray[np.generic]:
        """The class labels of all members at all inputs, shape (m, n)."""
        assert isinstance(self.table, OutputTable)
        return self.table.values

    @cached_property
    def gram_matrix(self) -> Gram:
        """The Gram matrix and what follows from it."""
        said = self._whole.hypotheses
        return said.gram_matrix if isinstance(said, KnownByGram) else super().gram_matrix


def by_output(hypotheses: HypothesisClass) -> HypothesisClass:
    """Return a class with one output as it is, and one with K outputs as the class of real functions of (x, c)."""
    pairs = pairs_of(hypotheses)
    if pairs is None:
        return hypotheses
    if not isinstance(hypotheses, Samples):
        raise TypeError(f"`H` must have `sample(m, rng)` and `evaluate(members, x)` for K outputs, got {hypotheses!r}")
    plain = ByOutput(hypotheses, pairs)
    if getattr(hypotheses, "size", 0) is not None and hypotheses.log2_size <= _MOST_LOG2_LISTED:
        with suppress(NotApplicableError, TooLargeError):
            return ListedByOutput(plain)
    return plain
