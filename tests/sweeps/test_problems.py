"""Grids and named problems: names, parameters, functions that make models, and what is refused."""

import dataclasses
import functools
import types

import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments.sweep.grid import attributes
from gradvar.experiments.sweep.problems import as_named

H5, H6 = gv.Parities(5), gv.Parities(6)
LINEAR = gv.Linear([1.0] * 5)


def mlp(H, seed):
    return gv.MLP.random([H.inputs.dim, 3, 1], rng=seed)


def names(problems):
    return [problem.parameters for problem in problems]


def test_grid_is_all_combinations_with_seeds_innermost():
    problems = gv.grid(H={"a": H5, "b": H6}, model=[mlp], loss=["square", "hinge"], seed=range(2))
    assert names(problems) == [
        {"H": h, "dim": dim, "model": "mlp", "loss": loss, "seed": seed}
        for h, dim in (("a", 5), ("b", 6))
        for loss in ("square", "hinge")
        for seed in (0, 1)
    ]
    assert {problem.rtol for problem in gv.grid(H=H5, model=mlp, rtol=0.5)} == {0.5}


def test_single_parts_are_called_by_what_they_are():
    margin = gv.MarginLoss(lambda m: -np.exp(-m), lipschitz=float("inf"), name="exponential")
    (problem,) = gv.grid(H=gv.LinearPeriodic(3, radius=2), model=gv.Cosine([1.0] * 3))
    said = {"H": "LinearPeriodic(dim=3, radius=2)", "dim": 3, "radius": 2.0, "wave": "cosine"}
    assert problem.parameters == {**said, "model": "Cosine(dim=3)", "loss": "square", "seed": 0}
    assert [p.parameters["loss"] for p in gv.grid(H=H5, model=LINEAR, loss=margin)] == ["exponential"]
    assert [p.parameters["loss"] for p in gv.grid(H=H5, model=LINEAR, loss={"e": margin})] == ["e"]
    assert [p.parameters["model"] for p in gv.grid(H=H5, model={8: mlp, 9.5: LINEAR})] == [8, 9.5]


def test_more_seeds_later_keep_the_names_of_the_first():
    once = gv.grid(H=H5, model=mlp, seed=0)
    more = gv.grid(H=[H5, H6], model=[mlp], loss=["square", "hinge"], seed=np.arange(3))
    assert {p.key for p in once} <= {p.key for p in more}


def test_attributes_are_the_plain_arguments_of_the_class():
    assert attributes(gv.SparseParities(7, 3)) == {"dim": 7, "degree": 3}
    assert attributes(gv.FiniteClass([[1, -1]], [[0.0, 1.0], [1.0, 0.0]])) == {"dim": 2}
    plain = types.SimpleNamespace(inputs=H5.inputs, log2_size=1.0)
    assert attributes(plain) == {"dim": 5}

    @dataclasses.dataclass
    class Mine:
        inputs: object
        log2_size: float
        depth: np.int64
        value: float  # the name of a column
        table: np.ndarray
        rate: float

    mine = Mine(H6.inputs, 2.0, np.int64(3), 1.0, np.ones(2), np.inf)
    assert attributes(mine) == {"dim": 6, "depth": 3}  # log2_size is a column as well


class Maker:
    def __call__(self, H, seed):
        return mlp(H, seed)


@pytest.mark.parametrize(
    "factory",
    [
        mlp,
        lambda H, seed: mlp(H, seed),
        lambda H, s: mlp(H, s),
        lambda H, width=3, seed=0: gv.MLP.random([H.inputs.dim, width, 1], rng=seed),
        lambda H, *, rng: mlp(H, rng),
        functools.partial(lambda width, H, seed: gv.MLP.random([H.inputs.dim, width, 1], rng=seed), 3),
        Maker(),
    ],
)
def test_functions_that_make_models_are_given_class_and_seed(factory):
    (problem,) = gv.grid(H=H5, model={"m": factory}, seed=7)
    assert problem.factory is factory
    np.testing.assert_array_equal(problem.build().model.weights[0], mlp(H5, 7).weights[0])


def test_functions_of_the_class_alone():
    for factory in (lambda H: gv.Linear([1.0] * H.dim), lambda H, scale=2.0: gv.Linear([scale] * H.dim)):
        assert gv.grid(H=H5, model=factory)[0].build().model.dim == 5
    assert gv.grid(H=H5, model=LINEAR)[0].factory is None


def test_what_sweep_takes():
    problem = gv.Problem(H5, LINEAR)
    pairs = as_named([("a", problem), ({"name": "b", "width": np.int64(3)}, problem)])
    assert names(pairs) == [{"name": "a"}, {"name": "b", "width": 3}]
    assert names(as_named({"a": problem})) == [{"name": "a"}]
    (one,) = as_named([{"parameters": "c", "H": H5, "model": LINEAR, "seed": 4}])
    assert (one.parameters, one.seed) == ({"name": "c"}, 4)
    assert names(as_named(iter(pairs))) == names(pairs)
    assert as_named([]) == []
    moved = dataclasses.replace(pairs[0], parameters={"name": "z"}, seed=3)
    assert (moved.parameters, moved.seed, moved.model) == ({"name": "z"}, 3, LINEAR)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"H": []}, "`H` must hold at least one entry"),
        ({"H": 5}, "`H` must be one entry, a list of them or a dict"),
        ({"H": [5]}, "`H` must be a hypothesis class"),
        ({"H": gv.Parities}, "`H` must be"),
        ({"H": [H5, gv.Parities(5)]}, r"`H` has two entries called 'Parities\(dim=5\)'"),
        ({"H": {H5: H5}}, r"`parameters\['H'\]` must be a string"),
        ({"H": {float("nan"): H5}}, r"`parameters\['H'\]` must be a string"),
        ({"model": [mlp, mlp]}, "`model` has two entries called 'mlp'"),
        ({"model": 5}, "`model` must be"),
        ({"model": [5]}, "`model` must be a model"),
        ({"model": lambda: LINEAR}, r"`model` must be a model .* or a function of \(H, seed\) or \(H\)"),
        ({"model": lambda H, width, depth: LINEAR}, r"with the signature \(H, width, depth\)"),
        ({"model": lambda H, width, seed: LINEAR}, r"with the signature \(H, width, seed\)"),
        ({"loss": "sqare"}, "`loss` must be one of"),
        ({"loss": ["square", "square"]}, "`loss` has two entries called 'square'"),
        ({"loss": 3}, "`loss` must be"),
        ({"seed": [0, 0]}, "`seed` has two entries called 0"),
        ({"seed": -1}, "`seed` must be an integer >= 0"),
        ({"seed": 0.5}, "`seed` must be"),
        ({"seed": "ab"}, "`seed` must be"),
        ({"seed": None}, "`seed` must be"),
        ({"method": "exact"}, "`method` must be one of"),
        ({"rtol": -1}, "`rtol` must be"),
        ({"confidence": 2}, "`confidence` must"),
        ({"max_samples": 0}, "`max_samples` must"),
    ],
)
def test_grid_refuses(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        gv.grid(**{"H": H5, "model": mlp, **arguments})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "`parameters` must be a name or a dict"),
        (5, "`parameters` must be a name or a dict"),
        ({5: 1}, "`parameters` must be named by strings, got the name 5"),
        ({"value": 1}, "got the name 'value', which is a column of the results"),
        ({"a": [1]}, r"`parameters\['a'\]` must be a string, a finite number"),
        ({"a": float("inf")}, r"`parameters\['a'\]` must be"),
        ({"seed": 3}, r"`parameters\['seed'\]` is 3, but `seed` is 0"),
    ],
)
def test_parameters_that_are_refused(parameters, message):
    with pytest.raises((TypeError, ValueError), match=message):
        gv.NamedProblem(parameters, H5, LINEAR)


@pytest.mark.parametrize(
    "problems",
    [None, 5, "abc", gv.Problem(H5, LINEAR), gv.NamedProblem("a", H5, LINEAR), [5], [("a", 5)], [("a",)]],
)
def test_sweep_refuses_what_are_not_problems(problems):
    with pytest.raises(TypeError, match=r"`problems(\[0\])?` must be"):
        gv.sweep(problems, progress=False)


def test_sweep_refuses_two_problems_of_one_name():
    problem = gv.Problem(H5, LINEAR)
    with pytest.raises(ValueError, match=r"`problems` 0 and 2 have the same parameters \{'name': 'a'\}"):
        gv.sweep([("a", problem), ("b", problem), ("a", problem)], progress=False)
