"""The alignment of the full parity by its definition, what two batches show of it, and a comparison that says no."""

import math

import numpy as np
import pytest

from gradvar.experiments import initialisation_matters as experiment
from gradvar.testing import reference

SMALL = {"dims": [4, 6], "sigmas": [0.1, 1.0], "draws": 3, "train_dim": 4, "width": 16, "steps": 20}


def alignment(w):
    """||E chi(x) dp/dw||^2 of relu(<w, x> + 1/2) times 1, point by point."""
    x = reference.cube(len(w))
    total = np.zeros(len(w) + 2)
    for point in x:
        z = float(point @ w) + 0.5
        total += np.prod(point) * np.array([*(point * (z > 0)), z > 0, max(z, 0)]) / len(x)
    return float(total @ total)


def test_medians_are_those_of_the_definition_and_of_two_batches():
    weights = np.random.default_rng(4).standard_normal((3, 6))
    found = experiment._medians(weights, np.random.default_rng(0))
    exact = sorted(alignment(w) for w in weights)
    assert found["median"] == pytest.approx(exact[1], rel=1e-12)
    assert found["low"] == pytest.approx((exact[0] + exact[1]) / 2, rel=1e-12)
    # E ||g - g'||^2 = A + noise, less A/8192; medians of three draws
    assert 0.2 * found["noise"] < found["sampled"] < exact[2] + 3 * found["noise"]
    x, w = reference.cube(6), weights[1]
    gate = x @ w + 0.5 > 0
    square = np.mean(gate * (6 + 1) + np.maximum(x @ w + 0.5, 0) ** 2)
    one = experiment._medians(w[None], np.random.default_rng(0))
    assert one["noise"] == pytest.approx(2 * square / 8192, rel=0.1)


@pytest.mark.parametrize("d", experiment._KNOWN)
def test_known_alignments_are_sums_over_the_number_of_ones(d):
    # E chi_T f(sum x) for |T| = d and d - 1, by how many of the x_i are -1
    def moment(f, last):
        return (
            sum(
                math.comb(d - 1, k) * (-1) ** k * (f(d - 2 * k) + (-1 if last else 1) * f(d - 2 - 2 * k))
                for k in range(d)
            )
            / 2**d
        )

    gate, relu = (lambda s: s + 0.5 > 0), (lambda s: max(s + 0.5, 0))
    total = d * moment(gate, False) ** 2 + moment(gate, True) ** 2 + moment(relu, True) ** 2
    assert total == pytest.approx(experiment._KNOWN[d], abs=1e-11)


def test_runs_start_from_the_three_kinds_and_are_in_the_rows():
    result = experiment.run(**SMALL, rng=2)
    trained = result.rows[-3:]
    assert [row["kind"] for row in trained] == list(experiment._KINDS) == list(result.runs)
    first = [run.snapshots[0].weights[0] for run in result.runs.values()]
    assert set(np.unique(first[0])) == {-1.0, 1.0}
    assert first[1] == pytest.approx(first[0] + 0.3 * first[2], abs=1e-12)
    for row, run in zip(trained, result.runs.values(), strict=True):
        model, x, weights = run.snapshots[0], reference.cube(4), np.full(16, 1 / 16)
        of_h = reference.gradients(x.prod(axis=1)[None], weights, model.predict(x), model.gradient(x), "correlation")
        assert row["alignment"] == pytest.approx(float(np.square(of_h).sum()), rel=1e-9)
    assert experiment.run(**SMALL, rng=2).to_dict() == result.to_dict()


def test_it_says_no_where_gaussian_weights_learn_and_signs_do_not():
    rows = [{"dim": 20, "accuracy": a, "alignment": b} for a, b in ((0.97, 1.0), (0.96, 0.1), (0.5, 1e-4))]
    assert all(found.agrees for found in experiment._of_training(rows))
    assert [found.agrees for found in experiment._of_training(rows[::-1])] == [False, True, False, False, False]


def test_the_figure_has_the_three_kinds_exact_and_sampled():
    over_d, over_sigma, training = experiment.run(**SMALL).plot()
    labels = [text.get_text() for text in over_d.get_legend().get_texts()]
    assert sorted(labels) == sorted(f"{kind}, {how}" for kind in experiment._KINDS for how in ("exact", "two batches"))
    assert len(over_sigma.containers) == 1
    assert [line.get_label() for line in training.lines] == list(experiment._KINDS)
