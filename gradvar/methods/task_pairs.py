r"""Monte Carlo for tasks that come with inputs of their own: pairs within tasks minus pairs between tasks.

With u_i = (a(p) + y b(p)) dp/dw the gradient on example i of a task A, n examples of each task, and the means

    W_A = 1/(n(n-1)) sum_{i != j} <u_i, u_j>,      ubar_A = 1/n sum_i u_i,

E W_A = E_A ||grad F_A||^2 and, for two tasks drawn independently, E <ubar_A, ubar_B> = ||E_A grad F_A||^2. So

    U = mean over pairs A != B of h_AB,      h_AB = (W_A + W_B)/2 - <ubar_A, ubar_B>,

is an unbiased estimate of Var = E_A ||grad F_A - E_A' grad F_A'||^2: a U-statistic of order two over independent
tasks. It is not clamped. Its standard error is Hoeffding's, as in `methods/monte_carlo.py`.

Tasks are drawn in batches, of which the means of W_A and ubar_A are kept: batches are independent and take the place
of tasks in h_AB, which leaves out the pairs within a batch (one in 256) and makes the cost linear in the tasks.

How many examples of each task are drawn is chosen by a pilot: `methods/task_design.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..arguments import Array, stream
from ..classes.base import DrawsExamples
from ..errors import Interrupted, NonFiniteError, NotApplicableError, TooLargeError
from ..expectation import ROUNDING, rows_per_tile
from ..problem import Problem
from ..results import Estimate
from ..settings import Settings
from ..tiles import ordered_map, single_threaded_blas
from .task_design import Design, planned
from .task_examples import drawn_factors, kernel_within, total_gradient

_FINAL_KEY = 6
_FEWEST_BATCHES, _FEWEST_PAIRS = 32, 10
"""No interval is drawn from fewer batches, or from a smaller effective number of pairs, (sum h^2)^2 / sum h^4."""
_MOST_PARAMETERS = 2**24


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
        try:
            design = planned(problem, settings)
            batches = _Batches(problem, settings.seed, design)
            numbers = _shown(range(design.batches), settings, design)
            with closing(ordered_map(batches, numbers, settings.executor)) as results:
                done.extend(results)
        except KeyboardInterrupt:
            raise Interrupted(_finish(done, design, problem, settings, begin) if len(done) >= 2 else None) from None
        return _finish(done, design, problem, settings, begin)


class _Batch(NamedTuple):
    """Means over the tasks of a batch: of W_A, and of the gradient ubar_A, over 4**exponent and 2**exponent."""

    within: float
    gradient: Array


@dataclass(frozen=True)
class _Batches:
    """Batches of tasks: each a pure function of its number."""

    problem: Problem
    seed: np.random.SeedSequence
    design: Design

    def __call__(self, number: int) -> _Batch:
        rng = stream(self.seed, _FINAL_KEY, number)
        n, tasks = self.design.examples, self.design.tasks
        together = max(1, rows_per_tile(self.problem.row_size, 4096) // n)
        within, gradient = 0.0, np.zeros(1)
        for start in range(0, tasks, together):
            m = min(together, tasks - start)
            factors = drawn_factors(self.problem, m, n, rng)
            kernel = kernel_within(factors, m)
            within += float(kernel.sum() - np.einsum("tii->", kernel))
            gradient = gradient + total_gradient(factors)
        return _Batch(within / (tasks * n * (n - 1)), gradient / (tasks * n))


def _finish(done: list[_Batch], design: Design, problem: Problem, settings: Settings, begin: float) -> Estimate:
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


def _shown(numbers: Iterable[int], settings: Settings, design: Design) -> Iterator[int]:
    """The batches, behind a progress bar where one is wanted."""
    if not settings.progress:
        return iter(numbers)
    from tqdm.auto import tqdm

    return iter(tqdm(numbers, desc=f"pairs of tasks, {design.samples:,} examples", unit="batch"))
