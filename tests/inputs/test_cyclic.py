"""CyclicGroup: coding of the residues, blocks, samples, and decoding that refuses what is no residue.

Statistical tests have fixed seeds and a false-alarm rate of 1e-6 each.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import chi2

import gradvar as gv

ENCODINGS = ["bits", "bits-msb-first", "integer", "one-hot"]
CASES = [(p, units, e) for p in (2, 3, 5, 7, 17, 31) for units in (True, False) for e in ENCODINGS]


def coded(p: int, units: bool, encoding: str) -> np.ndarray:
    """All points by the definition of their coding."""
    residues = range(1 if units else 0, p)
    if encoding == "integer":
        return np.array([[float(r)] for r in residues])
    if encoding == "one-hot":
        return np.array([[float(r == s) for s in residues] for r in residues])
    dim = next(d for d in range(1, 10) if 2**d >= p)  # ceil(log2 p)
    if encoding == "bits-msb-first":  # as bin() writes numbers
        return np.array([[float(digit) for digit in bin(r)[2:].zfill(dim)] for r in residues])
    return np.array([[float(r // 2**i % 2) for i in range(dim)] for r in residues])


@pytest.mark.parametrize(("p", "units", "encoding"), CASES)
def test_points_are_the_residues_in_order_and_decode_to_themselves(p: int, units: bool, encoding: str):
    inputs, expected = gv.CyclicGroup(p, units, encoding), coded(p, units, encoding)
    assert (inputs.n_points, inputs.dim) == expected.shape
    x = inputs.points(0, inputs.n_points)
    assert x.dtype == np.float64
    assert_array_equal(x, expected)
    assert_array_equal(inputs.points(len(x) // 2, len(x)), expected[len(x) // 2 :])
    assert_array_equal(inputs.decode(x), range(1 if units else 0, p))
    assert_array_equal(inputs.encode(inputs.decode(x[::-1])), x[::-1])
    assert_array_equal(inputs.weights(0, inputs.n_points), np.full(len(x), 1 / len(x)))
    assert inputs.decode(x[:0]).shape == (0,)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("units", [True, False])
def test_samples_are_uniform_residues(units: bool, encoding: str):
    inputs, n = gv.CyclicGroup(13, units, encoding), 20_000
    x = inputs.sample(n, np.random.default_rng(3))
    assert x.shape == (n, inputs.dim)
    counts = np.bincount(inputs.decode(x), minlength=13)[inputs.first :]
    expected = n / inputs.n_points
    assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-6, inputs.n_points - 1)
    assert_array_equal(x, inputs.sample(n, np.random.default_rng(3)))


def test_blocks_of_a_large_group_need_no_more_memory_than_they_hold():
    inputs = gv.CyclicGroup(100_003, encoding="one-hot")
    assert inputs.dim == 100_002
    assert_array_equal(inputs.decode(inputs.points(99_990, 99_993)), [99_991, 99_992, 99_993])
    assert gv.CyclicGroup(2**31 - 1).dim == 31


NO_RESIDUES = [
    (True, "bits", [0, 0, 0, 0], r"0\. 0\. 0\. 0\."),  # 0 is no unit
    (False, "bits", [1, 0, 1, 1], r"as 4 bits 0\.0 and 1\.0"),  # 13 = p
    (False, "bits-msb-first", [1, 1, 0, 1], r"as 4 bits 0\.0 and 1\.0, most significant first"),  # 13 = p
    (False, "bits", [-1, 1, 1, -1], "-1"),  # the coding is {0, 1}
    (False, "bits", [0.5, 0, 0, 0], "0.5"),
    (False, "bits", [np.nan, 0, 0, 0], "nan"),
    (True, "integer", [0], "from 1 to 12 as integers"),
    (False, "integer", [13], "13"),
    (False, "integer", [-1], "-1"),
    (False, "integer", [2.5], "2.5"),
    (False, "integer", [np.inf], "inf"),
    (True, "one-hot", [0] * 12, "a single 1.0 among zeros"),
    (True, "one-hot", [1, 1] + [0] * 10, "one"),
    (True, "one-hot", [1, -1] + [0] * 10, "one"),
    (True, "one-hot", [2] + [0] * 11, "one"),
    (True, "one-hot", [np.nan] + [0] * 11, "nan"),
]


@pytest.mark.parametrize(("units", "encoding", "row", "message"), NO_RESIDUES)
def test_what_is_no_encoded_residue_is_refused_with_its_row(units: bool, encoding: str, row: list[float], message: str):
    inputs = gv.CyclicGroup(13, units, encoding)
    x = np.vstack([inputs.points(0, 3), [row]])
    with pytest.raises(ValueError, match=r"`x` must hold residues .* in row 3") as error:
        inputs.decode(x)
    assert not isinstance(error.value, gv.ShapeError)
    if message != "one":
        with pytest.raises(ValueError, match=message):
            inputs.decode(x)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"`p` must be a prime, got 91 = 7 \* 13"):
        gv.CyclicGroup(91)
    with pytest.raises(ValueError, match=r"`encoding` must be one of 'bits', 'bits-msb-first', .*, got 'binary'"):
        gv.CyclicGroup(7, encoding="binary")
    with pytest.raises(TypeError, match="`units` must be True"):
        gv.CyclicGroup(7, "bits")
    with pytest.raises(gv.ShapeError, match=r"`x` must have shape \(n, 3\)"):
        gv.CyclicGroup(7).decode(np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"`residues` must be from 1 to 6, got 0\.\.3"):
        gv.CyclicGroup(7).encode([3, 0])
    with pytest.raises(ValueError, match=r"`residues` must be from 0 to 6, got 5\.\.7"):
        gv.CyclicGroup(7, units=False).encode([5, 7])
    with pytest.raises(ValueError, match=r"`stop` must be an integer from 0 to 7, got 8"):
        gv.CyclicGroup(7, units=False).points(5, 8)


def test_equal_parameters_are_equal_inputs():
    assert gv.CyclicGroup(7) == gv.CyclicGroup(7, True, "bits")
    assert hash(gv.CyclicGroup(7)) == hash(gv.CyclicGroup(7))
    assert len({gv.CyclicGroup(7), gv.CyclicGroup(7, False), gv.CyclicGroup(7, encoding="integer")}) == 3
    assert repr(gv.CyclicGroup(7)) == "CyclicGroup(p=7, units=True, encoding='bits')"
    assert gv.CyclicGroup(7).description == "x uniform on 1, ..., 6 modulo the prime 7, as 3 bits"
