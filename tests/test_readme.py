"""What the README says is what happens; its Python runs in test_pages.py, as that of every page."""

import re
from pathlib import Path

import pytest

from gradvar.__main__ import main

pytestmark = pytest.mark.large

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_report_is_the_one_that_is_printed(capsys):
    assert main([]) == 0
    assert blocks("text")[0] == capsys.readouterr().out


def test_first_screen_has_the_two_commands_and_the_warning():
    screen = README.split("```text")[0]
    run, test, book = blocks("bash")
    assert book.startswith("python3 -m venv .venv && ")
    assert run in screen
    assert test in screen
    for command in (run, test):
        assert command.startswith("python3 -m venv .venv && ")
    assert run.rstrip().endswith(".venv/bin/python -m gradvar")
    together, alone = test.rstrip().split(" && ")[-2:]
    assert together == '.venv/bin/python -m pytest -n logical --dist worksteal -m "not alone"'
    assert alone == ".venv/bin/python -m pytest -m alone tests"
    assert "unrelated" in screen


def test_ci_calls_the_commands_of_the_readme_that_test_and_build_the_book():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [command.strip() in lines for command in blocks("bash")[1:]] == [True, True]


def test_no_text_tells_anyone_to_install_the_unrelated_project():
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*"), *ROOT.glob("gradvar/**/*.py")]:
        if path.is_file():
            assert not re.search(
                r"pip install (-\S+ )*gradvar\b(?!-)", path.read_text(encoding="utf-8", errors="replace")
            )
