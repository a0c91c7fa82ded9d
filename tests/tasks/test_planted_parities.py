"""PlantedParities against the table of D_A and its labels over all sets and all points of the cube.

Statistical tests have fixed seeds and a false-alarm rate of 1e-6 each.
"""

from __future__ import annotations

import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtri
from scipy.stats import chi2

import gradvar as gv
from gradvar.core.errors import ShapeError
from gradvar.inputs import PlantedCube
from gradvar.testing import reference

CLASSES = [(1, 1), (3, 1), (3, 3), (4, 3), (6, 3), (6, 5), (7, 1), (8, 3)]


def task_table(dim: int, degree: int) -> tuple[list[tuple[int, ...]], np.ndarray, np.ndarray]:
    """All sets, D_A(x) and f_A(x), shape (|H|, 2^dim): by counting, in exact fractions."""
    points = reference.cube(dim)
    sets = sorted(itertools.combinations(range(dim), degree), key=lambda A: sum(2**i for i in A))
    probabilities, labels = [], []
    for A in sets:
        equal = [len({x[i] for i in A}) == 1 for x in points]
        planted = Fraction(1, sum(equal))  # uniform over the points whose bits in A are equal
        probabilities.append([float(Fraction(1, 2 ** (dim + 1)) + (planted / 2 if e else 0)) for e in equal])
        labels.append([math.prod(x[i] for i in A) for x in points])
    return sets, np.array(probabilities), np.array(labels)


@pytest.mark.parametrize(("dim", "degree"), CLASSES)
def test_members_probabilities_and_targets_are_those_of_the_table(dim: int, degree: int):
    H = gv.PlantedParities(dim, degree)
    sets, probabilities, labels = task_table(dim, degree)
    members, x = H.members(), reference.cube(dim)
    assert [tuple(np.flatnonzero(v)) for v in members] == sets
    assert H.size == len(sets) == math.comb(dim, degree)
    assert_allclose(H.log2_size, math.log2(len(sets)), rtol=1e-15)
    assert_allclose(H.probabilities(members, x), probabilities, rtol=1e-15)
    assert_array_equal(H.targets(members, x), labels)
    assert_allclose(H.inputs.weights(0, 2**dim), probabilities.mean(axis=0), rtol=1e-14)
    assert_array_equal(H.inputs.points(0, 2**dim), x)


@pytest.mark.parametrize(("dim", "degree"), CLASSES)
def test_moments_of_the_tasks(dim: int, degree: int):
    # E x_i = E y = 0, E x_i x_j = [i = j] + [i != j in A]/2, E y x_i = [i in A]/2, or 1 where A = {i}
    sets, probabilities, labels = task_table(dim, degree)
    x = reference.cube(dim)
    for A, weights, y in zip(sets, probabilities, labels, strict=True):
        inside = np.isin(np.arange(dim), A)
        assert_allclose(weights.sum(), 1, rtol=1e-14)
        assert_allclose(weights @ x, 0, atol=1e-15)
        assert_allclose(weights @ y, 0, atol=1e-15)
        assert_allclose((weights * y) @ x, inside * (0.5 if degree > 1 else 1.0), atol=1e-15)
        both = np.outer(inside, inside) & ~np.eye(dim, dtype=bool)
        assert_allclose((x.T * weights) @ x, np.eye(dim) + both / 2, atol=1e-14)
        assert_allclose(weights[abs(x[:, A].sum(axis=1)) == degree].sum(), 0.5 + 2.0**-degree, rtol=1e-14)


@pytest.mark.parametrize(("dim", "degree"), [(3, 3), (4, 3), (5, 1)])
def test_examples_follow_the_table(dim: int, degree: int):
    # chi-square over the points, for two tasks at once
    H = gv.PlantedParities(dim, degree)
    _, probabilities, labels = task_table(dim, degree)
    which, n = [0, H.size - 1], 40_000
    x, y = H.draw(H.members()[which], n, rng=0)
    numbers = ((x < 0) @ 2 ** np.arange(dim)).astype(int)
    for i, number in enumerate(which):
        assert_array_equal(y[i], labels[number][numbers[i]])
        expected = n * probabilities[number]
        statistic = ((np.bincount(numbers[i], minlength=2**dim) - expected) ** 2 / expected).sum()
        assert statistic < chi2.isf(1e-6 / 2, 2**dim - 1)


def test_examples_are_independent_of_each_other_and_across_tasks():
    H = gv.PlantedParities(9, 3)
    x, y = H.draw(H.sample(200, rng=0), 100, rng=1)
    shifted = [(x[:, 1:] * x[:, :-1]).mean(axis=2).ravel(), (x[1:] * x[:-1]).mean(axis=2).ravel(), y[:, 1:] * y[:, :-1]]
    for values in shifted:
        z = values.mean() / values.std() * math.sqrt(values.size)
        assert abs(z) < -ndtri(1e-6 / 3 / 2)


def test_inputs_of_a_random_task_follow_their_weights():
    inputs, n = PlantedCube(5, 3), 40_000
    numbers = ((inputs.sample(n, np.random.default_rng(0)) < 0) @ 2 ** np.arange(5)).astype(int)
    expected = n * inputs.weights(0, 32)
    assert ((np.bincount(numbers, minlength=32) - expected) ** 2 / expected).sum() < chi2.isf(1e-6, 31)


def test_sets_are_drawn_uniformly():
    H, n = gv.PlantedParities(6, 3), 40_000
    numbers = H.sample(n, rng=0) @ 2 ** np.arange(6)
    counts = np.unique(numbers, return_counts=True)[1]
    assert len(counts) == 20
    assert ((counts - n / 20) ** 2 / (n / 20)).sum() < chi2.isf(1e-6, 19)


def test_same_seed_same_bits():
    H = gv.PlantedParities(20, 5)
    for first, second in [(0, 0), (np.random.SeedSequence(1), np.random.SeedSequence(1))]:
        a, b = H.draw(H.sample(4, first), 7, first), H.draw(H.sample(4, second), 7, second)
        assert_array_equal(a[0], b[0])
        assert_array_equal(a[1], b[1])
    assert not np.array_equal(H.sample(4, 0), H.sample(4, 1))
    assert H.draw(H.sample(0, 0), 3, 0)[0].shape == (0, 3, 20)


def test_large_dimensions():
    H = gv.PlantedParities(3000, 1501)
    assert_allclose(H.log2_size, math.log2(math.comb(3000, 1501)), rtol=1e-14)
    x, y = H.draw(H.sample(2, rng=0), 3, rng=0)
    assert set(np.unique(x)) == set(np.unique(y)) == {-1.0, 1.0}


def test_equality_repr_and_pickle():
    H = gv.PlantedParities(7, 3)
    assert eval(repr(H), {"PlantedParities": gv.PlantedParities}) == H == pickle.loads(pickle.dumps(H))
    assert hash(H) == hash(gv.PlantedParities(7, 3))
    assert gv.PlantedParities(7, 5) != H
    assert gv.SparseParities(7, 3) != H


@pytest.mark.parametrize("name", ["evaluate", "covariance", "project", "mean", "gram", "operator_norm"])
def test_says_nothing_that_is_about_shared_inputs(name: str):
    # a method that integrates over shared inputs would otherwise take it, and return a wrong number
    assert not hasattr(gv.PlantedParities(5, 3), name)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`degree` must be odd, got 4"):
        gv.PlantedParities(10, 4)
    with pytest.raises(ValueError, match=r"`degree` must be an integer from 0 to 10, got 11"):
        gv.PlantedParities(10, 11)
    with pytest.raises(TypeError, match="`dim`"):
        gv.PlantedParities(2.5, 1)
    H = gv.PlantedParities(5, 3)
    with pytest.raises(ShapeError, match=r"described by 5 booleans, .* got shape \(2,\)"):
        H.draw([[True, False]], 3)
    with pytest.raises(ValueError, match="has no member of degree 2"):
        H.draw([[True, True, False, False, False]], 3)
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        H.targets([[1, 1, 2, 0, 0]], np.ones((1, 5)))
