"""Tables of values in R^K, as functions of an input and one of its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, finite
from ...core.errors import LabelError, ShapeError
from ..base import HypothesisClass
from ..inputs.outputs import OutputPairs
from .table import Described, Table, check_bytes

_BLOCK = 2**22
SUM_TO_ONE = ("classes", "probabilities")
"""Names of `labels` whose K coordinates add up to one: class labels 0..K-1, as unit vectors, or their odds."""


def pairs_of(hypotheses: HypothesisClass) -> OutputPairs | None:
    """Return the inputs of a class, each with one of its outputs; None where there is one output."""
    count: int = getattr(hypotheses, "n_outputs", 1)
    if count == 1:
        return None
    return OutputPairs(hypotheses.inputs, count, getattr(hypotheses, "labels", "real") in SUM_TO_ONE)


@dataclass(frozen=True, eq=False)
class OutputTable(Table):
    """The values <c, h(x)> of m functions at all pairs (x, c), from class labels (m, n) or values (m, n, K).

    For coordinates that add up to one they are <c, h(x) - 1/K>.
    """

    values: npt.NDArray[np.generic]
    inputs: OutputPairs
    in_memory = True

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n K)."""
        return int(self.values.shape[0]), int(self.values.shape[1]) * self.inputs.n_outputs

    def block(self, rows: slice, columns: slice) -> Array:
        """Return the values of these members at these pairs."""
        count = self.inputs.n_outputs
        first = columns.start // count
        some = self.values[rows, first : -(-columns.stop // count)]
        if some.ndim == 2:
            some = some[:, :, None] == np.arange(count)
        # K^1/2 (h_k(x) - 1/K)
        found = np.array(some, dtype=np.float64)
        found -= self.inputs.centred / count
        found *= math.sqrt(count)
        return found.reshape(len(found), -1)[:, columns.start - first * count : columns.stop - first * count]


def output_table(
    evaluate: Callable[[Described, Array], npt.ArrayLike], members: Described, pairs: OutputPairs
) -> OutputTable:
    """Return the values of these members at all pairs; `TooLargeError` where they take more than 8 GiB."""
    n = pairs.inputs.n_points or 0
    x = pairs.inputs.points(0, n)
    step = max(1, _BLOCK // (n * pairs.n_outputs))
    parts: list[npt.NDArray[np.generic]] = []
    for start in range(0, len(members), step):
        values = output_values(evaluate, members[start : start + step], x, pairs.n_outputs)
        parts.append(values if values.ndim == 3 else values.astype(np.min_scalar_type(pairs.n_outputs)))
        check_bytes("the table", (len(members), *parts[0].shape[1:]), parts[0].itemsize)
    return OutputTable(np.concatenate(parts), pairs)


def output_values(
    evaluate: Callable[[Described, Array], npt.ArrayLike], members: Described, x: Array, n_outputs: int
) -> npt.NDArray[np.generic]:
    """Return class labels (m, n), or values (m, n, K), made sure to be such.

    Raises
    ------
    ShapeError, LabelError
        Another shape, values that are not finite, labels that are not integers from 0 to K - 1.
    """
    values, shape = np.asarray(evaluate(members, x)), (len(members), len(x))
    if values.shape not in (shape, (*shape, n_outputs)):
        raise ShapeError(
            f"`H.evaluate(members, x)` must return class labels of shape {shape} or values of shape "
            f"{(*shape, n_outputs)} for {shape[0]} members, {shape[1]} inputs and {n_outputs} outputs, "
            f"got {values.shape}"
        )
    if values.ndim == 2:
        return class_labels("H.evaluate", values, n_outputs)
    vectors = np.asarray(values, dtype=np.float64)
    finite("H.evaluate(members, x)", vectors)
    return vectors


def output_vectors(
    evaluate: Callable[[Described, Array], npt.ArrayLike], members: Described, x: Array, n_outputs: int
) -> Array:
    """Return values (m, n, K), class labels as unit vectors; of one output (m, n)."""
    if n_outputs == 1:
        return np.asarray(evaluate(members, x), dtype=np.float64)
    values = output_values(evaluate, members, x, n_outputs)
    return np.asarray(np.eye(n_outputs)[values.astype(np.int64)] if values.ndim == 2 else values, dtype=np.float64)


def class_labels(name: str, given: npt.NDArray[np.generic], n_classes: int) -> npt.NDArray[np.int64]:
    """Return class labels as integers, or a `LabelError` that names them and the first that is none of 0..K-1."""
    labels = np.asarray(given)
    with np.errstate(invalid="ignore"):
        wrong = np.ones(labels.shape, dtype=np.bool_)
        if labels.dtype.kind in "iuf":
            wrong = (labels != np.rint(labels)) | (labels < 0) | (labels >= n_classes)
    if wrong.any():
        raise LabelError(
            f"`{name}` must be class labels, integers from 0 to {n_classes - 1}, got {labels[wrong][0]!r:.40} at index "
            f"{tuple(int(i) for i in np.argwhere(wrong)[0])}"
        )
    return labels.astype(np.int64)
