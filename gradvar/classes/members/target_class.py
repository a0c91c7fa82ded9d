"""A class of targets, with its single targets, iteration and len(); the class of some members; that of noisy labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from typing import SupportsFloat, SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike, inputs_of, number
from ...core.errors import LabelError, NotApplicableError
from ..base import KnowsCovariance, KnowsMean, KnowsOperatorNorm
from ..gram.derived import ProjectsByTable, second_moment
from ..gram.matrix import Gram, KnownByGram, OrthonormalGram, TableGram
from ..gram.outputs import output_table, pairs_of
from ..gram.table import EvaluatedTable, Table, kept
from .selection import Selection, key
from .target import HasMembers, Members, Target

_ENUMERATED = 2**22
"""The most points over which the Gram matrix is summed."""
_BLOCK = 2**21


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

    def restrict(self, members: npt.ArrayLike | Iterable[Target]) -> Restriction | Noisy:
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
        return Restriction(self, members)

    def noisy(self, rate: SupportsFloat) -> Noisy:
        """Return this class with labels that are flipped, each for itself, with probability `rate` in [0, 1/2].

        E[y | x] = (1 - 2 rate) h(x): Var and the constants of all bounds get (1 - 2 rate)^2, G^2 and E||s||^2 stay.

        Raises
        ------
        LabelError
            A class whose labels are not -1 and +1.
        ValueError, TypeError
            A rate outside of [0, 1/2].

        Examples
        --------
        >>> import gradvar as gv
        >>> H, model = gv.Parities(10), gv.Linear([1.0] * 10)
        >>> gv.gradient_variance(H.noisy(0.25), model).value / gv.gradient_variance(H, model).value
        0.25
        """
        return Noisy(self, rate)

    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        return self.evaluate(members, x)

    def _checked(self, rows: Members) -> Members:
        """These rows, if each describes a member, else an error."""
        self.evaluate(rows, self.inputs.sample(1, np.random.default_rng(0)))
        return rows

    def _table(self, members: Members) -> Table:
        """The values of these members at all points of finite inputs, and at all outputs where there are several."""
        pairs = pairs_of(self)
        if pairs is None:
            return EvaluatedTable(self.evaluate, members, self.inputs)
        return output_table(self.evaluate, members, pairs)


class Restriction(KnownByGram, ProjectsByTable, Selection[TargetClass], TargetClass):
    """Some members of a class with the uniform distribution over them, on the inputs of that class.

    What `H.restrict(members)` returns. Its Gram matrix is known where those members are proved to be orthonormal, or
    the class says its inner products, or has at most 2^22 inputs; its covariance always. Equal to another with the
    same members of an equal class in the same order.

    Parameters
    ----------
    parent : hypothesis class
        The class H.
    members : sequence
        As for `H.restrict`. A member that is named twice counts twice.

    Attributes
    ----------
    parent : hypothesis class
        The class that the members belong to; for a restriction of a restriction, the first one.
    size : int
        The number of members, m.

    Raises
    ------
    ValueError, TypeError
        No members, or something that is not a member of the class.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.Parities(4).restrict([1, 2, 3, 3])
    >>> H.is_orthonormal, H.operator_norm(centred=False)
    (False, 0.5)
    >>> [target([[-1, -1, 1, 1]])[0].item() for target in H]
    [-1.0, -1.0, 1.0, 1.0]
    """

    def __init__(self, parent: TargetClass, members: npt.ArrayLike | Iterable[Target]) -> None:
        super().__init__(parent, members)
        self.inputs = parent.inputs

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values h(x), shape (m, n), as the parent evaluates them."""
        return self.parent.evaluate(members, x)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x), shape (n,). Exact up to rounding; costs an evaluation of all members."""
        array = inputs_of(x, self.inputs.dim, repr(self))
        total = np.zeros(array.shape[0])
        for rows in self._blocks(array.shape[0]):
            total += self.evaluate(rows, array).sum(axis=0)
        return total / self.size

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') = Cov_h(h(x), h(x')), shape (n, n2).

        Exact up to rounding, for these members: the mean over them is taken, none is sampled. Costs an evaluation of
        all members on both, and m n n2.
        """
        first, second = (inputs_of(points, self.inputs.dim, repr(self)) for points in (x, x2))
        total = np.zeros((first.shape[0], second.shape[0]))
        sizes, means, means2 = [], [], []
        for rows in self._blocks(max(first.shape[0], second.shape[0])):
            values, values2 = self.evaluate(rows, first), self.evaluate(rows, second)
            sizes.append(float(len(rows)))
            means.append(values.mean(axis=0))
            means2.append(values2.mean(axis=0))
            total += (values - means[-1]).T @ (values2 - means2[-1])
        # What the blocks' own means leave out: the means' covariance.
        shares = np.array(sizes)[:, None] / self.size
        centred, centred2 = (np.array(m) - (shares * np.array(m)).sum(axis=0) for m in (means, means2))
        return np.asarray(total / self.size + (shares * centred).T @ centred2)

    @property
    def covariance_work(self) -> float:
        """Multiplications that a value of the covariance counts as: those of a matrix product are fast."""
        return 16.0 + self.size / 12

    @cached_property
    def table(self) -> Table:
        """The values of all members at all points."""
        return kept(self.parent._table(self._members), self.inputs)

    @cached_property
    def gram_matrix(self) -> Gram:
        """The Gram matrix and what follows from it."""
        parent, size = self.parent, self.size
        by_table = isinstance(parent, KnownByGram)
        claimed = not by_table and bool(getattr(parent, "is_orthonormal", False))
        status, why = getattr(parent, "orthonormality", ("claimed", "")) if claimed else ("failed", "")
        if status == "proved":
            numbers = np.array([self._numbers[key(row)] for row in self._members])
            return OrthonormalGram(numbers, why, second_moment(parent))
        inner_products = getattr(parent, "inner_products", None)
        if inner_products is not None:
            try:
                inner_products(self._members[:1], self._members[:1])
            except NotApplicableError:
                inner_products = None
        if inner_products is not None:
            return Gram(size, partial(inner_products, self._members, self._members))
        points = self.inputs.n_points
        if points is not None and points <= _ENUMERATED:
            return TableGram(self.table)
        many = "infinitely many" if points is None else "more than 2^22"
        reason = f"the inner products of {parent!r} are not known, and its inputs are {many}"
        return Gram(size, partial(_unknown, reason), claimed=claimed and len(self._numbers) == size)

    def _blocks(self, n: int) -> Iterator[Members]:
        """The members in blocks whose values at n inputs take 16 MiB."""
        step = max(1, _BLOCK // max(n, 1))
        return (self._members[start : start + step] for start in range(0, self.size, step))


class Noisy(TargetClass):
    """The targets of a class with labels -1 and +1 that are flipped, each for itself, with one probability.

    What `H.noisy(rate)` returns. Every loss of the library is affine in the label y, so that its gradient, in the mean
    over flips, is that of E[y | x] = (1 - 2 rate) h(x): `evaluate`, `mean`, `covariance` and `operator_norm` are of
    that. A member, called on inputs, gives the labels before the flip; `descend` draws flipped ones.

    Parameters
    ----------
    parent : hypothesis class
        The class H, with labels -1 and +1.
    rate : float
        The probability of a flip, in [0, 1/2].

    Attributes
    ----------
    origin : hypothesis class
        The class without flips.
    rate : float
        The rate; of a noisy class that is made noisy, that of both flips together.
    kept : float
        1 - 2 rate.

    Raises
    ------
    LabelError, ValueError, TypeError
        Other labels than -1 and +1; a rate outside of [0, 1/2].

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.Parities(3).noisy(0.1)
    >>> H, H.labels, H.noisy(0.5).mean([[1, 1, 1]]).item()
    (Noisy(Parities(dim=3), rate=0.1), 'signs', 0.0)
    """

    labels = "signs"

    def __init__(self, parent: TargetClass, rate: SupportsFloat) -> None:
        if getattr(parent, "labels", "real") != "signs":
            raise LabelError(
                f"labels can be flipped where they are -1 and +1, but those of {parent!r} have other values"
            )
        flips = number("rate", rate, "a number in [0, 1/2]", lambda found: 0 <= found <= 0.5)
        self.origin: TargetClass = parent
        self.rate: float = flips
        if isinstance(parent, Noisy):
            # flipped where one of the two flips, and not the other
            self.origin, self.rate = parent.origin, parent.rate + flips - 2 * parent.rate * flips
        self.kept = 1.0 - 2.0 * self.rate
        self.inputs = parent.inputs
        self._described_by_numbers = parent._described_by_numbers
        self._described_by_objects = parent._described_by_objects
        evidence: tuple[str, str] | None = getattr(parent, "label_evidence", None)
        if evidence is not None:
            self.label_evidence = evidence

    def __repr__(self) -> str:
        return f"Noisy({self.origin!r}, rate={self.rate:g})"

    @property
    def description(self) -> str:
        """The class in words."""
        said = getattr(self.origin, "description", repr(self.origin))
        return f"{said}, with labels flipped at rate {self.rate:g}"

    @property
    def _key(self) -> object:
        return self.origin, self.rate

    @property
    def size(self) -> int | None:
        """The number of members, as of the parent."""
        return self.origin.size

    @property
    def log2_size(self) -> float:
        """log2 |H|, as of the parent."""
        return self.origin.log2_size

    def members(self) -> Members:
        """Return the descriptions of all members, as the parent does."""
        return self.origin.members()

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return the descriptions of m members drawn independently, as the parent does."""
        return self.origin.sample(m, rng)

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the mean labels E[y | x] = (1 - 2 rate) h(x), shape (m, n)."""
        return self.kept * self.origin.evaluate(members, x)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return (1 - 2 rate) E_h h(x), shape (n,)."""
        if not isinstance(self.origin, KnowsMean):
            raise NotApplicableError(f"{self.origin!r} does not say its mean")
        return self.kept * self.origin.mean(np.asarray(x))

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return (1 - 2 rate)^2 C_H(x, x'), of labels with flips of their own, shape (n, n2)."""
        if not isinstance(self.origin, KnowsCovariance):
            raise NotApplicableError(f"{self.origin!r} does not say its covariance")
        return self.kept**2 * self.origin.covariance(np.asarray(x), np.asarray(x2))

    def operator_norm(self, centred: bool = True) -> float:
        """Return (1 - 2 rate)^2 times that of the parent."""
        if not isinstance(self.origin, KnowsOperatorNorm):
            raise NotApplicableError(f"{self.origin!r} does not say its operator norm")
        return self.kept**2 * self.origin.operator_norm(centred)

    def restrict(self, members: npt.ArrayLike | Iterable[Target]) -> Noisy:
        """Return the class of these members only, with the same flips."""
        return self.origin.restrict(self._descriptions(members)).noisy(self.rate)

    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        return self.origin._labels(members, x)

    def _checked(self, rows: Members) -> Members:
        return self.origin._checked(rows)

    def _numbered_rows(self, name: str, numbers: list[int]) -> Members:
        return self.origin._numbered_rows(name, numbers)

    def __iter__(self) -> Iterator[Target]:
        """Yield every member, in the order of `members()`."""
        return (Target(self, target.which) for target in self.origin)


def _unknown(reason: str) -> Array:
    raise NotApplicableError(reason)
