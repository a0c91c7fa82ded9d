"""check_theorem1: every assumption and the conclusion, each with an object that violates it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from plain_objects import PlainLoss, PlainNeuron, PlainParities, TenLineParities

import gradvar as gv
from gradvar.testing import check_theorem1, strategies, theorem1_checks

W = np.array([0.5, -1.0, 2.0, 1.0])
MODEL = PlainNeuron(W)


@pytest.mark.parametrize("loss", ["square", "correlation", "hinge", "logistic", "perceptron", PlainLoss()])
@pytest.mark.parametrize(
    "H", [gv.Parities(4), gv.SparseParities(4, 2), PlainParities(4)], ids=lambda H: type(H).__name__
)
def test_it_holds_for_parities(H, loss):
    report = check_theorem1(H, MODEL, loss)
    report.raise_if_failed()
    assert {r.name: r.status for r in report}["conclusion"] == "passed"


@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_it_is_not_refuted_where_no_method_is_exact(loss):
    # the interval of the ten-line class may straddle the bound, which is nearly tight
    check_theorem1(TenLineParities(4), MODEL, loss).raise_if_failed()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(problem=strategies.problems(strategies.orthonormal_sets()))
def test_it_holds_for_every_orthonormal_set(problem):
    report = check_theorem1(*problem)
    report.raise_if_failed()
    assert {r.name: r.status for r in report}["conclusion"] == "passed"


def lying(values, **members):
    """A finite class that claims to be orthonormal whatever its values."""
    claims = {"is_orthonormal": True, "orthonormality": ("proved", "so it says"), **members}
    kind = type("Lying", (PlainTable,), claims)
    return kind(values)


class PlainTable:
    """A table of functions on the cube of dimension 4, as a plain object."""

    labels = "signs"

    def __init__(self, values):
        self.table = np.asarray(values, dtype=float)
        self.inputs, self.log2_size = gv.Hypercube(4), math.log2(len(self.table))

    def sample(self, m, rng):
        return rng.integers(0, len(self.table), size=m)

    def evaluate(self, members, x):
        return self.table[members][:, ((x < 0) @ (1 << np.arange(4))).astype(int)]

    def members(self):
        return np.arange(len(self.table))

    def project(self, f):
        return self.table @ f / 16


LINEAR = np.array([gv.Hypercube(4).points(0, 16)[:, i] for i in range(4)])

DEFECTS = {
    "problem": (lambda: (gv.Parities(3), MODEL, "square"), {"gradient-norm"}),
    "problem: labels": (lambda: (gv.LinearPeriodic(4, 1.0), MODEL, "hinge"), {"finite-class", "orthonormal"}),
    "finite-class": (lambda: (gv.LinearPeriodic(4, 1.0), MODEL, "square"), {"orthonormal"}),
    # x_1 and -x_1: Theorem 1 would have half of G^2, and the variance is all of it
    "orthonormal": (lambda: (lying([LINEAR[0], -LINEAR[0]]), gv.Linear([1.0, 0, 0, 0]), "square"), {"conclusion"}),
    "orthonormal: norm": (lambda: (lying(2 * LINEAR, labels="real"), gv.Linear(W), "square"), {"conclusion"}),
    "labels": (lambda: (lying(0.5 * LINEAR), MODEL, "hinge"), {"conclusion"}),
    "lipschitz": (lambda: (gv.Parities(4), MODEL, gv.MarginLoss(lambda m: -np.exp(-m), math.inf)), set()),
    "lipschitz: exceeded": (
        lambda: (gv.Parities(4), MODEL, type("Steep", (PlainLoss,), {"lipschitz": 0.1})()), {"conclusion"}),
    "affine": (
        lambda: (gv.Parities(4), MODEL, type("Twice", (PlainLoss,), {
            "derivative": lambda self, m: -2 / (1 + np.exp(m)), "split": lambda self, p: PlainLoss().split(p)})()),
        set()),
    "gradient-value": (
        lambda: (gv.Parities(4), type("Steep", (PlainNeuron,), {
            "gradient": lambda self, x: 1.1 * PlainNeuron.gradient(self, x)})(W), "square"), set()),
    "gradient-norm": (
        lambda: (gv.Parities(4), type("Infinite", (PlainNeuron,), {
            "gradient": lambda self, x: x * np.inf, "tangent_factors": None})(W), "square"), {"conclusion"}),
    "conclusion": (lambda: (lying([*np.eye(16)[:3] * 0, 20 * LINEAR[0]], labels="real"), gv.Linear(W), "square"),
                   {"orthonormal"}),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_a_violated_assumption_is_named(name: str):
    build, consequences = DEFECTS[name]
    with np.errstate(all="ignore"):
        report = check_theorem1(*build())
    failed = {result.name for result in report.failures}
    check = name.split(":")[0]
    assert check in failed, report
    assert failed <= {check, *consequences}, report


def test_every_check_has_a_planted_defect():
    checks = {str(check) for check in theorem1_checks(gv.Parities(4), MODEL)}
    assert {name.split(":")[0] for name in DEFECTS} == checks


def test_a_class_that_lies_about_orthonormality_is_found_out_by_assumption_and_conclusion():
    report = check_theorem1(lying([LINEAR[0], -LINEAR[0]]), gv.Linear([1.0, 0, 0, 0]))
    messages = {r.name: r.message for r in report.failures}
    assert "not orthogonal: E h h' is -1" in messages["orthonormal"]
    # Var = E_h ||E[h x]||^2 = 1, G^2 = 4, |H| = 2: below the bound for this model, above for one weight alone
    assert set(messages) >= {"orthonormal"}


def test_the_conclusion_fails_where_the_bound_is_violated():
    H = gv.FiniteClass(20 * LINEAR[:1] * np.array([[1], [-1]]), gv.Hypercube(4).points(0, 16))
    report = check_theorem1(H, gv.Linear([1.0, 0, 0, 0]))
    messages = {r.name: r.message for r in report.failures}
    assert set(messages) == {"orthonormal", "conclusion"}
    # Var = 400, G^2 = 4
    assert messages["conclusion"].startswith("Var = 400 (enumeration, exact), G^2/|H| = 2: the bound is violated.")


def test_an_interval_that_straddles_the_bound_is_inconclusive():
    # 2^15 inputs are too many for the sum over their pairs, which is exact
    report = check_theorem1(TenLineParities(15), gv.Linear(np.ones(15)))
    result = {r.name: r for r in report}["conclusion"]
    assert result.status == "not applicable"
    assert report.passed
