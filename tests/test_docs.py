"""What docs/contributing.md says of files and names is so, and a release has one version."""

import re
import tomllib
from pathlib import Path

import gradvar as gv
from gradvar.bounds.bounds import CLASS_BOUNDS
from gradvar.methods.closed_form import THEOREMS
from gradvar.testing import reference

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "contributing.md").read_text()


def test_files_that_the_page_names_are_there():
    named = set(re.findall(r"`([\w./]+/[\w.]*)`", PAGE))
    assert len(named) > 25
    for name in named:
        if "my_" not in name and "*" not in name:
            places = [ROOT / name, ROOT / "gradvar" / name]
            assert any(place.exists() for place in places), name


def test_rooms_are_those_that_the_contract_names():
    picture = PAGE.split("```text\n")[1].split("```")[0]
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [line[1:].split(" : ")[0] for line in picture.splitlines()]
    assert len(floors) == len(layers)
    for floor, layer in zip(floors, layers, strict=True):
        assert sorted(re.findall(r"\w+", floor)) == sorted(re.findall(r"\w+", layer)), layer


def test_slow_references_that_the_page_names_are_there():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    named = re.findall(r"`(?:reference\.)?(\w+)`", " ".join(row.split("|")[2] for row in rows))
    assert len(named) > 15
    assert [name for name in named if not hasattr(reference, name) and not name.startswith("slow_")] == []


def test_lists_that_the_recipes_name_are_read():
    assert {theorem.name for theorem in THEOREMS} == {"closed-form"}
    H = gv.LinearPeriodic(4, 1.0)
    assert [name for name, bound in CLASS_BOUNDS.items() if bound(H) is not None] == ["theorem-2"]
    assert all(bound(gv.Parities(4)) is None for bound in CLASS_BOUNDS.values())


def test_one_version():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == gv.__version__
    assert f"version: {gv.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"{{{gv.__version__}}}" in (ROOT / "docs" / "cite.md").read_text()
