"""Every public function and method with an `rng` takes an int, a SeedSequence, a Generator or None."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

import gradvar as gv
from gradvar.testing.checks import Check

H, MODEL = gv.Parities(3), gv.Linear([1.0, 0.0, 1.0])


def draw_task(rng):
    shift = float(rng.standard_normal())
    return lambda n, rng: (rng.standard_normal((n, 2)), np.full(n, shift))


def draw_target(rng):
    w = rng.standard_normal(2)
    return lambda x: x @ w


OBJECTS = [
    gv.Hypercube(3),
    gv.Hypercube(3, bias=0.5),
    gv.Gaussian(2),
    gv.FinitePoints([[0.0], [1.0]], [0.3, 0.7]),
    gv.CyclicGroup(11),
    gv.inputs.PlantedCube(5, 3),
    gv.PlantedParities(5, 3).inputs,
    gv.TaskClass(draw_task, 2).inputs,
    H,
    gv.SparseParities(5, 2),
    gv.BiasedParities(4, 0.5),
    gv.LinearPeriodic(2, 1.0),
    gv.OrthogonalNetworks(4, 3),
    gv.RandomNetworks(2, (3,)),
    gv.ModularMultiples(11),
    gv.DiscreteLog(11),
    gv.ModularAddition(5),
    gv.RandomLabels([[0.0], [1.0], [2.0]]),
    gv.SparseParities(5, 2).noisy(0.1),
    gv.SparseParities(5, 2).on([[1.0, -1.0, 1.0, 1.0, -1.0], [1.0] * 5]),
    gv.FiniteClass([[1.0, 2.0], [3.0, 4.0]], [[0.0], [1.0]]),
    gv.SampledClass(draw_target, gv.Gaussian(2)),
    H.restrict([1, 2, 4]),
    gv.TaskClass(draw_task, 2),
    gv.PlantedParities(5, 3),
    gv.PlantedParities(5, 3).restrict([1, 3]),
]
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "MLP.random": ([3, 2, 1],),
    "Attention.random": (4, 2),
    "Convolutional.random": (6, [2], 3),
    "Recurrent.random": (4, 2),
    "ResidualMLP.random": (3, 2, 1),
    "WeightTied.random": (3, 2, 2),
    "bound_check": (H, MODEL),
    "gradient_variance": (H, MODEL),
    "gradient_alignment": (H.member(3), MODEL),
    "target_signal": (H.member(3), MODEL),
    "population_loss": (H.member(3), MODEL),
    "along": (H, [MODEL]),
    "descend": (H.member(3), MODEL),
    "check_hypothesis_class": (H,),
    "hypothesis_class_checks": (H,),
    "check_model": (MODEL, gv.Hypercube(3)),
    "model_checks": (MODEL, gv.Hypercube(3)),
    "check_loss": ("square",),
    "loss_checks": ("square",),
    "check_theorem1": (H, MODEL),
    "theorem1_checks": (H, MODEL),
}
KEYWORDS = {"descend": {"steps": 2, "learning_rate": 0.1}}


def names_with_rng() -> Iterator[tuple[str, Callable[..., object]]]:
    for module in (gv, gv.testing, gv.inputs, gv.models, gv.classes, gv.methods):
        for name in filter(lambda name: not name.startswith("_"), dir(module)):
            one = getattr(module, name)
            if inspect.isclass(one) and not getattr(one, "_is_protocol", False):
                methods = ((f"{name}.{at}", getattr(one, at)) for at in dir(one) if not at.startswith("_"))
                yield from ((at, method) for at, method in methods if takes_rng(method))
            elif callable(one) and takes_rng(one):
                yield name, one


def takes_rng(one: object) -> bool:
    try:
        return callable(one) and "rng" in inspect.signature(one).parameters
    except ValueError:
        return False


def calls() -> Iterator[tuple[str, Callable[..., object]]]:
    """Every public call with an rng, by name, all other arguments given."""
    for name, method in dict(names_with_rng()).items():
        owner, _, at = name.rpartition(".")
        if name in ARGUMENTS:
            yield name, partial(method, *ARGUMENTS[name], **KEYWORDS.get(name, {}))
            continue
        of = [one for one in OBJECTS if type(one).__name__ == owner]
        assert of, f"{name} takes an rng, but no call of it stands here"
        for i, one in enumerate(of):
            given = (one.sample(2, 0), 5) if at == "draw" else (5,)
            yield f"{name}-{i}", partial(getattr(one, at), *given)


def plain(result: object) -> str:
    """What can be compared of a result; of tasks, examples that they draw."""
    if isinstance(result, list) and inspect.isfunction(result[0]):
        result = [task(2, np.random.default_rng(0)) for task in result]
    if isinstance(result, list) and isinstance(result[0], Check):
        result = list(map(str, result))
    if isinstance(result, gv.Along):  # its table has the time that it took
        return str(result.checks)
    if isinstance(result, gv.models.Model):
        result = result.predict(gv.Hypercube(result.dim).sample(4, 0))
    return str(result)


CALLS = dict(calls())


@pytest.mark.parametrize("name", CALLS)
def test_every_rng_is_an_int_a_seed_of_a_generator_or_none(name: str):
    call = CALLS[name]
    assert plain(call(rng=7)) == plain(call(rng=np.int64(7))) == plain(call(rng=np.random.SeedSequence(7)))
    generated = [plain(call(rng=np.random.default_rng(7))) for _ in range(2)]
    assert generated[0] == generated[1]
    call(rng=None)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wrong", [-1, True, 1.5, "seed"])
def test_every_other_rng_is_refused_by_name(name: str, wrong: object):
    with pytest.raises((TypeError, ValueError), match=r"`rng` must be a non-negative int, a SeedSequence"):
        CALLS[name](rng=wrong)


@pytest.mark.parametrize("inputs", OBJECTS[:8], ids=repr)
def test_a_number_of_inputs_is_a_whole_number(inputs):
    assert inputs.sample(0, 0).shape == (0, inputs.dim)
    with pytest.raises(TypeError, match=r"`n` must be an integer >= 0, got 2.5"):
        inputs.sample(2.5, 0)
    with pytest.raises(ValueError, match=r"`n` must be an integer >= 0, got -1"):
        inputs.sample(-1, 0)
