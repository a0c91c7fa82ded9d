"""Signals of tiles against gradients that are written out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.methods.monte_carlo import pair_sums
from gradvar.methods.monte_carlo.signal_tiles import SignalTile

MLP = gv.MLP.random([12, 5, 4, 1], rng=0)


def tiles(model: gv.Model, scale: float = 1.0) -> tuple[SignalTile, SignalTile]:
    problem = gv.Problem(gv.SparseParities(12, 2), model)
    x = scale * problem.inputs.sample(40, np.random.default_rng(0))
    return SignalTile.of(problem, x[:25], None), SignalTile.of(problem, x[25:], None)


def signals(tile: SignalTile, model: gv.Model) -> np.ndarray:
    problem = gv.Problem(gv.SparseParities(12, 2), model)
    n = len(tile.x)
    # the products A[:, i] B[:, j] of each pair of factors
    return np.concatenate([np.einsum("nj,ni->nji", b, a).reshape(n, -1) for a, b in problem.signal_factors(tile.x)], 1)


@pytest.mark.parametrize("model", [MLP, gv.Linear(np.ones(12)), gv.Cosine(np.full(12, 0.3))], ids=repr)
def test_inner_products_are_those_of_the_signals(model: gv.Model):
    first, second = tiles(model)
    expected = signals(first, model) @ signals(second, model).T
    (found,), _ = first.inner_products(second)
    assert found.dtype == np.float64
    # 2 (K + 2) roundings of one sum of K products and of the products of two sums, by Cauchy and Schwarz
    unit = np.finfo(np.float64).eps / 2
    roundings = 2 * (12 + 1 + 2)
    bound = roundings * unit * np.sqrt(np.outer(first.norms[:, 1], second.norms[:, 1]))
    assert (np.abs(found - expected) <= bound + 1e-15).all()


@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0**11, 3.0e9])
def test_products_are_in_float64_and_points_of_a_first_layer_can_be_left_out(scale: float):
    first, second = tiles(MLP, scale)
    expected = signals(first, MLP) @ signals(second, MLP).T
    assert_allclose(first.inner_products(second)[0][0], expected, rtol=1e-12, atol=1e-14 * np.abs(expected).max())
    assert all(a.dtype == b.dtype == np.float64 for a, b in first.factors)
    assert first.points == 0
    (rest,), deltas = first.inner_products(second, True)
    points = first.x @ second.x.T + 1
    assert_allclose(rest + points * deltas, expected, rtol=1e-12, atol=1e-14 * np.abs(expected).max())


def test_triangles_come_from_the_first_tiles(monkeypatch: pytest.MonkeyPatch):
    # A class whose pairs within tiles are summed like others, studied or not: on the cube other roundings would show.
    H, model = gv.LinearPeriodic(4, 1.5), gv.MLP.random([4, 8, 1], rng=0)
    settings = {"method": "monte-carlo", "max_samples": 3000, "rtol": 0, "rng": 3}
    few = gv.gradient_variance(H, model, **settings)
    monkeypatch.setattr(pair_sums, "_STUDIED", 1)
    fewer = gv.gradient_variance(H, model, **settings)
    assert few.value == fewer.value
    assert few.interval != fewer.interval
