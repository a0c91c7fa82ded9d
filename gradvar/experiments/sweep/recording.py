"""Records of problems: of one that is computed, that Ctrl-C has ended, or that has failed."""

from __future__ import annotations

import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

from ...estimation.progress import Reporter
from ...results.estimate import Estimate
from ...verbs.check import check_bounds
from .fingerprints import fingerprint, model_fingerprint
from .problems import NamedProblem
from .records import Record


def computed(item: NamedProblem, executor: Executor | None = None, progress: Reporter = False) -> Record:
    """Compute one problem and return its record; an error is one as well."""
    begin = time.perf_counter()
    try:
        problem = item.build()
        settings = replace(item.settings, executor=executor, progress=progress)
        check = check_bounds(problem, item.method, settings)
        record = Record.of_check(item.parameters, item.seed, problem.model, check, time.perf_counter() - begin)
        return replace(record, fingerprint={**fingerprint(item), "model": model_fingerprint(problem)})
    except Exception as error:
        return failed(item, error, time.perf_counter() - begin)


def computed_by_one_thread(item: NamedProblem) -> Record:
    """Compute one problem by a worker among others: with one thread, or they would be in each other's way.

    A worker may have Ctrl-C as well, and lives on.
    """
    begin = time.perf_counter()
    with ThreadPoolExecutor(1) as own:
        try:
            return computed(item, own)
        except KeyboardInterrupt as interrupt:
            return interrupted(item, getattr(interrupt, "estimate", None), time.perf_counter() - begin)


def interrupted(item: NamedProblem, estimate: Estimate | None, seconds: float) -> Record:
    """Return the record of a problem that Ctrl-C has ended, with the estimate so far where there is one."""
    if estimate is not None:
        return Record.of_estimate(item.parameters, item.seed, estimate, seconds)
    return Record(parameters=item.parameters, seed=item.seed, status="interrupted", seconds=seconds)


def failed(item: NamedProblem, error: BaseException, seconds: float) -> Record:
    """Return the record of a problem that has raised an error."""
    text = f"{type(error).__name__}: {error}"
    return Record(parameters=item.parameters, seed=item.seed, status="failed", error=text, seconds=seconds)
