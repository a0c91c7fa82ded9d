"""Work in tiles: the one place where gradvar runs things in parallel.

A tile is a task of fixed size whose result does not depend on who computes it. Results come back in the order
of the tasks, so that sums merge in a fixed order, and BLAS is held to one thread, since its products differ in
the last bits between thread counts: the same seed gives the same bits for any executor and number of workers.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from threadpoolctl import LibController, ThreadpoolController

Task = TypeVar("Task")
Result = TypeVar("Result")


np.empty(2**22 - 2**10)
"""glibc hands the memory of an array back to the system, and takes fresh pages for the next one, until an array as
large has been freed once, up to 32 MiB. Otherwise small problems spend a third of their time on that, and threads wait
for each other there."""

_lock = threading.Lock()
_holds: dict[tuple[str, int], _Hold] = {}
"""By the file of a library and, where its limit is a thread's own, the thread; else 0."""


@dataclass
class _Hold:
    """How many hold one library to one thread, and how many threads it had before."""

    before: int
    holders: int = 0


@functools.lru_cache(maxsize=1)
def _loaded_libraries(modules: int) -> list[LibController]:
    """The BLAS libraries of this process: a millisecond's search, done again only when more modules are loaded."""
    libraries: list[LibController] = ThreadpoolController().select(user_api="blas").lib_controllers
    return libraries


def _set_threads(library: LibController, threads: int) -> None:
    # threadpoolctl 3.8 lets the thread that was the first to set OpenBLAS's limit own it, for as long as it lives, and
    # ignores all others without a word. The limit is the process's, so nobody owns it here, neither before nor after.
    disown: Callable[..., None] = getattr(library, "clear_controlling_thread", lambda force: None)
    disown(force=True)
    library.set_num_threads(threads)
    disown(force=True)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread. The first holder of a library sets its limit and the last one lifts it.

    NumPy and SciPy bring a library each: one that is loaded while others are held is held from the next tile on.
    """
    held = []
    with _lock:
        for library in _loaded_libraries(len(sys.modules)):
            own = getattr(library, "threading_layer", None) == "openmp"
            key = library.filepath, threading.get_ident() if own else 0
            if key not in _holds:
                _holds[key] = _Hold(library.num_threads)
                _set_threads(library, 1)
            _holds[key].holders += 1
            held.append((key, library))
    try:
        yield
    finally:
        with _lock:
            for key, library in held:
                _holds[key].holders -= 1
                if not _holds[key].holders:
                    _set_threads(library, _holds.pop(key).before)


def _held(function: Callable[[Task], Result], task: Task) -> Result:
    with single_threaded_blas():
        return function(task)


_arriving = threading.RLock()
_arrived: OrderedDict[str, CachedPerProcess] = OrderedDict()
_MOST_ARRIVED = 4
"""A process keeps the two objects of the estimate it works for, and of one that runs beside it."""


class CachedPerProcess:
    """An object of which a process keeps the first copy that reaches it, with all that this has computed since.

    A task takes its function along, so that any worker can do it; one that has done another of the same computation
    goes on with the function it has. What an object need not take along, since `restore` can make it again from the
    rest, is named in `left_behind`.
    """

    left_behind: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._name = uuid.uuid4().hex

    def restore(self) -> None:
        """Make the attributes in `left_behind` again, where a copy arrives."""

    def __reduce__(self) -> tuple[Callable[..., CachedPerProcess], tuple[object, ...]]:
        state = {name: value for name, value in self.__dict__.items() if name not in self.left_behind}
        return _arrive, (self._name, type(self), state)


def _arrive(name: str, kind: type[CachedPerProcess], state: dict[str, object]) -> CachedPerProcess:
    with _arriving:
        kept = _arrived.get(name)
        if kept is None:
            kept = kind.__new__(kind)
            kept.__dict__.update(state)
            kept.restore()
            _arrived[name] = kept
            if len(_arrived) > _MOST_ARRIVED:
                _arrived.popitem(last=False)
        _arrived.move_to_end(name)
        return kept


def shares_memory(executor: Executor | None) -> bool:
    """Whether the workers are known to be threads of this process."""
    return executor is None or isinstance(executor, ThreadPoolExecutor)


def ordered_map(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    executor: Executor | None = None,
    workers: int | None = None,
) -> Generator[Result, None, None]:
    """Yield `function(task)` for each task, in order, computed by the executor's workers.

    Parameters
    ----------
    function, tasks
        A process pool needs both to pickle.
    executor : concurrent.futures.Executor or None
        None is a thread pool over the cores, closed when the iterator is.
    workers : int or None
        The most workers of that thread pool, where tasks take much memory.

    Notes
    -----
    At most a window of tasks is in flight, so that an interrupt ends soon and finished results do not pile up.
    """
    threads = min(workers or 2**16, os.cpu_count() or 1)
    own = ThreadPoolExecutor(threads) if executor is None else None
    pool = executor if own is None else own
    assert pool is not None
    window = 4 * threads if own is not None else 256
    pending: deque[Future[Result]] = deque()
    run = functools.partial(_held, function)
    with single_threaded_blas():
        try:
            for task in tasks:
                try:
                    pending.append(pool.submit(run, task))
                except BrokenExecutor:
                    raise
                except RuntimeError as error:
                    raise BrokenExecutor(f"`executor` takes no more work: {error}") from error
                if len(pending) >= window:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
            if own is not None:
                own.shutdown(wait=True, cancel_futures=True)
