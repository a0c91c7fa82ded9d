"""Plots of sweeps: what is drawn is what was found."""

import itertools

import matplotlib
import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments.sweep.records import Record
from gradvar.results.plots_style import COLOURS

matplotlib.use("agg")

import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def record(d, number, loss="square", seed=0, **fields):
    value, low, high, bound = number, number - 0.1 * abs(number), number + 0.1 * abs(number), 1 / d**2
    logs = [np.log2(v) if v > 0 else None for v in (value, low, high, bound)]
    values = {
        "status": "done",
        "value": value,
        "low": low,
        "high": high,
        "log2": logs[0],
        "log2_low": logs[1],
        "log2_high": logs[2],
        "bound": bound,
        "log2_bound": logs[3],
        "ratio": value / bound,
        "ratio_low": low / bound,
        "ratio_high": high / bound,
        "seconds": 1.0 + d,
        **fields,
    }
    return Record(parameters={"H": f"P{d}", "dim": d, "loss": loss, "seed": seed}, seed=seed, **values)


def results(*records):
    return gv.SweepResults(tuple(records))


@pytest.fixture
def grid():
    return results(
        *(
            record(d, scale / d**2, loss, seed)
            for d in (15, 5, 10)
            for loss, scale in (("square", 0.9), ("hinge", 0.5))
            for seed in (0, 1)
        )
    )


def solid(ax):
    """The lines with an error bar: (x, y, lower ends, upper ends, colour)."""
    found = []
    for container in ax.containers:
        line, _, bars = container.lines
        ends = np.array([segment[:, 1] for segment in bars[0].get_segments() if len(segment)])
        found.append((line.get_xdata(), line.get_ydata(), ends, line.get_color()))
    return found


@pytest.mark.parametrize("y", ["value", "ratio", "log2"])
def test_lines_intervals_and_bounds_are_the_records(grid, y):
    ax = grid.plot("dim", y)
    lines = solid(ax)
    assert len(lines) == 4
    ends = {"value": ("low", "high"), "ratio": ("ratio_low", "ratio_high"), "log2": ("log2_low", "log2_high")}[y]
    for (loss, seed), (x, height, bars, _) in zip(
        [("square", 0), ("square", 1), ("hinge", 0), ("hinge", 1)], lines, strict=True
    ):
        rows = {row["dim"]: row for row in grid if (row["loss"], row["seed"]) == (loss, seed)}
        np.testing.assert_array_equal(x, [5, 10, 15])
        np.testing.assert_array_equal(height, [rows[d][y] for d in (5, 10, 15)])
        np.testing.assert_allclose(bars, [[rows[d][end] for end in ends] for d in (5, 10, 15)], rtol=1e-12)
    assert lines[0][3] == lines[1][3] != lines[2][3] == lines[3][3]
    assert sorted(text.get_text() for text in ax.get_legend().get_texts()) == ["bound", "loss=hinge", "loss=square"]
    dashed = [line for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xdata())]
    if y == "ratio":
        assert [list(line.get_ydata()) for line in dashed] == [[1.0, 1.0]]
        assert ax.get_yscale() == "linear"
    else:
        bound = {"value": "bound", "log2": "log2_bound"}[y]
        expected = [{row["dim"]: row[bound] for row in grid}[d] for d in (5, 10, 15)]
        assert [list(line.get_ydata()) for line in dashed] == [expected] * 4
        assert ax.get_yscale() == ("log" if y == "value" else "linear")
    assert ax.get_xlabel() == "dim"
    assert "gradient variance" in ax.get_ylabel()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["5", "10", "15"]
    ax.figure.canvas.draw()


def test_names_are_put_side_by_side_and_other_columns_are_drawn(grid):
    _, ax = plt.subplots()
    assert grid.plot("loss", "seconds", ax) is ax
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["square", "hinge"]
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"dim=5", "dim=10", "dim=15"}
    assert [line for line in ax.lines if line.get_linestyle() in ("-", "--")] == []


def test_seeds_can_be_the_axis(grid):
    ax = grid.plot("seed", "ratio")
    assert len(solid(ax)) == 6
    assert all(list(x) == [0, 1] for x, *_ in solid(ax))


def test_what_is_not_positive_is_an_upper_end_on_a_logarithmic_axis():
    ax = results(record(1, 1.0), record(2, -1e-3, low=-3e-3, high=1e-3), record(3, 1e-5), record(4, 0.0)).plot(
        "dim", "value"
    )
    assert ax.get_yscale() == "log"
    (triangles,) = (line for line in ax.lines if line.get_marker() == "v")
    assert list(triangles.get_xdata()) == [2, 4]
    assert triangles.get_ydata()[0] == 1e-3
    assert 0 < triangles.get_ydata()[1] < 1e-5
    assert ax.get_ylim()[0] < triangles.get_ydata()[1]
    ((_x, y, *_),) = solid(ax)
    assert list(np.isnan(np.asarray(y, dtype=float))) == [False, True, False, True]
    ax.figure.canvas.draw()


def test_what_has_no_number_is_counted():
    failed = record(3, 1.0, status="failed", value=None, error="E: why")
    unresolved = record(4, 1.0, value=None)
    ax = results(record(1, 1.0), record(2, 0.5), failed, unresolved).plot("dim", "value")
    assert ax.get_title(loc="right") == "2 of 4 problems have no number to show"


def test_dimensions_that_range_widely_are_on_a_logarithmic_axis(grid):
    assert results(record(10, 1.0), record(1000, 0.5)).plot("dim", "ratio_low").get_xscale() == "log"
    assert grid.plot("dim").get_xscale() == "linear"


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ("degree", "ratio", "`x` must be one of 'H', 'dim', .*, got 'degree'"),
        ("dim", "variance", "`y` must be one of .*, got 'variance'"),
        ("dim", "verdict", "`y` must be a column of numbers|no problem has 'verdict'"),
        ("dim", "method", "no problem has 'method' to draw over 'dim'"),
        ("dim", "loss", "`y` must be a column of numbers, got 'loss'"),
    ],
)
def test_plot_refuses(grid, x, y, message):
    with pytest.raises(ValueError, match=message):
        grid.plot(x, y)


def test_values_that_underflow_are_refused_and_the_logarithm_is_drawn():
    tiny = results(record(1, 1.0), record(5000, 0.0, log2=-5000.0, log2_low=-5000.1, log2_high=-4999.9, ratio=1.0))
    with pytest.raises(ValueError, match="draw y='log2'"):
        tiny.plot("dim", "value")
    ((_, y, *_),) = solid(tiny.plot("dim", "log2"))
    assert list(y) == [0.0, -5000.0]


def test_colours_are_told_apart_and_the_legend_stands_beside_the_data():
    ax = results(*(record(d, (1 + i) / d**2, f"l{i}") for d in (5, 10) for i in range(24))).plot("dim", "value")
    looks = [(line.get_color(), line.get_marker()) for line in (c.lines[0] for c in ax.containers)]
    assert len({colour for colour, _ in looks}) == len(looks) == 24
    assert all(one[1] != other[1] for one, other in itertools.pairwise(looks))
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1
    assert ax.get_legend().get_window_extent().y0 >= 0


def test_what_is_unresolved_is_a_cross_at_the_foot():
    rows = (record(1, 1.0), record(2, 0.5), record(3, 7.0, low=None, high=None), record(4, 1.0, value=None, ratio=None))
    for y in ("value", "ratio"):
        ax = results(*rows).plot("dim", y)
        crosses = [line for line in ax.lines if line.get_marker() == "x" and len(line.get_xdata())]
        assert [list(line.get_xdata()) for line in crosses] == [[3], [4]]
        assert all(line.get_transform() != ax.transData for line in crosses)
        assert np.isnan(solid(ax)[0][1][2:]).all()
        assert "unresolved" in [text.get_text() for text in ax.get_legend().get_texts()]
    with pytest.raises(ValueError, match="no problem has 'value' to draw"):
        results(*rows[2:]).plot("dim", "value")


def test_categories_do_not_overlap():
    names = [f"a rather long name of a loss {i}" for i in range(8)]
    ax = results(*(record(d, 1 / d, name) for name in names for d in (5, 10, 15))).plot("loss", "value")
    ax.figure.canvas.draw()
    places = np.sort([x for line, *_ in (c.lines for c in ax.containers) for x in line.get_xdata()])
    assert np.diff(places).min() > 0.15
    assert all(abs(place - round(place)) < 0.5 for place in places)
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    # turned by 30 degrees, lines of text do not meet where their feet are further apart than their height / sin 30
    assert all(label.get_rotation() == 30 for label in ax.get_xticklabels())
    assert np.diff([box.x1 for box in boxes]).min() > 2 * 10 * ax.figure.dpi / 72


def test_hue_and_facets(grid):
    ax = grid.plot("dim", "value", hue="seed", facets="loss")
    first, second = ax.figure.axes
    assert (first.get_title(), second.get_title()) == ("loss = square", "loss = hinge")
    assert first.get_ylim() == second.get_ylim()
    for panel in (first, second):
        assert [line[3] for line in solid(panel)] == list(COLOURS[:2])
    (legend,) = ax.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["seed=0", "seed=1", "bound"]
    assert len(results(*(record(5, 1.0, f"l{i}") for i in range(4))).plot("dim", facets="loss").figure.axes) == 4
    with pytest.raises(ValueError, match="`ax` must be None with `facets`"):
        grid.plot("dim", ax=first, facets="loss")
    with pytest.raises(ValueError, match="`hue or facets` must be one of"):
        grid.plot("dim", hue="width")


def test_means_have_a_band(grid):
    means = grid.mean_over("seed")
    ax = means.plot("dim", "value", hue="loss")
    bands = ax.collections
    assert len(bands) == 2
    row = next(row for row in means if (row["dim"], row["loss"]) == (10, "square"))
    heights = bands[0].get_paths()[0].vertices
    at_10 = heights[heights[:, 0] == 10, 1]
    assert (at_10.min(), at_10.max()) == (row["low"], row["high"])
    assert means.plot("loss", "ratio").collections  # error bars, side by side
