"""`trainable`: the same predictor with the gradient of some layers alone, for every model and every method."""

import math
from types import MappingProxyType

import numpy as np
import pytest

import gradvar as gv
from gradvar.methods.monte_carlo.sampled_members import SampledMembers
from gradvar.models.base import pullback, tangent_factors
from gradvar.testing import check_model, reference


def mlp(sizes, activation="tanh", seed=0):
    """A network with biases that are not zero."""
    model = gv.MLP.random(sizes, activation=activation, rng=seed)
    return model.with_parameters(np.random.default_rng(seed + 1).normal(size=model.n_parameters) * 0.6)


def networks():
    """One of each architecture on four inputs."""
    return [
        mlp([4, 3, 2, 1], "relu"),
        gv.Convolutional.random(4, [2, 2], 2, rng=0),
        gv.Recurrent.random(4, 3, rng=0),
        gv.Attention.random(4, 3, rng=0),
        gv.WeightTied.random(4, 3, 2, rng=0),
        gv.ResidualMLP.random(4, 3, 2, rng=0),
        gv.Linear([1.0, 2.0, -1.0, 0.5]),
        gv.Cosine([1.0, 2.0, -1.0, 0.5]),
    ]


@pytest.mark.parametrize("model", networks(), ids=lambda model: type(model).__name__)
def test_each_layer_has_its_columns_of_the_gradient(model):
    """One by one and in pairs, in the gradient, the factors and the pullback; the prediction stays."""
    x = np.random.default_rng(0).choice([-1.0, 1.0], (6, 4))
    whole, start = model.gradient(x), 0
    for name, shape in model.layers.items():
        part = gv.trainable(model, name)
        columns = whole[:, start : start + int(np.prod(shape))]
        start += columns.shape[1]
        np.testing.assert_array_equal(part.gradient(x), columns)
        np.testing.assert_array_equal(part.predict(x), model.predict(x))
        kernel = sum((a @ a.T) * (b @ b.T) for a, b in tangent_factors(part, x))
        np.testing.assert_allclose(kernel, columns @ columns.T, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(
            pullback(part, x)[1](np.arange(6.0)), np.arange(6.0) @ columns, rtol=1e-12, atol=1e-14
        )
        check_model(part, x).raise_if_failed()
    assert start == whole.shape[1]


def brute(H, model, names, loss="square", moment="variance"):
    """The moment over all members from the gradients at all inputs, in the columns of these layers."""
    x = H.inputs.points(0, H.inputs.n_points)
    weights = H.inputs.weights(0, H.inputs.n_points)
    signal = gv.Problem(H, model, loss).signal_scale(x)[:, None] * model.gradient(x)
    kept = np.concatenate([np.full(math.prod(shape), name in names) for name, shape in model.layers.items()])
    c = reference.projection(H.evaluate(H.members(), x), weights, signal[:, kept])
    return float(np.mean(np.sum((c - (c.mean(axis=0) if moment == "variance" else 0.0)) ** 2, axis=1)))


CLASSES = {
    "degree": gv.SparseParities(5, 2),
    "odd degree": gv.SparseParities(5, 3),
    "all": gv.Parities(4),
    "by name": gv.Parities(5).restrict([3, 5, 6, 21]),
    "biased": gv.BiasedParities(4, 0.3),
    "table": gv.FiniteClass(
        np.random.default_rng(0).choice([-1.0, 1.0], (5, 6)), np.random.default_rng(1).normal(size=(6, 3))
    ),
}
MODELS = {
    "tanh": lambda d: mlp([d, 3, 1]),
    "relu": lambda d: mlp([d, 3, 1], "relu"),
    "equal": lambda d: gv.MLP([[[0.7] * d, [-0.7] * d], [[1.5, -0.3]]], [[0.2, 0.3], [0.1]], activation="tanh"),
    "no bias": lambda d: gv.MLP.random([d, 3, 1], bias=False, rng=2),
    "one layer": lambda d: gv.MLP([[[0.3] * d]], [[0.2]]),
    "deep": lambda d: mlp([d, 3, 2, 1]),
}


EXPONENTIAL = gv.MarginLoss(lambda z: -np.exp(-z), math.inf)
PROBLEMS = [(name, of, "square") for name in CLASSES for of in MODELS] + [
    (name, of, EXPONENTIAL) for name in ("degree", "all", "table") for of in ("tanh", "deep")
]


@pytest.mark.parametrize(("name", "of", "loss"), PROBLEMS)
def test_every_exact_method_takes_parts(name, of, loss):
    """The choice of all methods, and each by itself, is the brute-force number of the columns."""
    H = CLASSES[name]
    model = MODELS[of](H.inputs.dim)
    layers = list(model.layers)
    for names in [*([layer] for layer in layers), layers[:1] + layers[-1:]]:
        part = gv.trainable(model, names)
        for verb, moment in ((gv.gradient_variance, "variance"), (gv.gradient_alignment, "second")):
            truth = brute(H, model, names, loss, moment)
            for method in ("auto", "closed-form", "enumeration", "covariance-sum"):
                try:
                    found = verb(H, part, loss, method=method, rtol=0, max_samples=4, rng=0)
                except gv.NotApplicableError:
                    assert method != "auto"
                    continue
                assert found.exact
                low, high = found.interval
                assert low <= truth * (1 + 1e-13) + 1e-17
                assert truth * (1 - 1e-13) <= high + 1e-17
                assert found.value == pytest.approx(truth, rel=1e-9, abs=1e-15), (names, method, moment)


@pytest.mark.parametrize(
    ("H", "model"),
    [
        (gv.SparseParities(60, 3), mlp([60, 3, 1])),
        (gv.SparseParities(90, 2), gv.MLP.random([90, 2, 1], activation="relu", rng=0)),
        (gv.SparseParities(40, 5), gv.MLP([[[0.1] * 40], [[2.0]]], [[0.3], [0.1]], activation="relu")),
        (gv.Parities(50), mlp([50, 3, 1], "erf")),
        (gv.Parities(200).restrict([3, 5, 9]), gv.MLP.random([200, 2, 1], rng=0)),
        (gv.LinearPeriodic(4, 2.0), mlp([4, 3, 1])),
        (gv.LinearPeriodic(4, 2.0), gv.MLP([[[0.3] * 4]], [[0.2]])),
    ],
)
def test_closed_forms_of_layers_sum_to_that_of_the_whole(H, model):
    """Beyond the reach of enumeration: values and both norms."""
    whole = gv.gradient_variance(H, model, method="closed-form")
    parts = [gv.gradient_variance(H, gv.trainable(model, name), method="closed-form") for name in model.layers]
    assert math.fsum(part.value for part in parts) == pytest.approx(whole.value, rel=1e-9)
    assert all(part.exact == whole.exact for part in parts)
    assert parts[-1].value <= 1e-12 * whole.value or not isinstance(H, gv.SparseParities)
    check = gv.bound_check(H, model, method="closed-form")
    norms = [gv.bound_check(H, gv.trainable(model, name)).gradient_norm_sq.value for name in model.layers]
    assert math.fsum(norms) == pytest.approx(check.gradient_norm_sq.value, rel=1e-9)


def test_the_hinge_is_constant_for_parts_of_a_small_network():
    """What the theorem knows of the whole network's predictions holds for its parts."""
    model = gv.MLP([np.full((2, 40), 0.1), [[0.2, 0.3]]])
    part = gv.trainable(model, "weights[0]")
    assert gv.gradient_variance(gv.SparseParities(40, 3), part, "hinge").exact


def test_monte_carlo_of_a_part_holds_the_truth():
    """Pairs and members."""
    H, model = gv.SparseParities(8, 2), mlp([8, 4, 3, 1])
    part = gv.trainable(model, ["weights[0]", "biases[1]"])
    truth = brute(H, model, part.layers)
    for method in (gv.MonteCarlo(), SampledMembers()):
        low, high = gv.gradient_variance(H, part, method=method, rng=1).interval
        assert low < truth < high


def test_parameters_and_training():
    """Random features: descent moves the layers that are trained, and nothing else."""
    H, model = gv.Parities(4), mlp([4, 8, 1])
    part = gv.trainable(model, "weights[1]")
    np.testing.assert_array_equal(part.parameters, model.weights[1][0])
    moved = part.with_parameters(np.zeros(8))
    assert isinstance(moved, gv.models.Trainable)
    np.testing.assert_array_equal(moved.model.weights[0], model.weights[0])
    np.testing.assert_array_equal(moved.model.weights[1], np.zeros((1, 8)))
    after = gv.descend(H.member([True, False, False, False]), part, steps=50, learning_rate=0.1, rng=0).model
    np.testing.assert_array_equal(after.model.weights[0], model.weights[0])
    assert (after.parameters != part.parameters).all()


def test_names_and_groups():
    """A name, several, what they have in common, all of them; a part of a part."""
    model = mlp([4, 3, 2, 1])
    assert list(gv.trainable(model, "weights").layers) == ["weights[0]", "weights[1]", "weights[2]"]
    assert list(gv.trainable(model, ["biases[2]", "weights[0]"]).layers) == ["weights[0]", "biases[2]"]
    assert gv.trainable(model, ["weights", "biases"]) is model
    again = gv.trainable(gv.trainable(model, "weights"), "weights[1]")
    assert again.model is model
    assert "the gradient of weights[1] alone" in again.description
    assert "weights[1]" in repr(again)


def test_models_of_functions_name_their_layers():
    """By `layers=`, whose sizes are looked at; without it there is one."""
    functions = (lambda x: x @ [1.0, 2.0] + 1.0, lambda x: np.column_stack([x, np.ones(len(x))]), 3)
    model = gv.from_function(*functions, layers={"w": (2,), "b": ()})
    assert gv.trainable(model, "b").gradient(np.ones((4, 2))).tolist() == [[1.0]] * 4
    assert gv.from_function(*functions).layers == {"all": (3,)}
    with pytest.raises(gv.ShapeError, match="`layers` must have shapes of 3 numbers"):
        gv.from_function(*functions, layers={"w": (2,)})


@pytest.mark.parametrize("layers", ["weights[7]", [], ["weights[0]", "bias"], "", "w", [0], "weights[0"])
def test_layers_that_there_are_not(layers):
    """Named, with those that there are."""
    with pytest.raises(ValueError, match=r"`layers` must name.*'weights\[0\]'"):
        gv.trainable(mlp([4, 3, 1]), layers)


@pytest.mark.parametrize("model", [gv.InfiniteMLP(2), gv.MLP, 3, None])
def test_what_is_no_model_at_fixed_weights(model):
    """Refused by name."""
    with pytest.raises(TypeError, match="`model` must be a model at fixed weights"):
        gv.trainable(model, "weights[0]")


def test_a_gradient_of_another_width_is_refused():
    """It would be cut apart at the wrong places."""

    class Wide:
        n_parameters, layers = 2, MappingProxyType({"a": (1,), "b": (1,)})

        def predict(self, x):
            return x[:, 0]

        def gradient(self, x):
            return np.ones((len(x), 3))

    with pytest.raises(gv.ShapeError, match="must return 2 columns"):
        gv.gradient_variance(gv.Parities(3), gv.trainable(Wide(), "a"))


def test_rounding_of_a_part_is_relative_to_its_own_size():
    """A layer whose gradient is small has lost more of its digits."""

    class Single(gv.Linear):
        @property
        def layers(self):
            return {"a": (1,), "b": (1,)}

        def gradient(self, x):
            return x * [1e-3, 1.0]

        def tangent_factors(self, x):
            return [(self.gradient(x), np.ones((len(x), 1)))]

        def rounding(self, x):
            return 1e-6

    model, x = Single([1.0, 1.0]), np.ones((4, 2))
    assert gv.trainable(model, "a").rounding(x) == pytest.approx(1e-3, rel=1e-4)
    assert gv.trainable(model, "b").rounding(x) == pytest.approx(1e-6, rel=1e-4)


def test_layers_of_several_outputs_sum_to_the_whole():
    """Ten labels on six points, by layer."""
    rng = np.random.default_rng(0)
    H = gv.FiniteClass(rng.integers(0, 3, (5, 6)), rng.normal(size=(6, 2)), n_classes=3)
    model = gv.MLP.random([2, 4, 3], rng=0)
    parts = [gv.gradient_variance(H, gv.trainable(model, name), "cross-entropy").value for name in model.layers]
    assert math.fsum(parts) == pytest.approx(gv.gradient_variance(H, model, "cross-entropy").value, rel=1e-11)
    assert min(parts) > 0
