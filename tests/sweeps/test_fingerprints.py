"""Fingerprints of the library's classes, models and methods are those that an earlier state of it has written."""

import json
from pathlib import Path

import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments.sweep.fingerprints import differs, fingerprint, in_todays_words, model_fingerprint

BEFORE = json.loads((Path(__file__).parent / "fingerprints_of_0_1_0.json").read_text())

SIGNS = np.where(np.random.default_rng(0).random((5, 8)) < 0.5, 1.0, -1.0)
CUBE = np.array([[1.0 - 2.0 * (i >> j & 1) for j in range(3)] for i in range(8)])
CLASSES = {
    "Parities": gv.Parities(6),
    "SparseParities": gv.SparseParities(8, 3),
    "restricted": gv.SparseParities(8, 3).restrict([0, 2, 5]),
    "BiasedParities": gv.BiasedParities(6, 0.3),
    "LinearPeriodic": gv.LinearPeriodic(4, 2.0),
    "triangle": gv.LinearPeriodic(4, 2.0, wave="triangle"),
    "ModularMultiples": gv.ModularMultiples(7),
    "DiscreteLog": gv.DiscreteLog(7),
    "OrthogonalNetworks": gv.OrthogonalNetworks(6, 3),
    "RandomNetworks": gv.RandomNetworks(5, [3]),
    "FiniteClass": gv.FiniteClass(SIGNS, CUBE),
    "RandomNetworks, deep": gv.RandomNetworks(5, [3, 2], "tanh"),
    "PlantedParities": gv.PlantedParities(7, 3),
}
MODELS = {
    "Linear": gv.Linear(np.linspace(0.1, 1.0, 6)),
    "Cosine": gv.Cosine(np.linspace(0.1, 1.0, 6)),
    "MLP": gv.MLP.random([6, 4, 3, 1], "relu", rng=0),
    "Convolutional": gv.Convolutional.random(6, [2], 2, rng=0),
    "Recurrent": gv.Recurrent.random(6, 3, rng=0),
    "Attention": gv.Attention.random(6, 4, rng=0),
    "WeightTied": gv.WeightTied.random(6, 3, steps=2, rng=0),
    "ResidualMLP": gv.ResidualMLP.random(6, 3, blocks=1, rng=0),
    "InfiniteMLP": gv.InfiniteMLP(depth=2, activation="relu"),
}
METHODS = {
    "auto": "auto",
    "closed-form": "closed-form",
    "enumeration": "enumeration",
    "monte-carlo": "monte-carlo",
    "MonteCarlo": gv.MonteCarlo(variance_reduction=False, n_projections=None),
}


def of_class(H):
    return fingerprint(gv.NamedProblem("a", H, MODELS["Linear"]))["class"]


def of_model(model):
    return model_fingerprint(gv.Problem(CLASSES["Parities"], model, "square"))


def of_method(method):
    return fingerprint(gv.NamedProblem("a", CLASSES["Parities"], MODELS["Linear"], method=method))["settings"]


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name):
    assert not differs(BEFORE["classes"][name], of_class(CLASSES[name]))


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    assert not differs(BEFORE["models"][name], of_model(MODELS[name]))


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    assert not differs(in_todays_words(BEFORE["methods"][name]), of_method(METHODS[name]))


def test_what_differs_is_told_apart():
    for group, function, parts in (
        ("classes", of_class, CLASSES),
        ("models", of_model, MODELS),
    ):
        for name, part in parts.items():
            others = [before for other, before in BEFORE[group].items() if other != name]
            assert all(differs(before, function(part)) for before in others)
    assert differs(BEFORE["models"]["Linear"], of_model(gv.Linear(np.linspace(0.1, 1.001, 6))))


def test_samples_that_are_asked_for_are_told_from_the_default():
    def of(max_samples: int | None) -> object:
        problem = gv.NamedProblem("a", CLASSES["Parities"], MODELS["Linear"], max_samples=max_samples)
        return fingerprint(problem)["settings"]

    assert differs(of(None), of(2**16))
    assert differs(of(None), of(2**15))
    assert not differs(of(2**16), of(2**16))
