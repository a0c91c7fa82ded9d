"""The verbs on one target: `gradient_alignment`, and `target_signal`, the vector whose squared norm it is."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace
from typing import Literal, SupportsFloat, SupportsIndex, Unpack, overload

from ..classes.base import HypothesisClass
from ..classes.gram.derived import ListsMembers
from ..classes.gram.table import Rows
from ..classes.members.target import Target
from ..classes.members.target_class import TargetClass
from ..core.arguments import SeedLike
from ..core.errors import NotApplicableError
from ..estimation.progress import Reporter
from ..estimation.settings import Settings
from ..losses import Loss
from ..methods import Method
from ..methods.target_signal import target_signal_of
from ..models.base import Model
from ..models.infinite_mlp import InfiniteMLP
from ..problem import Moment, Problem, hypothesis_class
from ..results.estimate import Estimate
from ..results.layers import LayerEstimates
from ..results.target_signal import TargetSignal
from .auto import as_method
from .layers import Options
from .noise import without_noise
from .variance import estimated


@overload
def gradient_alignment(
    target: Target | HypothesisClass,
    model: Model | InfiniteMLP,
    loss: str | Loss = ...,
    *,
    by: None = ...,
    **options: Unpack[Options],
) -> Estimate: ...
@overload
def gradient_alignment(
    target: Target | HypothesisClass,
    model: Model,
    loss: str | Loss = ...,
    *,
    by: Literal["layer"],
    **options: Unpack[Options],
) -> LayerEstimates: ...
def gradient_alignment(
    target: Target | HypothesisClass,
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
    by: str | None = None,
) -> Estimate | LayerEstimates:
    r"""Return the gradient alignment of a model with one target, or in the mean over a class.

    A = E_h ||E_x[h(x) s(x)]||^2, s = b(p) dp/dw the signal, dloss/dp = a(p) + h b(p): the gradient variance without
    its centring (GAL, arXiv 2412.04910). Of one target it is ||grad F_h - E_y grad F_y||^2, y random labels of mean 0:
    what the gradient at w knows about that target. Over the parities of degree k it is an entry of `degree_spectrum`,
    at any dimension where a theorem has it.

    Parameters
    ----------
    target : Target or HypothesisClass
        A member of a class, as `H.member(...)` returns it; or a class.
    model, loss, method, rtol, confidence, max_samples, rng, executor, progress, by
        As for `gradient_variance`.

    Returns
    -------
    Estimate, or LayerEstimates
        Exact by enumeration, or for parities by name with one hidden layer: smooth activations at any dimension, relu
        up to 44 weights a unit. Else unbiased with an interval. At fixed weights: a sweep over seeds has the
        mean over initialisations.

    Raises
    ------
    TypeError, ValueError, Interrupted, WorkersLostError
        As for `gradient_variance`; NotApplicableError for tasks, which have no target apart from their inputs.

    Examples
    --------
    >>> import gradvar as gv
    >>> H, model = gv.Parities(1000), gv.MLP.random([1000, 1, 1], rng=0)
    >>> round(gv.gradient_alignment(H.member([True] * 1000), model).log2)  # of the parity of all coordinates
    -2139
    """
    settings = Settings.checked(rtol, confidence, max_samples, rng, executor, progress)
    hypotheses = _as_class(target)
    return estimated(lambda of: Problem(hypotheses, of, loss, Moment.SECOND), model, as_method(method), settings, by)


def target_signal(
    target: Target | HypothesisClass,
    model: Model,
    loss: str | Loss = "square",
    *,
    max_samples: SupportsIndex | None = None,
    rng: SeedLike = None,
    executor: Executor | None = None,
) -> TargetSignal:
    r"""Return the vector E_x[h(x) s(x)] of one target h, entry by entry: the part of the gradient that h moves.

    Its squared norm is `gradient_alignment`, of which this vector's own squared norm is no unbiased estimate where it
    is sampled.

    Parameters
    ----------
    target : Target or HypothesisClass
        A member of a class, or a class of one member.
    model, loss, rng, executor
        As for `gradient_variance`.
    max_samples : int, optional
        How many inputs are drawn where the vector is not exact; 2^16 by default.

    Returns
    -------
    TargetSignal
        `.vector` (P,) and `.errors` (P,), and `.layers` with the shapes of the model's arrays: entries of the first
        weights on the support of a parity are `.layers["weights[0]"][:, target.which]`. Exact where
        `gradient_alignment` has a closed form, or where the inputs are at most 2^22: then, and where they are drawn, it
        costs a prediction and a gradient at each input.

    Raises
    ------
    ValueError
        A class of several members.
    TypeError, NotApplicableError
        As for `gradient_alignment`.

    Examples
    --------
    >>> import gradvar as gv
    >>> gv.target_signal(gv.Parities(3).member([True, False, False]), gv.Linear([1.0, 2.0, 3.0])).vector
    array([-1., -0., -0.])
    """
    hypotheses, members = one_member(target)
    problem, kept = without_noise(Problem(hypotheses, model, loss, Moment.SECOND))
    settings = Settings.checked(0.0, 0.95, max_samples, rng, executor, False)
    found = target_signal_of(problem, members, settings)
    return found if kept == 1 else replace(found, vector=kept * found.vector, errors=kept * found.errors)


def one_member(target: Target | HypothesisClass) -> tuple[ListsMembers, Rows]:
    """Return the class of one target, and its members as it lists them."""
    hypotheses = hypothesis_class(_as_class(target))
    if hypotheses.log2_size != 0:
        raise ValueError(f"`target` must be one target, such as H.member(0), got {target!r}")
    if not isinstance(hypotheses, ListsMembers):
        raise NotApplicableError(f"{hypotheses!r} does not list its member and evaluate it")
    return hypotheses, hypotheses.members()


def _as_class(target: Target | HypothesisClass) -> HypothesisClass:
    """The class of one target, or the class that was given."""
    if not isinstance(target, Target):
        return target
    home = target.hypotheses
    if not isinstance(home, TargetClass):
        raise NotApplicableError(f"`target` must have inputs that all targets share; {target!r} brings its own")
    return home.restrict([target])
