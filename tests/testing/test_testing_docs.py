"""The page docs/howto/property-test.md shows a planted defect for every check; test_pages.py runs it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import gradvar as gv
from gradvar.testing import hypothesis_class_checks, loss_checks, model_checks, theorem1_checks

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "property-test.md").read_text()
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL))


def test_every_check_is_shown_on_a_planted_defect():
    shown = set(re.findall(r'show\(check_(\w+)\(.*"([a-z0-9-]+)"\)', CODE))
    linear = gv.Linear(np.ones(2))
    assert shown == {
        (kind, str(check))
        for kind, checks in {
            "hypothesis_class": hypothesis_class_checks(gv.Parities(2)),
            "model": model_checks(linear),
            "loss": loss_checks("square"),
            "theorem1": theorem1_checks(gv.Parities(2), linear),
        }.items()
        for check in checks
    }
