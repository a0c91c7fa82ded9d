r"""The gradient of some of a model's layers alone.

With g_l = dp/dw_l, the columns of the gradient that belong to the array w_l, <g, g'> = sum_l <g_l, g_l'>: moments of
the gradient are sums over layers, and a model of which some layers are held fixed is the same predictor with fewer
columns. A layer's columns are had from the blocks in which the whole gradient is made, in one evaluation: of a matrix
that is used once, with inputs a and backpropagated delta, the pair (a, delta); of its bias (1, delta).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from ..core.errors import NotApplicableError, ShapeError
from ..core.reach import Reach
from .adapters.torch import adopted
from .base import (
    KnowsParameters,
    Model,
    Pullback,
    is_up_to_date,
    largest_gradient,
    layers_of,
    parameter_vector,
    pullback,
)
from .contraction import contraction
from .gradients import Block, Mask, Numbers, factors, left_parameters, stacked
from .precision import rounding

Pairs: TypeAlias = list[tuple[Array, Array]]
Share: TypeAlias = tuple[int, slice]
"""The number of a part of the gradient, and the columns of a left factor that belong to it."""


@runtime_checkable
class KnowsBlocks(Protocol):
    """A model that makes its gradient in blocks of columns, some inputs at a time."""

    def blocks(self, x: Array) -> Iterator[tuple[Array, list[Block]]]:
        """p_w(x) and the gradient there, of some rows of x after the other."""


def tangent_and_parameters(model: Model, x: Array) -> tuple[Array, Pairs, list[Numbers]]:
    """Return p_w(x), the tangent factors, and of each column of their left sides a parameter of its layer."""
    if not isinstance(model, KnowsBlocks) or not len(x) or not is_up_to_date(model, "blocks", {"predict", "gradient"}):
        gradient = _gradient(model, x)
        return model.predict(x), [(gradient, np.ones((len(x), 1)))], [np.arange(model.n_parameters)]
    found = [(p, factors(blocks, p.size), left_parameters(blocks)) for p, blocks in model.blocks(x)]
    return np.concatenate([p for p, _, _ in found]), stacked([pairs for _, pairs, _ in found]), found[0][2]


class Trainable:
    """A model of which some layers are parameters and the others are held fixed; see `trainable`.

    Attributes
    ----------
    model : Model
        The model with all of its layers.
    layers : dict of str to tuple
        The names and shapes of the arrays that are parameters, in the order of the gradient.
    apart : bool
        Whether moments are asked for of each layer alone.
    """

    def __init__(self, model: Model, names: Iterable[str], apart: bool = False) -> None:
        self.model, self.apart = model, apart
        self.layers = {name: shape for name, shape in layers_of(model).items() if name in set(names)}
        self.kept = kept_columns(model, self.layers)
        self.n_parameters = int(np.count_nonzero(self.kept))
        self.dim: int | None = getattr(model, "dim", None)
        self.n_outputs: int | None = getattr(model, "n_outputs", 1)

    def __repr__(self) -> str:
        return f"trainable({self.model!r}, {list(self.layers)})"

    @property
    def description(self) -> str:
        """The model in words, and what of it is trained."""
        whole = str(getattr(self.model, "description", repr(self.model)))
        return f"{whole}, the gradient of {', '.join(self.layers)} alone"

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,): that of the whole model."""
        return self.model.predict(_array(x))

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw of the layers that are trained, shape (n, P), in the order of the whole gradient."""
        return _gradient(self.model, _array(x))[..., self.kept]

    def tangent_factors(self, x: npt.ArrayLike) -> Pairs:
        """Return the factors of that gradient."""
        return self.tangent(x)[1]

    def tangent(self, x: npt.ArrayLike) -> tuple[Array, Pairs]:
        """Return p(x), shape (n,), and the factors, of one evaluation."""
        p, pairs, parameters = tangent_and_parameters(self.model, _array(x))
        kept = [self.kept[some] for some in parameters]
        # the columns of a matrix stand together: of some layers all are kept
        return p, [
            (left if some.all() else left[:, some], right)
            for (left, right), some in zip(pairs, kept, strict=True)
            if some.any()
        ]

    def shares(self, x: Array) -> list[list[Share]]:
        """Return which columns of each left factor belong to which layer, by its number among those of this model."""
        sizes = [int(np.prod(shape)) for shape in self.layers.values()]
        numbers = np.full(self.kept.size, -1)
        numbers[self.kept] = np.repeat(np.arange(len(sizes)), sizes)
        found = []
        for parameters in tangent_and_parameters(self.model, x)[2]:
            ours = numbers[parameters]
            ours = ours[ours >= 0]
            starts = np.flatnonzero(np.diff(ours, prepend=-1))
            ends = zip(starts, np.append(starts[1:], ours.size), strict=True)
            found.append([(int(ours[a]), slice(int(a), int(b))) for a, b in ends])
        return [shares for shares in found if shares]

    def pullback(self, x: npt.ArrayLike) -> Pullback:
        """Return p(x) and the function c -> sum_n c_n dp(x_n)/dw."""
        p, pull = pullback(self.model, _array(x))
        return p, lambda c: pull(c)[self.kept]

    def contraction(self, n_outputs: int) -> Trainable:
        """Return the model (x, c) -> <c, p_w(x)> with the same layers, of one with so many outputs."""
        return Trainable(contraction(self.model, n_outputs), self.layers, self.apart)

    @property
    def parameters(self) -> Array:
        """The parameters of the layers that are trained, shape (P,)."""
        return self._whole.parameters[self.kept]

    def with_parameters(self, parameters: npt.ArrayLike) -> Trainable:
        """Return the model with other parameters in these layers; the others stay as they are."""
        every = np.array(self._whole.parameters)
        every[self.kept] = parameter_vector(parameters, self.n_parameters, self)
        return Trainable(self._whole.with_parameters(every), self.layers)

    def largest_gradient(self, reach: Reach) -> float:
        """Return the whole model's bound on ||dp/dw||^2, which is one on every part of it."""
        return largest_gradient(self.model, reach)

    def rounding(self, x: npt.ArrayLike) -> float:
        """Return what the model's arithmetic leaves in the gradient, relative to the norm of the layers' part."""
        array = _array(x)
        of_whole = rounding(self.model, array)
        if not of_whole:
            return 0.0
        # ||delta_l|| <= ||delta|| <= e ||g|| = (e ||g|| / ||g_l||) ||g_l||
        gradient = _gradient(self.model, array)
        part = float(np.linalg.norm(gradient[..., self.kept]))
        return of_whole * float(np.linalg.norm(gradient)) / part if part > 0 else of_whole

    @property
    def _whole(self) -> KnowsParameters:
        if not isinstance(self.model, KnowsParameters):
            raise NotApplicableError(f"{self.model!r} says no `parameters` and takes none (`with_parameters`)")
        return self.model


def trainable(model: object, layers: str | Iterable[str]) -> Model:
    """Return the same predictor of which some layers are the parameters, the others held fixed.

    Its gradient has the columns of these layers alone: the last layer's is that of random features, and the variances
    of all layers sum to that of the model. Every verb takes it, and trains what is left.

    Parameters
    ----------
    model : Model or torch.nn.Module
        Any model at fixed weights. Its `layers` names its arrays: "weights[0]" of an `MLP`; the names of parameters of
        a torch module ("0.weight"); the paths of leaves of JAX ("params/Dense_0/kernel"); what `from_function` was
        given. One that names none has the one layer "all".
    layers : str or iterable of str
        Names; or the beginning that several have in common ("weights", "0", "params/Dense_0").

    Returns
    -------
    Model
        The model itself where these are all of its layers. Closed forms for one hidden layer hold for its parts too.
        Costs what the model costs.

    Raises
    ------
    TypeError, ValueError
        Something that is no model at fixed weights, or has no layer of that name.

    Examples
    --------
    >>> import gradvar as gv
    >>> model = gv.MLP.random([20, 64, 1], rng=0)
    >>> list(model.layers)
    ['weights[0]', 'biases[0]', 'weights[1]', 'biases[1]']
    >>> gv.trainable(model, "weights[1]").n_parameters
    64
    """
    model = adopted(model)
    if not isinstance(model, Model) or isinstance(model, type):
        raise TypeError(
            f"`model` must be a model at fixed weights, with `predict`, `gradient` and `n_parameters`, got {model!r}"
        )
    names = list(layers_of(model))
    given = [layers] if isinstance(layers, str) else list(layers)
    chosen: set[str] = set()
    for layer in given:
        found = {name for name in names if isinstance(layer, str) and _belongs(name, layer)}
        if not found:
            raise ValueError(f"`layers` must name layers of {model!r}, {', '.join(map(repr, names))}, got {layer!r}")
        chosen |= found
    if not chosen:
        raise ValueError(f"`layers` must name at least one layer, {', '.join(map(repr, names))}, got none")
    if len(chosen) == len(names):
        return model
    return Trainable(whole(model), chosen)


def _belongs(name: str, layer: str) -> bool:
    """Whether the layer is this array, or a group that it is in."""
    return name == layer or (bool(layer) and name.startswith(layer) and name[len(layer)] in "[./")


def kept_columns(model: Model, names: Iterable[str]) -> Mask:
    """The columns of a model's gradient that belong to some of its layers, as a mask."""
    wanted = set(names)
    return np.concatenate([np.full(int(np.prod(shape)), name in wanted) for name, shape in layers_of(model).items()])


def whole(model: object) -> Model:
    """The model with all of its layers, of one of which some are held fixed."""
    return cast(Model, model.model if isinstance(model, Trainable) else model)


def part_of(model: object, name: str) -> int | None:
    """The number of the part of the gradient that a layer belongs to; None where it is held fixed."""
    if not isinstance(model, Trainable):
        return 0
    if name not in model.layers:
        return None
    return list(model.layers).index(name) * model.apart


def trains(model: object, name: str) -> bool:
    """Whether a layer is among the parameters."""
    return part_of(model, name) is not None


def _gradient(model: Model, x: Array) -> Array:
    """The whole gradient, made sure to have a column for each parameter."""
    gradient = np.asarray(model.gradient(x))
    if gradient.shape[-1] != model.n_parameters:
        raise ShapeError(f"`gradient` of {model!r} must return {model.n_parameters} columns, got {gradient.shape}")
    return gradient


def _array(x: npt.ArrayLike) -> Array:
    return np.asarray(x, dtype=np.float64)
