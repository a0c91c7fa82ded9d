"""`python -m gradvar sweep`, called as a user would."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from slow import lines

import gradvar as gv
from gradvar.__main__ import _EXAMPLES, _parser, main

pytestmark = pytest.mark.large


def words(line):
    return line.split()


def test_all_combinations_are_checked_and_recorded(capsys, tmp_path):
    path = tmp_path / "out.jsonl"
    command = words("sweep parities --dim 5 6 --degree 2 3 --loss square hinge --seed 0 1 --widths 3 --path")
    assert main([*command, str(path)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 17
    assert out.splitlines()[0].split()[:5] == ["dim", "degree", "loss", "seed", "variance"]
    assert f"16 records in {path}" in err
    assert len(lines(path)) == 16
    before = path.read_bytes()
    assert main([*command, str(path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert path.read_bytes() == before
    assert rows == gv.SweepResults.read(path).to_dicts()
    model = gv.MLP.random([6, 3, 1], rng=1)
    truth = gv.gradient_variance(gv.SparseParities(6, 3), model, "hinge", rng=1)
    assert rows[-1]["value"] == truth.value


def test_a_row_is_what_check_finds(capsys):
    command = words("parities --dim 30 --degree 2 --widths 4 4 --max-samples 512 --seed 3 --json")
    assert main(["check", *command]) == 0
    check = json.loads(capsys.readouterr().out)
    assert main(["sweep", *command]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["method"].startswith("monte-carlo")
    assert (row["value"], [row["low"], row["high"]]) == (check["variance"]["value"], check["variance"]["interval"])


def test_models_can_be_swept(capsys):
    assert main(words("sweep parities --dim 6 --model linear mlp cosine --json")) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows] == ["linear", "mlp", "cosine"]
    assert main(words("check parities --dim 6 --model cosine --json")) == 0
    assert json.loads(capsys.readouterr().out)["variance"]["value"] == rows[2]["value"]


def test_several_networks_in_one_sweep(capsys):
    command = "sweep parities --dim 5 --widths 3 --widths 2 2 --activation relu tanh --model mlp linear residual-mlp"
    assert main(words(f"{command} --width 2 --blocks 1 2 --json")) == 0
    rows = json.loads(capsys.readouterr().out)
    H = gv.Parities(5)
    models = {
        **{("mlp", str(w), a): gv.MLP.random([5, *w, 1], a, 0) for w in ((3,), (2, 2)) for a in ("relu", "tanh")},
        **{("residual-mlp", b, a): gv.ResidualMLP.random(5, 2, b, a, 0) for b in (1, 2) for a in ("relu", "tanh")},
    }
    found = {(r["model"], r.get("widths") or r.get("blocks"), r["activation"]): r["value"] for r in rows[:4] + rows[5:]}
    assert found == {key: gv.gradient_variance(H, model).value for key, model in models.items()}
    assert rows[4]["model"] == "linear"


def test_classes_can_be_swept(capsys):
    assert main(words("sweep modular-addition --p 3 5 --widths 3 --loss cross-entropy --json")) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["p"] for row in rows] == [3, 5]
    model = gv.MLP.random([6, 3, 3], rng=0)
    assert rows[0]["value"] == gv.gradient_variance(gv.ModularAddition(3), model, "cross-entropy").value
    command = "sweep orthogonal-networks --dim 6 --degree 3 --target-activation sin tanh --activation relu sin"
    assert main(words(f"{command} --widths 2 --max-samples 64 --method monte-carlo --json")) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["activation"], row["model_activation"]) for row in rows] == [
        ("sin", "relu"),
        ("sin", "sin"),
        ("tanh", "relu"),
        ("tanh", "sin"),
    ]
    assert main(words("sweep parities --dim 5 --degree 2 --noise 0 0.25 --json")) == 0
    clean, noisy = (row["value"] for row in json.loads(capsys.readouterr().out))
    assert noisy == pytest.approx(clean / 4, rel=1e-12)


def test_wrong_arguments_and_files_are_told_with_exit_code_2(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("notes\n")
    for given, message in [
        (["--dim", "4", "--degree", "9"], "`degree` must be an integer from 0 to 4, got 9"),
        (["--dim", "4", "4"], "`H` has two entries called 'Parities(dim=4)'"),
        (["--dim", "4", "--path", str(tmp_path / "no" / "f")], "No such file or directory"),
        (["--dim", "4", "--path", str(tmp_path / "notes.txt")], "must be the file of a sweep"),
    ]:
        assert main(["sweep", "parities", *given]) == 2
        assert message in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "notes\n"


def test_a_failed_problem_is_in_the_table_and_the_exit_code(capsys):
    assert main(words("sweep parities --dim 4 40 --model linear --method enumeration")) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[1].split()[0] == "4"
    assert "holds" in out[1]
    assert "failed: TooLargeError:" in out[2]


@pytest.mark.alone
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_leaves_the_records_and_says_where(tmp_path):
    path = tmp_path / "f"
    command = words("sweep parities --dim 4 100 --widths 8 8 --rtol 0 --max-samples 1000000000 --path")
    process = subprocess.Popen(
        [sys.executable, "-m", "gradvar", *command, str(path)], stderr=subprocess.PIPE, text=True
    )
    while not path.exists() or not path.read_bytes():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "gradvar: interrupted; SweepResults(1 done, 1 interrupted;" in err
    assert str(path) in err
    done, interrupted = lines(path)
    assert (done["status"], interrupted["status"]) == ("done", "interrupted")
    assert interrupted["n_samples"] > 0


def test_every_example_of_the_help_parses():
    lines = [line.split()[3:] for line in _EXAMPLES.splitlines() if line.startswith("  python -m gradvar sweep")]
    assert lines
    for line in lines:
        options = _parser().parse_args(line)
        assert (options.path or options.plot).endswith((".jsonl", ".png"))
