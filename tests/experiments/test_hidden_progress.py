"""Fourier gaps against sums over all inputs, the figure, and a run that makes no progress."""

import math

import matplotlib
import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments import hidden_progress
from gradvar.testing import reference

matplotlib.use("agg")

import matplotlib.pyplot as plt


@pytest.fixture(scope="module")
def found():
    return hidden_progress.run(dims=(9, 11), n=10, steps=500, units=4)


def coefficients(gate, x, sets):
    return np.array([abs(float((gate * np.prod(x[:, list(s)], axis=1)).mean())) for s in sets])


def test_gaps_are_sums_over_all_inputs():
    rng, n, k = np.random.default_rng(0), 7, 3
    weights, biases = rng.normal(size=(2, n)), rng.normal(size=2)
    inside, outside = hidden_progress._gate(gv.MLP([weights, [[0.5, -2.0]]], [biases, None], "relu"), k)
    x = reference.cube(n)
    for j in range(2):
        gate = (x @ weights[j] + biases[j] > 0).astype(float)
        S = set(range(k))
        np.testing.assert_allclose(inside[j], coefficients(gate, x, [S - {i} for i in range(k)]), atol=1e-14)
        np.testing.assert_allclose(outside[j], coefficients(gate, x, [S | {i} for i in range(k, n)]), atol=1e-14)


def test_rows_of_gaps_are_those_of_majorities(found):
    row = next(row for row in found.rows if row.get("n") == 9 and row["k"] == 4)
    majority = (reference.cube(9).sum(axis=1) > 0).astype(float)
    x = reference.cube(9)
    inside, outside = coefficients(majority, x, [(0, 1, 2), (0, 1, 2, 3, 4)])
    assert (row["inside"], row["outside"]) == pytest.approx((inside, outside), rel=1e-12)
    assert row["gap"] == pytest.approx(inside - outside, rel=1e-12)
    assert inside / outside == pytest.approx((9 - 4) / (4 - 1))


def test_what_is_followed_along_a_run_is_the_gradient_of_the_units():
    rng = np.random.default_rng(1)
    model = gv.MLP([rng.normal(size=(5, 6)), rng.normal(size=(1, 5))], [rng.normal(size=5), [0.0]], "relu")
    some = hidden_progress._progress(model, 2, 3)
    x = reference.cube(6)
    gradient = reference.mlp_gradient(model.weights, model.biases, "relu", x)
    signal = (x[:, 0] * x[:, 1]) @ gradient / 64
    # weights[0], biases[0], weights[1]: those of the first three units
    kept = [*range(18), *range(30, 33), *range(35, 38)]
    assert some["alignment"] == pytest.approx((signal[kept] ** 2).sum(), rel=1e-11)
    first = np.abs(model.weights[0])
    assert some["weights"] == pytest.approx(first[:, :2].mean() / first[:, 2:].mean())


def test_the_figure_has_gaps_with_the_paper_s_slopes_and_the_plateau(found):
    signs, uniform, seen, hidden = found.plot()
    assert [line.get_label() for line in signs.get_lines()][:2] == ["k = 2", "slope -0.5 (paper)"]
    assert len(uniform.get_lines()) == 3
    assert [line.get_label() for line in seen.get_lines()] == ["accuracy", "loss (hinge)"]
    assert len(hidden.get_lines()) == 3
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in (signs, uniform, seen, hidden))
    plt.close("all")


def test_what_does_not_grow_or_is_not_flat_says_no():
    rows = [
        {"step": 500 * i, "accuracy": 0.5, "loss": 1.0, "alignment": 1.0, "gap": 1.0, "weights": 1.0} for i in range(9)
    ]
    rows.append({**rows[-1], "step": 4500, "accuracy": 1.0, "loss": 0.0})
    said = {c.what: c.agrees for c in hidden_progress._of_run(rows)}
    assert [what for what, agrees in said.items() if not agrees] == [
        "alignment grows there by the factor",
        "weights on S over those outside, at its end",
    ]
    steady = [{**row, "accuracy": 0.5 + i / 20} for i, row in enumerate(rows)]
    said = {c.what: c.agrees for c in hidden_progress._of_run(steady)}
    assert not said["share of the run that is a plateau"]
    gaps = [{"n": n, "k": 2, "inside": 1 / n, "outside": 0.1 / n, "gap": 1 / n, "uniform_ratio": 0.9} for n in (11, 21)]
    assert not any(c.agrees for c in hidden_progress._of_gaps(gaps))
    assert math.isclose(hidden_progress._of_gaps(gaps)[0].here, -1)
