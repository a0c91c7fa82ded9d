"""What goes wrong around a sweep is named, and what is finished is handed back."""

import errno
import os
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import gradvar as gv

H = gv.Parities(4)
NAMES = [f"scale {scale}" for scale in range(1, 5)]


def problems():
    return [gv.NamedProblem(name, H, gv.Linear([float(i + 1)] * 4)) for i, name in enumerate(NAMES)]


def swept(path=None, executor=None):
    return gv.sweep(problems(), path=path, executor=executor, progress=False)


def names(rows):
    return [row["name"] for row in rows]


@pytest.fixture
def disk(monkeypatch):
    """A function that leaves room for so many more bytes: what does not fit is written in part, then not at all."""
    real = os.write

    def leave(room):
        left = [room]

        def write(file, data):
            if left[0] <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = real(file, data[: left[0]])
            left[0] -= written
            return written

        monkeypatch.setattr(os, "write", write)

    yield leave
    monkeypatch.undo()


@pytest.mark.parametrize("workers", [0, 2], ids=["one by one", "threads"])
def test_a_disk_that_is_full_at_any_byte_loses_nothing_that_is_finished(tmp_path, disk, monkeypatch, workers):
    path = tmp_path / "f"
    swept(path)
    size = path.stat().st_size
    full = r"No space left on device.*`path` cannot be written"
    for room in (0, 1, size // 4 - 40, size // 4 + 40, size // 2 + 99, size - 99):
        path.unlink()
        disk(room)
        with ThreadPoolExecutor(workers or 1) as pool, pytest.raises(gv.errors.UnwrittenError, match=full) as caught:
            swept(path, pool if workers else None)
        assert str(path) in str(caught.value)
        monkeypatch.undo()
        finished, written = names(caught.value.results), names(gv.SweepResults.read(path))
        assert len(written) == room // (size // 4)
        assert set(written) < set(finished)
        assert all(row["status"] == "done" for row in caught.value.results)
        if workers == 0:
            assert (written, finished) == (NAMES[: len(written)], NAMES[: len(written) + 1])
        assert names(swept(path)) == NAMES
        assert sorted(names(gv.SweepResults.read(path))) == NAMES


def test_half_a_line_that_cannot_be_taken_back_is_torn_for_the_next_reader(tmp_path, disk, monkeypatch):
    def stuck(file, size):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "f"
    swept(path)
    size = path.stat().st_size
    path.unlink()
    disk(size // 2 + 40)
    monkeypatch.setattr(os, "ftruncate", stuck)
    with pytest.raises(gv.errors.UnwrittenError):
        swept(path)
    monkeypatch.undo()
    assert path.stat().st_size == size // 2 + 40
    assert names(gv.SweepResults.read(path)) == NAMES[:2]
    assert names(swept(path)) == NAMES
    assert path.stat().st_size == pytest.approx(size, abs=40)  # but for the seconds


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_device_is_written_to_and_not_read_back():
    with pytest.raises(gv.errors.UnwrittenError, match="No space left on device: '/dev/full'") as caught:
        swept("/dev/full")
    assert names(caught.value.results) == NAMES[:1]
    assert names(swept("/dev/null")) == NAMES


@pytest.mark.parametrize("path", [3, True, 2.5, b"f", ["f"]], ids=repr)
def test_what_is_no_path_is_named(path):
    message = re.escape(f"`path` must be a str or os.PathLike, the name of a file, got {path!r}")
    with pytest.raises(TypeError, match=message):
        swept(path)
    with pytest.raises(TypeError, match=message):
        gv.SweepResults.read(path)


def test_a_path_that_cannot_be_opened_is_in_the_message(tmp_path):
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "no" / "f", FileNotFoundError)):
        with pytest.raises(error, match=re.escape(str(path))):
            swept(path)


@pytest.mark.parametrize("spoilt", [b"", b"garbage", b'{"gradvar_sweep": 1, "parameters": {}}', b"\xff\xfe", b"[[["])
def test_a_spoilt_line_is_named_with_what_to_do_and_then_the_sweep_goes_on(tmp_path, spoilt):
    path = tmp_path / "f"
    swept(path)
    lines = path.read_bytes().splitlines()
    for i in range(len(lines) - 1):
        path.write_bytes(b"\n".join([*lines[:i], spoilt, *lines[i + 1 :]]) + b"\n")
        before = path.read_bytes()
        message = rf"`path` .* line {i + 1} of .* delete that line, and its problem is computed again"
        with pytest.raises(ValueError, match=message) as caught:
            swept(path)
        assert str(path) in str(caught.value)
        assert path.read_bytes() == before
        path.write_bytes(b"\n".join([*lines[:i], *lines[i + 1 :]]) + b"\n")
        assert names(swept(path)) == NAMES


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_executor_that_is_shut_down_is_named_by_all_that_take_one(kind):
    with kind(1) as executor:
        pass
    model, deep = gv.Linear([1.0] * 4), gv.MLP.random([30, 4, 4, 1], rng=0)
    calls = [
        lambda: gv.bound_check(H, model, executor=executor),
        lambda: gv.gradient_variance(H, model, executor=executor),
        lambda: gv.gradient_variance(gv.SparseParities(30, 3), deep, method="monte-carlo", executor=executor),
        lambda: gv.degree_spectrum(model, executor=executor),
        lambda: gv.along(H, [model], executor=executor),
        lambda: swept(executor=executor),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"`executor` must be .* is shut down: make a new one"):
            call()


def test_an_executor_that_is_shut_down_on_the_way_hands_back_the_estimate():
    executor = ThreadPoolExecutor(1)

    def stop(estimate):
        executor.shutdown(wait=False)

    deep = gv.MLP.random([30, 4, 4, 1], rng=0)
    with pytest.raises(gv.WorkersLostError, match="`executor` takes no more work") as caught:
        gv.gradient_variance(
            gv.SparseParities(30, 3), deep, rtol=0, max_samples=2**19, rng=0, executor=executor, progress=stop
        )
    assert caught.value.estimate is not None
