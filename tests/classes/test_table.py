"""Tables by blocks: the same numbers for any block, a byte a value only where that is exact."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.classes.gram import table
from gradvar.testing import reference

RNG = np.random.default_rng(0)
SIGNS = RNG.choice([-1.0, 1.0], size=(23, 17))
WIDE = RNG.normal(size=(8, 31)) + 5 * RNG.normal(size=31)
INPUTS = {n: gv.FinitePoints(RNG.normal(size=(n, 2)), RNG.dirichlet(np.ones(n))) for n in (17, 31)}


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (SIGNS, np.int8),
        (SIGNS.astype(np.int64), np.int8),
        (SIGNS.astype(np.float32), np.int8),
        (SIGNS > 0, np.int8),
        (SIGNS.tolist(), np.int8),
        ([[127, -128]], np.int8),
        ([[127.0, -127.0]], np.int8),
        ([[128, 0]], np.float64),
        ([[0, -129]], np.float64),
        ([[255, 0]], np.float64),
        (np.array([[255, 0]], dtype=np.uint8), np.float64),
        (np.array([[2**40, 0]]), np.float64),
        ([[0.5, 1.0]], np.float64),
        ([[1.0, 1 - 1e-16 * 2]], np.float64),
        ([[1e300, 1.0]], np.float64),
        (np.float32([[0.1, 1.0]]), np.float64),
    ],
)
def test_a_byte_a_value_only_where_it_is_exact(given, dtype):
    found = table.compact("values", given)
    assert found.dtype == dtype
    assert_array_equal(found, np.asarray(given, dtype=np.float64))


def test_the_last_row_decides_as_well_as_the_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table, "_BLOCK", 20)
    values = SIGNS.copy()
    assert table.compact("values", values).dtype == np.int8
    values[-1, -1] = 0.5
    found = table.compact("values", values)
    assert found.dtype == np.float64
    assert_array_equal(found, values)


def test_the_table_is_a_copy():
    for values in (SIGNS.astype(np.int8), WIDE.copy()):
        found = table.compact("values", values)
        before = found.copy()
        values[:] = 0
        assert_array_equal(found, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_not_finite_is_refused_where_it_is(bad: float, dtype):
    values = SIGNS.astype(dtype)
    values[3, 5] = bad
    with pytest.raises(gv.NonFiniteError, match=rf"`values` must be finite, got {bad} at index \(3, 5\)"):
        table.compact("values", values)


@pytest.mark.parametrize(
    ("given", "error"),
    [([[1, 2], [3]], TypeError), ([["a"]], TypeError), ([[1j]], TypeError), ([1, 2], gv.ShapeError)],
)
def test_what_is_no_table_is_refused(given, error):
    with pytest.raises(error, match="`values` must"):
        table.compact("values", given)


@pytest.mark.parametrize("values", [SIGNS, WIDE], ids=["signs", "real"])
@pytest.mark.parametrize(("block", "rows"), [(2**21, 2**12), (40, 4), (1, 1)])
def test_any_block_gives_the_same_sums(values: np.ndarray, block: int, rows: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table, "_BLOCK", block)
    monkeypatch.setattr(table, "_ROWS", rows)
    m, n = values.shape
    inputs = INPUTS[n]
    weights = inputs.weights(0, n)
    evaluated = table.EvaluatedTable(lambda members, x: values[members][:, : len(x)], np.arange(m), inputs)
    stored = table.StoredTable(table.compact("values", values), inputs)
    assert stored.shape == evaluated.shape == (m, n)
    f = RNG.normal(size=(n, 4))
    assert_allclose(table.project(stored, f), reference.projection(values, weights, f), rtol=1e-13, atol=1e-14)
    assert_allclose(table.class_mean(stored), reference.class_mean(values), rtol=1e-13, atol=1e-15)
    gram = reference.gram(values, weights)
    assert_allclose(table.gram(stored), gram, rtol=1e-13, atol=1e-14)
    assert_allclose(table.second_moments(stored), np.diagonal(gram), rtol=1e-13)
    centred = reference.gram(values - reference.class_mean(values), weights)
    assert_allclose(table.gram(stored, centred=True), centred, rtol=1e-12, atol=1e-13)
    for matrix in (table.gram(stored), table.smaller_gram(stored, True)):
        assert_array_equal(matrix, matrix.T)
    for centre in (True, False):
        smaller = table.smaller_gram(stored, centre)
        assert smaller.shape == (min(m, n),) * 2
        expected = reference.operator_norm(values, weights, centre)
        assert_allclose(np.linalg.eigvalsh(smaller)[-1] / m, expected, rtol=1e-12)


def test_large_matrices_are_filled_in_their_upper_half():
    # more rows than the blocks in which the lower triangle is copied over
    values = np.random.default_rng(1).normal(size=(1100, 3))
    stored = table.StoredTable(values, gv.FinitePoints(np.eye(3)))
    assert_allclose(table.gram(stored), values @ values.T / 3, rtol=1e-12, atol=1e-14)


def test_centred_sums_keep_the_digits_of_a_small_spread():
    # members that differ by 1e-9 from a common function: the centred norm is 1e-18 of the uncentred one
    rng = np.random.default_rng(2)
    common, spread = rng.normal(size=50), rng.normal(size=(6, 50))
    spread = np.round(spread * 2**20) / 2**20 * 2.0**-30
    values = np.round(common * 2**10) / 2**10 + spread
    expected = reference.operator_norm(spread, np.full(50, 1 / 50))
    for rows in (slice(None), [0, 1, 2, 3, 4, 5] * 10):
        H = gv.FiniteClass(values[rows], np.arange(50.0)[:, None])
        assert_allclose(H.operator_norm(), expected, rtol=1e-6)


def test_what_is_kept_is_what_is_evaluated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table, "_BLOCK", 40)

    def kept(values):
        inputs = gv.FinitePoints(np.arange(values.shape[1])[:, None].astype(float))
        given = table.EvaluatedTable(
            lambda rows, x: values[rows][:, x[:, 0].astype(int)], np.arange(len(values)), inputs
        )
        found = table.kept(given, inputs)
        everything = slice(0, values.shape[0]), slice(0, values.shape[1])
        assert_array_equal(found.block(*everything), values)
        return "evaluated" if found is given else found.values.dtype

    late = SIGNS.copy()
    late[-1, -1] = 0.5
    assert kept(SIGNS) == kept(late) == np.float64
    monkeypatch.setattr(table, "KEPT_BYTES", SIGNS.size)
    assert kept(SIGNS) == np.int8
    assert kept(late) == "evaluated"
    monkeypatch.setattr(table, "KEPT_BYTES", SIGNS.size - 1)
    assert kept(SIGNS) == "evaluated"


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (np.ones((2, 5)), gv.ShapeError, r"`H.evaluate` must return shape \(3, 17\) for 3 members and 17 inputs"),
        (np.full((3, 17), np.nan), gv.NonFiniteError, r"`H.evaluate\(members, x\)` must be finite"),
    ],
)
def test_wrong_values_of_a_user_s_class_are_named(returned, error, message: str):
    wrong = table.EvaluatedTable(lambda members, x: returned, np.arange(3), INPUTS[17])
    with pytest.raises(error, match=message):
        table.second_moments(wrong)


def test_evaluated_values_are_not_written_to():
    values = SIGNS.copy()
    values.setflags(write=False)
    lent = table.EvaluatedTable(lambda members, x: values, np.arange(23), INPUTS[17])
    table.gram(lent, centred=True)
    table.second_moments(lent)
    assert_array_equal(values, SIGNS)
