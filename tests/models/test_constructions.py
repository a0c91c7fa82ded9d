"""Networks by hand compute their function exactly, at every input of the cube."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import gradvar as gv
from gradvar.models.constructions import parity_deep_xor, parity_one_hidden_layer, parity_recurrent, sawtooth

SUBSETS = [[0], [1], [4, 0], [2, 5, 7], [9, 1, 3, 0, 8], list(range(1, 10))]


def cube(dim: int) -> np.ndarray:
    return gv.Hypercube(dim).points(0, 2**dim)


@pytest.mark.parametrize("dim", range(1, 13))
@pytest.mark.parametrize("construct", [parity_one_hidden_layer, parity_deep_xor, parity_recurrent])
def test_parity_of_all_coordinates(construct, dim: int):
    x = cube(dim)
    assert_array_equal(construct(dim).predict(x), x.prod(axis=1))


@pytest.mark.parametrize("subset", SUBSETS, ids=str)
@pytest.mark.parametrize("construct", [parity_one_hidden_layer, parity_deep_xor])
def test_parity_of_a_subset(construct, subset):
    x = cube(10)
    assert_array_equal(construct(10, subset).predict(x), x[:, subset].prod(axis=1))
    assert_array_equal(construct(10, subset=np.array(subset)).predict(x), x[:, subset].prod(axis=1))


@pytest.mark.parametrize("dim", [1, 2, 5, 8, 11])
def test_weight_tied_parity(dim: int):
    # all weights and states are multiples of 1/2: every sum is exact in any order
    x = cube(dim)
    for mlp in (parity_one_hidden_layer(dim), parity_deep_xor(dim)):
        assert_array_equal(gv.WeightTied.from_mlp(mlp).predict(x), x.prod(axis=1))


@pytest.mark.parametrize("k", range(1, 13))
def test_sizes_are_those_of_the_constructions(k: int):
    dim = 12
    subset = list(range(k))
    assert parity_one_hidden_layer(dim, subset).sizes == (dim, 3 * (k // 2 + 1), 1)
    deep = parity_deep_xor(dim, subset)
    assert len(deep.sizes) - 2 == k
    assert max(deep.sizes[1:]) <= k + 1
    assert parity_recurrent(k).n_parameters == 4 + 2 + 2 + 2 + 1
    assert sawtooth(k).sizes == (1, *[2] * k, 1, 1)


def test_the_recurrent_network_is_the_same_at_every_dimension():
    assert_array_equal(parity_recurrent(3).parameters, parity_recurrent(300).parameters)
    x = np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 300))
    assert_array_equal(parity_recurrent(300).predict(x), x.prod(axis=1))


def tent(z: Fraction) -> Fraction:
    return max(Fraction(0), 2 * z if z <= Fraction(1, 2) else 2 - 2 * z)


@pytest.mark.parametrize("k", [1, 2, 3, 6, 10])
def test_sawtooth_is_the_tent_map_composed(k: int):
    points = [Fraction(j, 2 ** (k + 2)) for j in range(-8, 2 ** (k + 2) + 9)]
    expected = []
    for z in points:
        for _ in range(k):
            z = tent(z)
        expected.append(float(z))
    x = np.array([[float(z)] for z in points])
    p = sawtooth(k).predict(x)
    assert_array_equal(p, expected)
    peaks = np.flatnonzero((p[1:-1] > p[:-2]) & (p[1:-1] > p[2:])) + 1
    assert len(peaks) == 2 ** (k - 1)
    assert_array_equal(p[peaks], 1.0)


@pytest.mark.parametrize("construct", [parity_one_hidden_layer, parity_deep_xor])
@pytest.mark.parametrize(
    ("subset", "error", "message"),
    [
        ([], ValueError, "`subset` must be a sequence of different coordinates from 0 to 3, at least one, got "),
        ([1, 1], ValueError, r"`subset` must be a sequence of different .* got \[1, 1\]"),
        ([4], ValueError, r"`subset\[0\]` must be an integer from 0 to 3, got 4"),
        ([0, -1], ValueError, r"`subset\[1\]` must be an integer from 0 to 3, got -1"),
        ("01", TypeError, "`subset` must be a sequence of different coordinates from 0 to 3, got '01'"),
        (2, TypeError, "`subset` must be a sequence"),
    ],
)
def test_wrong_subsets_are_named(construct, subset, error, message):
    with pytest.raises(error, match=message):
        construct(4, subset)


@pytest.mark.parametrize("construct", [parity_one_hidden_layer, parity_deep_xor, parity_recurrent])
def test_dimension_is_an_integer_from_one(construct):
    with pytest.raises(ValueError, match="`dim` must be an integer >= 1, got 0"):
        construct(0)


def test_number_of_compositions_is_an_integer_from_one():
    with pytest.raises(ValueError, match="`k` must be an integer >= 1, got 0"):
        sawtooth(0)
