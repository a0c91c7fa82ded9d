"""The verb `bound_check`: the variance, the bounds on it, and a verdict that is no stronger than the intervals."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from typing import SupportsFloat, SupportsIndex

from ..bounds.assumptions import assumptions
from ..bounds.bounds import bounds
from ..bounds.consequences import consequences
from ..bounds.operator_norm import check_norm_signature
from ..bounds.verdict import ratio, verdict_on
from ..classes import Parities
from ..classes.base import HypothesisClass
from ..core.arguments import SeedLike
from ..core.numbers import log2_of
from ..estimation.progress import Reporter
from ..estimation.settings import Settings
from ..losses import Loss
from ..methods import Method
from ..methods.closed_form.norms import norms
from ..models.base import Model
from ..models.infinite_mlp import InfiniteMLP
from ..problem import Problem
from ..results.bound_check import BoundCheck
from ..results.interruption import attach_estimate
from ..tasks.base import DrawsExamples
from ..tasks.check import TaskNorms, check_tasks, task_norms
from .auto import as_method
from .noise import without_noise
from .precision import norm_within_precision, within_precision
from .variance import estimate


def bound_check(
    H: HypothesisClass,
    model: Model | InfiniteMLP,
    loss: str | Loss = "square",
    *,
    method: str | Method = "auto",
    rtol: SupportsFloat = 0.1,
    confidence: SupportsFloat = 0.95,
    max_samples: SupportsIndex | None = None,
    rng: SeedLike = None,
    executor: Executor | None = None,
    progress: Reporter = False,
) -> BoundCheck:
    r"""Check the gradient variance of a model over a hypothesis class against Theorem 1 and the bounds around it.

    Theorem 1 (arXiv 1703.07950): Var(H, F, w) <= G(w)^2/|H| for an orthonormal class, G^2 = E||dp/dw||^2. For a
    class that is not orthonormal it does not apply; the operator-norm bound lambda_max(J Gram J)/|H| E||s||^2 takes
    its place. For tasks that come with inputs of their own neither does: the verdict is "no bound", and says how Var
    compares with G^2/|H|.

    Parameters
    ----------
    H, model, loss, method, rtol, confidence, max_samples, rng, executor, progress
        As for `gradient_variance`.

    Returns
    -------
    BoundCheck
        `print` it for the report. `.variance`, `.bound`, `.ratio`, `.verdict` ("holds", "violated", "inconclusive",
        "no bound"), `.bounds`, `.assumptions`, `.consequences`, `.to_dict()`, `.plot()`.

    Raises
    ------
    TypeError, ValueError, Interrupted, WorkersLostError
        As for `gradient_variance`.

    Examples
    --------
    >>> import gradvar as gv
    >>> check = gv.bound_check(gv.Parities(10), gv.Linear([1.0] * 10))
    >>> check
    BoundCheck(holds: variance=0.00975609, bound=0.00976562 (theorem-1), ratio=0.999)
    """
    problem = Problem(H, model, loss)
    settings = Settings.checked(rtol, confidence, max_samples, rng, executor, progress)
    return check_bounds(problem, as_method(method), settings)


def check_bounds(problem: Problem, method: Method, settings: Settings) -> BoundCheck:
    """Check the bounds on the variance of a problem; `bound_check` with its arguments validated."""
    H = problem.hypotheses
    check_norm_signature(H)  # before the variance is computed, which may take long
    variance = estimate(problem, method, settings)
    if isinstance(H, DrawsExamples):
        with attach_estimate(lambda: variance):
            *of_model, example = task_norms(problem, settings, variance)
            gradient, signal = (norm_within_precision(norm, problem) for norm in of_model)
            of_tasks = TaskNorms(gradient, signal, within_precision(example, problem, settings))
            return check_tasks(problem, variance, of_tasks, settings)
    clean, kept = without_noise(problem)
    with attach_estimate(lambda: variance):
        gradient, signal = (norm_within_precision(norm, clean) for norm in norms(clean, settings, variance))
        known = assumptions(clean, gradient, settings)
        found = bounds(clean, gradient, signal, known, settings)
    if kept < 1:
        found = {name: bound.times(2 * log2_of(kept, 0), f"{kept:.4g}^2") for name, bound in found.items()}
    name, verdict, reason = verdict_on(variance, found)
    if type(H) is Parities:
        reason += " All parities span every function on the cube: Var is E||s||^2/|H| but for one point (Parseval)."
    if H.log2_size == 0:
        reason += " One target has nothing to vary: gv.gradient_alignment(H, model) says what the gradient knows of it."
    return BoundCheck(
        variance=variance,
        gradient_norm_sq=gradient,
        signal_norm_sq=signal,
        log2_size=H.log2_size,
        bound_name=name,
        bounds=found,
        ratio=math.nan if name is None else ratio(variance, found[name].log2),
        verdict=verdict,
        reason=reason,
        assumptions=known,
        consequences=consequences(variance, signal) if H.log2_size > 0 else (),
        problem=problem.descriptions,
    )
