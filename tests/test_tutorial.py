"""The notebooks of the tutorial are what a lecturer needs: clean, short cells, three exercises with hidden solutions.

That they run is seen where the site is built. This reads them as JSON and executes nothing.
"""

import ast
import copy
import json
import re
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial"
NOTEBOOKS = sorted(TUTORIAL.glob("*.ipynb"))
NUMBER = 6
LINES = 14
MODULES = {"gradvar", "itertools", "math", "matplotlib", "numpy", "sklearn"}
FIRST = ["import matplotlib.pyplot as plt", "import numpy as np", "", "import gradvar as gv"]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def imported(code: str) -> set[str]:
    """The packages that code imports."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or ".").partition(".")[0])
    return found


def faults(notebook: dict, number: int) -> list[str]:
    """What is wrong with a notebook: a word for each rule that it breaks."""
    cells = notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    words = [cell for cell in cells if cell["cell_type"] == "markdown"]
    prose = "\n\n".join(text(cell) for cell in words)
    heads = [line for cell in words for line in text(cell).splitlines() if line.startswith("#")]
    exercises = prose.partition("\n## Exercises\n")[2].partition("\n## Solutions")[0]
    at = next((i for i, cell in enumerate(cells) if text(cell).startswith("## Solutions")), len(cells))
    solutions = [cell for cell in cells[at:] if cell["cell_type"] == "code"]
    hidden = [cell for cell in code if "hide-cell" in cell["metadata"].get("tags", [])]
    solved = [int(found[1]) for cell in solutions if (found := re.match(r"# (\d)\. ", text(cell)))]
    magic = [cell for cell in code if re.search(r"^\s*[%!]|\bpip\b|\bconda\b", text(cell), flags=re.MULTILINE)]
    rules = {
        "outputs": any(cell["outputs"] for cell in code),
        "execution counts": any(cell["execution_count"] is not None for cell in code),
        "kernel": notebook["metadata"]["kernelspec"]["name"] != "python3",
        "title": not heads
        or not re.match(rf"# {number}\. \S", heads[0])
        or sum(h.startswith("# ") for h in heads) != 1,
        "what one will know": re.search(r"[Aa]t (its|the) end\b.* you know", text(cells[0])) is None,
        "long cells": any(text(cell).count("\n") >= LINES for cell in code),
        "empty cells": not all(text(cell).strip() for cell in cells),
        "first cell": not code or text(code[0]).splitlines() != FIRST,
        "installs": bool(magic) or re.search(r"\bpip3? install\b", prose) is not None,
        "imports": not magic and not set().union(*(imported(text(cell)) for cell in code)) <= MODULES,
        "exercises": [int(n) for n in re.findall(r"^(\d+)\. ", exercises, flags=re.MULTILINE)] != [1, 2, 3],
        "solutions": sorted(set(solved)) != [1, 2, 3] or not text(solutions[0]).startswith("# 1. "),
        "hidden cells": [cell["id"] for cell in hidden] != [cell["id"] for cell in solutions],
        "order": heads[-2:] != ["## Exercises", "## Solutions"],
        "directives": re.search(r"^(:::|```\{)|\{[\w:]+\}`", prose, flags=re.MULTILINE) is not None,
        "names of cells": len({cell.get("id") for cell in cells}) != len(cells),
    }
    return [rule for rule, broken in rules.items() if broken]


def test_there_are_six_in_order():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number}-" for number in range(1, NUMBER + 1)]
    listed = re.findall(r"^(\d-[\w-]+)$", (TUTORIAL / "index.md").read_text(), flags=re.MULTILINE)
    assert listed == [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_the_rules(path: Path):
    assert faults(json.loads(path.read_text()), int(path.name[0])) == []


def test_examples_are_the_tutorial():
    link = TUTORIAL.parent.parent / "examples"
    assert link.resolve() == TUTORIAL.resolve() or link.read_text().strip() == "docs/tutorial"  # no links: a file


def test_links_between_notebooks_are_of_files_that_are_there():
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            for target in re.findall(
                r"\]\((?!https?:|#)([^)#]+)", text(cell) if cell["cell_type"] == "markdown" else ""
            ):
                assert (TUTORIAL / target).exists(), (path.name, target)


def markdown(source: str, name: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code(source: str, name: str, *tags: str) -> dict:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "id": name,
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


GOOD = {
    "metadata": {"kernelspec": {"name": "python3"}},
    "cells": [
        markdown("# 7. Planted\n\nAt the end of this notebook you know\n\n- that it is planted.", "a"),
        code("\n".join(FIRST), "b"),
        markdown("## Exercises\n\n1. One.\n2. Two.\n3. Three.", "c"),
        markdown("## Solutions", "d"),
        *(code(f"# {n}. So.\nprint({n})", f"e{n}", "hide-cell") for n in (1, 2, 3)),
    ],
}
PLANTED = {
    "outputs": lambda n: n["cells"][1].update(outputs=[{"output_type": "stream", "text": "1"}]),
    "execution counts": lambda n: n["cells"][1].update(execution_count=1),
    "kernel": lambda n: n["metadata"]["kernelspec"].update(name="conda-env"),
    "title": lambda n: n["cells"][0].update(source=text(n["cells"][0]).replace("7.", "8.")),
    "what one will know": lambda n: n["cells"][0].update(source="# 7. Planted\n\nRead on."),
    "long cells": lambda n: n["cells"].insert(2, code("\n".join(["x = 1"] * 15), "f")),
    "empty cells": lambda n: n["cells"].insert(2, code("", "f")),
    "first cell": lambda n: n["cells"][1].update(source="import gradvar as gv"),
    "installs": lambda n: n["cells"].insert(2, code("%pip install numpy", "f")),
    "imports": lambda n: n["cells"].insert(2, code("if True:\n    import torch.nn as nn", "f")),
    "exercises": lambda n: n["cells"][2].update(source="## Exercises\n\n1. One.\n2. Two."),
    "solutions": lambda n: n["cells"].pop(),
    "hidden cells": lambda n: n["cells"][-1]["metadata"].clear(),
    "order": lambda n: n["cells"].append(markdown("## More", "f")),
    "directives": lambda n: n["cells"].insert(2, markdown("See {py:func}`gradvar.grid`.", "f")),
    "names of cells": lambda n: n["cells"].insert(2, code("x = 1", "b")),
}


def test_good_notebook_has_no_faults():
    assert faults(copy.deepcopy(GOOD), 7) == []
    exactly = copy.deepcopy(GOOD)
    exactly["cells"].insert(2, code("\n".join(["x = 1"] * LINES), "f"))
    assert faults(exactly, 7) == []


@pytest.mark.parametrize("rule", PLANTED)
def test_planted_fault_is_found(rule: str):
    notebook = copy.deepcopy(GOOD)
    PLANTED[rule](notebook)
    assert faults(notebook, 7) == [rule]
