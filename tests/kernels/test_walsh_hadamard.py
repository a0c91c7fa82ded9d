"""The transform and its level sums against matrices and loops, their accuracy, and how kernels are cached."""

import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numba.core.caching
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import hadamard

import gradvar.kernels
from gradvar.kernels import walsh_hadamard as module
from gradvar.kernels.jit import compiled
from gradvar.kernels.walsh_hadamard import (
    _transform,
    level_sums,
    level_weights,
    product_level_weights,
    walsh_hadamard,
)

JIT = not numba.config.DISABLE_JIT
U = 2.0**-53
SMALL = range(13 if JIT else 7)
# The way through the memory changes: blocks of 2^10, three bits more at 13, 16, 19 and 22, and what is left over.
LARGE = range(13, 24) if JIT else (7, 15, 19)  # 15 and 19: every line runs without the JIT too


def transformed(rows):
    rows = rows.copy()
    walsh_hadamard(rows)
    return rows


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def degrees(dim):
    return np.bitwise_count(np.arange(2**dim))


def matrix(dim):
    return hadamard(2**dim).astype(float)


@pytest.mark.parametrize("dim", SMALL)
def test_is_the_product_with_the_hadamard_matrix(dim):
    f = normal(dim, 1 + dim % 4, 2**dim)
    bound = (dim + 2**dim) * U * np.abs(f).sum(axis=1, keepdims=True)  # the transform's error and the product's
    assert np.all(np.abs(transformed(f) - f @ matrix(dim)) <= bound)


@pytest.mark.parametrize("dim", LARGE)
def test_is_the_tensor_product_of_two_smaller_transforms(dim):
    low = min(dim // 2, 7)
    f = normal(dim, 1, 2**dim)
    expected = f.reshape(-1, 2**low) @ matrix(low)
    bits = dim - low
    for i in range(bits):  # NumPy butterflies over the high bits
        pairs = expected.reshape(2 ** (bits - 1 - i), 2, 2 ** (i + low))
        expected = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1)
    assert_allclose(transformed(f), expected.reshape(1, -1), rtol=0, atol=1e-13 * 2 ** (dim / 2) * dim)


def test_long_rows_take_blocks_and_then_as_few_passes_as_there_are(monkeypatch):
    passes = []
    monkeypatch.setattr(module, "_transform", lambda rows: passes.append(("blocks", rows.shape[1])))
    monkeypatch.setattr(module, "_bits_19_to_21", lambda row: passes.append(("three bits", 2**19)))
    monkeypatch.setattr(module, "_last_bits", lambda row, stride: passes.append(("two at a time", stride)))
    for dim in (21, 22, 23, 24):
        walsh_hadamard(np.empty((1, 2**dim)))
    eight = [("blocks", 2**19), ("three bits", 2**19), ("two at a time", 2**22)]
    assert passes == [("blocks", 2**21), *eight, ("blocks", 2**21), ("two at a time", 2**21), *eight]


@pytest.mark.large
def test_a_row_of_128_mib_has_the_sum_of_two_parities():
    row, j = np.zeros((1, 2**24)), np.arange(2**24, dtype=np.uint32)
    row[0, [0b101 << 21 | 5, 0b1011 << 19]] = 1.0, 4.0
    walsh_hadamard(row)
    expected = sum(
        a * (1.0 - 2.0 * (np.bitwise_count(j & np.uint32(s)) % 2))
        for a, s in ((1.0, 0b101 << 21 | 5), (4.0, 0b1011 << 19))
    )
    assert_array_equal(row[0], expected)


def test_integers_are_transformed_without_error():
    dim = 18 if JIT else 6
    f = np.random.default_rng(1).integers(-(2**20), 2**20, (2, 2**dim)).astype(float)
    assert_array_equal(transformed(transformed(f)), 2**dim * f)


def test_a_parity_becomes_a_single_spike():
    dim = 16 if JIT else 6
    j = np.arange(2**dim)
    for s in (0, 1, 2**dim - 1, 2 ** (dim - 1) + 5):
        signs = np.array([1.0, -1.0])[np.bitwise_count(s & j) % 2]
        assert_array_equal(transformed(signs[None])[0], 2.0**dim * (j == s))


@pytest.mark.parametrize("dim", [0, 1, 5, 11, 15, 19] if JIT else [0, 1, 6])
def test_parseval_and_involution(dim):
    f = normal(dim, 2, 2**dim)
    g = transformed(f)
    assert_allclose((g**2).sum(axis=1), 2**dim * (f**2).sum(axis=1), rtol=1e-13)
    assert_allclose(transformed(g) / 2**dim, f, rtol=0, atol=1e-14 * (dim + 1) * np.abs(f).max())


@pytest.mark.parametrize("dim", SMALL)
def test_level_sums_are_those_of_a_loop(dim):
    f = normal(dim, 3, 2**dim)
    expected = np.zeros((3, dim + 1))
    for i in range(3):
        for s in range(2**dim):
            expected[i, bin(s).count("1")] += f[i, s] ** 2
    assert_allclose(level_sums(f), expected, rtol=2**dim * U + 100 * U)


@pytest.mark.parametrize("dim", LARGE)
def test_level_sums_of_long_rows(dim):
    f = normal(dim, 1, 2**dim)
    degree = degrees(dim)
    expected = [[np.sum(f[0, degree == k] ** 2) for k in range(dim + 1)]]
    assert_allclose(level_sums(f), expected, rtol=(2 * dim + 200) * U)


def test_level_sums_read_arrays_that_cannot_be_written():
    f = normal(0, 2, 16)
    expected = level_sums(f)
    f.flags.writeable = False
    assert_array_equal(level_sums(f), expected)


@pytest.mark.parametrize("dim", SMALL)
def test_level_weights_are_squared_expectations(dim):
    f = normal(dim, 70 if dim == 9 else 2, 2**dim)  # 70 rows of 2^9: more than stay in the cache together
    coefficients = f @ matrix(dim) / 2**dim
    expected = [np.bincount(degrees(dim), weights=c**2) for c in coefficients]
    weights = level_weights(f)
    assert_allclose(weights, expected, rtol=1e-11, atol=1e-28)
    assert weights.shape == (len(f), dim + 1)


def test_level_weights_leave_the_transform_behind():
    f = normal(3, 5, 32)
    g = transformed(f)
    weights = level_weights(f)
    assert_array_equal(f, g)
    assert_array_equal(weights, level_sums(g) / 4.0**5)


@pytest.mark.parametrize("dim", [*SMALL, *LARGE])
def test_weights_of_products_are_those_of_each_product_added(dim):
    rows = 1 if dim > 16 else 3
    left, right = normal(dim, rows, 2**dim), normal(dim + 1, 2, 2**dim)
    before = left.copy(), right.copy()
    found = product_level_weights(left, right, np.full((1, 2**dim), np.nan))
    expected = sum(level_weights(a * right).sum(axis=0) for a in left)
    # d rounded levels on both sides, and the sums of level_sums and of the pairs
    assert_allclose(found, expected, rtol=(6 * dim + 250) * U)
    assert_array_equal(left, before[0])
    assert_array_equal(right, before[1])


def test_products_of_no_rows_weigh_nothing():
    memory = np.empty((1, 8))
    assert_array_equal(product_level_weights(np.empty((0, 8)), np.ones((2, 8)), memory), np.zeros(4))
    assert_array_equal(product_level_weights(np.ones((2, 8)), np.empty((0, 8)), memory), np.zeros(4))


@pytest.mark.parametrize("shapes", [((1, 4), (1, 8), (1, 4)), ((1, 4), (1, 4), (1, 8)), ((1, 4), (1, 4), (2, 4))])
def test_products_take_rows_of_one_length_and_memory_for_one(shapes):
    with pytest.raises(ValueError, match=r"2\^2 columns and `memory` one row"):
        product_level_weights(*map(np.ones, shapes))


def test_rounding_errors_stay_under_their_bound():
    # A level is y -> sqrt(2) Q y with Q orthogonal, then a rounding of each entry: fl(a + b) = (a + b)(1 + e),
    # |e| <= u. So a level multiplies 1 + (relative error in 2-norm) by 1 + u: (1 + u)^d - 1 in all.
    # (Errors of random sign make that near sqrt(d) u; a float32 would make it 10^8 times more.)
    dim = 20 if JIT else 6
    f = normal(20, 1, 2**dim)
    g = transformed(f).astype(np.longdouble)
    exact = f.astype(np.longdouble)
    for i in range(dim):
        pairs = exact.reshape(-1, 2, 2**i)
        exact = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1)
    exact = exact.reshape(1, -1)
    norm = np.sqrt(np.sum(exact**2))
    error = np.sqrt(np.sum((g - exact) ** 2))
    assert error <= dim * (1.01 * U + np.finfo(np.longdouble).eps) * norm
    assert np.abs(g - exact).max() <= 1.01 * dim * U * np.abs(f).sum()


def test_nan_and_infinity_are_not_lost():
    f = np.zeros((2, 64))
    f[0, 7] = np.nan
    assert np.isnan(transformed(f)[0]).all()
    assert_array_equal(transformed(f)[1], 0)


def test_no_rows_give_no_weights():
    walsh_hadamard(np.empty((0, 8)))
    assert level_sums(np.empty((0, 8))).shape == (0, 4)
    assert level_weights(np.empty((0, 8))).shape == (0, 4)


@pytest.mark.parametrize("entry", [walsh_hadamard, level_sums, level_weights])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0]], "array of float64, got list"),
        (np.ones((1, 4), np.float32), "float64, got float32"),
        (np.ones((1, 4), complex), "float64, got complex128"),
        (np.ones((1, 4), ">f8"), "float64, got >f8"),
        (np.ones(4), r"got \(4,\); pass rows\[np.newaxis\]"),
        (np.ones((1, 1, 4)), r"got \(1, 1, 4\)"),
        (np.ones((2, 6)), "6 is not a power of two"),
        (np.ones((2, 0)), "0 is not a power of two"),
        (np.ones((4, 4)).T[:2], "C-contiguous"),
        (np.ones((4, 8))[:, ::2], "C-contiguous"),
        (np.frombuffer(bytearray(33), np.uint8)[1:].view(np.float64)[None], "aligned"),
    ],
)
def test_other_arrays_are_refused(entry, rows, message):
    with pytest.raises(ValueError, match=message):
        entry(rows)


@pytest.mark.parametrize("spoilt", range(3))
def test_products_refuse_other_arrays(spoilt):
    arrays = [np.ones((1, 4)) for _ in range(3)]
    arrays[spoilt] = arrays[spoilt].astype(np.float32)
    with pytest.raises(ValueError, match="float64, got float32"):
        product_level_weights(*arrays)


@pytest.mark.parametrize("entry", [walsh_hadamard, level_weights, lambda rows: product_level_weights(rows, rows, rows)])
def test_an_array_that_cannot_be_written_is_refused(entry):
    rows = np.ones((1, 4))
    rows.flags.writeable = False
    with pytest.raises(ValueError, match=r"pass rows.copy\(\)"):
        entry(rows)


def test_two_threads_give_the_bits_of_one():
    dim, m = (16, 8) if JIT else (5, 4)
    f = normal(5, m, 2**dim)
    alone, together = f.copy(), f.copy()
    expected = level_weights(alone)
    with ThreadPoolExecutor(2) as pool:
        weights = list(pool.map(level_weights, [together[i : i + 1] for i in range(m)]))
    assert_array_equal(np.concatenate(weights), expected)
    assert_array_equal(together, alone)


def longest_pause(kernel, rows):
    """The longest time that this thread stood still, over the time the kernel took in another one."""

    def work():
        start = time.perf_counter()
        kernel(rows)
        return time.perf_counter() - start

    with ThreadPoolExecutor(1) as pool:
        last, longest = time.perf_counter(), 0.0
        future = pool.submit(work)
        while not future.done():
            now = time.perf_counter()
            last, longest = now, max(longest, now - last)
        return max(longest, time.perf_counter() - last) / future.result()


@pytest.mark.alone
def test_kernels_release_the_gil():
    rows = np.zeros((512, 2**16) if JIT else (512, 2**6))
    walsh_hadamard(rows)  # compiled, and the memory touched
    assert min(longest_pause(walsh_hadamard, rows) for _ in range(5)) < 0.5
    if JIT:  # where the same loops hold it, this thread waits for nearly all of the time

        @numba.njit(nogil=False)
        def holds_the_gil(rows):
            _transform(rows)

        holds_the_gil(rows[:1])
        assert max(longest_pause(holds_the_gil, rows) for _ in range(5)) > 0.5


# Runs a copy of the kernels after putting a file in the place of each directory named; prints the cache path.
SCRIPT = """
import shutil, sys
from pathlib import Path
import numpy as np
from package.walsh_hadamard import _transform, walsh_hadamard
for directory in sys.argv[1:]:
    shutil.rmtree(directory, ignore_errors=True)
    Path(directory).touch()
rows = np.array([[1.0, 2.0, 3.0, 4.0]])
walsh_hadamard(rows)
assert rows.tolist() == [[10.0, -2.0, -4.0, 0.0]], rows
walsh_hadamard(rows)
assert rows.tolist() == [[4.0, 8.0, 12.0, 16.0]], rows
print(_transform.stats.cache_path if hasattr(_transform, "stats") else "interpreted")
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the kernels, with a `__pycache__` of its own."""
    copy = tmp_path / "package"
    copy.mkdir()
    for name in ("__init__", "jit", "walsh_hadamard"):
        source = (Path(gradvar.kernels.__file__).parent / f"{name}.py").read_text()
        (copy / f"{name}.py").write_text(source.replace("gradvar.kernels", "package"))
    return copy


def run_script(package, *arguments, **environment):
    result = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", SCRIPT, *map(str, arguments)],
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": str(package.parent), **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_kernels_are_cached_on_disk(package, tmp_path):
    path = run_script(package, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    if JIT:
        assert Path(path).is_relative_to(tmp_path / "cache")
        assert list(Path(path).glob("walsh_hadamard._transform*.nbc"))


def test_kernels_run_where_no_cache_directory_can_be_made(package, tmp_path):
    # Permissions mean nothing to root, so a file stands where each of the directories would be made: at
    # NUMBA_CACHE_DIR, beside the source, and in the user's cache.
    (package / "__pycache__").touch()
    nowhere = tmp_path / "nowhere"
    nowhere.touch()
    places = dict.fromkeys(["NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"], str(nowhere))
    assert run_script(package, **places) == ("None" if JIT else "interpreted")

    if JIT:  # and this is where Numba alone gives up
        (package / "jit.py").write_text("import numba\ncompiled = numba.njit(nogil=True, cache=True)\n")
        with pytest.raises(AssertionError, match="no locator available"):
            run_script(package, **places)


def test_kernels_run_when_the_cache_directory_is_lost_before_the_first_call(package, tmp_path):
    cache = tmp_path / "cache"
    run_script(package, cache, NUMBA_CACHE_DIR=str(cache))
    assert cache.is_file()

    if JIT:  # and this is where Numba alone gives up
        (package / "jit.py").write_text("import numba\ncompiled = numba.njit(nogil=True, cache=True)\n")
        cache.unlink()
        with pytest.raises(AssertionError, match=r"NotADirectoryError|FileExistsError"):
            run_script(package, cache, NUMBA_CACHE_DIR=str(cache))


def test_kernels_run_when_the_disk_is_full(tmp_path, monkeypatch):
    def full(*_):
        refused.append(True)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refused = []
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path), raising=False)
    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "save", full)

    @compiled
    def double(x):
        return x + x

    assert double(3.0) == 6.0
    assert refused == ([True] if JIT else [])
