"""The Walsh-Hadamard transform against what one would otherwise write: ns per element, one thread.

Run as `python benchmarks/walsh_hadamard.py [largest d]`. Medians of repeats, in each of which the candidates
take turns, so that a busy machine slows all of them. Ratios are times over gradvar's own: under 1 is faster.
The last columns are gradvar on two threads, half of the rows each, and its level sums.
"""

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from gradvar.kernels.walsh_hadamard import level_sums, walsh_hadamard

Rows = NDArray[np.float64]


def numpy_butterflies(rows: Rows) -> None:
    m, size = rows.shape
    stride = 1
    while stride < size:
        pairs = rows.reshape(m, -1, 2, stride)
        total = pairs[:, :, 0] + pairs[:, :, 1]
        np.subtract(pairs[:, :, 0], pairs[:, :, 1], out=pairs[:, :, 1])
        pairs[:, :, 0] = total
        stride *= 2


@numba.njit(nogil=True)
def numba_radix_2(rows: Rows) -> None:
    m, size = rows.shape
    for i in range(m):
        stride = 1
        while stride < size:
            for start in range(0, size, 2 * stride):
                for j in range(start, start + stride):
                    a, b = rows[i, j], rows[i, j + stride]
                    rows[i, j], rows[i, j + stride] = a + b, a - b
            stride *= 2


def on_two_threads(rows: Rows) -> None:
    half = len(rows) // 2
    list(POOL.map(walsh_hadamard, (rows[:half], rows[half:])))


CANDIDATES: dict[str, Callable[[Rows], object]] = {
    "gradvar": walsh_hadamard,
    "NumPy": numpy_butterflies,
    "radix-2": numba_radix_2,
    "2 threads": on_two_threads,
    "level sums": level_sums,
}
POOL = ThreadPoolExecutor(2)


def nanoseconds(dim: int) -> dict[str, float]:
    """Median ns per element of each candidate on rows of 2^dim: at least two rows and 2^14 numbers."""
    rows = np.zeros((max(2, 2 ** (14 - dim)), 2**dim))  # zeros stay zeros, however often they are transformed
    calls = max(1, 2**19 // rows.size)
    times: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for _ in range(15 if dim <= 20 else 5):
        for name, run in CANDIDATES.items():
            run(rows)  # wakes the threads, fills the caches
            start = time.perf_counter()
            for _ in range(calls):
                run(rows)
            times[name].append((time.perf_counter() - start) / (calls * rows.size) * 1e9)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def main() -> None:
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 22
    check = np.random.default_rng(0).standard_normal((2, 2**10))
    copies = [check.copy() for _ in range(4)]
    for run, rows in zip((walsh_hadamard, numpy_butterflies, numba_radix_2, on_two_threads), copies, strict=True):
        run(rows)  # compiled, and the same numbers
        np.testing.assert_allclose(rows, copies[0], atol=1e-11)
    level_sums(check)
    print(f"{'d':>3} {'gradvar':>8} {'NumPy':>16} {'Numba radix-2':>16} {'2 threads':>16} {'level sums':>11}")
    for dim in [4, 6, 8, *range(10, largest + 1, 2)]:
        ns = nanoseconds(dim)
        own = ns["gradvar"]
        others = ("NumPy", "radix-2", "2 threads")
        against = " ".join(f"{ns[name]:8.2f} ({ns[name] / own:4.1f}x)" for name in others)
        print(f"{dim:3} {own:8.2f} {against} {ns['level sums']:11.2f}", flush=True)


if __name__ == "__main__":
    main()
