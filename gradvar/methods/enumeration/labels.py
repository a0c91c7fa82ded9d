r"""Classes of class labels: the projections of a member meet one output at each input, and not K of them.

The signal at (x, c) is linear in c and sums to zero over c = K^1/2 e_k, so that of the unit vector of the label y_h(x),
less its mean, that one output is left: with factors s = A B', component by component,

    c_h = E_x[ A(x, y_h(x)) B(x, y_h(x))' K^1/2 / K ] ,      one matrix product a member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from ...classes.base import prior_of
from ...classes.outputs import ListedByOutput
from ...core.arguments import Array
from ...problem import Factors, Problem
from .coefficients import PartOf, moments

_BLOCK = 2**22
"""Numbers in a block of projections: 32 MiB."""
_GATHERED = 2**20
"""Numbers of the signals that are met at a time: 8 MiB."""


def covers(problem: Problem) -> bool:
    """Whether the class is one of class labels."""
    return isinstance(problem.hypotheses, ListedByOutput) and problem.hypotheses.has_class_labels


def products_needed(problem: Problem) -> int:
    """Number of multiplications of the matrix products."""
    hypotheses = problem.hypotheses
    assert isinstance(hypotheses, ListedByOutput)
    points = (problem.inputs.n_points or 0) // hypotheses.n_classes
    return hypotheses.size * points * problem.predictor.n_parameters


def tasks(factors: Factors, problem: Problem) -> Iterator[Callable[[], list[PartOf]]]:
    """The moments of blocks of components of the signal, from its factors at all pairs (x, c)."""
    hypotheses = problem.hypotheses
    assert isinstance(hypotheses, ListedByOutput)
    labels, points = hypotheses.labels_of_all, problem.inputs.n_points or 0
    weights = problem.inputs.weights(0, points) * math.sqrt(hypotheses.n_classes)
    for (every, right), shares in zip(factors, problem.shares, strict=True):
        for part, columns in shares:
            left = every[:, columns] * weights[:, None]
            together = max(1, _BLOCK // (hypotheses.size * left.shape[1]))
            for start in range(0, right.shape[1], together):
                some = right[:, start : start + together]
                yield partial(_of_block, part, labels, hypotheses.n_classes, prior_of(hypotheses), left, some)


def _of_block(
    part: int, labels: npt.NDArray[np.generic], n_classes: int, prior: Array | None, left: Array, right: Array
) -> list[PartOf]:
    m, n = labels.shape
    projections = np.empty((m, left.shape[1], right.shape[1]))
    step = max(1, _GATHERED // (n * (left.shape[1] + right.shape[1])))
    for start in range(0, m, step):
        rows = np.arange(n) * n_classes + labels[start : start + step].astype(np.int64)
        projections[start : start + step] = left[rows].transpose(0, 2, 1) @ right[rows]
    return [(part, moments(projections.reshape(m, -1), prior))]
