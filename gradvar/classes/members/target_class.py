"""A class of targets, with its single targets; and what is made of it: some members, flipped labels, on a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from typing import SupportsFloat

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, inputs_of
from ...core.errors import NotApplicableError
from ..gram.derived import ProjectsByTable, second_moment
from ..gram.matrix import Gram, KnownByGram, OrthonormalGram, TableGram
from ..gram.outputs import output_table, pairs_of
from ..gram.table import EvaluatedTable, Table, kept
from .same_members import FlippedLabels, OnSample
from .sample_points import Coding, Points
from .selection import Selection
from .target import Members, Target, key
from .targets import Targets

_ENUMERATED = 2**22
"""The most points over which the Gram matrix is summed."""
_BLOCK = 2**21


class TargetClass(Targets):
    """A mixin: `member`, `restrict`, iteration and `len` for a class with `size`, `members`, `sample`, `evaluate`.

    A class where not everything that can be evaluated is a member refuses the rest in `_checked`.
    """

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

    def on(self, points: Points, weights: npt.ArrayLike | None = None, coding: Coding = "pm1") -> TargetClass:
        """Return the same targets on a sample of inputs: your data, in place of the distribution of this class.

        Var is exact where the class says its covariance, on up to 2^14 different points, or where its members can be
        listed; for all parities Var = sum_i w_i^2 ||s(x_i)||^2 over the different points but (1, ..., 1), however many.

        Parameters
        ----------
        points : array_like of shape (n, dim), torch tensor, DataFrame, or FinitePoints
            The sample; rows may be equal.
        weights : array_like of shape (n,), optional
            Probabilities of the points; uniform by default.
        coding : {"pm1", "01"}
            How the points say the coordinates of a cube: by -1 and +1; or by 0 and 1, which the model then sees, and
            the targets take (-1)^x for x.

        Raises
        ------
        TypeError
            A class that knows its targets at its own points alone.
        ShapeError, ValueError
            Points that are no inputs of the targets.

        Examples
        --------
        >>> import gradvar as gv
        >>> rows = gv.Hypercube(20).sample(1000, rng=0)
        >>> gv.bound_check(gv.Parities(20).on(rows), gv.MLP.random([20, 16, 1], rng=0)).verdict
        'holds'
        """
        return OnPoints(self, points, weights, coding)

    def _table(self, members: Members) -> Table:
        """The values of these members at all points of finite inputs, and at all outputs where there are several."""
        pairs = pairs_of(self)
        if pairs is None:
            return EvaluatedTable(self.evaluate, members, self.inputs)
        return output_table(self.evaluate, members, pairs)


class Restriction(KnownByGram, ProjectsByTable, Selection[TargetClass], TargetClass):
    """Some members of a class, on its inputs, with the uniform distribution or that of the class, renormalised.

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

    def on(self, points: Points, weights: npt.ArrayLike | None = None, coding: Coding = "pm1") -> TargetClass:
        """Return these members on a sample of inputs; see `TargetClass.on`."""
        return self.parent.on(points, weights, coding).restrict(self._members)

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values h(x), shape (m, n), as the parent evaluates them."""
        return self.parent.evaluate(members, x)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x), shape (n,). Exact up to rounding; costs an evaluation of all members."""
        array = inputs_of(x, self.inputs.dim, repr(self))
        total = np.zeros(array.shape[0])
        for rows, shares in self._blocks(array.shape[0]):
            total += shares @ self.evaluate(rows, array)
        return total / self.size

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') = Cov_h(h(x), h(x')), shape (n, n2).

        Exact up to rounding, for these members: the mean over them is taken, none is sampled. Costs an evaluation of
        all members on both, and m n n2.
        """
        first, second = (inputs_of(points, self.inputs.dim, repr(self)) for points in (x, x2))
        total = np.zeros((first.shape[0], second.shape[0]))
        sizes, means, means2 = [], [], []
        for rows, shares in self._blocks(max(first.shape[0], second.shape[0])):
            values, values2 = self.evaluate(rows, first), self.evaluate(rows, second)
            sizes.append(float(shares.sum()))
            means.append(shares @ values / sizes[-1])
            means2.append(shares @ values2 / sizes[-1])
            total += (shares[:, None] * (values - means[-1])).T @ (values2 - means2[-1])
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
        if status == "proved" and self.prior is None:
            numbers = np.array([self._numbers[key(row)] for row in self._members])
            return OrthonormalGram(numbers, why, second_moment(parent))
        inner_products = getattr(parent, "inner_products", None) if self.prior is None else None
        if inner_products is not None:
            try:
                inner_products(self._members[:1], self._members[:1])
            except NotApplicableError:
                inner_products = None
        if inner_products is not None:
            return Gram(size, partial(inner_products, self._members, self._members))
        points = self.inputs.n_points
        if points is not None and points <= _ENUMERATED:
            return TableGram(self.table, self.prior)
        many = "infinitely many" if points is None else "more than 2^22"
        reason = f"the inner products of {parent!r} are not known, and its inputs are {many}"
        return Gram(size, partial(_unknown, reason), claimed=claimed and len(self._numbers) == size)

    def _blocks(self, n: int) -> Iterator[tuple[Members, Array]]:
        """The possible members in blocks whose values at n inputs take 16 MiB, with m times their probabilities."""
        shares = np.ones(self.size) if self.prior is None else self.size * self.prior
        rows, shares = self._members[shares > 0], shares[shares > 0]
        step = max(1, _BLOCK // max(n, 1))
        return ((rows[start : start + step], shares[start : start + step]) for start in range(0, len(rows), step))


class Noisy(FlippedLabels, TargetClass):
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

    origin: TargetClass

    def restrict(self, members: npt.ArrayLike | Iterable[Target]) -> Noisy:
        """Return the class of these members only, with the same flips."""
        return self.origin.restrict(self._descriptions(members)).noisy(self.rate)

    def on(self, points: Points, weights: npt.ArrayLike | None = None, coding: Coding = "pm1") -> TargetClass:
        """Return the same targets on a sample of inputs, with the same flips."""
        return self.origin.on(points, weights, coding).noisy(self.rate)


class OnPoints(OnSample, TargetClass):
    """The targets of a class on a user's sample: finitely many inputs, of which equal ones are merged.

    What `H.on(points)` returns. It keeps the values of H, its mean and its covariance; whatever H says under its own
    inputs, such as norms and orthonormality, is not true here.

    Parameters
    ----------
    origin : hypothesis class
        The class H.
    points, weights, coding
        As for `H.on`.

    Attributes
    ----------
    origin, coding
        The same.
    inputs : FinitePoints
        The different points, in the order in which they come first, with their weights summed.
    uncorrelated : bool
        Whether E_h[h(x) h(x')] = [x = x'], as for all parities.

    Raises
    ------
    TypeError, ShapeError, ValueError
        As for `H.on`.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.Parities(20).on([[0] * 20, [1] * 20, [0] * 20, [0, 1] * 10], coding="01")
    >>> H.inputs.n_points, H.log2_size, H.operator_norm(), H.member([True] + [False] * 19)(H.inputs.points(0, 3))
    (3, 20.0, 0.25, array([ 1., -1.,  1.]))
    """


def _unknown(reason: str) -> Array:
    raise NotApplicableError(reason)
