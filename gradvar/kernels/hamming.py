"""Functions of the Hamming distance between points of the cube."""

import numpy as np
from numpy.typing import NDArray

from .bits import Words
from .jit import compiled

Values = NDArray[np.float64]


def look_up_distances(
    words: Words, words2: Words, table: Values, mean: Values | None = None, mean2: Values | None = None
) -> Values:
    """Return ``table[distance(i, j)] - mean[i] mean2[j]`` for each pair of packed points, shape (n, n2).

    Parameters
    ----------
    words, words2 : uint64 arrays, shapes (w, n), (w, n2)
        Points packed into bits, 1 for a negative coordinate, by `bits.pack`.
    table : float64 array, shape (d + 1,)
        A value for each Hamming distance 0 .. d.
    mean, mean2 : float64 arrays, shapes (n,), (n2,), or None
        Nothing is subtracted where there are none.

    Exact but for the rounding of that difference. Costs n n2 w popcounts. Releases the GIL.
    """
    n, n2 = words.shape[1], words2.shape[1]
    out = np.empty((n, n2))
    _look_up(words, words2, table, np.zeros(n) if mean is None else mean, np.zeros(n2) if mean2 is None else mean2, out)
    return out


@compiled
def _look_up(words: Words, words2: Words, table: Values, mean: Values, mean2: Values, out: Values) -> None:
    distance = np.empty(words2.shape[1], dtype=np.uint64)
    for i in range(words.shape[1]):
        distances_from(words, i, words2, distance)
        for j in range(words2.shape[1]):
            out[i, j] = table[distance[j]] - mean[i] * mean2[j]


@compiled
def distances_from(words: Words, i: int, words2: Words, distance: Words) -> None:
    """Write the Hamming distances of point i to all others into ``distance``, shape (n2,)."""
    pairs = np.uint64(0x5555555555555555)
    fours = np.uint64(0x3333333333333333)
    bytes_ = np.uint64(0x0F0F0F0F0F0F0F0F)
    ones = np.uint64(0x0101010101010101)
    one, two, four, last = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
    distance[:] = np.uint64(0)
    for w in range(words.shape[0]):
        word = words[w, i]
        for j in range(words2.shape[1]):
            v = word ^ words2[w, j]
            v = v - ((v >> one) & pairs)
            v = (v & fours) + ((v >> two) & fours)
            v = (v + (v >> four)) & bytes_
            # Compilers know this way to count bits and take the processor's own instruction for it.
            distance[j] += (v * ones) >> last
