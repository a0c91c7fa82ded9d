"""All parities, Var = E||s||^2/2^d - ||s(1,...,1)||^2/4^d: against brute force and enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv


def closed_form(H, model, loss="square", **settings) -> gv.Estimate:
    estimate = gv.gradient_variance(H, model, loss, method="closed-form", **settings)
    assert estimate.method.startswith("closed-form")
    return estimate


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("model", ["linear", "cosine", "function", "mlp-0-tanh", "mlp-3-relu", "mlp-3x2-gelu"])
@pytest.mark.parametrize("loss", ["square", "correlation", "hinge", "logistic", "perceptron"])
def test_all_parities_against_brute_force_and_enumeration(dim: int, model: str, loss: str, slow_class, slow_model):
    classes, slow = slow_class("parities", dim), slow_model(model, dim)
    estimate = closed_form(classes.H, slow.model, loss)
    assert estimate.exact
    classes.assert_variance(estimate.value, slow, loss)
    enumerated = gv.gradient_variance(classes.H, slow.model, loss, method="enumeration").value
    classes.assert_variance(enumerated, slow, loss)


@pytest.mark.parametrize(
    ("dim", "published"),
    [
        (5, 0.1513671875),
        (10, 0.009756088256835938),
        pytest.param(20, 1.9073468138230965e-5, marks=pytest.mark.large),
    ],
)
def test_linear_model(dim: int, published: float):
    w = np.random.default_rng(dim).normal(size=dim)
    assert_allclose(closed_form(gv.Parities(dim), gv.Linear(w)).value, published, rtol=1e-12)


@pytest.mark.parametrize("dim", [40, 1000, 10_000])
def test_linear_model_at_dimensions_where_the_cube_does_not_fit(dim: int):
    # ||s||^2 = d at every x, so that sampling has no error: log2 Var = log2 d - d
    estimate = closed_form(gv.Parities(dim), gv.Linear(np.ones(dim)), rng=0)
    assert_allclose(estimate.log2, math.log2(dim) - dim, rtol=1e-12)
    if dim > 1100:
        assert estimate.value == 0
    else:
        assert_allclose(estimate.value, dim * 2.0**-dim, rtol=1e-12)


def test_a_sampled_mean_is_never_called_exact(slow_model):
    model = gv.MLP.random([200, 8, 8, 1], rng=0)
    estimate = closed_form(gv.Parities(200), model, rng=1, max_samples=4096, rtol=0)
    assert not estimate.exact
    low, high = estimate.interval
    assert low < estimate.value < high
    assert estimate.standard_error > 0
    assert estimate.n_samples == 4096
    # against a sample of our own: the mean of ||g||^2 within 5 joint standard errors
    g = (model.gradient(gv.Hypercube(200).sample(20_000, np.random.default_rng(2))) ** 2).sum(axis=1)
    error = math.hypot(estimate.standard_error * 2.0**200, g.std() / math.sqrt(20_000))
    assert abs(estimate.value * 2.0**200 - g.mean()) < 5 * error


def test_classes_without_a_theorem_are_declined(slow_class, slow_model):
    for name in ("sparse-2", "finite-signs"):
        with pytest.raises(gv.NotApplicableError):
            closed_form(slow_class(name, 4).H, slow_model("mlp-3x2-tanh", 4).model)


def test_no_theorem_takes_relu6_for_another_activation():
    from gradvar.methods.closed_form import THEOREMS
    from gradvar.problem import Moment

    rng = np.random.default_rng(0)
    parts = [4 * rng.normal(size=(5, 6)), rng.normal(size=(1, 5))], [3 + rng.normal(size=5), [0.1]]
    capped = (lambda z: np.clip(z, 0, 6), lambda z: 1.0 * ((z > 0) & (z < 6)))
    model, same = gv.MLP(*parts, "relu6"), gv.MLP(*parts, capped)
    classes = [gv.SparseParities(6, 2), gv.Parities(6).restrict([3, 5, 9]), gv.Parities(6), gv.LinearPeriodic(6, 1.0)]
    for H in classes:
        for moment in Moment:
            problem = gv.Problem(H, model, "square", moment)
            for theorem in THEOREMS:
                if theorem.declines(problem) is None:
                    assert H is classes[2]  # any model
        few = {"rng": 0, "max_samples": 2048}
        check, other = (gv.bound_check(H, m, "square", **few) for m in (model, same))
        assert check.variance.value == pytest.approx(other.variance.value, rel=1e-10)
        assert check.gradient_norm_sq.value == pytest.approx(other.gradient_norm_sq.value, rel=1e-10)
        relu = gv.bound_check(H, gv.MLP(*parts, "relu"), "square", **few)
        assert abs(relu.gradient_norm_sq.value / check.gradient_norm_sq.value - 1) > 0.1
