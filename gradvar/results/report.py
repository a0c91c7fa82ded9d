"""The report of a bound check, as text for `print` and as HTML for notebooks."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Iterator

from ..core.numbers import format_log2, format_number
from .estimate import Estimate
from .findings import Bound, Findings
from .notebook import as_table

_WIDTH, _NARROW = 100, 88
_VARIANCE = "E_h ||grad F_h(w) - E_h' grad F_h'(w)||^2"
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
    """Return the report as text: the value, the verdict and what it means, then what they rest on."""
    parts = [f"  {key:<7}  {check.problem[key]}" for key in ("inputs", "model", "loss")]
    shown = [c for c in check.consequences if c.name != "oracle-steps-cube-root"]
    return "\n".join(
        [
            f"Gradient variance over {check.problem['class']}",
            *_wrapped(f"Var = {_VARIANCE} {_known(check.variance)}", "  ", " " * 8, _NARROW),
            *([] if check.example_norm_sq is None else [_TASKS]),
            *_wrapped(check.reason, f"  Verdict: {check.verdict.upper()}. ", " " * 4, _NARROW),
            *(line for c in shown for line in _wrapped(c.statement, "  - ", "    ", _NARROW)),
            "",
            *parts,
            *_wrapped(check.variance.guarantee, "  method   ", " " * 11, _NARROW),
            *([f"  seed     {check.seed}: rng={check.seed} gives the same bits"] if _is_sampled(check) else []),
            "",
            *_grouped_bounds(check),
            *_norms(check),
            *_statuses(check),
        ]
    )


def _known(estimate: Estimate) -> str:
    if not estimate.resolved:
        return f"is not resolved: {estimate.spread}" if estimate.spread != "unresolved" else "is not resolved"
    return f"= {format_number(estimate.mantissa, estimate.exponent)}, {estimate.spread}"


def _grouped_bounds(check: Findings) -> Iterator[str]:
    """Yield a line for the bounds that have one value, the one that the verdict is about first."""
    yield f"  {'bound':>12}  {'Var/bound':>11}  upper bounds on Var"
    groups: dict[tuple[str, str], list[Bound]] = {}
    for bound, value, ratio in _bounds(check):
        if bound.applicable and not math.isnan(bound.log2):
            groups.setdefault((value, ratio), []).append(bound)
    for (value, ratio), group in groups.items():
        mark = "*" if check.bound_name in [bound.name for bound in group] else " "
        names = "; ".join(TITLES[bound.name] for bound in group) + (
            f"; in {group[0].spread}" if group[0].spread else ""
        )
        yield from _wrapped(names, f"{mark} {value:>12}  {ratio:>11}  ", " " * 29, _NARROW)
    theorem = check.bounds["theorem-1"]
    if not theorem.applicable and not math.isnan(theorem.log2):
        value = f"{format_log2(theorem.log2)}, Var is {ratio_text(check.variance, theorem.log2)} of it"
        yield f"  Theorem 1 does not apply; {theorem.formula} = {value}"
    unknown = [TITLES[b.name] for b in check.bounds.values() if math.isnan(b.log2) and b.name != "theorem-1"]
    if unknown:
        yield from _wrapped(", ".join(unknown), "  not known: ", " " * 4, _NARROW)


def _norms(check: Findings) -> Iterator[str]:
    """Yield the two squared norms behind the bounds, on one line where they are equal, with their symbols."""
    (_, *norms) = _quantities(check)
    values = [value for _, value, _ in norms]
    spreads = [e.spread for e in (check.gradient_norm_sq, check.signal_norm_sq)]
    if values[0] == values[1] and spreads[0] == spreads[1]:
        text = f"G^2 = E||dp/dw||^2 = E||s||^2 = {values[0]}, {spreads[0]}; s = b dp/dw, dloss/dp = a + h b"
    else:
        second = spreads[1] if check.example_norm_sq is None else check.example_norm_sq.spread
        text = (
            f"G^2 = E||dp/dw||^2 = {values[0]}, {spreads[0]}; {norms[1][0].partition(',')[0]} = {values[1]}, {second}"
        )
        text += f", {norms[1][0].partition(', ')[2]}"
    yield from _wrapped(text, "  ", " " * 4, _NARROW)


def _statuses(check: Findings) -> Iterator[str]:
    """Yield the assumptions of Theorem 1 by how they are known."""
    by_status: dict[str, list[str]] = {}
    for assumption in check.assumptions:
        by_status.setdefault(assumption.status, []).append(assumption.name)
    text = "; ".join(f"{status}: {', '.join(names)}" for status, names in by_status.items())
    if text:
        yield from _wrapped(f"{text} (how: check.explain())", "  assumptions of Theorem 1  ", " " * 4, _NARROW)


def explained(check: Findings) -> str:
    """Return the long report as text: how each number and each assumption is known, every bound with its formula."""
    problem = check.problem
    lines = [
        f"Gradient variance over {problem['class']}",
        "  Var(H, F, w) = E_h ||grad F_h(w) - E_h' grad F_h'(w)||^2: how much a gradient knows of which h",
        *([] if check.example_norm_sq is None else [_TASKS]),
        "",
        *(f"  {key:<8}  {problem[key]}" for key in ("class", "inputs", "model", "loss")),
        "",
        f"  {'':<26}  {'value':>12}  how it is known",
    ]
    for name, value, evidence in _quantities(check):
        lines += _wrapped(evidence, f"  {name:<26}  {value:>12}  ", " " * 44)
    if _is_sampled(check):
        lines += ["", f"  {_same_bits(check)}"]
    lines += ["", f"  {'Upper bounds on Var':<26}  {'value':>12}  {'Var/bound':>10}"]
    unknown = [b for b in check.bounds.values() if math.isnan(b.log2) and b.name != "theorem-1"]
    for bound, value, ratio in _bounds(check):
        if bound not in unknown:
            mark = "*" if bound.name == check.bound_name else " "
            note = bound.formula if bound.applicable else f"{bound.formula}; NOT APPLICABLE, see the assumptions"
            note += f"; in {bound.spread}" if bound.spread else ""
            lines += _wrapped(note, f"{mark} {TITLES[bound.name]:<26}  {value:>12}  {ratio:>10}  ", " " * 56)
    if unknown:
        names = "; ".join(TITLES[bound.name] for bound in unknown)
        lines += _wrapped(f"{names}: {unknown[0].reason}", "  not known: ", "    ")
    lines += ["", "  Assumptions of Theorem 1"]
    for a in check.assumptions:
        lines += _wrapped(f"{a.name}: {a.evidence}", f"    {a.status:<10}", " " * 14)
    lines += ["", *_wrapped(check.reason, f"  Verdict: {check.verdict.upper()}. ", "    ")]
    if check.consequences:
        lines += ["", "  What it means for an optimiser"]
    for consequence in check.consequences:
        lines += _wrapped(consequence.statement, "  - ", "    ")
    return "\n".join(lines)


def as_html(check: Findings) -> str:
    """Return the report as HTML."""

    marks = {check.bound_name: " (this verdict's)"}
    tables = (
        [("quantity", "value", "how it is known"), *_quantities(check)],
        [("upper bound on Var", "value", "Var/bound")]
        + [
            (f"{TITLES[bound.name]}: {bound.formula}{marks.get(bound.name, '')} {bound.spread}", value, ratio)
            for bound, value, ratio in _bounds(check)
        ],
        [("assumption of Theorem 1", "status", "evidence")]
        + [(assumption.name, assumption.status, assumption.evidence) for assumption in check.assumptions],
    )
    consequences = "".join(f"<li>{html.escape(c.statement)}</li>" for c in check.consequences)
    parts = "<br>".join(html.escape(f"{key}: {check.problem[key]}") for key in ("inputs", "model", "loss"))
    variance = html.escape(f"Var = {_VARIANCE} {_known(check.variance)}")
    return (
        f"<div><strong>Gradient variance over {html.escape(check.problem['class'])}</strong>"
        f"<p>{variance}<br><strong>Verdict: {html.escape(check.verdict)}.</strong> {html.escape(check.reason)}</p>"
        f"<ul>{consequences}</ul><p>{parts}</p>{f'<p>{_same_bits(check)}</p>' if _is_sampled(check) else ''}"
        f"<details><summary>bounds, norms, assumptions</summary>{''.join(map(as_table, tables))}</details></div>"
    )


def _is_sampled(check: Findings) -> bool:
    """Whether anything of it, a norm in a bound and the look at an assumption included, may rest on a sample."""
    numbers = (check.variance, check.gradient_norm_sq, check.signal_norm_sq, check.example_norm_sq)
    return (
        any(number is not None and not number.exact for number in numbers)
        or any(not bound.exact and not math.isnan(bound.log2) for bound in check.bounds.values())
        or any(assumption.status == "estimated" for assumption in check.assumptions)
    )


def _same_bits(check: Findings) -> str:
    return f"rng={check.seed} gives the same bits."


def _quantities(check: Findings) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each quantity, its value and how it is known."""
    last = ("E||s||^2, s = b(p) dp/dw", check.signal_norm_sq)
    if check.example_norm_sq is not None:
        last = ("E||u||^2, u = dloss/dw", check.example_norm_sq)
    quantities = (("Var, over the class", check.variance), ("G^2 = E||dp/dw||^2", check.gradient_norm_sq), last)
    for name, estimate in quantities:
        value = format_number(estimate.mantissa, estimate.exponent) if estimate.resolved else "unresolved"
        plain = (estimate.exact and estimate.is_tight) or not estimate.resolved
        yield name, value, estimate.guarantee if plain else f"{estimate.spread}; {estimate.guarantee}"


def _bounds(check: Findings) -> Iterator[tuple[Bound, str, str]]:
    """Yield each bound, its value, and the variance over it."""
    for bound in check.bounds.values():
        value = "-" if math.isnan(bound.log2) else format_log2(bound.log2)
        yield bound, value, ratio_text(check.variance, bound.log2, 6)


def ratio_text(variance: Estimate, log2_bound: float, digits: int = 4) -> str:
    """The variance over a bound for a reader, also where one of them leaves the range of float64."""
    if math.isnan(log2_bound):
        return "-"
    if not variance.resolved:
        return "unresolved"
    if variance.mantissa <= 0 or not math.isfinite(log2_bound):
        return "0" if variance.mantissa == 0 and log2_bound != -math.inf else "-"
    return format_log2(variance.log2 - log2_bound, digits)


def _wrapped(text: str, first: str, rest: str, width: int = _WIDTH) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
