"""Bits in words."""

from __future__ import annotations

import numpy as np
import pytest

from gradvar.kernels.bits import pack


@pytest.mark.parametrize("dim", [1, 8, 63, 64, 65, 128, 130])
def test_every_bit_is_somewhere_and_counted_once(dim: int):
    bits = np.random.default_rng(dim).random((7, dim)) < 0.5
    words = pack(bits)
    assert words.shape == (-(-dim // 64), 7)
    assert np.array_equal(np.bitwise_count(words).sum(axis=0), bits.sum(axis=1))
    alone = pack(np.eye(dim, dtype=np.bool_))
    found = (words[:, :, None] & alone[:, None, :]).any(axis=0)
    assert np.array_equal(found, bits)


def test_no_rows():
    assert pack(np.zeros((0, 70), dtype=np.bool_)).shape == (2, 0)
