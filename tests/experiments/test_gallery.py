"""Every experiment has a stored result that its present file would make, a picture, and a page that tells the truth."""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

import gradvar as gv
from gradvar.experiments.reproduction import by_name

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "gallery" / "results"
NAMES = list(by_name.names())
SPEC = importlib.util.spec_from_file_location("gallery", ROOT / "docs" / "_ext" / "gallery.py")
gallery = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gallery)


def texts(tree: ast.AST) -> list[re.Pattern]:
    """What the strings of a source can become: an f-string is its words, with anything in its braces."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in node.values]
            found.append(re.compile("".join(parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(re.compile(re.escape(node.value)))
    return found


def stale(source: str, whats: list[str]) -> list[str]:
    """Comparisons of a stored result that the source does not make, in one string or two, and those that it lacks."""
    tree = ast.parse(source)
    known = "|".join({p.pattern for p in texts(tree) if p.pattern.replace(".+", "").strip()})
    gone = [what for what in whats if not re.fullmatch(f"(?:{known})(?:{known})?", what)]
    named = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and "Comparison" in ast.dump(call.func)]
    given = [word.value for call in named for word in call.keywords if word.arg == "what"]
    claimed = [texts(value)[0] for value in given if isinstance(value, ast.JoinedStr | ast.Constant)]
    return gone + [pattern.pattern for pattern in claimed if not any(map(pattern.fullmatch, whats))]


def stored(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def test_every_experiment_has_a_result_and_a_picture_and_nothing_else_is_stored():
    assert {path.name for path in RESULTS.iterdir() if path.suffix != ".svg"} == {
        f"{name}.{ending}" for name in NAMES for ending in ("json", "png")
    }
    assert all((RESULTS / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in NAMES)
    assert sum(path.stat().st_size for path in RESULTS.iterdir() if path.suffix != ".svg") < 6e6


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_of_this_version_and_of_the_comparisons_that_its_file_makes(name: str):
    result = stored(name)
    assert (result["experiment"], result["version"], result["seed"]) == (name, gv.__version__, 0)
    assert result["quick"] is (name == "decomposition_images"), "the others are shown at their full settings"
    whats = [row["what"] for row in result["comparisons"]]
    assert len(whats) == len(set(whats))
    assert stale((ROOT / "gradvar" / "experiments" / f"{name}.py").read_text("utf-8"), whats) == []


def test_a_stale_result_is_seen():
    source = 'Comparison(what=f"d = {d}: steps", here=1)\nComparison(what="mean", here=x)\n'
    assert stale(source, ["d = 5: steps", "d = 10: steps", "mean"]) == []
    assert stale(source, ["d = 5: steps"]) == ["mean"]
    assert stale(source, ["d = 5: step", "mean"]) == ["d = 5: step", re.escape("d = ") + ".+" + re.escape(": steps")]
    assert stale(source, ["d = 5: steps", "mean", "median"]) == ["median"]


def lies_within(here: float | bool, low: float | None, high: float | None, **_: object) -> bool:
    return here if isinstance(here, bool) else (low is None or here >= low) and (high is None or here <= high)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_the_result_says(name: str):
    result = stored(name)
    page, card = gallery.page(name, result), gallery.card(name, result)
    agree = [lies_within(**row) for row in result["comparisons"]]
    assert agree == [row["agrees"] for row in result["comparisons"]]
    assert result["agrees"] is all(agree)
    assert re.findall(r"\| (yes|NO) \|$", page, flags=re.MULTILINE) == ["yes" if one else "NO" for one in agree]
    assert ("Not as claimed" in page) is not all(agree)
    assert f"{sum(agree)} of {len(agree)} as claimed" in card
    quick = ["quick settings" in card, "Made with the quick settings" in page, f"{name} --quick" in page]
    assert quick == [result["quick"]] * 3
    assert re.search(r"https://arxiv.org/abs/\d{4}\.\d{5}", page)
    assert f"results/{name}.png" in page


def test_a_number_outside_of_what_is_accepted_is_said_on_the_page():
    result = stored("discrete_log")
    row = {"what": "a * b", "paper": None, "here": 3.0, "low": 0.0, "high": 2.0, "agrees": False}
    page = gallery.page("discrete_log", {**result, "comparisons": [row]})
    assert "| a \\* b |  | 3 | 0 to 2 | NO |" in page
    assert "Not as claimed: a \\* b." in page
    assert "0 of 1 as claimed" in gallery.card("discrete_log", {**result, "comparisons": [row]})
