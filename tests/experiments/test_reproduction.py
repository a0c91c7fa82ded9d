"""What experiments share: comparisons that can say no, files that are whole, and every experiment's own contract."""

import importlib
import inspect
import json
import math
from dataclasses import dataclass

import pytest

import gradvar as gv
from gradvar import experiments
from gradvar.__main__ import main
from gradvar.experiments.reproduction import by_name
from gradvar.experiments.reproduction.figure import panels, style
from gradvar.experiments.reproduction.result import Comparison, Reproduction, exact, numbers

NAMES = list(by_name.names())


@pytest.mark.parametrize(
    ("here", "low", "high", "agrees"),
    [
        (1.0, 1.0, 2.0, True),
        (2.0, 1.0, 2.0, True),
        (2.0000001, 1.0, 2.0, False),
        (0.999, 1.0, 2.0, False),
        (math.nan, -math.inf, math.inf, False),
        (5.0, -math.inf, math.inf, True),
        (True, -math.inf, math.inf, True),
        (False, -math.inf, math.inf, False),
    ],
)
def test_a_comparison_agrees_only_within_its_range(here, low, high, agrees):
    comparison = Comparison(what="a number", here=here, low=low, high=high)
    assert comparison.agrees is agrees
    assert comparison.row()["agrees"] is agrees
    json.dumps(comparison.row(), allow_nan=False)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Small(Reproduction):
    def plot(self):
        (ax,) = panels(1)
        ax.plot([1, 2], [1, 2], **style(0))
        return [ax]


class Counted:
    """An experiment that counts its runs."""

    def __init__(self):
        self.runs, self.QUICK = 0, {"number": 1.0}

    def run(self, number=2.0, *, rng=0, progress=False):
        self.runs += 1
        if number is None:
            raise KeyboardInterrupt
        found = Comparison(what="one", here=number, low=1.0, high=1.0, paper=1.0)
        return Small(rows=({"x": 1, "y": None}, {"x": 2, "y": 0.5}), comparisons=(found,), notes=("none",), seed=rng)


@pytest.fixture
def counted(monkeypatch):
    found = Counted()
    monkeypatch.setattr(by_name, "experiment", lambda name: found)
    monkeypatch.setattr(by_name, "names", lambda: {"counted": "counts its runs"})
    return found


def test_what_is_done_is_not_done_again_but_for_other_settings(counted, tmp_path, capsys):
    assert by_name.reproduce("counted", tmp_path, quick=True)
    assert by_name.reproduce("counted", tmp_path, quick=True)
    assert counted.runs == 1
    assert "done before" in capsys.readouterr().out
    assert not by_name.reproduce("counted", tmp_path)  # the full settings find 2 where 1 is claimed
    assert not by_name.reproduce("counted", tmp_path)
    assert counted.runs == 2
    assert by_name.reproduce("counted", tmp_path, quick=True, seed=3)
    assert counted.runs == 3
    found = json.loads((tmp_path / "counted.json").read_text())
    assert found["seed"] == 3
    assert found["comparisons"] == [{"what": "one", "paper": 1.0, "here": 1.0, "low": 1.0, "high": 1.0, "agrees": True}]
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".png", ".svg"}


def test_a_spoilt_file_is_not_taken_for_a_result(counted, tmp_path):
    for text in ("{", "[]", "{}"):
        (tmp_path / "counted.json").write_text(text)
        assert by_name.reproduce("counted", tmp_path, quick=True)
    assert counted.runs == 3


def test_of_an_interrupted_run_nothing_is_taken_for_done(counted, tmp_path):
    counted.QUICK = {"number": None}
    with pytest.raises(KeyboardInterrupt):
        by_name.reproduce_all(tmp_path, quick=True)
    assert not list(tmp_path.iterdir())


def test_all_says_no_where_one_does(counted, tmp_path, capsys):
    assert by_name.reproduce_all(tmp_path, quick=True)
    assert not by_name.reproduce_all(tmp_path)
    assert "NOT as claimed" in capsys.readouterr().out


def test_a_result_prints_its_numbers_beside_those_of_the_paper():
    result = Counted().run(2.0)
    assert repr(result) == "Small(0 of 1 numbers as claimed, rng=0)"
    assert not result.agrees
    lines = str(result).splitlines()
    assert lines[2].split() == ["paper", "here", "accepted"]
    assert lines[3].split() == ["one", "1", "2", "1", "NO"]
    assert lines[-1] == "- none"
    assert math.isnan(result.to_pandas()["y"][0])
    assert numbers(result.rows, "x").tolist() == [1.0, 2.0]
    assert math.isnan(numbers(result.rows, "y")[0])


def test_what_was_sampled_is_not_taken_for_exact():
    H, model = gv.SparseParities(40, 3), gv.MLP.random([40, 4, 4, 1], rng=0)
    sampled = gv.gradient_variance(H, model, rng=0, max_samples=200)
    known = gv.gradient_variance(H, gv.Linear([0.1] * 40))
    assert exact(known) is known
    with pytest.raises(ValueError, match="called exact was sampled"):
        exact(sampled)


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_keeps_the_contract(name):
    module = importlib.import_module(f"gradvar.experiments.{name}")
    assert getattr(experiments, name) is module
    signature = inspect.signature(module.run)
    parameters = signature.parameters
    assert all(p.default is not p.empty for p in parameters.values()), "run() has the paper's settings"
    assert {"rng", "progress"} <= set(parameters)
    assert set(module.QUICK) <= set(parameters) - {"rng", "progress"}
    text = module.__doc__
    assert 20 < len(text.partition("\n")[0]) <= 120
    assert all(f"\n{word}" in text for word in ("Paper:", "Here:")), "what the paper claims, and what is measured"
    assert "\nThey differ:" in text, "where they differ and why; say so where they do not"


def test_the_command_lists_all_and_names_what_is_wrong(capsys):
    assert main(["reproduce", "--list"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == NAMES
    for words in (["reproduce"], ["reproduce", "--all", "parity"], ["reproduce", "nothing"]):
        assert main(words) == 2
        assert "`" in capsys.readouterr().err
