"""The second moment E_h ||E[h s]||^2 and the mean part ||E[m s]||^2: against loops, and their difference is Var."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.methods.base import Method
from gradvar.problem import Moment
from gradvar.testing import reference


def settings() -> Settings:
    return Settings.checked(0.1, 0.95, 2**10, 0, None, False)


def moment(H, model, loss, which: Moment, method: Method) -> gv.Estimate:
    problem = gv.Problem(H, model, loss, which)
    assert method.declines(problem) is None
    estimate = method.estimate(problem, settings())
    assert estimate.exact
    low, high = estimate.interval
    assert low <= estimate.value <= high
    return estimate


def signal_moments(table, weights, predictions, jacobian, loss) -> tuple[float, float]:
    """E_h ||E[h s]||^2 and ||E_h E[h s]||^2 by loops, s = b(p) dp/dw, b = (l'(p, 1) - l'(p, -1))/2."""
    slopes = [
        (reference.loss_derivative(loss, p, 1.0) - reference.loss_derivative(loss, p, -1.0)) / 2 for p in predictions
    ]
    columns = []
    for h in table:
        column = np.zeros(jacobian.shape[1])
        for weight, value, b, g in zip(weights, h, slopes, jacobian, strict=True):
            column = column + weight * value * b * g
        columns.append(column)
    return float(np.mean([c @ c for c in columns])), float(np.sum(np.mean(columns, axis=0) ** 2))


def assert_moments(classes, slow, loss, method: Method, rtol: float = 1e-11) -> None:
    predictions, jacobian = slow.predict(classes.points), slow.gradient(classes.points)
    second, mean = signal_moments(classes.table, classes.weights, predictions, jacobian, loss)
    found = {which: moment(classes.H, slow.model, loss, which, method).value for which in Moment}
    size = 1e-15 * reference.signal_norm_sq(classes.weights, predictions, jacobian, loss)
    assert_allclose(found[Moment.SECOND], second, rtol=rtol, atol=size)
    assert_allclose(found[Moment.MEAN], mean, rtol=rtol, atol=size)
    assert_allclose(found[Moment.SECOND] - found[Moment.MEAN], found[Moment.VARIANCE], rtol=rtol, atol=size)


@pytest.mark.parametrize("model", ["linear", "function", "mlp-3-tanh", "mlp-3x2-gelu"])
@pytest.mark.parametrize("loss", ["square", "hinge", "logistic"])
def test_all_parities(model: str, loss: str, slow_class, slow_model):
    for dim in (2, 5):
        for method in (gv.ClosedForm(), gv.Enumeration()):
            assert_moments(slow_class("parities", dim), slow_model(model, dim), loss, method)


@pytest.mark.parametrize("H", ["sparse-0", "sparse-1", "sparse-3", "sparse-5", "finite-signs"])
@pytest.mark.parametrize("model", ["linear", "function", "mlp-3-relu", "mlp-3x2-gelu"])
@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_enumeration(H: str, model: str, loss: str, slow_class, slow_model):
    assert_moments(slow_class(H, 5), slow_model(model, 5), loss, gv.Enumeration())


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "softplus", "sin", "cos", "erf", "identity"])
@pytest.mark.parametrize("bias", ["", "-nobias"])
def test_one_hidden_layer(activation: str, bias: str, slow_class, slow_model):
    for degree in (1, 2, 4):
        assert_moments(
            slow_class(f"sparse-{degree}", 5), slow_model(f"mlp-3-{activation}{bias}", 5), "square", gv.ClosedForm()
        )


@pytest.mark.parametrize("activation", ["relu", "tanh", "cos"])
@pytest.mark.parametrize("weights", [[1.0] * 6, [1.0, -1.0, 1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 0.0, 1.0, 0.0, 0.0]])
def test_one_hidden_layer_with_equal_weights(activation: str, weights: list[float]):
    model = gv.MLP([0.5 * np.array([weights]), [[1.3]]], [[0.25], [0.0]], activation)
    x = reference.cube(6)
    for degree in range(1, 6):
        H = gv.SparseParities(6, degree)
        table, w = reference.parity_table(6, degree), np.full(64, 1 / 64)
        second, mean = signal_moments(table, w, model.predict(x), model.gradient(x), "square")
        found = [moment(H, model, "square", which, gv.ClosedForm()).value for which in Moment]
        assert_allclose(found, [second - mean, second, mean], rtol=1e-11, atol=1e-15)


def test_zero_weights_share_the_sums_of_the_others():
    weights = np.array([[0.7, 0.0, -0.4, 0.0, 1.1], [0.0, 0.0, 0.0, 0.0, 0.0]])
    model = gv.MLP([weights, [[1.3, -0.2]]], [[0.25, 0.5], [0.0]], "tanh")
    x = reference.cube(5)
    for degree in range(1, 5):
        table, w = reference.parity_table(5, degree), np.full(32, 1 / 32)
        second, mean = signal_moments(table, w, model.predict(x), model.gradient(x), "square")
        H = gv.SparseParities(5, degree)
        found = [moment(H, model, "square", which, gv.ClosedForm()).value for which in Moment]
        assert_allclose(found, [second - mean, second, mean], rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("degree", [None, 0, 1, 3, 5])
@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_infinite_width_by_the_kernel_on_the_cube(degree: int | None, loss: str):
    model, x = gv.InfiniteMLP(2, "relu"), reference.cube(5)
    H = gv.Parities(5) if degree is None else gv.SparseParities(5, degree)
    table, b = reference.parity_table(5, degree), {"square": -1.0, "logistic": -0.5}[loss]
    kernel = np.array([[float(model.kernel(float(u @ v) / 5, 5)) for v in x] for u in x])
    second = float(np.mean([b**2 * h @ kernel @ h / 32**2 for h in table]))
    m = table.mean(axis=0)
    mean = float(b**2 * m @ kernel @ m / 32**2)
    found = [moment(H, model, loss, which, gv.ClosedForm()).value for which in Moment]
    assert_allclose(found, [second - mean, second, mean], rtol=1e-9, atol=1e-14)


def test_a_mean_part_does_not_suffer_from_the_size_of_the_second_moment():
    # 4^-d ||s(1, ..., 1)||^2 beside 2^-d E||s||^2: at d = 400 a difference would have no digit of it
    model = gv.Linear(np.arange(1.0, 401))
    estimate = moment(gv.Parities(400), model, "square", Moment.MEAN, gv.ClosedForm())
    assert estimate.log2 == pytest.approx(np.log2(400) - 800, rel=1e-14)


@pytest.mark.parametrize("which", [Moment.SECOND, Moment.MEAN])
def test_theorems_that_give_the_variance_alone_say_so(which: Moment):
    waves = gv.Problem(gv.LinearPeriodic(5, 2.0), gv.Cosine(np.ones(5)), "square", which)
    assert "gives their variance alone" in str(gv.ClosedForm().declines(waves))
    one = gv.Problem(gv.SparseParities(5, 5), gv.MLP.random([5, 3, 3, 1], rng=0), "square", which)
    assert "only the variance is 0" in str(gv.ClosedForm().declines(one))
    assert gv.Auto().select(one).method.name == "enumeration"
