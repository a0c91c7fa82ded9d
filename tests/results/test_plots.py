"""Every plot: what all of them keep to, and that what is drawn are the numbers of the result."""

import itertools
import math
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.results.plots import plot_estimates
from gradvar.results.plots_style import AT_MOST, COLOURS, UNRESOLVED, pyplot, style

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib import colors

pytestmark = pytest.mark.large

DEEP = gv.MLP.random([30, 8, 8, 1], rng=0)
MLP = gv.MLP.random([6, 5, 1], rng=0)


def number(mantissa, low, high, exponent=0, resolved=True, exact=False):
    return gv.Estimate(
        mantissa=mantissa,
        exponent=exponent,
        mantissa_interval=(low, high),
        resolved=resolved,
        exact=exact,
        method="monte-carlo",
        guarantee="",
        confidence=None if exact else 0.95,
    )


NUMBERS = {
    "ordinary": number(1.0, 0.8, 1.2),
    "tiny": number(1.0, 0.8, 1.2, -997),  # 1e-300
    "beyond float64": number(1.0, 0.8, 1.2, -20_000),
    "unresolved": number(1.0, 0.0, 0.0, resolved=False),
    "negative": number(-1.0, -3.0, 1.0, -10),
    "all negative": number(-1.0, -3.0, -0.5, -10),
    "zero": number(0.0, 0.0, 0.0, exact=True),
    "down to zero": number(1.0, -1.0, 3.0),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def checked(variance, template=gv.bound_check(gv.SparseParities(6, 2), MLP)):  # noqa: B008 - made once
    shift = variance.exponent
    moved = {
        name: replace(b, log2=b.log2 + shift, log2_interval=tuple(end + shift for end in b.log2_interval))
        for name, b in template.bounds.items()
    }
    return replace(template, variance=variance, bounds=moved)


def swept(*numbers):
    """A sweep over d of checks with these variances."""
    from gradvar.experiments.sweep.records import Record

    return gv.SweepResults(
        tuple(Record.of_check({"dim": d, "seed": 0}, 0, MLP, checked(n), 1.0) for d, n in enumerate(numbers, start=1))
    )


def followed(*variances):
    found = gv.along(gv.SparseParities(6, 2))
    for step, variance in enumerate(variances):
        found.record(step, MLP)
        found.checks[step] = checked(variance)
    found.records = list(swept(*variances).records)
    found.records = [replace(record, parameters={"step": i}) for i, record in enumerate(found.records)]
    return found


def measured(variance):
    return {1.0: gv.bound_check(gv.LinearPeriodic(3, 1.0), gv.Cosine([1.0, 0, 0])), 1.5: checked(variance)}


SPECTRUM = gv.class_spectrum(gv.FiniteClass(np.eye(4) - 0.2, np.arange(4.0)[:, None]))
RUN = gv.descend(gv.Parities(6).member(7), MLP, steps=20, learning_rate=0.01, record=5, rng=0)
DEAD = gv.MLP([np.zeros((3, 6)), np.zeros((1, 3))], [-np.ones(3), None], "relu")
DEAD_RUN = gv.descend(gv.Parities(6).member(7), DEAD, steps=4, learning_rate=0.1, record=2, rng=0)
HARD = {kind: NUMBERS[kind] for kind in ("beyond float64", "unresolved", "negative", "zero")}
PLOTS = {
    **{f"bound check, {kind}": checked(n).plot for kind, n in NUMBERS.items()},
    **{
        f"layers, {kind}": gv.LayerEstimates({"first": NUMBERS["ordinary"].scaled(n.exponent), "last": n}).plot
        for kind, n in HARD.items()
    },
    "layers, one": gv.LayerEstimates({"only": NUMBERS["ordinary"]}).plot,
    "layers, many": gv.LayerEstimates({f"weights[{i}]": NUMBERS["ordinary"] for i in range(40)}).plot,
    **{
        f"degrees, {kind}": lambda ax=None, n=n: gv.plot_degree_spectrum({1: NUMBERS["ordinary"], 5: n}, ax)
        for kind, n in HARD.items()
    },
    "degrees, array": lambda ax=None: gv.plot_degree_spectrum(gv.degree_spectrum(MLP), ax),
    "degrees, tiny array": lambda ax=None: gv.plot_degree_spectrum(gv.degree_spectrum(MLP) * 1e-300, ax),
    "degrees, zeros": lambda ax=None: gv.plot_degree_spectrum([0.0, 1.0, 0.0], ax),
    "degrees, one": lambda ax=None: gv.plot_degree_spectrum([0.5], ax),
    "spectrum": SPECTRUM.plot,
    "spectrum, tiny": replace(SPECTRUM, log2_eigenvalues=SPECTRUM.log2_eigenvalues - 20_000).plot,
    "spectrum, formula": gv.class_spectrum(gv.Parities(10_000)).plot,
    "spectrum, one": gv.class_spectrum(gv.FiniteClass([[1.0, 1.0]], [[0.0], [1.0]]), centred=False).plot,
    "spectrum, none": gv.class_spectrum(gv.FiniteClass([[1.0, 1.0]], [[0.0], [1.0]])).plot,
    "spectrum, many": gv.class_spectrum(gv.Parities(30).on(np.random.default_rng(0).choice([-1.0, 1], (300, 30)))).plot,
    **{
        f"sweep, {kind}": lambda ax=None, n=n: swept(NUMBERS["ordinary"], n, NUMBERS["negative"]).plot(
            "dim", "log2", ax
        )
        for kind, n in HARD.items()
    },
    "sweep, value 1e-300": lambda ax=None: swept(*(NUMBERS["tiny"].scaled(-5 * i) for i in range(3))).plot(
        "dim", "value", ax
    ),
    "sweep, one": lambda ax=None: swept(NUMBERS["ordinary"]).plot("dim", "value", ax),
    "sweep, many": lambda ax=None: swept(*(NUMBERS["ordinary"].scaled(-i) for i in range(200))).plot(
        "dim", "value", ax
    ),
    "means": lambda ax=None: (
        swept(*(NUMBERS["ordinary"].scaled(-i) for i in range(3))).mean_over().plot("dim", "value", ax)
    ),
    **{
        f"along, {kind}": lambda ax=None, n=n: followed(NUMBERS["ordinary"], n).plot(y="log2", ax=ax)
        for kind, n in HARD.items()
    },
    "along, one": lambda ax=None: followed(NUMBERS["ordinary"]).plot(ax=ax),
    "along, with its target": lambda ax=None: gv.along(gv.Parities(6), RUN).plot(ax=ax),
    "along, without a gradient": lambda ax=None: gv.along(gv.Parities(6), DEAD_RUN).plot(ax=ax),
    "descent": RUN.plot,
    "descent, one": replace(RUN, steps=RUN.steps[:1], losses=RUN.losses[:1], accuracies=RUN.accuracies[:1]).plot,
    "descent, tiny": replace(RUN, losses=RUN.losses * 1e-300).plot,
    "Theorem 2": gv.Theorem2(10, 4.0).plot,
    "Theorem 2, over d": lambda ax=None: gv.Theorem2(3000, 60.0).plot(ax, over="dim"),
    **{
        f"Theorem 2, {kind}": lambda ax=None, n=n: gv.Theorem2(3, 2.0).plot(ax, measured=measured(n))
        for kind, n in HARD.items()
    },
}


def looks_of(ax):
    """The markers and dashes of each colour."""
    found = {}
    for line in (line for panel in ax.figure.axes for line in panel.lines):
        if line.get_label()[:1] != "_" or line.get_marker() not in ("None", None):
            found.setdefault(colors.to_hex(line.get_color()), set()).add((line.get_marker(), line.get_linestyle()))
    return found


@pytest.mark.parametrize("name", PLOTS)
def test_what_every_plot_keeps_to(name, monkeypatch):
    """No global style, no window, no other axes; axes named, finite, showing all; no difference by colour alone."""
    monkeypatch.setattr(pyplot(), "show", lambda *_: pytest.fail("a window was asked for"))
    before = dict(matplotlib.rcParams)
    figure, (given_ax, other) = plt.subplots(1, 2)
    assert PLOTS[name](ax=given_ax) is given_ax
    assert plt.get_fignums() == [figure.number]
    assert not other.has_data()
    assert not other.get_xlabel()
    ax = PLOTS[name]()
    assert len(plt.get_fignums()) == 2
    assert ax.figure is not figure
    ax.figure.canvas.draw()  # a warning is an error
    assert dict(matplotlib.rcParams) == before

    assert ax.get_xlabel()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert ax.get_ylabel() or any(name.strip("0123456789.−-") for name in names)
    limits = np.sort([ax.get_xlim(), ax.get_ylim()])
    assert np.isfinite(limits).all()
    low, high = limits.T
    assert (low < high).all()
    for line in ax.lines:
        if line.get_transform() == ax.transData and line.get_marker() not in ("None", None, "", "|", "_"):
            points = np.asarray(line.get_xydata(), dtype=float)
            points, room = points[np.isfinite(points).all(axis=1)], 1e-9 * (high - low)
            assert ((points >= low - room) & (points <= high + room)).all(), line
    for axis, (least, most) in ((ax.xaxis, limits[0]), (ax.yaxis, limits[1])):
        ticks = [t.label1.get_text() for t in axis.get_major_ticks() if least <= t.get_loc() <= most]
        assert len(set(ticks)) == len(ticks), "two ticks of one name"

    looks = looks_of(ax)
    assert set(looks) <= {colors.to_hex(colour) for colour in (*COLOURS, "0.45")}
    if not name.startswith("bound check"):  # whose rows have names
        for one, another in itertools.combinations(looks.values(), 2):
            assert one != another


@pytest.mark.parametrize("name", ["along, with its target", "sweep, one", "degrees, array", "layers, unresolved"])
def test_nothing_is_drawn_in_the_colour_of_a_dark_background(name):
    with plt.style.context("dark_background"):
        ax = PLOTS[name]()
        behind = colors.to_hex(ax.get_facecolor())
        assert behind == "#000000"
        assert behind not in looks_of(ax)


def test_many_lines_have_a_range_of_colours_that_grey_keeps_apart():
    from gradvar.results.plots_sweep import _styles

    for count in (1, 7, 8, 30):
        shades = [colors.to_rgb(look["color"]) for look in _styles(count)]
        grey = np.array(shades) @ [0.299, 0.587, 0.114]
        assert len(set(shades)) == count
        if count > 7:
            assert (np.diff(grey) > 0).all()
        assert all(a["marker"] != b["marker"] for a, b in itertools.pairwise(_styles(count)))
    assert len({(style(i)["color"], style(i)["linestyle"]) for i in range(28)}) == 28


ESTIMATES = st.builds(
    lambda mantissa, below, above, exponent, resolved: number(
        mantissa, mantissa - below, mantissa + above, exponent, resolved
    ),
    st.floats(-8, 8).map(lambda x: round(x, 3)),
    st.floats(0.001, 9),
    st.floats(0.001, 9),
    st.integers(-20_000, 20_000),
    st.booleans(),
)


def marks(ax, marker):
    return [
        line for line in ax.lines if line.get_marker() == marker and len(line.get_xdata()) and line.axes is not None
    ]


def log2(value, exponent):
    return math.log2(value) + exponent


@settings(deadline=None, max_examples=20)
@given(ESTIMATES)
def test_the_variance_of_a_check_is_drawn_as_it_is_known(variance):
    plt.close("all")
    ax = checked(variance).plot()
    said, *titles = [label.get_text() for label in ax.get_yticklabels()]
    low, high = variance.mantissa_interval
    full = [line for line in marks(ax, "o") if line.get_fillstyle() == "full"]
    if not variance.resolved:
        assert (said, full) == ("Var, unresolved", [])
        (cross,) = marks(ax, "x")
        assert cross.get_transform() != ax.transData
    elif variance.mantissa > 0:
        assert said == "Var, with interval"
        assert_allclose([line.get_xydata()[0] for line in full], [[log2(variance.mantissa, variance.exponent), 0]])
        (line,) = (line for line in ax.lines if line.get_linestyle() == "-" and list(line.get_ydata()) == [0, 0])
        left, right = line.get_xdata()
        assert right == pytest.approx(log2(high, variance.exponent), abs=1e-9)
        assert left == (pytest.approx(log2(low, variance.exponent), abs=1e-9) if low > 0 else ax.get_xlim()[0])
    elif high > 0:
        assert (said, full) == ("Var, at most", [])
        (end,) = marks(ax, "<")
        assert end.get_xdata()[0] == pytest.approx(log2(high, variance.exponent), abs=1e-9)
    else:
        assert (said, full) == ("Var = 0" if variance.mantissa == 0 else "Var < 0", [])
    assert len(titles) == sum(math.isfinite(bound.log2) for bound in checked(variance).bounds.values())
    plt.close("all")


def test_the_bounds_of_a_check_are_drawn_with_their_intervals_and_the_one_of_the_verdict_marked():
    check = gv.bound_check(gv.FiniteClass(np.eye(4) - 0.2, np.arange(4.0)[:, None]), gv.Linear([1.0]))
    name = check.bound_name
    check.bounds[name] = replace(check.bounds[name], log2_interval=(check.log2_bound - 1, check.log2_bound + 2))
    ax = check.plot()
    rows = [bound for bound in check.bounds.values() if math.isfinite(bound.log2)]
    diamonds = marks(ax, "D")
    assert [line.get_xdata()[0] for line in diamonds] == [bound.log2 for bound in rows]
    assert [line.get_fillstyle() == "full" for line in diamonds] == [bound.applicable for bound in rows]
    assert any(not bound.applicable for bound in rows)
    assert [line.get_color() == COLOURS[1] for line in diamonds] == [bound.name == name for bound in rows]
    drawn = [
        tuple(line.get_xdata()) for line in ax.lines if line.get_linestyle() == "-" and line.get_color() == COLOURS[1]
    ]
    assert drawn == [(check.log2_bound - 1, check.log2_bound + 2)]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert ["not applicable" in label for label in labels[1:]] == [not bound.applicable for bound in rows]


def test_an_unresolved_variance_with_a_lower_limit_is_drawn_from_there():
    ax = checked(number(3.0, 2.0, math.inf, -40, resolved=False)).plot()
    assert ax.get_yticklabels()[0].get_text() == "Var, at least"
    (end,) = marks(ax, ">")
    assert end.get_xdata()[0] == -39


@settings(deadline=None, max_examples=20)
@given(st.lists(ESTIMATES, min_size=1, max_size=6))
def test_estimates_on_an_axis_of_powers_are_drawn_as_they_are_known(estimates):
    plt.close("all")
    _, ax = plt.subplots()
    at = np.arange(len(estimates)) * 2.0
    plot_estimates(ax, at, estimates, "name", 2)
    (container,) = ax.containers
    line, _, (bars,) = container.lines
    ends = {round(segment[0, 0], 6): segment[:, 1] for segment in bars.get_segments() if len(segment)}
    crosses = sorted(x for mark in marks(ax, "x") for x in mark.get_xdata())
    under = {x: y for mark in marks(ax, "v") for x, y in zip(mark.get_xdata(), mark.get_ydata(), strict=True)}
    shown = [log2(e.mantissa, e.exponent) for e in estimates if e.resolved and e.mantissa > 0]
    for x, found, y in zip(at, estimates, line.get_ydata(), strict=True):
        low, high = found.mantissa_interval
        assert (x in crosses) == (not found.resolved)
        assert (x in under) == (found.resolved and found.mantissa <= 0)
        assert math.isnan(y) == (not found.resolved or found.mantissa <= 0)
        if not math.isnan(y):
            assert y == pytest.approx(log2(found.mantissa, found.exponent), abs=1e-9)
            assert ends[x][1] == pytest.approx(log2(high, found.exponent), abs=1e-6)
            if low > 0:
                assert ends[x][0] == pytest.approx(log2(low, found.exponent), abs=1e-6)
            else:
                assert ends[x][0] < min(shown), "it goes on below all"
        if x in under and high > 0:
            assert under[x] == pytest.approx(log2(high, found.exponent), abs=1e-9)
    legend = {text.get_text() for text in ax.get_legend().get_texts()}
    assert legend == {"name"} | ({UNRESOLVED} if crosses else set()) | ({AT_MOST} if under else set())
    plt.close("all")


@settings(deadline=None, max_examples=20)
@given(st.lists(ESTIMATES, min_size=1, max_size=5))
def test_layers_are_bars_in_one_unit(estimates):
    plt.close("all")
    ax = gv.LayerEstimates({f"l{i}": found for i, found in enumerate(estimates)}).plot()
    unit = int(ax.get_xlabel().partition("2^{")[2].partition("}")[0] or 0)
    resolved = [(i, found) for i, found in enumerate(estimates) if found.resolved]
    assert [(bar.get_y() + 0.4, bar.get_width()) for bar in ax.patches] == [
        (pytest.approx(i), pytest.approx(math.ldexp(found.mantissa, max(found.exponent - unit, -1100))))
        for i, found in resolved
    ]
    sizes = [abs(bar.get_width()) for bar in ax.patches if bar.get_width()]
    assert not sizes or 1e-100 < max(sizes) < 1e100
    assert [text.get_text().strip() for text in ax.texts] == ["unresolved"] * (len(estimates) - len(resolved))
    plt.close("all")


@pytest.mark.parametrize("y", ["value", "log2", "ratio"])
def test_what_is_not_positive_in_a_sweep_is_no_unresolved_number(y):
    """A negative estimate and an exact zero have no logarithm: at most their upper end, which is not "unresolved"."""
    found = swept(NUMBERS["ordinary"], NUMBERS["negative"], NUMBERS["zero"], number(1.0, 0.8, 1.2, -20))
    ax = found.plot("dim", y)
    assert marks(ax, "x") == []
    legend = {text.get_text() for text in ax.get_legend().get_texts()}
    assert UNRESOLVED not in legend
    if y != "ratio":
        assert AT_MOST in legend
        (under,) = marks(ax, "v")
        assert list(under.get_xdata()) == [2, 3]
        end = 2.0**-10
        assert under.get_ydata()[0] == (end if y == "value" else math.log2(end))


def test_degrees_that_rounding_may_have_made_are_at_most_that():
    spectrum = gv.degree_spectrum(gv.Linear([1.0, 2.0, 3.0]))
    ax = gv.plot_degree_spectrum(spectrum)
    (line,) = (container.lines[0] for container in ax.containers)
    assert_allclose(line.get_ydata(), [math.nan, 0.0, math.nan, math.nan], atol=1e-12)
    (under,) = marks(ax, "v")
    assert list(under.get_xdata()) == [0, 2, 3]
    delta = 4 * 11 * 2.0**-52 * math.sqrt(3)  # E||s||^2 = 3
    assert under.get_ydata()[0] == pytest.approx(2 * math.log2(delta))
    model = gv.MLP.random([7, 4, 1], rng=0)
    found = gv.degree_spectrum(model)
    drawn = gv.plot_degree_spectrum(found, ax, label="another").containers[1].lines[0]
    assert_allclose(drawn.get_ydata(), np.log2(found))
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["mean over S", AT_MOST, "another"]


ONE = NUMBERS["ordinary"]


@pytest.mark.parametrize(
    "given", [[[1.0]], [0.1, -1.0], [math.nan], [], {}, {1: 0.5}, {"one": ONE}, {-1: ONE}, ONE, "abc"], ids=repr
)
def test_what_is_no_spectrum_of_degrees_is_refused(given):
    with pytest.raises((TypeError, ValueError), match="`spectrum`"):
        gv.plot_degree_spectrum(given)
    assert plt.get_fignums() == []


def test_a_spectrum_of_more_degrees_than_float64_has_binomials():
    spectrum = np.zeros(2001)
    spectrum[[1, 1000]] = 1.0, 1e-250
    ax = gv.plot_degree_spectrum(spectrum)
    # delta^2 with E||s||^2 = C(2000, 1) + 1e-250 C(2000, 1000), nearly all at degree 1000
    delta = 4 * 2008 * 2.0**-52
    (line,) = (container.lines[0] for container in ax.containers)
    assert [k for k, y in enumerate(line.get_ydata()) if not math.isnan(y)] == [1000]
    (under,) = marks(ax, "v")
    high = dict(zip(under.get_xdata(), under.get_ydata(), strict=True))
    from_1000 = math.log2(math.comb(2000, 1000)) - math.log2(math.comb(2000, 999)) + math.log2(1e-250)
    assert high[999] == pytest.approx(2 * math.log2(delta) + from_1000)


def test_measured_dots_are_shares_of_the_signal():
    checks = {rho: gv.bound_check(gv.LinearPeriodic(4, rho), gv.Cosine([1.0, 0, 0, 0])) for rho in (0.5, 1.0, 2.0)}
    ax = gv.Theorem2(4, 3.0).plot(measured=checks)
    (line,) = (container.lines[0] for container in ax.containers)
    assert list(line.get_xdata()) == list(checks)
    assert_allclose(line.get_ydata(), [c.variance.log2 - c.signal_norm_sq.log2 for c in checks.values()])
    sharp = dict(zip(*ax.lines[0].get_data(), strict=True))
    for rho, y in zip(*line.get_data(), strict=True):
        assert y <= sharp[min(sharp, key=lambda x: abs(x - rho))] + 0.1
    assert "measured" in ax.get_legend().get_texts()[-1].get_text()


@pytest.mark.parametrize("measured", [{"a": 1}, {1.0: 3}, {math.nan: checked(ONE)}], ids=["word", "number", "nan"])
def test_what_was_not_measured_is_refused(measured):
    with pytest.raises((TypeError, ValueError), match="`measured`"):
        gv.Theorem2(10, 4.0).plot(measured=measured)
    assert plt.get_fignums() == []
