"""The Walsh-Hadamard transform of functions on the cube, and their weight at each degree."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Rows = NDArray[np.float64]

_FLOAT64 = np.dtype(np.float64)

TOGETHER = 2**14
"""Numbers that are transformed, in rows, before their squares are added: 128 KiB stay in the second-level cache."""

LARGE = 22
"""Dimension from which on a row, 32 MiB and more, goes through the memory as seldom as possible."""

# Level sums: 2**7 runs of 2**6 numbers are added by the degree of the run, then by the degree within the run.
RUN_BITS = 6
RUNS_BITS = 7
_DEGREES: NDArray[np.int64] = np.bitwise_count(np.arange(2 ** max(RUN_BITS, RUNS_BITS))).astype(np.int64)


def walsh_hadamard(rows: Rows) -> None:
    """Transform each row in place, unnormalised and in natural (Hadamard) order.

    Row f becomes F with ``F[S] = sum_j (-1)^popcount(S & j) f[j]``: where f[j] is the value at point j of the
    cube, F[S] is 2^d times the coefficient of parity number S. Applied twice it multiplies by 2^d.

    Parameters
    ----------
    rows : float64 array, shape (m, 2**d), C-contiguous
        Overwritten by the transforms.

    Exact up to rounding, with u = 2^-53 and to first order: each entry is a sum through d levels of
    additions, so its error is at most ``d u sum_j |f[j]|``; each level is sqrt(2) times an orthogonal map
    followed by one rounding, so the errors of a row have a 2-norm of at most ``d u`` times that of F. Costs
    d 2^d additions a row, in place. Releases the GIL. Raises ValueError for an array of any other kind.

    >>> import numpy as np
    >>> rows = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> walsh_hadamard(rows)
    >>> rows
    array([[10., -2., -4.,  0.]])
    """
    _transform_of(_dimension(rows, True))(rows)


def level_sums(rows: Rows) -> Rows:
    """Sum the squares of each row by degree: ``out[i, k] = sum_{popcount(S) = k} rows[i, S]^2``.

    Parameters
    ----------
    rows : float64 array, shape (m, 2**d), C-contiguous
        Only read.

    Returns the sums, shape (m, d + 1). Exact up to rounding: no square passes through more than d + 90
    additions, so the relative error is at most about ``(d + 90) 2^-53``. Costs one pass over the rows.
    Releases the GIL. Raises ValueError for an array of any other kind.

    >>> import numpy as np
    >>> level_sums(np.array([[10.0, -2.0, -4.0, 0.0]]))
    array([[100.,  20.,   0.]])
    """
    sums = np.zeros((len(rows), _dimension(rows, False) + 1))
    _level_sums(rows, _DEGREES, sums)
    return sums


def level_weights(rows: Rows) -> Rows:
    """Weight of each row, a function on the cube, at every degree k.

    ``W_k = sum_{|S| = k} (E_x[f(x) chi_S(x)])^2``, normalised: the coefficients are expectations over the 2^d
    points, so these are the level sums of the transform divided by 4^d, and ``sum_k W_k = E_x f(x)^2``.

    Parameters
    ----------
    rows : float64 array, shape (m, 2**d), C-contiguous
        The values at points 0 .. 2**d - 1. **Overwritten** by the unnormalised transforms.

    Returns the weights, shape (m, d + 1), exact up to the rounding of `walsh_hadamard` and `level_sums`.
    Costs both of these, one row after the other while it is in the cache. Releases the GIL. Raises ValueError
    for an array of any other kind.

    >>> import numpy as np
    >>> level_weights(np.array([[1.0, 2.0, 3.0, 4.0]]))
    array([[6.25, 1.25, 0.  ]])
    """
    dim = _dimension(rows, True)
    sums = np.zeros((len(rows), dim + 1))
    together = max(1, TOGETHER >> dim)
    transform = _transform_of(dim)
    for start in range(0, len(rows), together):
        tile = rows[start : start + together]
        transform(tile)
        _level_sums(tile, _DEGREES, sums[start : start + together])
    return np.ldexp(sums, -2 * dim)


def product_level_weights(left: Rows, right: Rows, memory: Rows) -> Rows:
    """Weight at every degree of all products of two rows: ``sum_ij W_k(left[i] * right[j])``.

    Parameters
    ----------
    left, right : float64 array, shapes (l, 2**d) and (r, 2**d), C-contiguous
        Only read.
    memory : float64 array, shape (1, 2**d), C-contiguous
        **Overwritten**: one product after the other, and its transform.

    Returns the weights, shape (d + 1,), as exact as those of `level_weights`. One product after the other is made,
    transformed and squared, and the GIL released once for all of them. Raises ValueError for an array of any other
    kind.

    >>> import numpy as np
    >>> product_level_weights(np.array([[1.0, 2.0, 1.0, 2.0]]), np.array([[1.0, 1.0, 3.0, 2.0]]), np.empty((1, 4)))
    array([6.25, 1.25, 0.  ])
    """
    dim = _dimension(left, False)
    if _dimension(right, False) != dim or _dimension(memory, True) != dim or len(memory) != 1:
        raise ValueError(f"`left`, `right` and `memory` must have 2^{dim} columns and `memory` one row")
    sums = np.zeros((len(left), len(right), dim + 1))
    level_sums_of = _small_product_level_sums if dim < 13 else _product_level_sums
    level_sums_of(left, right, memory, _DEGREES, sums)
    total: Rows = sums.sum(axis=(0, 1))
    return np.ldexp(total, -2 * dim)


def _transform_of(dim: int) -> Callable[[Rows], None]:
    return _transform_small if dim < 13 else _transform if dim < LARGE else _transform_large


def _dimension(rows: Rows, overwritten: bool) -> int:
    if not isinstance(rows, np.ndarray) or rows.dtype != _FLOAT64:
        kind = rows.dtype if isinstance(rows, np.ndarray) else type(rows).__name__
        raise ValueError(f"`rows` must be an array of float64, got {kind}")
    shape, flags = rows.shape, rows.flags  # looked up once: small transforms take no longer than these checks
    if len(shape) != 2:
        raise ValueError(f"`rows` must have shape (m, 2**d), got {shape}; pass rows[np.newaxis] for one row")
    size: int = shape[1]
    if size < 1 or size & (size - 1):
        raise ValueError(f"`rows` must have shape (m, 2**d), got {shape}: {size} is not a power of two")
    if not flags.carray:  # C-contiguous, aligned and writeable
        if not flags.c_contiguous or not flags.aligned:
            raise ValueError("`rows` must be C-contiguous and aligned; pass np.ascontiguousarray(rows)")
        if overwritten:
            raise ValueError("`rows` is overwritten and must be writeable; pass rows.copy()")
    return size.bit_length() - 1


# At strides that the compiler knows, it sees that the streams do not overlap, and vectorises the loops over them; at 1
# and 2 those over groups of four neighbours.


@compiled
def _bits_0_to_1(x: Rows) -> None:
    for b in range(x.size // 4):
        a0, a1, a2, a3 = x[4 * b], x[4 * b + 1], x[4 * b + 2], x[4 * b + 3]
        b0, b1, b2, b3 = a0 + a1, a0 - a1, a2 + a3, a2 - a3
        x[4 * b], x[4 * b + 1], x[4 * b + 2], x[4 * b + 3] = b0 + b2, b1 + b3, b0 - b2, b1 - b3


@compiled
def _eight(
    a0: float, a1: float, a2: float, a3: float, a4: float, a5: float, a6: float, a7: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """The transform of eight numbers."""
    b0, b1, b2, b3 = a0 + a1, a0 - a1, a2 + a3, a2 - a3
    b4, b5, b6, b7 = a4 + a5, a4 - a5, a6 + a7, a6 - a7
    c0, c1, c2, c3 = b0 + b2, b1 + b3, b0 - b2, b1 - b3
    c4, c5, c6, c7 = b4 + b6, b5 + b7, b4 - b6, b5 - b7
    return c0 + c4, c1 + c5, c2 + c6, c3 + c7, c0 - c4, c1 - c5, c2 - c6, c3 - c7


def _radix_8(s: int) -> Callable[[Rows], None]:
    """Three bits, from stride s on."""

    @compiled
    def radix_8(x: Rows) -> None:
        for b in range(x.size // (8 * s)):
            v = x[8 * s * b : 8 * s * (b + 1)]
            for j in range(s):
                a0, a1, a2, a3, a4, a5, a6, a7 = _eight(
                    v[j], v[j + s], v[j + 2 * s], v[j + 3 * s], v[j + 4 * s], v[j + 5 * s], v[j + 6 * s], v[j + 7 * s]
                )
                v[j], v[j + s], v[j + 2 * s], v[j + 3 * s] = a0, a1, a2, a3
                v[j + 4 * s], v[j + 5 * s], v[j + 6 * s], v[j + 7 * s] = a4, a5, a6, a7

    return radix_8


def _radix_16(s: int) -> Callable[[Rows], None]:
    """Four bits, from stride s on; 16 streams more than 4 KiB apart would drive each other out of the cache."""

    @compiled
    def radix_16(x: Rows) -> None:
        for b in range(x.size // (16 * s)):
            v = x[16 * s * b : 16 * s * (b + 1)]
            for j in range(s):
                a0, a1, a2, a3, a4, a5, a6, a7 = _eight(
                    v[j], v[j + s], v[j + 2 * s], v[j + 3 * s], v[j + 4 * s], v[j + 5 * s], v[j + 6 * s], v[j + 7 * s]
                )
                b0, b1, b2, b3, b4, b5, b6, b7 = _eight(
                    v[j + 8 * s],
                    v[j + 9 * s],
                    v[j + 10 * s],
                    v[j + 11 * s],
                    v[j + 12 * s],
                    v[j + 13 * s],
                    v[j + 14 * s],
                    v[j + 15 * s],
                )
                v[j], v[j + s], v[j + 2 * s], v[j + 3 * s] = a0 + b0, a1 + b1, a2 + b2, a3 + b3
                v[j + 4 * s], v[j + 5 * s], v[j + 6 * s], v[j + 7 * s] = a4 + b4, a5 + b5, a6 + b6, a7 + b7
                v[j + 8 * s], v[j + 9 * s], v[j + 10 * s], v[j + 11 * s] = a0 - b0, a1 - b1, a2 - b2, a3 - b3
                v[j + 12 * s], v[j + 13 * s], v[j + 14 * s], v[j + 15 * s] = a4 - b4, a5 - b5, a6 - b6, a7 - b7

    return radix_16


_bits_2_to_5, _bits_6_to_9, _bits_10_to_12 = _radix_16(2**2), _radix_16(2**6), _radix_8(2**10)
_bits_13_to_15, _bits_16_to_18, _bits_19_to_21 = _radix_8(2**13), _radix_8(2**16), _radix_8(2**19)


@compiled
def _first_bits(x: Rows) -> int:
    """Up to ten bits of at most 2^10 numbers; how many."""
    done = 0
    if x.size >= 2**2:
        _bits_0_to_1(x)
        done = 2
    if x.size >= 2**6:
        _bits_2_to_5(x)
        done = 6
    if x.size == 2**10:
        _bits_6_to_9(x)
        done = 10
    return done


@compiled
def _transform_small(rows: Rows) -> None:
    """Rows of less than 2^13 numbers: of their own, so that a first call does not compile what they have no use for."""
    size = rows.shape[1]
    block = min(size, 2**10)
    for i in range(rows.shape[0]):
        row = rows[i]
        done = 0
        for end in range(block, size + 1, block):
            done = _first_bits(row[end - block : end])
        _last_bits(row, 1 << done)


@compiled
def _transform(rows: Rows) -> None:
    """Each row in blocks of 2^10 numbers; as soon as eight neighbours have the same bits, they get three more."""
    size = rows.shape[1]
    for i in range(rows.shape[0]):
        row = rows[i]
        done = 10
        for end in range(2**10, size + 1, 2**10):
            _first_bits(row[end - 2**10 : end])
            if end % 2**13 == 0:
                _bits_10_to_12(row[end - 2**13 : end])
                done = 13
            if end % 2**16 == 0:
                _bits_13_to_15(row[end - 2**16 : end])
                done = 16
            if end % 2**19 == 0:
                _bits_16_to_18(row[end - 2**19 : end])
                done = 19
        # 1 << done, not a stride that is set to 1: Numba would compile the last bits for that number as well.
        _last_bits(row, 1 << done)


@compiled
def _last_bits(x: Rows, stride: int) -> None:
    """All bits from ``stride`` on, two at a time."""
    s = stride
    while s < x.size:
        if x.size == 2 * s:
            v0, v1 = x[:s], x[s:]
            for j in range(s):
                a0, a1 = v0[j], v1[j]
                v0[j], v1[j] = a0 + a1, a0 - a1
        for b in range(x.size // (4 * s)):
            v = x[4 * s * b : 4 * s * (b + 1)]
            v0, v1, v2, v3 = v[:s], v[s : 2 * s], v[2 * s : 3 * s], v[3 * s :]
            for j in range(s):
                a0, a1, a2, a3 = v0[j], v1[j], v2[j], v3[j]
                b0, b1, b2, b3 = a0 + a1, a0 - a1, a2 + a3, a2 - a3
                v0[j], v1[j], v2[j], v3[j] = b0 + b2, b1 + b3, b0 - b2, b1 - b3
        s *= 4


def _transform_large(rows: Rows) -> None:
    """Rows that no cache holds: blocks that one does, then passes over the whole row, of three bits and of two."""
    even = rows.shape[1] == 2**23  # two and two bits: a pass of a single one would take as long
    _transform(rows.reshape(-1, 2**21 if even else 2**19))
    for row in rows:
        if not even:
            _bits_19_to_21(row)
        _last_bits(row, 2**21 if even else 2**22)


@compiled
def _level_sums(rows: Rows, degree: NDArray[np.int64], sums: Rows) -> None:
    """Add the squares to ``sums``: in blocks of 2^13, whose sums then merge in pairs."""
    size = rows.shape[1]
    run = min(size, 1 << RUN_BITS)
    runs = min(size // run, 1 << RUNS_BITS)
    blocks = size // (run * runs)
    degrees = degree[runs - 1] + 1
    columns = np.empty(degrees * run)
    parts = np.empty((blocks, sums.shape[1]))
    for i in range(rows.shape[0]):
        for b in range(blocks):
            for j in range(columns.size):
                columns[j] = 0.0
            for r in range(runs):
                start = (b * runs + r) * run
                source = rows[i, start : start + run]
                target = columns[degree[r] * run : (degree[r] + 1) * run]
                for j in range(run):
                    target[j] += source[j] * source[j]
            for k in range(sums.shape[1]):
                parts[b, k] = 0.0
            for k in range(degrees):
                for j in range(run):
                    parts[b, k + degree[j]] += columns[k * run + j]
        left = blocks
        while left > 1:  # block 2b + 1 is block 2b with one more bit
            left //= 2
            for b in range(left):
                parts[b, 0] = parts[2 * b, 0]
                for k in range(sums.shape[1] - 1, 0, -1):
                    parts[b, k] = parts[2 * b, k] + parts[2 * b + 1, k - 1]
        for k in range(sums.shape[1]):
            sums[i, k] = parts[0, k]


@compiled
def _multiply(a: Rows, b: Rows, product: Rows) -> None:
    for j in range(product.size):
        product[j] = a[j] * b[j]


# The transforms are called by name, in two kernels: Numba would keep no kernel on disk that is handed one of them.


@compiled
def _small_product_level_sums(left: Rows, right: Rows, memory: Rows, degree: NDArray[np.int64], sums: Rows) -> None:
    for i in range(left.shape[0]):
        for j in range(right.shape[0]):
            _multiply(left[i], right[j], memory[0])
            _transform_small(memory)
            _level_sums(memory, degree, sums[i, j : j + 1])


@compiled
def _product_level_sums(left: Rows, right: Rows, memory: Rows, degree: NDArray[np.int64], sums: Rows) -> None:
    for i in range(left.shape[0]):
        for j in range(right.shape[0]):
            _multiply(left[i], right[j], memory[0])
            _transform(memory)
            _level_sums(memory, degree, sums[i, j : j + 1])
