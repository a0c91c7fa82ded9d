"""Results and bars where they are shown: tables in the colours of the page, bars where somebody looks, completion."""

import inspect
import json
import re
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.bars import base, is_watched, tqdm

pytestmark = pytest.mark.large

MLP = gv.MLP.random([6, 5, 1], rng=0)
H = gv.SparseParities(6, 2)
CHECK = gv.bound_check(H, MLP)
UNRESOLVED = replace(CHECK.variance, resolved=False, exact=False, confidence=0.95)
SWEEP = gv.sweep(
    gv.grid(
        H={"<b>": H, "two": gv.Parities(4)}, model=lambda H, seed: gv.MLP.random([H.dim, 3, 1], rng=seed), seed=range(2)
    ),
    progress=False,
)
RUN = gv.descend(gv.Parities(6).member(7), MLP, steps=20, learning_rate=0.01, record=5, rng=0)
RESULTS = {
    "BoundCheck": CHECK,
    "Bound": CHECK.bounds["theorem-1"],
    "Estimate": CHECK.variance,
    "Estimate, unresolved": UNRESOLVED,
    "Estimate, far away": CHECK.variance.scaled(-20_000),
    "LayerEstimates": gv.gradient_variance(H, MLP, by="layer"),
    "LayerEstimates, unresolved": gv.LayerEstimates({"<w>": UNRESOLVED, "v": CHECK.variance}),
    "SweepResults": SWEEP,
    "SweepResults, none": gv.SweepResults(()),
    "SweepMeans": SWEEP.mean_over(),
    "Along": gv.along(gv.Parities(6), RUN),
    "Descent": RUN,
    "Theorem2": gv.Theorem2(10, 3.0),
    "TargetSignal": gv.target_signal(gv.Parities(6).member(7), MLP),
    "ClassSpectrum": gv.class_spectrum(H.on(np.random.default_rng(0).choice([-1.0, 1.0], (9, 6)))),
    "Reproduction": gv.experiments.discrete_log.run(primes=[17], widths=[4]),
    "CheckReport": gv.testing.check_hypothesis_class(gv.Parities(3)),
}


class Page(HTMLParser):
    """The cells of the tables of a page, the text of it, and what is not closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.words, self.styles, self.tables = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)
        self.styles += [value for name, value in attrs if name in ("style", "class", "bgcolor", "color")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


SHOWN = [name for name in RESULTS if name != "Bound"]


@pytest.mark.parametrize("name", SHOWN)
def test_html_is_whole_and_has_no_colours_of_its_own(name):
    page = Page(RESULTS[name]._repr_html_())
    assert page.open == []
    assert page.tables
    for table in page.tables:
        assert len({len(row) for row in table}) == 1
        assert all(row != [] for row in table)
    styles = " ".join(page.styles)
    assert not re.search(r"colou?r|background|#[0-9a-f]{3}|rgb|font|width: *\d+px", styles.replace("max-width", ""))
    assert page.styles.count("overflow:auto;max-width:100%;max-height:40em") == len(page.tables), (
        "no wider than the page"
    )


def test_html_has_the_numbers_of_the_results():
    (table,) = Page(RESULTS["Estimate"]._repr_html_()).tables
    assert table[1] == [f"{CHECK.variance.value:.6g}", "exact", CHECK.variance.guarantee]
    assert Page(RESULTS["Estimate, unresolved"]._repr_html_()).tables[0][1][:2] == ["unresolved", "unresolved"]
    layers = RESULTS["LayerEstimates"]
    (table,) = Page(layers._repr_html_()).tables
    assert [row[:2] for row in table[1:]] == [[name, f"{found.value:.6g}"] for name, found in layers.items()]
    (table,) = Page(SWEEP._repr_html_()).tables
    assert len(table) == 5
    assert [row[2] for row in table[1:]] == [f"{row['value']:.6g}" for row in SWEEP]
    assert Page(RESULTS["LayerEstimates, unresolved"]._repr_html_()).tables[0][1][0] == "<w>"
    (table,) = Page(RUN._repr_html_()).tables
    assert [row[0] for row in table[1:]] == [str(step) for step in RUN.steps]
    theorem = RESULTS["Theorem2"]
    (table,) = Page(theorem._repr_html_()).tables
    assert {row[0]: row[1] for row in table[1:]} == {
        name: f"{getattr(theorem, name):.6g}" for name in ("sharp", "sharp_uncentred", "explicit", "tail", "tail_sum")
    }
    signal = RESULTS["TargetSignal"]
    (table,) = Page(signal._repr_html_()).tables
    assert [(row[0], row[2]) for row in table[1:]] == [
        (name, f"{np.linalg.norm(part):.6g}") for name, part in signal.layers.items()
    ]
    report = RESULTS["CheckReport"]
    (table,) = Page(report._repr_html_()).tables
    assert [(row[0], row[1]) for row in table[1:]] == [(result.name, result.status) for result in report]
    found = RESULTS["Reproduction"]
    compared, rows = Page(found._repr_html_()).tables
    assert [row[-1] for row in compared[1:]] == ["yes" if c.agrees else "NO" for c in found.comparisons]
    assert len(rows) == 1 + len(found.rows)
    tables = Page(CHECK._repr_html_()).tables
    assert len(tables) == 3
    assert len(tables[1]) == 1 + len(CHECK.bounds)


@pytest.mark.parametrize("name", RESULTS)
def test_completion_is_quick_and_silent(name):
    """Completers look at every attribute: none computes for long, warns, raises or draws."""
    result = RESULTS[name]
    shown = [attribute for attribute in dir(result) if not attribute.startswith("_")]
    assert shown
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for attribute in shown:
            getattr(result, attribute)
    assert time.process_time() - start < 1.0


def test_keys_are_completed():
    layers = RESULTS["LayerEstimates"]
    assert layers._ipython_key_completions_() == list(MLP.layers)
    assert isinstance(CHECK.bounds, dict)


def test_the_package_lists_public_names_alone():
    shown = dir(gv)
    assert {"bound_check", "MLP", "class_spectrum", "plot_degree_spectrum"} <= set(shown)
    assert [name for name in shown if name.startswith("_") and name != "__version__"] == []
    for private in ("core", "kernels", "results", "verbs", "lazy_loader", "estimation", "np"):
        assert private not in shown
    for name in shown:
        getattr(gv, name)
    assert sorted(set(shown)) == sorted(shown)


VERBS = ["bound_check", "gradient_variance", "gradient_alignment", "target_signal", "degree_spectrum", "sweep", "grid"]
VERBS += ["class_spectrum", "population_loss", "descend", "along", "plot_degree_spectrum"]


@pytest.mark.parametrize("name", VERBS)
def test_signatures_show_what_is_taken_where_nothing_is_given(name):
    for parameter in inspect.signature(getattr(gv, name)).parameters.values():
        if parameter.default is not inspect.Parameter.empty:
            assert isinstance(parameter.default, (bool, int, float, str, tuple, type(None))), parameter
        assert not (parameter.kind is parameter.VAR_KEYWORD and name != "grid"), "keywords that nobody says"


CODE = "import gradvar as gv; gv.sweep(gv.grid(H=gv.Parities(4), model=gv.Linear([1.0] * 4))); gv.gradient_variance("
CODE += "gv.SparseParities(30, 2), gv.MLP.random([30, 3, 3, 1], rng=0), rng=0, max_samples=1024, rtol=0, progress=True)"


def test_a_terminal_is_watched_and_a_file_is_not(monkeypatch):
    for answer in (True, False):
        monkeypatch.setattr(sys, "stderr", type("Stream", (), {"isatty": lambda self, answer=answer: answer})())
        assert is_watched() == answer
    monkeypatch.setattr(sys, "stderr", None)
    assert not is_watched()


def test_no_bar_in_a_file():
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_one_line_in_a_terminal(terminal):
    for _ in tqdm(range(50), unit="step"):
        time.sleep(0.003)
    shown = terminal.readouterr().err
    assert "50/50" in shown
    assert shown.count("\n") == 1
    assert shown.endswith("\n")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("by_hand", [False, True])
def test_nothing_is_left_behind_by_an_exception(terminal, error, by_hand):
    before = set(threading.enumerate())

    def work():
        if by_hand:
            with tqdm(total=9, unit="step") as bar:
                bar.update()
                raise error
        for number in tqdm(range(9), unit="step"):
            if number == 3:
                raise error

    with pytest.raises(error):
        work()
    shown = terminal.readouterr().err
    assert shown.endswith("\r")
    assert shown.split("\r")[-2].strip() == "", "the line is cleared"
    assert list(base._instances) == []
    assert set(threading.enumerate()) == before


def test_bars_are_counted_and_described(terminal):
    assert list(tqdm([3, 4], unit="thing", desc="named")) == [3, 4]
    assert "named: 100%" in terminal.readouterr().err
    assert list(tqdm([3, 4], unit="thing", disable=True)) == [3, 4]
    assert terminal.readouterr().err == ""


def test_a_notebook_shows_a_bar_without_a_warning(tmp_path):
    """A kernel says that its stderr is no terminal, and is watched all the same."""
    code = (
        "import sys, types\n"
        "class Shell:\n    config = {'IPKernelApp': {}}\n"
        "sys.modules['IPython'] = module = types.ModuleType('IPython'); module.get_ipython = Shell\n"
        "from gradvar.core.bars import tqdm\n"
        "import json\nprint(json.dumps(list(tqdm([1], unit='step'))))"
    )
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [1]
    assert "1/1" in done.stderr
    assert "Warning" not in done.stderr
