r"""Monte Carlo for tasks that come with inputs of their own: pairs within tasks minus pairs between tasks.

With u_i = (a(p) + y b(p)) dp/dw the gradient on example i of a task A, n examples of each task, and the means

    W_A = 1/(n(n-1)) sum_{i != j} <u_i, u_j>,      ubar_A = 1/n sum_i u_i,

E W_A = E_A ||grad F_A||^2 and, for two tasks drawn independently, E <ubar_A, ubar_B> = ||E_A grad F_A||^2. So

    U = mean over pairs A != B of h_AB,      h_AB = (W_A + W_B)/2 - <ubar_A, ubar_B>,

is an unbiased estimate of Var = E_A ||grad F_A - E_A' grad F_A'||^2: a U-statistic of order two over independent
tasks. It is not clamped. Its standard error is Hoeffding's, as in `methods/monte_carlo.py`.

Tasks are drawn in batches, of which the means of W_A and ubar_A are kept: batches are independent and take the place
of tasks in h_AB, which leaves out the pairs within a batch (one in 256) and makes the cost linear in the tasks.

How many examples of a task. Centred at the mean gradient, let v_A be the gradient of task A and Sigma_A the covariance
of u in it. To first order N = T n examples in T tasks leave U the variance

    (1/N) ( n Var_A ||v_A||^2 + 4 E v_A' Sigma_A v_A + 2/(n-1) E tr Sigma_A^2 ):

few examples of many tasks where tasks differ in how strong they are, many of few where the noise of one example hides
them. A pilot sample, which is then dropped, estimates the three terms; they decide n, and with `rtol` how many tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from ..arguments import Array, stream
from ..classes.base import DrawsExamples
from ..classes.tasks import draw_examples
from ..errors import Interrupted, NonFiniteError, NotApplicableError, TooLargeError
from ..expectation import ROUNDING, rows_per_tile
from ..problem import Factors, Problem
from ..results import Estimate
from ..settings import Settings
from ..tiles import ordered_map, single_threaded_blas

_FINAL_KEY, _PILOT_KEY = 6, 7
_BATCHES = 256
_FEWEST_BATCHES, _FEWEST_PAIRS = 32, 10
"""No interval is drawn from fewer batches, or from a smaller effective number of pairs, (sum h^2)^2 / sum h^4."""
_KEPT_NUMBERS = 2**27
_MOST_PARAMETERS = 2**24
_EXAMPLES = (2, 4, 8, 16, 32, 64)
_PILOT_EXAMPLES, _PILOT_TASKS, _PILOT_MOST = 16, 64, 2**16


@dataclass(frozen=True)
class TaskPairs:
    """Estimate the gradient variance over tasks by pairs of examples within tasks and between tasks.

    Unbiased; the interval is normal with the standard error of Hoeffding's decomposition; the value and the lower end
    may be negative. The samples resolve nothing, and the result says so, where there are fewer than 32 batches of
    tasks or few pairs of them carry the sum.

    Costs one gradient for each example, and n products of the widths of the model with n <= 64 examples of each task
    (n P for models without tangent factors); keeps 256 gradients (64 of large models).
    """

    name: str = field(default="monte-carlo", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a task class and a model with at most 2^24 parameters."""
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        if not isinstance(problem.hypotheses, DrawsExamples):
            return NotApplicableError(f"{problem.hypotheses!r} has no method `draw(members, n, rng)`")
        if problem.predictor.n_parameters > _MOST_PARAMETERS:
            return TooLargeError(
                f"pairs of tasks keep at least 64 gradients of {problem.predictor.n_parameters:,} parameters each; "
                f"{_MOST_PARAMETERS:,} parameters are the most"
            )
        return None

    def plan(self, problem: Problem) -> str:
        """Say what is averaged."""
        return "unbiased U-statistic over pairs of sampled tasks, within-task minus between-task, with an interval"

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return the U-statistic, its size chosen by a pilot; `rtol=0` spends all `max_samples` examples.

        Raises
        ------
        Interrupted
            On Ctrl-C, with the estimate from the tasks that were finished.
        """
        begin = time.perf_counter()
        done: list[_Batch] = []
        design = _Design.without_pilot(settings.max_samples, problem)
        try:
            if settings.max_samples >= 4 * _PILOT_TASKS * _PILOT_EXAMPLES:
                design = _planned(problem, settings)
            batches = _Batches(problem, settings.seed, design)
            numbers = _shown(range(design.batches), settings, design)
            with closing(ordered_map(batches, numbers, settings.executor)) as results:
                done.extend(results)
        except KeyboardInterrupt:
            partial_result = _finish(done, design, problem, settings, begin) if len(done) >= 2 else None
            raise Interrupted(partial_result) from None
        return _finish(done, design, problem, settings, begin)


@dataclass(frozen=True)
class _Design:
    """How many examples of a task, tasks in a batch, batches."""

    examples: int
    tasks: int
    batches: int

    @classmethod
    def of(cls, samples: int, examples: int, problem: Problem) -> _Design:
        """At most so many samples in all."""
        tasks = samples // examples
        most = max(64, min(_BATCHES, _KEPT_NUMBERS // problem.predictor.n_parameters))
        return cls(examples, max(tasks // most, 1), min(tasks, most))

    @classmethod
    def without_pilot(cls, samples: int, problem: Problem) -> _Design:
        """A few examples each of at least 64 tasks where there are so many samples."""
        return cls.of(samples, max([n for n in _EXAMPLES[:4] if 64 * n <= samples], default=2), problem)

    @property
    def samples(self) -> int:
        """The examples in all."""
        return self.examples * self.tasks * self.batches


class _Batch(NamedTuple):
    """Means over the tasks of a batch: of W_A, and of the gradient ubar_A, over 4**exponent and 2**exponent."""

    within: float
    gradient: Array


@dataclass(frozen=True)
class _Batches:
    """Batches of tasks: each a pure function of its number."""

    problem: Problem
    seed: np.random.SeedSequence
    design: _Design

    def __call__(self, number: int) -> _Batch:
        rng = stream(self.seed, _FINAL_KEY, number)
        n, tasks = self.design.examples, self.design.tasks
        together = max(1, rows_per_tile(self.problem.row_size, 4096) // n)
        within, gradient = 0.0, np.zeros(0)
        for start in range(0, tasks, together):
            m = min(together, tasks - start)
            factors = _drawn_factors(self.problem, m, n, rng)
            kernel = _kernel_within(factors, m)
            within += float(kernel.sum() - np.einsum("tii->", kernel))
            gradient = _total(factors) + (gradient if start else 0.0)
        return _Batch(within / (tasks * n * (n - 1)), gradient / (tasks * n))


def _drawn_factors(problem: Problem, m: int, n: int, rng: np.random.Generator) -> Factors:
    """The factors of u on n examples of each of m random tasks, those of a task in a row."""
    assert isinstance(problem.hypotheses, DrawsExamples)
    return problem.example_factors(*draw_examples(problem.hypotheses, m, n, rng))


def _kernel_within(factors: Factors, m: int) -> Array:
    """<u_i, u_j> for the examples of each of m tasks, shape (m, n, n)."""
    n = factors[0][0].shape[0] // m
    kernel = np.zeros((m, n, n))
    for left, right in factors:
        a, b = left.reshape(m, n, -1), right.reshape(m, n, -1)
        kernel += (a @ a.swapaxes(1, 2)) * (b @ b.swapaxes(1, 2))
    return kernel


def _total(factors: Factors) -> Array:
    """The sum of the gradients that factors stand for, shape (P,)."""
    return np.concatenate([(left.T @ right).ravel() for left, right in factors])


def _finish(done: list[_Batch], design: _Design, problem: Problem, settings: Settings, begin: float) -> Estimate:
    value, (zeta1, zeta2), resolved, rounding = _statistics(done)
    m, size = len(done), design.tasks * design.examples
    error = math.sqrt((4 * max(m - 2, 0) * zeta1 + 2 * zeta2) / (m * (m - 1))) + rounding if resolved else math.inf
    half = settings.quantile * error
    sampled = f"{m * design.tasks:,} sampled tasks, {design.examples} examples of each"
    if resolved:
        guarantee = f"unbiased: pairs within tasks minus pairs between tasks, over {sampled}, normal interval"
    else:
        guarantee = f"these samples resolve nothing: too few of the pairs of {sampled}, carry a gradient"
    return Estimate(
        mantissa=value,
        exponent=2 * problem.exponent,
        mantissa_interval=(value - half, value + half),
        mantissa_error=error,
        exact=False,
        method="monte-carlo (pairs of tasks)",
        guarantee=guarantee,
        confidence=settings.confidence,
        n_samples=m * size,
        seconds=time.perf_counter() - begin,
        resolved=resolved,
        # By the example: the variance at m batches, in terms of m * size examples.
        zeta=(zeta1 * size, zeta2 * size**2) if resolved else None,
    )


def _statistics(done: list[_Batch]) -> tuple[float, tuple[float, float], bool, float]:
    """U, Hoeffding's zeta_1 and zeta_2 over batches, whether an interval can be drawn from them, and the rounding."""
    m = len(done)
    ordered = m * (m - 1)
    within, gradients = np.array([batch.within for batch in done]), np.stack([batch.gradient for batch in done])
    # h_AB does not change when the same vector is taken from all u: centred, its terms are of its own size.
    centre = gradients.mean(axis=0)
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        shift = float(centre @ centre)
        within = within - 2 * (gradients @ centre) + shift
        gradients -= centre
        h = (within[:, None] + within) / 2 - gradients @ gradients.T
    np.fill_diagonal(h, 0.0)
    rows = h.sum(axis=1)
    total, squares, fourths = math.fsum(rows), float(np.vdot(h, h)), float(np.vdot(h * h, h * h))
    if not math.isfinite(total + fourths):
        raise NonFiniteError("products of the gradients on single examples overflow float64; rescale the weights")
    zeta = 0.0, 0.0
    if m >= 4:
        triples = math.fsum(rows**2) - squares
        square = (total * total - 4 * triples - 2 * squares) / (ordered * (m - 2) * (m - 3))
        zeta = max(triples / (ordered * (m - 2)) - square, 0.0), max(squares / ordered - square, 0.0)
    effective = squares * (squares / fourths) / 2 if fourths > 0 else 0.0
    resolved = m >= _FEWEST_BATCHES and effective >= _FEWEST_PAIRS
    return total / ordered, zeta, resolved, ROUNDING * (abs(total) / ordered + shift)


def _planned(problem: Problem, settings: Settings) -> _Design:
    """The examples of each task and the number of tasks that meet `rtol` at the least cost; else all `max_samples`."""
    tasks, most = _PILOT_TASKS, min(settings.max_samples // 4, _PILOT_MOST) // _PILOT_EXAMPLES
    while True:
        terms = _pilot(problem, settings, tasks)
        half = settings.quantile * math.sqrt(terms.of_a_task(_PILOT_EXAMPLES) / tasks)
        if settings.rtol == 0 or half <= max(settings.rtol, 0.25) * terms.value or 4 * tasks > most:
            break
        tasks *= 4
    # 0.8: the half width of the final sample is random, and should rarely come out above what was asked for.
    asked = (0.8 * settings.rtol * max(terms.value, 0.0) / settings.quantile) ** 2
    found: list[tuple[float, _Design]] = []
    for examples in _EXAMPLES:
        whole = _Design.of(settings.max_samples, examples, problem)
        in_batch = 1
        while in_batch < whole.tasks and terms.left(examples, in_batch * whole.batches) > asked:
            in_batch *= 2
        design = _Design(examples, min(in_batch, whole.tasks), whole.batches)
        found.append((terms.left(examples, design.tasks * design.batches), design))
    enough = [design for variance, design in found if variance <= asked]
    return min(enough, key=lambda design: design.samples) if enough else min(found, key=lambda pair: pair[0])[1]


class _Terms(NamedTuple):
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


def _pilot(problem: Problem, settings: Settings, tasks: int) -> _Terms:
    """Estimate the terms from so many tasks, a multiple of `_PILOT_TASKS`."""
    tiles = range(tasks // _PILOT_TASKS)
    with closing(ordered_map(partial(_pilot_total, problem, settings.seed), tiles, settings.executor)) as totals:
        centre = sum(totals, np.zeros(1)) / (tasks * _PILOT_EXAMPLES)
    moments = partial(_pilot_moments, problem, settings.seed, centre)
    with closing(ordered_map(moments, tiles, settings.executor)) as results:
        value, pairs, triples, quadruples = np.concatenate(list(results), axis=1).mean(axis=1).tolist()
    terms = quadruples - value**2, triples - quadruples, pairs - 2 * triples + quadruples
    if not all(math.isfinite(term) for term in terms):
        raise NonFiniteError("products of the gradients on single examples overflow float64; rescale the weights")
    return _Terms(value, *(max(term, 0.0) for term in terms))


def _pilot_factors(problem: Problem, seed: np.random.SeedSequence, tile: int) -> Factors:
    return _drawn_factors(problem, _PILOT_TASKS, _PILOT_EXAMPLES, stream(seed, _PILOT_KEY, tile))


def _pilot_total(problem: Problem, seed: np.random.SeedSequence, tile: int) -> Array:
    return _total(_pilot_factors(problem, seed, tile))


def _pilot_moments(problem: Problem, seed: np.random.SeedSequence, centre: Array, tile: int) -> Array:
    """For each task the means of k_ij, k_ij^2, k_ij k_ik and k_ij k_kl, k the centred kernel of its examples."""
    factors, n = _pilot_factors(problem, seed, tile), _PILOT_EXAMPLES
    along, start = np.zeros(factors[0][0].shape[0]), 0
    for left, right in factors:
        size = left.shape[1] * right.shape[1]
        along += np.einsum("ij,ij->i", left @ centre[start : start + size].reshape(left.shape[1], -1), right)
        start += size
    along = along.reshape(-1, n)
    kernel = _kernel_within(factors, _PILOT_TASKS) - along[:, :, None] - along[:, None, :] + centre @ centre
    kernel[:, np.arange(n), np.arange(n)] = 0.0
    rows = kernel.sum(axis=2)
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


def _shown(numbers: Iterable[int], settings: Settings, design: _Design) -> Iterator[int]:
    """The batches, behind a progress bar where one is wanted."""
    if not settings.progress:
        return iter(numbers)
    from tqdm.auto import tqdm

    return iter(tqdm(numbers, desc=f"pairs of tasks, {design.samples:,} examples", unit="batch"))
