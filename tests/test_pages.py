"""Every example of the README and of the pages of docs/ is run: no page shows Python that nothing runs.

A page is either a notebook that the build of the site executes (MyST with a `kernelspec`, or .ipynb), whose code stands
in cells; or its ```python blocks are run here, page by page, in order and in one namespace, in an empty directory, with
warnings as errors. A block of `>>>` lines is a doctest. What must not run carries another language, as ```text does.
Blocks that import torch or jax run where these are installed (tests/adapters). In ```console blocks the commands of
gradvar are run, and print what stands below them, if anything does.
"""

from __future__ import annotations

import doctest
import json
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from pages import FLAGS, PAGES, ROOT, TEXTS, blocks, commands, is_quick, not_run, run_page

import gradvar as gv
from gradvar.__main__ import main

pytestmark = pytest.mark.large


@pytest.fixture
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    plt.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    with plt.rc_context():
        yield
    plt.close("all")


HERE = [name for name, text in TEXTS.items() if any(block.is_run_here for block in blocks(text))]
COMMANDS = [(name, *each) for name, text in TEXTS.items() for each in commands(text)]


@pytest.mark.usefixtures("in_an_empty_directory")
@pytest.mark.parametrize("name", HERE)
def test_python_of_a_page_runs(name: str):
    run_page(PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_no_page_shows_python_that_is_not_run(name: str):
    if name.endswith(".ipynb"):
        cells = json.loads(TEXTS[name])["cells"]
        shown = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        assert [block.code for source in shown for block in blocks(source) if block.looks_like_python] == []
        assert not any("skip-execution" in cell["metadata"].get("tags", []) for cell in cells)
    else:
        assert not_run(TEXTS[name]) == [], "a plain page has ```python at the margin, a notebook {code-cell}"


def test_the_build_executes_notebooks_and_fails_where_one_does():
    said = (ROOT / "docs" / "conf.py").read_text()
    assert re.search(r'^nb_execution_mode = "(cache|force)"$', said, flags=re.MULTILINE)
    assert "nb_execution_raise_on_error = True" in said
    assert "nb_execution_excludepatterns" not in said


@pytest.mark.usefixtures("in_an_empty_directory")
@pytest.mark.parametrize(
    ("name", "command", "printed"),
    COMMANDS,
    ids=[" ".join([name, *words]) for name, words, _ in COMMANDS],
)
def test_commands_of_a_page_print_what_it_says(name: str, command: list[str], printed: str, capsys):
    if is_quick(command):
        assert main(command) == 0
        said = capsys.readouterr().out
        assert not printed.strip() or doctest.OutputChecker().check_output(printed.strip() + "\n", said, FLAGS), said
    else:
        assert {"--all"} & {*command} or command[1] in dir(gv.experiments), name


PLAIN = "# A page\n\n```python\na = 1\n```\n\n{}\n"
NOTEBOOK = "---\njupytext: {{}}\nkernelspec: {{}}\n---\n" + PLAIN.replace("```python", "```{{code-cell}} ipython3")


@pytest.mark.usefixtures("in_an_empty_directory")
@pytest.mark.parametrize(
    ("block", "error"),
    {
        "raises": ("```python\na / 0\n```", ZeroDivisionError),
        "is false": ("```python\nassert a == 2\n```", AssertionError),
        "does not parse": ("```python\na = (\n```", SyntaxError),
        "warns": ("```python\nimport warnings\nwarnings.warn('old', DeprecationWarning)\n```", DeprecationWarning),
        "prints something else": ("```python\n>>> a + 1\n3\n\n```", AssertionError),
        "has another fence": ("~~~~ python\na / 0\n~~~~", ZeroDivisionError),
        "stands in a note": ("````{note}\nSee\n\n```python\na / 0\n```\n````\n", ZeroDivisionError),
        "stands after fences in a text": (
            "````text\n```python\n```\n````\n```python\na / 0\n```",
            ZeroDivisionError,
        ),
    }.values(),
)
def test_a_block_that_fails_is_found(tmp_path: Path, block: str, error: type[Exception]):
    page = tmp_path / "page.md"
    page.write_text(PLAIN.format("all is well"))
    run_page(page)
    page.write_text(PLAIN.format(block))
    with pytest.raises(error):
        run_page(page)


@pytest.mark.parametrize("page", [PLAIN, NOTEBOOK], ids=["plain", "notebook"])
@pytest.mark.parametrize(
    "block",
    [
        "```py\na\n```",
        "```python3\na\n```",
        "```pycon\n>>> a\n```",
        "- in a list\n\n  ```python\n  a\n  ```",
        "1. ```python\n   a\n   ```",
        "> ```python\n> a\n> ```",
        "```{code-block} python\na\n```",
        "```{code} python\na\n```",
        "```{doctest}\n>>> a\n```",
        "```{literalinclude} a.py\n```",
        ":::{note}\n```{code-block} python\na\n```\n:::",
    ],
)
def test_a_block_that_nothing_runs_is_found(page: str, block: str):
    assert not_run(page.format("```text\na\n```\n\n```console\n$ python -m this\n```")) == []
    assert len(not_run(page.format(block))) == 1


@pytest.mark.parametrize(
    ("page", "block"),
    [
        (PLAIN, "```{code-cell} ipython3\na\n```"),
        (PLAIN, "```{code-cell}\na\n```"),
        (PLAIN, "```{eval-rst}\n.. code-block:: python\n\n   a\n```"),
        (NOTEBOOK, "```python\na\n```"),
        (NOTEBOOK, "```{code-cell} ipython3\n:tags: [skip-execution]\na\n```"),
        (NOTEBOOK.replace("jupytext: {{}}", "mystnb:\n  execution_mode: off"), "more"),
    ],
)
def test_a_block_of_the_other_kind_of_page_is_found(page: str, block: str):
    assert len(not_run(page.format(block))) == 1


def test_commands_are_read_with_what_they_print():
    typed = "$ cd x\n$ .venv/bin/python -m gradvar check parities \\\n    --dim 3  # three\n"
    page = f"```console\n{typed}Gradient\n\n  more\n```\n"
    assert commands(page) == [(["check", "parities", "--dim", "3"], "Gradient\n\n  more\n")]
