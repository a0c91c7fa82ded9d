"""Ratios of label families against the gradients of every labeling, and comparisons that say no."""

import itertools
import sys

import numpy as np
import pytest

from gradvar.experiments import random_labels
from gradvar.models.mlp import MLP

WIDTH, TRAINED = 3, 60


@pytest.fixture(scope="module")
def result():
    return random_labels.run(trained=TRAINED, steps=20, width=WIDTH, rng=4)


def by_gradients(tables, x, model):
    """Var of +-1 labelings (m, n) for the square loss, of each column of the gradient."""
    c = -tables @ model.gradient(x) / len(x)
    return np.square(c - c.mean(axis=0)).mean(axis=0)


def test_ratios_are_those_of_the_gradients_of_every_labeling(result):
    x, digits = random_labels.images_of_digits()
    assert (x.shape, x.min(), x.max(), digits.max()) == ((1797, 64), -1, 1, 9)
    model = MLP.random([64, WIDTH, 1], rng=4)
    in_half = np.array([np.isin(digits, half) for half in itertools.combinations(range(10), 5)]) * 2.0 - 1
    single = (digits == np.arange(10)[:, None]) * 2.0 - 1
    # over all labelings: E_h||1/n sum_i h_i g_i||^2 = 1/n^2 sum_i ||g_i||^2
    of_all = np.square(model.gradient(x)).mean(axis=0) / len(x)
    halves = by_gradients(in_half, x, model)
    families = {row["family"]: row for row in result if "family" in row}
    assert families["digit in a half"]["Var"] == pytest.approx(halves.sum(), rel=1e-9)
    assert families["digit in a half"]["ratio"] == pytest.approx(halves.sum() / of_all.sum(), rel=1e-9)
    assert families["one digit"]["Var"] == pytest.approx(by_gradients(single, x, model).sum(), rel=1e-9)
    centred = in_half - in_half.mean(axis=0)
    norm = np.linalg.eigvalsh(centred @ centred.T / 252)[-1]
    assert families["digit in a half"]["bound"] == pytest.approx(norm, rel=1e-9)
    layers = [row["ratio"] for row in result if "layer" in row]
    ends = np.cumsum([64 * WIDTH, WIDTH, WIDTH, 1])
    parts = [np.split(values, ends[:-1]) for values in (halves, of_all)]
    assert layers == pytest.approx([a.sum() / b.sum() for a, b in zip(*parts, strict=True)], rel=1e-9)
    # training begins at the same network, on the first digits
    some = x[:TRAINED]
    start = by_gradients(in_half[:, :TRAINED], some, model).sum() * TRAINED**2 / np.square(model.gradient(some)).sum()
    runs = {labels: [row for row in result if row.get("labels") == labels] for labels in ("real", "random")}
    for rows in runs.values():
        assert [row["step"] for row in rows] == list(range(21))
        assert rows[0]["ratio"] == pytest.approx(start, rel=1e-9)
    assert runs["real"][-1]["accuracy"] > runs["random"][-1]["accuracy"]


def test_it_says_no_where_a_family_is_as_good_as_random_or_nothing_is_fitted(result):
    assert not result.agrees, "random labels are not fitted in 20 steps"
    wrong = [dict(row) for row in result]
    for row in wrong:
        row["ratio"] = 300.0 if row.get("family") else 2.0
        row["accuracy"] = 0.5
    assert not any(found.agrees for found in random_labels._comparisons(wrong))


def test_without_scikit_learn_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        random_labels.run()


def test_the_figure_has_families_layers_and_both_runs(result):
    families, layers, accuracy, ratio = result.plot()
    assert [text.get_text() for text in families.get_yticklabels()] == ["digit in a half", "one digit", "252 at random"]
    assert len(layers.patches) == 4
    for ax in (accuracy, ratio):
        assert [line.get_label() for line in ax.lines][:2] == ["trained on real labels", "trained on random labels"]
