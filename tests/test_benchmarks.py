"""`python -m benchmarks` lists its questions, and writes what it measured; what the docs show are rows of it."""

import importlib
import json
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # beside the package, not installed with it

from benchmarks import prior_art, timing  # noqa: E402
from benchmarks.__main__ import QUESTIONS  # noqa: E402
from benchmarks.timing import Row, Side, contest, each_alone, prepared  # noqa: E402


def benchmarks(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_list_has_a_line_for_each_question():
    assert [line.split()[0] for line in benchmarks("--list").splitlines()] == list(QUESTIONS)


def test_every_question_is_a_function_of_quick():
    files = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert set(QUESTIONS) <= files
    assert all(callable(importlib.import_module(f"benchmarks.{name}").rows) for name in QUESTIONS)


def test_cheapest_question_writes_its_rows(tmp_path):
    printed = benchmarks("training", "--quick", "--out", str(tmp_path))
    document = json.loads((tmp_path / "results.json").read_text())
    assert set(document) == {"machine", "rows"}
    assert {"date", "cores", "instructions", "load", "versions"} <= set(document["machine"])
    assert document["rows"]
    for row in document["rows"]:
        assert set(row) == {field.name for field in fields(Row)}
        assert row["gradvar"] > 0
        # A peer has a time, or the table says why it has none.
        assert row["note"] if row["ratio"] is None else row["ratio"] > 0
        assert f"| {row['name']} |" in printed
    assert (tmp_path / "ratios.png").exists() == any(row["ratio"] for row in document["rows"]) or "no figure" in printed
    assert (tmp_path / "results.md").read_text().strip() in printed.strip()


def here(value: float, stated: float):
    return lambda turn: (value, stated)


def no_such_library():
    raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")


def broken():
    def run(turn: int) -> tuple[float, float]:
        raise ValueError("of no use")

    return run


def test_a_peer_that_is_missing_or_fails_is_said(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    sides = [Side("own", here, (2.0, 0.5)), Side("near", here, (3.0, 0.1))]
    sides += [Side("absent", no_such_library), Side("broken", broken)]
    near, absent, failed = contest("question", "row", sides, 2, truth=4.0)
    assert (near.error, near.peer_error) == (0.5, 0.25)
    assert near.turns["peer values"] == [3.0, 3.0]
    assert (absent.note, absent.ratio) == ("nowhere is not installed", None)
    assert failed.note == "failed: ValueError: of no use"
    assert failed.gradvar is not None


def test_without_a_truth_the_error_is_the_stated_one(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    (row,) = contest("question", "row", [Side("own", here, (2.0, 0.5)), Side("other", here, (3.0, 0.1))], 1, exact=True)
    assert (row.error, row.peer_error) == (0.5, 0.5)


SPEED = re.compile(
    r"(?:[\d.]+ )?times (?:as fast|faster|slower)|outperform\w*|\b(?:half|twice) the time\b"
    r"|\bin (?:a|half a|some|a few) seconds?\b|\b(?:seconds?|minutes?|hours?) (?:of|on) one core"
)


def test_pages_show_no_speed_that_is_not_in_the_table():
    sources = [path for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".ipynb")]
    pages = [path for path in sources if not {"_build", "generated"} & set(path.parts)]  # a build's, perhaps of old
    # one has the table, the other compares versions
    pages = [path for path in pages if path.name not in ("benchmarks.md", "changelog.md")]
    assert len(pages) > 40
    for path in [ROOT / "README.md", *pages, *(ROOT / "gradvar" / "experiments").glob("*.py")]:
        assert SPEED.findall(path.read_text("utf-8")) == [], path.name
    for claim in ("exact, in a second", "10 times faster", "takes half the time", "3 minutes of one core"):
        assert SPEED.search(claim)


def test_a_tool_that_is_not_there_is_a_row_without_a_number(monkeypatch):
    monkeypatch.setattr(prior_art, "SEEDS", 2)
    absent = ("no-such-distribution", "nothing", prior_art.by_gradvar)
    monkeypatch.setattr(prior_art, "ROWS", (absent, ("numpy", "plug-in", lambda: lambda rng: 2 * prior_art.truth())))
    missing, doubled = prior_art.rows()
    assert missing[2] == "not installed (PackageNotFoundError)"
    assert doubled[2] == "2 +- 0"


def prompt():
    return lambda turn: (float(turn), 0.0)


def test_a_side_that_waits_for_others_is_not_ended(monkeypatch):
    """The limit is of a turn, and of what prepares it: four sides prepare together and have their turns alone."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    monkeypatch.setattr(timing, "LIMIT", 3)
    with ExitStack() as stack:
        unasked, asked = prepared([Side("unasked", prompt), Side("asked", prompt)], stack)
        asked.take(1, True)
        time.sleep(3.2)
        for side in (unasked, asked):
            side.take(2, True)
    assert (unasked.trouble, unasked.values) == ("", [2.0])
    assert (asked.trouble, asked.values) == ("", [1.0, 2.0])


def test_sides_alone_are_rows_under_their_names(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    sides = [Side(f"side {i}", here, (float(i), 0.5)) for i in range(4)] + [Side("absent", no_such_library)]
    rows = list(each_alone("question", sides, 2))
    assert [row.name for row in rows] == [side.name for side in sides]
    assert [row.turns["gradvar values"] for row in rows] == [[float(i)] * 2 for i in range(4)] + [[]]
    assert [row.note for row in rows] == [""] * 4 + ["nowhere is not installed"]
    assert all(row.ratio is None and row.peer == "" for row in rows)
