"""The problem: a hypothesis class, a model and a loss that have been made sure to fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property
from typing import TypeAlias, TypeGuard, cast

import numpy as np

from .classes.base import HypothesisClass
from .classes.gram.outputs import SUM_TO_ONE
from .classes.inputs import Inputs
from .classes.inputs.base import reach_of
from .classes.inputs.outputs import OutputPairs
from .classes.outputs import by_output
from .core.arguments import Array, integer, with_members
from .core.errors import LabelError, NonFiniteError, NotApplicableError, ShapeError
from .losses import Loss, as_loss
from .losses import by_output as loss_by_output
from .models.adapters.torch import adopted
from .models.base import (
    KnowsTangent,
    Model,
    largest_gradient,
    layers_of,
    offers,
    tangent,
    tangent_factors,
)
from .models.contraction import contraction
from .models.infinite_mlp import InfiniteMLP
from .models.precision import rounding
from .models.returned import finite_rows, predictions_of, real_numbers
from .models.trainable import Share, Trainable, whole

AnyModel: TypeAlias = Model | InfiniteMLP
Factors = list[tuple[Array, Array]]

_SMALLEST, _LARGEST = 2.0**-100, 2.0**100
"""Sizes of gradients whose squares, and products of these, stay within float64."""
_OF_NETWORK, _OF_OTHERS = 6.5, 64.0
"""Multiplications that a number of an input's factors counts as, of our networks and of other libraries' functions."""
_CACHED, _FEWEST_ROWS = 2**16, 64
"""Numbers of factors that the cache holds (512 KiB) when their norms are taken, and the least rows of such a block."""


class Moment(Enum):
    """A moment over the class of E_x[h s], s the signal and m = E_h h the class mean."""

    VARIANCE = "E_h ||E[(h - m) s]||^2"
    SECOND = "E_h ||E[h s]||^2"
    MEAN = "||E[m s]||^2"


def hypothesis_class(H: object) -> HypothesisClass:
    """Return H, or raise an error where it is no hypothesis class."""
    members = {
        "inputs": "`inputs` (the distribution of x, see gradvar.inputs)",
        "log2_size": "`log2_size` (the base-2 logarithm of |H|)",
    }
    with_members("H", H, "a hypothesis class, an object with `inputs` and `log2_size` (see gradvar.classes)", members)
    return cast(HypothesisClass, H)


def is_model(model: object) -> TypeGuard[AnyModel]:
    """Whether this is a model, and no class of models."""
    return isinstance(model, (Model, InfiniteMLP)) and not isinstance(model, type)


def as_model(model: object) -> AnyModel:
    """Return the model, or that of a PyTorch module; raise an error that names what anything else lacks."""
    given = adopted(model)
    if is_model(given):
        return given
    accepted = "an object with `predict`, `gradient` and `n_parameters` (see gradvar.models, from_function)"
    members = {
        "predict": "`predict(x)` (inputs (n, dim) to p_w(x), (n,))",
        "gradient": "`gradient(x)` (inputs (n, dim) to dp_w(x)/dw, (n, P))",
        "n_parameters": "`n_parameters` (their number, P)",
    }
    with_members("model", given, accepted, members)
    raise TypeError(f"`model` must be {accepted}, got {model!r}")


def outputs_of(hypotheses: object, model: object) -> int:
    """The number of outputs of a class, or an error where the model has another."""
    count: int = getattr(hypotheses, "n_outputs", 1)
    # None: a function of another library, which has not been called yet
    of_model: int | None = getattr(model, "n_outputs", 1)
    if of_model in (count, None):
        return count
    remedy = (
        "; targets with several outputs are FiniteClass(values of shape (m, n, K), points), or class labels, "
        "FiniteClass(labels, points, n_classes=K)"
    )
    raise ShapeError(
        f"`model` and `H` must have the same number of outputs, got {of_model} of {model!r} and {count} of "
        f"{hypotheses!r}{remedy if count == 1 else ''}"
    )


def check_order(**pair: object) -> None:
    """Raise a `TypeError` where the first of two arguments is a model, or models, and the second has the targets."""
    (first, given), (second, other) = pair.items()
    models = is_model(given) or (isinstance(given, Iterable) and not isinstance(given, HypothesisClass))
    if models and not is_model(other) and (isinstance(other, HypothesisClass) or hasattr(other, "hypotheses")):
        raise TypeError(f"`{first}` and `{second}` are swapped: got {first}={given!r} and {second}={other!r}")


@dataclass(frozen=True)
class Problem:
    """The gradient variance Var(H, F, w) to be had, F_h(w) = E_x[loss(p_w(x), h(x))].

    With dloss/dp = a(p) + h b(p) and the signal s(x) = b(p_w(x)) dp_w(x)/dw,

        Var(H, F, w) = E_{x,x'}[C_H(x, x') <s(x), s(x')>],      C_H(x, x') = Cov_h(h(x), h(x')).

    Parameters
    ----------
    hypotheses : HypothesisClass
        The class H, with the input distribution.
    model : Model or InfiniteMLP
        The predictor p_w at its weights w; or a network in the mean over its weights.
    loss : str or Loss
        "square" (1/2 (p - y)^2), "correlation", "hinge", "logistic", "perceptron" or a `MarginLoss`; of K outputs
        "square", "correlation" or "cross-entropy".
    moment : Moment
        Which moment over the class is asked for: the variance, or one of the two parts whose difference it is.

    Raises
    ------
    TypeError, ShapeError, LabelError, ValueError
        A part that is not what it should be, a model on another input dimension, labels that the loss does not
        accept.

    Examples
    --------
    >>> import gradvar as gv
    >>> problem = gv.Problem(gv.Parities(5), gv.Linear([1.0] * 5), "square")
    """

    hypotheses: HypothesisClass
    model: AnyModel
    loss: Loss
    moment: Moment

    def __init__(
        self,
        hypotheses: HypothesisClass,
        model: AnyModel,
        loss: str | Loss = "square",
        moment: Moment = Moment.VARIANCE,
    ) -> None:
        check_order(H=hypotheses, model=model)
        hypothesis_class(hypotheses)
        model = as_model(model)
        if not isinstance(hypotheses.inputs, Inputs):
            raise TypeError(f"`H.inputs` must be an input distribution (see gradvar.inputs), got {hypotheses.inputs!r}")
        if not isinstance(hypotheses.log2_size, (int, float, np.number)) or not hypotheses.log2_size >= 0:
            raise ValueError(f"`H.log2_size` must be a number >= 0, got {hypotheses.log2_size!r}")
        if isinstance(model, Model):
            integer("model.n_parameters", model.n_parameters, 1)
        dim = getattr(model, "dim", None)
        if dim is not None and dim != hypotheses.inputs.dim:
            raise ShapeError(
                f"`model` takes inputs of dimension {dim} ({model!r}), but those of {hypotheses!r} "
                f"have dimension {hypotheses.inputs.dim}"
            )
        given = as_loss(loss)
        count = outputs_of(hypotheses, model)
        if given.labels == "signs" and count == 1 and getattr(hypotheses, "labels", "real") != "signs":
            raise LabelError(
                f"the loss {given.name!r} accepts labels -1 and +1 only, but {hypotheses!r} has other values "
                "(or does not say `labels = 'signs'`); use loss='square' or 'correlation'"
            )
        if not isinstance(moment, Moment):
            raise TypeError(f"`moment` must be a Moment, got {moment!r}")
        # Of K outputs, real functions of an input and one of its outputs.
        object.__setattr__(self, "loss", loss_by_output(given, count))
        if given.labels == "classes" and getattr(hypotheses, "labels", "real") not in SUM_TO_ONE:
            raise LabelError(
                f"the loss {given.name!r} accepts class labels, or odds that sum to one, but {hypotheses!r} has other "
                "values; use loss='square' or 'correlation'"
            )
        if count > 1 and isinstance(model, Model):
            model = contraction(model, count)
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "hypotheses", by_output(hypotheses))
        object.__setattr__(self, "moment", moment)

    @property
    def inputs(self) -> Inputs:
        """The input distribution."""
        return self.hypotheses.inputs

    @property
    def predictor(self) -> Model:
        """The model, where it has predictions and gradients, else a `NotApplicableError`."""
        if isinstance(self.model, InfiniteMLP):
            raise NotApplicableError(self.weightless)
        return self.model

    def by_layer(self, apart: bool = True) -> Problem:
        """Return the problem of which each layer is a part of its own, or the same factors as one part again."""
        model = Trainable(whole(self.predictor), layers_of(self.predictor), apart)
        other = object.__new__(Problem)
        for part in fields(self):
            object.__setattr__(other, part.name, model if part.name == "model" else getattr(self, part.name))
        return other

    @cached_property
    def n_parts(self) -> int:
        """How many parts of the gradient have moments of their own: the layers, or one."""
        return len(self.model.layers) if isinstance(self.model, Trainable) and self.model.apart else 1

    @cached_property
    def shares(self) -> list[list[Share]]:
        """For each pair of factors which columns of the left side belong to which part of the gradient."""
        x = self.inputs.sample(1, np.random.default_rng(0))
        if self.n_parts > 1 and isinstance(self.model, Trainable):
            return self.model.shares(x)
        return [[(0, slice(None))]] * len(tangent_factors(self.predictor, x))

    def split(self, factors: Factors) -> list[Factors]:
        """The factors of each part of the gradient."""
        found: list[Factors] = [[] for _ in range(self.n_parts)]
        for (left, right), shares in zip(factors, self.shares, strict=True):
            for part, columns in shares:
                found[part].append((left[:, columns], right))
        return found

    @property
    def weightless(self) -> str | None:
        """None for a model at fixed weights, else why it cannot be evaluated."""
        if isinstance(self.model, InfiniteMLP):
            return f"{self.model!r} has no predictions or gradients, only their mean kernel over random weights"
        return None

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """The parts of the problem for a reader."""

        def said(part: object) -> str:
            plain = type(part).__repr__ is object.__repr__
            return str(getattr(part, "description", type(part).__name__ if plain else repr(part)))

        parameters = "" if isinstance(self.model, InfiniteMLP) else f", {self.model.n_parameters:,} parameters"
        return {
            "class": said(self.hypotheses),
            "inputs": said(self.inputs),
            "model": said(self.model) + parameters,
            "loss": self.loss.name,
        }

    @cached_property
    def row_size(self) -> int:
        """Numbers that one input takes: its coordinates and its tangent factors."""
        x = self.inputs.sample(1, np.random.default_rng(0))
        self.tangent_factors(x)  # made sure of
        # of a part of a model those of the whole, which is evaluated: then all parts are sampled in the same blocks
        pairs = tangent_factors(whole(self.predictor), x)
        numbers: int = self.inputs.dim + sum(np.shape(left)[1] + np.shape(right)[1] for left, right in pairs)
        return numbers

    @property
    def input_work(self) -> float:
        """About how many multiplications the factors of one input take."""
        return self.row_size * (_OF_NETWORK if isinstance(self.model, KnowsTangent) else _OF_OTHERS)

    @cached_property
    def largest_norms(self) -> tuple[float, float]:
        """Upper bounds on ||g(x)||^2 and ||s(x)||^2 over all inputs; inf where the model or the inputs do not say."""
        # ||s|| <= L ||g||
        most, lipschitz = float(largest_gradient(self.model, reach_of(self.inputs))), self.loss.lipschitz
        return most, lipschitz**2 * most if most > 0 else 0.0

    @cached_property
    def rounding(self) -> float:
        """The error that the model's own arithmetic leaves in its gradients, relative to their norm; 0.0 in float64."""
        if self.weightless:
            return 0.0
        return rounding(self.predictor, self.inputs.sample(64, np.random.default_rng(0)))

    @cached_property
    def _gradient_size(self) -> float:
        """The largest entry of the gradient at 64 inputs, about; 0 where all of them vanish."""
        x = self.inputs.sample(64, np.random.default_rng(0))
        return max(
            float(np.abs(left).max() * np.abs(right).max())
            for left, right in self._fitting(tangent_factors(self.predictor, x), x)
        )

    def signal_scale(self, x: Array) -> Array:
        """Return b(p_w(x)), shape (n,)."""
        return self.loss_split(x)[1]

    def loss_split(self, x: Array) -> tuple[Array, Array]:
        """Return a(p_w(x)) and b(p_w(x)), each of shape (n,); predictions are made sure to be finite."""
        return self.loss.split(predictions_of(self.predictor.predict(x), x))

    def tangent_factors(self, x: Array) -> Factors:
        """Return the factors of the predictor's gradient g, made sure to be finite, to fit and to have squares.

        Raises
        ------
        NonFiniteError
            Also for gradients larger than 2^100 or smaller than 2^-100, whose squares may leave float64.
        """
        return self._checked(tangent_factors(self.predictor, x), x)

    def _checked(self, given: Factors, x: Array) -> Factors:
        factors, size = self._fitting(given, x), self._gradient_size
        if size != 0 and not _SMALLEST < size < _LARGEST:
            raise NonFiniteError(
                f"the gradient of `model` must be 0 or between 2^-100 and 2^100 in size, so that float64 holds its "
                f"squares; got {size:.3g} at 64 sampled inputs: rescale the model or its inputs"
            )
        return factors

    def _fitting(self, given: Factors, x: Array) -> Factors:
        factors = [(real_numbers("gradient", left), real_numbers("gradient", right)) for left, right in given]
        for left, right in factors:
            for factor in (left, right):
                if factor.ndim != 2 or factor.shape[0] != x.shape[0]:
                    raise ShapeError(
                        f"the gradient of {self.model!r} must have {x.shape[0]} rows for {x.shape[0]} inputs, "
                        f"got shape {factor.shape}"
                    )
                finite_rows("gradient", factor, x)
        columns = factors[0][0].shape[1]
        if columns != self.predictor.n_parameters and not offers(self.model, "tangent_factors"):
            raise ShapeError(
                f"`gradient` of {self.model!r} must return n_parameters = {self.predictor.n_parameters} columns, "
                f"got {columns}"
            )
        return factors

    def signal_factors(self, x: Array) -> Factors:
        """Return pairs with <s(x), s(x')> = sum_l (A_l A_l'^T) * (B_l B_l'^T)."""
        gradient, scale = self._tangent(self._for_signal(x))
        return [(left, right * scale[:, None]) for left, right in gradient]

    def signal(self, x: Array) -> tuple[Factors, Array]:
        """Return the factors of the signal, and ||g(x)||^2 and ||s(x)||^2 of each part, (n, 2 parts)."""
        gradient, scale = self._tangent(self._for_signal(x))
        return [(left, right * scale[:, None]) for left, right in gradient], self._norms(x, gradient, scale)

    def norms(self, x: Array) -> Array:
        """Return ||g(x)||^2 and ||s(x)||^2 of each part of the gradient as two columns, shape (n, 2 parts)."""
        rows = max(_FEWEST_ROWS, _CACHED // self.row_size)
        blocks = (x[start : start + rows] for start in range(0, max(x.shape[0], 1), rows))
        return np.concatenate([self._norms(block, *self._tangent(self._for_signal(block))) for block in blocks])

    def _norms(self, x: Array, signal: Factors, scale: Array) -> Array:
        """||g(x)||^2 and ||s(x)||^2, from the factors of the signal without its scale."""
        norm_sq = self.norms_of_parts(signal)
        whole = self.norms_of_parts(self.tangent_factors(x)) if self._is_centred else norm_sq
        return np.stack([whole, scale[:, None] ** 2 * norm_sq], axis=2).reshape(len(x), -1)

    def norms_of_parts(self, factors: Factors) -> Array:
        """The squared norms of the parts of gradients that factors stand for, shape (n, parts)."""
        total = np.zeros((factors[0][0].shape[0], self.n_parts))
        for (left, right), shares in zip(factors, self.shares, strict=True):
            of_right = np.einsum("ij,ij->i", right, right)
            for part, columns in shares:
                total[:, part] += np.einsum("ij,ij->i", left[:, columns], left[:, columns]) * of_right
        return total

    @property
    def _is_centred(self) -> bool:
        return isinstance(self.inputs, OutputPairs) and self.inputs.centred

    def _for_signal(self, x: Array) -> Array:
        """Where the gradient times b is the signal: of class labels the mean over the outputs is taken from it."""
        return self.inputs.for_signal(x) if isinstance(self.inputs, OutputPairs) else x

    def _tangent(self, x: Array) -> tuple[Factors, Array]:
        """The factors of the gradient, and b(p_w(x))."""
        p, factors = tangent(self.predictor, x)
        return self._checked(factors, x), self.loss.split(predictions_of(p, x))[1]


def norms_sq(factors: Factors) -> Array:
    """The squared norms of the gradients that factors stand for, shape (n,)."""
    total = np.zeros(factors[0][0].shape[0])
    for left, right in factors:
        total += np.einsum("ij,ij->i", left, left) * np.einsum("ij,ij->i", right, right)
    return total


def component_blocks(factors: Factors, together: int) -> Iterator[tuple[Array, Array]]:
    """The components of the gradients that factors stand for, as products of one column with at most so many."""
    for left, right in factors:
        few, many = (left, right) if left.shape[1] <= right.shape[1] else (right, left)
        for i in range(few.shape[1]):
            for start in range(0, many.shape[1], together):
                yield few[:, i], many[:, start : start + together]
