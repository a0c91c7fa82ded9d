"""The rounding that a model's own arithmetic leaves in its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from .base import KnowsTangentFactors, Model

_STEPS = 2.0**-20
_SAFETY = 4.0
_DOUBLE = 2.0**-40
_FINER = 8
"""The step of a line along which gradients are looked at; what is allowed for the rounding that is not met there; what
the rounding of float64 stays below, `ROUNDING` about; and how much finer a second look is."""
_LOOKED_AT, _PREDICTED = 8, 64
_FEWEST = 16
"""Inputs at which gradients and predictions are looked at; the fewest numbers that show how they are rounded."""
_UNKNOWN = 64.0
"""Units that are allowed for rounding where it cannot be looked at."""
_UNITS = {"float64": -53, "complex128": -53, "float32": -24, "complex64": -24, "float16": -11, "bfloat16": -8}

Parts = Callable[[float], Sequence[Array]]
"""Takes t and returns arrays (n, k) of a model that is moved by t, relative to its size."""


def rounding(model: Model, x: Array) -> float:
    """The error that the model's own arithmetic leaves in gradients, relative to their norm; 0.0 in float64.

    As the model says it; models of this library compute in float64, and others are looked at.
    """
    said: Callable[[Array], float] | None = getattr(model, "rounding", None)
    if said is not None:
        return float(said(x))
    if type(model).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return 0.0
    if not isinstance(model, KnowsTangentFactors):
        return looked_at(x, model.predict, lambda some: [model.gradient(some)])
    # ||dA B^T + A dB^T|| <= (e_A + e_B) ||A B^T|| for each layer
    return 2 * looked_at(x, model.predict, lambda some: [side for pair in model.tangent_factors(some) for side in pair])


def looked_at(
    x: Array, predict: Callable[[Array], npt.ArrayLike], gradients: Callable[[Array], Sequence[npt.ArrayLike]]
) -> float:
    """The largest relative error that rounding leaves in arrays of gradients; 0.0 where it is no more than float64's.

    Looked at in the dtype of what is returned, in its digits, and along lines through the inputs.
    """
    some = x[:_LOOKED_AT]
    given = [np.asarray(values) for values in (predict(some), *gradients(some))]
    unit = max(2.0**-53, *(unit_of(values.dtype) for values in given))
    rng = np.random.default_rng(0)
    z = rng.standard_normal(some.shape)
    try:
        moved = rng.choice(x, _PREDICTED) * rng.uniform(0.5, 1.0, (_PREDICTED, x.shape[1]))
        shown = predict(moved), *gradients(moved[:_LOOKED_AT])
        unit = max(unit, *(unit_of_digits(np.asarray(values)) for values in shown))
        return relative_rounding(lambda t: _parts(some * (1 + t * z), predict, gradients), unit)
    except Exception:  # a function of listed inputs alone
        return _UNKNOWN * unit if unit > 2.0**-53 else 0.0


def _parts(
    x: Array, predict: Callable[[Array], npt.ArrayLike], gradients: Callable[[Array], Sequence[npt.ArrayLike]]
) -> list[Array]:
    """The arrays of gradients, the predictions beside the first of them: alone they may cancel to nothing."""
    first, *others = (np.asarray(g, dtype=np.float64) for g in gradients(x))
    p = np.asarray(predict(x), dtype=np.float64).reshape(len(x), 1)
    return [np.concatenate([p, first], axis=1), *others]


def unit_of(dtype: object) -> float:
    """The unit roundoff of a dtype of any library; 0.0 of one that does not round."""
    power = _UNITS.get(str(dtype).removeprefix("torch."))
    return 0.0 if power is None else 2.0**power


def unit_of_digits(values: Array) -> float:
    """The unit roundoff of what numbers were rounded to before they became float64; 0.0 where their digits show none.

    Numbers at inputs in general position need all digits of what they were rounded to: q bits are enough for every one
    of them, and q - 3 bits for one in eight. Of small whole numbers there are few, or they need fewer bits.
    """
    numbers = np.unique(np.abs(np.asarray(values, dtype=np.float64)))
    mantissas = np.frexp(numbers[np.isfinite(numbers) & (numbers > 0)])[0]

    def enough(bits: int) -> float:
        scaled = np.ldexp(mantissas, bits)
        return float((scaled == np.rint(scaled)).mean())

    for power in (-8, -11, -24):
        if mantissas.size >= _FEWEST and enough(-power) == 1:
            return 2.0**power if enough(-power - 3) < 0.5 else 0.0
    return 0.0


def relative_rounding(parts_at: Parts, unit: float) -> float:
    """The relative error, in norm, that rounding leaves in gradients; 0.0 where it is no more than float64's.

    Third differences along a line, with steps h of many units, are h^3 g''' for a smooth function, while independent
    errors of size e leave 20^1/2 e in them (1 + 9 + 9 + 1 = 20). The median over inputs passes by a kink at one. What
    is seen in a function of unknown unit must be there at finer steps too, where h^3 g''' is 512 times less.

    Parameters
    ----------
    parts_at : callable
        Takes t and returns arrays (n, k), such as the gradients (n, P), of the model that is moved by t, relative to
        its size. The error is the largest of any of them.
    unit : float
        The unit roundoff of what the model computes in, as far as it is known.
    """
    h = max(_STEPS, 16 * unit)
    error = _third_differences(parts_at, h)
    if error > _DOUBLE and unit <= 2.0**-53:
        error = min(error, _third_differences(parts_at, h / _FINER))
    if not np.isfinite(error):
        return _UNKNOWN * unit if unit > 2.0**-53 else 0.0
    return _SAFETY * max(error, unit) if max(error, unit) > _DOUBLE else 0.0


def _third_differences(parts_at: Parts, h: float) -> float:
    """The error that would leave the third differences of the worst of the parts."""
    found = [0.0]
    with np.errstate(over="ignore", invalid="ignore"):
        for line in zip(*(parts_at(k * h) for k in (1, 2, 3, 4)), strict=True):
            g = [np.asarray(values, dtype=np.float64) for values in line]
            errors = np.linalg.norm(g[3] - 3 * g[2] + 3 * g[1] - g[0], axis=1) / np.sqrt(20)
            sizes = np.linalg.norm(g[0], axis=1)
            if (sizes > 0).any():
                found.append(float(np.median(errors[sizes > 0] / sizes[sizes > 0])))
    return max(found)
