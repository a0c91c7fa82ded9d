"""The verbs that compute a number: `gradient_variance` and `degree_spectrum`."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Literal, SupportsFloat, SupportsIndex, Unpack, overload

import numpy as np

from ..classes import Parities
from ..classes.base import HypothesisClass
from ..classes.members.claims import look_at_class
from ..core.arguments import Array, SeedLike, integer
from ..core.errors import NotApplicableError, TooLargeError
from ..estimation.progress import Reporter
from ..estimation.settings import Settings
from ..losses import Loss
from ..methods import Enumeration, Method
from ..methods.base import Choice, FirstOf, choose
from ..methods.enumeration.cube import level_spectrum
from ..models.base import Model
from ..models.infinite_mlp import InfiniteMLP
from ..problem import AnyModel, Problem
from ..results.estimate import Estimate
from ..results.interruption import Interrupted, WorkersLostError
from ..results.layers import LayerEstimates
from ..tasks.base import DrawsExamples
from ..tasks.methods import choose_for_tasks
from .auto import as_method
from .layers import Options, by_layer
from .noise import without_noise
from .precision import warn_of_rounding, within_precision


@overload
def gradient_variance(
    H: HypothesisClass,
    model: Model | InfiniteMLP,
    loss: str | Loss = ...,
    *,
    by: None = ...,
    **options: Unpack[Options],
) -> Estimate: ...
@overload
def gradient_variance(
    H: HypothesisClass, model: Model, loss: str | Loss = ..., *, by: Literal["layer"], **options: Unpack[Options]
) -> LayerEstimates: ...
def gradient_variance(
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
    by: str | None = None,
) -> Estimate | LayerEstimates:
    r"""Return the gradient variance of a model's loss over a hypothesis class.

    Var(H, F, w) = E_h ||grad F_h(w) - E_h' grad F_h'(w)||^2 with F_h(w) = E_x[loss(p_w(x), h(x))] and h uniform in H
    (arXiv 1703.07950, section 2).

    Parameters
    ----------
    H : HypothesisClass
        The class of targets, with the distribution of the inputs x.
    model : Model or InfiniteMLP
        The predictor p_w at its weights w; or a network in the mean over its weights, for the expectation of Var.
    loss : str or Loss
        "square" (1/2 (p - y)^2), "correlation" (-y p), and for labels -1, +1 "hinge", "logistic", "perceptron" or a
        `MarginLoss`. Of K outputs "square", "correlation", and for class labels "cross-entropy" (softmax).
    method : str or Method
        "auto", "closed-form", "enumeration", "monte-carlo", or a method object.
    rtol : float
        Half width of a sampled interval, relative to the value, that is asked for; 0 spends all `max_samples`.
    confidence : float
        Coverage of a sampled interval.
    max_samples : int, optional
        The most inputs that a sampled estimate rests on. Its size is chosen on a pilot sample that is not used again,
        at most a quarter as large. By default 2^16, or fewer where pilot and sample would take more than 2^33
        multiplications, some seconds on two cores, unless `rtol` is 0: then `.guarantee` says what `rtol` would take.
    rng : int, SeedSequence, Generator or None
        Source of randomness; the same int gives the same bits for any number of workers.
    executor : concurrent.futures.Executor or None
        Where tiles of work run; None is a thread pool over the cores.
    progress : bool or callable
        Whether to show a bar: samples so far, value, half width, time to the end. Or a function that is handed the
        estimate so far.
    by : "layer" or None
        "layer": the number of each of `model.layers` instead, by one method and on one sample of the size that the
        whole takes for `rtol`. The values sum to that of the whole, their intervals do not. Of members that are sampled
        a gradient of more than `n_projections` components is projected, and its layers have projections of their own.
        Exact numbers, members and tasks cost what the whole costs, pairs of inputs up to 1.7 times as much. There is no
        estimate so far, on Ctrl-C or for `progress`.

    Returns
    -------
    Estimate, or LayerEstimates
        Exact up to rounding (closed form, enumeration), or unbiased with an interval. `.method`, `.exact` and
        `.guarantee` say which; `rng=estimate.seed` gives the same bits again. An exact one costs about
        `gv.Auto().work(gv.Problem(H, model, loss))` multiplications, a sample of n inputs n^2/2 products of the widths.

    Raises
    ------
    TypeError, ValueError
        A part that is not what it should be; subclasses in `gradvar.errors` (NotApplicableError when a method that
        was asked for does not cover the problem, TooLargeError, LabelError, ShapeError, NonFiniteError).
    Interrupted, WorkersLostError
        On Ctrl-C, or where the executor's workers die while sampling, with the estimate so far in `.estimate`.

    Examples
    --------
    >>> import gradvar as gv
    >>> gv.gradient_variance(gv.Parities(5), gv.Linear([1.0] * 5)).value
    0.1513671875
    >>> parts = gv.gradient_variance(gv.Parities(5), gv.MLP.random([5, 4, 1], rng=0), by="layer")
    >>> max(parts, key=parts.get)
    'weights[1]'
    """
    settings = Settings.checked(rtol, confidence, max_samples, rng, executor, progress)
    return estimated(lambda of: Problem(H, of, loss), model, as_method(method), settings, by)


def estimated(
    problem_of: Callable[[AnyModel], Problem], model: AnyModel, method: Method, settings: Settings, by: str | None
) -> Estimate | LayerEstimates:
    """Return the estimate for a model, or those of its layers."""
    problem = problem_of(model)
    if by is None:
        return estimate(problem, method, settings)
    if by != "layer":
        raise ValueError(f"`by` must be None or 'layer', got {by!r}")
    clean, _ = without_noise(problem)
    return by_layer(_choice(clean, method), estimate, clean, problem_of, model, settings)


def estimate(problem: Problem, method: Method, settings: Settings) -> Estimate:
    """Return the method's estimate, or raise the reason why it declines, or what a look at the class refutes."""
    clean, kept = without_noise(problem)
    if clean is problem:
        return _estimate(problem, method, settings)

    def scaled(found: Estimate | None) -> Estimate | None:
        return None if found is None else found.times(kept**2)

    report = settings.progress
    if callable(report):
        settings = replace(settings, progress=lambda found: report(found.times(kept**2)))
    try:
        return _estimate(clean, method, settings).times(kept**2)
    except Interrupted as stopped:
        raise Interrupted(scaled(stopped.estimate)) from None
    except WorkersLostError as lost:
        raise WorkersLostError(lost.message, scaled(lost.estimate)) from lost


def _estimate(problem: Problem, method: Method, settings: Settings) -> Estimate:
    look_at_class(problem.hypotheses)
    found = within_precision(_choice(problem, method).estimate(problem, settings), problem, settings)
    return replace(found, seed=settings.seed)


def _choice(problem: Problem, method: Method) -> Choice:
    try:
        if isinstance(problem.hypotheses, DrawsExamples):
            return choose_for_tasks(method, problem)
        return method.select(problem) if isinstance(method, FirstOf) else choose((method,), problem)
    except (NotApplicableError, TooLargeError) as declined:
        raise type(declined)(f"method={method.name!r} declines this problem: {declined}") from None


def degree_spectrum(
    model: Model,
    loss: str | Loss = "square",
    *,
    dim: SupportsIndex | None = None,
    executor: Executor | None = None,
) -> Array:
    r"""Return the mean squared signal of the parities of each degree: E_{|S|=k} ||E_x[chi_S s]||^2 for k = 0..d.

    x is uniform on the cube {-1, +1}^d and s = b(p) dp/dw is the signal gradient (dloss/dp = a(p) + h b(p)). The
    entry at k is how strongly the gradient responds, on average, to which parity of degree k is the target; it is
    the gradient variance of `SparseParities(d, k)` plus the squared norm of the class-mean gradient's signal.

    Parameters
    ----------
    model, loss
        As for `gradient_variance`.
    dim : int, optional
        The dimension d; needed where the model does not say it.
    executor : concurrent.futures.Executor or None
        Where blocks of hidden units run; None is a thread pool over the cores.

    Returns
    -------
    ndarray, shape (d + 1,)
        Exact up to rounding: entry k is off by delta^2 + 2 delta entry^1/2 at most, with
        delta^2 = (4 (d + 8) 2^-52)^2 E||s||^2 / C(d, k). Costs 2 Walsh-Hadamard transforms of 2^d a hidden unit for a
        network with one hidden layer. A model that computes in less than float64 leaves its own rounding e, of the
        signal's norm, in them: a warning says how much, as delta = e (E||s||^2 / C(d, k))^1/2.

    Raises
    ------
    TooLargeError
        When the cube does not fit in memory.

    Examples
    --------
    >>> import gradvar as gv
    >>> gv.degree_spectrum(gv.Linear([1.0, 2.0, 3.0]))
    array([0., 1., 0., 0.])
    """
    known = getattr(model, "dim", None) if dim is None else integer("dim", dim, 1)
    if known is None:
        raise ValueError(f"`dim` must be given: {model!r} takes inputs of any dimension")
    problem = Problem(Parities(known), model, loss)
    declined = Enumeration().declines(problem)
    if declined is not None:
        raise type(declined)(
            f"the spectrum of {model!r} needs the whole cube: {str(declined).split(';')[0]}; for one degree k, "
            "gradient_alignment(SparseParities(dim, k), model) has other methods"
        )
    (weights,), _ = level_spectrum(problem, Settings.checked(0.0, 0.95, 4, 0, executor, False))
    warn_of_rounding(weights, problem)
    return np.asarray(weights / [math.comb(known, k) for k in range(known + 1)])
