"""The page that explains the first report quotes it whole, and as it is."""

from __future__ import annotations

import re
from pathlib import Path

import gradvar as gv

PAGE = (Path(gv.__file__).parents[1] / "docs" / "start" / "index.md").read_text(encoding="utf-8")


def quoted(page: str) -> list[str]:
    """The lines of the report that the section on the first report explains, in their order."""
    section = re.search(r"^## The first report$(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    assert section is not None
    return [
        line for block in re.findall(r"^```text\n(.*?)^```", section[1], re.M | re.S) for line in block.splitlines()
    ]


def report() -> list[str]:
    check = gv.bound_check(gv.Parities(20), gv.MLP.random([20, 64, 1], activation="tanh", rng=0))
    return [line for line in str(check).splitlines() if line]


def test_each_line_of_the_first_report_is_quoted_and_explained() -> None:
    assert quoted(PAGE) == report()


def test_a_line_that_is_left_out_or_changed_is_found() -> None:
    assert quoted(PAGE.replace("  loss     square, 1/2 (p - y)^2\n", "")) != report()
    assert quoted(PAGE.replace("36.5079", "36.5078")) != report()


def test_what_is_said_of_forty_bits_is_so() -> None:
    check = gv.bound_check(gv.Parities(40), gv.MLP.random([40, 64, 1], activation="tanh", rng=0))
    steps = next(c for c in check.consequences if c.name == "oracle-steps")
    assert 1e7 < 2**steps.log2 < 1.2e7
