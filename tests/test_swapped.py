"""Mistakes of the whole call: swapped arguments, a plot without matplotlib."""

import sys

import pytest

import gradvar as gv

H, MODEL = gv.Parities(4), gv.Linear([1.0] * 4)


@pytest.mark.parametrize("verb", [gv.bound_check, gv.gradient_variance, gv.Problem], ids=lambda verb: verb.__name__)
def test_swapped_class_and_model_are_recognised(verb):
    verb(H, MODEL)
    with pytest.raises(TypeError, match="`H` and `model` are swapped"):
        verb(MODEL, H)


@pytest.mark.parametrize("second", [MODEL, [MODEL], enumerate([MODEL])], ids=["a model", "models", "pairs"])
def test_swapped_class_and_snapshots_are_recognised(second):
    with pytest.raises(TypeError, match="`H` and `snapshots` are swapped"):
        gv.along(second, H)
    with pytest.raises(TypeError, match="`H` must be a hypothesis class"):
        gv.along(second, [MODEL])


def test_swapped_run_and_class_are_recognised():
    run = gv.descend(H.member(0), MODEL, steps=1, learning_rate=0.1)
    assert gv.along(H, run).steps == [0, 1]
    with pytest.raises(TypeError, match="`H` and `snapshots` are swapped"):
        gv.along(run, H)


@pytest.mark.parametrize("target", [H, H.member(0)], ids=["a class", "a member"])
def test_swapped_target_and_model_are_recognised(target):
    with pytest.raises(TypeError, match="`target` and `model` are swapped"):
        gv.descend(MODEL, target, steps=1, learning_rate=0.1)


def test_a_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"gradient-variance\[plot\]"):
        gv.bound_check(H, MODEL).plot()
