"""The protocols of models: what every one offers, and what some add.

Any object with `predict(x)` (n,), `gradient(x)` (n, P) and `n_parameters` is a model; subclassing is optional.
Where it pays it also offers `tangent_factors(x)`: pairs (A_l, B_l) of shapes (n, r_l), (n, q_l) with

    <g(x), g(x')> = sum_l (A_l A_l'^T) * (B_l B_l'^T)    entrywise,      g(x) = dp_w(x)/dw,

so that the gradient consists of the products A_l[:, i] B_l[:, j] and no per-example gradient is ever stored. A
layer with input activations a and backpropagated delta has A = [a, 1], B = delta. `dim` (input coordinates, None
when any number will do) and `description` (for reports) are optional, and so are `parameters`, the vector w in the
order of the gradient's columns, and `with_parameters(w)`, the model at another one: with them `gradvar.testing` can
compare the gradient with differences of predictions. For training, `pullback(x)` is p_w(x) with the function
c -> sum_n c_n g(x_n): a backward pass of the whole batch, where `gradient` would store one gradient an example. A
model that computes in less than float64 may say `rounding(x)`: the error in its gradients, relative to their norm; of
one that does not, `models/precision.py` looks at what it returns.
A model with K > 1 outputs says `n_outputs`; `predict` returns (n, K) and `gradient` (n, K, P), and it is taken as the
model (x, c) -> <c, p_w(x)> with one output (`models/contraction.py`).
With `largest_gradient` the interval of a sampled mean of ||g||^2 holds what the sample cannot have seen. A model that
offers `tangent_factors` may offer `tangent(x)` too: p_w(x) with these factors, of one evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, real_array
from ..core.errors import ShapeError
from ..core.reach import Reach

Pullback: TypeAlias = tuple[Array, Callable[[Array], Array]]
"""p_w(x), shape (n,), and the function c -> sum_n c_n dp_w(x_n)/dw from (n,) to (P,)."""


@runtime_checkable
class Model(Protocol):
    """A predictor p_w: R^dim -> R with its gradient in the parameters w."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""

    def predict(self, x: Array) -> Array:
        """p_w(x), shape (n,)."""

    def gradient(self, x: Array) -> Array:
        """dp_w(x)/dw, shape (n, P)."""


@runtime_checkable
class KnowsTangentFactors(Model, Protocol):
    """A model that says its gradient as layer-wise factors."""

    def tangent_factors(self, x: Array) -> list[tuple[Array, Array]]:
        """Pairs (A_l, B_l)."""


@runtime_checkable
class KnowsTangent(KnowsTangentFactors, Protocol):
    """A model that says its predictions and its factors together."""

    def tangent(self, x: Array) -> tuple[Array, list[tuple[Array, Array]]]:
        """p_w(x) and the pairs (A_l, B_l)."""


@runtime_checkable
class KnowsParameters(Model, Protocol):
    """A model that says its parameters, in the order of the columns of its gradient, and can take others."""

    @property
    def parameters(self) -> Array:
        """The parameters w, shape (P,)."""

    def with_parameters(self, parameters: Array) -> Model:
        """The model at other parameters, shape (P,); this one stays as it is."""


@runtime_checkable
class KnowsPullback(Model, Protocol):
    """A model that sums gradients over a batch without storing them."""

    def pullback(self, x: Array) -> Pullback:
        """p_w(x), and c -> sum_n c_n dp_w(x_n)/dw in the order of the columns of the gradient."""


@runtime_checkable
class BoundsGradient(Model, Protocol):
    """A model that bounds its gradient, so that a sample of inputs cannot have missed more than that."""

    def largest_gradient(self, reach: Reach) -> float:
        """At least ||dp_w(x)/dw||^2 at all inputs x in this box and ball; infinity where there is no bound."""


def largest_gradient(model: object, reach: Reach) -> float:
    """The model's bound on its squared gradient norm at all inputs of this reach; infinity where it says none."""
    about = {"predict", "gradient", "tangent_factors", "_forward"}
    if not isinstance(model, BoundsGradient) or not is_up_to_date(model, "largest_gradient", about):
        return math.inf
    with np.errstate(over="ignore", invalid="ignore"):
        return model.largest_gradient(reach)


def is_up_to_date(model: object, name: str, about: set[str]) -> bool:
    """Whether a method comes from the class that last says what it is about: an inherited one knows of the parent's."""
    said = {name, *about}
    return name in next((vars(cls).keys() for cls in type(model).__mro__ if vars(cls).keys() & said), said)


def offers(model: object, *names: str) -> bool:
    """Whether a model has these methods; asking the protocols takes as long as a step of a small network."""
    return all(getattr(model, name, None) is not None for name in names)


def layers_of(model: Model) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a model's arrays, in the order of its gradient; of one that names none, the one "all"."""
    said = getattr(model, "layers", None)
    if isinstance(said, Mapping) and sum(math.prod(shape) for shape in said.values()) == model.n_parameters:
        return dict(said)
    return {"all": (model.n_parameters,)}


def tangent_factors(model: Model, x: Array) -> list[tuple[Array, Array]]:
    """The model's tangent factors; the whole gradient as one pair where it does not offer any."""
    if offers(model, "tangent_factors"):
        return cast(KnowsTangentFactors, model).tangent_factors(x)
    return [(model.gradient(x), np.ones((x.shape[0], 1)))]


def tangent(model: Model, x: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """The model's predictions and tangent factors, of one evaluation where it offers that."""
    if offers(model, "tangent", "tangent_factors") and is_up_to_date(
        model, "tangent", {"predict", "gradient", "tangent_factors"}
    ):
        return cast(KnowsTangent, model).tangent(x)
    return model.predict(x), tangent_factors(model, x)


def pullback(model: Model, x: Array) -> Pullback:
    """The model's predictions and pullback; from its gradient where it does not offer them."""
    if offers(model, "pullback"):
        return cast(KnowsPullback, model).pullback(x)
    return model.predict(x), lambda c: c @ model.gradient(x)


def split_as(shapes: Iterable[tuple[int, ...]], vector: Array) -> list[Array]:
    """Return consecutive parts of a vector in these shapes."""
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(vector[start:stop].reshape(shape))
        start = stop
    return parts


def check_one_output(owner: str, shape: tuple[int, ...], n: int, *, column: bool = False, remedy: str = "") -> None:
    """Raise a `ShapeError` unless predictions for n inputs are one number each: (n,), or (n, 1) where that will do."""
    if shape != (n,) and not (column and shape == (n, 1)):
        accepted = f"({n},) or ({n}, 1)" if column else f"({n},)"
        raise ShapeError(f"{owner} must return shape {accepted} for {n} inputs, got {shape}{remedy}")


def parameter_vector(parameters: npt.ArrayLike, n_parameters: int, owner: object) -> Array:
    """The parameters as a new finite vector of shape (P,), or an error that names their owner."""
    vector = real_array("parameters", parameters, 1, f"({n_parameters},)")
    if vector.size != n_parameters:
        raise ShapeError(f"`parameters` must have shape ({n_parameters},) for {owner!r}, got {vector.shape}")
    return vector
