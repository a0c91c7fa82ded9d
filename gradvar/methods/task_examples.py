"""The gradients on examples of random tasks: their factors, their kernel within each task, their sum."""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..classes.base import DrawsExamples
from ..classes.tasks import draw_examples
from ..problem import Factors, Problem


def drawn_factors(problem: Problem, m: int, n: int, rng: np.random.Generator) -> Factors:
    """The factors of u on n examples of each of m random tasks, those of a task in a row."""
    assert isinstance(problem.hypotheses, DrawsExamples)
    return problem.example_factors(*draw_examples(problem.hypotheses, m, n, rng))


def kernel_within(factors: Factors, m: int) -> Array:
    """<u_i, u_j> for the examples of each of m tasks, shape (m, n, n)."""
    n = factors[0][0].shape[0] // m
    kernel = np.zeros((m, n, n))
    for left, right in factors:
        a, b = left.reshape(m, n, -1), right.reshape(m, n, -1)
        kernel += (a @ a.swapaxes(1, 2)) * (b @ b.swapaxes(1, 2))
    return kernel


def total_gradient(factors: Factors) -> Array:
    """The sum of the gradients that factors stand for, shape (P,)."""
    return np.concatenate([(left.T @ right).ravel() for left, right in factors])
