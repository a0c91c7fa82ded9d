"""The gradients on examples of random tasks: their factors, their kernel within each task, their sum."""

from __future__ import annotations

from typing import cast

import numpy as np

from ..core.arguments import Array
from ..core.errors import NonFiniteError
from ..problem import Factors, Problem
from .base import DrawsExamples
from .task_class import draw_examples


def drawn_examples(problem: Problem, m: int, n: int, rng: np.random.Generator) -> tuple[Factors, Array]:
    """The factors of u on n examples of each of m random tasks, those of a task in a row, and the norms (m n, 3)."""
    # The method has made sure that it draws examples; asking a protocol takes longer than a small sample does.
    hypotheses = cast(DrawsExamples[object], problem.hypotheses)
    return problem.examples(*draw_examples(hypotheses, m, n, rng))


def kernel_within(factors: Factors, m: int) -> Array:
    """<u_i, u_j> for the examples of each of m tasks, shape (m, n, n)."""
    n = factors[0][0].shape[0] // m
    kernel = np.zeros((m, n, n))
    with np.errstate(over="ignore", invalid="ignore"):
        for left, right in factors:
            a, b = left.reshape(m, n, -1), right.reshape(m, n, -1)
            kernel += (a @ a.swapaxes(1, 2)) * (b @ b.swapaxes(1, 2))
    # Sums of their fourth powers are taken.
    if not np.abs(kernel).max() < 1e70:
        raise NonFiniteError("products of the gradients on single examples overflow float64; rescale the weights")
    return kernel


def total_gradients(factors: Factors, parts: int) -> Array:
    """The sums of the gradients over each of so many equal parts of the examples, shape (parts, P)."""
    sums = [
        left.reshape(parts, -1, left.shape[1]).swapaxes(1, 2) @ right.reshape(parts, -1, right.shape[1])
        for left, right in factors
    ]
    return np.concatenate([part.reshape(parts, -1) for part in sums], axis=1)
