"""What draws add to the error of a sum: against sums of known variance and third cumulant."""

from __future__ import annotations

import math

import numpy as np
from numpy.testing import assert_allclose

from gradvar.estimation.main_effects import NONE, MainEffects


def test_exponential_draws_known_by_halves_that_err():
    """A sum of n exponential terms has variance n and third cumulant 2 n; four standard errors are allowed."""
    n, seeds, rng = 40, 20_000, np.random.default_rng(0)
    found = []
    for _ in range(seeds):
        terms = rng.exponential(size=n)
        # Errors that grow with the term itself, and a mean that the halves share.
        found.append(MainEffects.of(3.0 + terms + 0.5 * terms * rng.standard_normal((2, n))))
    variance, third, uncertainty = np.array(found).T
    assert abs(variance.mean() - n) <= 4 * variance.std() / math.sqrt(seeds)
    # E[s (e'^2 + e''^2)/2] = .25 E[s t^2] is in it as well, with s = t - 1: .25 (6 - 2)
    assert abs(third.mean() - n * (2 + 1)) <= 4 * third.std() / math.sqrt(seeds)
    # The estimated variance's own variance, known here to 5%; n estimates it a few percent too small.
    assert 0.85 < uncertainty.mean() / variance.var() < 1.1


def test_all_inputs_make_both_halves_one():
    terms = np.random.default_rng(1).exponential(size=12)
    variance, third, uncertainty = MainEffects.of(np.stack([terms, terms]))
    x = terms - terms.mean()
    assert_allclose(variance, 12 * x.var(ddof=1))
    assert_allclose(third, 12 * (x**3).sum() * 12 / (11 * 10))
    assert_allclose(uncertainty, 12 * (x**2).var())


def test_a_variance_below_its_noise_is_none_or_that_of_one_draw():
    one, other, certain = MainEffects(-2.0, 1.0, 3.0), MainEffects(5.0, -4.0, 60.0), MainEffects(3.0, 2.0, 0.5)
    assert one.and_of(other) == other.and_of(one) == MainEffects(5.0, -4.0, 25.0)
    assert other.and_of(certain) == MainEffects(8.0, -2.0, 25.5)
    assert NONE.and_of(NONE) == NONE


def test_two_draws_say_nothing():
    assert MainEffects.of(np.ones((2, 2))) == NONE
