"""Checks of what a model says: predictions, parameters, gradients; that they depend on the input alone.

Each public function is one check: its name, with hyphens, is the check's; its docstring says what it makes sure of; it
returns the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..core.arguments import Array, stream
from .checks import CheckFailed, answered_by, skip
from .comparison import agree, at_inputs, identical
from .differences import UNIT
from .model_probe import ModelProbe
from .regions import DRAWN, batches

_CALLS, _FEWEST_ROWS = 4, 4
"""Inputs at which the last digits must show, to say that they do not."""


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
    """Prediction and gradient depend on x alone: in any order, more than once, in batches of any size."""
    x = probe.x
    rows = batches(len(x), probe.most_rows, stream(probe.seed, 2))
    for name, whole, function in _methods(probe):
        tolerance = probe.rounding_of(whole, probe.terms if name == "predict" else 0.0)
        for index in rows:
            with answered_by(name):
                found = function(x[index])
            claim = f"`{name}` must not depend on the other inputs: its value among {len(index)} inputs"
            agree(found, whole[index], tolerance[index], at_inputs(claim, x[index]), f"among {len(x)} inputs it")
        with answered_by(name):
            found = function(np.asfortranarray(x))
        claim = f"`{name}` must not depend on the order of the inputs in memory: its value"
        agree(found, whole, tolerance, at_inputs(claim, x), "of rows that lie together it")
    return f"{len(x)} inputs together, one by one, in other orders and in batches of up to {probe.most_rows:,}"


def pure(probe: ModelProbe) -> str:
    """Predict and gradient do not change the inputs, and repeat themselves."""
    for name, before, function in _methods(probe):
        for _ in range(_CALLS):
            x = probe.x.copy()
            again = function(x)
            identical(f"`{name}` must not change its inputs", probe.x, x)
            identical(f"`{name}` must repeat itself", before, again)
    return "inputs are left as they were; further calls give the same numbers"


def _methods(probe: ModelProbe) -> Iterator[tuple[str, Array, Callable[[Array], Array]]]:
    """The name of a method, its values at all inputs, and the method."""
    yield "predict", probe.predictions, probe.predict_at
    yield "gradient", probe.gradient, probe.gradient_at


def precision(probe: ModelProbe) -> str:
    """Predictions and gradient follow the last digits of the inputs, in float64 unless the model says its `unit`."""
    if probe.unit > 2 * UNIT:
        return f"the model says that it computes with the unit roundoff {probe.unit:.3g}"
    x = probe.x[:DRAWN]
    for name, values, function in _methods(probe):
        whole = values[: len(x)]
        try:
            far, near = (function(x * (1 + step)) for step in (2.0**-12, 2.0**-40))
        except CheckFailed as failure:
            skip(f"next to the inputs there are no others to look at: {failure}")
        # What changes by D at the larger step changes by about 2^-28 D at the smaller one.
        visible = (np.abs(far - whole) * 2.0**-28 > 8 * UNIT * np.abs(whole)) & (far != whole)
        seen = visible.reshape(len(x), -1).any(axis=1)
        same = ~(visible & (near != whole)).reshape(len(x), -1).any(axis=1)
        if seen.sum() >= _FEWEST_ROWS and (seen & same).sum() > 0.75 * seen.sum():
            raise CheckFailed(
                f"`{name}` is the same number at x and at x (1 + 2^-40), at {(seen & same).sum()} of {seen.sum()} "
                "inputs where float64 shows the difference: it is computed in less. Compute in float64, or let the "
                "model say `unit`, the unit roundoff that it computes with (2^-24 for float32)"
            )
    return "no sign of less than float64"
