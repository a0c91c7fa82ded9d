"""Sampled comparisons: within their intervals where the draws are enough, and silent where a few rare ones are all."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np
import pytest

from gradvar.testing.checks import CheckFailed
from gradvar.testing.comparison import Truth, agree, by_enough, exactly, identical, moments, sampled


def test_a_mean_that_a_few_rare_draws_make_has_no_interval():
    rng = np.random.default_rng(0)
    rare = np.where(rng.random(4096) < 1e-3, 1000.0, 0.0)
    draws = np.stack([rng.standard_normal(4096), rare, np.full(4096, 0.7), 1e-90 * rare, 1e90 * rare])
    assert np.isfinite(sampled(draws).tolerance).tolist() == [True, False, True, False, False]
    # a range that is known bounds what was not drawn, too
    assert np.isfinite(sampled(draws[1:2], 1000.0).tolerance)


def test_terms_count_by_their_share_whatever_their_size():
    few, many = np.zeros(1000), np.ones(1000)
    few[:100] = 3.0
    for scale in (1e-200, 1.0, 1e200):
        for terms, enough in ((few, False), (many, True), (0 * many, True)):
            assert bool(by_enough(scale * terms)) is enough


def test_what_could_not_be_compared_is_said():
    assert Truth(np.zeros(2), np.array([0.1, 0.02])).within == "within 0.1"
    assert Truth(np.zeros(2), np.array([0.1, np.inf])).within == "within 0.1; 1 left out, which a few rare draws make"
    with pytest.raises(SkipTest, match="a few rare draws"):
        _ = Truth(np.zeros(1), np.array([np.inf])).within


def test_the_entry_that_differs_most_is_named():
    truth = exactly(np.array([[1.0, 2.0], [3.0, 4.0]]), scale=1.0)
    assert truth.agrees(truth.value + 5e-10, str, "the truth") == "within 1e-09"
    with pytest.raises(CheckFailed, match=r"^\(1, 0\) is 3.2, but the truth is 3 \+- 1e-09$"):
        truth.agrees(np.array([[1.0, 2.1], [3.2, 4.0]]), str, "the truth")
    # what has an infinite tolerance is not compared
    agree(np.array([7.0]), np.array([0.0]), np.array([np.inf]), str, "the truth")


def test_a_change_is_shown_where_it_begins():
    before = np.array([[1.0, 2.0], [3.0, 4.0]])
    identical("it must stay", before, before.copy())
    with pytest.raises(CheckFailed, match=r"it must stay: row 1 was \[3., 4.\], is \[3., 5.\]"):
        identical("it must stay", before, before + np.diag([0.0, 1.0]))


def test_moments_are_exact_over_all_points_and_within_their_interval_over_a_sample():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, size=4096)
    left, right = rng.standard_normal((2, 3, 4))
    weights = np.full(4, 0.25)
    exact = moments(left, right, weights, exact=True, scale=1.0)
    np.testing.assert_allclose(exact.value, left @ right.T / 4, rtol=1e-14)
    drawn = moments(left[:, x], right[:, x], np.full(4096, 1 / 4096), exact=False, scale=1.0)
    assert (np.abs(drawn.value - exact.value) <= drawn.tolerance).all()
    with pytest.raises(CheckFailed, match=r"is .*, but the truth is"):
        drawn.agrees(exact.value + 3 * drawn.tolerance, str, "the truth")
