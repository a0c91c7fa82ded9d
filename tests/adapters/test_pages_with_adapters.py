"""The pages whose examples import PyTorch or JAX run as they stand."""

from pathlib import Path

import pytest
from pages import PAGES, TEXTS, blocks, run_page

SHOWN = [(name, block) for name, text in TEXTS.items() for block in blocks(text) if block.is_run_here]
NEEDED = sorted({name for name, block in SHOWN if block.needs_adapters})


@pytest.mark.parametrize("name", NEEDED)
def test_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    run_page(PAGES[name], with_adapters=True)


def test_readme_is_among_them():
    assert "README.md" in NEEDED
