"""The first call compiles each kernel once: for one type of its arguments, and nothing that is not arithmetic."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.large
def test_each_kernel_is_compiled_for_one_signature_and_no_text_is(tmp_path):
    script = Path(__file__).with_name("compiled_once.py")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert {name for name, count in found["counts"].items() if count != 1} == set()
    assert found["unreached"] == []
    # The other direction: after one call others are still missing, and named.
    assert {"doubled_polynomials.sums", "sign_products._tabulate"} <= set(found["unreached before"])
    assert [name for name, count in found["afterwards"].items() if count != 1] == ["pair_sums.multiply_into"]
    # Numba compiles the message of an assignment of arrays, with the formatting of numbers, for seconds.
    assert [name for name in found["compiled"] if "unicode" in name] == []
