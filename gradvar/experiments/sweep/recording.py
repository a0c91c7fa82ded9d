"""Fingerprints of problems: whether a record in a file belongs to the problem at hand."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...classes.base import HypothesisClass, Samples
from ...core.numbers import JSON
from ...models.base import Model

if TYPE_CHECKING:
    from .problems import NamedProblem


def fingerprint(problem: NamedProblem) -> dict[str, JSON]:
    """The class and the loss in words and at a few inputs, and the settings: all that is known without a model."""
    rng = np.random.default_rng(0)
    members: list[JSON] = []
    if isinstance(problem.H, Samples):
        # Nothing else may need its members: a class that fails here is known by its words alone.
        with suppress(Exception):
            x = problem.H.inputs.sample(3, rng)
            members = _numbers(problem.H.evaluate(problem.H.sample(3, rng), x))
    return {
        "class": [_words(problem.H), members],
        "loss": [_words(problem.loss.name), _numbers(problem.loss.split(np.array([-1.5, -0.5, 0.5, 1.5]))[1])],
        "settings": problem.settings,
    }


def model_fingerprint(H: HypothesisClass, model: object) -> JSON:
    """The model in words and its predictions at a few inputs."""
    x = H.inputs.sample(3, np.random.default_rng(0))
    return [_words(model), _numbers(model.predict(x)) if isinstance(model, Model) else []]


def differs(before: JSON, now: JSON) -> bool:
    """Whether a part of a fingerprint has changed: in words, or in numbers by more than rounding and machines do."""
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now) == 2:
        (words, values), (new_words, new_values) = before, now
        a, b = np.array(values, dtype=np.float64), np.array(new_values, dtype=np.float64)
        return words != new_words or a.shape != b.shape or bool((np.abs(a - b) > 1e-5 * np.abs(a).max(initial=0)).any())
    return before != now


def _words(part: object) -> str:
    """The part's repr, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part))


def _numbers(values: npt.ArrayLike) -> list[JSON]:
    return [float(value) for value in np.ravel(values)]
