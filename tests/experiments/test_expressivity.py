"""Sizes, errors and variances of networks for the parity against plain loops, and of the sawtooth against its map."""

import itertools
import math

import numpy as np
import pytest

from gradvar.experiments import expressivity
from gradvar.models import MLP, constructions
from gradvar.testing import reference


def test_every_row_is_counted_and_computed_by_hand():
    result = expressivity.run(dims=[2, 4], teeth=[2])
    assert [(row["n"], row["network"]) for row in result] == list(
        itertools.product([2, 4], ["one hidden layer", "deep", "recurrent"])
    )
    for row in result:
        n = row["n"]
        model = expressivity._NETWORKS[row["network"]](n)
        x, weights = reference.cube(n), np.full(2**n, 2.0**-n)
        p, g = model.predict(x), model.gradient(x)
        assert row["wrong"] == sum(value != math.prod(point) for value, point in zip(p, x.tolist(), strict=True)) == 0
        variance = reference.gradient_variance(reference.gradients(reference.parity_table(n), weights, p, g, "square"))
        assert row["value"] == pytest.approx(variance / reference.gradient_norm_sq(weights, g), rel=1e-9)
        assert row["parameters"] == g.shape[1]
    assert [row["units"] for row in result] == [6, 2 + 2, 2, 9, 4 + 4 + 3 + 2, 2]
    assert [row["layers"] for row in result] == [1, 2, 2, 1, 4, 4]
    assert result.agrees


@pytest.mark.parametrize("n", [2, 3, 6])
def test_the_printed_network_is_wrong_at_one_input_only(n):
    x = reference.cube(n)
    wrong = np.asarray(expressivity._printed(n).predict(x)) != x.prod(axis=1)
    assert np.array_equal(x[wrong], np.ones((1, n)))


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_shallow_sawtooth_is_the_tent_map_k_times(k):
    for point in np.linspace(-0.5, 1.5, 129):
        z = max(float(point), 0.0)
        for _ in range(k):
            z = max(2 * z if z < 0.5 else 2 - 2 * z, 0.0)
        assert expressivity._shallow_sawtooth(k).predict([[point]])[0] == z
    assert expressivity._size(expressivity._shallow_sawtooth(k)) == (1, 2**k + 1)
    assert expressivity._size(constructions.sawtooth(k)) == (k + 1, 2 * k + 1)


def test_it_says_no_of_a_network_that_is_wrong_or_of_another_size(monkeypatch):
    networks = dict(expressivity._NETWORKS) | {"deep": lambda n: MLP.random([n, n, n, 1], "relu", rng=0)}
    monkeypatch.setattr(expressivity, "_NETWORKS", networks)
    result = expressivity.run(dims=[4], teeth=[2])
    wrong = [found.what for found in result.comparisons if not found.agrees]
    assert wrong == ["deep: wrong inputs of all 2^n, all n", "deep: units at n = 4"]


def test_the_figure_has_maps_a_network_and_lines():
    axes = expressivity.run(dims=[2, 3], teeth=[1, 2, 3]).plot()
    assert len(axes) == 8
    sizes, *maps, network, variance, teeth, depth = axes
    names = ["one hidden layer", "deep", "recurrent"]
    assert [name in ax.get_title() for name, ax in zip(names, maps, strict=True)] == [True] * 3
    assert set(names) <= {line.get_label() for line in sizes.lines}
    assert set(names) <= {line.get_label() for line in variance.lines}
    assert len(network.lines) == 2 * 6 + 6  # the weights of 2-6-1
    assert len(teeth.lines) == 3
    assert [line.get_ydata()[-1] for line in depth.lines] == [7, 9]
