r"""The sizes of a sample of tasks: how many examples of each, and how many tasks.

Centred at the mean gradient, let v_A be the gradient of task A and Sigma_A the covariance of u in it. To first order
N = T n examples, n of each of T tasks, leave the estimate of `methods/task_pairs.py` the variance

    (1/N) ( n Var_A ||v_A||^2 + 4 E v_A' Sigma_A v_A + 2/(n-1) E tr Sigma_A^2 ):

few examples of many tasks where tasks differ in how strong they are, many of few where the noise of one example hides
them. A pilot sample, which is then dropped, estimates the three terms; they decide n, and with `rtol` how many tasks.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from ..core.arguments import Array, Stream, stream
from ..estimation.settings import Settings
from ..estimation.tiles import ordered_map
from ..problem import Factors, Problem
from .examples import kernel_within, sampled_gradients, total_gradients

_EXAMPLES = (2, 4, 8, 16, 32, 64)
_BATCHES, _FEWEST_BATCHES, _KEPT_NUMBERS = 256, 64, 2**27
_PILOT_EXAMPLES, _PILOT_TASKS, _PILOT_MOST = 16, 64, 2**16


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

    @classmethod
    def without_pilot(cls, samples: int, problem: Problem) -> Design:
        """A few examples each of at least 64 tasks where there are so many samples."""
        return cls.of(samples, max([n for n in _EXAMPLES[:4] if 64 * n <= samples], default=2), problem)

    @property
    def samples(self) -> int:
        """The examples in all."""
        return self.examples * self.tasks * self.batches


def planned(problem: Problem, settings: Settings) -> Design:
    """The sizes that meet `rtol` with the fewest examples; else the best use of all `max_samples`."""
    if settings.max_samples < 4 * _PILOT_TASKS * _PILOT_EXAMPLES:
        return Design.without_pilot(settings.max_samples, problem)
    tasks, most = _PILOT_TASKS, min(settings.max_samples // 4, _PILOT_MOST) // _PILOT_EXAMPLES
    while True:
        terms = _pilot(problem, settings, tasks)
        half = settings.quantile * math.sqrt(terms.of_a_task(_PILOT_EXAMPLES) / tasks)
        if settings.rtol == 0 or half <= max(settings.rtol, 0.25) * terms.value or 4 * tasks > most:
            break
        tasks *= 4
    # 0.8: the half width of the final sample is random, and should rarely come out above what was asked for.
    asked = (0.8 * settings.rtol * max(terms.value, 0.0) / settings.quantile) ** 2
    found: list[tuple[float, Design]] = []
    for examples in _EXAMPLES:
        whole = Design.of(settings.max_samples, examples, problem)
        in_batch = 1
        while in_batch < whole.tasks and terms.left(examples, in_batch * whole.batches) > asked:
            in_batch *= 2
        design = Design(examples, min(in_batch, whole.tasks), whole.batches)
        found.append((terms.left(examples, design.tasks * design.batches), design))
    enough = [design for variance, design in found if variance <= asked]
    return min(enough, key=lambda design: design.samples) if enough else min(found, key=lambda pair: pair[0])[1]


class Terms(NamedTuple):
    """What U's variance is made of: see the head of this file."""

    value: float
    between: float
    mixed: float
    noise: float

    def of_a_task(self, examples: int) -> float:
        """4 zeta_1 of tasks with so many examples each."""
        return self.between + 4 * self.mixed / examples + 2 * self.noise / (examples * (examples - 1))

    def left(self, examples: int, tasks: int) -> float:
        """U's variance; a pair of tasks adds E<v_A, v_B>^2 <= (E||v_A||^2)^2 at most, beside the noise."""
        first = self.of_a_task(examples)
        return first / tasks + (first + 2 * self.value**2) / tasks**2


def _pilot(problem: Problem, settings: Settings, tasks: int) -> Terms:
    """Estimate the terms from so many tasks, a multiple of `_PILOT_TASKS`."""
    tiles = range(tasks // _PILOT_TASKS)
    with closing(ordered_map(partial(_pilot_total, problem, settings.seed), tiles, settings.executor)) as totals:
        centre: Array = np.sum(list(totals), axis=0) / (tasks * _PILOT_EXAMPLES)
    moments = partial(_pilot_moments, problem, settings.seed, centre)
    with closing(ordered_map(moments, tiles, settings.executor)) as results:
        value, pairs, triples, quadruples = np.concatenate(list(results), axis=1).mean(axis=1).tolist()
    terms = quadruples - value**2, triples - quadruples, pairs - 2 * triples + quadruples
    return Terms(value, *(max(term, 0.0) for term in terms))


def _pilot_factors(problem: Problem, seed: np.random.SeedSequence, tile: int) -> Factors:
    return sampled_gradients(problem, _PILOT_TASKS, _PILOT_EXAMPLES, stream(seed, Stream.TASKS_PILOT, tile))[0]


def _pilot_total(problem: Problem, seed: np.random.SeedSequence, tile: int) -> Array:
    total: Array = total_gradients(_pilot_factors(problem, seed, tile), 1)[0]
    return total


def _pilot_moments(problem: Problem, seed: np.random.SeedSequence, centre: Array, tile: int) -> Array:
    """For each task the means of k_ij, k_ij^2, k_ij k_ik and k_ij k_kl, k the centred kernel of its examples."""
    factors, n = _pilot_factors(problem, seed, tile), _PILOT_EXAMPLES
    sums, start = np.zeros(factors[0][0].shape[0]), 0
    for left, right in factors:
        size = left.shape[1] * right.shape[1]
        sums += np.einsum("ij,ij->i", left @ centre[start : start + size].reshape(left.shape[1], -1), right)
        start += size
    along = sums.reshape(-1, n)
    kernel = kernel_within(factors, _PILOT_TASKS) - along[:, :, None] - along[:, None, :] + centre @ centre
    kernel[:, np.arange(n), np.arange(n)] = 0.0
    rows: Array = kernel.sum(axis=2)
    total, squares = rows.sum(axis=1), np.einsum("tij,tij->t", kernel, kernel)
    triples, pairs = np.einsum("ti,ti->t", rows, rows) - squares, n * (n - 1)
    quadruples = total**2 - 4 * triples - 2 * squares
    return np.stack(
        [
            total / pairs,
            squares / pairs,
            triples / (pairs * (n - 2)),
            quadruples / (pairs * (n - 2) * (n - 3)),
        ]
    )
