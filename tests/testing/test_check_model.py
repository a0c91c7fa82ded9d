"""check_model: the library's models pass; for every check one planted defect that it catches, and no other does."""

from __future__ import annotations

import numpy as np
import pytest
from plain_objects import PlainNeuron

import gradvar as gv
from gradvar.core.activations import ACTIVATIONS
from gradvar.models.base import KnowsParameters
from gradvar.testing import check_model, model_checks

W = np.array([0.5, -1.0, 2.0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [[3, 1], [3, 4, 1], [3, 4, 2, 1]])
def test_networks_pass(sizes: list[int], activation: str):
    report = check_model(gv.MLP.random(sizes, activation, rng=0))
    report.raise_if_failed()
    assert all(result.status == "passed" for result in report)


@pytest.mark.parametrize(
    "model",
    [
        gv.Linear(W),
        gv.Cosine(W),
        gv.Cosine(1e3 * W),
        PlainNeuron(W),
        gv.MLP.random([20, 64, 1], bias=False, rng=0),
        gv.Attention.random(6, 4, heads=2, rng=0),
        gv.Convolutional.random(8, [3, 4], width=3, activation="relu", rng=0),
        gv.Recurrent.random(6, 4, length=3, rng=0),
        gv.ResidualMLP.random(5, 4, blocks=2, rng=0),
        gv.WeightTied.random(5, 6, steps=None, rng=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_pass(model):
    report = check_model(model)
    report.raise_if_failed()
    assert {r.name for r in report.not_applicable} <= {"pullback", "largest-gradient"}


def test_a_kink_is_left_out_and_counted():
    model = gv.MLP([[[1.0, 1.0]], [[1.0]]], activation="relu")
    report = check_model(model, x=[[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    message = {r.name: r for r in report}["gradient-value"].message
    assert message == "16 derivatives by central differences; 4 at kinks left out"


def test_nothing_but_kinks_is_not_applicable():
    model = gv.MLP([[[1.0, 1.0]], [[1.0]]], activation="relu")
    result = {r.name: r for r in check_model(model, x=[[0.0, 0.0]])}["gradient-value"]
    # At x = 0 the output weight sees relu(0): a derivative, 0, in the output layer only.
    assert result.status == "passed"
    step = gv.from_function(lambda x: np.sign(x[:, 0]) * 0, lambda x: np.zeros((len(x), 1)), 1, dim=1)
    jump = check_model(step, x=[[0.0]], predict=lambda w, x: np.abs(w - 1.0) * np.ones(len(x)), parameters=[1.0])
    result = {r.name: r for r in jump}["gradient-value"]
    assert result.status == "not applicable"
    assert "1 at kinks" in result.message


def test_a_wrong_gradient_off_the_kink_is_caught_in_a_relu_network():
    good = gv.MLP.random([3, 4, 1], "relu", rng=1)

    class Wrong(type(good)):
        def gradient(self, x):
            g = super().gradient(x)
            g[:, 2] *= 1 + 1e-5
            return g

    report = check_model(Wrong(good.weights, good.biases, "relu"))
    # the tangent factors and the pullback are the right ones still
    assert {r.name for r in report.failures} == {"gradient-value", "tangent-factors", "pullback"}
    assert "in parameter 2" in {r.name: r.message for r in report}["gradient-value"]


@pytest.mark.parametrize("predict", [lambda w, x: np.tanh(x @ w), lambda w, x: np.tanh(x @ np.real(w))])
def test_a_model_of_functions_by_its_prediction_in_the_parameters(predict):
    def gradient(x):
        return (1 - np.tanh(x @ W) ** 2)[:, None] * x

    good = gv.from_function(lambda x: np.tanh(x @ W), gradient, 3, dim=3)
    report = check_model(good, predict=predict, parameters=W)
    report.raise_if_failed()
    wrong = gv.from_function(lambda x: np.tanh(x @ W), lambda x: gradient(x) * (1 + 1e-6), 3)
    x = np.random.default_rng(0).normal(size=(10, 3))
    found = check_model(wrong, x, predict=predict, parameters=W)
    assert [r.name for r in found.failures] == ["gradient-value"]


def test_the_complex_step_is_taken_where_it_is_right_and_only_there():
    x = np.random.default_rng(0).normal(size=(10, 3))

    def message(predict, gradient):
        model = gv.from_function(lambda x: predict(W, x), gradient, 3)
        return {r.name: r for r in check_model(model, x, predict=predict, parameters=W)}["gradient-value"].message

    assert "complex step" in message(lambda w, x: np.sin(x @ w), lambda x: np.cos(x @ W)[:, None] * x)
    # np.abs is not analytic: its complex step is 0
    absolute = message(lambda w, x: np.abs(x @ w), lambda x: np.sign(x @ W)[:, None] * x)
    assert absolute.startswith("30 derivatives by central differences")


def test_without_parameters_the_gradient_is_not_looked_at_and_the_report_says_so():
    model = gv.from_function(lambda x: x @ W, lambda x: x, 3, dim=3)
    results = {r.name: r for r in check_model(model)}
    assert results["gradient-value"].status == "not applicable"
    assert "pass predict=lambda w, x: ... and parameters=w" in results["gradient-value"].message


def test_without_dimension_the_inputs_must_be_given():
    model = gv.from_function(lambda x: x @ W, lambda x: x, 3)
    report = check_model(model)
    assert not [r for r in report if r.status == "passed" and r.name != "parameters"]
    assert "pass the inputs as `x`" in report[0].message
    check_model(model, gv.Hypercube(3)).raise_if_failed()


def test_many_parameters_are_seen_along_random_directions():
    model = gv.MLP.random([30, 20, 1], rng=0)

    class Wrong(gv.MLP):
        column = 0

        def gradient(self, x):
            g = super().gradient(x)
            g[:, self.column] = 0.0
            return g

    for column in (0, 333, 640):
        wrong = Wrong(model.weights, model.biases)
        wrong.column = column
        assert "gradient-value" in {r.name for r in check_model(wrong).failures}


# --- planted defects ----------------------------------------------------------------------------------------


def neuron(**members: object) -> PlainNeuron:
    return type("Defective", (PlainNeuron,), members)(W)


def mutating(self, x):
    p = PlainNeuron.predict(self, x)
    x *= 2
    return p


def shared(self, parameters):
    self.w = np.asarray(parameters)
    return self


def centred(self, x):
    p = PlainNeuron.predict(self, x)
    return p - p.mean() if len(x) else p


DEFECTS = {
    "predict": (lambda: neuron(predict=lambda self, x: PlainNeuron.predict(self, x)[:, None]), set()),
    "predict: nan": (lambda: neuron(predict=lambda self, x: np.log(x[:, 0].clip(0)) if len(x) else x[:, 0]), set()),
    "predict: raises": (lambda: neuron(predict=lambda self, x: x @ np.ones(7)), set()),
    "predict: missing": (lambda: neuron(predict=None), set()),
    "predict: empty": (lambda: neuron(predict=lambda self, x: PlainNeuron.predict(self, x) + 0 * x.max()), set()),
    "parameters": (lambda: neuron(n_parameters=0, __init__=lambda self, w: vars(self).update(w=W, dim=3)), set()),
    "parameters: others": (lambda: neuron(with_parameters=lambda self, w: PlainNeuron(2 * w)), set()),
    "parameters: shared": (
        lambda: neuron(with_parameters=shared), {"gradient", "pure", "batch", "gradient-value", "tangent-factors"}),
    "gradient": (lambda: neuron(gradient=lambda self, x: PlainNeuron.gradient(self, x)[:, :2]), set()),
    "gradient: infinite": (lambda: neuron(gradient=lambda self, x: PlainNeuron.gradient(self, x) * np.inf), set()),
    "batch": (lambda: neuron(predict=centred, parameters=None), set()),
    "batch: gradient": (
        lambda: neuron(gradient=lambda self, x: PlainNeuron.gradient(self, x) * (1 + 0.1 * (len(x) == 1))), set()),
    "pure": (lambda: neuron(predict=mutating), set()),
    "pure: gradient": (
        lambda: neuron(gradient=lambda self, x: x * np.random.default_rng().normal(1, 1e-12), tangent_factors=None,
                       parameters=None),
        set()),
    "gradient-value": (lambda: neuron(gradient=lambda self, x: x.copy(), tangent_factors=None), set()),
    "gradient-value: order": (
        lambda: neuron(gradient=lambda self, x: PlainNeuron.gradient(self, x)[:, ::-1]), set()),
    "precision": (lambda: neuron(predict=lambda self, x: PlainNeuron.predict(self, x).astype(np.float32).astype(float),
                                 parameters=None), set()),
    "precision: unit": (lambda: neuron(unit=0.0, parameters=None), {"batch", "tangent-factors"}),
    "tangent-factors": (lambda: neuron(tangent_factors=lambda self, x: [(x, np.ones((len(x), 1)))]), set()),
    "tangent-factors: shape": (lambda: neuron(tangent_factors=lambda self, x: [(x, np.ones(len(x)))]), set()),
    "tangent-factors: pairs": (lambda: neuron(tangent_factors=lambda self, x: (x, np.ones((len(x), 1)))), set()),
    "pullback": (
        lambda: neuron(pullback=lambda self, x: (self.predict(x), lambda c: self.gradient(x).T @ c**2)), set()),
    "largest-gradient": (lambda: neuron(largest_gradient=lambda self, reach: 0.1 * reach.norm**2), set()),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_caught_by_its_check_alone(name: str):
    build, consequences = DEFECTS[name]
    with np.errstate(all="ignore"):
        report = check_model(build(), rng=1)
    failed = {result.name for result in report.failures}
    check = name.split(":")[0]
    assert check in failed, report
    assert failed <= {check, *consequences}, report


def test_every_check_has_a_planted_defect():
    assert {name.split(":")[0] for name in DEFECTS} == {str(check) for check in model_checks(PlainNeuron(W))}


def test_predict_and_parameters_go_together():
    with pytest.raises(TypeError, match="`predict` and `parameters` go together"):
        check_model(gv.Linear(W), predict=lambda w, x: x @ w)
    with pytest.raises(TypeError, match="`predict` must be a function"):
        check_model(gv.Linear(W), predict=3, parameters=W)


def test_other_parameters_than_the_models_own_are_noticed():
    report = check_model(gv.Linear(W), predict=lambda w, x: x @ w, parameters=W + 1)
    assert "these are not the parameters of the model" in report.failures[0].message


# --- parameters of the library's models ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        gv.Linear(W),
        gv.Cosine(W),
        gv.MLP.random([3, 4, 1], "gelu", rng=0),
        gv.MLP([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[7.0, 8.0]]], [None, [9.0]]),
    ],
    ids=repr,
)
def test_parameters_there_and_back(model):
    assert isinstance(model, KnowsParameters)
    w = model.parameters
    assert w.shape == (model.n_parameters,)
    other = model.with_parameters(2 * w + 1)
    assert type(other) is type(model)
    np.testing.assert_array_equal(other.parameters, 2 * w + 1)
    np.testing.assert_array_equal(model.parameters, w)
    assert repr(other) == repr(model)
    with pytest.raises(gv.ShapeError, match=rf"`parameters` must have shape \({w.size},\)"):
        model.with_parameters(np.ones(w.size + 1))


def test_parameters_of_a_network_are_in_the_order_of_its_gradient():
    model = gv.MLP([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]], [[7.0, 8.0], None])
    assert model.parameters.tolist() == [1, 2, 3, 4, 7, 8, 5, 6]
