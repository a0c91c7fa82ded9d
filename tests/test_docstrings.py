"""What docstrings of public names must have: an example, every parameter, and no parameter that is not there."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path

import pytest

import gradvar

REFERENCE = Path(gradvar.__file__).parents[1] / "docs" / "reference"
MADE = {"Descent", "Along", "SweepResults", "SweepMeans", "Choice", "Target", "CheckReport", "Check", "CheckResult",
        "Reproduction", "Comparison", "FunctionModel", "JaxModel", "TorchModel", "Trainable"}  # fmt: skip
"""What is made by functions and methods, and by nobody else."""
LISTED = re.compile(r"^   ~?([A-Za-z_][\w.]*)$", re.MULTILINE)
RESULTS = LISTED.findall((REFERENCE / "results.md").read_text(encoding="utf-8"))
MADE |= {name.rpartition(".")[2] for name in RESULTS} - {"Theorem2"}


def parameters(documentation: str, section: str = "Parameters") -> list[str]:
    """The names that a section of a docstring describes."""
    lines = re.search(rf"^{section}\n-+\n((?:\S.*\n?|[ ]+.*\n?)*)", documentation, re.MULTILINE)
    heads = re.findall(r"^(\S.*?)(?: : .*)?$", lines[1], re.MULTILINE) if lines else []
    return [name.lstrip("*") for head in heads for name in re.split(r",\s*", head)]


def faults(thing: Callable[..., object], example: bool = True) -> list[str]:
    """What the docstring of a function or class lacks, or has too much."""
    text = inspect.getdoc(thing) or ""
    found = [] if not example or ">>> " in text.partition("\nExamples\n---")[2] else ["no example"]
    given = [name for name in inspect.signature(thing).parameters if name != "self"]
    said = parameters(text)
    found += [f"`{name}` is not described" for name in given if name not in said]
    return found + [f"`{name}` is no parameter" for name in said if name not in given]


def public() -> Iterator[tuple[str, Callable[..., object]]]:
    """Every function and class of the reference that a user calls, and the methods of these."""
    for page in sorted(REFERENCE.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for block in text.split("```{eval-rst}")[1:]:
            room = block.partition("currentmodule:: ")[2].partition("\n")[0]
            for name in LISTED.findall(block.partition("```")[0]) if room else []:
                where, _, last = f"{room}.{name}".rpartition(".")
                if last not in ("strategies", "TorchModel"):  # these need Hypothesis and PyTorch
                    thing = getattr(importlib.import_module(where), last)
                    yield from _callable(f"{where}.{last}", thing)


def _callable(name: str, thing: object) -> Iterator[tuple[str, Callable[..., object]]]:
    if inspect.ismodule(thing):
        if hasattr(thing, "run"):
            yield f"{name}.run", thing.run
    elif inspect.isfunction(thing):
        yield name, thing
    elif inspect.isclass(thing) and not issubclass(thing, (BaseException, Enum)):
        if not getattr(thing, "_is_protocol", False) and thing.__name__ not in MADE:
            yield name, thing
        for member, method in inspect.getmembers(thing, inspect.isroutine):
            if not member.startswith("_") and parameters(inspect.getdoc(method) or ""):
                yield f"{name}.{member}", method


PUBLIC = dict(public())
FUNCTIONS = {name for name, thing in PUBLIC.items() if inspect.isfunction(thing) and "." not in thing.__qualname__}
"""Those of a module; methods may leave the example to their class."""


def test_public_callables_have_an_example_and_describe_their_parameters() -> None:
    found = {name: faults(thing, example=inspect.isclass(thing) or name in FUNCTIONS) for name, thing in PUBLIC.items()}
    assert found.pop("gradvar.experiments.decomposition_images.run") == ["no example"]  # which would need PyTorch
    assert {name: said for name, said in found.items() if said} == {}


def test_all_public_callables_are_looked_at() -> None:
    assert {"gradvar.bound_check", "gradvar.from_torch", "gradvar.testing.check_model"} <= FUNCTIONS
    assert {"gradvar.Parities", "gradvar.Parities.on", "gradvar.MLP.random", "gradvar.descend"} <= set(PUBLIC)
    assert "gradvar.experiments.parity.run" in FUNCTIONS


def undescribed(a: int, b: int) -> None:
    """Lack b.

    Parameters
    ----------
    a : int
        A number.

    Examples
    --------
    >>> undescribed(1, 2)
    """


def renamed(a: int, *, c: int = 0) -> None:
    """Call c by its old name.

    Parameters
    ----------
    a, b : int
        Numbers.

    Returns
    -------
    None
        Nothing.
    """


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (undescribed, ["`b` is not described"]),
        (renamed, ["no example", "`c` is not described", "`b` is no parameter"]),
    ],
)
def test_what_a_docstring_lacks_is_found(thing: Callable[..., object], said: list[str]) -> None:
    assert faults(thing) == said
