"""The verb `grid`: named problems of all combinations of classes, models, losses and seeds."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import SupportsFloat, SupportsIndex, TypeVar, cast

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


def grid(
    *,
    H: HypothesisClass | Iterable[HypothesisClass] | Mapping[Scalar, HypothesisClass],
    model: AnyModel | Factory | Iterable[AnyModel | Factory] | Mapping[Scalar, AnyModel | Factory],
    loss: str | Loss | Iterable[str | Loss] | Mapping[Scalar, str | Loss] = "square",
    seed: SupportsIndex | Iterable[SupportsIndex] = 0,
    method: str | Method = "auto",
    rtol: SupportsFloat = 0.1,
    confidence: SupportsFloat = 0.95,
    max_samples: SupportsIndex | None = None,
) -> list[NamedProblem]:
    """Return the problems of all combinations of classes, models, losses and seeds, for `sweep`.

    Parameters
    ----------
    H, model, loss, seed
        One, a list, or a dict from names. Without a dict a class or model is called by its `repr`, a function that
        makes models by its `__name__`. `model` may be such a function of (H, seed) or (H), since a model must fit the
        dimension of its class (see `NamedProblem`); the seed is that of the model and of the samples.
    method, rtol, confidence, max_samples
        As for `bound_check`, the same for all.

    Returns
    -------
    list of NamedProblem
        In the order of nested loops, seeds innermost. Their parameters are "H", "model", "loss", "seed", and what the
        class was made from as far as it is a plain number or word (dim, degree, radius, ...), so that results can be
        drawn over it. Models are made when their turn comes.

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
    """
    classes: dict[Scalar, HypothesisClass] = _axis("H", H, isinstance(H, HypothesisClass), repr)
    models = _axis("model", model, callable(model) or is_model(model), _model_name)
    losses = _axis("loss", loss, isinstance(loss, (str, Loss)), _loss_name)
    seeds: dict[Scalar, SupportsIndex] = _axis(
        "seed", seed, isinstance(seed, (int, np.integer)), partial(integer, "seed", low=0)
    )
    combinations = itertools.product(classes.items(), models.items(), losses.items(), seeds)
    return [
        NamedProblem(
            {"H": h, **attributes(hypothesis_class(H)), "model": m, "loss": name, "seed": s},
            H,
            model,
            loss,
            cast(int, s),
            method,
            rtol,
            confidence,
            max_samples,
        )
        for (h, H), (m, model), (name, loss), s in combinations
    ]


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
    for key, entry in pairs:
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
