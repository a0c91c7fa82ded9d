"""The file of a sweep: whatever happens to its writer, finished records are in it once and whole."""

import json
import multiprocessing
import os
import threading

import pytest

import gradvar as gv
from gradvar.experiments.sweep.journal import Journal
from gradvar.experiments.sweep.records import BEGINNING, Record

PARAMETERS = {"name": "größe", "dim": 5, "rate": 0.1, "deep": True, "none": None}


def record(name="a", status="done", **fields):
    return Record(parameters={**PARAMETERS, "name": name}, seed=0, status=status, seconds=0.1 + 0.2, **fields)


def write(path, *records):
    journal = Journal(path)
    for one in records:
        journal.append(one)
    journal.close()
    return path.read_bytes()


@pytest.fixture
def without_sync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


def test_a_record_is_read_back_to_the_last_bit(tmp_path):
    written = record(value=0.1 + 0.2, low=5e-324, high=1.7976931348623157e308, log2=-1e4 / 3, error='a\nb\u2028 "c"')
    write(tmp_path / "f", written)
    journal = Journal(tmp_path / "f")
    assert journal.records == {written.key: written}
    assert journal.is_done(written.key)
    journal.close()
    assert (tmp_path / "f").read_bytes().count(b"\n") == 1


def test_every_line_is_on_the_disk_before_the_next(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
    size = len(write(tmp_path / "f", record("a"), record("b")))
    assert synced == [size // 2, size]


def test_torn_at_every_byte_of_the_last_line_only_that_line_is_lost(tmp_path, without_sync):
    path = tmp_path / "f"
    whole = write(path, record("a"), record("b"), record("c"))
    last = whole.rindex(b"\n", 0, -1) + 1
    for size in range(last, len(whole)):
        path.write_bytes(whole[:size])
        journal = Journal(path)
        # Without its end alone, the line is a whole record and is kept.
        kept = ["a", "b", "c"] if size == len(whole) - 1 else ["a", "b"]
        assert [one.parameters["name"] for one in journal.records.values()] == kept
        assert [one["parameters"]["name"] for one in map(json.loads, path.read_text().splitlines())] == kept
        journal.append(record("c"))
        journal.close()
        assert path.read_bytes() == whole


def test_the_only_line_torn(tmp_path, without_sync):
    path = tmp_path / "f"
    whole = write(path, record("a"))
    for size in (*range(len(BEGINNING) + 10), *range(len(BEGINNING) + 10, len(whole), 11)):
        path.write_bytes(whole[:size])
        assert write(path, record("a")) == whole


def test_zeros_after_a_crash_of_the_machine_are_a_torn_line(tmp_path):
    path = tmp_path / "f"
    whole = write(path, record("a"))
    for tail in (b"\0" * 7, whole[:9] + b"\0" * 20):
        path.write_bytes(whole + tail)
        Journal(path).close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "content",
    [
        b"one line without an end",
        b"x",
        b"\0\0\0",
        b"# A title\n\nand text\n",
        b'{"gradvar": 1}',
        b'{"gradvar_sweep": 2, "parameters": {}}\n',
        b'{"gradvar_sweep": 1, "parameters": {}}\n',
        b"[1, 2]\n",
        b"\n",
    ],
)
def test_a_file_of_something_else_is_an_error_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"`path` must be the file of a sweep: line 1 of '.*' is not a record"):
        Journal(path)
    assert path.read_bytes() == content
    with pytest.raises(ValueError, match="line 1 of"):
        gv.SweepResults.read(path)


def test_a_bad_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "f"
    whole = write(path, record("a"), record("b"))
    first, second = whole.splitlines(keepends=True)
    path.write_bytes(first + first[:50] + b"\n" + second)
    with pytest.raises(ValueError, match="line 2 of"):
        Journal(path)
    path.write_bytes(whole + b"a note of the user's")
    with pytest.raises(ValueError, match="line 3 of"):
        Journal(path)
    assert path.read_bytes() == whole + b"a note of the user's"


def test_a_finished_record_is_never_followed_by_another(tmp_path):
    path = tmp_path / "f"
    write(path, record("a", "failed"), record("a", "interrupted"), record("a", "done", value=1.0))
    journal = Journal(path)
    assert journal.append(record("a", "done", value=2.0)).value == 1.0
    assert journal.append(record("a", "failed")).status == "done"
    journal.close()
    assert [json.loads(line)["status"] for line in path.read_text().splitlines()] == ["failed", "interrupted", "done"]


def test_two_journals_of_one_file_see_each_others_records(tmp_path):
    first, second = Journal(tmp_path / "f"), Journal(tmp_path / "f")
    first.append(record("a", value=1.0))
    assert second.append(record("a", value=2.0)).value == 1.0
    second.append(record("b"))
    first.refresh()
    assert first.records == second.records
    first.close()
    second.close()


def _append_all(path, worker, n):
    journal = Journal(path)
    for i in range(n):
        journal.append(record(f"{worker}-{i}", error="x" * 5000))
        journal.append(record(f"shared-{i}", value=float(worker)))
    journal.close()


def test_processes_and_threads_that_append_at_once_do_not_interleave(tmp_path):
    path, n = tmp_path / "f", 25
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_all, args=(path, i, n)) for i in range(2)]
    workers += [threading.Thread(target=_append_all, args=(path, i, n)) for i in (2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    names = [json.loads(line)["parameters"]["name"] for line in path.read_text().splitlines()]
    assert len(names) == len(set(names)) == 5 * n


def test_a_write_that_fails_half_way_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "f"
    before = write(path, record("a"))
    journal, real, calls = Journal(path), os.write, []

    def full(file, data):
        calls.append(data)
        if len(calls) == 1:
            return real(file, data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        journal.append(record("b"))
    monkeypatch.undo()
    assert path.read_bytes() == before
    journal.append(record("b"))
    journal.close()
    assert path.read_bytes() == write(tmp_path / "g", record("a"), record("b"))


def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def none(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "lockf", none)
    assert write(tmp_path / "f", record("a")).endswith(b"\n")


def test_a_running_sweeps_file_can_be_read(tmp_path):
    path = tmp_path / "f"
    whole = write(path, record("a", "failed", error="no"), record("b"), record("a"))
    path.write_bytes(whole + whole[:70])
    results = gv.SweepResults.read(path)
    assert [(row["name"], row["status"]) for row in results] == [("a", "done"), ("b", "done")]
    assert path.read_bytes() == whole + whole[:70]
    assert results.path == str(path)
