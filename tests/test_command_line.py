"""`python -m gradvar`, called as a user would."""

import json
import sys
from pathlib import Path

import matplotlib
import pytest

import gradvar as gv
from gradvar.__main__ import main

ROOT = Path(__file__).parents[1]

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


CLASSES = {
    "parities --dim 6": gv.Parities(6),
    "parities --dim 6 --degree 2": gv.SparseParities(6, 2),
    "parities --dim 6 --bias 0.3": gv.BiasedParities(6, 0.3),
    "parities --dim 6 --degree 2 --bias -0.3 --no-normalised": gv.BiasedParities(6, -0.3, 2, False),
    "parities --dim 6 --noise 0.1": gv.Parities(6).noisy(0.1),
    "linear-periodic --dim 3 --radius 1.5 --wave triangle": gv.LinearPeriodic(3, 1.5, "triangle"),
    "discrete-log --p 11 --encoding one-hot": gv.DiscreteLog(11, "one-hot"),
    "modular-multiples --p 11 --no-units": gv.ModularMultiples(11, units=False),
    "modular-addition --p 5": gv.ModularAddition(5),
    "orthogonal-networks --dim 6 --degree 2 --target-activation relu": gv.OrthogonalNetworks(6, 2, "relu"),
    "random-networks --dim 3 --target-widths 3 --weights sphere": gv.RandomNetworks(3, [3], weights="sphere"),
    "planted-parities --dim 6 --degree 3": gv.PlantedParities(6, 3),
}
MODELS = {
    "mlp --widths 3 2 --activation sin --scale 2 --no-bias": lambda: gv.MLP.random([6, 3, 2, 1], "sin", 4, 2.0, False),
    "residual-mlp --width 3 --blocks 2": lambda: gv.ResidualMLP.random(6, 3, 2, rng=4),
    "convolutional --channels 2 3 --width 2": lambda: gv.Convolutional.random(6, [2, 3], 2, rng=4),
    "recurrent --units 3 --length 2": lambda: gv.Recurrent.random(6, 3, 2, rng=4),
    "weight-tied --width 3": lambda: gv.WeightTied.random(6, 3, None, rng=4),
    "weight-tied --width 3 --steps 2": lambda: gv.WeightTied.random(6, 3, 2, rng=4),
    "attention --width 4 --heads 2": lambda: gv.Attention.random(6, 4, 2, rng=4),
    "infinite-mlp --depth 2 --activation erf": lambda: gv.InfiniteMLP(2, "erf", dim=6),
}


def checked(capsys, words):
    assert main(["check", *words.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("words", CLASSES)
def test_every_class_that_numbers_and_words_describe(capsys, words):
    settings = {"rng": 1, "max_samples": 64, "method": "monte-carlo"}
    H = CLASSES[words]
    model = gv.MLP.random([H.inputs.dim, 3, getattr(H, "n_outputs", 1)], rng=1)
    found = checked(capsys, f"{words} --widths 3 --seed 1 --max-samples 64 --method monte-carlo")
    truth = json.loads(json.dumps(gv.bound_check(H, model, **settings).to_dict()))
    for part in ("value", "interval", "method"):
        assert found["variance"][part] == truth["variance"][part]
    assert found["problem"] == truth["problem"]


def test_none_of_the_classes_and_models_is_missing():
    needs_more = {"FiniteClass", "SampledClass", "Restriction", "Noisy", "TaskClass", "TaskRestriction", "MarginLoss"}
    needs_more |= {"RandomLabels", "OnPoints"}
    said = (ROOT / "gradvar" / "__main__.py").read_text()
    for name in dir(gv):
        made = getattr(gv, name)
        if isinstance(made, type) and name not in needs_more:
            is_class = hasattr(made, "log2_size") or (hasattr(made, "sample") and hasattr(made, "evaluate"))
            if is_class or hasattr(made, "gradient"):
                assert f"gv.{name}" in said, name


@pytest.mark.parametrize("words", MODELS)
def test_every_model_that_numbers_and_words_describe(capsys, words):
    found = checked(capsys, f"parities --dim 6 --loss correlation --seed 4 --model {words}")
    model = MODELS[words]()
    assert found["variance"]["value"] == gv.gradient_variance(gv.Parities(6), model, "correlation").value
    assert found["problem"]["model"].startswith(getattr(model, "description", repr(model)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("linear-periodic --dim 3", "`--radius` is missing: linear-periodic needs one"),
        ("parities --model residual-mlp --width 3", "`--blocks` is missing: residual-mlp needs one"),
        (
            "linear-periodic --degree 2",
            "`--degree` does not go with the other options of linear-periodic: --dim, --rad",
        ),
        ("parities --model linear --widths 3", "`--widths` is an option of mlp, not of linear"),
        ("parities --dim 4 --noise 0.7", "`rate` must be"),
        ("planted-parities --dim 5 --degree 3 --noise 0.1", "`--noise` flips the labels of targets"),
        ("discrete-log --p 10", "`p` must be a prime"),
    ],
)
def test_options_that_do_not_fit(capsys, words, message):
    assert main(["check", *words.split()]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", "1.5", "one"])
def test_a_wrong_seed_is_named(capsys, seed):
    for command in ("check", "sweep"):
        with pytest.raises(SystemExit) as stop:
            main([command, "parities", "--seed", seed])
        assert stop.value.code == 2
        assert f"argument --seed: must be an integer >= 0, got '{seed}'" in capsys.readouterr().err


def test_plots(capsys, tmp_path):
    matplotlib.use("agg")
    path = tmp_path / "check.png"
    assert main(["check", "parities", "--dim", "4", "--plot", str(path)]) == 0
    assert path.read_bytes()[:4] == b"\x89PNG"
    for number, words in enumerate(["--dim 4 5 --model linear mlp", "--dim 4 --widths 2 --widths 3 3", "--dim 4"]):
        path = tmp_path / f"{number}.svg"
        assert main(["sweep", "parities", *words.split(), "--plot", str(path)]) == 0
        assert b"<svg" in path.read_bytes()
        assert str(path) in capsys.readouterr().err
    assert main(["check", "parities", "--dim", "4", "--plot", str(tmp_path / "no" / "x.png")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_without_matplotlib_a_plot_says_what_to_install(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert main(["check", "parities", "--dim", "4", "--plot", str(tmp_path / "x.png")]) == 2
    out, err = capsys.readouterr()
    assert "Verdict" in out
    assert "`plot` needs matplotlib: pip install" in err


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
