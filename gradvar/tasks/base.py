"""Task classes: members that come with inputs of their own, what they must say and what they may.

A *task class* is a class whose members come with inputs of their own: a task is a distribution D_A of examples (x, y),
F_A(w) = E_{D_A} loss(p_w(x), y), and the variance is over the tasks. It is recognised by `draw` (`DrawsExamples`), and
has `sample(m, rng)` (m tasks), `draw(members, n, rng)` (n examples of each), `labels`, and `inputs`, the distribution
of x over a random task. It has no `evaluate`, `covariance` or `project`: those are about targets that share their
inputs. Where tasks are few and inputs finitely many it may say them in full (`TabulatesTasks`).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from ..classes.base import HypothesisClass, Members
from ..core.arguments import Array


@runtime_checkable
class DrawsExamples(HypothesisClass, Protocol[Members]):
    """A task class: each member draws its inputs as well as their labels."""

    def sample(self, m: int, rng: np.random.Generator) -> Members:
        """Return m independent tasks."""

    def draw(self, members: Members, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return n independent examples of each of m tasks: inputs (m, n, dim) and labels (m, n)."""


@runtime_checkable
class TabulatesTasks(DrawsExamples[Members], Protocol[Members]):
    """A task class with finitely many tasks on finitely many inputs, whose labels are functions of the input.

    Where they are not, `targets` are their means, and `label_variances(members, x)` (m, n) their variances;
    `n_pairs` may say how many pairs of a task and an input have a probability, where they are few.
    """

    @property
    def size(self) -> int:
        """The number of tasks."""

    def members(self) -> Members:
        """Return the descriptions of all tasks."""

    def probabilities(self, members: Members, x: Array) -> Array:
        """Return D_A(x), the probability of each input under each task, shape (m, n)."""

    def targets(self, members: Members, x: Array) -> Array:
        """Return the label of each input under each task, shape (m, n)."""
