"""How the reference reads a docstring: mathematics as it is written, code in backticks, links to what is documented.

Docstrings are plain text for `help()`. Here |H|, f* and sum_{i} are escaped, formulas on indented lines keep their
lines, and a name in backticks becomes a link where a page of the reference lists it.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

REFERENCE = Path(__file__).parents[1] / "reference"
MADE_BY_VERBS = {
    "Along", "Bound", "BoundCheck", "ClassSpectrum", "Descent", "Estimate", "LayerEstimates", "SweepMeans",
    "SweepResults", "TargetSignal", "Assumption", "Consequence", "Target", "CheckReport", "Check", "Choice",
    "Reproduction", "Model", "Method", "Loss", "Inputs", "HypothesisClass",
}  # fmt: skip
"""What nobody constructs, results and protocols: a signature is no help."""
PLUMBING = {
    "blocks", "by_layer", "coefficients", "column_types", "covariance_work", "exactly", "factory", "gram_matrix",
    "input_work", "is_tight", "key", "label_evidence", "largest_norms", "last_harmonic", "listed",
    "log_harmonic_residual", "mean_by_weight", "n_parts", "none", "norms_of_parts", "predictor", "rounding",
    "row_size", "scaled", "set_numbers", "settings", "shares", "shift", "split_parts", "table", "tangent", "times",
    "uncorrelated", "value_work", "weightless",
}  # fmt: skip
"""Members by which the parts of the library speak to each other, and nobody else needs."""


def entries(text: str) -> list[str]:
    """The full names that the autosummary blocks of a page list, in their order."""
    module, listing, found = "", False, []
    for line in text.splitlines():
        if directive := re.match(r"\.\. (\w+)::\s*(\S*)", line):
            listing = directive[1] == "autosummary"
            module = directive[2] if directive[1] == "currentmodule" else module
        elif listing and (name := re.fullmatch(r"\s+~?([A-Za-z_][\w.]*)", line)):
            found.append(f"{module}.{name[1]}")
        elif line.strip() and not line[0].isspace():
            listing = False
    return found


def resolved(name: str) -> object:
    """The object of a full name, of which the longest part that is a module is imported."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@cache
def documented() -> Mapping[str, str]:
    """The last part of each name of the reference, and the whole."""
    names = [name for page in sorted(REFERENCE.glob("*.md")) for name in entries(page.read_text(encoding="utf-8"))]
    return {name.rpartition(".")[2]: name for name in names}


def linked(code: str, owner: str = "", returned: str = "") -> str:
    """What stands in backticks as reStructuredText: a link where it names something documented, else code.

    `owner` is the full name of the class whose docstring it is, `returned` that of what a function returns.
    """
    names = documented()
    call = re.fullmatch(r"(?:gv\.|gradvar\.)?([\w.]+?)(?:\(.*\))?", code)
    if call is None:
        return f"``{code}``"
    first, _, rest = call[1].partition(".")
    if first == "" and returned and _has(returned, rest):
        target = f"{returned}.{rest}"
    elif owner and not rest and _has(owner, first):
        target = f"{owner}.{first}"
    elif first == "H" and _has(names.get("Parities", ""), rest):
        target = f"{names['Parities']}.{rest}"
    elif _names_no_module(first) and (not rest or _has(names[first], rest)):
        target = names[first] + (f".{rest}" if rest else "")
    elif f"gradvar.{call[1]}" in names.values():
        target = f"gradvar.{call[1]}"
    else:
        return f"``{code}``"
    return f":py:obj:`{code} <{target}>`"


def _names_no_module(name: str) -> bool:
    """Whether something is documented under this name; modules have names that arguments have too."""
    return name in documented() and not isinstance(resolved(documented()[name]), ModuleType)


def _has(owner: str, member: str) -> bool:
    return bool(owner) and member.isidentifier() and not hidden(member) and hasattr(resolved(owner), member)


def hidden(member: str) -> bool:
    """Whether the reference leaves a member out."""
    return member.startswith("_") or member in PLUMBING


def plain(text: str, owner: str = "", returned: str = "") -> str:
    """One line of a docstring as reStructuredText."""
    parts = re.split(r"(``.+?``|`[^`]+`|:[\w:]+:`.+?`|(?<![\w*])\*[A-Za-z]+\*(?![\w*]))", text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            part = re.sub(r"(?<![\w'])((?:\w_)?\w|11|pi|psi|sigma|alpha_t)'(?![A-Za-z])", "\\1\N{PRIME}", part)
            parts[i] = re.sub(r"([|*\\])|(?<=\w)(_)(?!\w)", lambda found: "\\" + found[0], part)
        elif not part.startswith(("``", ":", "*")):
            extra = parts[i - 1].endswith(" extra ")  # of the installation: no name
            parts[i] = f"``{part[1:-1]}``" if extra else linked(part[1:-1], owner, returned)
    line = "".join(parts)
    return re.sub(r"^(\s*)([A-Za-z]\.)(?=\s|$)", r"\1\\\2", line)  # "E." alone is no list


def as_restructured(lines: list[str], owner: str = "") -> list[str]:
    """A docstring in the way of NumPy as reStructuredText of the same sections."""
    made: list[str] = []
    section = returned = ""
    block = ""  # "doctest" or "formula" while one lasts
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else ""
        before = lines[number - 1] if number else ""
        indented = line.startswith("    ")
        if re.fullmatch(r"-{3,}", after.strip()) and line.strip():
            section, returned, block = line.strip(), "", ""
        if section == "Returns" and line and not indented:
            name = re.split(r"\W", line)[0]
            returned = documented().get("Reproduction" if name.endswith("Result") else name, "")
        if not line.strip() and not (block == "formula" and _continues(lines, number)):
            block = ""
        elif not block and line.lstrip().startswith(">>>"):
            block = "doctest"
        elif not block and indented and section in ("", "Notes") and not before.strip():
            block = "formula"
            made += [".. code-block:: none", "    :class: formula", ""]
        if block or section not in _FIELDS or not line or indented or line in (section, "-" * len(section)):
            made.append(line if block else plain(line, owner, returned))
        else:
            made += [_field(line, section)]
    return _attributes(made)


_FIELDS = "Parameters", "Attributes", "Returns", "Yields"


def _field(line: str, section: str) -> str:
    """The line `name : type` of a section; marked up, so that Sphinx does not take every word of a type for a name."""
    name, colon, kind = line.partition(" : ")
    if section in ("Returns", "Yields"):
        name, colon, kind = "", "", line
    told = "".join(linked(word) if word in documented() else plain(word) for word in re.split(r"(\w+)", kind))
    return plain(name) + colon + (told if "`" in told or not told else f":emphasis:`{told}`")


def _attributes(lines: list[str]) -> list[str]:
    """The same with the section "Attributes" as a directive for each, which can be linked."""
    made: list[str] = []
    names: list[str] = []
    within = False
    for number, line in enumerate(lines):
        if line == "Attributes" or (lines[number - 1] == "Attributes" and re.fullmatch(r"-{3,}", line)):
            within = True
        elif within and number + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[number + 1]):
            within = False
            made += ["", line]
        elif not within:
            made.append(line)
        elif line and not line.startswith(" "):
            told, _, kind = line.partition(" : ")
            names = re.split(r",\s*", told)
            text = [f"   ({kind})" if kind else ""]
            text += itertools.takewhile(lambda line: line.startswith("    "), lines[number + 1 :])
            for name in names:
                made += ["", f".. attribute:: {name}", "", text[0], *(f"   {more.strip()}" for more in text[1:])]
    return made


def _continues(lines: list[str], blank: int) -> bool:
    """Whether a formula goes on after a blank line."""
    return blank + 1 < len(lines) and lines[blank + 1].startswith("    ")


def _owner(what: str, name: str) -> str:
    """The full name of the class that a docstring belongs to."""
    return name if what in ("class", "exception") else name.rpartition(".")[0] if what in _MEMBERS else ""


_MEMBERS = ("method", "attribute", "property")


def on_docstring(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Sphinx hands over each docstring here."""
    if what == "class":
        DESCRIBED[:] = attributes(lines)
    lines[:] = as_restructured(lines, _owner(what, name))
    if what in ("property", "attribute") and lines:
        lines.insert(0, "\\ ")  # or NumPy's rule takes what stands before a colon for a type


DESCRIBED: list[str] = []
"""The attributes that the docstring of the class at hand describes."""


def attributes(lines: Sequence[str]) -> list[str]:
    """The names in the section "Attributes" of a docstring."""
    text = "\n".join(lines)
    section = re.search(r"^Attributes\n-+\n((?:\S.*\n?|    .*\n?)*)", text, re.MULTILINE)
    heads = re.findall(r"^(\S.*?)(?: :.*)?$", section[1], re.MULTILINE) if section else []
    return [name for head in heads for name in re.split(r",\s*", head)]


def on_signature(
    app: object, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """Leave out signatures that nobody calls."""
    last = name.rpartition(".")[2]
    return ("", None) if signature and (last in MADE_BY_VERBS or last.endswith("Result")) else None


def on_member(app: object, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out plumbing, constants that say nothing, and what the docstring of the class describes."""
    if name in ("__call__", "__getitem__", "__iter__", "__len__", "__truediv__"):
        return not obj.__doc__ or None
    described = inspect.isroutine(obj) or isinstance(obj, (property, cached_property, type))
    if what == "module":
        return hidden(name) or None
    return hidden(name) or not described or name in DESCRIBED or None


def on_doctree(app, doctree) -> None:  # type: ignore[no-untyped-def]
    """Link inherited members to their source, which viewcode looks for in the class that inherits."""
    from sphinx import addnodes
    from sphinx.ext.viewcode import viewcode_anchor
    from sphinx.pycode import ModuleAnalyzer

    known = app.env._viewcode_modules
    for sign in doctree.findall(addnodes.desc_signature):
        owner, _, member = (sign.get("fullname") or "").rpartition(".")
        if not member:
            continue
        thing = resolved(f"{sign['module']}.{owner or member}")
        home = (
            next((base for base in getattr(thing, "__mro__", ()) if member in vars(base)), object) if owner else thing
        )
        module = getattr(home, "__module__", "")
        tag = f"{home.__qualname__}.{member}" if owner else member
        if not module.startswith("gradvar."):
            continue
        if not any(sign.findall(viewcode_anchor)):
            analyzer = ModuleAnalyzer.for_module(module)
            analyzer.find_tags()
            if tag not in analyzer.tags:
                continue
            entry = known.get(module) or (analyzer.code, analyzer.tags, {}, "gradvar")
            known[module] = entry
            entry[2][tag] = app.env.docname
            page = "_modules/" + module.replace(".", "/")
            sign += viewcode_anchor(reftarget=page, refid=tag, refdoc=app.env.docname)
        back = f"{known[module][3]}.{tag}"  # where the source says that its documentation is
        if back not in sign["ids"]:
            sign["ids"].append(back)


def setup(app) -> Mapping[str, bool]:  # type: ignore[no-untyped-def]
    """Register the hooks; that on docstrings comes before the one that knows NumPy's sections."""
    app.connect("autodoc-process-docstring", on_docstring, priority=100)
    app.connect("autodoc-process-signature", on_signature)
    app.connect("autodoc-skip-member", on_member)
    app.connect("doctree-read", on_doctree, priority=600)
    return {"parallel_read_safe": True}
