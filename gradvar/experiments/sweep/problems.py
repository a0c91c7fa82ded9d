"""The problems of a sweep, each with a name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import SupportsFloat, SupportsIndex, TypeAlias, cast

import numpy as np

from ...classes.base import HypothesisClass
from ...core.arguments import flag, integer
from ...estimation.settings import Settings
from ...losses import Loss, as_loss
from ...methods import Method
from ...problem import AnyModel, Problem, hypothesis_class, is_model
from ...results.table import Scalar
from ...verbs.auto import as_method
from .records import COLUMNS, key_of

Factory: TypeAlias = Callable[..., AnyModel]


@dataclass(frozen=True, eq=False)
class NamedProblem:
    """A problem of a sweep: its name, its three parts, and how it is to be computed.

    Its record is what `bound_check(H, model, loss, rng=seed, ...)` finds.

    Parameters
    ----------
    parameters : str or mapping of str to str, int, float, bool or None
        Names and values that no other problem of the sweep has, which become columns of the results; a string is
        short for {"name": string}.
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
    alignment : bool
        Whether to compute the gradient alignment as well, for the columns "alignment", ...

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
    max_samples: int | None
    alignment: bool

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
        max_samples: SupportsIndex | None = None,
        alignment: bool = False,
    ) -> None:
        number = integer("seed", seed, 0)
        settings = Settings.checked(rtol, confidence, max_samples, number, None, False)
        _maker(model)
        vars(self).update(
            parameters=_checked_parameters(parameters, number),
            H=hypothesis_class(H),
            model=model,
            loss=as_loss(loss),
            seed=number,
            method=as_method(method),
            rtol=settings.rtol,
            confidence=settings.confidence,
            max_samples=None if max_samples is None else settings.max_samples,
            alignment=flag("alignment", alignment),
        )

    @cached_property
    def key(self) -> str:
        """The parameters in one canonical text: a record is found by it."""
        return key_of(self.parameters)

    @property
    def factory(self) -> Factory | None:
        """The function that makes the model, where it is to be made."""
        return None if is_model(self.model) else cast(Factory, self.model)

    @property
    def settings(self) -> Settings:
        """How it is to be computed."""
        return Settings.checked(self.rtol, self.confidence, self.max_samples, self.seed, None, False)

    def build(self) -> Problem:
        """Make the model, where it is to be made, and put the parts together."""
        return Problem(self.H, _maker(self.model)(self.H, self.seed), self.loss)


def as_named(problems: Iterable[object]) -> list[NamedProblem]:
    """Return the argument of `sweep` as named problems, or raise an error where two have the same name."""
    if isinstance(problems, (NamedProblem, Problem, str)) or not isinstance(problems, Iterable):
        raise TypeError(
            "`problems` must be a grid(...), an iterable of NamedProblem, of pairs (name, Problem) or of dicts of the "
            f"arguments of NamedProblem, or a dict from names to problems, got {problems!r}"
        )
    given = problems.items() if isinstance(problems, Mapping) else problems
    items = [_one_named(f"problems[{i}]", item) for i, item in enumerate(given)]
    first: dict[str, int] = {}
    for i, item in enumerate(items):
        if first.setdefault(item.key, i) != i:
            raise ValueError(
                f"`problems` {first[item.key]} and {i} have the same parameters {item.parameters}: "
                "give each a name of its own"
            )
    return items


def as_scalar(name: str, value: object) -> Scalar:
    """Return a value that can stand in a table, or raise an error that names it."""
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, (str, int)) or (isinstance(plain, float) and math.isfinite(plain)):
        return plain
    raise TypeError(
        f"`{name}` must be a string, a finite number, a bool or None, got {value!r}; "
        "in a grid, name the entry by a dict"
    )


def _one_named(where: str, item: object) -> NamedProblem:
    if isinstance(item, NamedProblem):
        return item
    if isinstance(item, Mapping):
        try:
            return NamedProblem(**item)
        except TypeError as error:
            raise TypeError(f"`{where}` must be a dict of the arguments of NamedProblem: {error}") from None
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Problem):
        name, problem = item
        return NamedProblem(name, problem.hypotheses, problem.model, problem.loss)
    raise TypeError(
        f"`{where}` must be a NamedProblem, a pair (name, Problem) or a dict of the arguments of NamedProblem, "
        f"got {item!r}"
    )


def _maker(model: AnyModel | Factory) -> Callable[[HypothesisClass, int], AnyModel]:
    """Return the function of (H, seed) that makes the model, or raise an error where there is none.

    The user's own function is given the seed by a keyword, as its second argument, or not at all.
    """
    if is_model(model):
        return lambda H, seed: model
    accepted = "`model` must be a model (see gradvar.models) or a function of (H, seed) or (H) that makes one"
    if not callable(model):
        raise TypeError(f"{accepted}, got {model!r}")
    signature = inspect.signature(model)
    try:
        keyword = next((name for name in signature.parameters if name in ("seed", "rng")), None)
        if keyword is not None:
            signature.bind(None, **{keyword: 0})
            return lambda H, seed: model(H, **{keyword: seed})
        needed = [p for p in signature.parameters.values() if p.default is p.empty and p.kind != p.VAR_KEYWORD]
        signature.bind(*[None] * max(1, min(len(needed), 2)))
    except TypeError:
        raise TypeError(f"{accepted}, got {model!r} with the signature {signature}") from None
    return model if len(needed) == 2 else lambda H, seed: model(H)


def _checked_parameters(given: object, seed: int) -> dict[str, Scalar]:
    if isinstance(given, str):
        return {"name": given}
    if not isinstance(given, Mapping) or not given:
        raise TypeError(f"`parameters` must be a name or a dict of at least one name and value, got {given!r}")
    parameters: dict[str, Scalar] = {}
    for name, value in given.items():
        if not isinstance(name, str) or name in COLUMNS - {"seed"}:
            taken = "" if not isinstance(name, str) else ", which is a column of the results"
            raise ValueError(f"`parameters` must be named by strings, got the name {name!r}{taken}")
        parameters[name] = as_scalar(f"parameters[{name!r}]", value)
    if parameters.get("seed", seed) != seed:
        raise ValueError(f"`parameters['seed']` is {parameters['seed']!r}, but `seed` is {seed}")
    return parameters
