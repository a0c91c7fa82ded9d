"""The verb `bound_check`: the variance, the bounds on it, and a verdict that is no stronger than the intervals."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from functools import partial
from typing import SupportsFloat, SupportsIndex

from .arguments import Array, SeedLike
from .assumptions import assumptions
from .bounds import bounds, consequences
from .classes.base import DrawsExamples, HypothesisClass
from .classes.tasks import Examples
from .errors import Interrupted
from .expectation import MAX_POINTS, expectation, scaled
from .losses import Loss
from .methods import Method
from .methods.auto import as_method
from .methods.closed_form import infinite_width
from .models.base import Model
from .models.infinite_mlp import InfiniteMLP
from .problem import Problem
from .progress import Reporter
from .results import Bound, BoundCheck, Estimate, exp2, format_log2, format_number, log2_end, log2_of, percent
from .settings import Settings
from .variance import MAX_SAMPLES, estimate


def bound_check(
    H: HypothesisClass,
    model: Model | InfiniteMLP,
    loss: str | Loss = "square",
    *,
    method: str | Method = "auto",
    rtol: SupportsFloat = 0.1,
    confidence: SupportsFloat = 0.95,
    max_samples: SupportsIndex = MAX_SAMPLES,
    rng: SeedLike = None,
    executor: Executor | None = None,
    progress: Reporter = False,
) -> BoundCheck:
    r"""Check the gradient variance of a model over a hypothesis class against Theorem 1 and the bounds around it.

    Theorem 1 (arXiv 1703.07950): Var(H, F, w) <= G(w)^2/|H| for an orthonormal class, G^2 = E||dp/dw||^2. For a
    class that is not orthonormal it does not apply; the operator-norm bound lambda_max(J Gram J)/|H| E||s||^2 takes
    its place. For tasks that come with inputs of their own neither does: the verdict is "inconclusive", and says how
    Var compares with G^2/|H|.

    Parameters
    ----------
    H, model, loss, method, rtol, confidence, max_samples, rng, executor, progress
        As for `gradient_variance`.

    Returns
    -------
    BoundCheck
        `print` it for the report. `.variance`, `.bound`, `.ratio`, `.verdict` ("holds", "violated", "inconclusive"),
        `.bounds`, `.assumptions`, `.consequences`, `.to_dict()`, `.plot()`.

    Raises
    ------
    TypeError, ValueError, Interrupted
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
    variance = estimate(problem, as_method(method), settings)
    try:
        gradient, signal, example = _norms(problem, settings, variance)
        known = assumptions(problem, gradient, settings)
        found = bounds(problem, gradient, signal, known, settings, example)
    except KeyboardInterrupt:
        raise Interrupted(variance) from None
    if example is None:
        name = "theorem-1" if found["theorem-1"].applicable else "operator-norm"
        verdict, reason = _verdict(variance, found, name)
        told = consequences(variance, signal)
    else:
        name = "theorem-1"
        verdict, reason = "inconclusive", _without_bound(variance, found["theorem-1"])
        told = consequences(variance, example, "E||u||^2")
    return BoundCheck(
        variance=variance,
        gradient_norm_sq=gradient,
        signal_norm_sq=signal,
        log2_size=problem.hypotheses.log2_size,
        bound_name=name,
        bounds=found,
        ratio=_ratio(variance, found[name].log2),
        verdict=verdict,
        reason=reason,
        assumptions=known,
        consequences=told if problem.hypotheses.log2_size > 0 else (),
        problem=problem.words,
        example_norm_sq=example,
    )


def _norms(problem: Problem, settings: Settings, variance: Estimate) -> tuple[Estimate, Estimate, Estimate | None]:
    """G^2 and E||s||^2; and E||u||^2 of the gradient on one example, for tasks with inputs of their own."""
    if isinstance(problem.model, InfiniteMLP):
        return *infinite_width.norms(problem), None
    mean = partial(
        expectation, settings=settings, name="mean of the squared norm", method="expectation", row_size=problem.row_size
    )
    found, points = variance.norms, problem.inputs.n_points
    if found is None and isinstance(problem.hypotheses, DrawsExamples):
        found = tuple(mean(partial(_example_norms, problem), Examples(problem.hypotheses)))
        found = tuple(scaled(estimate, 2 * problem.exponent) for estimate in found)
    if found is None or (points is not None and points <= MAX_POINTS):
        exact = [scaled(estimate, 2 * problem.exponent) for estimate in mean(problem.norms, problem.inputs)]
        found = (*exact, *(found or ())[2:])
    gradient, signal, *example = found
    return gradient, signal, example[0] if example else None


def _example_norms(problem: Problem, examples: Array) -> Array:
    return problem.examples(examples[:, :-1], examples[:, -1])[1]


def _ratio(variance: Estimate, log2_bound: float) -> float:
    if not variance.resolved or math.isnan(log2_bound) or (variance.mantissa == 0 and log2_bound == -math.inf):
        return math.nan
    if variance.mantissa == 0:
        return 0.0
    size = log2_of(abs(variance.mantissa), variance.exponent)
    return math.copysign(exp2(size - log2_bound), variance.mantissa)


def _without_bound(variance: Estimate, theorem: Bound) -> str:
    """What to say where there is nothing for the variance to break: how it compares with G^2/|H|."""
    said = (
        f"Theorem 1 does not apply ({theorem.reason}), and beyond the second moment no bound is known: there is "
        "nothing to check."
    )
    times = _ratio(variance, theorem.log2)
    if math.isnan(times) or times <= 0:
        return said
    about = "" if variance.exact else "about "
    return (
        f"{said} Var is {about}{times:.4g} times {theorem.formula}, the most that as many orthonormal targets on the "
        "same inputs could have."
    )


def _verdict(variance: Estimate, found: dict[str, Bound], name: str) -> tuple[str, str]:
    """Compare the intervals of the variance and of the bound."""
    bound, theorem = found[name], found["theorem-1"]
    if name == "theorem-1":
        return _compared(variance, bound, theorem.formula, found["operator-norm"].log2_constant)
    verdict, reason = _compared(variance, bound, "the operator-norm bound", bound.log2_constant)
    times = _ratio(variance, theorem.log2)
    exceeded = f", and Var is {times:.4g} times {theorem.formula}" if times > 1 else ""
    return verdict, f"{reason} Theorem 1 does not apply ({theorem.reason}){exceeded}."


def _compared(variance: Estimate, bound: Bound, label: str, log2_norm: float) -> tuple[str, str]:
    if math.isnan(bound.log2) or math.isnan(variance.mantissa):
        return "inconclusive", f"No bound is known for this class: {bound.reason}."
    share = variance.log2_signal_share
    if not variance.exact and share is not None and share <= log2_norm:
        return (
            "holds",
            f"Var is at most {label} at every input (Parseval): no sampling error enters the comparison.",
        )
    low, high = (log2_end(end, variance.exponent) for end in variance.mantissa_interval)
    bound_low, bound_high = bound.log2_interval
    if variance.exact and bound.exact and low <= bound_high and high >= bound_low:
        return "holds", f"Var, exact, equals {label} up to rounding."
    how = "Var, exact," if variance.exact else "The whole interval of Var"
    if high <= bound_low:
        return "holds", f"{how} lies below {label}."
    if not variance.exact and variance.mantissa_interval[0] <= 0:
        upper = variance.mantissa_interval[1] if variance.mantissa_upper is None else variance.mantissa_upper
        if log2_end(upper, variance.exponent) <= bound_low:
            return "holds", (
                f"These samples cannot tell Var from zero, but it is at most {format_number(upper, variance.exponent)} "
                f"at {percent(variance.confidence)} (one-sided), below {label}."
            )
    if low > bound_high:
        chance = "" if variance.exact else f" {_chance(variance)}"
        return "violated", (
            f"{how} lies above {label}. The theorem is proved, so an assumption is false: look at what the class "
            f"claims, and at what `covariance`, `project` and `gradient` return.{chance}"
        )
    if not variance.resolved:
        return "inconclusive", (
            f"{variance.guarantee[0].upper()}{variance.guarantee[1:]}. method='auto' takes a closed form or an "
            "enumeration where there is one."
        )
    return "inconclusive", f"The interval of Var straddles {label}{_samples_to_settle(variance, bound)}."


def _chance(variance: Estimate) -> str:
    assert variance.confidence is not None
    tail = percent((1 - variance.confidence) / 2)
    return f"Or it is chance: an interval at {percent(variance.confidence)} lies too high in {tail} of all runs."


def _samples_to_settle(variance: Estimate, bound: Bound) -> str:
    """How many samples would bring the half width of Var down to its distance from the bound."""
    if variance.zeta is None or variance.confidence is None or not any(variance.zeta):
        return ""
    from scipy.special import ndtri

    gap = abs(exp2(bound.log2 - variance.exponent) - variance.mantissa)
    zeta1, zeta2 = (z * float(ndtri(0.5 + variance.confidence / 2)) ** 2 for z in variance.zeta)
    if gap == 0:
        return "; the estimate lies on it"
    # The root of gap^2 n^2 = 4 zeta1 n + 2 zeta2.
    n = (2 * zeta1 + math.sqrt(4 * zeta1**2 + 2 * gap**2 * zeta2)) / gap**2
    samples = format_log2(math.log2(n), 2)
    return f"; if the truth is where the estimate is, about {samples} samples would settle it (rtol=0, max_samples=...)"
