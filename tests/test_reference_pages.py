"""The pages of the reference list every public name once, and nothing else."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

import gradvar
from gradvar.experiments.reproduction.by_name import names

ROOT = Path(gradvar.__file__).parents[1]
PAGES = {page.name: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs" / "reference").glob("*.md"))}
ROOMS = "gradvar.testing", "gradvar.models.constructions", "gradvar.methods", "gradvar.inputs", "gradvar.errors"
"""Beside `gradvar` itself: the modules whose public names a user meets."""
RETURNED = {
    "gradvar.classes.HypothesisClass",
    "gradvar.classes.members.target.Target",
    "gradvar.experiments.reproduction.result.Comparison",
    "gradvar.experiments.reproduction.result.Reproduction",
    "gradvar.losses.Loss",
    "gradvar.methods.base.Choice",
    "gradvar.methods.enumeration.covariance_sum.CovarianceSum",
    "gradvar.models.FunctionModel",
    "gradvar.models.JaxModel",
    "gradvar.models.Model",
    "gradvar.models.Trainable",
    "gradvar.models.adapters.torch_model.TorchModel",
    "gradvar.results.findings.Assumption",
    "gradvar.results.findings.Consequence",
    "gradvar.testing.strategies",
}
"""Protocols, and what is returned: no name of a public module, and documented all the same."""


def listed(text: str) -> list[str]:
    """The full names in the autosummary blocks of a page."""
    found = []
    for block in re.findall(r"^```\{eval-rst\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        module = re.search(r"^\.\. currentmodule:: (\S+)", block, re.MULTILINE)
        _, summary, rest = block.partition(".. autosummary::")
        if summary:
            assert module is not None
            found += [f"{module[1]}.{name}" for name in re.findall(r"^ +~?([A-Za-z_][\w.]*)$", rest, re.MULTILINE)]
    return found


def public() -> dict[str, set[str]]:
    """Every public object by the shortest of its names, with the others."""
    stub = ast.parse((ROOT / "gradvar" / "__init__.pyi").read_text(encoding="utf-8"))
    top = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    found: dict[int, set[str]] = {}
    for room in ("gradvar", *ROOMS):
        module = importlib.import_module(room)
        for name in top if room == "gradvar" else _names(module):
            thing = getattr(module, str(name))
            if not (room == "gradvar" and isinstance(thing, ModuleType)):
                found.setdefault(id(thing), set()).add(f"{room}.{name}")
    shortest = {min(known, key=lambda name: (name.count("."), name)): known for known in found.values()}
    return shortest | {f"gradvar.experiments.{name}": set() for name in names()}


def _names(module: ModuleType) -> Iterable[str]:
    said = getattr(module, "__all__", None)
    if said is not None:
        return list(said)
    shown = [name for name in dir(module) if not name.startswith("_")]
    if module.__name__ != "gradvar.models.constructions":
        return shown
    return [name for name in shown if getattr(getattr(module, name), "__module__", "") == module.__name__]


def faults(pages: Mapping[str, str]) -> list[str]:
    """What is missing, listed twice, or listed and no public name."""
    count = Counter(name for text in pages.values() for name in listed(text))
    wanted = set(public())
    missing = [f"{name} is on no page" for name in sorted((wanted | RETURNED) - set(count))]
    twice = [f"{name} is listed {times} times" for name, times in sorted(count.items()) if times > 1]
    other = [f"{name} is no public name" for name in sorted(set(count) - wanted - RETURNED)]
    return missing + twice + other


def test_every_public_name_is_listed_once() -> None:
    assert faults(PAGES) == []
    assert len(public()) > 90


@pytest.mark.parametrize(
    ("page", "old", "new", "fault"),
    [
        ("questions.md", "   bound_check\n", "", "gradvar.bound_check is on no page"),
        (
            "questions.md",
            "   bound_check\n",
            "   bound_check\n   bound_check\n",
            "gradvar.bound_check is listed 2 times",
        ),
        (
            "inputs.md",
            "   Gaussian\n",
            "   Gaussian\n   ~inputs.Gaussian\n",
            "gradvar.inputs.Gaussian is no public name",
        ),
        ("testing.md", "   check_model\n", "   check_models\n", "gradvar.testing.check_models is no public name"),
        ("experiments.md", "   parity\n", "", "gradvar.experiments.parity is on no page"),
    ],
)
def test_a_page_that_is_wrong_is_found(page: str, old: str, new: str, fault: str) -> None:
    assert old in PAGES[page]
    assert fault in faults({**PAGES, page: PAGES[page].replace(old, new)})


def test_every_page_is_in_the_list_of_pages() -> None:
    toctree = PAGES["index.md"].partition("```{toctree}")[2]
    assert {f"{name}.md" for name in re.findall(r"^([\w-]+)$", toctree, re.MULTILINE)} == set(PAGES) - {"index.md"}
