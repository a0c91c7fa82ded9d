"""The Walsh-Hadamard transform of functions on the cube, and their weight at each degree."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .jit import compiled

Rows = NDArray[np.float64]

# A strip is 64 columns, so that the butterflies down a strip are those of a block at strides 64 and 512; two
# such passes and a last one of radix 4 make 8 bits. Blocks and strips of 2**14 numbers (128 KiB) stay in the
# second-level cache.
STRIP = 64
BLOCK_BITS = 14
STRIP_BITS = 8

# Level sums: 2**7 runs of 2**6 numbers are added by the degree of the run, then by the degree within the run.
RUN_BITS = 6
RUNS_BITS = 7


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
    d 2^d additions a row, and 128 KiB. Releases the GIL. Raises ValueError for an array of any other kind.

    >>> import numpy as np
    >>> rows = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> walsh_hadamard(rows)
    >>> rows
    array([[10., -2., -4.,  0.]])
    """
    _dimension(rows)
    _require_writeable(rows)
    _transform(rows)


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
    sums = np.zeros((len(rows), _dimension(rows) + 1))
    _level_sums(rows, sums)
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
    dim = _dimension(rows)
    _require_writeable(rows)
    sums = np.zeros((len(rows), dim + 1))
    together = max(1, 2**BLOCK_BITS >> dim)  # rows that are still in the cache when their squares are added
    for start in range(0, len(rows), together):
        tile = rows[start : start + together]
        _transform(tile)
        _level_sums(tile, sums[start : start + together])
    return np.ldexp(sums, -2 * dim)


def _dimension(rows: Rows) -> int:
    if not isinstance(rows, np.ndarray) or rows.dtype != np.float64:
        kind = rows.dtype if isinstance(rows, np.ndarray) else type(rows).__name__
        raise ValueError(f"`rows` must be an array of float64, got {kind}")
    if rows.ndim != 2:
        raise ValueError(f"`rows` must have shape (m, 2**d), got {rows.shape}; pass rows[np.newaxis] for one row")
    size = int(rows.shape[1])
    if size < 1 or size & (size - 1):
        raise ValueError(f"`rows` must have shape (m, 2**d), got {rows.shape}: {size} is not a power of two")
    if not rows.flags.c_contiguous or not rows.flags.aligned:
        raise ValueError("`rows` must be C-contiguous and aligned; pass np.ascontiguousarray(rows)")
    return size.bit_length() - 1


def _require_writeable(rows: Rows) -> None:
    if not rows.flags.writeable:
        raise ValueError("`rows` is overwritten and must be writeable; pass rows.copy()")


@compiled
def _transform(rows: Rows) -> None:
    """Blocks of adjacent numbers, 14 bits in one sweep of the memory, then strips, up to 8 bits a sweep."""
    size = rows.shape[1]
    bits = 0
    while 1 << bits < size:
        bits += 1
    block = 1 << min(bits, BLOCK_BITS)
    sweeps = (bits - min(bits, BLOCK_BITS) + STRIP_BITS - 1) // STRIP_BITS
    for i in range(rows.shape[0]):
        row = rows[i]
        for b in range(size // block):
            _block(row[b * block : (b + 1) * block])
        done = block
        for sweep in range(sweeps):
            remaining = 0
            while done << remaining < size:
                remaining += 1
            span = done << (remaining // (sweeps - sweep))
            for b in range(size // span):
                _down_strips(row[b * span : (b + 1) * span], done)
            done = span


@compiled
def _block(x: Rows) -> None:
    """Transform at most 2^14 adjacent numbers."""
    stride = 1
    if x.size >= 8:
        _stride_1(x)
        stride = 8
    if x.size >= 64:
        _stride_8(x)
        stride = 64
    _from(stride, x)


@compiled
def _from(stride: int, x: Rows) -> None:
    """All bits from ``stride`` on, where that is 64 or more, or only the last one or two bits are left."""
    if stride == 64 and x.size >= 512:
        _stride_64(x)
        stride = 512
    if stride == 512 and x.size >= 4096:
        _stride_512(x)
        stride = 4096
    _last_bits(x, stride)


@compiled
def _down_strips(x: Rows, width: int) -> None:
    """Transform the high bits of x, seen as rows of ``width`` numbers, a strip of columns at a time."""
    height = x.size // width
    if height <= 4:
        _last_bits(x, width)
        return
    strip = np.empty(height * STRIP)
    for start in range(0, width, STRIP):
        for i in range(height):
            source = x[i * width + start : i * width + start + STRIP]
            target = strip[i * STRIP : (i + 1) * STRIP]
            for j in range(STRIP):
                target[j] = source[j]
        _from(strip.size // height, strip)  # Numba compiles a kernel anew for a literal argument
        for i in range(height):
            source = strip[i * STRIP : (i + 1) * STRIP]
            target = x[i * width + start : i * width + start + STRIP]
            for j in range(STRIP):
                target[j] = source[j]


def _radix_8(stride: int) -> Callable[[Rows], None]:
    """Three bits, at a stride the compiler knows: else the streams might overlap and are not vectorised."""
    span = 8 * stride

    @compiled
    def radix_8(x: Rows) -> None:
        for b in range(x.size // span):
            v = x[b * span : (b + 1) * span]
            for j in range(stride):
                a0, a1, a2, a3 = v[j], v[j + stride], v[j + 2 * stride], v[j + 3 * stride]
                a4, a5, a6, a7 = v[j + 4 * stride], v[j + 5 * stride], v[j + 6 * stride], v[j + 7 * stride]
                b0, b1, b2, b3 = a0 + a1, a0 - a1, a2 + a3, a2 - a3
                b4, b5, b6, b7 = a4 + a5, a4 - a5, a6 + a7, a6 - a7
                c0, c1, c2, c3 = b0 + b2, b1 + b3, b0 - b2, b1 - b3
                c4, c5, c6, c7 = b4 + b6, b5 + b7, b4 - b6, b5 - b7
                v[j], v[j + stride], v[j + 2 * stride], v[j + 3 * stride] = c0 + c4, c1 + c5, c2 + c6, c3 + c7
                v[j + 4 * stride], v[j + 5 * stride] = c0 - c4, c1 - c5
                v[j + 6 * stride], v[j + 7 * stride] = c2 - c6, c3 - c7

    return radix_8


_stride_1, _stride_8, _stride_64, _stride_512 = _radix_8(1), _radix_8(8), _radix_8(64), _radix_8(512)


@compiled
def _last_bits(x: Rows, stride: int) -> None:
    """The last bit or two: ``stride`` is all, half or a quarter of x."""
    if x.size == 2 * stride:
        v0, v1 = x[:stride], x[stride:]
        for j in range(stride):
            a0, a1 = v0[j], v1[j]
            v0[j], v1[j] = a0 + a1, a0 - a1
    elif x.size == 4 * stride:
        v0, v1, v2, v3 = x[:stride], x[stride : 2 * stride], x[2 * stride : 3 * stride], x[3 * stride :]
        for j in range(stride):
            a0, a1, a2, a3 = v0[j], v1[j], v2[j], v3[j]
            b0, b1, b2, b3 = a0 + a1, a0 - a1, a2 + a3, a2 - a3
            v0[j], v1[j], v2[j], v3[j] = b0 + b2, b1 + b3, b0 - b2, b1 - b3


@compiled
def _level_sums(rows: Rows, sums: Rows) -> None:
    """Add the squares to ``sums``: in blocks of 2^13, whose sums then merge in pairs."""
    size = rows.shape[1]
    run = min(size, 1 << RUN_BITS)
    runs = min(size // run, 1 << RUNS_BITS)
    blocks = size // (run * runs)
    degree = np.zeros(max(run, runs), np.int64)
    for s in range(1, degree.size):
        degree[s] = degree[s >> 1] + (s & 1)
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
