"""Sweeps: the numbers are those of `bound_check`, in any order, on any executor, however often they are resumed."""

import _thread
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from slow import SlowLinear, lines, problems, timeless

import gradvar as gv
from gradvar.experiments.sweep import run
from gradvar.experiments.sweep.records import Record, versions

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def swept(items, **arguments):
    return gv.sweep(items, progress=False, **arguments)


def test_a_record_is_what_bound_check_finds():
    margin = gv.MarginLoss(lambda m: -1 / (1 + np.exp(m)), 1.0, "mine")
    items = gv.grid(
        H={"cube": gv.Parities(6), "large": gv.Parities(40)},
        model=lambda H, seed: gv.MLP.random([H.inputs.dim, 4, 1], rng=seed),
        loss=["square", margin],
        seed=[3, 4],
        rtol=0.02,
        confidence=0.9,
        max_samples=512,
    )
    rows = swept(items).to_dicts()
    assert len(rows) == 8
    for row in rows:
        H = gv.Parities(row["dim"])
        model = gv.MLP.random([H.dim, 4, 1], rng=row["seed"])
        loss = margin if row["loss"] == "mine" else row["loss"]
        check = gv.bound_check(H, model, loss, rng=row["seed"], rtol=0.02, confidence=0.9, max_samples=512)
        assert row["status"] == "done"
        assert (row["value"], row["low"], row["high"]) == (check.variance.value, *check.variance.interval)
        assert (row["log2"], row["standard_error"]) == (check.variance.log2, check.variance.standard_error)
        assert (row["exact"], row["confidence"]) == (check.variance.exact, check.variance.confidence)
        assert (row["bound"], row["log2_bound"], row["bound_name"]) == (check.bound, check.log2_bound, check.bound_name)
        assert (row["ratio"], row["verdict"], row["method"]) == (check.ratio, check.verdict, check.variance.method)
        assert row["gradient_norm_sq"] == check.gradient_norm_sq.value
        assert row["ratio_low"] == pytest.approx(row["low"] / row["bound"], rel=1e-12)
        assert row["ratio_high"] == pytest.approx(row["high"] / row["bound"], rel=1e-12)
        assert row["log2_low"] == pytest.approx(np.log2(row["low"]), abs=1e-12)
        assert (row["log2_size"], row["n_parameters"]) == (H.dim, model.n_parameters)
        assert row["seconds"] > 0
        assert row["error"] is None
        assert row["versions"].startswith(f"gradvar {gv.__version__}, numpy {np.__version__}, scipy ")


def test_numbers_that_underflow_or_are_not_known_are_still_told(tmp_path):
    items = [
        gv.NamedProblem("tiny", gv.Parities(5000), gv.Linear([1.0] * 5000), max_samples=64),
        gv.NamedProblem("infinite", gv.LinearPeriodic(3, 2.0), gv.Cosine([0.3] * 3)),
    ]
    tiny, infinite = swept(items, path=tmp_path / "f").to_dicts()
    assert tiny["value"] == 0
    assert tiny["log2"] == pytest.approx(np.log2(5000) - 5000)
    assert tiny["log2_low"] == pytest.approx(tiny["log2"], abs=1e-9)
    assert tiny["ratio"] == pytest.approx(1)
    assert tiny["ratio_high"] == pytest.approx(1)
    assert infinite["log2_size"] is None  # infinite
    assert infinite["bound_name"] == "operator-norm"
    assert swept(items, path=tmp_path / "f").to_dicts() == [tiny, infinite]


def test_the_file_has_a_line_for_each_problem_and_nothing_is_computed_twice(tmp_path):
    path = tmp_path / "f.jsonl"
    first = swept(problems(3), path=path)
    assert [line["status"] for line in lines(path)] == ["done"] * 3
    before = path.read_bytes()
    more = swept(problems(5), path=str(path))
    assert path.read_bytes().startswith(before)
    assert [line["parameters"]["model"] for line in lines(path)] == [0, 1, 2, 3, 4]
    assert more.to_dicts()[:3] == first.to_dicts()  # to the seconds: they are the same records
    assert timeless(more) == timeless(swept(problems(5)))
    fewer = swept(problems(5)[::-2], path=path)
    assert fewer.to_dicts() == more.to_dicts()[::-2]
    assert len(lines(path)) == 5
    assert gv.SweepResults.read(path).to_dicts() == more.to_dicts()


def test_an_error_is_a_record_and_is_tried_again(tmp_path):
    path = tmp_path / "f"
    wrong = SlowLinear(1.0)
    wrong.gradient = lambda x: np.full((len(x), 1), np.nan)

    def broken(H, seed):
        raise RuntimeError("no weights today")

    H = gv.Parities(30)
    items = [
        gv.NamedProblem("nan", H, wrong),
        gv.NamedProblem("good", H, SlowLinear(1.0), max_samples=64),
        gv.NamedProblem("labels", gv.LinearPeriodic(3, 2.0), gv.Cosine([1.0] * 3), "hinge"),
        gv.NamedProblem("dimension", H, gv.Linear([1.0])),
        gv.NamedProblem("broken", H, broken),
    ]
    with pytest.warns(UserWarning, match="4 of 5 problems failed, .* the first, nan: NonFiniteError: the gradient"):
        results = swept(items, path=path)
    assert [row["status"] for row in results] == ["failed", "done", "failed", "failed", "failed"]
    errors = [row["error"] for row in results.failures]
    assert errors[3] == "RuntimeError: no weights today"
    assert [error.split(":")[0] for error in errors] == ["NonFiniteError", "LabelError", "ShapeError", "RuntimeError"]
    assert results.failures[0]["value"] is None
    assert repr(results) == f"SweepResults(1 done, 4 failed; {path})"
    assert "failed: RuntimeError: no weights today" in str(results)
    items[4] = gv.NamedProblem("broken", H, SlowLinear(2.0), max_samples=64)
    with pytest.warns(UserWarning, match="3 of 5"), ThreadPoolExecutor(1) as pool:
        results = swept(items, path=path, executor=pool)
    assert [row["status"] for row in results] == ["failed", "done", "failed", "failed", "done"]
    statuses = [line["status"] for line in lines(path) if line["parameters"]["name"] == "broken"]
    assert statuses == ["failed", "done"]


# Another problem of the same name


BASE = gv.NamedProblem("a", gv.Parities(5), gv.Linear([1.0] * 5))
TABLE = np.where(np.random.default_rng(0).random((3, 8)) < 0.5, 1.0, -1.0)
POINTS = np.arange(8.0)[:, None]


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (BASE, dataclasses.replace(BASE, H=gv.SparseParities(5, 2)), "class"),
        (BASE, dataclasses.replace(BASE, model=gv.Linear([1.0] * 4 + [1.001])), "model"),
        (BASE, dataclasses.replace(BASE, model=gv.MLP.random([5, 3, 1], rng=0)), "model"),
        (BASE, dataclasses.replace(BASE, model=lambda H: gv.Linear([2.0] * 5)), "model"),
        (BASE, dataclasses.replace(BASE, loss="correlation"), "loss"),
        (BASE, dataclasses.replace(BASE, rtol=0.2), "settings"),
        (BASE, dataclasses.replace(BASE, seed=1), "settings"),
        (BASE, dataclasses.replace(BASE, method="enumeration"), "settings"),
        (
            dataclasses.replace(BASE, H=gv.FiniteClass(TABLE, POINTS), model=gv.Linear([1.0])),
            dataclasses.replace(BASE, H=gv.FiniteClass(-TABLE, POINTS), model=gv.Linear([1.0])),
            "class",
        ),
        (
            dataclasses.replace(BASE, loss=gv.MarginLoss(lambda m: -np.exp(-m), 999.0)),
            dataclasses.replace(BASE, loss=gv.MarginLoss(lambda m: -np.exp(-m) / 2, 999.0)),
            "loss",
        ),
    ],
)
def test_another_problem_of_the_same_name_is_an_error(tmp_path, before, after, part):
    path = tmp_path / "f"
    results = swept([before], path=path)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=rf"finished record of the problem {{'name': 'a'}}, but its {part} was"):
        swept([after], path=path)
    assert path.read_bytes() == content
    assert swept([before], path=path).to_dicts() == results.to_dicts()


def test_the_same_problem_made_anew_is_the_same(tmp_path):
    class Mine(gv.Linear):
        __repr__ = object.__repr__  # with an address in memory

    for _ in range(2):
        model = Mine([1.0] * 5)
        swept([dataclasses.replace(BASE, model=lambda H, made=model: made)], path=tmp_path / "f")
        swept([dataclasses.replace(BASE, model=Mine([1.0 + 1e-12] * 5))], path=tmp_path / "f")
    assert len(lines(tmp_path / "f")) == 1


def test_models_are_made_when_their_turn_comes_and_once_to_compare(tmp_path):
    made = []

    def maker(H, seed):
        made.append(seed)
        return gv.Linear([1.0 + seed] * H.dim)

    items = gv.grid(H=gv.Parities(4), model=maker, seed=range(4))
    assert made == []
    swept(items[:3], path=tmp_path / "f")
    assert made == [0, 1, 2]
    swept(items, path=tmp_path / "f")
    assert made == [0, 1, 2, 0, 3]


def test_a_checkout_that_is_not_installed_knows_its_version(monkeypatch):
    def installed(name):
        if name == "gradient-variance":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", installed)
    assert versions.__wrapped__()["gradvar"] == gv.__version__


def test_records_of_another_version_are_kept_and_told(tmp_path):
    path = tmp_path / "f"
    results = swept([BASE], path=path)
    path.write_text(path.read_text().replace(f'"gradvar": "{gv.__version__}"', '"gradvar": "0.0.1"'))
    with pytest.warns(UserWarning, match=r"has records by gradvar 0\.0\.1, which are kept"):
        again = swept([BASE], path=path)
    assert timeless(again)[0]["value"] == timeless(results)[0]["value"]
    assert len(lines(path)) == 1


def test_a_class_whose_members_cannot_be_drawn_and_a_model_without_predictions_are_recorded(tmp_path):
    class Mine(gv.Parities):
        def sample(self, m, rng=None):
            raise NotImplementedError

    infinite = gv.InfiniteMLP(depth=2, activation="relu")
    items = [dataclasses.replace(BASE, H=Mine(5)), gv.NamedProblem("b", gv.SparseParities(50, 2), infinite)]
    results = swept(items, path=tmp_path / "f")
    assert [row["status"] for row in results] == ["done", "done"]
    assert results.to_dicts()[1]["n_parameters"] is None
    assert swept(items, path=tmp_path / "f").to_dicts() == results.to_dicts()


# Executors


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_find_the_same_bits_in_the_order_of_the_problems(tmp_path, workers):
    items = problems(6)
    slow_first = [dataclasses.replace(items[0], model=SlowLinear(1.0, 0.05)), *items[1:]]
    with ThreadPoolExecutor(workers) as pool:
        results = swept(slow_first, path=tmp_path / "f", executor=pool)
    assert timeless(results) == timeless(swept(items))
    if workers > 1:
        assert lines(tmp_path / "f")[0]["parameters"]["model"] != 0


def test_a_pool_of_processes_finds_the_same_bits_and_resumes(tmp_path):
    path = tmp_path / "f"
    # A function that makes models, which does not pickle, is called before the problem is sent.
    items = gv.grid(
        H=gv.Parities(30), model=lambda H, seed: SlowLinear(1.0 + seed), seed=range(6), rtol=0, max_samples=64
    )
    expected = timeless(swept(items))
    swept(items[:2], path=path)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert timeless(swept(items, path=path, executor=pool)) == expected
        unsendable = gv.NamedProblem("lambda", gv.Parities(4), gv.from_function(lambda x: x[:, 0], lambda x: x, 4))
        with pytest.warns(UserWarning, match="1 of 1 problems failed"):
            (failure,) = swept([unsendable], executor=pool).failures
    assert "pickle" in failure["error"]
    assert len(lines(path)) == 6


def test_a_worker_that_dies_costs_its_problems_only_until_they_are_resumed(tmp_path):
    path = tmp_path / "f"
    items = problems(4)
    killer = dataclasses.replace(items[2], model=Killer(3.0))
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.warns(UserWarning, match="BrokenProcessPool"),
    ):
        results = swept([*items[:2], killer, items[3]], path=path, executor=pool)
    assert {row["status"] for row in results.failures} == {"failed"}
    assert results.to_dicts()[2]["status"] == "failed"
    assert timeless(swept(items, path=path)) == timeless(swept(items))
    done = [line["parameters"]["model"] for line in lines(path) if line["status"] == "done"]
    assert sorted(done) == [0, 1, 2, 3]


class Killer(SlowLinear):
    def predict(self, x):
        os.kill(os.getpid(), signal.SIGKILL)


def test_each_problem_takes_one_thread_of_an_executor(monkeypatch):
    running, most = [], []

    class Counting(SlowLinear):
        def predict(self, x):
            running.append(1)
            most.append(len(running))
            time.sleep(0.01)
            running.pop()
            return super().predict(x)

    H = gv.Parities(30)
    items = [gv.NamedProblem(str(i), H, Counting(1.0), rtol=0, max_samples=2**15) for i in range(3)]
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    with ThreadPoolExecutor(2) as pool:
        swept(items, executor=pool)
    assert max(most) <= 2


def test_only_so_many_problems_are_made_ahead(monkeypatch):
    monkeypatch.setattr(run, "_IN_FLIGHT", 2)
    made, done, ahead = [], [], []

    class Counting(SlowLinear):
        def gradient(self, x):
            done.append(self.weight)
            return super().gradient(x)

    def maker(H, seed):
        made.append(seed)
        ahead.append(len(made) - len(set(done)))
        return Counting(1.0 + seed, 0.01)

    items = gv.grid(H=gv.Parities(30), model=maker, seed=range(8), rtol=0, max_samples=64)
    with ThreadPoolExecutor(1) as pool:
        results = swept(items, executor=pool)
    assert [row["seed"] for row in results] == made == list(range(8))
    assert max(ahead) <= 3


def test_what_is_not_an_executor_is_refused():
    for wrong in (2, ThreadPoolExecutor):
        with pytest.raises(TypeError, match="`executor` must be a"):
            swept(problems(1), executor=wrong)


# Kill -9 and Ctrl-C


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from slow import problems
import gradvar as gv
gv.sweep(problems(12, delay=0.02), path=sys.argv[2], progress=False)
"""


def start(path, script=SCRIPT, **arguments):
    return subprocess.Popen([sys.executable, "-c", script, str(HERE), str(path)], cwd=ROOT, text=True, **arguments)


def await_lines(path, n, process):
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < n:
        assert process.poll() is None or path.read_bytes().count(b"\n") >= n
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_again_and_again_nothing_is_lost_and_nothing_repeated(tmp_path):
    path = tmp_path / "f"
    rng = np.random.default_rng(0)
    kept = b""
    for goal in (1, 5, 9):
        process = start(path)
        await_lines(path, goal, process)
        time.sleep(rng.uniform(0, 0.08))
        process.kill()
        process.wait()
        content = path.read_bytes()
        assert content.startswith(kept)
        kept = content[: content.rindex(b"\n") + 1]
    assert start(path).wait() == 0
    assert path.read_bytes().startswith(kept)
    assert [line["parameters"]["model"] for line in lines(path)] == list(range(12))
    assert timeless(gv.SweepResults.read(path)) == timeless(swept(problems(12)))


def test_two_sweeps_of_one_file_at_once_repeat_nothing(tmp_path):
    path = tmp_path / "f"
    both = [start(path), start(path)]
    assert [process.wait() for process in both] == [0, 0]
    assert sorted(line["parameters"]["model"] for line in lines(path)) == list(range(12))


def test_ctrl_c_hands_back_the_records_and_the_estimate_so_far(tmp_path):
    path = tmp_path / "f"

    class Long(SlowLinear):
        calls = 0

        def predict(self, x):
            self.calls += 1
            if self.calls == 60:
                _thread.interrupt_main()
            return super().predict(x)

    long = gv.NamedProblem({"model": 9}, gv.Parities(30), Long(1.0, 0.01), rtol=0, max_samples=2**21)
    with pytest.raises(gv.Interrupted) as caught:
        swept([*problems(2), long, *problems(4)[2:]], path=path)
    estimate, results = caught.value.estimate, caught.value.results
    assert 0 < estimate.n_samples < 2**21
    assert [row["status"] for row in results] == ["done", "done", "interrupted"]
    row = results.to_dicts()[2]
    assert (row["value"], row["low"], row["n_samples"]) == (
        estimate.value,
        estimate.interval[0],
        estimate.n_samples,
    )
    assert row["bound"] is None
    assert "SweepResults(2 done, 1 interrupted" in str(caught.value)
    assert "Estimate(" in str(caught.value)
    assert gv.SweepResults.read(path).to_dicts() == results.to_dicts()
    shorter = dataclasses.replace(long, model=SlowLinear(1.0), max_samples=64)
    resumed = swept([*problems(2), shorter, *problems(4)[2:]], path=path)
    assert [row["status"] for row in resumed] == ["done"] * 5
    assert [line["parameters"]["model"] for line in lines(path)] == [0, 1, 9, 9, 2, 3]
    assert resumed.to_dicts()[:2] == results.to_dicts()[:2]


def test_ctrl_c_before_anything_is_finished():
    def interrupting(H):
        raise KeyboardInterrupt

    with pytest.raises(gv.Interrupted) as caught:
        swept([gv.NamedProblem("a", gv.Parities(4), interrupting)])
    assert caught.value.estimate is None
    (row,) = caught.value.results.to_dicts()
    assert (row["status"], row["value"]) == ("interrupted", None)


def test_ctrl_c_while_a_record_is_written_loses_and_repeats_nothing(tmp_path, monkeypatch):
    path, real, calls = tmp_path / "f", os.fsync, []

    def interrupted(file):
        calls.append(real(file))
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(gv.Interrupted) as caught:
        swept(problems(3), path=path)
    assert [row["status"] for row in caught.value.results] == ["done", "done"]
    assert [line["parameters"]["model"] for line in lines(path)] == [0, 1]
    calls.clear()
    with ThreadPoolExecutor(1) as pool, pytest.raises(gv.Interrupted):
        swept(problems(5), path=path, executor=pool)
    swept(problems(5), path=path)
    assert [line["parameters"]["model"] for line in lines(path)] == [0, 1, 2, 3, 4]


def test_a_full_disk_ends_the_sweep_and_what_was_submitted(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    made = set()

    class Counting(SlowLinear):
        def gradient(self, x):
            made.add(self.weight)
            return super().gradient(x)

    H = gv.Parities(30)
    items = [gv.NamedProblem(str(i), H, Counting(1.0 + i, 0.01), rtol=0, max_samples=64) for i in range(50)]
    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="No space left"):
        swept(items, path=tmp_path / "f", executor=pool)
    assert len(made) < 25
    assert (tmp_path / "f").read_bytes() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that ends a wait")
def test_ctrl_c_while_an_executor_works_keeps_what_is_finished():
    done = threading.Event()

    class Slow(SlowLinear):
        def predict(self, x):
            if not done.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                done.wait(30)
            return super().predict(x)

    H = gv.Parities(30)
    items = [*problems(2), *(gv.NamedProblem(f"slow {i}", H, Slow(1.0)) for i in range(3))]
    with ThreadPoolExecutor(1) as pool:
        try:
            with pytest.raises(gv.Interrupted) as caught:
                swept(items, executor=pool)
        finally:
            done.set()
    assert [row["status"] for row in caught.value.results] == ["done", "done"]
    assert caught.value.estimate is None


GROUP = """
import sys
sys.path.insert(0, sys.argv[1])
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from slow import SlowLinear, problems
import gradvar as gv
if __name__ == "__main__":
    long = gv.NamedProblem({"model": 9}, gv.Parities(30), SlowLinear(1.0, 0.01), rtol=0, max_samples=2**22)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        try:
            gv.sweep([*problems(2), long], path=sys.argv[2], progress=False, executor=pool)
        except gv.Interrupted as interrupt:
            print(interrupt.results)
"""


@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="needs fork and process groups")
def test_ctrl_c_in_a_terminal_reaches_the_workers_who_hand_back_what_they_have(tmp_path):
    path = tmp_path / "f"
    process = start(path, GROUP, stdout=subprocess.PIPE, start_new_session=True)
    await_lines(path, 2, process)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    found = lines(path)
    assert [line["status"] for line in found] == ["done", "done", "interrupted"]
    assert found[2]["n_samples"] > 0
    assert str(gv.SweepResults.read(path)).splitlines()[3].split()[:2] == out.splitlines()[3].split()[:2]


def test_a_worker_alone_that_is_interrupted_does_not_end_the_sweep():
    class Inline:
        def submit(self, function, item):
            future = Future()
            future.set_result(function(item))
            return future

    class Interrupting(SlowLinear):
        def predict(self, x):
            raise KeyboardInterrupt

    item = gv.NamedProblem("a", gv.Parities(30), Interrupting(1.0))
    results = swept([item, *problems(1)], executor=Inline())
    assert [row["status"] for row in results] == ["interrupted", "done"]


# What a user sees


def test_the_bar_shows_the_problem_and_the_number(terminal):
    gv.sweep(gv.grid(H=gv.Parities(4), model=gv.Linear([1.0] * 4), loss=["square", "hinge"]))
    err = terminal.readouterr().err
    assert "loss=hinge" in err
    assert "last 0.234375" in err
    assert "2/2" in err
    swept(problems(1))
    assert terminal.readouterr().err == ""


@pytest.mark.large
def test_the_bar_shows_the_estimate_of_the_problem_that_is_running(terminal):
    H, model = gv.SparseParities(30, 2), gv.MLP.random([30, 8, 8, 1], rng=0)
    items = [gv.NamedProblem("sampled", H, model, method="monte-carlo", rtol=0, max_samples=4096)]
    shown = gv.sweep(items)
    err = terminal.readouterr().err
    assert "sampled:" in err
    assert re.search(r"so far -?[\d.e-]+ ± ", err)
    assert "tile" not in err
    assert timeless(shown) == timeless(swept(items))
    assert terminal.readouterr().err == ""


def test_table_as_text_and_html():
    items = gv.grid(H=[gv.Parities(4), gv.Parities(6)], model=gv.Linear([1.0] * 4))
    with pytest.warns(UserWarning, match="1 of 2"):
        results = swept(items)
    head, first, second = str(results).splitlines()
    assert head.split() == ["dim", "variance", "bound", "ratio", "verdict", "method", "seconds"]
    assert first.split()[:5] == ["4", "0.234375", "0.25", "0.9375", "holds"]
    assert second.split()[:3] == ["6", "failed:", "ShapeError:"]
    html = results._repr_html_()
    assert html.count("<tr>") == 3
    assert "&lt;" not in str(results)
    assert str(swept(items[:1])).splitlines()[1].split()[0] == "Parities(dim=4)"
    assert len(results) == 2
    assert repr(swept([])) == "SweepResults(no problems)"
    assert swept([]).to_dicts() == []
    assert len(str(swept([])).splitlines()) == 1


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": "failed", "error": "E: why"}, "failed: E: why"),
        ({}, "unresolved"),
        ({"value": 0.5, "low": 0.5, "high": 0.5, "log2_high": -1.0}, "0.5"),
        ({"value": 0.5, "low": 0.4, "high": 0.6, "log2_high": -0.7}, "0.5 ± 0.1"),
        ({"value": -0.5, "low": -0.6, "high": -0.4}, "-0.5 ± 0.1"),
        ({"value": 0.0, "low": 0.0, "high": 0.0, "log2": -2000.0, "log2_high": -2000.0}, "8.70981e-603"),
        ({"value": 0.0, "low": 0.0, "high": 0.0, "log2": -2000.0, "log2_high": -1999.9}, "8.71e-603 ± 0.072 of it"),
    ],
)
def test_numbers_for_a_reader(fields, text):
    assert Record(**{"parameters": {}, "seed": 0, "status": "done", "seconds": 0.0, **fields}).text == text


def test_to_pandas_is_tidy(tmp_path):
    items = gv.grid(H=[gv.Parities(4), gv.Parities(6)], model=gv.Linear([1.0] * 4), loss=["square", "hinge"])
    with pytest.warns(UserWarning, match="2 of 4"):
        results = swept(items)
    table = results.to_pandas()
    assert list(table["dim"]) == [4, 4, 6, 6]
    assert table["value"].dtype == table["confidence"].dtype == np.float64
    assert list(table["value"].isna()) == [False, False, True, True]
    assert list(table.columns) == list(results.to_dicts()[0])
    assert table[table.status == "done"].groupby("loss").ratio.mean()["hinge"] > 0
    assert swept([]).to_pandas().empty


def test_without_pandas_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"gradient-variance\[pandas\]"):
        swept([]).to_pandas()


def test_nothing_but_the_failures_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        swept(problems(1))
    assert json.loads(json.dumps(swept(problems(1)).to_dicts()))[0]["seed"] == 0
