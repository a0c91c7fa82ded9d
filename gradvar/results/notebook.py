"""Results in notebooks: HTML in the colours and fonts of the page around it, light or dark, no wider than that."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

Cells = Sequence[Sequence[str]]


def as_table(rows: Cells) -> str:
    """Return rows of cells as a table, which scrolls where it is too large; the first row has the names."""
    head, *body = rows
    lines = [_row(head, "th"), *(_row(row, "td") for row in body)]
    return (
        "<div style='overflow:auto;max-width:100%;max-height:40em'><table>"
        f"<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table></div>"
    )


def as_page(title: str, *tables: Cells, notes: Iterable[str] = ()) -> str:
    """Return a title, tables and notes."""
    said = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    shown = "".join(map(as_table, tables))
    return f"<div><strong>{html.escape(title)}</strong>{shown}{f'<ul>{said}</ul>' if said else ''}</div>"


def _row(cells: Sequence[str], tag: str) -> str:
    begin, end = f"<{tag} style='text-align:left;vertical-align:top;max-width:36em'>", f"</{tag}>"
    return f"<tr>{''.join(f'{begin}{html.escape(cell)}{end}' for cell in cells)}</tr>"
