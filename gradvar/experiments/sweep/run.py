"""The verb `sweep`: many problems, each recorded as soon as it is finished."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import replace

from ...core.arguments import flag
from ...estimation.progress import Reporter
from ...estimation.settings import check_executor
from ...problem import Moment, Problem
from ...results.interruption import Interrupted
from ...verbs.check import check_bounds
from ...verbs.variance import estimate
from .bar import Bar
from .fingerprints import check_fingerprints, fingerprint, model_fingerprint
from .journal import Journal, UnwrittenError
from .problems import NamedProblem, as_named
from .records import Record
from .results import SweepResults

_IN_FLIGHT = 256
_GRACE = 1.0


def sweep(
    problems: Iterable[NamedProblem | tuple[str, Problem] | Mapping[str, object]] | Mapping[str, Problem],
    *,
    path: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> SweepResults:
    """Check the bounds of many problems, each recorded as soon as it is finished.

    A record is what `bound_check` finds with `rng` the problem's own seed: the same bits for any executor and order.

    Parameters
    ----------
    problems : iterable
        A `grid`, or any iterable of `NamedProblem`, of pairs (name, Problem) or of dicts of the arguments of
        `NamedProblem`; or a dict from names to Problems.
    path : str, PathLike or None
        A file of JSON Lines that each record is appended to, and on the disk, before the next problem begins. When
        there is one, problems with a finished record in it are not computed again, whatever ended the process that
        wrote it; those that failed or were interrupted are, and of several records of a problem the last counts.
        Other sweeps may write to the file at the same time.
    executor : concurrent.futures.Executor or None
        Where whole problems are computed, each by one thread: a pool of threads or processes,
        `dask.distributed.Client(...).get_executor(pure=False)`. What is sent to processes must pickle: classes,
        models and losses must, functions that make models need not. None computes one problem after another, each
        on all cores.
    progress : bool
        Whether to show a bar with the current problem and the estimate so far.

    Returns
    -------
    SweepResults
        In the order of `problems`. An error in one problem is its record, a warning at the end, and does not keep
        the others from being computed: see `.failures`.

    Raises
    ------
    TypeError, ValueError
        Arguments that are not what they should be, two problems of the same parameters, a file that is not of a sweep.
    ValueError
        A finished record in the file that is of another problem of the same parameters: another class, model, loss
        or other settings. Of the models that one function makes the first is compared.
    UnwrittenError
        A file that can no longer be written (a full disk), with what is finished in `.results`.
    Interrupted
        On Ctrl-C, with the records so far in `.results`, and in `.estimate` what there is of the current problem.
        Its record has the status "interrupted".

    Examples
    --------
    >>> import gradvar as gv
    >>> problems = gv.grid(H={d: gv.Parities(d) for d in (4, 8)}, model=lambda H: gv.Linear([1.0] * H.inputs.dim))
    >>> results = gv.sweep(problems, progress=False)
    >>> results, [row["verdict"] for row in results.to_dicts()]
    (SweepResults(2 done), ['holds', 'holds'])
    """
    items = as_named(problems)
    check_executor(executor)
    shown = flag("progress", progress)
    with ExitStack() as stack:
        journal = None if path is None else stack.enter_context(closing(Journal(path)))
        if journal is not None:
            check_fingerprints(items, journal)
        run = _Run(items, journal, stack.enter_context(closing(Bar(items, shown))))
        try:
            if executor is None:
                run.one_by_one()
            else:
                run.on(executor)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(getattr(interrupt, "estimate", None), run.results()) from None
        except UnwrittenError as error:
            error.results = run.results()
            raise
    results = run.results()
    failures = results.failures
    if failures:
        warnings.warn(
            f"{len(failures)} of {len(items)} problems failed, see `failures` of the results; the first, "
            f"{run.bar.label(failures[0])}: {failures[0]['error']}",
            stacklevel=2,
        )
    return results


class _Run:
    """The problems of one sweep, their records so far, and the bar."""

    def __init__(self, items: list[NamedProblem], journal: Journal | None, bar: Bar) -> None:
        self.items, self.journal, self.bar = items, journal, bar
        self.records: dict[str, Record] = {} if journal is None else journal.records

    def one_by_one(self) -> None:
        """Compute in this process, each problem on all cores."""
        for item in self._todo():
            self.bar.begin(item)
            begin = time.perf_counter()
            record = None
            try:
                record = _computed(item, progress=self.bar.reporter(item))
                self._keep(record)
            except KeyboardInterrupt as interrupt:
                self._keep(record or _interrupted(item, interrupt, begin))
                raise

    def on(self, executor: Executor) -> None:
        """Compute on the executor's workers, each problem by one thread."""
        pending: dict[Future[Record], NamedProblem] = {}

        def collect() -> None:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                try:
                    record = future.result()
                except Exception as error:  # a worker that died, or something that does not pickle
                    record = _failed(pending[future], error, 0.0)
                self._keep(record)
                del pending[future]

        try:
            for item in self._todo():
                self.bar.begin(item)
                try:
                    made = replace(item, model=item.build().model)
                    pending[executor.submit(_computed_by_one_thread, made)] = item
                except Exception as error:
                    self._keep(_failed(item, error, 0.0))
                if len(pending) >= _IN_FLIGHT:
                    collect()
            while pending:
                collect()
        except BaseException as stop:
            for future in pending:
                future.cancel()
            if isinstance(stop, (KeyboardInterrupt, UnwrittenError)):
                # What is finished; and workers that had the Ctrl-C as well hand back what they have.
                for future in wait(pending, timeout=_GRACE).done:
                    if not future.cancelled() and future.exception() is None:
                        with suppress(UnwrittenError):
                            self._keep(future.result())
            raise

    def results(self) -> SweepResults:
        """Return the records so far, in the order of the problems."""
        records = tuple(self.records[item.key] for item in self.items if item.key in self.records)
        return SweepResults(records, None if self.journal is None else self.journal.path)

    def _todo(self) -> Iterator[NamedProblem]:
        """Yield the problems without a finished record, when their turn comes."""
        for item in self.items:
            if self.journal is not None:
                self.journal.refresh()
            if item.key in self.records and self.records[item.key].status == "done":
                self.bar.end(self.records[item.key])
            else:
                yield item

    def _keep(self, record: Record) -> None:
        try:
            kept = record if self.journal is None else self.journal.append(record)
        except UnwrittenError:
            self.records[record.key] = record
            raise
        self.records[record.key] = kept
        self.bar.end(record)


def _computed(item: NamedProblem, executor: Executor | None = None, progress: Reporter = False) -> Record:
    """Compute one problem and return its record; an error is one as well."""
    begin = time.perf_counter()
    try:
        problem = item.build()
        settings = replace(item.settings, executor=executor, progress=progress)
        check = check_bounds(problem, item.method, settings)
        second = replace(problem, moment=Moment.SECOND)
        alignment = estimate(second, item.method, settings) if item.alignment else None
        seconds = time.perf_counter() - begin
        record = Record.of_check(item.parameters, item.seed, problem.model, check, seconds, alignment)
        return replace(record, fingerprint={**fingerprint(item), "model": model_fingerprint(problem)})
    except Exception as error:
        return _failed(item, error, time.perf_counter() - begin)


def _computed_by_one_thread(item: NamedProblem) -> Record:
    """Compute one problem by a worker among others: with one thread, or they would be in each other's way.

    A worker may have Ctrl-C as well, and lives on.
    """
    begin = time.perf_counter()
    with ThreadPoolExecutor(1) as own:
        try:
            return _computed(item, own)
        except KeyboardInterrupt as interrupt:
            return _interrupted(item, interrupt, begin)


def _interrupted(item: NamedProblem, interrupt: KeyboardInterrupt, begin: float) -> Record:
    so_far = getattr(interrupt, "estimate", None)
    return Record.of_estimate(item.parameters, item.seed, so_far, time.perf_counter() - begin)


def _failed(item: NamedProblem, error: BaseException, seconds: float) -> Record:
    """Return the record of a problem that has raised an error."""
    text = f"{type(error).__name__}: {error}"
    return Record(parameters=item.parameters, seed=item.seed, status="failed", error=text, seconds=seconds)
