"""The README's example with PyTorch runs."""

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_example_runs_and_holds(capsys):
    (code,) = re.findall(r"```py\n(.*?)```", README, flags=re.DOTALL)
    exec("import gradvar as gv\n" + code, {})
    assert "Verdict: HOLDS" in capsys.readouterr().out
