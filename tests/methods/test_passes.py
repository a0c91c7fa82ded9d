"""Columns of tangent factors in passes: every product once, and no more columns than there is room for."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.estimation.settings import MAX_WORK
from gradvar.methods.closed_form import norms
from gradvar.methods.enumeration import cube, points
from gradvar.methods.enumeration.passes import passes


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(2, 40),
)
def test_every_component_is_met_once_and_no_pass_keeps_more_than_there_is_room_for(widths, room):
    met: Counter[tuple[int, int, int]] = Counter()
    for tiles in passes(widths, room):
        assert 0 < sum(tile.columns for tile in tiles) <= room
        for tile in tiles:
            met.update((tile.pair, i, j) for i in tile.left or (-1,) for j in tile.right)
    everything = [(n, i, j) for n, (r, q) in enumerate(widths) for i in (range(r) or (-1,)) for j in range(q)]
    assert met == Counter(everything)


def test_where_there_is_room_for_all_columns_there_is_one_pass():
    assert len(passes([(0, 64), (65, 64), (65, 1)], 64 + 129 + 66)) == 1


@pytest.mark.parametrize("H", [gv.SparseParities(6, 3), gv.Parities(6)], ids=["sparse", "all"])
@pytest.mark.parametrize("loss", ["square", "hinge"])
@pytest.mark.parametrize("columns", [2, 3, 7])
def test_the_variance_and_the_norms_do_not_depend_on_how_many_columns_are_kept(H, loss, columns, monkeypatch):
    model = gv.MLP.random([6, 5, 4, 1], rng=3)
    whole = gv.gradient_variance(H, model, loss, method="enumeration")
    monkeypatch.setattr(cube, "_KEPT", columns * 2**6)
    parts = gv.gradient_variance(H, model, loss, method="enumeration")
    assert cube.evaluations_needed(gv.Problem(H, model, loss)) > 1
    assert_allclose(parts.value, whole.value, rtol=1e-13)
    assert [norm.value for norm in parts.norms] == [norm.value for norm in whole.norms]


def test_columns_of_one_pass_are_gone_before_those_of_the_next_are_made(monkeypatch):
    H, model = gv.SparseParities(14, 3), gv.MLP.random([14, 64, 64, 1], rng=0)
    monkeypatch.setattr(points, "_NUMBERS", 2**15)  # blocks that take next to nothing
    gv.gradient_variance(H, model, method="enumeration")  # what is made once is made now
    peaks = []
    for columns in (54, 300):
        monkeypatch.setattr(cube, "_KEPT", columns * 2**14)
        tracemalloc.start()
        gv.gradient_variance(H, model, method="enumeration")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 257 columns are kept at once where there is room
    assert peaks[1] - peaks[0] > 0.9 * (257 - 54) * 2**14 * 8


class Counting:
    """A model that counts the inputs at which it is evaluated."""

    def __init__(self, model) -> None:
        self.model, self.n_parameters, self.dim, self.seen = model, model.n_parameters, model.dim, 0

    def predict(self, x):
        return self.model.predict(x)

    def gradient(self, x):
        self.seen += len(x)
        return self.model.gradient(x)


SIGNS = np.random.default_rng(1).choice([-1.0, 1.0], (50, 700))


@pytest.mark.parametrize(
    ("H", "method"),
    [
        (gv.SparseParities(10, 2), "enumeration"),
        (gv.Parities(10), "auto"),
        (gv.SparseParities(10, 2), "covariance-sum"),
        (gv.FiniteClass(SIGNS, np.random.default_rng(2).standard_normal((700, 10))), "enumeration"),
    ],
    ids=["levels", "all parities", "covariance", "projection"],
)
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_one_pass_over_the_inputs_serves_variance_and_norms(H, method, loss):
    network = gv.MLP.random([10, 4, 3, 1], rng=0)
    model = Counting(network)
    check = gv.bound_check(H, model, loss, method=method)
    n = H.inputs.n_points
    # beside the pass, looks at 64 inputs and fewer
    assert n <= model.seen < 2 * n
    x, weights = H.inputs.points(0, n), H.inputs.weights(0, n)
    norm_sq = (network.gradient(x) ** 2).sum(axis=1)
    b = gv.Problem(H, network, loss).signal_scale(x)
    assert_allclose(check.gradient_norm_sq.value, weights @ norm_sq, rtol=1e-12)
    assert_allclose(check.signal_norm_sq.value, weights @ (b**2 * norm_sq), rtol=1e-12)
    assert check.gradient_norm_sq.exact
    assert check.signal_norm_sq.exact


def test_what_other_libraries_compute_counts_as_more_work_and_is_sampled_sooner():
    network = gv.MLP.random([20, 64, 64, 1], rng=0)
    ours, other = gv.Problem(gv.Parities(20), network), gv.Problem(gv.Parities(20), Counting(network))
    assert norms.work(ours) < norms.work(other) == MAX_WORK
    assert gv.Auto().select(other).method.name == "closed-form"
    check = gv.bound_check(other.hypotheses, other.model, rng=0)
    assert not check.gradient_norm_sq.exact
    assert other.model.seen < 2**14
    # which Parseval carries over to the variance, well within a percent
    low, high = check.variance.interval
    assert high - low < 0.01 * check.variance.value


class LooksLikeInputs:
    """Its left factor is the inputs at most points of the cube, the probe among them, and not at all of them."""

    n_parameters, dim = 12, 12

    def predict(self, x):
        return self.gradient(x).sum(axis=1)

    def gradient(self, x):
        return np.where((x == 1).all(axis=1)[:, None], 2.0, x)

    def tangent_factors(self, x):
        return [(self.gradient(x), np.ones((len(x), 1)))]


def test_a_factor_that_only_looks_like_the_inputs_is_taken_as_it_is():
    model = LooksLikeInputs()
    found = gv.gradient_variance(gv.SparseParities(12, 2), model, method="enumeration")
    # E[chi_S g_i] = 2^-12 for |S| = 2, all alike: x_i has no such part, and one point of 2^12 is off by 1
    assert_allclose(found.value, 0.0, atol=1e-8 * 12 * 4.0**-12)
    assert_allclose(gv.degree_spectrum(model)[2], 12 * 4.0**-12, rtol=1e-10)
    assert found.norms is not None
    assert_allclose(found.norms[0].value, 12 * (1 + 3 * 2.0**-12), rtol=1e-12)
