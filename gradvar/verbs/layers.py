"""A moment of the gradient, layer by layer: one method and one sample for all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import SupportsFloat, SupportsIndex, TypedDict

from ..core.arguments import SeedLike
from ..core.errors import NotApplicableError
from ..estimation.progress import Reporter
from ..estimation.settings import Settings
from ..methods import Method
from ..methods.base import Choice, InParts
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
    errors: list[str] = []
    for method in (*choice.methods, *choice.later):
        try:
            found = method.estimates(problem.by_layer(), settings) if isinstance(method, InParts) else None
            parts = ((name, problem_of(trainable(network, name))) for name in layers_of(network))
            return LayerEstimates(
                {
                    name: estimate(part, method if found is None else _Found(found[i]), settings)
                    for i, (name, part) in enumerate(parts)
                }
            )
        except NotApplicableError as error:
            errors.append(str(error))
    raise NotApplicableError(f"no method takes all layers of {network!r} ({'; '.join(errors)})")


@dataclass(frozen=True)
class _Found:
    """What a method has found already, of one layer."""

    found: Estimate
    name: str = "found"

    def declines(self, problem: Problem) -> None:
        """Return None."""

    def work(self, problem: Problem) -> float:
        """Return 0."""
        return 0.0

    def plan(self, problem: Problem) -> str:
        """Say that it is known."""
        return "known already"

    def estimate(self, problem: Problem, settings: Settings) -> Estimate:
        """Return it."""
        return self.found
