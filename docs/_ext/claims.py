"""Reads docs/claims.toml, refuses a claim that no test checks, and shows the others as tables of docs/claims.md."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parent.parent
FIELDS = ("claim", "source", "range", "tolerance")
PLACE = re.compile(r"^% claims: (.+)$", re.MULTILINE)


def claims() -> dict[str, list[dict]]:
    """The claims by their subject."""
    return tomllib.loads((DOCS / "claims.toml").read_text("utf-8"))


@cache
def tests_of(path: Path) -> frozenset[str]:
    """The names of the tests in a file, those of classes as Class::test; read, not run."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {before + each.name for each in inner if isinstance(each, ast.FunctionDef)}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def faults(subjects: dict[str, list[dict]], page: str) -> list[str]:
    """What is wrong: a field that is missing, no test, a test that is not there, a claim said twice or not shown."""
    found, seen = [], set()
    for subject, rows in subjects.items():
        for row in rows:
            said = f"{subject}: {row.get('claim', row)!r}"
            found += [f"{said} has no {field}" for field in FIELDS if not str(row.get(field, "")).strip()]
            found += [f"{said} has an unknown {field}" for field in sorted(set(row) - {*FIELDS, "test"})]
            if not row.get("test"):
                found.append(f"{said} has no test")
            for test in row.get("test", []):
                path, _, name = test.partition("::")
                file = DOCS.parent / path
                if not path.startswith("tests/") or not file.is_file() or name not in tests_of(file):
                    found.append(f"{said} names {test}, which is not there")
            if row.get("claim") in seen:
                found.append(f"{said} is said twice")
            seen.add(row.get("claim"))
    shown = PLACE.findall(page)
    found += [f"docs/claims.md does not show {subject!r}" for subject in subjects if shown.count(subject) != 1]
    found += [f"docs/claims.md shows {subject!r}, of which there is none" for subject in set(shown) - set(subjects)]
    return found


def link(test: str) -> str:
    """A test's file to open, and its name in words."""
    path, _, name = test.partition("::")
    words = name.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"{{download}}`{Path(path).name} <../{path}>` {words}"


def table(rows: list[dict]) -> str:
    """The claims of one subject."""
    lines = ["```{list-table}", ":header-rows: 1", ":widths: 38 20 14 28", ":class: claims", ""]
    lines += ["* - claim", "  - range", "  - tolerance", "  - test"]
    for row in rows:
        source = re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", row["source"])
        tests = "\n\n    ".join(map(link, row["test"]))
        lines.append(f"* - {row['claim']}\n\n    *{source}*\n  - {row['range']}\n  - {row['tolerance']}\n  - {tests}")
    return "\n".join([*lines, "```"])


def refuse(app: object) -> None:
    """End the build where a claim has no test."""
    if found := faults(claims(), (DOCS / "claims.md").read_text("utf-8")):
        raise ValueError("claims without a test that is there:\n" + "\n".join(found))


def show(app, page: str, source: list[str]) -> None:
    """Put the tables in their places."""
    if page == "claims":
        app.env.note_dependency("claims.toml")
        subjects = claims()
        source[0] = PLACE.sub(lambda place: table(subjects[place[1]]), source[0])


def setup(app):
    """Look at the claims before any page is read, and show them on theirs."""
    app.connect("builder-inited", refuse)
    app.connect("source-read", show)
    return {"parallel_read_safe": True}
