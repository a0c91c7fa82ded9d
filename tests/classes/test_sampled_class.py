"""SampledClass: what it says of itself, and what it refuses."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import gradvar as gv


def halfspace(rng: np.random.Generator):
    w = rng.standard_normal(3)
    return lambda x: np.where(x @ w > 0, 1.0, -1.0)


def make(sampler=halfspace, **settings) -> gv.SampledClass:
    return gv.SampledClass(sampler, gv.Gaussian(3), **settings)


def test_members_are_the_functions_their_seeds_draw():
    H = make(labels="signs")
    members = H.sample(4, rng=1)
    x = np.random.default_rng(0).standard_normal((7, 3))
    expected = [halfspace(np.random.default_rng(int(seed)))(x) for seed in members]
    np.testing.assert_array_equal(H.evaluate(members, x), expected)
    np.testing.assert_array_equal(H.member(members[2])(x), expected[2])
    np.testing.assert_array_equal(H.sample(4, rng=1), members)
    assert not np.array_equal(H.sample(4, rng=2), members)
    assert H.evaluate(members[:0], x).shape == (0, 7)


def test_a_member_is_the_same_after_a_journey():
    H = make()
    members, x = H.sample(3, rng=0), np.eye(3)
    there = pickle.loads(pickle.dumps(H))
    np.testing.assert_array_equal(there.evaluate(members, x), H.evaluate(members, x))


def test_it_is_infinite_unless_it_says_otherwise():
    H = make()
    assert H.log2_size == math.inf
    assert H.size is None
    assert bool(H)
    with pytest.raises(TypeError, match="infinitely many members"):
        len(H)
    with pytest.raises(TypeError, match="infinitely many members"):
        iter(H)
    with pytest.raises(gv.NotApplicableError, match="cannot be listed"):
        H.members()
    assert make(log2_size=10).log2_size == 10


def test_a_sampler_with_another_source_of_randomness_is_found():
    other = np.random.default_rng(0)

    def careless(rng: np.random.Generator):
        w = other.standard_normal(3)
        return lambda x: np.where(x @ w > 0, 1.0, -1.0)

    def noisy(rng: np.random.Generator):
        w = rng.standard_normal(3)
        return lambda x: x @ w + other.standard_normal(len(x))

    def small(rng: np.random.Generator):
        w = 1e-9 * other.standard_normal(3)
        return lambda x: x @ w

    for sampler in (careless, noisy, small):
        H = make(sampler)
        assert H.evaluate(H.sample(0, rng=0), np.eye(3)).shape == (0, 3)
        with pytest.raises(ValueError, match=f"{sampler.__name__}.* from two equal generators"):
            gv.gradient_variance(H, gv.Linear([1.0, 2.0, 3.0]), rng=0)


def test_the_first_members_are_drawn_twice_and_no_others():
    drawn = []

    def counted(rng: np.random.Generator):
        drawn.append(rng)
        return halfspace(rng)

    H = make(counted)
    for seed in range(3):
        H.evaluate(H.sample(10, rng=seed), np.eye(3))
    assert len(drawn) == 30 + 8


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, gv.Gaussian(3)), TypeError, "`sampler` must be a function of one argument"),
        ((lambda m, rng: None, gv.Gaussian(3)), TypeError, "`sampler` must be a function of one argument"),
        ((halfspace, 3), TypeError, "`inputs` must be an input distribution"),
        ((halfspace, gv.Gaussian), TypeError, "`inputs` must be an input distribution"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        gv.SampledClass(*arguments)


def test_wrong_words():
    with pytest.raises(ValueError, match="`labels` must be 'real' or 'signs'"):
        make(labels="bits")
    with pytest.raises(ValueError, match="`log2_size` must be"):
        make(log2_size=-1)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (3.0, TypeError, "must return a function"),
        (lambda x: x, gv.ShapeError, r"must return shape \(5,\) for 5 inputs, got \(5, 3\)"),
        (lambda x: x[:, 0] / 0.0, gv.NonFiniteError, "must be finite"),
        (lambda x: x[:, 0], gv.LabelError, "must be -1 or \\+1"),
    ],
)
def test_wrong_targets(target, error, message):
    H = make(lambda rng: target, labels="signs")
    with pytest.raises(error, match=message), np.errstate(all="ignore"):
        H.evaluate(H.sample(2, rng=0), np.random.default_rng(0).standard_normal((5, 3)))


def test_wrong_members():
    with pytest.raises(gv.ShapeError, match="`members` must be seeds"):
        make().evaluate([[1]], np.eye(3))
    with pytest.raises(gv.ShapeError, match="`members` must be seeds"):
        make().evaluate([0.5], np.eye(3))


def test_a_finite_class_that_cannot_be_listed_is_not_called_infinite():
    H = gv.SampledClass(lambda rng: np.sign, gv.Gaussian(1), log2_size=3)
    with pytest.raises(TypeError, match=r"has members that cannot be listed and no len\(\)"):
        len(H)
    with pytest.raises(TypeError, match="has members that cannot be listed; draw some"):
        iter(H)


def test_seeds_are_not_negative():
    H = gv.SampledClass(lambda rng: lambda x: x[:, 0], gv.Gaussian(1))
    with pytest.raises(ValueError, match="`members` must be seeds >= 0, got -1"):
        H.member(-1)
