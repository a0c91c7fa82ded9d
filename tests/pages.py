"""Reads the README and the pages of docs/, finds their blocks of code and runs them; test_pages.py says the rules."""

from __future__ import annotations

import doctest
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MADE_BY_THE_BUILD = ("docs/_build", "docs/reference/generated", "docs/gallery/generated")
PAGES = {
    name: path
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("docs/**/*.ipynb"))]
    if not (name := path.relative_to(ROOT).as_posix()).startswith(MADE_BY_THE_BUILD) and "checkpoints" not in name
}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}

FENCE = re.compile(r"(?P<before>[\s>*+-]*|\s*\d+[.)]\s+)(?P<fence>`{3,}|~{3,}|:{3,})\s*(?P<info>.*)")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@dataclass(frozen=True)
class Block:
    info: str
    code: str
    line: int
    at_the_margin: bool

    @property
    def is_run_here(self) -> bool:
        return self.info == "python" and self.at_the_margin

    @property
    def needs_adapters(self) -> bool:
        return bool(re.search(r"^(>>> )?(import|from) (torch|jax)\b", self.code, flags=re.MULTILINE))

    @property
    def looks_like_python(self) -> bool:
        words = re.findall("[a-z]+", self.info.lower())
        return any(word in {"python", "ipython", "py", "pycon", "cell", "doctest", "testcode"} for word in words)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, those inside of notes, tabs and lists too."""
    found: list[Block] = []
    around: list[str] = []  # the fences of directives that hold text, and blocks in it
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if not (opened := FENCE.fullmatch(line)):
            continue
        fence, info = opened["fence"], opened["info"].strip()
        if not info and fence in around:
            del around[around.index(fence) :]
            continue
        of_text = info.startswith("{") and not re.match(r"\{(code|sourcecode|literal|math|toctree|doctest|test)", info)
        if of_text and not Block(info, "", 0, True).looks_like_python:
            around.append(fence)
            continue
        code: list[str] = []
        for _, inner in lines:
            if (closed := re.fullmatch(r"[\s>]*([`~:]{3,})\s*", inner)) and closed[1].startswith(fence):
                break
            code.append(inner)
        found.append(Block(info, "\n".join(code) + "\n", number, not opened["before"]))
    return found


def is_notebook(text: str) -> bool:
    front = re.match(r"---\n(.*?)\n---\n", text, flags=re.DOTALL)
    return bool(front) and "kernelspec" in front[1]


def not_run(text: str) -> list[str]:
    """What stands on a page as Python, and is run by nothing."""
    shown = [block for block in blocks(text) if block.looks_like_python]
    if is_notebook(text):
        idle = [block for block in shown if not block.info.startswith("{code-cell}") or "skip-execution" in block.code]
        off = re.findall(r"execution_mode\W+(?:off|\"off\")", text)
    else:
        idle, off = [block for block in shown if not block.is_run_here], re.findall(r"code-block:: i?py\w*", text)
    return [f"line {block.line}: {block.info}" for block in idle] + off


def run_page(path: Path, with_adapters: bool = False) -> None:
    """Run the blocks of a page, with its own lines in tracebacks; a doctest that prints something else fails."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(path.read_text(encoding="utf-8")):
        if not block.is_run_here or (block.needs_adapters and not with_adapters):
            continue
        if block.code.lstrip().startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(block.code, namespace, path.name, str(path), block.line)
            output: list[str] = []
            test.globs = namespace  # of which a test makes a copy
            outcome = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=output.append, clear_globs=False)
            assert outcome.failed == 0, "".join(output)
        else:
            exec(compile("\n" * block.line + block.code, str(path), "exec"), namespace)


def commands(text: str) -> list[tuple[list[str], str]]:
    """The commands of gradvar in console blocks, with what is printed below each."""
    found: list[tuple[list[str], str]] = []
    for block in blocks(text):
        if block.info == "console":
            for prompt in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
                command, _, printed = prompt.replace("\\\n", " ").partition("\n")
                words = shlex.split(command, comments=True)
                if words[1:3] == ["-m", "gradvar"]:
                    found.append((words[3:], printed))
    return found


def is_quick(command: list[str]) -> bool:
    """All but an experiment: those are run by .ci/run, with their quick settings."""
    return command[:1] != ["reproduce"] or "--list" in command
