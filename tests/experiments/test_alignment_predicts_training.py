"""Alignments against sums over all inputs, ranks against counted ones, the figure, and ranks that say no."""

import matplotlib
import numpy as np
import pytest

from gradvar.experiments import alignment_predicts_training as experiment
from gradvar.testing import reference

matplotlib.use("agg")

import matplotlib.pyplot as plt


@pytest.fixture(scope="module")
def found():
    return experiment.run(dims=[5], degrees=[1, 3], seeds=1, other_dims=[4], steps=100)


def test_alignment_and_noise_are_sums_over_all_inputs(found):
    row = next(row for row in found.rows if row["network"] == "relu" and row["k"] == 3)
    start = experiment._NETWORKS["relu"](5, 0)
    which = np.random.default_rng([0, 0, 5, 3]).choice(5, 3, replace=False)
    x = reference.cube(5)
    y = x[:, which].prod(axis=1)
    p = reference.mlp_predict(start.weights, start.biases, "relu", x)
    g = reference.mlp_gradient(start.weights, start.biases, "relu", x)
    slopes = {s: np.array([reference.loss_derivative("hinge", v, s) for v in p]) for s in (1.0, -1.0)}
    b = (slopes[1.0] - slopes[-1.0]) / 2
    u = np.where(y > 0, slopes[1.0], slopes[-1.0])[:, None] * g
    assert row["alignment"] == pytest.approx((((y * b) @ g / 32) ** 2).sum(), rel=1e-10)
    assert row["noise"] == pytest.approx((u**2).sum(axis=1).mean() - (u.mean(axis=0) ** 2).sum(), rel=1e-10)


def test_a_readout_of_zeros_sees_no_odd_parity_of_three(found):
    rows = [row for row in found.rows if row["network"] == "readout of zeros"]
    assert [row["alignment"] < 1e-20 for row in rows] == [False, True]
    assert {row["network"] for row in found.rows} == set(experiment._NETWORKS)


def test_ranks_share_the_mean_where_numbers_are_equal():
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 1 - 6 * 0.5/(4 * 15) corrected for the tie
    a, b = np.array([1.0, 2.0, 2.0, 9.0]), np.array([0.1, 0.2, 0.3, 0.4])
    assert experiment._rank_correlation(a, b) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert experiment._rank_correlation(a, -(b**3)) == pytest.approx(-4.5 / np.sqrt(4.5 * 5))


def test_the_figure_has_a_colour_a_degree_and_a_network_and_shows_what_was_not_learned(found):
    left, right = found.plot()
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels[0] == "degree k = 1"
    assert "degree k = 3, not learned" in labels
    names = [text.get_text().replace(", not learned", "") for text in right.get_legend().get_texts()]
    assert set(names) == set(experiment._NETWORKS)
    assert (left.get_xscale(), right.get_yscale()) == ("log", "log")
    assert "rank correlation" in left.get_title()
    plt.close("all")


def test_runs_that_the_alignment_does_not_rank_say_no():
    def rows(steps, flat_steps=500):
        runs = [{"network": "relu", "k": 3 + i % 2, "alignment": 2.0**-i, "noise": 1.0} for i in range(len(steps))]
        runs = [{**run, "steps": s, "learned": True} for run, s in zip(runs, steps, strict=True)]
        flat = {"network": "readout of zeros", "k": 3, "alignment": 0.0, "noise": 1.0, "steps": flat_steps}
        return [*runs, {**flat, "learned": flat_steps < 1000}]

    ordered = list(range(10, 50))
    assert [c.what for c in experiment._ranks(rows(ordered)) if not c.agrees] == [
        "k = 4 is learned before k = 3: steps over steps"
    ]
    shuffled = np.random.default_rng(0).permutation(ordered).tolist()
    failed = [c.what for c in experiment._ranks(rows(shuffled, 1000)) if not c.agrees]
    assert {experiment._ALONE, experiment._OVER_NOISE, "learned from an alignment of 0 (readout of zeros)"} <= set(
        failed
    )
