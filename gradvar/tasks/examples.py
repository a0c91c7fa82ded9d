"""Examples of random tasks, and the gradients u = dloss/dw on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import SupportsIndex, cast

import numpy as np

from ..core.arguments import Array, SeedLike, finite, generator, integer
from ..core.errors import LabelError, NonFiniteError, ShapeError
from ..problem import Factors, Moment, Problem
from .base import DrawsExamples
from .mixture import Members, Mixture


def not_for_tasks(problem: Problem) -> str | None:
    """Return None for the variance and a model at fixed weights, else why no task class has what is asked for."""
    if problem.moment is not Moment.VARIANCE:
        return (
            f"tasks with inputs of their own have the variance only: {problem.moment.value} is a moment of targets h "
            "that share their inputs"
        )
    return problem.weightless


def draw_examples(hypotheses: DrawsExamples[Members], m: int, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return n examples of each of m random tasks, made sure to be what was claimed: x (m n, dim) and y (m n,)."""
    x, y = hypotheses.draw(hypotheses.sample(m, rng), n, rng)
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    expected = (m, n, hypotheses.inputs.dim)
    if x.shape != expected or y.shape != expected[:2]:
        raise ShapeError(
            f"`H.draw` must return inputs of shape {expected} and labels of shape {expected[:2]} for {m} tasks with "
            f"{n} examples each, got {x.shape} and {y.shape}"
        )
    finite("x of H.draw", x)
    finite("y of H.draw", y)
    if getattr(hypotheses, "labels", "real") == "signs" and not (np.abs(y) == 1).all():
        raise LabelError(f"{hypotheses!r} claims labels -1 and +1, but a task has the label {y[np.abs(y) != 1][0]:.6g}")
    return x.reshape(m * n, -1), y.ravel()


@dataclass(frozen=True)
class LabelledMixture(Mixture[Members]):
    """The distribution of the examples of a random task: the label is a last coordinate after those of the input."""

    @classmethod
    def of(cls, tasks: DrawsExamples[Members]) -> LabelledMixture[Members]:
        """Return that of any task class."""
        return cls(tasks, tasks.inputs.dim + 1)

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return an example of each of n tasks, shape (n, dim)."""
        x, y = draw_examples(self.tasks, integer("n", n, 0), 1, generator(rng))
        return np.concatenate([x, y[:, None]], axis=1)


def example_gradients(problem: Problem, x: Array, y: Array) -> tuple[Factors, Array]:
    """Return the factors of the gradient on single examples, and norms.

    The norms are ||g(x)||^2, ||s(x)||^2 and ||u(x, y)||^2 of each part, as three columns (n, 3 parts).
    """
    # u = (a(p) + y b(p)) g: where inputs differ from task to task, a(p) g does not drop out of the variance.
    a, b = problem.loss_split(x)
    gradient = problem.tangent_factors(x)
    slope, norm_sq = a + y * b, problem.norms_of_parts(gradient)
    factors = [(left, right * slope[:, None]) for left, right in gradient]
    with np.errstate(over="ignore"):  # whoever takes the mean makes sure that it is finite
        columns = [norm_sq, b[:, None] ** 2 * norm_sq, slope[:, None] ** 2 * norm_sq]
        return factors, np.stack(columns, axis=2).reshape(len(x), -1)


def sampled_gradients(problem: Problem, m: int, n: int, rng: np.random.Generator) -> tuple[Factors, Array]:
    """Return these on n examples of each of m random tasks, those of a task in a row."""
    # The method has made sure that it draws examples; asking a protocol takes longer than a small sample does.
    hypotheses = cast(DrawsExamples[object], problem.hypotheses)
    return example_gradients(problem, *draw_examples(hypotheses, m, n, rng))


def kernel_within(factors: Factors, m: int) -> Array:
    """<u_i, u_j> for the examples of each of m tasks, shape (m, n, n)."""
    n = factors[0][0].shape[0] // m
    kernel = np.zeros((m, n, n))
    with np.errstate(over="ignore", invalid="ignore"):
        # <u_i, u_j> = sum_l (A_l A_l')_ij (B_l B_l')_ij
        for left, right in factors:
            a, b = left.reshape(m, n, -1), right.reshape(m, n, -1)
            kernel += (a @ a.swapaxes(1, 2)) * (b @ b.swapaxes(1, 2))
    # Sums of their fourth powers are taken.
    if not np.abs(kernel).max() < 1e70:
        raise NonFiniteError("products of the gradients on single examples overflow float64; rescale the weights")
    return kernel


def total_gradients(factors: Factors, parts: int) -> Array:
    """The sums of the gradients over each of so many equal parts of the examples, shape (parts, P)."""
    # sum_i u_i = sum_i a_i b_i' of each factor, as one row
    sums = [
        left.reshape(parts, -1, left.shape[1]).swapaxes(1, 2) @ right.reshape(parts, -1, right.shape[1])
        for left, right in factors
    ]
    return np.concatenate([part.reshape(parts, -1) for part in sums], axis=1)
