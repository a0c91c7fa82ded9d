"""The checks of a model: `check_model` runs them, `model_checks` hands them out."""

from __future__ import annotations

import numpy.typing as npt

from ..classes.inputs import Inputs
from ..core.arguments import SeedLike
from ..models.base import Model
from ..models.contraction import contraction
from . import model_gradients, model_values
from .checks import Check, CheckReport, checks_of, named, report
from .model_probe import ModelProbe, Predictor

CHECKS = (
    model_values.predict,
    model_values.parameters,
    model_values.gradient,
    model_values.batch,
    model_values.pure,
    model_values.precision,
    model_gradients.gradient_value,
    model_gradients.tangent_factors,
    model_gradients.pullback,
    model_gradients.largest_gradient,
)
"""Every check of a model: a function of a probe, whose name and docstring are the check's."""


def model_checks(
    model: object,
    x: npt.ArrayLike | Inputs | None = None,
    *,
    predict: Predictor | None = None,
    parameters: npt.ArrayLike | None = None,
    rng: SeedLike = 0,
) -> list[Check]:
    """Return the checks of a model, one by one, for `pytest.mark.parametrize`.

    Parameters
    ----------
    model, x, predict, parameters, rng
        As for `check_model`.

    Examples
    --------
    >>> import gradvar as gv
    >>> [str(check) for check in model_checks(gv.Linear([1.0, 2.0]))][:3]
    ['predict', 'parameters', 'gradient']
    """
    outputs: int = getattr(model, "n_outputs", 1) or 1
    if outputs > 1 and x is None and predict is None and isinstance(model, Model):
        model = contraction(model, outputs)  # its inputs are those of the model, with a direction in R^K beside each
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
        Any object with `predict`, `gradient` and `n_parameters`; `unit`, where it offers it, is the unit roundoff of
        what it computes in.
    x : array_like of shape (n, dim) or Inputs, optional
        Where to look; by default Gaussian inputs, small and large ones, points of the cube, its corners and the origin.
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
