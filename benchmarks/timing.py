"""Contests: sides in processes of their own take turns, so that a busy machine slows all of them; rows of a table."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

# One turn: given its number, which serves as a seed, the value found and its relative error as stated (nan: none).
Run = Callable[[int], tuple[float, float]]

LONG = 15.0  # a side whose first turn takes more seconds has no other
TOGETHER = 4  # so many prepare side by side
LIMIT = 300  # a turn that takes more seconds is ended


@dataclass(frozen=True)
class Side:
    """What takes part: a function of a module and its arguments; it imports, prepares, and returns a Run."""

    name: str
    prepare: Callable[..., Run]
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True)
class Row:
    """A line of the table. Seconds are medians; `ratio` is the median over turns of the peer's over gradvar's,
    and `cpu_ratio` that of the processor time of the two processes."""

    question: str
    name: str
    gradvar: float | None
    peer: str = ""
    peer_seconds: float | None = None
    ratio: float | None = None
    cpu_ratio: float | None = None
    memory: float | None = None
    peer_memory: float | None = None
    error: float | None = None
    peer_error: float | None = None
    note: str = ""
    turns: dict[str, list[float]] = field(default_factory=dict)


class Answer(TypedDict, total=False):
    """What a worker says: of a library that is missing, or of a turn."""

    missing: str
    ready: bool
    seconds: float
    cpu: float
    value: float
    stated: float
    memory: float


class Process:
    """A side at work; `trouble` says why it has no times."""

    def __init__(self, side: Side, stack: ExitStack) -> None:
        self.side, self.trouble = side, ""
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        self.values: list[float] = []
        self.stated, self.memory = math.nan, 0.0
        function = side.prepare
        command = [sys.executable, "-m", "benchmarks.worker", function.__module__, function.__name__]
        self.process = stack.enter_context(
            subprocess.Popen(
                [*command, json.dumps(side.arguments), str(LIMIT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parent.parent,
            )
        )
        stack.callback(self.process.kill)

    def wait(self) -> None:
        """Until it is prepared."""
        first = self.ask(None)
        if "missing" in first:
            self.trouble = f"{first['missing']} is not installed"

    def ask(self, turn: int | None) -> Answer:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if turn is not None:
            self.process.stdin.write(f"{turn}\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            last = self.process.stderr.read().strip().splitlines()[-1:]
            self.trouble = f"more than {LIMIT} s" if self.process.wait() == -14 else "failed: " + "".join(last)
            return {}
        answer: Answer = json.loads(line)
        return answer

    def take(self, turn: int, counted: bool) -> None:
        """A turn; the first one, in which code is compiled and caches are filled, counts if no other will."""
        if self.trouble:
            return
        found = self.ask(turn)
        if self.trouble:
            return
        if counted or found["seconds"] > LONG:
            self.seconds.append(found["seconds"])
            self.cpu.append(found["cpu"])
            self.values.append(found["value"])
        self.stated, self.memory = found["stated"], found["memory"]

    def turns(self, side: str) -> dict[str, list[float]]:
        return {side: self.seconds, f"{side} cpu": self.cpu, f"{side} values": self.values}

    @property
    def most_memory(self) -> float | None:
        return self.memory if self.seconds else None

    @property
    def over(self) -> bool:
        return bool(self.trouble) or (len(self.seconds) == 1 and self.seconds[0] > LONG)


def contest(
    question: str,
    name: str,
    sides: list[Side],
    repeats: int = 5,
    *,
    per: float = 1,
    truth: float | None = None,
    exact: bool = False,
    note: str = "",
) -> Iterator[Row]:
    """The first side against each other one. Seconds are divided by `per`, the units of work in a turn.

    `truth` is what values are compared with; with `exact` it is the first side's value. `repeats=0` counts first turns.
    """
    with ExitStack() as stack:
        own, *peers = prepared(sides, stack)
        take_turns([own, *peers], repeats)
        if exact and own.values:
            truth = own.values[0]
        if not peers:
            yield alone(question, name, own, per, None if exact else truth, note)
        for peer in peers:
            yield against(question, name, own, peer, per, None if exact else truth, truth, note)


def each_alone(question: str, sides: list[Side], repeats: int) -> Iterator[Row]:
    """Sides that are held against nothing, under their names; a few at a time prepare side by side."""
    for start in range(0, len(sides), TOGETHER):
        with ExitStack() as stack:
            for process in prepared(sides[start : start + TOGETHER], stack):
                take_turns([process], repeats)
                yield alone(question, process.side.name, process)


def prepared(sides: list[Side], stack: ExitStack) -> list[Process]:
    """Sides prepare side by side."""
    processes = [Process(side, stack) for side in sides]
    for process in processes:
        process.wait()
    return processes


def take_turns(processes: list[Process], repeats: int) -> None:
    for turn in range(repeats + 1):
        for process in processes:
            if not process.over:
                process.take(turn, turn > 0 or repeats == 0)


def alone(question: str, name: str, own: Process, per: float = 1, truth: float | None = None, note: str = "") -> Row:
    return Row(
        question,
        name,
        middle(own, per),
        memory=own.most_memory,
        error=error(own, truth),
        note=own.trouble or note,
        turns=own.turns("gradvar"),
    )


def against(
    question: str,
    name: str,
    own: Process,
    peer: Process,
    per: float = 1,
    truth: float | None = None,
    peer_truth: float | None = None,
    note: str = "",
) -> Row:
    return replace(
        alone(question, name, own, per, truth, peer.trouble or note),
        peer=peer.side.name,
        peer_seconds=middle(peer, per),
        ratio=ratio(own.seconds, peer.seconds),
        cpu_ratio=ratio(own.cpu, peer.cpu),
        peer_memory=peer.most_memory,
        peer_error=error(peer, peer_truth),
        turns=own.turns("gradvar") | peer.turns("peer"),
    )


def middle(process: Process, per: float) -> float | None:
    return statistics.median(process.seconds) / per if process.seconds else None


def ratio(own: list[float], peer: list[float]) -> float | None:
    """The median over turns; of medians, where one side had a single turn."""
    if not own or not peer or min(own) <= 0:
        return None
    if len(own) == len(peer):
        return statistics.median(b / a for a, b in zip(own, peer, strict=True))
    return statistics.median(peer) / statistics.median(own)


def error(process: Process, truth: float | None) -> float | None:
    """The root mean square of relative errors; without a truth, the error that the side states."""
    if not process.seconds:
        return None
    if truth is None:
        return None if math.isnan(process.stated) else process.stated
    return math.sqrt(statistics.fmean((value / truth - 1) ** 2 for value in process.values))
