"""Experiments by their names: which there are, and one run with its table, figure and numbers in files."""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import sys
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from ...core.version import __version__
from ...results.plots_style import pyplot
from .result import Reproduction

_HOME = __name__.rpartition(".reproduction")[0]


def names() -> dict[str, str]:
    """Return the name of each experiment, and what it shows, the first line of its file."""
    home = files(_HOME)
    found = [module.name for module in pkgutil.iter_modules([str(home)]) if not module.ispkg]
    texts = {name: home.joinpath(f"{name}.py").read_text("utf-8") for name in sorted(found)}
    return {name: (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0] for name, text in texts.items()}


def experiment(name: str) -> ModuleType:
    """Return the file of this name, or raise an error that names all."""
    if name not in (known := names()):
        raise ValueError(f"`name` must be an experiment, one of {', '.join(known)}; got {name!r}")
    return importlib.import_module(f"{_HOME}.{name}")


def reproduce(name: str, out: Path, *, quick: bool = False, seed: int = 0, progress: bool = False) -> bool:
    """Run an experiment, print its table, and write NAME.png, NAME.svg and NAME.json; return whether all agrees.

    What was run before with the same settings and version, and is in `out`, is printed and not run again.
    """
    module, path = experiment(name), out / f"{name}.json"
    key = {"version": __version__, "quick": quick, "seed": seed}
    if (before := _read(path)) is not None and {word: before.get(word) for word in key} == key:
        print(f"{before['table']}\n\ndone before: {path}\n", flush=True)
        return bool(before["agrees"])
    begin = time.perf_counter()
    result = module.run(**(module.QUICK if quick else {}), rng=seed, progress=progress)
    if not isinstance(result, Reproduction):
        raise TypeError(f"`run` of {name} must return a Reproduction, got {result!r}")
    seconds = time.perf_counter() - begin
    out.mkdir(parents=True, exist_ok=True)
    result.plot()
    for ending in ("png", "svg"):
        pyplot().savefig(out / f"{name}.{ending}", dpi=150)
    pyplot().close()
    table = f"{result}\n\n{seconds:.3g} s, rng={seed}"
    # The JSON is written last and whole: what has it is done.
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(
        json.dumps({**result.to_dict(), **key, "seconds": seconds, "table": table}, indent=1, allow_nan=False), "utf-8"
    )
    os.replace(unfinished, path)
    print(f"{table}\n\nfigure and numbers: {path.with_suffix('.png')}, .svg, .json\n", flush=True)
    return result.agrees


def reproduce_all(out: Path, *, quick: bool = False, seed: int = 0, progress: bool = False) -> bool:
    """Run all experiments, one after another; return whether all numbers agree and none failed."""
    found: dict[str, str] = {}
    for name in names():
        try:
            found[name] = (
                "as claimed" if reproduce(name, out, quick=quick, seed=seed, progress=progress) else "NOT as claimed"
            )
        except (ImportError, ArithmeticError, ValueError) as error:
            found[name] = f"NOT RUN: {error}"
            print(f"{name}: {found[name]}\n", file=sys.stderr, flush=True)
    width = max(map(len, found))
    print("\n".join(f"{name:<{width}}  {words}" for name, words in found.items()))
    return all(words == "as claimed" for words in found.values())


def _read(path: Path) -> Mapping[str, object] | None:
    """What a run before has left: nothing where there is none, or no such file."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
