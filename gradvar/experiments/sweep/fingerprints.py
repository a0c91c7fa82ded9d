"""Fingerprints of problems: whether a record in a file belongs to the problem at hand."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from ...classes.base import Samples
from ...core.numbers import JSON
from ...estimation.settings import MAX_SAMPLES
from ...models.base import Model
from ...problem import Problem
from .journal import Journal
from .problems import NamedProblem
from .records import versions


def fingerprint(item: NamedProblem) -> dict[str, JSON]:
    """Return the class and the loss in words and at a few inputs, and the settings: all but the model."""
    rng = np.random.default_rng(0)
    labels: list[JSON] = []
    if isinstance(item.H, Samples):
        # Nothing else may need its members: a class that fails here is known by its words alone.
        with suppress(Exception):
            x = item.H.inputs.sample(3, rng)
            labels = _numbers(item.H.evaluate(item.H.sample(3, rng), x))
    settings: dict[str, JSON] = {
        "method": repr(item.method),
        "rtol": item.rtol,
        "confidence": item.confidence,
        "max_samples": item.settings.max_samples,
        "seed": item.seed,
    }
    if item.max_samples == MAX_SAMPLES:  # unlike by default, it is so many whatever they cost
        settings["max_samples_asked"] = True
    if item.alignment:
        settings["alignment"] = True
    p = np.array([-1.5, -0.5, 0.5, 1.5])
    p = p if getattr(item.H, "n_outputs", 1) == 1 else p.reshape(2, 2)
    return {
        "class": [_words(item.H), labels],
        "loss": [_words(item.loss.name), _numbers(item.loss.split(p)[1])],
        "settings": settings,
    }


def model_fingerprint(problem: Problem) -> JSON:
    """Return the model in words and its predictions at a few inputs."""
    model, x = problem.model, problem.inputs.sample(3, np.random.default_rng(0))
    return [_words(model), _numbers(model.predict(x)) if isinstance(model, Model) else []]


def check_fingerprints(items: Sequence[NamedProblem], journal: Journal) -> None:
    """Raise a ValueError unless the finished records in the file are of these very problems."""
    factories: set[int] = set()
    older: set[str] = set()
    for item in items:
        if not journal.is_done(item.key):
            continue
        record = journal.records[item.key]
        now = fingerprint(item)
        # To make a model may take long (training it, say): once for each function that does.
        if item.factory is None or id(item.factory) not in factories:
            now["model"] = model_fingerprint(item.build())
        factories.add(id(item.factory))
        for part, value in now.items():
            before = in_todays_words(record.fingerprint[part])
            if differs(before, value):
                raise ValueError(
                    f"{journal.path!r} has a finished record of the problem {item.parameters}, but its {part} was "
                    f"{_described(before)} and is {_described(value)}: take another `path`, or another name"
                )
        if record.versions["gradvar"] != versions()["gradvar"]:
            older.add(record.versions["gradvar"])
    if older:
        warnings.warn(
            f"{journal.path!r} has records by gradvar {', '.join(sorted(older))}, which are kept; this is "
            f"{versions()['gradvar']}",
            stacklevel=3,
        )


def in_todays_words(part: JSON) -> JSON:
    """Return a part of a fingerprint in today's words: an option is gone, and the default of another has a new name."""
    gone = "precision='double', "
    if isinstance(part, dict) and gone in str(part.get("method")):
        method = str(part["method"]).replace(gone, "").replace("n_members=512", "n_members=None")
        return {**part, "method": method}
    return part


def differs(before: JSON, now: JSON) -> bool:
    """Whether a part of a fingerprint has changed: in words, or in numbers by more than rounding and machines do."""
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now) == 2:
        (words, values), (new_words, new_values) = before, now
        a, b = np.array(values, dtype=np.float64), np.array(new_values, dtype=np.float64)
        return words != new_words or a.shape != b.shape or bool((np.abs(a - b) > 1e-5 * np.abs(a).max(initial=0)).any())
    return before != now


def _described(part: JSON) -> str:
    return f"{part[0]} with values {part[1]}" if isinstance(part, list) else str(part)


def _words(part: object) -> str:
    """Return the part's repr, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part))


def _numbers(values: npt.ArrayLike) -> list[JSON]:
    return [float(value) for value in np.ravel(values)]
