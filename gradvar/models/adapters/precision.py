"""The rounding that a model's own arithmetic leaves in its gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...core.arguments import Array

_STEPS = 2.0**-20
_SAFETY = 4.0
_DOUBLE = 2.0**-40
"""The step of a line along which gradients are looked at; what is allowed for the rounding that is not met there; and
what the rounding of float64 stays below, `ROUNDING` about."""
_UNITS = {"float64": -53, "complex128": -53, "float32": -24, "complex64": -24, "float16": -11, "bfloat16": -8}


def unit_of(dtype: object) -> float:
    """The unit roundoff of a dtype of any library; 0.0 of one that does not round."""
    power = _UNITS.get(str(dtype).removeprefix("torch."))
    return 0.0 if power is None else 2.0**power


def relative_rounding(gradient_at: Callable[[float], Array], unit: float) -> float:
    """The relative error, in norm, that rounding leaves in gradients; 0.0 where it is no more than float64's.

    Third differences along a line, with steps h of many units, are h^3 g''' for a smooth function, while independent
    errors of size e leave 20^1/2 e in them (1 + 9 + 9 + 1 = 20). The median over inputs passes by a kink at one.

    Parameters
    ----------
    gradient_at : callable
        Takes t and returns the gradients (n, P) of the model that is moved by t, relative to its size.
    unit : float
        The unit roundoff of what the model computes in.
    """
    h = max(_STEPS, 16 * unit)
    g = [np.asarray(gradient_at(k * h), dtype=np.float64) for k in (1, 2, 3, 4)]
    errors = np.linalg.norm(g[3] - 3 * g[2] + 3 * g[1] - g[0], axis=1) / np.sqrt(20)
    sizes = np.linalg.norm(g[0], axis=1)
    error = float(np.median(errors[sizes > 0] / sizes[sizes > 0])) if sizes.any() else 0.0
    return _SAFETY * max(error, unit) if max(error, unit) > _DOUBLE else 0.0
