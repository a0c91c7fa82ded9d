"""What the checks of a model look at: inputs, predictions and gradients, made sure of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..classes.inputs import Inputs
from ..core.arguments import Array, SeedLike, inputs_of, real_array, seed_sequence, stream
from ..models.base import KnowsParameters
from .checks import CheckFailed, called, offered, resting_on, skip
from .comparison import ROUNDING, real, short, worst

Predictor = Callable[[Array, Array], npt.ArrayLike]


class ModelProbe:
    """A model, the inputs to look at it at, and predictions as a function of the parameters where there is one."""

    def __init__(
        self,
        model: object,
        x: npt.ArrayLike | Inputs | None,
        predict: Predictor | None,
        parameters: npt.ArrayLike | None,
        rng: SeedLike,
    ) -> None:
        if (predict is None) != (parameters is None):
            raise TypeError("`predict` and `parameters` go together: p(w, x) as a function, and the model's own w")
        if predict is not None and not callable(predict):
            raise TypeError(f"`predict` must be a function of the parameters and the inputs, got {predict!r}")
        self.model = model
        self.predict = predict
        self.w = None if parameters is None else real_array("parameters", parameters, 1, "(n_parameters,)")
        self.seed = seed_sequence(rng)
        self._x = x

    @cached_property
    def x(self) -> Array:
        """Inputs: those given, or Gaussian ones and points of the cube in the model's dimension."""
        dim: object = getattr(self.model, "dim", None)
        rng = stream(self.seed, 0)
        if isinstance(self._x, Inputs):
            return self._x.sample(16, rng)
        if self._x is not None:
            given = np.array(self._x, dtype=np.float64)
            return inputs_of(given, dim if isinstance(dim, int) else given.shape[-1], "the model")
        if dim is None:
            skip("the model does not say its `dim`: pass the inputs as `x`, shape (n, dim)")
        if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)) or dim < 1:
            raise CheckFailed(f"`dim` must be an int >= 1, or None for inputs of any dimension, got {short(dim)}")
        return np.concatenate(
            [rng.standard_normal((8, int(dim))), np.where(rng.random((8, int(dim))) < 0.5, -1.0, 1.0)]
        )

    def given_count(self) -> int:
        """The number of parameters, made sure of."""
        count: object = getattr(self.model, "n_parameters", None)
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise CheckFailed(f"`n_parameters` must be an int >= 1, got {short(count)}")
        return int(count)

    def given_predictions(self, x: Array) -> Array:
        """p(x), made sure of."""
        given = method_of(self.model, "predict")(x.copy())
        return real(f"`predict` of {x.shape[0]} inputs", given, (x.shape[0],))

    def given_gradient(self, x: Array) -> Array:
        """dp(x)/dw, made sure of."""
        shape = (x.shape[0], resting_on("parameters", self.given_count))
        return real(f"`gradient` of {x.shape[0]} inputs", method_of(self.model, "gradient")(x.copy()), shape)

    @cached_property
    def x_checked(self) -> Array:
        """The inputs, for checks of something else."""
        return resting_on("predict", lambda: self.x)

    @cached_property
    def predictions(self) -> Array:
        """p(x) at the inputs."""
        return resting_on("predict", lambda: self.given_predictions(self.x))

    @cached_property
    def gradient(self) -> Array:
        """dp(x)/dw at the inputs."""
        return resting_on("gradient", lambda: self.given_gradient(self.x_checked))

    @property
    def own_parameters(self) -> KnowsParameters | None:
        """The model, if it offers `parameters` and `with_parameters`."""
        model = self.model
        known = isinstance(model, KnowsParameters) and model.parameters is not None and callable(model.with_parameters)
        return model if known and isinstance(model, KnowsParameters) else None

    @cached_property
    def at_parameters(self) -> tuple[Array, Callable[[npt.NDArray[np.generic]], object]]:
        """The parameters w and the function w -> p_w(x), which may also accept complex w."""
        x = self.x_checked
        if self.predict is not None and self.w is not None:
            predict = self.predict
            return self.w, lambda w: called("predict(w, x)", predict, w, x.copy())
        model = self.own_parameters
        if model is None:
            skip(
                "the model offers no `parameters` and `with_parameters(w)`; "
                "pass predict=lambda w, x: ... and parameters=w"
            )
        return resting_on("parameters", lambda: self.given_parameters(model)), lambda w: called(
            "predict of with_parameters(w)", lambda: model.with_parameters(np.asarray(w)).predict(x.copy())
        )

    def given_parameters(self, model: KnowsParameters) -> Array:
        """The model's own parameters, made sure of: with_parameters(parameters) is the same model again."""
        w = real("`parameters`", called("parameters", lambda: model.parameters), (self.given_count(),)).copy()
        before = self.predictions
        again = called("with_parameters", model.with_parameters, w.copy())
        given = called("with_parameters(w).predict", again.predict, self.x_checked.copy())
        found = real("with_parameters(parameters).predict(x)", given, before.shape)
        at = worst(found, before, tolerance_of(before))
        if at is not None:
            raise CheckFailed(
                f"with_parameters(parameters) must be the same model: at x = {short(self.x[at])} it predicts "
                f"{found[at]:.6g}, not {before[at]:.6g}"
            )
        called("with_parameters", model.with_parameters, w + 1.0)
        if worst(self.given_predictions(self.x), before, tolerance_of(before)) is not None:
            raise CheckFailed("`with_parameters` must return another model and leave this one as it is")
        return w


def method_of(model: object, name: str) -> Callable[..., object]:
    """The method of this name, which every model has."""
    if not callable(getattr(model, name, None)):
        raise CheckFailed(f"a model must have a method `{name}`, and {type(model).__name__} has none")
    return offered(model, name)


def tolerance_of(values: Array) -> float:
    """What numbers of this size may differ by."""
    return ROUNDING * (1 + float(np.abs(values).max(initial=0.0)))
