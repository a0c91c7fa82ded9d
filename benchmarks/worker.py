"""One side of a contest, in a process of its own: prepares, then runs once for each line that it is sent.

    python -m benchmarks.worker MODULE FUNCTION ARGUMENTS LIMIT

Answers are lines of JSON. pyperf, which also times in processes of their own, runs one candidate after the other and
keeps no values; here the sides take turns, and what they found is held against the truth.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path


def peak() -> float:
    """The most memory this process has had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss of a new process begins with its parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def processor_time() -> float:
    """Seconds of this process, on all threads, and of those that it started and saw end."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    module, function, arguments, limit = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(**values: object) -> None:
        print(json.dumps(values), file=answers, flush=True)

    signal.alarm(int(limit))
    try:
        run = getattr(importlib.import_module(module), function)(*json.loads(arguments))
    except ImportError as error:
        answer(missing=error.name or str(error))
        return
    before = peak()
    signal.alarm(0)  # a side may wait for as long as the others take
    answer(ready=True)
    for line in sys.stdin:
        signal.alarm(int(limit))
        begin, cpu = time.perf_counter(), processor_time()
        value, stated = run(int(line))
        seconds, used = time.perf_counter() - begin, processor_time() - cpu
        signal.alarm(0)
        answer(seconds=seconds, cpu=used, value=value, stated=stated, memory=peak() - before)


if __name__ == "__main__":
    main()
