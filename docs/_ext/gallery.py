"""Makes a page of each experiment, and their cards, from the results that are stored in docs/gallery/results."""

import inspect
import json
import math
import re
from pathlib import Path

from gradvar.experiments.reproduction.by_name import experiment
from gradvar.experiments.reproduction.result import Comparison

DOCS = Path(__file__).parent.parent
RESULTS, PAGES = DOCS / "gallery" / "results", DOCS / "gallery" / "generated"
CARD = """::::{{grid-item-card}} {title}
:link: generated/{name}
:link-type: doc
:img-top: results/{name}.png
:class-img-top: gallery
:img-alt: {question}

{words}

:::{{card-footer}}
{how}
:::
::::"""


def markdown(text: str) -> str:
    """Plain words of a docstring as Markdown that shows them as they are; code stays code, and arXiv is a link."""
    parts = re.split(r"(`[^`]+`)", text)
    parts[::2] = [re.sub(r"([\\*_<>\[\]$|~#^{}])", r"\\\1", part) for part in parts[::2]]
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", "".join(parts))


def paragraph(text: str) -> str:
    """One paragraph of a docstring; a formula that stands indented, as it stands."""
    if text.startswith("    "):
        return f"```text\n{text}\n```"
    return re.sub(r"^(Paper|Here|They differ):", r"**\1:**", markdown(" ".join(text.split())))


def table(result: dict) -> str:
    """The paper's numbers beside ours."""
    lines = ["| | paper | here | accepted | agrees |", "|---|---|---|---|---|"]
    for row in result["comparisons"]:
        unknown = {"here": math.nan, "low": -math.inf, "high": math.inf, "paper": None}
        found = Comparison(what=row["what"], **{k: v if row[k] is None else row[k] for k, v in unknown.items()})
        lines.append("| " + " | ".join(map(markdown, found.cells())) + " |")
    return "\n".join(lines)


def page(name: str, result: dict) -> str:
    """The page of an experiment."""
    question, *paragraphs = inspect.getdoc(experiment(name)).split("\n\n")
    here = next(i for i, text in enumerate(paragraphs) if text.startswith("Here:"))
    figure = f"../results/{name}.png"
    disagree = [markdown(row["what"]) for row in result["comparisons"] if not row["agrees"]]
    quick = " --quick" if result["quick"] else ""
    settings = "quick settings, smaller than the paper's" if quick else "full settings"
    body = [
        f"# {title(name)}",
        f"*{markdown(question)}*",
        *map(paragraph, paragraphs[:here]),
        f"```{{figure}} {figure}\n:alt: {question}\n\nMade with the {settings}, `rng={result['seed']}` "
        f"({{download}}`larger <{figure}>`).\n```",
        "## The paper's numbers and ours",
        *([f":::{{warning}}\nNot as claimed: {'; '.join(disagree)}.\n:::"] if disagree else []),
        table(result),
        "\n".join(f"- {markdown(note)}" for note in result["notes"]),
        "## What is done, and what differs",
        *map(paragraph, paragraphs[here:]),
        "## Again",
        f"```bash\npython -m gradvar reproduce {name}{quick} --out docs/gallery/results\n```",
        f"made these numbers with gradvar {result['version']}: {settings}, seed {result['seed']}, "
        f"{max(result['seconds'], 1):.0f} s on a busy machine. All {len(result['rows'])} rows are in "
        f"{{download}}`{name}.json <../results/{name}.json>`, the code is "
        f"{{download}}`{name}.py <../../../gradvar/experiments/{name}.py>`; in Python it is "
        f"{{py:func}}`gradvar.experiments.{name}.run`.",
    ]
    return "\n\n".join(filter(None, body)) + "\n"


def title(name: str) -> str:
    """The name of an experiment in words."""
    return name.replace("_", " ").capitalize().replace("heorem1", "heorem 1")


def card(name: str, result: dict) -> str:
    """Its picture and one line on the page of all."""
    question, agree = experiment(name).__doc__.partition("\n")[0], [row["agrees"] for row in result["comparisons"]]
    how = f"{sum(agree)} of {len(agree)} as claimed" + ", quick settings" * result["quick"]
    return CARD.format(name=name, title=title(name), question=question, words=markdown(question), how=how)


def write(app: object) -> None:
    """Write the pages that changed, and take away those of experiments that are gone."""
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    made = {f"{name}.md": page(name, result) for name, result in results.items()}
    cards = "\n".join(card(name, result) for name, result in results.items())
    made["cards.txt"] = f":::::{{grid}} 1 1 2 2\n:gutter: 3\n\n{cards}\n:::::\n"
    PAGES.mkdir(exist_ok=True)
    for gone in {path.name for path in PAGES.iterdir()} - set(made):
        (PAGES / gone).unlink()
    for name, text in made.items():
        if not (PAGES / name).is_file() or (PAGES / name).read_text("utf-8") != text:
            (PAGES / name).write_text(text, "utf-8")


def setup(app):
    """Write the pages before any is read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
