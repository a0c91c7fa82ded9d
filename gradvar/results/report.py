"""The report of a bound check, as text for `print` and as HTML for notebooks."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Iterator

from ..core.numbers import format_log2, format_number
from .estimate import Estimate
from .findings import Bound, Findings

_WIDTH = 100
_TASKS = "  over tasks h with inputs of their own: F_h(w) = E_{(x,y) ~ D_h} loss(p_w(x), y)"
TITLES = {
    "theorem-1": "Theorem 1",
    "operator-norm": "operator norm, centred",
    "operator-norm-uncentred": "operator norm, uncentred",
    "gershgorin": "Gershgorin",
    "boas-bellman": "Boas-Bellman",
    "cross-predictability": "cross-predictability",
    "theorem-2": "Theorem 2, explicit",
    "second-moment": "second moment",
}


def as_text(check: Findings) -> str:
    """The report as text."""
    problem = check.problem
    lines = [
        f"Gradient variance over {problem['class']}",
        "  Var(H, F, w) = E_h ||grad F_h(w) - E_h' grad F_h'(w)||^2: how much a gradient knows of which h",
        *([] if check.example_norm_sq is None else [_TASKS]),
        "",
        *(f"  {key:<8}  {problem[key]}" for key in ("class", "inputs", "model", "loss")),
        "",
        *_numbers(check),
        "",
        f"  {'Upper bounds on Var':<26}  {'value':>12}  {'Var/bound':>10}",
        *(line for bound in check.bounds.values() if _is_shown(bound) for line in _bound_lines(check, bound)),
        *_unknown_lines(check),
        "",
        "  Assumptions of Theorem 1",
        *(
            line
            for a in check.assumptions
            for line in _wrapped(f"{a.name}: {a.evidence}", f"    {a.status:<10}", " " * 14)
        ),
        "",
        *_wrapped(check.reason, f"  Verdict: {check.verdict.upper()}. ", "    "),
    ]
    if check.consequences:
        lines += ["", "  What it means for an optimiser"]
        lines += [line for c in check.consequences for line in _wrapped(c.statement, "  - ", "    ")]
    return "\n".join(lines)


def as_html(check: Findings) -> str:
    """The report as HTML."""

    def cell(text: str, tag: str = "td") -> str:
        return f"<{tag} style='text-align:left'>{html.escape(text)}</{tag}>"

    def row(*texts: str, tag: str = "td") -> str:
        return "<tr>" + "".join(cell(text, tag) for text in texts) + "</tr>"

    parts = [row(key, text, "") for key, text in check.problem.items()]
    parts.append(row("quantity", "value", "how it is known", tag="th"))
    parts += [row(name, _value(estimate), _known(estimate)) for name, estimate in _quantities(check)]
    parts.append(row("upper bound on Var", "value", "Var/bound", tag="th"))
    for bound in check.bounds.values():
        mark = " (this verdict's)" if bound.name == check.bound_name else ""
        parts.append(
            row(
                f"{TITLES[bound.name]}: {bound.formula}{mark}",
                _bound_value(bound),
                _compared(check, bound),
            )
        )
    parts.append(row("assumption of Theorem 1", "status", "evidence", tag="th"))
    parts += [row(a.name, a.status, a.evidence) for a in check.assumptions]
    consequences = "".join(f"<li>{html.escape(c.statement)}</li>" for c in check.consequences)
    return (
        f"<div><strong>Gradient variance over {html.escape(check.problem['class'])}</strong>"
        f"<table>{''.join(parts)}</table>"
        f"<p><strong>Verdict: {html.escape(check.verdict)}.</strong> {html.escape(check.reason)}</p>"
        f"<ul>{consequences}</ul></div>"
    )


def _quantities(check: Findings) -> Iterator[tuple[str, Estimate]]:
    yield "Var, over the class", check.variance
    yield "G^2 = E||dp/dw||^2", check.gradient_norm_sq
    if check.example_norm_sq is None:
        yield "E||s||^2, s = b(p) dp/dw", check.signal_norm_sq
    else:
        yield "E||u||^2, u = dloss/dw", check.example_norm_sq


def _numbers(check: Findings) -> list[str]:
    lines = [f"  {'':<26}  {'value':>12}  how it is known"]
    for name, estimate in _quantities(check):
        lines += _wrapped(_known(estimate), f"  {name:<26}  {_value(estimate):>12}  ", " " * 44)
    return lines


def _value(estimate: Estimate) -> str:
    return format_number(estimate.mantissa, estimate.exponent) if estimate.resolved else "unresolved"


def _known(estimate: Estimate) -> str:
    if (estimate.exact and estimate.is_tight) or not estimate.resolved:
        return estimate.guarantee
    return f"{estimate.spread}; {estimate.guarantee}"


def _bound_lines(check: Findings, bound: Bound) -> list[str]:
    mark = "*" if bound.name == check.bound_name else " "
    head = f"{mark} {TITLES[bound.name]:<26}  {_bound_value(bound):>12}  {_compared(check, bound):>10}  "
    note = bound.formula if bound.applicable else f"{bound.formula}; NOT APPLICABLE, see the assumptions"
    return _wrapped(note, head, " " * 56)


def _bound_value(bound: Bound) -> str:
    return "-" if math.isnan(bound.log2) else format_log2(bound.log2)


def _is_shown(bound: Bound) -> bool:
    return bound.name == "theorem-1" or not math.isnan(bound.log2)


def _unknown_lines(check: Findings) -> list[str]:
    unknown = [bound for bound in check.bounds.values() if not _is_shown(bound)]
    if not unknown:
        return []
    return _wrapped(f"{'; '.join(TITLES[b.name] for b in unknown)}: {unknown[0].reason}", "  not known: ", "    ")


def _compared(check: Findings, bound: Bound) -> str:
    variance = check.variance
    if math.isnan(bound.log2):
        return "-"
    if not variance.resolved:
        return "unresolved"
    if variance.mantissa <= 0 or not math.isfinite(bound.log2):
        return "0" if variance.mantissa == 0 and bound.log2 != -math.inf else "-"
    return format_log2(variance.log2 - bound.log2)


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
