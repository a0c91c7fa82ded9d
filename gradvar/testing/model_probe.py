"""Inputs, predictions and gradients of a model for its checks, made sure of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..classes.inputs import Inputs
from ..core.arguments import Array, SeedLike, inputs_of, real_array, seed_sequence, stream
from ..models.base import KnowsParameters
from .checks import CheckFailed, answered_by, called, offered, skip
from .comparison import ROUNDING, agree, at_inputs, is_count, real, short

Predictor = Callable[[Array, Array], npt.ArrayLike]


@dataclass(eq=False)
class ModelProbe:
    """A model, the inputs to look at it at, and predictions as a function of the parameters where there is one."""

    model: object
    given_x: npt.ArrayLike | Inputs | None
    predict: Predictor | None
    parameters: npt.ArrayLike | None
    rng: SeedLike

    def __post_init__(self) -> None:
        if (self.predict is None) != (self.parameters is None):
            raise TypeError("`predict` and `parameters` go together: p(w, x) as a function, and the model's own w")
        if self.predict is not None and not callable(self.predict):
            raise TypeError(f"`predict` must be a function of the parameters and the inputs, got {self.predict!r}")
        self.w = None if self.parameters is None else real_array("parameters", self.parameters, 1, "(n_parameters,)")
        self.seed = seed_sequence(self.rng)

    @cached_property
    @answered_by("predict")
    def x(self) -> Array:
        """Inputs: those given, or Gaussian ones and points of the cube in the model's dimension."""
        dim: object = getattr(self.model, "dim", None)
        rng = stream(self.seed, 0)
        if isinstance(self.given_x, Inputs):
            return self.given_x.sample(16, rng)
        if self.given_x is not None:
            given = np.array(self.given_x, dtype=np.float64)
            return inputs_of(given, dim if isinstance(dim, int) else given.shape[-1], "the model")
        if dim is None:
            skip("the model does not say its `dim`: pass the inputs as `x`, shape (n, dim)")
        if not is_count(dim):
            raise CheckFailed(f"`dim` must be an int >= 1, or None for inputs of any dimension, got {short(dim)}")
        return np.concatenate([rng.standard_normal((8, dim)), np.where(rng.random((8, dim)) < 0.5, -1.0, 1.0)])

    @property
    @answered_by("parameters")
    def count(self) -> int:
        """The number of parameters."""
        count: object = getattr(self.model, "n_parameters", None)
        if not is_count(count):
            raise CheckFailed(f"`n_parameters` must be an int >= 1, got {short(count)}")
        return int(count)

    def predict_at(self, x: Array) -> Array:
        """p(x), made sure of."""
        given = offered(self.model, "predict", required_of="a model")(x)
        return real(f"`predict` of {x.shape[0]} inputs", given, (x.shape[0],))

    def gradient_at(self, x: Array) -> Array:
        """dp(x)/dw, made sure of."""
        given = offered(self.model, "gradient", required_of="a model")(x)
        return real(f"`gradient` of {x.shape[0]} inputs", given, (x.shape[0], self.count))

    @cached_property
    @answered_by("predict")
    def predictions(self) -> Array:
        """p(x) at the inputs."""
        return self.predict_at(self.x.copy())

    @cached_property
    @answered_by("gradient")
    def gradient(self) -> Array:
        """dp(x)/dw at the inputs."""
        return self.gradient_at(self.x.copy())

    @property
    def own_parameters(self) -> KnowsParameters | None:
        """The model, if it offers `parameters` and `with_parameters`."""
        model = self.model
        known = isinstance(model, KnowsParameters) and model.parameters is not None and callable(model.with_parameters)
        return model if known and isinstance(model, KnowsParameters) else None

    @cached_property
    def at_parameters(self) -> tuple[Array, Callable[[npt.NDArray[np.generic]], object]]:
        """The parameters w and the function w -> p_w(x), which may also accept complex w."""
        x, predict, model = self.x, self.predict, self.own_parameters
        if predict is not None and self.w is not None:
            return self.w, lambda w: called("predict(w, x)", predict, w, x.copy())
        if model is None:
            skip(
                "the model offers no `parameters` and `with_parameters(w)`; "
                "pass predict=lambda w, x: ... and parameters=w"
            )
        return self.parameters_of(model), lambda w: called(
            "predict of with_parameters(w)", lambda: model.with_parameters(np.asarray(w)).predict(x.copy())
        )

    @answered_by("parameters")
    def parameters_of(self, model: KnowsParameters) -> Array:
        """The model's own parameters, made sure of: with_parameters(parameters) is the same model again."""
        w = real("`parameters`", called("parameters", lambda: model.parameters), (self.count,)).copy()
        before = self.predictions
        again = called("with_parameters", model.with_parameters, w.copy())
        given = called("with_parameters(w).predict", again.predict, self.x.copy())
        found = real("with_parameters(parameters).predict(x)", given, before.shape)

        def compare(found: Array, must: str) -> None:
            agree(found, before, tolerance_of(before), at_inputs(f"{must}: p(x)", self.x), "that of the model")

        compare(found, "with_parameters(parameters) must be the same model")
        called("with_parameters", model.with_parameters, w + 1.0)
        compare(self.predict_at(self.x.copy()), "`with_parameters` must leave the model as it is")
        return w


def tolerance_of(values: Array) -> float:
    """The rounding error that numbers of this size may have."""
    return ROUNDING * (1 + float(np.abs(values).max(initial=0.0)))
