"""A table of what a careless user passes: each is refused with an error that names the argument and what was given."""

import re
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import gradvar as gv

BIG = 10**400
NAN, INF = float("nan"), float("inf")
CUBE = gv.Hypercube(4)
H = gv.Parities(4)
WAVES = gv.LinearPeriodic(3, 2)
TABLE = gv.FiniteClass([[1, 2]], [[0.0], [1.0]])
LINEAR = gv.Linear([1.0, 2.0, 3.0, 4.0])
NET = gv.MLP.random([4, 3, 1], rng=0)
RAGGED = [[1.0, 2.0], [3.0]]
NOT_NUMBERS = ["a", "1", None, [["1"]], [1j], RAGGED, {"a": 1}, [None], [BIG], np.array(["1.0"])]


class NeedsGrad:
    """What an array interface looks like that refuses, as tensors do that know their gradient."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


class Own:
    """A user's class of four members on the cube, whose methods return what they are told to."""

    inputs, log2_size = CUBE, 2.0

    def __init__(self, **returned):
        for name, value in returned.items():
            setattr(self, name, lambda *args, value=value, **kwargs: value)

    def sample(self, m, rng):
        return np.arange(m) % 4

    def evaluate(self, members, x):
        return x.T[members]


def own(method, **returned):
    return gv.gradient_variance(Own(**returned), LINEAR, method=method, rng=0)


def function(predict=lambda x: x[:, 0], gradient=lambda x: x):
    return gv.from_function(predict, gradient, 4)


def descend(**changed):
    arguments = {"target": H.member(3), "model": LINEAR, "steps": 2, "learning_rate": 0.1, **changed}
    return gv.descend(arguments.pop("target"), arguments.pop("model"), **arguments)


def with_each(name, call, values):
    """A row of the table for each of these values of one argument."""
    return [(name, value, call) for value in values]


INTEGERS = ["4", 4.5, 4.0, None, [4], True, NAN, 1e5, np.float64(4), "", -3]
NUMBERS = ["0.1", None, [0.1, 0.2], 1j, True, np.True_, NAN]
FLAGS = ["no", "yes", 1, 0, None, [True]]
SEEDS = ["0", 0.5, -1, True, np.random, [1, "a"], {1: 2}]
NAMES = ["tanhh", "Tan", None, 3, ["tanh"], np.tanh]
RETURNED = ["a", None, 1j, np.ones((2, 3)), [["1"]], RAGGED]
EXECUTORS = [4, "threads", [None], object()]

ROWS = [
    *with_each("dim", gv.Parities, INTEGERS),
    *with_each("degree", lambda v: gv.SparseParities(5, v), [*INTEGERS, 6]),
    *with_each("dim", lambda v: gv.PlantedParities(v, 3), INTEGERS),
    *with_each("degree", lambda v: gv.PlantedParities(5, v), [*INTEGERS, 2, 7]),
    *with_each("bias", lambda v: gv.BiasedParities(5, v), [*NUMBERS, 1.0, -1]),
    *with_each("radius", lambda v: gv.LinearPeriodic(5, v), [*NUMBERS, 0, -2, INF]),
    *with_each("wave", lambda v: gv.LinearPeriodic(5, 2, v), ["cosin", 3, None]),
    *with_each("p", gv.ModularMultiples, [*INTEGERS, 6, BIG]),
    *with_each("p", gv.DiscreteLog, [*INTEGERS, 6]),
    *with_each("dim", lambda v: gv.RandomNetworks(v, 2), INTEGERS),
    *with_each("dim", lambda v: gv.OrthogonalNetworks(v, 2), INTEGERS),
    *with_each(
        "values", lambda v: gv.FiniteClass(v, [[0.0], [1.0]]), [[["a", "b"]], [[1j, 2]], 5, None, RAGGED, [[NAN, 1]]]
    ),
    *with_each("points", lambda v: gv.FiniteClass([[1, 2]], v), [*NOT_NUMBERS, 5, [[NAN], [1]]]),
    *with_each(
        "weights", lambda v: gv.FiniteClass([[1, 2]], [[0.0], [1.0]], v), ["uniform", [NAN, 1], [1, 2], [2, -1], 5]
    ),
    *with_each("sampler", lambda v: gv.SampledClass(v, CUBE), [3, None, "a"]),
    *with_each("inputs", lambda v: gv.SampledClass(lambda rng: None, v), [4, None, "cube", gv.Hypercube]),
    *with_each("log2_size", lambda v: gv.SampledClass(lambda rng: None, CUBE, log2_size=v), ["3", -1, NAN]),
    *with_each("labels", lambda v: gv.SampledClass(lambda rng: None, CUBE, labels=v), ["sign", 3]),
    # inputs
    *with_each("dim", gv.Hypercube, INTEGERS),
    *with_each("bias", lambda v: gv.Hypercube(4, v), [*NUMBERS, 1]),
    *with_each("dim", gv.Gaussian, INTEGERS),
    *with_each("encoding", lambda v: gv.CyclicGroup(7, encoding=v), ["bit", 3]),
    *with_each("points", gv.FinitePoints, [*NOT_NUMBERS, [], [[NAN]]]),
    *[
        row
        for inputs in (CUBE, gv.Gaussian(3), gv.CyclicGroup(7), gv.FinitePoints([[1.0]]))
        for row in [
            *with_each("n", lambda v, inputs=inputs: inputs.sample(v, 0), ["5", -5, 2.0]),
            *with_each("rng", lambda v, inputs=inputs: inputs.sample(2, v), SEEDS),
        ]
    ],
    *[
        row
        for inputs in (CUBE, gv.CyclicGroup(7), gv.FinitePoints([[1.0]]))
        for call in (inputs.points, inputs.weights)
        for row in [
            *with_each("stop", lambda v, call=call: call(0, v), ["1", 17, -1, 1.0]),
            *with_each("start", lambda v, call=call: call(v, 1), ["0", -1, 2, 0.5]),
        ]
    ],
    # members and values
    *with_each(
        "x", lambda v: H.evaluate([[1, 0, 0, 0]], v), [*NOT_NUMBERS, [[1, 1]], [[2, 1, 1, 1]], [[NAN, 1, 1, 1]]]
    ),
    *with_each("x", lambda v: H.covariance(v, np.ones((1, 4))), [*NOT_NUMBERS, [1, 1, 1, 1]]),
    *with_each("x", H.mean, [*NOT_NUMBERS, 3]),
    *with_each("f", H.project, [*NOT_NUMBERS, [[1.0]]]),
    *with_each(
        "members", lambda v: H.evaluate(v, np.ones((1, 4))), ["a", [[1, 0]], RAGGED, [[0.5, 0, 0, 0]], [[2, 0, 0, 0]]]
    ),
    *with_each("members", lambda v: WAVES.evaluate(v, np.ones((1, 3))), ["a", [[1, 0]], RAGGED, None]),
    *with_each("members", lambda v: TABLE.evaluate(v, [[0.0]]), ["a", [[1, 0]], RAGGED, [0.0], [7]]),
    *with_each("m", H.sample, ["5", -1, 2.5, None]),
    *with_each("rng", lambda v: H.sample(2, v), SEEDS),
    # models
    *[
        row
        for model in (gv.Linear, gv.Cosine)
        for row in with_each("weights", model, [*NOT_NUMBERS, 3, [NAN], [], NeedsGrad()])
    ],
    *with_each("weights", gv.MLP, ["abc", [], 3, None, [[1.0, 2.0]], [RAGGED, [[1.0]]], [[[1.0]], [["a"]]], [[[INF]]]]),
    *with_each("biases", lambda v: gv.MLP([[[1.0]], [[1.0]]], v), ["ab", 3, [1.0, 2.0], [["a"], [1.0]], [[1.0]]]),
    *with_each("activation", lambda v: gv.MLP([[[1.0]]], activation=v), NAMES),
    *with_each("activation", lambda v: gv.InfiniteMLP(2, v), NAMES),
    *with_each("sizes", gv.MLP.random, [4, [4], "4-8-1", [4, 8.0, 1], [4, "8", 1], [4, 0, 1], None]),
    *[
        row
        for draw in (
            lambda **a: gv.MLP.random([4, 3, 1], **a),
            lambda **a: gv.Convolutional.random(6, [2], 3, **a),
            lambda **a: gv.Recurrent.random(6, 3, **a),
            lambda **a: gv.Attention.random(6, 2, **a),
            lambda **a: gv.ResidualMLP.random(6, 2, 1, **a),
            lambda **a: gv.WeightTied.random(6, 2, 1, **a),
        )
        for row in [
            *with_each("rng", lambda v, draw=draw: draw(rng=v), SEEDS),
            *with_each("scale", lambda v, draw=draw: draw(scale=v), [*NUMBERS, -1, INF]),
            *with_each("bias", lambda v, draw=draw: draw(bias=v), FLAGS),
        ]
    ],
    *with_each("dim", lambda v: gv.Convolutional([[[[1.0]]]], [1.0], dim=v), INTEGERS),
    *with_each("kernels", lambda v: gv.Convolutional(v, [1.0], dim=3), ["a", [], 3, [[[1.0]]], [[[["a"]]]]]),
    *with_each("output_weights", lambda v: gv.Convolutional([[[[1.0]]]], v, dim=3), [*NOT_NUMBERS, [1, 2]]),
    *with_each(
        "output_bias", lambda v: gv.Convolutional([[[[1.0]]]], [1.0], output_bias=v, dim=3), ["a", [1, 2], True, NAN]
    ),
    *with_each("length", lambda v: gv.Recurrent.random(6, 3, v), ["3", 4, 2.0, 0]),
    *with_each("heads", lambda v: gv.Attention.random(6, 4, v), ["2", 3, 2.0]),
    *with_each("blocks", lambda v: gv.ResidualMLP.random(6, 3, v), ["2", 1.5, -1]),
    *with_each("steps", lambda v: gv.WeightTied.random(6, 3, v), ["2", 0, 2.5]),
    *with_each("depth", gv.InfiniteMLP, INTEGERS),
    *with_each("width", lambda v: gv.InfiniteMLP(2, width=v), ["4", 0, 2.5]),
    *with_each("scale", lambda v: gv.InfiniteMLP(2, scale=v), [*NUMBERS, 0, -1]),
    *with_each("bias", lambda v: gv.InfiniteMLP(2, bias=v), FLAGS),
    *with_each("rho", gv.InfiniteMLP(2).kernel, ["a", [2.0], [NAN], [1j]]),
    *with_each("x", lambda v: gv.InfiniteMLP(2).tangent_kernel(v, [[1.0]]), [*NOT_NUMBERS, [1.0]]),
    *[
        row
        for model in (LINEAR, NET, gv.Cosine([1.0] * 4))
        for call in (model.predict, model.gradient, model.tangent_factors)
        for row in with_each("x", call, [*NOT_NUMBERS, [1.0], np.ones((2, 5)), NeedsGrad()])
    ],
    *with_each("parameters", NET.with_parameters, [*NOT_NUMBERS, [1, 2], [NAN] * 19]),
    *with_each("c", NET.pullback(np.ones((2, 4)))[1], ["ab", [1, 2, 3], [1], None]),
    *with_each("n_parameters", lambda v: gv.from_function(np.sum, np.sum, v), [*INTEGERS, 0]),
    *with_each("predict", lambda v: gv.from_function(v, np.sum, 4), [3, None, "a"]),
    *with_each(
        "predict",
        lambda v: function(predict=lambda x: v).predict(np.ones((2, 4))),
        ["a", None, 1j, ["a", "b"], [1.0, 2.0, 3.0]],
    ),
    *with_each(
        "gradient", lambda v: function(gradient=lambda x: v).gradient(np.ones((2, 4))), ["a", None, 1j, [[1.0], [2.0]]]
    ),
    # losses
    *with_each("derivative", lambda v: gv.MarginLoss(v, 1.0), ["a", 3, None]),
    *with_each("lipschitz", lambda v: gv.MarginLoss(np.sign, v), [*NUMBERS, 0, -1]),
    *with_each("derivative", lambda v: gv.MarginLoss(lambda m: v, 1.0).split(np.ones(3)), ["a", 1.0, [1.0], None]),
    # verbs
    *[
        row
        for verb in (
            lambda **a: gv.bound_check(a.pop("H", H), a.pop("model", LINEAR), **a),
            lambda **a: gv.gradient_variance(a.pop("H", H), a.pop("model", LINEAR), **a),
            lambda **a: gv.along(a.pop("H", H), [a.pop("model", LINEAR)], **a),
        )
        for row in [
            *with_each("H", lambda v, verb=verb: verb(H=v), [None, "Parities(4)", gv.Parities, 3, [H]]),
            *with_each(
                "loss",
                lambda v, verb=verb: verb(loss=v),
                ["squared", "Square", None, gv.MarginLoss, ["square"], np.sign],
            ),
            *with_each("method", lambda v, verb=verb: verb(method=v), ["montecarlo", None, gv.MonteCarlo, ["auto"], 3]),
            *with_each("rtol", lambda v, verb=verb: verb(rtol=v), [*NUMBERS, 10, -1, INF]),
            *with_each("confidence", lambda v, verb=verb: verb(confidence=v), [*NUMBERS, 95, 0, 1, "95%"]),
            *with_each(
                "max_samples", lambda v, verb=verb: verb(max_samples=v), [0, *(v for v in INTEGERS if v is not None)]
            ),
            *with_each("rng", lambda v, verb=verb: verb(rng=v), SEEDS),
            *with_each("executor", lambda v, verb=verb: verb(executor=v), EXECUTORS),
            *with_each("progress", lambda v, verb=verb: verb(progress=v), ["yes", 1, None]),
        ]
    ],
    *[
        row
        for verb in (gv.bound_check, gv.gradient_variance, gv.Problem)
        for row in with_each("model", lambda v, verb=verb: verb(H, v), [None, "net", gv.MLP, 3, [LINEAR], len])
    ],
    *with_each("moment", lambda v: gv.Problem(H, LINEAR, moment=v), ["second", None]),
    *with_each("dim", lambda v: gv.degree_spectrum(LINEAR, dim=v), [v for v in INTEGERS if v is not None]),
    *with_each("loss", lambda v: gv.degree_spectrum(LINEAR, v), ["squar", 3]),
    *with_each("executor", lambda v: gv.degree_spectrum(LINEAR, executor=v), EXECUTORS),
    *with_each("n_members", lambda v: gv.MonteCarlo(n_members=v), [*(v for v in INTEGERS if v is not None), 2]),
    *with_each("variance_reduction", gv.MonteCarlo, FLAGS),
    # a user's own class
    *with_each("H.evaluate", lambda v: own("monte-carlo", evaluate=v), RETURNED),
    *with_each("H.covariance", lambda v: own("monte-carlo", covariance=v), RETURNED),
    *with_each("H.project", lambda v: own("enumeration", project=v), [*RETURNED, np.full((4, 4), NAN)]),
    *with_each("H.log2_size", lambda v: gv.bound_check(type("A", (Own,), {"log2_size": v})(), LINEAR), ["2", -1, None]),
    *with_each("H.inputs", lambda v: gv.bound_check(type("A", (Own,), {"inputs": v})(), LINEAR), ["cube", 4, None]),
    *with_each("H.operator_norm", lambda v: gv.bound_check(Own(operator_norm=v), LINEAR, rng=0), ["a", NAN, -1.0, 1j]),
    # training and sweeps
    *with_each("steps", lambda v: descend(steps=v), [*INTEGERS, 0]),
    *with_each("batch", lambda v: descend(batch=v), [*INTEGERS, 0]),
    *with_each("record", lambda v: descend(record=v), [*INTEGERS, 0]),
    *with_each("learning_rate", lambda v: descend(learning_rate=v), [*NUMBERS, 0, -1, INF]),
    *with_each("optimizer", lambda v: descend(optimizer=v), ["adamw", None, ["sgd"], gv.Adam]),
    *with_each(
        "beta", lambda v: gv.Adam(beta=v), [0.9, (0.9,), (0.9, 1.0), (-0.1, 0.9), ("0.9", 0.9), (float("nan"), 0.9)]
    ),
    *with_each("epsilon", lambda v: gv.Adam(epsilon=v), [0.0, -1e-8, INF, "1e-8"]),
    *with_each("weight_decay", lambda v: descend(weight_decay=v), [-0.1, NAN, INF, None, "0.1"]),
    *with_each("until", lambda v: descend(until=v), [0.0, 1.01, NAN, "0.9", True]),
    *with_each("inputs", lambda v: descend(inputs=v), ["cube", 3, gv.Hypercube]),
    *with_each("model", lambda v: descend(model=v), [None, "net", gv.MLP, gv.InfiniteMLP(2)]),
    *with_each("target", lambda v: descend(target=v), [3, "a"]),
    *with_each("loss", lambda v: descend(loss=v), ["squar", None]),
    *with_each("rng", lambda v: descend(rng=v), SEEDS),
    *with_each("progress", lambda v: descend(progress=v), FLAGS),
    *with_each("H", lambda v: gv.grid(H=v, model=LINEAR), ["a", 3, None, [], gv.Parities]),
    *with_each("model", lambda v: gv.grid(H=H, model=v), ["net", [], 3, None, lambda: LINEAR, lambda a, b, c: LINEAR]),
    *with_each("loss", lambda v: gv.grid(H=H, model=LINEAR, loss=v), ["squar", 3, []]),
    *with_each("seed", lambda v: gv.grid(H=H, model=LINEAR, seed=v), ["0", -1, 1.5, None, [0, "1"]]),
    *with_each("parameters", lambda v: gv.NamedProblem(v, H, LINEAR), [3, {}, {"a": [1]}, {"value": 1}, {1: 1}]),
    *with_each("problems", gv.sweep, [3, "a", None, [3], [("a", 3)], [("a", H, LINEAR)], [{"H": H}], {"a": 3}]),
    *with_each("executor", lambda v: gv.sweep([], executor=v, progress=False), EXECUTORS),
    *with_each("progress", lambda v: gv.sweep([], progress=v), FLAGS),
    *with_each("ax", lambda v: gv.bound_check(H, LINEAR).plot(v), [3, "a"]),
]


def refused(name, value, call):
    """Why the answer to this argument is not what it should be, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = call(value)
    except (TypeError, ValueError) as error:
        # `name`, or a part of it such as `weights[0]` and `predict(x)`; and a plain value that was given
        if not re.search(rf"`{name}[`\[(]", str(error)):
            return f"an error without its name: {type(error).__name__}: {error}"
        plain = isinstance(value, (str, float)) or (isinstance(value, int) and value != BIG)
        said = not plain or str(value) in str(error) or "got ()" in str(error)
        return None if said else f"an error without what was given: {error}"
    except Exception as error:
        return f"a crash: {type(error).__name__}: {error}"
    return f"taken: {found!r}"


@pytest.mark.parametrize("name", sorted({name for name, _, _ in ROWS}))
def test_each_wrong_argument_is_refused_by_its_name(name):
    answers = [(value, refused(name, value, call)) for row, value, call in ROWS if row == name]
    wrong = [f"{name}={value!r:.60}: {why:.300}" for value, why in answers if why is not None]
    assert not wrong, "\n".join(wrong)


def test_the_table_would_show_what_is_taken_what_crashes_and_what_is_not_named():
    def says(error):
        def call(value):
            raise error

        return refused("dim", 4.5, call)

    assert refused("dim", 4.5, lambda v: v) == "taken: 4.5"
    assert says(IndexError("`dim` got 4.5")).startswith("a crash")
    assert says(ValueError("dim must be an integer, got 4.5")).startswith("an error without its name")
    assert says(ValueError("`dim` must be an integer")).startswith("an error without what was given")
    assert says(ValueError("`dim` must be an integer, got 4.5")) is None


def test_what_is_right_in_another_form_is_taken():
    import pandas as pd

    same = gv.Linear([0.5, 2.0])
    for weights in (
        [Fraction(1, 2), Decimal(2)],
        pd.Series([0.5, 2.0]),
        np.array([0.5, 2], dtype=np.float32),
        (0.5, 2),
    ):
        assert gv.Linear(weights).parameters.tolist() == same.parameters.tolist()
    for dim in (4, np.int64(4), np.uint8(4), np.array(4)):
        assert gv.Parities(dim) == H
    for rng in (0, np.int32(0), np.uint64(0), np.random.SeedSequence(0), (0,), np.random.default_rng(0)):
        assert gv.MLP.random([4, 3, 1], rng=rng, bias=np.True_).n_parameters == 19
    frame = pd.DataFrame([[1.0, -1.0], [1.0, 1.0]])
    assert gv.FiniteClass(frame, frame).size == 2
    check = gv.bound_check(H, LINEAR, rtol=Fraction(1, 10), confidence=np.float32(0.95), max_samples=10**400, rng=0)
    assert check.verdict == "holds"
    assert gv.bound_check(H, LINEAR, rtol=1, progress=np.False_).variance.value == check.variance.value
