"""Sampled comparisons: within their intervals where the draws are enough, and silent where a few rare ones are all."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np
import pytest

from gradvar.testing.comparison import Carried, Mean, within


def mean_of(draws, known_range=None) -> Mean:
    found = Mean(known_range)
    for block in np.array_split(draws, 4):
        found.add(block)
    return found


def test_a_mean_that_a_few_rare_draws_make_has_no_interval():
    rng = np.random.default_rng(0)
    rare = np.where(rng.random(4096) < 1e-3, 1000.0, 0.0)
    draws = np.stack([rng.standard_normal(4096), rare, np.full(4096, 0.7), 1e-90 * rare, 1e90 * rare], axis=1)
    assert np.isfinite(mean_of(draws).half_width).tolist() == [True, False, True, False, False]
    # a range that is known bounds what was not drawn, too
    assert np.isfinite(mean_of(draws[:, 1], 1000.0).half_width)


def test_terms_count_by_their_share_whatever_their_size_and_block():
    few, many = np.zeros(1000), np.ones(1000)
    few[:100] = 3.0
    for scale in (1e-200, 1.0, 1e200):
        for terms, enough in ((few, False), (many, True), (0 * many, True)):
            found = Carried()
            for block in np.array_split(scale * terms, 5):
                found.add(block)
            assert bool(found.by_enough) is enough


def test_what_could_not_be_compared_is_said():
    assert within(np.array([0.1, 0.02])) == "within 0.1"
    assert within(np.array([0.1, np.inf])) == "within 0.1; 1 left out, which a few rare draws make"
    with pytest.raises(SkipTest, match="a few rare draws"):
        within(np.array([np.inf]))
