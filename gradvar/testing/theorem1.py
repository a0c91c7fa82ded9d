"""The checks of Theorem 1 for a class, a model and a loss: each assumption, and the conclusion."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from ..bounds.bounds import theorem_1
from ..bounds.verdict import compared
from ..classes.base import HypothesisClass
from ..core.arguments import SeedLike
from ..core.numbers import format_log2, format_number
from ..losses import Loss
from ..models.base import Model
from ..problem import Problem
from ..results.bound_check import BoundCheck
from ..verbs.check import bound_check
from . import class_draws, model_gradients
from .checks import Check, CheckFailed, CheckReport, answered_by, called, checks_of, named, report, skip
from .class_formulas import gram_is_identity
from .class_probe import ClassProbe
from .comparison import ROUNDING
from .loss import LossProbe, split_of_derivative, split_of_value
from .loss import lipschitz as lipschitz_of_loss
from .model_probe import ModelProbe

_SAMPLES = 2**14


class TheoremProbe:
    """A class, a model and a loss, with the findings of `bound_check` on them."""

    def __init__(self, H: HypothesisClass, model: Model, loss: str | Loss, rng: SeedLike) -> None:
        self.parts = H, model, loss
        self.hypotheses = ClassProbe(H, rng)
        self.loss = LossProbe(loss, None, rng)

    @cached_property
    @answered_by("problem")
    def problem(self) -> Problem:
        """The three parts, which must fit together."""
        return called("Problem(H, model, loss)", Problem, *self.parts)

    @cached_property
    def outcome(self) -> BoundCheck:
        """The variance, the bound and the verdict."""
        what, rng = "bound_check(H, model, loss)", self.hypotheses.seed
        return called(what, bound_check, *self.parts, max_samples=_SAMPLES, rng=rng)


def problem(probe: TheoremProbe) -> str:
    """Class, model and loss fit together: input dimensions and labels."""
    parts = probe.problem.descriptions
    return f"{parts['class']}; {parts['model']}; {parts['loss']}"


def finite_class(probe: TheoremProbe) -> str:
    """The class has finitely many members, as many as it says: the bound is G^2/|H|."""
    if probe.hypotheses.log2_size == math.inf:
        raise CheckFailed("the class is infinite: G^2/|H| says nothing")
    return class_draws.size(probe.hypotheses)


def orthonormal(probe: TheoremProbe) -> str:
    """E h^2 <= 1 and E h h' = 0 for two different members, whatever the class says of itself."""
    return gram_is_identity(probe.hypotheses, unit=False)


def labels(probe: TheoremProbe) -> str:
    """The targets take the labels that the loss accepts."""
    if probe.problem.loss.labels == "real":
        return "the loss is affine in any real label"
    return class_draws.labels(probe.hypotheses)


def lipschitz(probe: TheoremProbe) -> str:
    """The loss has a Lipschitz constant, and |b(p)| is at most that, at the model's own predictions too."""
    loss = probe.problem.loss
    if not math.isfinite(loss.lipschitz):
        raise CheckFailed(f"{loss.name} has no Lipschitz constant")
    said = lipschitz_of_loss(probe.loss)
    b = called("split", probe.problem.signal_scale, probe.hypotheses.x)
    if np.abs(b).max() > loss.lipschitz * (1 + ROUNDING):
        raise CheckFailed(f"|b| = {np.abs(b).max():.6g} at a prediction of the model, above {loss.lipschitz:.6g}")
    return said


def affine(probe: TheoremProbe) -> str:
    """The derivative of the loss is affine in the label: of its margin, r', or of its `value`, where it offers one."""
    known = callable(getattr(probe.loss.loss, "derivative", None))
    return split_of_derivative(probe.loss) if known else split_of_value(probe.loss)


def gradient_value(probe: TheoremProbe) -> str:
    """gradient(x) is the derivative of the prediction, where the model offers its parameters."""
    predictor = probe.problem.predictor  # there is none at infinite width
    return model_gradients.gradient_value(
        ModelProbe(predictor, probe.problem.inputs, None, None, probe.hypotheses.seed)
    )


def gradient_norm(probe: TheoremProbe) -> str:
    """||dp/dw||^2, whose mean is G^2, is finite."""
    problem = probe.problem
    norms = called("gradient", problem.norms, probe.hypotheses.x)[:, 0]
    mean = format_number(float(norms.mean()))
    return f"||dp/dw||^2 is {mean} in the mean over {norms.size} inputs"


def conclusion(probe: TheoremProbe) -> str:
    """Var <= L^2 G^2/|H|, on the exact variance where a method gives it, else on its interval."""
    loss = probe.problem.loss
    if probe.hypotheses.log2_size == math.inf or not math.isfinite(loss.lipschitz):
        skip("there is no bound: an infinite class, or a loss without a Lipschitz constant")
    outcome = probe.outcome
    # The bound of a class that is orthonormal to the last digit, whatever is known of this one.
    variance, bound = outcome.variance, theorem_1(probe.problem, outcome.gradient_norm_sq, outcome.assumptions)
    said = (
        f"Var = {format_number(variance.mantissa, variance.exponent)} ({variance.method}, {variance.spread}), "
        f"{bound.formula} = {format_log2(bound.log2)}"
    )
    verdict, _ = compared(variance, bound, bound.formula, bound.log2_constant)
    if verdict == "holds" or (outcome.bound_name, outcome.verdict) == ("theorem-1", "holds"):
        return said
    if verdict == "violated":
        false = [f"{a.name}: {a.evidence}" for a in outcome.assumptions if a.status == "failed"]
        why = "; ".join(false) or "look at what `covariance`, `project` and `gradient` return"
        raise CheckFailed(f"{said}: the bound is violated. An assumption is false ({why})")
    skip(f"inconclusive: {said}")


CHECKS = (problem, finite_class, orthonormal, labels, lipschitz, affine, gradient_value, gradient_norm, conclusion)
"""Every check of Theorem 1: a function of a probe, whose name and docstring are the check's."""


def theorem1_checks(H: HypothesisClass, model: Model, loss: str | Loss = "square", *, rng: SeedLike = 0) -> list[Check]:
    """Return the checks of Theorem 1, one by one, for `pytest.mark.parametrize`.

    Parameters
    ----------
    H, model, loss, rng
        As for `check_theorem1`.

    Examples
    --------
    >>> import gradvar as gv
    >>> [str(check) for check in theorem1_checks(gv.Parities(3), gv.Linear([1.0, 2.0, 3.0]))][-1]
    'conclusion'
    """
    return checks_of(CHECKS, TheoremProbe(H, model, loss, rng))


def check_theorem1(H: HypothesisClass, model: Model, loss: str | Loss = "square", *, rng: SeedLike = 0) -> CheckReport:
    """Look at every assumption of Theorem 1 (arXiv 1703.07950), and at its conclusion Var <= L^2 G^2/|H|.

    The assumptions are looked at on the objects themselves: what they claim counts for nothing here. So a class that
    says that it is orthonormal and is not fails the check "orthonormal", even where the bound happens to hold.

    Parameters
    ----------
    H, model, loss
        As for `gradvar.bound_check`.
    rng : int, SeedSequence, Generator or None
        Of whatever is drawn.

    Returns
    -------
    CheckReport
        As for `check_hypothesis_class`. The conclusion fails where the whole interval of Var lies above the bound, and
        is not applicable where it straddles it.

    Examples
    --------
    >>> import gradvar as gv
    >>> check_theorem1(gv.Parities(4), gv.MLP.random([4, 3, 1], rng=0), "hinge").passed
    True
    >>> H = gv.FiniteClass([[1, 1, 1, 1], [1, 1, 1, -1]], points=[[0.0], [1.0], [2.0], [3.0]])
    >>> [result.name for result in check_theorem1(H, gv.Linear([1.0])).failures]
    ['orthonormal']
    """
    subject = f"Theorem 1 for {named(H)}, {named(model)}, {loss if isinstance(loss, str) else named(loss)}"
    return report(subject, theorem1_checks(H, model, loss, rng=rng))
