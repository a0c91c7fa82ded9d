"""What the comparison of architectures refuses, what a missing extra does, and the figure."""

import sys

from gradvar.experiments import architectures


def test_it_says_no_where_networks_differ_or_var_is_above_the_bound():
    rows = [
        {"dim": d, "architecture": name, "value": value / 2**d, "ratio": value, "verdict": "holds", "walsh": 1.0}
        for d, name, value in ((5, "a", 1.0), (5, "b", 1.0), (10, "a", 0.9), (10, "b", 1.1))
    ]
    wrong = [found.what for found in architectures._comparisons(rows, 5, 10) if not found.agrees]
    assert wrong == ["b, d = 10: Var over G²/|H|", "largest Var/G² over the smallest of them, d = 10"]
    rows[0] |= {"value": 0.5 / 2**5, "verdict": "violated", "walsh": 1.1}
    wrong = [found.what for found in architectures._comparisons(rows, 5, 10) if not found.agrees]
    assert len(wrong) == 5
    assert not architectures._of_convolution({"convolution": (0.5, 0.1, 0.1, 0.1, 0.1, 0.09, 0.01)})[0].agrees


def test_without_pytorch_its_bar_is_missing_and_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = architectures.run(dims=[3, 6], architectures=["attention", "torch transformer"])
    assert result.agrees
    assert {row["architecture"] for row in result} == {"attention"}
    assert result.notes[0].startswith("no bar for the torch transformer: ")


def test_the_figure_has_a_bar_and_two_lines_for_each_and_the_bound():
    bars, over_d, degrees = architectures.run(dims=[5, 6], architectures=["convolution", "attention"]).plot()
    assert len(bars.patches) == 2
    assert bars.lines[0].get_xdata()[0] == 2.0**-6
    assert [line.get_label() for line in over_d.lines] == ["convolution", "attention", "1/|H| = 2^-d"]
    assert [len(line.get_ydata()) for line in degrees.lines] == [7, 7]
