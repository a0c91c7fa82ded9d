"""Without PyTorch and JAX, gradvar imports, and says what is missing where it is needed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("from_torch(None)", "`from_torch` needs PyTorch: install torch (the extra gradient-variance[torch])"),
        ("from_jax(None, None)", "`from_jax` needs JAX: install jax (the extra gradient-variance[jax])"),
    ],
)
def test_a_missing_package_is_named(call: str, message: str):
    code = (
        "import sys; sys.modules.update(torch=None, jax=None)\n"
        "import gradvar as gv\n"
        f"try: gv.{call}\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == message, done.stderr
