"""check_theorem1: a wrong part of any kind is named, and a class whose members have several descriptions is right."""

from __future__ import annotations

import numpy as np
import pytest
from plain_objects import PlainLoss, PlainNeuron, TenLineParities
from test_planted_classes import Pairs, Unordered, made, sized

from gradvar.testing import check_theorem1

NEURON = PlainNeuron([0.5, -1.0, 2.0, 1.0])
WRONG_GRADIENT = type("Wrong", (PlainNeuron,), {"gradient": lambda self, x: 1.01 * PlainNeuron.gradient(self, x)})

THEOREMS = {
    "orthonormal: every function twice": lambda: (made(
        TenLineParities, 4, is_orthonormal=True, covariance=None,
        evaluate=lambda self, m, x: np.where(m[:, None, 1:], x[:, 1:], 1.0).prod(axis=2)), NEURON, "square"),
    "finite-class: a size that is claimed": lambda: (sized(20.0, dim=4), NEURON, "square"),
    "finite-class: smaller than what is drawn": lambda: (sized(2.0, dim=4), NEURON, "square"),
    "affine: another value": lambda: (TenLineParities(4), NEURON, made(
        PlainLoss, derivative=None, split=lambda self, p: PlainLoss().split(p), value=lambda self, p, y: (p - y) ** 2)),
    "lipschitz: understated": lambda: (TenLineParities(4), NEURON, made(PlainLoss, lipschitz=0.4)),
    "gradient-value": lambda: (TenLineParities(4), WRONG_GRADIENT([0.5, -1.0, 2.0, 1.0]), "square"),
}  # fmt: skip


@pytest.mark.parametrize("name", THEOREMS)
def test_a_wrong_part_is_named_by_the_checks_of_theorem_1(name: str):
    report = check_theorem1(*THEOREMS[name]())
    assert name.split(":")[0] in {result.name for result in report.failures}, report


@pytest.mark.parametrize("H", [Unordered(4), Pairs(4), Unordered(12)], ids=["drawn", "listed", "large"])
def test_a_class_with_several_descriptions_of_a_member_is_orthonormal(H):
    model = PlainNeuron(np.linspace(-1, 1, H.inputs.dim))
    check_theorem1(H, model).raise_if_failed()
    assert {r.name: r.status for r in check_theorem1(H, model)}["orthonormal"] == "passed"
