"""The rounding that a model's own arithmetic leaves in its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array
from .base import Model, tangent_factors

_STEPS = 2.0**-20
_SAFETY = 4.0
_DOUBLE = 2.0**-40
_FINER, _ROUGH = 8, 2.0**-5
"""The step of a line along which gradients are looked at; what is allowed for the rounding that is not met there; what
the rounding of float64 stays below, `ROUNDING` about; how much finer a second look is; and what no rounding reaches."""
_FINE, _COARSE = 2.0**-27, tuple(2.0**-k for k in range(22, 5, -2))
"""A step that leaves numbers of less than float32 as they are, and those among which one changes them."""
_LOOKED_AT, _PREDICTED = 8, 64
_FEWEST = 16
"""Inputs at which gradients and predictions are looked at; the fewest numbers that show how they are rounded."""
_UNKNOWN = 64.0
"""Units that are allowed for rounding where it cannot be looked at."""
_UNITS = {"float64": -53, "complex128": -53, "float32": -24, "complex64": -24, "float16": -11, "bfloat16": -8}

Sides = Callable[[Array], Sequence[npt.ArrayLike]]
"""Takes inputs and returns arrays (n, k) that gradients are products of, the two sides of each layer in turn."""


def rounding(model: Model, x: Array) -> float:
    """The error that the model's own arithmetic leaves in gradients, relative to their norm; 0.0 in float64.

    As the model says it; models of this library compute in float64, and others are looked at.
    """
    said: Callable[[Array], float] | None = getattr(model, "rounding", None)
    if said is not None:
        return float(said(x))
    if type(model).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return 0.0
    return looked_at(x, model.predict, lambda some: [side for pair in tangent_factors(model, some) for side in pair])


def looked_at(x: Array, predict: Callable[[Array], npt.ArrayLike], sides: Sides) -> float:
    """The error that rounding leaves in gradients, relative to their norm; 0.0 where it is no more than float64's.

    Looked at in the dtype of what is returned, in its digits, and along lines through the inputs.
    """
    some = x[:_LOOKED_AT]
    given = [np.asarray(values) for values in (predict(some), *sides(some))]
    unit = max(2.0**-53, *(unit_of(values.dtype) for values in given))
    rng = np.random.default_rng(0)
    z, mixed = rng.standard_normal(some.shape), [rng.choice([-1.0, 1.0], values.shape[1:]) for values in given]

    def parts(t: float) -> list[Array]:
        at = some * (1 + t * z)
        return [np.asarray(values, dtype=np.float64).reshape(len(at), -1) for values in (predict(at), *sides(at))]

    def sketch(t: float) -> Array:
        """The predictions, and A (B u) for each layer and random signs u: its mean square is ||A||^2 ||B||^2."""
        p, *of_layers = parts(t)
        products = zip(of_layers[::2], of_layers[1::2], mixed[2::2], strict=True)
        return np.concatenate([p, *(a * (b @ u)[:, None] for a, b, u in products)], axis=1)

    try:
        moved = rng.choice(x, _PREDICTED) * rng.uniform(0.5, 1.0, (_PREDICTED, x.shape[1]))
        shown = predict(moved), *sides(moved[:_LOOKED_AT])
        unit = max(unit, *(unit_of_digits(np.asarray(values)) for values in shown))
        return relative_rounding(sketch, unit, 0.0 if unit > 2.0**-53 else _stair(parts))
    except Exception:  # a function of listed inputs alone
        return _UNKNOWN * unit if unit > 2.0**-53 else 0.0


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


def relative_rounding(gradient_at: Callable[[float], Array], unit: float, stair: float = 0.0) -> float:
    """The relative error, in norm, that rounding leaves in gradients; 0.0 where it is no more than float64's.

    Third differences along a line, with steps h of many units, are h^3 g''' for a smooth function, while independent
    errors of size e leave 20^1/2 e in them (1 + 9 + 9 + 1 = 20). The median over inputs passes by a kink at one. What
    is seen in a function of unknown unit must be there at finer steps too, where h^3 g''' is 512 times less, and be no
    more than any rounding: waves may be shorter than the steps.

    Parameters
    ----------
    gradient_at : callable
        Takes t and returns the gradients (n, P) of the model that is moved by t, relative to its size.
    unit : float
        The unit roundoff of what the model computes in, as far as it is known.
    stair : float
        The step at which numbers change that something coarse inside holds, if any.
    """
    h, known = max(_STEPS, 16 * unit), unit > 2.0**-53
    error = _third_differences(gradient_at, h)
    if error > _DOUBLE and not known:
        finer = _third_differences(gradient_at, h / _FINER)
        error = min(error, finer) if error < _ROUGH and finer > error / (2 * _FINER) else 0.0
    if stair:
        error = max(error, _third_differences(gradient_at, 16 * stair))
    if not np.isfinite(error):
        return _UNKNOWN * unit if unit > 2.0**-53 else 0.0
    return _SAFETY * max(error, unit) if max(error, unit) > _DOUBLE else 0.0


def _stair(parts_at: Callable[[float], list[Array]]) -> float:
    """The step that changes half of the numbers which a large step changes and a small one leaves as they are; else 0.

    Such are numbers that were rounded to something coarse inside: a smooth function of float64 changes at any step, and
    few numbers of one that is constant in pieces change at all.
    """
    start = parts_at(0.0)

    def changed(t: float) -> list[npt.NDArray[np.bool_]]:
        return [np.asarray(now != before) for now, before in zip(parts_at(t), start, strict=True)]

    free, moved = changed(_COARSE[-1]), changed(_FINE)
    stuck = [
        i
        for i, of_part in enumerate(free)
        if of_part.sum() >= max(_FEWEST, 0.5 * np.count_nonzero(start[i])) and moved[i][of_part].mean() <= 0.25
    ]
    steps = (t for t in _COARSE if any(now[free[i]].mean() > 0.5 for i, now in enumerate(changed(t)) if i in stuck))
    return next(steps) if stuck else 0.0


def _third_differences(gradient_at: Callable[[float], Array], h: float) -> float:
    """The error that would leave the third differences at this step."""
    g = [np.asarray(gradient_at(k * h), dtype=np.float64) for k in (1, 2, 3, 4)]
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.linalg.norm(g[3] - 3 * g[2] + 3 * g[1] - g[0], axis=1) / np.sqrt(20)
        sizes = np.linalg.norm(g[0], axis=1)
        return float(np.median(errors[sizes > 0] / sizes[sizes > 0])) if sizes.any() else 0.0
