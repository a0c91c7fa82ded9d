"""What is swept over: problems with names, one by one or as a grid."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import SupportsFloat, SupportsIndex, TypeAlias, TypeVar, cast

import numpy as np

from ...classes.base import HypothesisClass
from ...core.arguments import integer
from ...estimation.settings import MAX_SAMPLES, Settings
from ...losses import Loss, as_loss
from ...methods import Method
from ...models.base import Model
from ...models.infinite_mlp import InfiniteMLP
from ...problem import Problem
from ...results.table import Scalar
from ...verbs.auto import as_method
from .records import COLUMNS, key_of

AnyModel: TypeAlias = Model | InfiniteMLP
Factory: TypeAlias = Callable[..., AnyModel]
Part = TypeVar("Part")


@dataclass(frozen=True, eq=False)
class NamedProblem:
    """A problem of a sweep: what it is called, its three parts, and how it is to be computed.

    Its record is what `bound_check(H, model, loss, rng=seed, ...)` finds.

    Parameters
    ----------
    parameters : str or mapping of str to str, int, float, bool or None
        What tells this problem from the others of the sweep, and becomes columns of the results; a string is short
        for {"name": string}.
    H, loss
        As for `bound_check`.
    model : Model, InfiniteMLP, or function of (H, seed) or (H)
        The model, or a function that makes it, called when the problem's turn comes. What has `predict` is a model,
        any other callable such a function. The seed is given to a second argument without a default, or to one
        called `seed` or `rng`.
    seed : int
        Seed of a model that is made, and of the samples.
    method, rtol, confidence, max_samples
        As for `bound_check`.

    Raises
    ------
    TypeError, ValueError
        A part that is not what it should be. Parts that do not fit each other show when the problem is computed.

    Examples
    --------
    >>> import gradvar as gv
    >>> problem = NamedProblem({"width": 8}, gv.Parities(4), lambda H, seed: gv.MLP.random([4, 8, 1], rng=seed))
    >>> problem.build().model
    MLP(4-8-1, tanh)
    """

    parameters: dict[str, Scalar]
    H: HypothesisClass
    model: AnyModel | Factory
    loss: Loss
    seed: int
    method: Method
    rtol: float
    confidence: float
    max_samples: int

    def __init__(
        self,
        parameters: Mapping[str, Scalar] | str,
        H: HypothesisClass,
        model: AnyModel | Factory,
        loss: str | Loss = "square",
        seed: SupportsIndex = 0,
        method: str | Method = "auto",
        rtol: SupportsFloat = 0.1,
        confidence: SupportsFloat = 0.95,
        max_samples: SupportsIndex = MAX_SAMPLES,
    ) -> None:
        if not _is_model(model):
            _seed_of(model)
        number = integer("seed", seed, 0)
        settings = Settings.checked(rtol, confidence, max_samples, number, None, False)
        values = {
            "parameters": _checked_parameters(parameters, number),
            "H": hypothesis_class(H),
            "model": model,
            "loss": as_loss(loss),
            "seed": number,
            "method": as_method(method),
            "rtol": settings.rtol,
            "confidence": settings.confidence,
            "max_samples": settings.max_samples,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def key(self) -> str:
        """The parameters in one canonical text: what a record is found by."""
        return key_of(self.parameters)

    @property
    def factory(self) -> Factory | None:
        """The function that makes the model, where it is to be made."""
        return None if _is_model(self.model) else cast(Factory, self.model)

    def build(self) -> Problem:
        """Make the model, where it is to be made, and put the parts together."""
        if self.factory is None:
            return Problem(self.H, cast(AnyModel, self.model), self.loss)
        keyword = _seed_of(self.factory)
        if keyword == "":
            return Problem(self.H, self.factory(self.H, self.seed), self.loss)
        seed = {} if keyword is None else {keyword: self.seed}
        return Problem(self.H, self.factory(self.H, **seed), self.loss)


def grid(
    *,
    H: HypothesisClass | Iterable[HypothesisClass] | Mapping[Scalar, HypothesisClass],
    model: AnyModel | Factory | Iterable[AnyModel | Factory] | Mapping[Scalar, AnyModel | Factory],
    loss: str | Loss | Iterable[str | Loss] | Mapping[Scalar, str | Loss] = "square",
    seed: SupportsIndex | Iterable[SupportsIndex] = 0,
    method: str | Method = "auto",
    rtol: SupportsFloat = 0.1,
    confidence: SupportsFloat = 0.95,
    max_samples: SupportsIndex = MAX_SAMPLES,
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
    classes: dict[Scalar, HypothesisClass] = _axis("H", [H] if isinstance(H, HypothesisClass) else H, repr)
    models = _axis("model", [model] if callable(model) or _is_model(model) else model, _model_name)
    losses = _axis("loss", [loss] if isinstance(loss, (str, Loss)) else loss, _loss_name)
    seeds: dict[Scalar, SupportsIndex] = _axis(
        "seed", [seed] if isinstance(seed, (int, np.integer)) else seed, lambda s: integer("seed", s, 0)
    )
    return [
        NamedProblem(
            {"H": h, **attributes(hypothesis_class(one_class)), "model": m, "loss": name, "seed": s},
            one_class,
            one_model,
            one_loss,
            cast(int, s),
            method,
            rtol,
            confidence,
            max_samples,
        )
        for (h, one_class), (m, one_model), (name, one_loss), s in itertools.product(
            classes.items(), models.items(), losses.items(), seeds
        )
    ]


def as_named(problems: Iterable[object]) -> list[NamedProblem]:
    """Return what was given to `sweep` as named problems, with the names made sure to differ."""
    if isinstance(problems, (NamedProblem, Problem, str)) or not isinstance(problems, Iterable):
        raise TypeError(
            "`problems` must be a grid(...), an iterable of NamedProblem, of pairs (name, Problem) or of dicts of the "
            f"arguments of NamedProblem, or a dict from names to problems, got {problems!r}"
        )
    items = problems.items() if isinstance(problems, Mapping) else problems
    found = [_one_named(f"problems[{i}]", item) for i, item in enumerate(items)]
    first: dict[str, int] = {}
    for i, problem in enumerate(found):
        if first.setdefault(problem.key, i) != i:
            raise ValueError(
                f"`problems` {first[problem.key]} and {i} have the same parameters {problem.parameters}: "
                "give each a name of its own"
            )
    return found


def attributes(H: HypothesisClass) -> dict[str, Scalar]:
    """The input dimension, and what the class was made from where that is a plain number or word."""
    found: dict[str, Scalar] = {"dim": H.inputs.dim}
    try:
        names = list(inspect.signature(type(H)).parameters)
    except ValueError:  # a type that is not written in Python
        names = []
    for name in names:
        value = getattr(H, name, None)
        value = _plain(getattr(value, "name", value))
        if name not in COLUMNS and value is not None and _is_scalar(value):
            found[name] = cast(Scalar, value)
    return found


def _one_named(where: str, item: object) -> NamedProblem:
    if isinstance(item, NamedProblem):
        return item
    if isinstance(item, Mapping):
        return NamedProblem(**item)
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Problem):
        name, problem = item
        return NamedProblem(name, problem.hypotheses, problem.model, problem.loss)
    raise TypeError(
        f"`{where}` must be a NamedProblem, a pair (name, Problem) or a dict of the arguments of NamedProblem, "
        f"got {item!r}"
    )


def _axis(name: str, given: object, called: Callable[[Part], Scalar]) -> dict[Scalar, Part]:
    """The entries of one argument of `grid` by name."""
    if not isinstance(given, Iterable):
        raise TypeError(f"`{name}` must be one entry, a list of them or a dict from names, got {given!r}")
    pairs = given.items() if isinstance(given, Mapping) else ((called(one), one) for one in given)
    found: dict[Scalar, Part] = {}
    for called_so, one in pairs:
        if called_so in found:
            raise ValueError(f"`{name}` has two entries called {called_so!r}: name them apart by a dict")
        found[called_so] = one
    if not found:
        raise ValueError(f"`{name}` must hold at least one entry, got {given!r}")
    return found


def hypothesis_class(H: object) -> HypothesisClass:
    """Return H, or raise an error where it is no hypothesis class."""
    if not isinstance(H, HypothesisClass) or isinstance(H, type):
        raise TypeError(f"`H` must be a hypothesis class (see gradvar.classes), got {H!r}")
    return H


def _is_model(model: object) -> bool:
    return isinstance(model, (Model, InfiniteMLP)) and not isinstance(model, type)


def _model_name(model: AnyModel | Factory) -> str:
    return repr(model) if _is_model(model) else str(getattr(model, "__name__", type(model).__name__))


def _loss_name(loss: str | Loss) -> str:
    return loss if isinstance(loss, str) else as_loss(loss).name


def _seed_of(factory: object) -> str | None:
    """How a function that makes models takes the seed: by this keyword, "" as its second argument, None not at all."""
    accepted = "`model` must be a model (see gradvar.models) or a function of (H, seed) or (H) that makes one"
    if not callable(factory):
        raise TypeError(f"{accepted}, got {factory!r}")
    signature = inspect.signature(factory)
    try:
        keyword = next((name for name in signature.parameters if name in ("seed", "rng")), None)
        if keyword is not None:
            signature.bind(None, **{keyword: 0})
            return keyword
        needed = [p for p in signature.parameters.values() if p.default is p.empty and p.kind != p.VAR_KEYWORD]
        signature.bind(*[None] * max(1, min(len(needed), 2)))
        return "" if len(needed) == 2 else None
    except TypeError:
        raise TypeError(f"{accepted}, got {factory!r} with the signature {signature}") from None


def _checked_parameters(given: object, seed: int) -> dict[str, Scalar]:
    if isinstance(given, str):
        return {"name": given}
    if not isinstance(given, Mapping) or not given:
        raise TypeError(f"`parameters` must be a name or a dict of at least one name and value, got {given!r}")
    found: dict[str, Scalar] = {}
    for name, value in given.items():
        if not isinstance(name, str) or name in COLUMNS - {"seed"}:
            taken = "" if not isinstance(name, str) else ", which is a column of the results"
            raise ValueError(f"`parameters` must be named by strings, got the name {name!r}{taken}")
        plain = _plain(value)
        if not _is_scalar(plain):
            raise TypeError(
                f"`parameters[{name!r}]` must be a string, a finite number, a bool or None, got {value!r}; "
                "in a grid, name the entry by a dict"
            )
        found[name] = cast(Scalar, plain)
    if found.get("seed", seed) != seed:
        raise ValueError(f"`parameters['seed']` is {found['seed']!r}, but `seed` is {seed}")
    return found


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
