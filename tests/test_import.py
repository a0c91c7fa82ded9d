"""Importing gradvar is light: a fresh interpreter loads nothing heavy until it is needed."""

import json
import subprocess
import sys

import pytest

import gradvar

HEAVY = ("numba", "scipy.stats", "matplotlib", "torch", "jax", "tqdm", "hypothesis", "dask")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_nothing_heavy():
    loaded = set(json.loads(run("import gradvar, sys, json; print(json.dumps(sorted(sys.modules)))")))
    assert "gradvar" in loaded
    assert not loaded & set(HEAVY)
    assert not any(name.startswith("gradvar.kernels") for name in loaded)


def test_using_every_public_name_loads_neither_matplotlib_nor_scipy_stats():
    code = "import gradvar as gv, sys, json; [getattr(gv, n) for n in dir(gv)]; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run(code)))
    assert not loaded & {"matplotlib", "scipy.stats", "torch", "jax"}


def test_every_public_name_is_there_and_documented():
    for name in dir(gradvar):
        assert getattr(gradvar, name).__doc__, name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="bound_chek"):
        gradvar.bound_chek  # noqa: B018


def test_a_closed_form_needs_no_compiled_code():
    code = (
        "import gradvar as gv, sys; gv.bound_check(gv.Parities(6), gv.Linear([1.0] * 6)); print('numba' in sys.modules)"
    )
    assert run(code).strip() == "False"
