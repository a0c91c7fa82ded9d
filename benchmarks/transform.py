"""The Walsh-Hadamard transform of 2^d float64 numbers on one thread, against FFHT, fht-cpu and NumPy.

FFHT (`ffht-unofficial`) is C with intrinsics; its package is built where it is installed and needs `pybind11` first.
Seconds are per transform, of 2^14 numbers or more a turn. All arrays begin at a multiple of 64 bytes: elsewhere gradvar
takes 1.15 and FFHT 1.4 times as long at d = 14, and where NumPy puts an array is chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from .timing import Row, Run, Side, contest

Rows = np.ndarray


def sizes(dim: int) -> tuple[int, int]:
    """Rows of a block, and calls of a turn: of about 2^21 numbers."""
    rows = max(1, 2 ** (14 - dim))
    return rows, max(1, 2**21 // (rows * 2**dim))


def aligned(numbers: Rows) -> Rows:
    """A copy that begins at a multiple of 64 bytes."""
    memory = np.empty(numbers.size + 8)
    start = -memory.ctypes.data % 64 // 8
    copy = memory[start : start + numbers.size].reshape(numbers.shape)
    copy[:] = numbers
    return copy


def repeated(transform: Callable[[Rows], object], dim: int, each: bool = False) -> Run:
    """Twice it is 2^d times the identity; then zeros, which stay zeros however often they are transformed.

    With `each` the transform is handed one row after the other.
    """
    count, calls = sizes(dim)
    numbers = np.random.default_rng(0).standard_normal((count, 2**dim))
    x = aligned(numbers)
    rows = list(x) if each else [x]
    for row in 2 * rows:
        transform(row)
    error = float(np.abs(x / 2**dim - numbers).max())
    assert error < 1e-12
    x[:] = 0

    def run(turn: int) -> tuple[float, float]:
        for _ in range(calls):
            for row in rows:
                transform(row)
        return math.nan, math.nan

    return run


def by_gradvar(dim: int) -> Run:
    from gradvar.kernels.walsh_hadamard import walsh_hadamard

    return repeated(walsh_hadamard, dim)


def by_ffht(dim: int) -> Run:
    import ffht

    return repeated(ffht.fht_, dim, each=True)


def by_fht_cpu(dim: int) -> Run:
    import fht_cpu

    return repeated(lambda rows: fht_cpu.fht(rows, num_threads=1), dim)


def by_numpy(dim: int) -> Run:
    return repeated(butterflies, dim)


def butterflies(rows: Rows) -> None:
    """Log-many passes over all rows, in place."""
    stride = 1
    while stride < rows.shape[1]:
        pairs = rows.reshape(len(rows), -1, 2, stride)
        total = pairs[:, :, 0] + pairs[:, :, 1]
        np.subtract(pairs[:, :, 0], pairs[:, :, 1], out=pairs[:, :, 1])
        pairs[:, :, 0] = total
        stride *= 2


def rows(quick: bool) -> Iterator[Row]:
    for dim in (10, 14, 17, 20) if quick else (10, 12, 14, 16, 17, 18, 19, 20, 21, 22, 23, 24):
        sides = [Side("gradvar", by_gradvar, (dim,)), Side("FFHT", by_ffht, (dim,))]
        sides += [Side("fht-cpu", by_fht_cpu, (dim,)), Side("NumPy", by_numpy, (dim,))]
        count, calls = sizes(dim)
        yield from contest("transform", f"d = {dim}", sides, 5 if quick else 15, per=count * calls)
