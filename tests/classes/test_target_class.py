"""What every class offers: single targets, iteration, len(), at any size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import gradvar as gv
from gradvar.testing import reference

CLASSES = [gv.Parities(4), *(gv.SparseParities(5, k) for k in range(6)), gv.Parities(3).restrict([5, 0, 5])]


@pytest.mark.parametrize("H", CLASSES, ids=repr)
def test_iteration_numbers_and_descriptions_give_the_members_in_order(H):
    x = H.inputs.points(0, H.inputs.n_points)
    values = H.evaluate(H.members(), x)
    assert len(H) == H.size == len(values)
    assert_array_equal([h(x) for h in H], values)
    assert_array_equal([H.member(i)(x) for i in range(len(H))], values)
    assert_array_equal([H.member(v)(x) for v in H.members()], values)
    assert_array_equal([H.member(v.tolist())(x) for v in H.members()], values)


def test_of_a_finite_class_the_numbers_are_the_rows():
    table, points = np.arange(6.0).reshape(2, 3), np.eye(3)
    H = gv.FiniteClass(table, points)
    assert_array_equal([h(points) for h in H], table)
    assert_array_equal(H.member(1)(points), table[1])
    assert_array_equal(H.member(np.int64(0))(points[[2]]), [2])


@pytest.mark.parametrize(("dim", "degree"), [(d, k) for d in (1, 2, 5, 9) for k in range(d + 1)])
def test_sparse_parities_are_numbered_in_increasing_order(dim: int, degree: int):
    H = gv.SparseParities(dim, degree)
    assert_array_equal([H.member(i).which for i in range(H.size)], H.members())


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 39, 40])
def test_members_of_few_coordinates_are_listed_at_any_dimension(degree: int):
    H = gv.SparseParities(40, degree)
    expected = sorted(sum(2**i for i in chosen) for chosen in itertools.combinations(range(40), degree))
    members = H.members()
    assert members.dtype == bool
    assert [sum(2**i for i in np.flatnonzero(v).tolist()) for v in members] == expected


@pytest.mark.parametrize(("dim", "degree"), [(100, 3), (1000, 5), (1000, 500), (3000, 2999)])
def test_any_member_of_a_huge_class_is_found_by_its_number(dim: int, degree: int):
    H = gv.SparseParities(dim, degree)
    rng = np.random.default_rng(0)
    for number in (0, 1, H.size - 1, H.size // 3, *(int.from_bytes(rng.bytes(500), "big") % H.size for _ in range(5))):
        chosen = np.flatnonzero(H.member(number).which).tolist()
        assert len(chosen) == degree
        assert sum(math.comb(i, j + 1) for j, i in enumerate(chosen)) == number


def test_any_parity_is_found_by_its_bits():
    H = gv.Parities(1000)
    number = (1 << 999) + (1 << 64) + 5
    assert np.flatnonzero(H.member(number).which).tolist() == [0, 2, 64, 999]
    assert H.restrict([number, 3]).size == 2
    assert_array_equal(H.member(H.size - 1).which, np.ones(1000))


def test_a_target_is_a_function_of_the_inputs():
    h = gv.Parities(4).member(subset=[0, 3])
    x = reference.cube(4)
    assert_array_equal(h(x), x[:, 0] * x[:, 3])
    assert_array_equal(h(x.tolist()), x[:, 0] * x[:, 3])
    v = gv.LinearPeriodic(3, 2.0).sample(1, rng=0)[0]
    y = np.random.default_rng(0).normal(size=(7, 3))
    assert_array_equal(gv.LinearPeriodic(3, 2.0).member(v)(y), np.cos(v @ y.T))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (gv.Parities(4).member(9), "<target on coordinates [0, 3] of Parities(dim=4)>"),
        (gv.Parities(4).member(0), "<target on coordinates [] of Parities(dim=4)>"),
        (
            gv.SparseParities(100, 50).member(0),
            "<target on coordinates [0, 1, 2, ..., 47, 48, 49] of SparseParities(dim=100, degree=50)>",
        ),
        (gv.LinearPeriodic(2, 5.0).member([3, 4]), "<target [3., 4.] of LinearPeriodic(dim=2, radius=5)>"),
        (
            gv.FiniteClass([[1, 2]], [[0.0], [1.0]]).member(0),
            "<target 0 of FiniteClass(1 functions on 2 points of R^1)>",
        ),
    ],
)
def test_a_target_says_which_one_it_is(target, expected: str):
    assert repr(target) == expected


def test_targets_are_equal_where_class_and_description_are():
    first = gv.Parities(4).member(9)
    assert first == gv.Parities(4).member(subset=[0, 3])
    assert hash(first) == hash(gv.Parities(4).member([True, False, False, True]))
    assert first != gv.Parities(4).member(8)
    assert first != gv.SparseParities(4, 2).member(subset=[0, 3])
    assert first != 9
    assert len({gv.Parities(4).member(i) for i in (1, 2, 1)}) == 2
    sampled = gv.SampledClass(lambda rng: np.ravel, gv.Gaussian(1))
    assert sampled.member(np.int32(3)) == sampled.member(3)
    assert hash(sampled.member(np.int32(3))) == hash(sampled.member(3))
    v = np.array([0.0, 2.0])
    H = gv.LinearPeriodic(2, 2.0)
    assert H.member(v) == H.member(v * [-1.0, 1.0])  # 0 and -0
    assert hash(H.member(v)) == hash(H.member(v * [-1.0, 1.0]))
    assert H.member(v) != H.member(-v)


def test_linear_periodic_targets_are_infinitely_many_two_or_one():
    for wave, size in (("cosine", 1), ("sawtooth", 2), (lambda u: np.sin(2 * np.pi * u), 2)):
        assert gv.LinearPeriodic(3, 1.0, wave=wave).size is None
        H = gv.LinearPeriodic(1, 1.5, wave=wave)
        assert H.size == len(H) == size
        assert H.log2_size == size - 1
        x = np.linspace(-3, 3, 11)[:, None]
        values = np.array([h(x) for h in H])
        assert_array_equal(values, H.evaluate(np.array([[1.5], [-1.5]])[:size], x))
        assert np.abs(values.mean(axis=0) - H.mean(x)).max() < 1e-12
    constant = gv.LinearPeriodic(3, 1.0, wave=lambda u: 0 * u + 2)
    assert (constant.size, constant.log2_size, len(list(constant))) == (1, 0.0, 1)


def test_a_class_is_true_whatever_its_size():
    for H in (gv.Parities(100), gv.LinearPeriodic(2, 1.0), gv.SparseParities(3, 0)):
        assert H


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: len(gv.Parities(100)), OverflowError, r"len\(\) of Parities\(dim=100\) .* use .size or .log2_size"),
        (lambda: len(gv.LinearPeriodic(2, 1.0)), TypeError, r"infinitely many members and no len\(\); see log2_size"),
        (lambda: list(gv.Parities(100)), gv.TooLargeError, r"2\^100 members, too many to iterate over"),
        (lambda: list(gv.LinearPeriodic(2, 1.0)), TypeError, r"infinitely many members; draw some with sample"),
        (lambda: gv.LinearPeriodic(2, 1.0).members(), gv.NotApplicableError, "infinitely many members"),
        (lambda: gv.LinearPeriodic(2, 1.0).member(0), TypeError, "infinitely many members, which have no numbers"),
        (lambda: gv.Parities(4).member(16), ValueError, "`which` must be an integer from 0 to 15, got 16"),
        (lambda: gv.Parities(4).member(-1), ValueError, "`which` must be an integer from 0 to 15, got -1"),
        (lambda: gv.Parities(4).member(1.0), TypeError, r"`which` must be the number of a member .* got 1.0"),
        (lambda: gv.Parities(4).member(True), TypeError, r"`which` must be the number of a member .* got True"),
        (lambda: gv.Parities(4).member("first"), TypeError, r"`which` must be .* got 'first'"),
        (lambda: gv.Parities(4).member(None), TypeError, r"`which` or `subset` must be given, .* got None"),
        (
            lambda: gv.Parities(4).member([0, 2]),
            gv.ShapeError,
            r"described by 4 booleans, true where .* got shape \(2,\) .* by coordinates: member\(subset=",
        ),
        (lambda: gv.Parities(4).member([0, 2, 0, 0]), ValueError, "got other values than 0 and 1"),
        (lambda: gv.SparseParities(4, 1).member([1, 1, 0, 0]), ValueError, "has no member of degree 2"),
        (lambda: gv.BiasedParities(4, 0.5, 1).member([1, 1, 0, 0]), ValueError, "has no member of degree 2"),
        (
            lambda: gv.LinearPeriodic(2, 1.0).member([1.0]),
            gv.ShapeError,
            r"`members` must have shape \(m, 2\) .* got \(1, 1\)",
        ),
        (lambda: gv.Parities(2).member([0, 1]), TypeError, r"2 booleans, got \[0, 1\]; .* member\(subset=\[0, 2\]\)"),
        (lambda: gv.Parities(2).restrict([[0, 1]]), TypeError, "2 booleans"),
        (
            lambda: gv.Parities(2).member(subset=[2]),
            ValueError,
            "an integer from 0 to 1, got 2",
        ),
        (lambda: gv.Parities(2).member(subset=[1, 1]), ValueError, "each coordinate once, got 1 twice"),
        (lambda: gv.Parities(2).member(0, subset=[1]), TypeError, "`which` or `subset` must be given, one of them"),
        (lambda: gv.SparseParities(4, 1).member(subset=[0, 1]), ValueError, "has no member of degree 2"),
        (lambda: gv.FiniteClass([[1, 2]], [[0.0], [1.0]]).member(1), ValueError, "indices from 0 to 0, got 1"),
    ],
)
def test_what_is_not_a_member_is_refused_in_words(call, error, message: str):
    with pytest.raises(error, match=message):
        call()


def test_sparse_parities_too_many_to_list_say_so():
    with pytest.raises(gv.TooLargeError, match=r"listing members of SparseParities"):
        gv.SparseParities(1000, 5).members()


@pytest.mark.parametrize(("dim", "degree"), [(1, 1), (7, 0), (7, 3), (12, 1), (12, 12)])
def test_sets_of_one_size_are_listed_in_the_order_of_their_numbers(dim: int, degree: int):
    """By combinations where they are few among all 2^dim sets, else by the numbers sum_i v_i 2^i."""
    numbers = [number for number in range(2**dim) if number.bit_count() == degree]
    expected = [[number >> i & 1 for i in range(dim)] for number in numbers]
    for H in (gv.SparseParities(dim, degree), gv.BiasedParities(dim, 0.3, degree)):
        assert np.array_equal(H.members(), expected)
        assert np.array_equal([target.which for target in H], expected)
        assert H.member(len(numbers) - 1).which.tolist() == [bool(v) for v in expected[-1]]
