"""Projection, operator norm and Gram matrix of a class, derived where it does not say them itself."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, finite, functions_of, real
from ...core.errors import NotApplicableError, ShapeError, TooLargeError
from ..base import HypothesisClass, KnowsCovariance, KnowsGram, KnowsOperatorNorm, KnowsProjection, prior_of
from ..inputs import Inputs
from .eigenvalue import top_eigenvalue, top_ritz_value
from .matrix import Gram, GramNorms, KnownByGram, OrthonormalGram, TableGram, check_size
from .table import EvaluatedTable, Rows, StoredTable, Table, kept, project

_MOST_LOG2_MEMBERS = 20.0
_MOST_LOG2_VALUES = 24.0
_MOST_POINTS, _MOST_DENSE, _MOST_FOR_LANCZOS = 2**11, 2**12, 2**14
_ROWS = 512


@runtime_checkable
class ListsMembers(HypothesisClass, Protocol):
    """A class that lists its members and evaluates them."""

    def members(self) -> Rows:
        """Return all members."""

    def evaluate(self, members: Rows, x: Array) -> npt.ArrayLike:
        """Return the values h(x), shape (m, n)."""


class ProjectsByTable(ABC):
    """A mixin: projections on all members by a product with the table of their values."""

    inputs: Inputs

    @property
    @abstractmethod
    def table(self) -> Table:
        """The values of all members at all points."""

    def project(self, f: npt.ArrayLike) -> Array:
        """Return E_x[h(x) f(x)] for every member, shape (|H|, q), for f of shape (n_points, q).

        Exact up to rounding. Costs |H| n_points q, and an evaluation of all members at all points where their values
        take more than 64 MiB.

        Raises
        ------
        NotApplicableError
            The inputs are infinitely many.
        """
        n = self.inputs.n_points
        if n is None:
            raise NotApplicableError(f"the inputs of {self!r} are infinitely many and cannot be summed over")
        return project(self.table, functions_of(f, n, repr(self)))


class DerivedProjection(ProjectsByTable):
    """The projection of a class of at most 2^20 members on finitely many inputs, from `members()` and `evaluate`."""

    def __init__(self, hypotheses: ListsMembers) -> None:
        self._hypotheses = hypotheses
        self.inputs = hypotheses.inputs
        self.log2_size, self.prior = hypotheses.log2_size, prior_of(hypotheses)

    @cached_property
    def table(self) -> Table:
        """The values of all members at all points."""
        hypotheses = self._hypotheses
        return kept(EvaluatedTable(hypotheses.evaluate, hypotheses.members(), hypotheses.inputs), hypotheses.inputs)


def known_gram(hypotheses: HypothesisClass) -> Gram | None:
    """Return the Gram matrix that a class says, with what follows from it; None where it says none.

    Raises as the class's own `gram()`.
    """
    if isinstance(hypotheses, KnownByGram):
        return hypotheses.gram_matrix
    if isinstance(hypotheses, DerivedProjection):
        return TableGram(hypotheses.table, hypotheses.prior)
    status = getattr(hypotheses, "orthonormality", ("claimed", ""))[0]
    proved = status == "proved" and bool(getattr(hypotheses, "is_orthonormal", False))
    if proved or not isinstance(hypotheses, KnowsGram):
        return None
    matrix = real("H.gram()", hypotheses.gram(), "(|H|, |H|)")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"`H.gram()` must have shape (|H|, |H|), got {matrix.shape}")
    finite("H.gram()", matrix)
    return Gram(matrix.shape[0], matrix.view, prior=prior_of(hypotheses))


def second_moment(hypotheses: HypothesisClass) -> float:
    """Return E_x h(x)^2 where a class says that it is the same for all members; else 1, which Theorem 1 assumes."""
    return float(getattr(hypotheses, "second_moment", 1.0))


def gram_norms(hypotheses: HypothesisClass, orthonormal: bool) -> GramNorms:
    """Return the norms of the Gram matrix of a class: as it says that matrix, or those of I if it is orthonormal.

    Raises
    ------
    NotApplicableError, TooLargeError
        They are not known.
    """
    gram = known_gram(hypotheses)
    if gram is not None:
        norm = hypotheses.operator_norm if isinstance(hypotheses, KnowsOperatorNorm) else gram.norm
        return gram.norms(norm(centred=True), norm(centred=False))
    if orthonormal and prior_of(hypotheses) is None:
        return GramNorms.of_identity(hypotheses.log2_size, second_moment(hypotheses))
    infinite = hypotheses.log2_size == math.inf
    raise NotApplicableError("the class is infinite" if infinite else "the class does not say its Gram matrix")


def projection(hypotheses: HypothesisClass) -> KnowsProjection | None:
    """Return the class itself where it has a method `project(f)`, else what that is derived from, else None."""
    return hypotheses if isinstance(hypotheses, KnowsProjection) else _listed(hypotheses)


class DerivedNorm(NamedTuple):
    """An operator norm, how far above it the truth may lie, what it is of, and whether that is no table of members."""

    value: float
    residual: float
    why: str
    from_formula: bool = False


def operator_norm(hypotheses: HypothesisClass, centred: bool) -> DerivedNorm | None:
    """Return the largest eigenvalue of the (centred) Gram matrix over |H|; None where it is not known.

    For finitely many inputs it is that of the operator of E_h[h(x) h(x')] (of C_H). It is had from the values of all
    members, listed and evaluated, at most 2^24; or else from a formula of the class: the same values by `project`, or
    `covariance` (and `mean`). Exact up to rounding for up to 2^11 points; of a covariance on up to 2^14 it is the top
    Ritz value with its residual, and takes 8 bytes for each pair of points.
    """
    found = _same_spectrum(hypotheses, centred)
    if found is None:
        return None
    if not found.is_covariance or len(found.matrix) <= _MOST_POINTS:
        return DerivedNorm(top_eigenvalue(found.matrix) / found.size, 0.0, found.why, found.from_formula)
    top = top_ritz_value(found.matrix)
    return None if top is None else DerivedNorm(*top, f"{found.why}, the top Ritz value of a Lanczos process", True)


class _SameSpectrum(NamedTuple):
    """A matrix which has the eigenvalues of the (centred) Gram matrix, and `size` to divide them by."""

    matrix: Array
    size: int
    why: str
    from_formula: bool
    is_covariance: bool = False


def _same_spectrum(
    hypotheses: HypothesisClass, centred: bool, check_rows: Callable[[int], None] = check_size
) -> _SameSpectrum | None:
    """Return it of a class on finitely many inputs; None where it is not known."""
    points = hypotheses.inputs.n_points
    if points is None:
        return None
    listed, few_values = _listed(hypotheses), hypotheses.log2_size + math.log2(points) <= _MOST_LOG2_VALUES
    if listed is not None and few_values:
        return _SameSpectrum(*_of_table(listed.table, centred, listed.prior), False)
    if points > _MOST_FOR_LANCZOS:
        return None
    if isinstance(hypotheses, KnowsProjection) and few_values and points <= _MOST_POINTS:
        return _SameSpectrum(*_of_table(_projected(hypotheses, points), centred, prior_of(hypotheses)), True)
    check_rows(points)
    matrix = _covariances(hypotheses, points, centred)
    return None if matrix is None else _SameSpectrum(matrix, 1, f"`covariance` at all {points:,} inputs", True, True)


def proved_eigenvalues(hypotheses: HypothesisClass, centred: bool) -> tuple[Array, Array, str] | None:
    """Return what `eigenvalues` does of a class that is orthonormal by a proof; None of any other."""
    if isinstance(hypotheses, KnownByGram) and not isinstance(hypotheses.gram_matrix, OrthonormalGram):
        return None  # what is computed is no proof, and takes all pairs of members
    log2_size = hypotheses.log2_size
    status, proof = getattr(hypotheses, "orthonormality", ("claimed", ""))
    if status != "proved" or not getattr(hypotheses, "is_orthonormal", False) or prior_of(hypotheses) is not None:
        return None
    values = np.full(int(not centred or log2_size > 0), math.log2(second_moment(hypotheses)) - log2_size)
    # J has the eigenvalue 1 |H| - 1 times
    lost = math.log1p(-(2.0**-log2_size)) / math.log(2) if centred and log2_size > 0 else 0.0
    return values, np.full(values.size, log2_size + lost), f"orthonormal: {proof}"


def eigenvalues(hypotheses: HypothesisClass, centred: bool) -> tuple[Array, Array, str]:
    """Return log2 of the nonzero eigenvalues of the (centred) Gram matrix over |H|, log2 of their counts, and why.

    They descend. Those of a matrix (n, n), n <= 2^12, are exact up to n 2^-52 of the largest.

    Raises
    ------
    NotApplicableError, TooLargeError
        They are not known, or too many.
    """
    gram = known_gram(hypotheses)
    if gram is not None:
        _check_dense(min(gram.table.shape) if isinstance(gram, TableGram) else gram.size)
        found: tuple[Array, int, str] = gram.same_spectrum(centred), gram.size, "its Gram matrix"
    else:
        derived = _same_spectrum(hypotheses, centred, _check_dense)
        if derived is None:
            raise NotApplicableError(
                f"the eigenvalues of {hypotheses!r} are not known: its inputs are too many to be summed over, or it "
                "says neither members nor covariance; `H.on(points)` puts it on a sample, `H.restrict(...)` has a part"
            )
        found = derived[:3]
    matrix, size, why = found
    _check_dense(len(matrix))
    values = np.linalg.eigvalsh(matrix)[::-1]
    values = values[values > len(matrix) * 2.0**-52 * max(values[0], 0.0)] / size
    return np.log2(values), np.zeros(values.size), why


def _check_dense(rows: int) -> None:
    """Raise `TooLargeError` for a matrix of which all eigenvalues take too long."""
    if rows > _MOST_DENSE:
        raise TooLargeError(f"all eigenvalues of a matrix of {rows:,} rows take too long; take {_MOST_DENSE:,}")


def frobenius_norm(hypotheses: HypothesisClass) -> float:
    """Return ||Gram||_F/|H|, from E_h[h(x) h(x')] at all pairs of at most 2^14 inputs.

    Raises
    ------
    NotApplicableError
        More inputs, or a class that does not say its covariance and mean.
    """
    points = hypotheses.inputs.n_points
    matrix = None if points is None or points > _MOST_FOR_LANCZOS else _covariances(hypotheses, points, False)
    if matrix is None:
        raise NotApplicableError(f"the covariance of {hypotheses!r} is not known, or its inputs are too many")
    return float(np.linalg.norm(matrix))


def _covariances(hypotheses: HypothesisClass, points: int, centred: bool) -> Array | None:
    """C_H(x_i, x_j), or with m m' added, times (w_i w_j)^(1/2); None where it is not known."""
    if not isinstance(hypotheses, KnowsCovariance):
        return None
    x, average = hypotheses.inputs.points(0, points), np.zeros(points)
    if not centred:
        mean: Callable[[Array], npt.ArrayLike] | None = getattr(hypotheses, "mean", None)
        if mean is None:
            return None
        average = _made_sure("mean", mean(x), (points,))
    root = np.sqrt(hypotheses.inputs.weights(0, points))
    matrix = np.empty((points, points))
    for start in range(0, points, _ROWS):
        rows = slice(start, min(start + _ROWS, points))
        block = hypotheses.covariance(x[rows], x)
        matrix[rows] = _made_sure("covariance", block, (rows.stop - start, points))
        matrix[rows] += np.outer(average[rows], average)
        matrix[rows] *= root[rows, None] * root
    return matrix


def _listed(hypotheses: HypothesisClass) -> DerivedProjection | None:
    few = hypotheses.inputs.n_points is not None and hypotheses.log2_size <= _MOST_LOG2_MEMBERS
    listed = getattr(hypotheses, "size", 0) is not None  # None: they can be drawn, not listed
    return DerivedProjection(hypotheses) if few and listed and isinstance(hypotheses, ListsMembers) else None


def _of_table(table: Table, centred: bool, prior: Array | None) -> tuple[Array, int, str]:
    members, points = table.shape
    said = f"values of all {members:,} members at all {points:,} inputs"
    return TableGram(table, prior).same_spectrum(centred), members, said


def _projected(hypotheses: KnowsProjection, points: int) -> Table:
    """The values of all members, from E_x[h(x) f(x)] for f = [x = x_j] / P(x_j); 0 where P(x_j) is."""
    weights = hypotheses.inputs.weights(0, points)
    inverse = np.divide(1.0, weights, out=np.zeros(points), where=weights > 0)
    values = np.asarray(hypotheses.project(np.diag(inverse)), dtype=np.float64)
    return StoredTable(
        _made_sure("project", values, (values.shape[0] if values.ndim else 0, points)), hypotheses.inputs
    )


def _made_sure(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ShapeError(f"`H.{name}` must return shape {shape} at {shape[-1]} inputs, got {array.shape}")
    finite(f"H.{name}", array)
    return array
