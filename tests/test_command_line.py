"""`python -m gradvar`, called as a user would."""

import json

import pytest

import gradvar as gv
from gradvar.__main__ import main

pytestmark = pytest.mark.large


def test_without_a_command_it_does_the_main_job(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "all 2^20 = 1,048,576 parities" in out
    assert "Verdict: HOLDS" in out


def test_check_of_one_degree_as_json(capsys):
    words = "check parities --dim 10 --degree 3 --model mlp --widths 6 --activation tanh --loss logistic --method auto"
    assert main([*words.split(), "--seed", "0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    model = gv.MLP.random([10, 6, 1], rng=0)
    truth = gv.gradient_variance(gv.SparseParities(10, 3), model, "logistic")
    assert result["variance"]["value"] == truth.value
    assert result["variance"]["method"] == truth.method
    assert result["verdict"] == "holds"


@pytest.mark.parametrize("model", ["linear", "cosine"])
def test_other_models(capsys, model):
    assert main(["check", "parities", "--dim", "6", "--model", model]) == 0
    assert f"{model.title()}(dim=6)" in capsys.readouterr().out


def test_same_seed_same_output(capsys):
    problem = ["check", "parities", "--dim", "30", "--degree", "2", "--widths", "4", "--method", "monte-carlo"]
    words = [*problem, "--max-samples", "1024", "--seed", "3", "--json"]
    found = []
    for _ in range(2):
        assert main(words) == 0
        found.append(json.loads(capsys.readouterr().out)["variance"])
    assert found[0]["value"] == found[1]["value"]
    assert found[0]["interval"] == found[1]["interval"]


def test_wrong_arguments_are_told_on_stderr_with_exit_code_2(capsys):
    assert main(["check", "parities", "--dim", "4", "--degree", "9"]) == 2
    assert "`degree` must be an integer from 0 to 4, got 9" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["chek"])
    assert stop.value.code == 2


def test_help_teaches(capsys):
    for words in (["--help"], ["check", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 0
        out = capsys.readouterr().out
        assert "examples:" in out
        assert "python -m gradvar check parities" in out


def test_every_example_of_the_help_parses():
    from gradvar.__main__ import _EXAMPLES, _parser

    lines = [line.split()[3:] for line in _EXAMPLES.splitlines() if line.startswith("  python -m gradvar check")]
    assert len(lines) >= 4
    for words in lines:
        assert _parser().parse_args(words).command == "check"


def test_ctrl_c_before_there_is_an_estimate_says_so(capsys, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(gv, "bound_check", interrupted)
    assert main(["check", "parities"]) == 130
    assert capsys.readouterr().err == "gradvar: interrupted\n"
