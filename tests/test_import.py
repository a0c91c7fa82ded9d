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


def test_networks_by_hand_need_no_import_of_their_own():
    assert run("import gradvar as gv; print(gv.models.constructions.sawtooth(1))").strip() == "MLP(1-2-1-1, relu)"


@pytest.mark.parametrize("shown", [False, True])
def test_a_notebook_without_widgets_is_not_warned_of_them(shown: bool):
    # what tqdm looks at: a kernel, and no ipywidgets
    code = (
        "import sys, types; sys.stderr, sys.modules['ipywidgets'] = sys.stdout, None\n"
        "kernel = types.SimpleNamespace(config={'IPKernelApp': {}})\n"
        "sys.modules['IPython'] = types.SimpleNamespace(get_ipython=lambda: kernel)\n"
        "sys.modules['ipykernel.zmqshell'] = None\n"
        "import gradvar as gv\n"
        f"gv.along(gv.Parities(3), [gv.Linear([1.0] * 3)], progress={shown})"
    )
    printed = run(code)
    assert ("checkpoint" in printed) is shown
    assert "Warning" not in printed
