"""Tiles of pairs: what is kept, what is made again, and what goes to other processes."""

from __future__ import annotations

import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.kernels import pair_sums as kernels
from gradvar.methods.monte_carlo import pair_sums
from gradvar.methods.monte_carlo.control_variates import Regression, regression
from gradvar.methods.monte_carlo.member_gradients import MemberGradients
from gradvar.methods.monte_carlo.pair_sums import PairSums

PROBLEM = gv.Problem(gv.SparseParities(16, 3), gv.MLP.random([16, 6, 1], rng=0))


def settings(executor=None) -> Settings:
    return Settings.checked(0.0, 0.95, 4096, 0, executor, False)


def sums(n: int, executor=None) -> tuple[float, ...]:
    chosen = settings(executor)
    found = PairSums(PROBLEM, chosen, regression(PROBLEM, chosen), 1)
    found.extend(n, lambda pairs: None)
    return tuple(found.statistic().moments)


def test_what_is_kept_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch):
    kept = sums(2600)
    for nbytes in (0, 200_000, 1_000_000):
        monkeypatch.setattr(pair_sums, "_KEPT_BYTES", nbytes)
        for workers in (1, 3):
            with ThreadPoolExecutor(workers) as pool:
                assert sums(2600, pool) == kept


class Restated:
    """A class that says its covariance and nothing else: nobody knows that it goes by the distance."""

    def __init__(self, H) -> None:
        self.H, self.inputs, self.log2_size, self.labels = H, H.inputs, H.log2_size, H.labels

    def covariance(self, x, x2):
        return self.H.covariance(x, x2)


class Doubled(gv.SparseParities):
    """Parities whose covariance somebody has replaced."""

    def covariance(self, x, x2):
        return 2 * super().covariance(x, x2)


class Moved(gv.SparseParities):
    """Parities whose mean somebody has replaced, which their covariance takes off."""

    def mean(self, x):
        return super().mean(x) + 0.25


@pytest.mark.parametrize("H", [gv.SparseParities(18, 2), gv.SparseParities(70, 3), gv.Parities(5)], ids=repr)
@pytest.mark.parametrize("widths", [[6, 1], [6, 4, 1]])
def test_sums_by_the_distance_are_those_of_the_covariance(H, widths: list[int], monkeypatch: pytest.MonkeyPatch):
    model, taken = gv.MLP.random([H.dim, *widths], rng=0), []
    by_distance = kernels.pair_sums_on_the_cube
    monkeypatch.setattr(kernels, "pair_sums_on_the_cube", lambda *tiles: (taken.append(1), by_distance(*tiles))[1])
    monkeypatch.setattr(pair_sums, "_STUDIED", 1)

    def found(hypotheses) -> tuple[float, ...]:
        sums = PairSums(gv.Problem(hypotheses, model), settings(), None, 1)
        sums.extend(1300, lambda pairs: None)
        return tuple(sums.statistic().moments)

    expected = found(Restated(H))
    assert not taken
    # U and the zetas are sums of terms of either sign; all are far above 1e-12 of the largest of these.
    assert found(H) == pytest.approx(expected, rel=1e-8)
    assert len(taken) == 5  # three pairs of tiles, and two tiles of which nothing else is asked


def test_samples_that_are_there_are_not_drawn_again():
    found = PairSums(PROBLEM, settings(), None, 1)
    for _ in range(2):
        found.extend(1024, lambda tiles: None)
        assert found.n == 1024
    assert found.statistic().value == math.fsum(found.row_sums[0]) / (1024 * 1023)


def test_a_covariance_that_was_replaced_is_the_one_that_counts():
    model, method = gv.MLP.random([12, 6, 1], rng=0), gv.MonteCarlo(variance_reduction=False)
    estimates = [
        gv.gradient_variance(kind(12, 2), model, method=method, max_samples=1300, rtol=0, rng=0)
        for kind in (gv.SparseParities, Doubled)
    ]
    assert estimates[1].value == pytest.approx(2 * estimates[0].value, rel=1e-8)


def test_a_mean_that_was_replaced_is_the_one_that_counts():
    model, method = gv.MLP.random([12, 6, 1], rng=0), gv.MonteCarlo(variance_reduction=False)
    plain, moved, restated = (
        gv.gradient_variance(H, model, method=method, max_samples=1300, rtol=0, rng=0).value
        for H in (gv.SparseParities(12, 2), Moved(12, 2), Restated(Moved(12, 2)))
    )
    assert moved == pytest.approx(restated, rel=1e-8)
    assert moved != pytest.approx(plain, rel=1e-3)


def test_a_projection_is_had_once_though_its_tile_is_made_again(monkeypatch: pytest.MonkeyPatch):
    projected, made = [], []
    project, sample = Regression.project, pair_sums.Tiles._sample

    def counted(self, factors):
        projected.append(1)
        return project(self, factors)

    def counting(self, key):
        made.append(key)
        return sample(self, key)

    monkeypatch.setattr(Regression, "project", counted)
    monkeypatch.setattr(pair_sums.Tiles, "_sample", counting)
    # 512 rows of 18 projections take 74 kB, a tile several times that: all six projections are kept, no tile is
    monkeypatch.setattr(pair_sums, "_KEPT_BYTES", 512 * 18 * 8 * 6)
    with ThreadPoolExecutor(3) as pool:
        sums(6 * 512, pool)
    assert len(projected) == 6
    assert len(set(made)) == 6
    assert len(made) > 6


def test_threads_do_not_make_the_same_tile_twice(monkeypatch: pytest.MonkeyPatch):
    made = []
    sample = pair_sums.Tiles._sample
    monkeypatch.setattr(pair_sums.Tiles, "_sample", lambda self, *what: (made.append(what[0]), sample(self, *what))[1])
    with ThreadPoolExecutor(4) as pool:
        sums(8 * 512, pool)
    assert sorted(made) == [(number, 512) for number in range(8)]


@pytest.mark.large
def test_a_task_takes_the_weights_along_and_nothing_as_large_as_gradients_times_functions():
    model = gv.MLP.random([64, 128, 1], rng=0)
    problem = gv.Problem(gv.SparseParities(64, 3), model)
    found = PairSums(problem, settings(), regression(problem, settings()), 1)
    found.extend(1024, lambda pairs: None)
    assert found.tiles.regression.coefficients.gram.shape == (1, 66, 66)
    assert len(pickle.dumps(found.tiles)) < 3 * 8 * model.n_parameters


@pytest.mark.large
def test_another_process_fits_the_same_coefficients():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = sums(1500, pool)
        reduction = regression(PROBLEM, settings(pool))
        assert reduction._coefficients is None
    assert there == sums(1500)
    here = regression(PROBLEM, settings())
    assert here._coefficients is not None
    assert np.array_equal(reduction.coefficients.gram, here.coefficients.gram)


def test_members_and_projections_are_drawn_again_and_not_sent():
    problem = gv.Problem(gv.SparseParities(400, 1), gv.Linear(np.ones(400)))
    run = MemberGradients(problem, settings().seed, 7, 512, 16, 64, False)
    there = pickle.loads(pickle.dumps(run))
    assert there is not run
    assert np.array_equal(there.members, run.members)
    assert all(np.array_equal(a, b) for a, b in zip(there.sketch[0], run.sketch[0], strict=True))
    assert len(pickle.dumps(run)) < run.members.nbytes / 10
