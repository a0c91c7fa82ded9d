r"""Monte Carlo for tasks that come with inputs of their own: pairs within tasks minus pairs between tasks.

With u_i = (a(p) + y b(p)) dp/dw the gradient on example i of a task A, n examples of each task, and the means

    W_A = 1/(n(n-1)) sum_{i != j} <u_i, u_j>,      ubar_A = 1/n sum_i u_i,

E W_A = E_A ||grad F_A||^2 and, for two tasks drawn independently, E <ubar_A, ubar_B> = ||E_A grad F_A||^2. So

    U = mean over pairs A != B of h_AB,      h_AB = (W_A + W_B)/2 - <ubar_A, ubar_B>,

is an unbiased estimate of Var = E_A ||grad F_A - E_A' grad F_A'||^2: a U-statistic of order two over independent
tasks. It is not clamped. Its standard error is Hoeffding's, its interval the one with the estimated variance for all
values (`estimation/u_statistic.py`): h is not positive semi-definite, and W_A varies where Var is zero, too.

Tasks are drawn in batches, of which the means of W_A and ubar_A are kept: batches are independent and take the place
of tasks in h_AB, which leaves out the pairs within a batch (one in 256) and makes the cost linear in the tasks.

How many examples of each task are drawn is chosen by a pilot: `tasks/sample_sizes.py`.
"""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from ..core.arguments import Array, Stream, stream
from ..core.errors import NotApplicableError, TooLargeError
from ..core.numbers import ROUNDING, format_number
from ..estimation.expectation import rows_per_tile, sampled_norms
from ..estimation.progress import progress
from ..estimation.settings import Settings
from ..estimation.tiles import ordered_map, single_threaded_blas
from ..estimation.u_statistic import Moments, moments
from ..methods.base import InParts, Sampler
from ..problem import Problem
from ..results.estimate import Estimate
from ..results.interruption import attach_estimate
from .base import DrawsExamples
from .examples import kernel_within, not_for_tasks, sampled_gradients, total_gradients
from .sample_sizes import Design, planned

_FEWEST_BATCHES, _FEWEST_PAIRS = 32, 10
"""No interval is drawn from fewer batches, or from a smaller effective number of pairs, (sum h^2)^2 / sum h^4."""
_MOST_PARAMETERS, _ROWS = 2**23, 1024

Batches: TypeAlias = tuple[Array, list[Array], Array]
"""Means over the examples of each of m batches of tasks: for each part of the gradient of W_A (parts, m); of u (m, P),
which is that of ubar_A; and of ||g||^2, ||s||^2 and ||u||^2 (m, 3 parts)."""


@dataclass(frozen=True)
class TaskPairs(InParts, Sampler):
    """Estimate the gradient variance over tasks by pairs of examples within tasks and between tasks.

    Unbiased; the interval has the standard error of Hoeffding's decomposition and knows of skewed tasks; the value and
    the lower end may be negative. The samples resolve nothing, and the result says so, where there are fewer than 32
    batches of tasks or few pairs of them carry the sum.

    Costs one gradient for each example, and n products of the widths of the model with n <= 64 examples of each task
    (n P for models without tangent factors); keeps 256 gradients (64 of large models).
    """

    name: str = field(default="monte-carlo", init=False)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None for a task class and a model with at most 2^23 parameters."""
        refused = not_for_tasks(problem)
        if refused is not None:
            return NotApplicableError(refused)
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

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the U-statistic, its size chosen by a pilot; `rtol=0` spends all `max_samples` examples.

        Raises
        ------
        Interrupted, WorkersLostError
            On Ctrl-C, or where the executor's workers die, with the estimate from the tasks that were finished.
        """
        begin = time.perf_counter()
        done: list[Batches] = []

        def found() -> list[Estimate]:
            return _estimates(done, design, problem, settings, time.perf_counter() - begin)

        def so_far() -> Estimate | None:
            return found()[0] if done and problem.n_parts == 1 else None

        with attach_estimate(so_far), progress(settings.progress) as bar:
            design = planned(problem if problem.n_parts == 1 else problem.by_layer(apart=False), settings)
            tile = _Tile(problem, settings.seed, design)
            numbers = range(math.ceil(design.batches / tile.batches))
            bar.stage(f"pairs of tasks, {design.samples:,} examples", len(numbers))
            with closing(ordered_map(tile, numbers, settings.executor)) as results:
                for batches in results:
                    done.append(batches)
                    bar.advance(1, so_far)
        return found()


@dataclass(frozen=True)
class _Tile:
    """Several small batches of tasks, or one large one: a pure function of the tile's number."""

    problem: Problem
    seed: int
    design: Design

    def __call__(self, number: int) -> Batches:
        rng, n, tasks = stream(self.seed, Stream.TASKS, number), self.design.examples, self.design.tasks
        batches = min(self.batches, self.design.batches - number * self.batches)
        parts = self.problem.n_parts
        within, norms = np.zeros((parts, batches)), np.zeros((batches, 3 * parts))
        gradients: list[Array] = [np.zeros((batches, 1)) for _ in within]
        together = max(1, self.rows // (n * self.batches))  # tasks of a batch that are drawn at a time
        for start in range(0, tasks, together):
            m = batches * min(together, tasks - start)
            factors, example_norms = sampled_gradients(self.problem, m, n, rng)
            # sum_{i != j} <u_i, u_j> over the examples of a task, added up over the tasks of a batch
            for part, ours in enumerate(self.problem.split(factors)):
                kernel = kernel_within(ours, m)
                pairs = kernel.sum(axis=(1, 2)) - np.einsum("tii->t", kernel)
                within[part] += pairs.reshape(batches, -1).sum(axis=1)
                gradients[part] = gradients[part] + total_gradients(ours, batches)
            norms += example_norms.reshape(batches, -1, 3 * parts).sum(axis=1)
        return within / (tasks * n * (n - 1)), [u / (tasks * n) for u in gradients], norms / (tasks * n)

    @property
    def rows(self) -> int:
        """Examples that are drawn at a time, about."""
        return rows_per_tile(self.problem.row_size, _ROWS)

    @property
    def batches(self) -> int:
        """How many batches make a tile."""
        return max(1, self.rows // (self.design.examples * self.design.tasks))


def _estimates(
    done: list[Batches], design: Design, problem: Problem, settings: Settings, seconds: float
) -> list[Estimate]:
    """The estimate of each part of the gradient."""
    size, found = design.tasks * design.examples, []
    for part in range(problem.n_parts):
        within = np.concatenate([within[part] for within, _, _ in done])
        gradients = np.concatenate([gradients[part] for _, gradients, _ in done])
        norms = np.concatenate([norms[:, 3 * part : 3 * part + 3] for _, _, norms in done])
        most = (*problem.largest_norms, math.inf)
        of_norms = sampled_norms(norms, most, settings, seconds, size) if within.size > 1 else None
        found.append(replace(_estimate(within, gradients, design, settings), seconds=seconds, norms=of_norms))
    return found


def _estimate(within: Array, gradients: Array, design: Design, settings: Settings) -> Estimate:
    m, size = within.size, design.tasks * design.examples
    found, effective, rounding = _statistics(within, gradients)
    resolved = m >= _FEWEST_BATCHES and effective >= _FEWEST_PAIRS
    resolution = settings.quantile * math.sqrt(found.noise)
    sampled = f"{m * design.tasks:,} sampled tasks, {design.examples} examples of each"
    if resolved:
        guarantee = (
            f"unbiased: pairs within tasks minus pairs between tasks, over {sampled}; a variance below "
            f"{format_number(resolution, digits=2)} looks like zero to them"
        )
    else:
        guarantee = f"these samples resolve nothing: too few of the pairs of {sampled}, carry a gradient"
    low, high = found.plain_interval(found.quantile(0.5 + settings.confidence / 2))
    return Estimate(
        mantissa=found.value,
        mantissa_interval=(low - rounding, high + rounding),
        method="monte-carlo (pairs of tasks)",
        guarantee=guarantee,
        resolved=resolved,
        mantissa_error=math.sqrt(found.variance(found.n)) + rounding,
        mantissa_upper=found.plain_interval(found.quantile(settings.confidence))[1] + rounding,
        mantissa_resolution=resolution,
        confidence=settings.confidence,
        n_samples=m * size,
        # By the example: the variance at m batches, in terms of m * size examples.
        zeta=(max(found.zeta1, 0.0) * size, found.zeta2 * size**2),
    )


def _statistics(within: Array, gradients: Array) -> tuple[Moments, float, float]:
    """U with Hoeffding's zetas over batches, the effective number of pairs, and the rounding of U."""
    m = within.size
    # h_AB does not change when the same vector is taken from all u: centred, its terms are of its own size.
    centre = gradients.mean(axis=0)
    with single_threaded_blas():
        shift = float(centre @ centre)
        within = within - 2 * (gradients @ centre) + shift
        gradients = gradients - centre
        # h_AB = (W_A + W_B)/2 - <ubar_A, ubar_B>
        h = (within[:, None] + within) / 2 - gradients @ gradients.T
        np.fill_diagonal(h, 0.0)
        rows, square = h.sum(axis=1), h * h
        squares, cubes, fourths = (float(np.vdot(square, other)) for other in (np.ones_like(h), h, square))
    effective = squares * (squares / fourths) / 2 if fourths > 0 else 0.0
    value = math.fsum(rows) / (m * (m - 1)) if m > 1 else math.nan
    # Fewer than four batches have a value only.
    found = Moments(value, 0.0, 0.0, 0.0, 4)
    if m >= 4:
        found = moments(rows, squares, 0.0, cubes / (m * (m - 1)), effective)
    return found, effective, ROUNDING * (abs(value) + shift)
