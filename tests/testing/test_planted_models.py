"""check_model and check_loss: wrong somewhere is wrong, unusual but right is right; a row for each kind.

Each defect is caught by the check that its row names; the right objects fail none.
"""

from __future__ import annotations

import numpy as np
import pytest
from plain_objects import PlainLoss, PlainNeuron
from scipy.special import expit

import gradvar as gv
from gradvar.testing import check_loss, check_model

W = np.array([0.5, -1.0, 2.0])


def neuron(w=W, **members: object) -> PlainNeuron:
    return type("Defective", (PlainNeuron,), members)(np.array(w))


def gradient_times(factor):
    """The gradient of a neuron times factor(x), shape (n, 1) or (n, P)."""
    return lambda self, x: PlainNeuron.gradient(self, x) * factor(x)


def where(condition):
    """1.01 where a condition on the inputs holds, else 1."""
    return lambda x: np.where(condition(x), 1.01, 1.0)[:, None]


def from_row(first: int):
    return lambda x: np.where(np.arange(len(x)) >= first, 1.5, 1.0)[:, None]


def normalised(self, x):
    """Batch normalisation in training mode."""
    p = x @ self.w
    return np.tanh((p - p.mean()) / (p.std() + 1e-3)) if len(x) else p


def dropout(self, x):
    kept = np.random.random(x.shape) < 0.9  # noqa: NPY002 - the global generator, as users have it
    return np.tanh((x * kept) @ self.w)


def seeded_dropout(self, x):
    kept = np.random.default_rng(0).random(x.shape) < 0.9
    return np.tanh((x * kept) @ self.w)


def pulled(function):
    """`pullback` whose second part is function(self, x)(c)."""
    return lambda self, x: (self.predict(x), function(self, x))


def backwards(self, x):
    return lambda c: c @ self.gradient(x)


class Stateful(PlainNeuron):
    """Predicts by the first batch that it saw."""

    def predict(self, x):
        self.scale = getattr(self, "scale", np.abs(x).max(initial=1.0))
        return np.tanh(x @ self.w) * (1.0 if len(x) != 1 else 1 / self.scale)


MODELS = {
    "gradient-value: sign": lambda: neuron(gradient=gradient_times(lambda x: -1.0), tangent_factors=None),
    "gradient-value: scale": lambda: neuron(gradient=gradient_times(lambda x: 1 + 1e-6)),
    "gradient-value: permuted": lambda: neuron(gradient=lambda self, x: PlainNeuron.gradient(self, x)[:, [1, 0, 2]]),
    "gradient-value: one parameter forgotten": lambda: neuron(gradient=gradient_times(lambda x: [1.0, 1.0, 0.0])),
    "gradient-value: where x_1 > 2": lambda: neuron(
        gradient=gradient_times(where(lambda x: x[:, 0] > 2)), tangent_factors=None),
    "gradient-value: where x_2 < -2": lambda: neuron(
        gradient=gradient_times(where(lambda x: x[:, 1] < -2)), tangent_factors=None),
    "gradient-value: at the corner": lambda: neuron(0.1 * W, gradient=gradient_times(
        where(lambda x: (x == 1).all(axis=1))), tangent_factors=None),
    "gradient-value: beyond a radius": lambda: neuron(0.1 * W, gradient=gradient_times(
        where(lambda x: np.linalg.norm(x, axis=1) > 5)), tangent_factors=None),
    "gradient-value: near the origin": lambda: neuron(gradient=gradient_times(
        where(lambda x: np.linalg.norm(x, axis=1) < 0.01)), tangent_factors=None),
    "gradient-value: of a prediction with a constant": lambda: neuron(
        predict=lambda self, x: 2 + np.tanh(x @ self.w) ** 2, tangent_factors=None),
    "gradient-value: with_parameters forgets one": lambda: neuron(
        predict=lambda self, x: np.tanh(x[:, :2] @ self.w[:2] + 2 * x[:, 2])),
    "gradient-value: elsewhere": lambda: neuron(
        gradient=lambda self, x: PlainNeuron(W).gradient(x), tangent_factors=None),
    "parameters: are not the ones that were given": lambda: neuron(
        with_parameters=lambda self, w: PlainNeuron([*w[:2], 2.0])),
    "parameters: shared memory": lambda: neuron(
        with_parameters=lambda self, w: self.w.__setitem__(slice(None), w) or self),
    "parameters: one too many": lambda: neuron(__init__=lambda self, w: vars(self).update(w=W, dim=3, n_parameters=4),
                                               gradient=lambda self, x: np.ones((len(x), 4)), tangent_factors=None),
    "gradient: n_parameters": lambda: neuron(
        __init__=lambda self, w: vars(self).update(w=W, dim=3, n_parameters=4), parameters=None),
    "batch: from row 16 on": lambda: neuron(
        gradient=gradient_times(from_row(16)), tangent_factors=None, parameters=None),
    "batch: from row 500 on": lambda: neuron(gradient=gradient_times(from_row(500))),
    "batch: odd numbers of rows": lambda: neuron(gradient=gradient_times(lambda x: 1 + len(x) % 2)),
    "batch: single rows": lambda: neuron(predict=lambda self, x: np.tanh(x @ self.w) + (len(x) == 1)),
    "batch: batch normalisation": lambda: neuron(predict=normalised, parameters=None),
    "batch: sorted rows": lambda: neuron(predict=lambda self, x: np.sort(np.tanh(x @ self.w)), parameters=None),
    "batch: rows that repeat": lambda: neuron(gradient=lambda self, x: np.unique(
        PlainNeuron.gradient(self, x), axis=0, return_index=True)[0][:1].repeat(len(x), 0)),
    "batch: dropout with a fixed seed": lambda: neuron(predict=seeded_dropout, parameters=None),
    "pure: dropout": lambda: neuron(predict=dropout, parameters=None),
    "pure: noise in the gradient": lambda: neuron(gradient=lambda self, x: PlainNeuron.gradient(self, x)
                                                  + 1e-12 * np.random.default_rng().normal(size=x.shape)),
    "pure: sorts its inputs": lambda: neuron(predict=lambda self, x: x.sort(axis=0) or np.tanh(x @ self.w)),
    "batch: remembers": lambda: Stateful(W),
    "precision: float32": lambda: neuron(predict=single, gradient=single_gradient, parameters=None),
    "precision: float16 in the gradient": lambda: neuron(
        gradient=lambda self, x: PlainNeuron.gradient(self, x).astype(np.float16).astype(float), parameters=None),
    "predict: float32": lambda: neuron(predict=lambda self, x: np.tanh(x @ self.w).astype(np.float32)),
    "predict: nan in a region": lambda: neuron(predict=lambda self, x: np.where(x[:, 0] > 2.5, np.nan, x @ self.w)),
    "predict: infinite at the origin": lambda: neuron(predict=lambda self, x: 1 / np.linalg.norm(x, axis=1)),
    "tangent-factors: one missing": lambda: neuron(tangent_factors=lambda self, x: [
        (x[:, :2], PlainNeuron.tangent_factors(self, x)[0][1])]),
    "tangent-factors: where x_1 > 2": lambda: neuron(tangent_factors=lambda self, x: [
        (x * where(lambda x: x[:, 0] > 2)(x), PlainNeuron.tangent_factors(self, x)[0][1])]),
    "tangent-factors: from row 100 on": lambda: neuron(tangent_factors=lambda self, x: [
        (x * from_row(100)(x), PlainNeuron.tangent_factors(self, x)[0][1])]),
    "tangent-factors: change their inputs": lambda: neuron(tangent_factors=lambda self, x: [
        (np.multiply(x, 1 - np.tanh(x @ self.w)[:, None] ** 2, out=x), np.ones((len(x), 1)))]),
    "pullback: the mean": lambda: neuron(pullback=pulled(lambda self, x: lambda c: backwards(self, x)(c) / len(c))),
    "pullback: squares c": lambda: neuron(pullback=pulled(lambda self, x: lambda c: backwards(self, x)(c**2))),
    "pullback: of the sum": lambda: neuron(pullback=pulled(lambda self, x: lambda c: self.gradient(x).sum(axis=0))),
    "pullback: transposed": lambda: neuron(pullback=pulled(lambda self, x: lambda c: backwards(self, x)(c)[::-1])),
    "pullback: wrong shape": lambda: neuron(pullback=pulled(lambda self, x: lambda c: c[:, None] * self.gradient(x))),
    "pullback: other predictions": lambda: neuron(pullback=lambda self, x: (x @ self.w, backwards(self, x))),
    "pullback: no function": lambda: neuron(pullback=lambda self, x: (self.predict(x), self.gradient(x))),
    "pullback: from row 100 on": lambda: neuron(pullback=pulled(
        lambda self, x: lambda c: (c * from_row(100)(x)[:, 0]) @ self.gradient(x))),
    "pullback: changes c": lambda: neuron(pullback=pulled(
        lambda self, x: lambda c: np.multiply(c, 1.0, out=c).__imul__(2) @ self.gradient(x) / 2)),
    "largest-gradient: of the middle of the box": lambda: neuron(0.01 * W, largest_gradient=lambda self, reach: float(
        np.linalg.norm((reach.low + reach.high) / 2) ** 2)),
    "largest-gradient: of the box alone, one coordinate forgotten": lambda: neuron(
        0.01 * W, largest_gradient=lambda self, reach: float(np.sum(np.maximum(reach.low**2, reach.high**2)[:2]))),
    "largest-gradient: nan": lambda: neuron(largest_gradient=lambda self, reach: np.nan),
    "batch: gradient by the order in memory": lambda: neuron(
        gradient=lambda self, x: PlainNeuron.gradient(self, x.ravel(order="K").reshape(x.shape))),
    "batch: prediction by the order in memory": lambda: neuron(
        predict=lambda self, x: PlainNeuron.predict(self, x.ravel(order="K").reshape(x.shape)), parameters=None),
    "pullback: adds up": lambda: neuron(pullback=pulled(
        lambda self, x: lambda c, total=[0.0]: total.append(total[-1] + backwards(self, x)(c)) or total[-1])),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_wrong_model_is_caught_by_the_check_that_answers_for_it(name: str):
    np.random.seed(0)  # noqa: NPY002 - one of them draws from the global generator
    with np.errstate(all="ignore"):
        report = check_model(MODELS[name](), rng=2)
    assert name.split(":")[0] in {result.name for result in report.failures}, report


class Layer(PlainNeuron):
    """A neuron p = <v, act(W x)> of one hidden unit each, by any function and its derivative, for right objects."""

    act, slope = staticmethod(np.tanh), staticmethod(lambda z: 1 / np.cosh(np.clip(z, -350, 350)) ** 2)
    tangent_factors = None

    def predict(self, x):
        return self.act(x @ self.w)

    def gradient(self, x):
        return self.slope(x @ self.w)[:, None] * x


def layer(w, act, slope, **members):
    return type("Layer", (Layer,), {"act": staticmethod(act), "slope": staticmethod(slope), **members})(np.array(w))


class Constant:
    """The constant predictor w."""

    n_parameters, dim = 1, 3

    def __init__(self, w=0.0):
        self.parameters = np.array([float(np.ravel(w)[0])])

    with_parameters = classmethod(lambda cls, w: cls(w))

    def predict(self, x):
        return np.full(len(x), self.parameters[0])

    def gradient(self, x):
        return np.ones((len(x), 1))


def single(self, x):
    return np.tanh(x.astype(np.float32) @ self.w.astype(np.float32)).astype(float)


def single_gradient(self, x):
    x32 = x.astype(np.float32)
    return ((1 - np.tanh(x32 @ self.w.astype(np.float32)) ** 2)[:, None] * x32).astype(float)


RIGHT_MODELS = {
    "saturated": lambda: layer(1e8 * W, Layer.act, Layer.slope),
    "saturated, where units are at 0": lambda: layer([1e8, -1e8, 1e8], Layer.act, Layer.slope),
    "saturated network": lambda: gv.MLP([1e8 * np.ones((2, 3)), [[1e8, -1e8]], [[1.0]]], activation="tanh"),
    "saturated sigmoid": lambda: layer(1e6 * W, expit, lambda z: expit(z) * expit(-z)),
    "relu at its kink": lambda: gv.MLP([[[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]], [[1.0, 1.0]]], activation="relu"),
    "relu and large weights": lambda: gv.MLP([[[1e6, -1e6, 0.0]], [[1e-6]]], activation="relu"),
    "a step, which has no slope": lambda: layer(W, lambda z: np.sign(z), lambda z: 0.0 * z),
    "tiny": lambda: layer(W, lambda z: 1e-30 * np.tanh(z), lambda z: 1e-30 / np.cosh(z) ** 2),
    "huge": lambda: layer(W, lambda z: 1e30 * np.tanh(z), lambda z: 1e30 / np.cosh(z) ** 2),
    "tiny weights": lambda: layer(1e-9 * W, np.sin, np.cos),
    "a small part beside a large constant": lambda: layer(W, lambda z: 1e6 + np.sin(z), np.cos),
    "fast waves": lambda: layer(1e4 * W, np.sin, np.cos),
    "constant predictor": Constant,
    "zero": lambda: gv.Linear([0.0, 0.0, 0.0]),
    "one input": lambda: gv.Linear([2.0]),
    "float32 that says so": lambda: neuron(
        predict=single, gradient=single_gradient, tangent_factors=None, unit=2.0**-24),
    "a right bound on the gradient": lambda: neuron(largest_gradient=lambda self, reach: reach.norm**2),
    "no bound on the gradient": lambda: neuron(largest_gradient=lambda self, reach: np.inf),
    "slopes that underflow": lambda: layer(
        1e3 * W, lambda z: np.logaddexp(0, z), lambda z: expit(np.clip(z, -700, 700))),
    "the largest of the inputs": lambda: neuron(predict=lambda self, x: (x * self.w).max(axis=1), tangent_factors=None,
                                                gradient=lambda self, x: x * np.eye(3)[(x * self.w).argmax(axis=1)]),
    "columns that lie together": lambda: neuron(
        gradient=lambda self, x: np.asfortranarray(PlainNeuron.gradient(self, x))),
    "a right pullback": lambda: neuron(pullback=pulled(backwards)),
    "at other parameters a model that says none": lambda: neuron(with_parameters=lambda self, w: gv.from_function(
        PlainNeuron(w).predict, PlainNeuron(w).gradient, 3)),
    "no parameters": lambda: neuron(parameters=None, with_parameters=None),
    "by functions": lambda: gv.from_function(lambda x: np.abs(x @ W), lambda x: np.sign(x @ W)[:, None] * x, 3, dim=3),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT_MODELS)
@pytest.mark.parametrize("seed", [0, 1])
def test_an_unusual_model_that_is_right_passes(name: str, seed: int):
    check_model(RIGHT_MODELS[name](), rng=seed).raise_if_failed()


FINITE = gv.FiniteClass([[1] * 5], np.eye(5)[:, :3]).inputs


@pytest.mark.parametrize("inputs", [gv.Hypercube(3), gv.Gaussian(3), FINITE], ids=lambda inputs: type(inputs).__name__)
def test_inputs_that_are_given_have_corners_too(inputs):
    check_model(PlainNeuron(W), inputs).raise_if_failed()
    x = inputs.sample(4096, np.random.default_rng(0))
    rare = np.quantile(x[:, 1], 0.995)
    wrong = neuron(gradient=gradient_times(where(lambda x: x[:, 1] >= rare)))
    assert "gradient-value" in {r.name for r in check_model(wrong, inputs).failures}


def test_a_table_of_predictions_has_nothing_next_to_its_inputs():
    rows = {row.tobytes(): i for i, row in enumerate(FINITE.points(0, 5))}

    def at(x):
        return np.array([rows[row.tobytes()] for row in x + 0.0], dtype=int)

    table = np.linspace(-1, 1, 5)
    model = gv.from_function(lambda x: table[at(x)], lambda x: np.eye(5)[at(x)], 5, dim=3)
    report = check_model(model, FINITE, predict=lambda w, x: w[at(x)], parameters=table)
    report.raise_if_failed()
    assert [r.name for r in report.not_applicable] == ["precision", "tangent-factors", "pullback", "largest-gradient"]


@pytest.mark.parametrize("w", [1e8, 1e5, 1e3])
def test_a_wrong_gradient_of_a_saturated_unit_is_caught_where_it_can_be(w: float):
    right = layer([w, -w, w], Layer.act, Layer.slope)
    x = np.array([[1.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.5, 0.25, -0.25], [1.0, 0.0, 0.0]])
    check_model(right, x).raise_if_failed()
    for factor in (0.0, 0.5, 1.01, -1.0):
        wrong = layer([w, -w, w], Layer.act, lambda z, factor=factor: factor * Layer.slope(z))
        assert "gradient-value" in {r.name for r in check_model(wrong, x).failures}, factor


# --- losses -------------------------------------------------------------------------------------------------


class Huber:
    """The Huber-like loss sqrt(1 + (p y - 1)^2) of a margin, with everything right."""

    name, labels, lipschitz, constant, evidence = "smooth hinge", "signs", 1.0, None, ("proved", "|r'| <= 1")

    def slope(self, m):
        return (m - 1) / np.sqrt(1 + (m - 1) ** 2)

    def split(self, p):
        return (self.slope(p) - self.slope(-p)) / 2, (self.slope(p) + self.slope(-p)) / 2

    def value(self, p, y):
        return np.sqrt(1 + (p * y - 1) ** 2)


class Square:
    name, labels, lipschitz, constant, evidence = "square", "real", 1.0, -1.0, ("proved", "b = -1")

    def split(self, p):
        return p, np.full_like(p, -1.0)

    def value(self, p, y):
        return 0.5 * (p - y) ** 2


def loss(base=Huber, **members):
    return type("Defective", (base,), members)()


def split_times(a=lambda p: 1.0, b=lambda p: 1.0, base=Huber):
    return lambda self, p: tuple(part * factor(p) for part, factor in zip(base.split(self, p), (a, b), strict=True))


LOSSES = {
    "split-of-value: swapped": lambda: loss(split=lambda self, p: Huber.split(self, p)[::-1]),
    "split-of-value: b is half": lambda: loss(split=split_times(b=lambda p: 0.5)),
    "split-of-value: sign of a": lambda: loss(split=split_times(a=lambda p: -1.0)),
    "split-of-value: beyond 5": lambda: loss(split=split_times(b=lambda p: np.where(p > 5, 0.9, 1.0))),
    "split-of-value: below -20": lambda: loss(split=split_times(b=lambda p: np.where(p < -20, 0.9, 1.0))),
    "split-of-value: another value": lambda: loss(value=lambda self, p, y: 2 * Huber.value(self, p, y)),
    "split-of-value: value at one label": lambda: loss(value=lambda self, p, y: Huber.value(self, p, np.abs(y))),
    "split-of-value: nan": lambda: loss(value=lambda self, p, y: np.where(p > 29, np.nan, Huber.value(self, p, y))),
    "split-of-value: the mean": lambda: loss(value=lambda self, p, y: np.full(p.shape, Huber.value(self, p, y).mean())),
    "split-of-value: a number": lambda: loss(value=lambda self, p, y: Huber.value(self, p, y).mean()),
    "split-of-value: changes p": lambda: loss(
        value=lambda self, p, y: Huber.value(self, np.multiply(p, 2, out=p) / 2, y)),
    "split-of-value: noise": lambda: loss(
        value=lambda self, p, y: Huber.value(self, p, y) + np.random.default_rng().normal(size=p.shape)),
    "split-of-value: real labels": lambda: loss(labels="real"),
    "split-of-value: square without its half": lambda: loss(Square, value=lambda self, p, y: (p - y) ** 2),
    "split-of-value: cubes": lambda: loss(Square, value=lambda self, p, y: p**2 / 2 - p * y**3),
    "split-of-derivative": lambda: loss(derivative=lambda self, m: 2 * self.slope(m)),
    "lipschitz": lambda: loss(lipschitz=0.7),
    "lipschitz: far away": lambda: loss(Square, split=split_times(
        b=lambda p: np.where(np.abs(p) > 20, 2.0, 1.0), base=Square), value=None, constant=None),
    "constant": lambda: loss(constant=-0.5),
    "constant: beyond 10": lambda: loss(Square, split=split_times(b=lambda p: np.where(p > 10, 0.5, 1.0), base=Square)),
    "split: remembers": lambda: loss(split=lambda self, p: split_times(b=lambda p: float(len(p) > 1))(self, p)),
    "split: from prediction 500 on": lambda: loss(
        split=split_times(b=lambda p: np.where(np.arange(len(p)) > 500, 2, 1))),
    "split: noise": lambda: loss(split=split_times(b=lambda p: 1 + 1e-3 * np.random.default_rng().random())),
    "split: changes p": lambda: loss(split=lambda self, p: Huber.split(self, np.add(p, 1, out=p) - 1)),
    "split: float32": lambda: loss(split=lambda self, p: [part.astype(np.float32) for part in Huber.split(self, p)]),
    "labels: {0, 1}": lambda: loss(labels="bits"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_a_wrong_loss_is_caught_by_the_check_that_answers_for_it(name: str):
    with np.errstate(all="ignore"):
        report = check_loss(LOSSES[name]())
    assert name.split(":")[0] in {result.name for result in report.failures}, report


RIGHT_LOSSES = {
    "smooth hinge": Huber,
    "square": Square,
    "no value": lambda: loss(value=None),
    "a bound that is not sharp": lambda: loss(lipschitz=10.0),
    "a bound that is an array": lambda: loss(lipschitz=np.array(1.0), constant=None),
    "no bound": lambda: gv.MarginLoss(lambda m: -np.exp(-m), float("inf")),
    "tiny": lambda: loss(slope=lambda self, m: 1e-20 * Huber.slope(self, m), lipschitz=1e-20,
                         value=lambda self, p, y: 1e-20 * Huber.value(self, p, y)),
    "zero": lambda: loss(slope=lambda self, m: 0 * m, value=lambda self, p, y: 0 * p + 3, constant=0.0),
    "square up to what the label adds": lambda: loss(Square, value=lambda self, p, y: p**2 / 2 - p * y + 1e3 * y**2),
    "whole numbers": lambda: loss(Square, split=lambda self, p: (p, np.full(p.shape, -1))),
    "lists": lambda: loss(split=lambda self, p: list(Huber.split(self, p))),
    "logistic": PlainLoss,
    **{name: lambda name=name: name for name in ("square", "correlation", "hinge", "logistic", "perceptron")},
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT_LOSSES)
def test_an_unusual_loss_that_is_right_passes(name: str):
    check_loss(RIGHT_LOSSES[name]()).raise_if_failed()
