r"""The sizes of a sample of tasks: how many examples of each, and how many tasks.

Centred at the mean gradient, let v_A be the gradient of task A and Sigma_A the covariance of u in it. To first order
N = T n examples, n of each of T tasks, leave the estimate of `TaskPairs` the variance

    (1/N) ( n Var_A ||v_A||^2 + 4 E v_A' Sigma_A v_A + 2/(n-1) E tr Sigma_A^2 ):

few examples of many tasks where tasks differ in how strong they are, many of few where the noise of one example hides
them. A pilot sample, which is then dropped, estimates the three terms; they decide n, and with `rtol` how many tasks.
"""

from __future__ import annotations

import dataclasses
import math
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from ..core.arguments import Array, Stream, stream
from ..estimation.pilot import run_pilot
from ..estimation.settings import Settings
from ..estimation.tiles import ordered_map
from ..problem import Factors, Problem
from .examples import kernel_within, sampled_gradients, total_gradients

_EXAMPLES = (2, 4, 8, 16, 32, 64)
_BATCHES, _FEWEST_BATCHES, _KEPT_NUMBERS = 256, 64, 2**27
_PILOT_EXAMPLES, _PILOT_TASKS = 16, 64
_PILOT_TILE = _PILOT_TASKS * _PILOT_EXAMPLES


@dataclass(frozen=True)
class Design:
    """How many examples of a task, tasks in a batch, batches."""

    examples: int
    tasks: int
    batches: int

    @classmethod
    def of(cls, samples: int, examples: int, problem: Problem) -> Design:
        """At most so many samples in all."""
        tasks = samples // examples
        most = max(_FEWEST_BATCHES, min(_BATCHES, _KEPT_NUMBERS // problem.predictor.n_parameters))
        in_batch = math.ceil(tasks / most)
        return cls(examples, in_batch, tasks // in_batch)

    @property
    def samples(self) -> int:
        """The examples in all."""
        return self.examples * self.tasks * self.batches


def planned(problem: Problem, settings: Settings) -> Design:
    """Return the sizes that meet `rtol` with the fewest examples; else the best use of all `max_samples`."""
    pilot = run_pilot(_Pilot(problem, settings), settings, _PILOT_TILE)
    if pilot is None:
        # A few examples each of at least 64 tasks, where there are so many samples.
        few = max([n for n in _EXAMPLES[:4] if 64 * n <= settings.max_samples], default=2)
        return Design.of(settings.max_samples, few, problem)
    terms = pilot[0]
    # 0.8: the half width of the final sample is random, and should rarely come out above what was asked for.
    asked = (0.8 * settings.rtol * max(terms.value, 0.0) / settings.quantile) ** 2
    designs = []
    for examples in _EXAMPLES:
        whole, tasks = Design.of(settings.max_samples, examples, problem), 1
        while tasks < whole.tasks and terms.left(examples, tasks * whole.batches) > asked:
            tasks *= 2
        designs.append(dataclasses.replace(whole, tasks=min(tasks, whole.tasks)))
    return min(designs, key=lambda d: (max(terms.left(d.examples, d.tasks * d.batches), asked), d.samples))


class Terms(NamedTuple):
    """Var, and the three terms of the estimate's variance: Var ||v||^2, E v' Sigma v and E tr Sigma^2. A `Pilot`."""

    value: float
    between: float
    mixed: float
    noise: float
    resolved: bool = True
    floor: float = 0.0

    def of_a_task(self, examples: int) -> float:
        """4 zeta_1 of tasks with so many examples each."""
        return self.between + 4 * self.mixed / examples + 2 * self.noise / (examples * (examples - 1))

    def left(self, examples: int, tasks: int) -> float:
        """The estimate's variance."""
        # A pair of tasks adds E<v_A, v_B>^2 <= (E||v_A||^2)^2 at most, beside the noise.
        first = self.of_a_task(examples)
        return first / tasks + (first + 2 * self.value**2) / tasks**2

    def variance_at(self, n: int) -> float:
        """The variance of a pilot with so many examples, to first order."""
        return self.of_a_task(_PILOT_EXAMPLES) * _PILOT_EXAMPLES / n


class _Pilot:
    """Estimates the terms from so many examples, a multiple of `_PILOT_TILE`; more of them go on with the sum of u."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.seed, self.executor = problem, settings.seed, settings.executor
        self.total: Array = np.zeros(1)
        self.tiles = 0

    def __call__(self, n: int) -> Terms:
        first, self.tiles = self.tiles, n // _PILOT_TILE
        total = partial(_total, self.problem, self.seed)
        with closing(ordered_map(total, range(first, self.tiles), self.executor)) as totals:
            self.total = sum(totals, self.total)
        moments = partial(_moments, self.problem, self.seed, self.total / n)
        with closing(ordered_map(moments, range(self.tiles), self.executor)) as results:
            value, pairs, triples, quadruples = np.concatenate(list(results), axis=1).mean(axis=1).tolist()
        # E k_ij k_kl - V^2, E k_ij k_ik - E k_ij k_kl, E k_ij^2 - 2 E k_ij k_ik + E k_ij k_kl
        terms = quadruples - value**2, triples - quadruples, pairs - 2 * triples + quadruples
        return Terms(value, *(max(term, 0.0) for term in terms))


def _factors(problem: Problem, seed: int, tile: int) -> Factors:
    return sampled_gradients(problem, _PILOT_TASKS, _PILOT_EXAMPLES, stream(seed, Stream.TASKS_PILOT, tile))[0]


def _total(problem: Problem, seed: int, tile: int) -> Array:
    total: Array = total_gradients(_factors(problem, seed, tile), 1)[0]
    return total


def _moments(problem: Problem, seed: int, centre: Array, tile: int) -> Array:
    """For each task the means of k_ij, k_ij^2, k_ij k_ik and k_ij k_kl, k the centred kernel of its examples."""
    factors, n = _factors(problem, seed, tile), _PILOT_EXAMPLES
    # <u_i, centre> = sum_l a_i' C_l b_i
    products, start = np.zeros(factors[0][0].shape[0]), 0
    for left, right in factors:
        size = left.shape[1] * right.shape[1]
        products += np.einsum("ij,ij->i", left @ centre[start : start + size].reshape(left.shape[1], -1), right)
        start += size
    # k_ij = <u_i - centre, u_j - centre>, i != j
    along = products.reshape(-1, n)
    kernel = kernel_within(factors, _PILOT_TASKS) - along[:, :, None] - along[:, None, :] + centre @ centre
    kernel[:, np.arange(n), np.arange(n)] = 0.0
    # Sums over distinct indices from the row sums, their squares and the squares of the entries.
    rows: Array = kernel.sum(axis=2)
    total, squares = rows.sum(axis=1), np.einsum("tij,tij->t", kernel, kernel)
    triples = np.einsum("ti,ti->t", rows, rows) - squares
    quadruples = total**2 - 4 * triples - 2 * squares
    pairs = n * (n - 1)
    counts = np.array([pairs, pairs, pairs * (n - 2), pairs * (n - 2) * (n - 3)])
    return np.asarray(np.stack([total, squares, triples, quadruples]) / counts[:, None])
