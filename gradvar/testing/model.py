"""The checks of a model: predictions, the gradient against differences of predictions, tangent factors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..classes.inputs import Inputs
from ..core.arguments import Array, SeedLike, inputs_of, real_array, seed_sequence, stream
from ..models.base import KnowsParameters
from .checks import Check, CheckFailed, CheckReport, answered_by, called, checks_of, named, offered, report, skip
from .comparison import ROUNDING, agree, at_inputs, identical, is_count, real, rounding_of, short
from .differences import Derivative, derivative

Predictor = Callable[[Array, Array], npt.ArrayLike]

_STEP = 1e-4
_MOST_COORDINATES, _DIRECTIONS = 256, 8


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
            agree(found, before, rounding_of(before), at_inputs(f"{must}: p(x)", self.x), "that of the model")

        compare(found, "with_parameters(parameters) must be the same model")
        called("with_parameters", model.with_parameters, w + 1.0)
        compare(self.predict_at(self.x.copy()), "`with_parameters` must leave the model as it is")
        return w


def parameters(probe: ModelProbe) -> str:
    """`n_parameters` is an int >= 1; with_parameters(parameters) is the same model, and leaves this one alone."""
    count, model = probe.count, probe.own_parameters
    if model is None:
        return f"n_parameters = {count:,}; no `parameters` and `with_parameters` are offered"
    probe.parameters_of(model)
    return f"n_parameters = {count:,}; with_parameters(parameters) predicts the same"


def predict(probe: ModelProbe) -> str:
    """predict(x) returns finite float64 values of shape (n,), for n = 0 too."""
    p = probe.predictions
    probe.predict_at(probe.x[:0])
    return f"shape {p.shape}, values from {p.min():.4g} to {p.max():.4g}"


def gradient(probe: ModelProbe) -> str:
    """gradient(x) returns finite float64 values of shape (n, n_parameters), for n = 0 too."""
    g = probe.gradient
    probe.gradient_at(probe.x[:0])
    return f"shape {g.shape}, largest entry {np.abs(g).max():.4g}"


def batch(probe: ModelProbe) -> str:
    """Prediction and gradient at x do not depend on the other inputs in the batch."""
    x = probe.x
    for name, whole, function in _methods(probe):
        with answered_by(name):
            alone = np.concatenate([function(x[i : i + 1].copy()) for i in range(len(x))])
        where = at_inputs(f"`{name}` must not depend on the other inputs: its value alone", x)
        agree(alone, whole, rounding_of(whole), where, f"among {len(x)} inputs it")
    return f"{len(x)} inputs together and one by one"


def pure(probe: ModelProbe) -> str:
    """Predict and gradient do not change the inputs, and repeat themselves."""
    for name, before, function in _methods(probe):
        x = probe.x.copy()
        again = function(x)
        identical(f"`{name}` must not change its inputs", probe.x, x)
        identical(f"`{name}` must repeat itself", before, again)
    return "inputs are left as they were; a second call gives the same numbers"


def _methods(probe: ModelProbe) -> Iterator[tuple[str, Array, Callable[[Array], Array]]]:
    """The name of a method, its values at all inputs, and the method."""
    yield "predict", probe.predictions, probe.predict_at
    yield "gradient", probe.gradient, probe.gradient_at


def gradient_value(probe: ModelProbe) -> str:
    """gradient(x) is the derivative of the prediction in the parameters (complex step or central differences)."""
    g, p, x = probe.gradient, probe.predictions, probe.x
    w, function = probe.at_parameters
    real("`parameters`, one for each column of `gradient`,", w, g.shape[1:])
    at_w = real("p(w, x) at the model's parameters", np.asarray(function(w)), p.shape)
    where = at_inputs("these are not the parameters of the model: p(w, x)", x)
    agree(at_w, p, rounding_of(p), where, "`predict`")
    directions = _directions(w, stream(probe.seed, 1))
    kinks, methods = 0, set()
    for label, direction in directions:
        found = _derivative(function, w, direction)
        kinks += int(found.kink.sum())
        methods.add(found.how)
        error = np.where(found.kink, np.inf, found.error + ROUNDING * (np.abs(g) @ np.abs(direction)))
        where = at_inputs(f"`gradient` {label}", x)
        agree(g @ direction, found.value, error, where, f"the derivative of the prediction by {found.how}")
    total = len(directions) * len(g)
    if kinks == total:
        skip("the prediction has a kink in the parameters at every input; pass others as `x`")
    left_out = f"; {kinks:,} at kinks left out" if kinks else ""
    return f"{total - kinks:,} derivatives by {' and '.join(sorted(methods))}{left_out}"


def tangent_factors(probe: ModelProbe) -> str:
    """tangent_factors(x) multiply out to the kernel of the gradient: sum (A A'^T) * (B B'^T) = g g'^T."""
    factors_of = offered(probe.model, "tangent_factors")
    x, g = probe.x, probe.gradient
    factors = factors_of(x.copy())
    if not isinstance(factors, (list, tuple)) or not all(isinstance(f, (list, tuple)) and len(f) == 2 for f in factors):
        raise CheckFailed(f"`tangent_factors` must return a list of pairs (A, B), got {short(factors)}")
    kernel = np.zeros((len(x), len(x)))
    for i, (left, right) in enumerate(factors):
        for name, factor in (("A", left), ("B", right)):
            if not isinstance(factor, np.ndarray) or factor.ndim != 2 or factor.shape[0] != len(x):
                shape = factor.shape if isinstance(factor, np.ndarray) else short(factor)
                raise CheckFailed(f"{name}_{i} of `tangent_factors` must have shape ({len(x)}, r), got {shape}")
            real(f"{name}_{i} of `tangent_factors`", factor, factor.shape)
        # <g(x), g(x')> = sum_l (A_l A_l'^T) * (B_l B_l'^T)
        kernel += (left @ left.T) * (right @ right.T)
    expected = g @ g.T
    where = at_inputs("the product of `tangent_factors`", x, x)
    rounding = ROUNDING * (1e-300 + float(np.abs(expected).max()))
    agree(kernel, expected, rounding, where, "<g(x), g(x')> of `gradient`")
    return f"{len(factors)} pairs, the kernel of the gradient at {len(x)} inputs"


CHECKS = (predict, parameters, gradient, batch, pure, gradient_value, tangent_factors)
"""Every check of a model: a function of a probe, whose name and docstring are the check's."""


def model_checks(
    model: object,
    x: npt.ArrayLike | Inputs | None = None,
    *,
    predict: Predictor | None = None,
    parameters: npt.ArrayLike | None = None,
    rng: SeedLike = 0,
) -> list[Check]:
    """Return the checks of a model, one by one, for `pytest.mark.parametrize`; arguments as for `check_model`.

    Examples
    --------
    >>> import gradvar as gv
    >>> [str(check) for check in model_checks(gv.Linear([1.0, 2.0]))][:3]
    ['predict', 'parameters', 'gradient']
    """
    return checks_of(CHECKS, ModelProbe(model, x, predict, parameters, rng))


def check_model(
    model: object,
    x: npt.ArrayLike | Inputs | None = None,
    *,
    predict: Predictor | None = None,
    parameters: npt.ArrayLike | None = None,
    rng: SeedLike = 0,
) -> CheckReport:
    """Look at the predictions and the gradient of a model.

    The gradient is compared with derivatives of the prediction in the parameters: in every coordinate (in 256 of
    them and 8 random directions, where there are more), but not at kinks. It takes a model with `parameters` and
    `with_parameters(w)` (`gradvar.models.base`), or `predict` and `parameters` given here.

    Parameters
    ----------
    model : Model
        Any object with `predict`, `gradient` and `n_parameters`.
    x : array_like of shape (n, dim) or Inputs, optional
        Where to look; by default Gaussian inputs and points of the cube in the dimension `model.dim`.
    predict : callable, optional
        (w, x) -> p_w(x), shape (n,): the prediction as a function of the parameters. Where it accepts complex w its
        derivative is exact.
    parameters : array_like of shape (n_parameters,), optional
        The model's own w.
    rng : int, SeedSequence, Generator or None
        Of the inputs and directions.

    Returns
    -------
    CheckReport
        As for `check_hypothesis_class`.

    Raises
    ------
    TypeError
        `predict` without `parameters`, or the other way round.

    Examples
    --------
    >>> import numpy as np, gradvar as gv
    >>> check_model(gv.MLP.random([3, 4, 1], rng=0)).passed
    True
    >>> w = np.array([1.0, -2.0])
    >>> model = gv.from_function(lambda x: np.tanh(x @ w), lambda x: x, n_parameters=2, dim=2)
    >>> check_model(model, predict=lambda w, x: np.tanh(x @ w), parameters=w).failures[0].name
    'gradient-value'
    """
    return report(named(model), model_checks(model, x, predict=predict, parameters=parameters, rng=rng))


def _derivative(function: Callable[[npt.NDArray[np.generic]], object], w: Array, direction: Array) -> Derivative:
    """The derivative of p_w(x) in w along a direction."""
    return derivative(lambda t: function(w + t * direction), _STEP)


def _directions(w: Array, rng: np.random.Generator) -> list[tuple[str, Array]]:
    """Coordinates, scaled where a weight is large, and some directions that have a part of every coordinate."""
    many = w.size > _MOST_COORDINATES
    numbers = np.sort(rng.choice(w.size, _MOST_COORDINATES, replace=False)) if many else np.arange(w.size)
    directions = []
    for j in numbers:
        size = max(1.0, abs(float(w[j])))
        scaled = "" if size == 1 else f" (times {size:.4g})"
        directions.append((f"in parameter {j}{scaled}", np.where(np.arange(w.size) == j, size, 0.0)))
    random = rng.standard_normal((_DIRECTIONS if many else 0, w.size))
    return directions + [("along a random direction", v / np.linalg.norm(v)) for v in random]
