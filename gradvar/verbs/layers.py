"""A moment of the gradient, layer by layer: one method and one sample for all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import SupportsFloat, SupportsIndex, TypedDict

from ..core.arguments import SeedLike
from ..core.errors import NotApplicableError
from ..estimation.progress import Reporter
from ..estimation.settings import Settings
from ..methods import Method
from ..methods.base import Choice, Sampler, Settles
from ..models.base import Model, layers_of
from ..models.trainable import trainable
from ..problem import AnyModel, Problem, as_model
from ..results.estimate import Estimate
from ..results.layers import LayerEstimates

Estimated = Callable[[Problem, Method, Settings], Estimate]


class Options(TypedDict, total=False):
    """The keyword arguments that `gradient_variance` and `gradient_alignment` share."""

    method: str | Method
    rtol: SupportsFloat
    confidence: SupportsFloat
    max_samples: SupportsIndex | None
    rng: SeedLike
    executor: Executor | None
    progress: Reporter


def by_layer(
    choice: Choice,
    estimate: Estimated,
    problem: Problem,
    problem_of: Callable[[AnyModel], Problem],
    model: object,
    settings: Settings,
) -> LayerEstimates:
    """Return the estimate of each layer, by the first method of the whole's choice that takes all of them."""
    network = as_model(model)
    if not isinstance(network, Model):
        raise NotApplicableError(f"by='layer' needs a model at fixed weights: {problem.weightless}")
    parts = {name: problem_of(trainable(network, name)) for name in layers_of(network)}
    errors: list[str] = []
    for method in (*choice.methods, *choice.later):
        try:
            return LayerEstimates(_of_parts(estimate, problem, parts, method, settings))
        except NotApplicableError as error:
            errors.append(str(error))
    raise NotApplicableError(f"no method takes all layers of {network!r} ({'; '.join(errors)})")


def _of_parts(
    estimate: Estimated, problem: Problem, parts: dict[str, Problem], method: Method, settings: Settings
) -> dict[str, Estimate]:
    at = settings
    if isinstance(method, Settles):
        method, at = method.settled(problem, settings)
    elif isinstance(method, Sampler):
        raise NotApplicableError("by='layer' has no sample that all layers share for tasks")
    return {name: estimate(part, method, at) for name, part in parts.items()}
