"""A model for its checks: inputs of every region, and what it says at them, computed once and made sure of.

A defect in what is handed out here is answered for by the check that is named at the method (`answered_by`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..classes.inputs import Inputs
from ..core.arguments import Array, SeedLike, inputs_of, real_array, seed_of, stream
from ..models.base import KnowsParameters
from .checks import CheckFailed, answered_by, called, offered, skip
from .comparison import ROUNDING, agree, at_inputs, is_count, number, real, short
from .differences import UNIT
from .regions import DRAWN, everywhere, extremes

Predictor = Callable[[Array, Array], npt.ArrayLike]
Parametric = Callable[[npt.NDArray[np.generic]], object]

_MOST_ROWS, _MOST_NUMBERS = 1025, 2**20
_ENDS = 32
_ROUNDINGS = 2.0**10
"""Roundings that two computations of one number may differ by, in units of the terms that it sums."""


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
        self.seed = seed_of(self.rng)

    @cached_property
    @answered_by("predict")
    def x(self) -> Array:
        """Inputs: those given, or of every region of the model's dimension."""
        dim: object = getattr(self.model, "dim", None)
        rng = stream(self.seed, 0)
        if isinstance(self.given_x, Inputs):
            return _inputs_of_every_region(self.given_x, rng)
        if self.given_x is not None:
            given = np.array(self.given_x, dtype=np.float64)
            return inputs_of(given, dim if isinstance(dim, int) else given.shape[-1], "the model")
        if dim is None:
            skip("the model does not say its `dim`: pass the inputs as `x`, shape (n, dim)")
        if not is_count(dim):
            raise CheckFailed(f"`dim` must be an int >= 1, or None for inputs of any dimension, got {short(dim)}")
        return everywhere(dim, rng)

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
    def unit(self) -> float:
        """The unit roundoff of what the model computes in: that of float64, unless it says another one."""
        _ = self.predictions  # some models look at what they compute in when they are called
        unit = number("`unit`", getattr(self.model, "unit", UNIT))
        if not 0 < unit < 1:
            raise CheckFailed(f"`unit` must be a unit roundoff, as 2^-53 of float64, got {unit}")
        return unit

    @property
    def relative(self) -> float:
        """The rounding that two computations of one number may differ by, relative to its size."""
        return max(ROUNDING, _ROUNDINGS * self.unit)

    def rounding_of(self, values: Array, terms: float = 0.0) -> Array:
        """The same for the numbers of an array, which sum terms of the size of the largest, or of such a size."""
        largest = max(float(np.abs(values).max(initial=0.0)), terms)
        return self.relative * np.abs(values) + _ROUNDINGS * self.unit * largest

    @cached_property
    def terms(self) -> float:
        """The largest sum_j |w_j dp/dw_j|: what a prediction sums, where parameters are known, else 0."""
        w: npt.ArrayLike = getattr(self.own_parameters, "parameters", 0.0) if self.w is None else self.w
        return float((np.abs(self.gradient) * np.abs(w)).sum(axis=1).max(initial=0.0))

    @property
    def most_rows(self) -> int:
        """Inputs of the largest batch, whose gradients take no more than 8 MiB."""
        return min(max(_MOST_NUMBERS // self.count, len(self.x) + 1), _MOST_ROWS)

    @property
    def own_parameters(self) -> KnowsParameters | None:
        """The model, if it offers `parameters` and `with_parameters`."""
        model = self.model
        known = isinstance(model, KnowsParameters) and model.parameters is not None and callable(model.with_parameters)
        return model if known and isinstance(model, KnowsParameters) else None

    @cached_property
    def at_parameters(self) -> tuple[Array, Parametric]:
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

        def compare(found: Array, must: str) -> None:
            tolerance = self.rounding_of(before, self.terms)
            agree(found, before, tolerance, at_inputs(f"{must}: p(x)", self.x), "that of the model")

        again = called("with_parameters", model.with_parameters, w.copy())
        given = called("with_parameters(w).predict", again.predict, self.x.copy())
        found = real("with_parameters(parameters).predict(x)", given, before.shape)
        compare(found, "with_parameters(parameters) must be the same model")
        self.elsewhere(model, w + 1.0)
        compare(self.predict_at(self.x.copy()), "`with_parameters` must leave the model as it is")
        return w

    def elsewhere(self, model: KnowsParameters, w: Array) -> ModelProbe:
        """The same model at other parameters, made sure that it says these if it says any."""
        other = called("with_parameters", model.with_parameters, w.copy())
        said = real("`parameters` of with_parameters(w)", getattr(other, "parameters", w), w.shape)
        agree(said, w, self.relative * np.abs(w), lambda at: f"entry {at[0]} of with_parameters(w).parameters", "w")
        return ModelProbe(other, self.x, None, None, self.seed)


def _inputs_of_every_region(inputs: Inputs, rng: np.random.Generator) -> Array:
    """Drawn inputs, extreme ones among many, and the first and last points where they are finitely many."""
    drawn, n = inputs.sample(1024, rng), inputs.n_points
    some = [drawn[:DRAWN], extremes(drawn)]
    if n is not None:
        some += [inputs.points(0, min(n, _ENDS)), inputs.points(max(n - _ENDS, 0), n)]
    return np.concatenate(some)
