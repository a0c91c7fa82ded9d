"""The bound check of tasks that come with inputs of their own: there is no theorem to break.

Theorem 1 of arXiv 1703.07950 and the operator norm are about targets on the same inputs. Between two tasks the inputs
differ as well, so neither factor of the variance is a covariance of targets, and a norm of it would need the density
of every task. What is left is the second moment, Var <= E||u||^2 with u the gradient on one example of a random task
(Jensen), true and trivial; and G^2/|H| as a yardstick.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

from ..bounds.assumptions import gradient_norm, known_labels, lipschitz_loss
from ..bounds.bounds import FORMULAS, norm_bound, theorem_1
from ..bounds.consequences import consequences
from ..bounds.operator_norm import Constant
from ..core.arguments import Array, Stream, stream
from ..estimation.expectation import expectation
from ..estimation.settings import Settings
from ..methods.closed_form.norms import norms
from ..problem import Problem
from ..results.bound_check import BoundCheck
from ..results.estimate import Estimate
from ..results.findings import Assumption, Bound
from ..results.report import ratio_text
from .base import DrawsExamples
from .enumeration import example_norm
from .examples import LabelledMixture, draw_examples, example_gradients

_SHARED_INPUTS = Assumption(
    "shared inputs",
    "failed",
    "every task draws inputs of its own, and the theorem is about targets on the same inputs",
)
_DENSITIES = "where inputs differ between tasks it would need the density of each"
_SECOND_MOMENT = "E||u||^2, u the gradient on one example: true of any tasks, and trivial"
_TASKS, _EXAMPLES = 32, 256


class TaskNorms(NamedTuple):
    """G^2, E||s||^2 and E||u||^2."""

    gradient: Estimate
    signal: Estimate
    example: Estimate


def check_tasks(problem: Problem, variance: Estimate, found: TaskNorms, settings: Settings) -> BoundCheck:
    """Return the variance of a task problem beside the bounds; the verdict is that there is nothing to check."""
    hypotheses = cast(DrawsExamples[object], problem.hypotheses)
    gradient, signal, example = found
    assumptions = (
        _SHARED_INPUTS,
        lipschitz_loss(problem.loss),
        known_labels(problem) or _labels(hypotheses, settings),
        gradient_norm(gradient),
    )
    theorem = theorem_1(problem, gradient, assumptions)
    return BoundCheck(
        variance=variance,
        gradient_norm_sq=gradient,
        signal_norm_sq=signal,
        example_norm_sq=example,
        log2_size=hypotheses.log2_size,
        bound_name=None,
        bounds={
            "theorem-1": theorem,
            "operator-norm": norm_bound(
                "operator-norm", FORMULAS["operator-norm"], Constant(math.nan, _DENSITIES), signal
            ),
            # Var <= E||u||^2
            "second-moment": norm_bound("second-moment", _SECOND_MOMENT, Constant(0.0, "Jensen's inequality"), example),
        },
        ratio=math.nan,
        verdict="no bound",
        reason=_reason(variance, theorem),
        assumptions=assumptions,
        consequences=consequences(variance, example, "E||u||^2") if hypotheses.log2_size > 0 else (),
        problem=problem.descriptions,
    )


def task_norms(problem: Problem, settings: Settings, variance: Estimate) -> TaskNorms:
    """Return the norms, from the examples of the variance, or from others; exact where inputs are few."""
    tasks = cast(DrawsExamples[object], problem.hypotheses)
    example, sampled = example_norm(problem, settings), variance.norms
    if example is None and sampled is None:
        sampled = tuple(
            expectation(
                partial(_example_norms, problem),
                LabelledMixture.of(tasks),
                settings,
                name="mean of the squared norm",
                method="expectation",
                row_size=problem.row_size,
                most=(*problem.largest_norms, math.inf),
            )
        )
    if sampled is not None:
        example = example or sampled[2]
        variance = replace(variance, norms=sampled[:2])
    assert example is not None
    gradient, signal = norms(problem, settings, variance)
    return TaskNorms(gradient, signal, example)


def _example_norms(problem: Problem, examples: Array) -> Array:
    return example_gradients(problem, examples[:, :-1], examples[:, -1])[1]


def _labels(tasks: DrawsExamples[object], settings: Settings) -> Assumption:
    """The labels of some tasks: drawing them raises an error where they are not what is claimed."""
    draw_examples(tasks, _TASKS, _EXAMPLES, stream(settings.seed, Stream.ASSUMPTIONS))
    return Assumption(
        "labels", "estimated", f"claimed; -1 and +1 on {_EXAMPLES} examples of each of {_TASKS} sampled tasks"
    )


def _reason(variance: Estimate, theorem: Bound) -> str:
    """There is nothing for the variance to break; and how it compares with G^2/|H|."""
    said = (
        f"Theorem 1 does not apply ({theorem.reason}), and beyond the second moment no bound is known: there is "
        "nothing to check."
    )
    if not variance.resolved or variance.mantissa <= 0 or math.isnan(theorem.log2):
        return said
    about = "" if variance.exact else "about "
    times = ratio_text(variance, theorem.log2)
    return (
        f"{said} Var is {about}{times} times {theorem.formula}, the most that as many orthonormal targets on the same "
        "inputs could have."
    )
