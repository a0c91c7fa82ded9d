"""The verb `grid`: named problems of all combinations of classes, models, losses and seeds."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import SupportsFloat, SupportsIndex, TypeAlias, TypeVar, cast

import numpy as np

from ...classes.base import HypothesisClass
from ...core.arguments import integer
from ...losses import Loss, as_loss
from ...methods import Method
from ...problem import AnyModel, hypothesis_class, is_model
from ...results.table import Scalar
from .problems import Factory, NamedProblem, as_scalar
from .records import COLUMNS

Part = TypeVar("Part")
Named: TypeAlias = Mapping[Scalar, Part] | Mapping[tuple[Scalar, ...], Part]


def grid(
    *,
    H: HypothesisClass | Iterable[HypothesisClass] | Named[HypothesisClass],
    model: AnyModel | Factory | Iterable[AnyModel | Factory] | Named[AnyModel | Factory],
    loss: str | Loss | Iterable[str | Loss] | Named[str | Loss] = "square",
    seed: SupportsIndex | Iterable[SupportsIndex] = 0,
    method: str | Method = "auto",
    rtol: SupportsFloat = 0.1,
    confidence: SupportsFloat = 0.95,
    max_samples: SupportsIndex | None = None,
    alignment: bool = False,
    **axes: object,
) -> list[NamedProblem]:
    """Return the problems of all combinations of classes, models, losses, axes of your own and seeds, for `sweep`.

    Parameters
    ----------
    H, model, loss, seed
        One, a list, or a dict from names. Without a dict a class or model is called by its `repr`, a function that
        makes models by its `__name__`. `model` may be such a function of (H, seed) or (H), since a model must fit the
        dimension of its class (see `NamedProblem`); the seed is that of the model and of the samples.
    method, rtol, confidence, max_samples
        As for `bound_check`, the same for all.
    alignment : bool
        Whether to compute the gradient alignment as well, for the columns "alignment", ...
    **axes
        Any other name, such as width=[8, 64] or activation=["relu", "tanh"]: one value, a list, or a dict from names.
        The functions in `model` are handed one of each by its name, and it becomes a column.

    Returns
    -------
    list of NamedProblem
        In the order of nested loops, seeds innermost. Their parameters are "H", "model", "loss", "seed", the axes, and
        what the class was made from as far as it is a plain number or word (dim, degree, radius, ...), so that results
        can be drawn over it; names that are tuples become text. Models are made when their turn comes.

    Raises
    ------
    TypeError, ValueError
        An axis that is empty, two entries of the same name, a part that is not what it should be.

    Examples
    --------
    >>> import gradvar as gv
    >>> problems = gv.grid(
    ...     H={d: gv.Parities(d) for d in (5, 10)},
    ...     model=lambda H, seed: gv.MLP.random([H.inputs.dim, 64, 1], rng=seed),
    ...     loss=["square", "hinge"],
    ...     seed=range(3),
    ... )
    >>> len(problems), problems[0].parameters
    (12, {'H': 5, 'dim': 5, 'model': '<lambda>', 'loss': 'square', 'seed': 0})

    An axis of your own:

    >>> def network(H, seed, width, activation):
    ...     return gv.MLP.random([H.inputs.dim, *width, 1], activation, rng=seed)
    >>> problems = gv.grid(H=gv.Parities(4), model=network, width=[(8,), (8, 8)], activation=["relu", "tanh"])
    >>> problems[-1].parameters["width"], problems[-1].build().model
    ('(8, 8)', MLP(4-8-8-1, tanh))
    """
    classes: dict[Scalar, HypothesisClass] = _axis("H", H, isinstance(H, HypothesisClass), repr)
    models = _axis("model", model, callable(model) or is_model(model), _model_name)
    losses = _axis("loss", loss, isinstance(loss, (str, Loss)), _loss_name)
    seeds: dict[Scalar, SupportsIndex] = _axis(
        "seed", seed, isinstance(seed, (int, np.integer)), partial(integer, "seed", low=0)
    )
    own: list[dict[Scalar, object]] = [_own_axis(name, values) for name, values in axes.items()]
    settings = (method, rtol, confidence, max_samples, alignment)
    problems = []
    for (h, H), (m, model) in itertools.product(classes.items(), models.items()):
        columns = {"H": h, **attributes(hypothesis_class(H)), "model": m, "loss": None, "seed": None}
        if taken := columns.keys() & axes.keys():
            raise ValueError(f"`{min(taken)}` is a column of {H!r} already: give the axis another name")
        made = {names: _with_values(model, dict(zip(axes, values, strict=True))) for names, values in _product(own)}
        for (name, loss), names, s in itertools.product(losses.items(), made, seeds):
            parameters = {**columns, "loss": name, **dict(zip(axes, names, strict=True)), "seed": s}
            problems.append(NamedProblem(parameters, H, made[names], loss, cast(int, s), *settings))
    return problems


def _own_axis(name: str, given: object) -> dict[Scalar, object]:
    single = isinstance(given, (str, int, float)) or not isinstance(given, Iterable)
    return _axis(name, given, single, lambda value: getattr(value, "__name__", value))


def _product(own: list[dict[Scalar, object]]) -> Iterable[tuple[tuple[Scalar, ...], tuple[object, ...]]]:
    """The names and the values of each combination of axes."""
    yield from zip(itertools.product(*own), itertools.product(*(axis.values() for axis in own)), strict=True)


def _with_values(model: AnyModel | Factory, values: Mapping[str, object]) -> AnyModel | Factory:
    """The function that makes a model, with the values of the axes filled in."""
    if not values:
        return model
    try:
        if is_model(model):
            raise TypeError("a model, not a function")
        inspect.signature(cast(Factory, model)).bind_partial(**values)
    except TypeError as error:
        raise TypeError(
            f"`model` must be a function of (H, seed, {', '.join(values)}) that makes a model, since a grid hands it "
            f"its axes by name; got {model!r} ({error})"
        ) from None
    return partial(cast(Factory, model), **values)


def attributes(H: HypothesisClass) -> dict[str, Scalar]:
    """Return the input dimension, and the arguments the class was made from that are plain numbers or words."""
    columns: dict[str, Scalar] = {"dim": H.inputs.dim}
    try:
        names = list(inspect.signature(type(H)).parameters)
    except ValueError:  # a type that is not written in Python
        names = []
    for name in names:
        value = getattr(H, name, None)
        value = getattr(value, "name", value)
        if name not in COLUMNS and value is not None:
            with suppress(TypeError):
                columns[name] = as_scalar(name, value)
    return columns


def _axis(name: str, given: object, single: bool, name_of: Callable[[Part], Scalar]) -> dict[Scalar, Part]:
    """Return the entries of one argument of `grid` by name: of a dict, of an iterable, or the single one."""
    entries = [given] if single else given
    if not isinstance(entries, Iterable) or isinstance(entries, str):
        raise TypeError(f"`{name}` must be one entry, a list of them or a dict from names, got {given!r}")
    pairs = entries.items() if isinstance(entries, Mapping) else ((name_of(entry), entry) for entry in entries)
    axis: dict[Scalar, Part] = {}
    for given_key, entry in pairs:
        key = str(given_key) if isinstance(given_key, tuple) else given_key
        if key in axis:
            raise ValueError(f"`{name}` has two entries called {key!r}: name them apart by a dict")
        axis[key] = entry
    if not axis:
        raise ValueError(f"`{name}` must hold at least one entry, got {given!r}")
    return axis


def _model_name(model: AnyModel | Factory) -> str:
    return repr(model) if is_model(model) else str(getattr(model, "__name__", type(model).__name__))


def _loss_name(loss: str | Loss) -> str:
    return loss if isinstance(loss, str) else as_loss(loss).name
