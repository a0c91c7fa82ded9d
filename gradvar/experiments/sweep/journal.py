"""The file of a sweep: JSON Lines, only ever appended to, a line for each record.

A line is written by one `write` to a descriptor that appends, and is on the disk before the next problem begins. So
whatever ends the process, the file holds all finished records and at most one torn line, its last, which the next
reader removes. Of several records of one problem the last counts; a finished one is never followed by another.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .records import BEGINNING, Record

if sys.platform != "win32":
    import fcntl

_threads = threading.Lock()


class UnwrittenError(OSError):
    """A record could not be written to the file of a sweep: the disk is full, or the file cannot be written any more.

    Attributes
    ----------
    results : SweepResults or None
        All finished records, the one that could not be written among them.
    """

    results: object = None

    def __str__(self) -> str:
        return (
            f"{super().__str__()}: `path` cannot be written. It holds the records before, and what is finished is in "
            "`.results` of this error; once there is room, the same call goes on from there"
        )


class Journal:
    """The records in a file, which other processes may append to at the same time.

    Parameters
    ----------
    path : str or PathLike
        Made when there is none.

    Raises
    ------
    TypeError, ValueError
        What is no path, or has a line that is not a record: the file is left as it is.
    OSError
        A file that cannot be opened; an `UnwrittenError` where it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path_of(path)
        self.records: dict[str, Record] = {}
        self._size = self._lines = 0
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            self._is_device = not stat.S_ISREG(os.fstat(self._file).st_mode)
            self.refresh()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def is_done(self, key: str) -> bool:
        """Whether there is a finished record of this problem."""
        return key in self.records and self.records[key].status == "done"

    def refresh(self) -> None:
        """Read what has been appended."""
        with self._alone():
            self._catch_up()

    def append(self, record: Record) -> Record:
        """Append a record, and return the one that counts: another process may have finished the problem before."""
        with self._alone():
            self._catch_up()
            if not self.is_done(record.key):
                self._write(record.to_line().encode())
                self._catch_up()
        return self.records.setdefault(record.key, record)

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
            if written < len(line):  # a full disk, or a limit on the size of files: the next write raises it
                os.write(self._file, line[written:])
            if not self._is_device:
                os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):  # a part of the line that stays is found to be torn by the next reader
                os.ftruncate(self._file, self._size)
            raise UnwrittenError(error.errno, error.strerror, self.path) from error

    def _catch_up(self) -> None:
        if self._is_device:  # such as /dev/stdout: nothing can be read back
            return
        os.lseek(self._file, self._size, os.SEEK_SET)
        data = b"".join(iter(lambda: os.read(self._file, 2**20), b""))
        records, torn = parse(data, self.path, self._lines)
        self.records.update((record.key, record) for record in records)
        self._lines += len(records)
        self._size += len(data) - len(torn)
        if torn:
            os.ftruncate(self._file, self._size)
        elif data and not data.endswith(b"\n"):
            self._size += os.write(self._file, b"\n")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other sweeps from the file: those of other processes by a lock on it, threads of this one by another."""
        with _threads:
            self._lock(True)
            try:
                yield
            finally:
                self._lock(False)

    def _lock(self, held: bool) -> None:
        """Take the lock or give it back; without one, where the file system has none, lines are whole all the same."""
        if sys.platform != "win32":
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_EX if held else fcntl.LOCK_UN)


def path_of(path: str | os.PathLike[str]) -> str:
    """Return the path as a string, or raise an error that names it."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"`path` must be a str or os.PathLike, the name of a file, got {path!r}")
    return os.fspath(path)


def parse(data: bytes, path: str, lines_before: int = 0) -> tuple[list[Record], bytes]:
    """Return the records in the contents of a file, and its torn last line.

    A last line that lacks nothing but its end is a record.
    """
    *lines, tail = data.split(b"\n")
    torn = b""
    if tail and _is_torn(tail, alone=not lines and not lines_before):
        torn = tail
    elif tail:
        lines.append(tail)
    records = []
    for number, line in enumerate(lines, start=lines_before + 1):
        try:
            records.append(Record.from_line(line))
        except (ValueError, TypeError) as error:
            way_out = "delete that line, and its problem is computed again, or " if BEGINNING in data else ""
            raise ValueError(
                f"`path` must be the file of a sweep: line {number} of {path!r} is not a record of one ({error}); "
                f"{way_out}take another `path`; the file is left as it is"
            ) from None
    return records, torn


def _is_torn(tail: bytes, alone: bool) -> bool:
    """Whether this is the beginning of a record, and not the end of something else."""
    begun = tail.rstrip(b"\0")  # with which some file systems fill a file up after a crash
    if not BEGINNING.startswith(begun[: len(BEGINNING)]) or (alone and not begun):
        return False
    try:
        Record.from_line(tail)
    except ValueError:
        return True
    return False
