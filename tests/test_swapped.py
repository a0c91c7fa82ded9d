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


def test_a_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"gradient-variance\[plot\]"):
        gv.bound_check(H, MODEL).plot()
