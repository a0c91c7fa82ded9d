"""gradvar: the gradient variance over a hypothesis class.

How much does the gradient of a model's loss depend on which target of a class H it is being trained on?

    Var(H, F, w) = E_h || grad F_h(w) - E_h' grad F_h'(w) ||^2,     F_h(w) = E_x[loss(p_w(x), h(x))],

next to the bound of Theorem 1 in "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950): at most
G(w)^2 / |H| for an orthonormal class.

>>> import gradvar as gv
>>> check = gv.bound_check(gv.Parities(5), gv.Linear([1.0] * 5))
>>> check.variance.value, check.verdict
(0.1513671875, 'holds')
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .check import bound_check
    from .classes import (
        BiasedParities,
        DiscreteLog,
        FiniteClass,
        LinearPeriodic,
        ModularMultiples,
        OrthogonalNetworks,
        Parities,
        PlantedParities,
        RandomNetworks,
        Restriction,
        SampledClass,
        SparseParities,
        TaskClass,
        TaskRestriction,
    )
    from .errors import (
        CheckpointError,
        DivergedError,
        Interrupted,
        LabelError,
        NonFiniteError,
        NotApplicableError,
        ShapeError,
        TooLargeError,
        WorkersLostError,
    )
    from .inputs import CyclicGroup, FinitePoints, Gaussian, Hypercube
    from .losses import MarginLoss
    from .methods import Auto, ClosedForm, Enumeration, MonteCarlo
    from .models import (
        MLP,
        Attention,
        Convolutional,
        Cosine,
        InfiniteMLP,
        Linear,
        Recurrent,
        ResidualMLP,
        WeightTied,
        from_function,
        from_jax,
        from_torch,
    )
    from .problem import Problem
    from .results import Bound, BoundCheck, Estimate
    from .sweeps import NamedProblem, SweepResults, grid, sweep
    from .theorem2 import Theorem2
    from .training import Along, Descent, along, descend
    from .variance import degree_spectrum, gradient_variance

__version__ = "0.1.0"

_HOME = {
    "check": ("bound_check",),
    "classes": (
        "BiasedParities",
        "DiscreteLog",
        "FiniteClass",
        "LinearPeriodic",
        "ModularMultiples",
        "OrthogonalNetworks",
        "Parities",
        "PlantedParities",
        "RandomNetworks",
        "Restriction",
        "SampledClass",
        "SparseParities",
        "TaskClass",
        "TaskRestriction",
    ),
    "errors": (
        "CheckpointError",
        "DivergedError",
        "Interrupted",
        "LabelError",
        "NonFiniteError",
        "NotApplicableError",
        "ShapeError",
        "TooLargeError",
        "WorkersLostError",
    ),
    "inputs": ("CyclicGroup", "FinitePoints", "Gaussian", "Hypercube"),
    "losses": ("MarginLoss",),
    "methods": ("Auto", "ClosedForm", "Enumeration", "MonteCarlo"),
    "models": (
        "MLP",
        "Attention",
        "Convolutional",
        "Cosine",
        "InfiniteMLP",
        "Linear",
        "Recurrent",
        "ResidualMLP",
        "WeightTied",
        "from_function",
        "from_jax",
        "from_torch",
    ),
    "problem": ("Problem",),
    "results": ("Bound", "BoundCheck", "Estimate"),
    "sweeps": ("NamedProblem", "SweepResults", "grid", "sweep"),
    "theorem2": ("Theorem2",),
    "training": ("Along", "Descent", "along", "descend"),
    "variance": ("degree_spectrum", "gradient_variance"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "MLP",
    "Along",
    "Attention",
    "Auto",
    "BiasedParities",
    "Bound",
    "BoundCheck",
    "CheckpointError",
    "ClosedForm",
    "Convolutional",
    "Cosine",
    "CyclicGroup",
    "Descent",
    "DiscreteLog",
    "DivergedError",
    "Enumeration",
    "Estimate",
    "FiniteClass",
    "FinitePoints",
    "Gaussian",
    "Hypercube",
    "InfiniteMLP",
    "Interrupted",
    "LabelError",
    "Linear",
    "LinearPeriodic",
    "MarginLoss",
    "ModularMultiples",
    "MonteCarlo",
    "NamedProblem",
    "NonFiniteError",
    "NotApplicableError",
    "OrthogonalNetworks",
    "Parities",
    "PlantedParities",
    "Problem",
    "RandomNetworks",
    "Recurrent",
    "ResidualMLP",
    "Restriction",
    "SampledClass",
    "ShapeError",
    "SparseParities",
    "SweepResults",
    "TaskClass",
    "TaskRestriction",
    "Theorem2",
    "TooLargeError",
    "WeightTied",
    "WorkersLostError",
    "along",
    "bound_check",
    "degree_spectrum",
    "descend",
    "from_function",
    "from_jax",
    "from_torch",
    "gradient_variance",
    "grid",
    "sweep",
]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'gradvar' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
