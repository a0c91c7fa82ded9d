"""gradvar against what a user would otherwise run, interleaved, in one table.

    python -m benchmarks [QUESTION ...] [--quick] [--out FOLDER]
    python -m benchmarks --list

Prints medians, the ratio of the peer's time to gradvar's, MiB beyond what was there before the first call and relative
errors (gradvar / peer), and writes results.json, results.md and ratios.png.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

from . import machine, report
from .timing import Row

QUESTIONS = (
    "transform",
    "spectrum",
    "pairs",
    "members",
    "accuracy",
    "exact",
    "default_calls",
    "growth",
    "workers",
    "startup",
    "coverage",
    "training",
)


def title(question: str) -> str:
    return (importlib.import_module(f"benchmarks.{question}").__doc__ or "").splitlines()[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="all, if none is named")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer turns: some five minutes")
    parser.add_argument("--list", action="store_true", help="a line on each question")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"), help="a folder")
    given = parser.parse_args()
    for name in given.questions:
        if name not in QUESTIONS:
            parser.error(f"no question `{name}`; there are {', '.join(QUESTIONS)}")
    asked = [name for name in QUESTIONS if name in given.questions or not given.questions]
    if given.list:
        for name in asked:
            print(f"{name:14} {title(name)}")
        return
    given.out.mkdir(parents=True, exist_ok=True)
    begin, found = time.monotonic(), machine.machine()
    rows: list[Row] = []
    text: list[str] = []

    def say(line: str) -> None:
        text.append(line)
        print(line, flush=True)

    for name in asked:
        say(f"\n**{name}**: {title(name)}\n\n{report.HEADER}")
        asked_at = time.monotonic()
        for row in importlib.import_module(f"benchmarks.{name}").rows(given.quick):
            rows.append(row)
            say(report.line(row))
        say(f"\n{time.monotonic() - asked_at:.0f} s")
    say("\n" + machine.sentence(found, os.getloadavg()[0]))
    (given.out / "results.md").write_text("\n".join(text).strip() + "\n")
    report.write_json(given.out / "results.json", found, rows)
    print(report.draw(given.out / "ratios.png", rows), f"results: {given.out}", sep="\n")
    print(f"{time.monotonic() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
