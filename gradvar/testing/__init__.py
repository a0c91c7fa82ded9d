"""Tools for tests: of the library, and of classes, models and losses that you bring.

`check_hypothesis_class(H)`, `check_model(model)`, `check_loss(loss)` and `check_theorem1(H, model, loss)` look at
everything that such an object says and return a `CheckReport`; `hypothesis_class_checks(H)` and its siblings hand out
the same checks one by one, for `pytest.mark.parametrize`. `gradvar.testing.strategies` makes random classes, models
and losses for Hypothesis (the extra `testing`); `gradvar.testing.reference` is the slow, obviously right version of
the library.

>>> import gradvar as gv
>>> from gradvar.testing import check_hypothesis_class
>>> check_hypothesis_class(gv.Parities(4), rng=0).passed
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import Check, CheckReport, CheckResult
    from .hypothesis_class import check_hypothesis_class, hypothesis_class_checks
    from .loss import check_loss, loss_checks
    from .model import check_model, model_checks
    from .theorem1 import check_theorem1, theorem1_checks

_HOME = {
    "checks": ("Check", "CheckReport", "CheckResult"),
    "hypothesis_class": ("check_hypothesis_class", "hypothesis_class_checks"),
    "loss": ("check_loss", "loss_checks"),
    "model": ("check_model", "model_checks"),
    "theorem1": ("check_theorem1", "theorem1_checks"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Check",
    "CheckReport",
    "CheckResult",
    "check_hypothesis_class",
    "check_loss",
    "check_model",
    "check_theorem1",
    "hypothesis_class_checks",
    "loss_checks",
    "model_checks",
    "theorem1_checks",
]


def __getattr__(name: str) -> object:
    # Loaded on first use, so that `gradvar.testing.reference` stands on nothing of the library.
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'gradvar.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
