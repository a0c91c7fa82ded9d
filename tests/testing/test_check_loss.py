"""check_loss: the library's losses pass; for every check one planted defect that it catches, and no other does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from plain_objects import PlainLoss

import gradvar as gv
from gradvar.testing import check_loss, loss_checks

VALUES = {
    "square": lambda p, y: (p - y) ** 2 / 2,
    "correlation": lambda p, y: -p * y,
    "hinge": lambda p, y: np.maximum(0, 1 - p * y),
    "logistic": lambda p, y: np.logaddexp(0, -p * y),
    "perceptron": lambda p, y: np.maximum(0, -p * y),
}


@pytest.mark.parametrize("name", VALUES)
def test_losses_pass(name: str):
    report = check_loss(name, value=VALUES[name])
    report.raise_if_failed()
    assert {r.name for r in report.not_applicable} <= {"constant", "split-of-derivative"}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("other", VALUES)
def test_the_value_of_another_loss_is_noticed(name: str, other: str):
    failed = {r.name for r in check_loss(name, value=VALUES[other]).failures}
    assert failed == (set() if name == other else {"split-of-value"})


def test_margin_losses_pass():
    check_loss(gv.MarginLoss(lambda m: -np.exp(-m), math.inf)).raise_if_failed()
    report = check_loss(gv.MarginLoss(lambda m: 2 * np.cos(m), 2.0), value=lambda p, y: 2 * np.sin(p * y))
    report.raise_if_failed()
    assert {r.name: r.status for r in report}["split-of-derivative"] == "passed"


def test_a_margin_loss_with_too_small_a_constant():
    report = check_loss(gv.MarginLoss(lambda m: 2 * np.cos(m), 1.0))
    assert "`lipschitz` = 1 is not a bound" in report.failures[0].message


def test_a_plain_loss_works_everywhere():
    loss = PlainLoss()
    report = check_loss(loss, value=loss.value)
    report.raise_if_failed()
    assert not report.not_applicable
    H, model = gv.Parities(4), gv.MLP.random([4, 3, 1], rng=0)
    expected = gv.gradient_variance(H, model, "logistic").value
    assert gv.gradient_variance(H, model, loss).value == pytest.approx(expected, rel=1e-13)
    assert gv.bound_check(H, model, loss).verdict == "holds"


def swapped(self, p):
    a, b = PlainLoss.split(self, p)
    return b, a


def mutating(self, p):
    pair = PlainLoss.split(self, p)
    p += 1
    return pair


DEFECTS = {
    "labels": ({"labels": "bits"}, {"split-of-value"}),
    "labels: evidence": ({"evidence": "proved"}, set()),
    "labels: name": ({"name": 3}, set()),
    "labels: lipschitz": ({"lipschitz": -1.0}, {"lipschitz"}),
    "split": ({"split": lambda self, p: PlainLoss.split(self, p)[1]}, set()),
    "split: shape": ({"split": lambda self, p: (0.0, -0.5)}, set()),
    "split: mutates": ({"split": mutating}, set()),
    "split: batch": ({"split": lambda self, p: (PlainLoss.split(self, p)[0] / max(len(p), 1), -0.5 + 0 * p)}, set()),
    "split: raises": ({"split": lambda self, p: p[[10**6]]}, set()),
    "lipschitz": ({"lipschitz": 0.4}, set()),
    "constant": ({"constant": -1.0}, set()),
    "split-of-derivative": ({"derivative": lambda self, m: -2 / (1 + np.exp(m))}, {"split-of-value"}),
    "split-of-derivative: the first version's appendix": (
        {"split": swapped, "constant": None}, {"split-of-value"}),
    "split-of-value": ({"value": lambda self, p, y: 2 * np.logaddexp(0, -y * p)}, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_caught_by_its_check_alone(name: str):
    members, consequences = DEFECTS[name]
    if name == "split-of-derivative":  # split must not follow the wrong derivative
        members = {**members, "split": lambda self, p: PlainLoss.split(PlainLoss(), p)}
    loss = type("Defective", (PlainLoss,), members)()
    report = check_loss(loss, value=loss.value)
    failed = {result.name for result in report.failures}
    check = name.split(":")[0]
    assert check in failed, report
    assert failed <= {check, *consequences}, report


def test_every_check_has_a_planted_defect():
    assert {name.split(":")[0] for name in DEFECTS} == {str(check) for check in loss_checks("square")}


def test_an_object_that_is_no_loss_gets_a_report():
    failed = {r.name for r in check_loss(object()).failures}
    assert {"labels", "split"} <= failed
    with pytest.raises(ValueError, match="`loss` must be one of"):
        check_loss("squared")
    with pytest.raises(TypeError, match="`value` must be a function"):
        check_loss("square", value=3)
