"""Bits in words: sets, and points of the cube, for operations on 64 coordinates at a time."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]


def pack(bits: npt.NDArray[np.bool_]) -> Words:
    """Pack rows of bits, shape (n, d), into words, shape (ceil(d / 64), n): word w of all rows is contiguous."""
    octets = np.packbits(bits, axis=1)
    padded = np.zeros((bits.shape[0], -(-octets.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : octets.shape[1]] = octets
    return np.ascontiguousarray(padded.view(np.uint64).T)
