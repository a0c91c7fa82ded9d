"""The parity experiment against the reference at tiny size, its figure, and what makes it say no."""

import matplotlib
import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments import parity
from gradvar.testing import reference

matplotlib.use("agg")

import matplotlib.pyplot as plt


@pytest.fixture(scope="module")
def found():
    return parity.run(problems=[(4, 2), (5, 3)], until=0.95, checkpoints=2)


def test_variances_are_those_of_the_whole_table_of_parities(found):
    start = gv.MLP.random([4, 40, 1], "relu", 0, distribution="truncated normal")
    x = reference.cube(4)
    p = reference.mlp_predict(start.weights, start.biases, "relu", x)
    g = reference.mlp_gradient(start.weights, start.biases, "relu", x)
    table, weights = reference.parity_table(4), np.full(16, 1 / 16)
    truth = reference.gradient_variance(reference.gradients(table, weights, p, g, "hinge"))
    first = found.rows[0]
    assert (first["d"], first["step"]) == (4, 0)
    assert first["variance"] == pytest.approx(truth, rel=1e-10)
    assert first["bound"] == pytest.approx((g**2).sum(axis=1).mean() / 16, rel=1e-10)


def test_rows_are_the_records_and_the_last_one_is_learned(found):
    for d in (4, 5):
        rows = [row for row in found.rows if row["d"] == d]
        assert [row["step"] for row in rows] == list(range(0, 100 * len(rows), 100))
        assert all(row["accuracy"] < 0.95 for row in rows[:-1])
        assert rows[-1]["accuracy"] >= 0.95
        assert [i for i, row in enumerate(rows) if row["variance"] is not None] == [0, len(rows) - 1]
    steps = {c.what: c for c in found.comparisons}["d = 5: steps until 95%"]
    assert steps.here == found.rows[-1]["step"]
    assert (steps.low, steps.high, steps.paper) == (0, 6300, "100% at 2100")


def test_the_figure_has_each_run_its_bound_and_the_paper_s_numbers(found):
    left, right = found.plot()
    labels = [line.get_label() for line in left.get_lines()]
    assert labels == ["d = 4", "d = 5", "100% at d = 5 (paper)", "100% at d = 10 (paper)", "mean at d = 30 (paper)"]
    assert len(right.get_lines()) == 4
    assert "steps" in left.get_xlabel()
    assert "variance" in right.get_ylabel()
    plt.close("all")


def test_what_is_not_learned_in_time_is_said_and_so_is_a_coin_that_is_not_fair():
    few = parity.run(problems=[(5, 3)], steps=100, checkpoints=1)
    assert [c.what for c in few.comparisons if not c.agrees] == ["d = 5: steps until 100%"]
    rng = np.random.default_rng(0)
    for chance, fair in ((0.5, True), (0.51, False)):
        accuracies = rng.binomial(500, chance, size=501) / 500
        mean, spread = parity._accuracies(30, 1.0, np.arange(501), accuracies)
        assert mean.agrees is fair
        assert (mean.low, mean.high) == pytest.approx((0.497, 0.503), abs=1e-5)
        assert spread.agrees
    _, spread = parity._accuracies(30, 1.0, np.arange(501), np.full(501, 0.5))
    assert not spread.agrees
