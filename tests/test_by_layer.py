"""`by="layer"`: one method and one sample for all layers, whose values sum to the whole's."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradvar as gv
from gradvar.methods.monte_carlo.sampled_members import SampledMembers

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(40, 3))
TABLE = RNG.choice([-1.0, 1.0], (5, 40))


def deep(dim):
    """Two hidden layers, sampled beyond the cubes that can be listed."""
    return gv.MLP.random([dim, 5, 4, 1], rng=0)


def members():
    """A class without a covariance, on Gaussian inputs."""

    def halfspace(rng):
        v = rng.normal(size=3)
        return lambda x: np.where(x @ v > 0, 1.0, -1.0)

    return gv.SampledClass(halfspace, gv.Gaussian(3), labels="signs")


CASES = {
    "closed form": (gv.SparseParities(40, 3), gv.MLP.random([40, 3, 1], rng=0), {}),
    "relu, within rtol": (gv.SparseParities(40, 2), gv.MLP.random([40, 3, 1], "relu", rng=0), {}),
    "linear-periodic": (gv.LinearPeriodic(4, 2.0), gv.MLP.random([4, 3, 1], rng=0), {}),
    "Parseval": (gv.Parities(40), gv.MLP.random([40, 3, 1], rng=0), {}),
    "Parseval, sampled": (gv.Parities(40), deep(40), {"rng": 1}),
    "enumeration": (gv.SparseParities(9, 2), deep(9), {"method": "enumeration"}),
    "projection": (gv.FiniteClass(TABLE, POINTS), deep(3), {"method": "enumeration"}),
    "covariance sum": (gv.FiniteClass(TABLE, POINTS), deep(3), {"method": "covariance-sum"}),
    "pairs": (gv.SparseParities(30, 2), deep(30), {"rng": 0, "max_samples": 4096}),
    "pairs, rtol": (gv.SparseParities(8, 1), deep(8), {"rng": 0, "method": "monte-carlo"}),
    "members": (members(), deep(3), {"rng": 0, "rtol": 0.3}),
    "members at all inputs": (gv.FiniteClass(TABLE, POINTS), deep(3), {"rng": 0, "method": SampledMembers()}),
    "flipped": (gv.SparseParities(9, 2).noisy(0.1), deep(9), {}),
    "outputs": (gv.FiniteClass(RNG.integers(0, 3, (4, 40)), POINTS, n_classes=3), gv.MLP.random([3, 4, 3], rng=0), {}),
    "tasks": (gv.PlantedParities(40, 3), deep(40), {"rng": 0, "max_samples": 2048, "rtol": 0}),
    "tasks, rtol": (gv.PlantedParities(20, 3), deep(20), {"rng": 0, "rtol": 0.5, "method": "monte-carlo"}),
    "tasks, enumerated": (gv.PlantedParities(6, 3), deep(6), {"method": "enumeration"}),
    "biased": (gv.BiasedParities(7, 0.3, degree=2), deep(7), {"method": "enumeration"}),
    "all biased": (gv.BiasedParities(7, 0.3), deep(7), {"method": "closed-form"}),
    "one hidden layer, enumerated": (
        gv.SparseParities(7, 2),
        gv.MLP.random([7, 4, 1], rng=0),
        {"method": "enumeration"},
    ),
    "all labelings": (gv.RandomLabels(POINTS), deep(3), {}),
    "no blocks": (
        gv.SparseParities(8, 2),
        gv.from_function(deep(8).predict, deep(8).gradient, deep(8).n_parameters, 8, dict(deep(8).layers)),
        {"rng": 0, "method": "monte-carlo", "max_samples": 1024, "rtol": 0},
    ),
    "a linear function whose weights are two layers": (
        gv.Parities(8).restrict(range(3, 9)),
        gv.from_function(lambda x: x.sum(axis=1), lambda x: x, 8, 8, {"first": (3,), "rest": (5,)}),
        {"method": "enumeration"},
    ),
    "one layer": (gv.Parities(5), gv.Linear([1.0] * 5), {}),
}


OTHERS = ("outputs", "no blocks", "linear-periodic", "members", "members at all inputs", "tasks, rtol")
"""Here the loss is another; or a number of members, or of examples of a task, is chosen by the layer alone."""


@pytest.mark.parametrize("name", CASES)
def test_values_sum_to_the_whole(name):
    """To 1e-10 of it, by the method, the sample and the seed that the whole has."""
    H, model, given = CASES[name]
    options = {"rng": 0, **given}
    loss = "cross-entropy" if name == "outputs" else "square"
    whole = gv.gradient_variance(H, model, loss, **options)
    parts = gv.gradient_variance(H, model, loss, by="layer", **options)
    assert isinstance(parts, gv.LayerEstimates)
    assert list(parts) == list(model.layers)
    tolerance = 1e-6 if name == "linear-periodic" else 1e-10
    assert math.fsum(part.value for part in parts.values()) == pytest.approx(whole.value, rel=tolerance)
    for layer, part in parts.items():
        assert (part.method, part.n_samples, part.seed) == (whole.method, whole.n_samples, whole.seed), layer
        assert part.exact == whole.exact


@pytest.mark.parametrize(
    "target", [gv.SparseParities(9, 2), gv.Parities(9).member(subset=[0, 2]), gv.Parities(300).member(subset=[5])]
)
def test_the_alignment_of_one_target_or_a_class(target):
    """In closed form and enumerated."""
    model = gv.MLP.random([target.hypotheses.inputs.dim if hasattr(target, "hypotheses") else 9, 3, 1], rng=0)
    whole, parts = (gv.gradient_alignment(target, model, by=by) for by in (None, "layer"))
    assert math.fsum(part.value for part in parts.values()) == pytest.approx(whole.value, rel=1e-10)


@pytest.mark.parametrize("name", [name for name in CASES if name not in OTHERS])
def test_each_layer_is_that_of_trainable(name):
    """On the sample of the whole, whose size a pilot chose, the number that the layer has by itself."""
    H, model, given = CASES[name]
    options = {"rng": 0, **given}
    parts = gv.gradient_variance(H, model, by="layer", **options)
    scale = math.fsum(part.value for part in parts.values())
    for layer, part in parts.items():
        if part.n_samples:
            options |= {"max_samples": part.n_samples, "rtol": 0}
        alone = gv.gradient_variance(H, gv.trainable(model, layer), **options)
        if alone.method == part.method:  # of relu units a layer by itself may be declined
            assert part.value == pytest.approx(alone.value, rel=1e-9, abs=1e-12 * scale), layer


def test_two_layers_of_a_task_class_by_brute_force():
    """Var over all tasks of the entries of the mean gradient, layer by layer."""
    H, model = gv.PlantedParities(5, 3), gv.MLP.random([5, 3, 1], rng=0)
    members = H.members()
    x = H.inputs.points(0, H.inputs.n_points)
    weights, targets = H.probabilities(members, x), H.targets(members, x)
    residual = model.predict(x) - targets
    gradients = (weights * residual) @ model.gradient(x)
    each = ((gradients - gradients.mean(axis=0)) ** 2).mean(axis=0)
    parts, start = gv.gradient_variance(H, model, by="layer"), 0
    for layer, shape in model.layers.items():
        stop = start + math.prod(shape)
        assert parts[layer].value == pytest.approx(each[start:stop].sum(), rel=1e-10), layer
        low, high = gv.gradient_variance(H, model, by="layer", method="monte-carlo", rng=0, rtol=0.3)[layer].interval
        assert low - 1e-12 <= each[start:stop].sum() <= high + 1e-12, layer
        start = stop


def test_bits_do_not_depend_on_the_workers():
    """Nor on who chooses the size."""
    H, model = gv.SparseParities(30, 2), deep(30)
    with ThreadPoolExecutor(1) as one:
        first = gv.gradient_variance(H, model, by="layer", rng=0, max_samples=2048, executor=one)
    again = gv.gradient_variance(H, model, by="layer", rng=0, max_samples=2048)
    assert [part.value for part in first.values()] == [part.value for part in again.values()]


def test_few_carriers_of_one_layer_are_no_reason_to_change_its_regression():
    """A layer that is met at few inputs has the control variates of the whole: else values would not sum to it."""
    first = np.zeros((2, 30))
    first[0, :11], first[1, 11:13] = 1.0, 1.0
    model = gv.MLP([first, [[1.0, 1.0]]], [[-10.0, 0.0], None], "relu")
    options = {"rng": 0, "max_samples": 4096, "method": "monte-carlo"}
    H = gv.SparseParities(30, 2)
    for layer in (
        model,
        gv.from_function(model.predict, lambda x: model.gradient(x)[:, :60], 60, 30, {"rare": (30,), "other": (30,)}),
    ):
        parts = gv.gradient_variance(H, layer, by="layer", **options)
        whole = gv.gradient_variance(H, layer, **options)
        assert math.fsum(part.value for part in parts.values()) == pytest.approx(whole.value, rel=1e-10)


def test_what_has_no_layers():
    """An infinite network, another `by`, a check."""
    with pytest.raises(gv.NotApplicableError, match="by='layer' needs a model at fixed weights"):
        gv.gradient_variance(gv.SparseParities(20, 2), gv.InfiniteMLP(2), by="layer")
    with pytest.raises(ValueError, match="`by` must be None or 'layer', got 'unit'"):
        gv.gradient_variance(gv.Parities(4), deep(4), by="unit")
    with pytest.raises(TypeError, match="by"):
        gv.bound_check(gv.Parities(4), deep(4), by="layer")


def test_it_is_a_mapping_that_prints_and_travels():
    """In rows, as JSON."""
    parts = gv.gradient_variance(gv.SparseParities(8, 2), deep(8), by="layer")
    assert len(parts) == 6
    assert "biases[1]   Estimate(" in repr(parts)
    assert json.loads(json.dumps(parts.to_dict()))["weights[0]"]["exact"] is True
    with pytest.raises(KeyError):
        parts["weights[9]"]


def test_the_plot_has_a_bar_for_each_layer():
    """Sampled ones with their interval; what resolves nothing by that word."""
    import matplotlib

    matplotlib.use("Agg")
    exact = gv.gradient_variance(gv.SparseParities(8, 2), deep(8), by="layer").plot()
    assert len(exact.patches) == 6
    assert [label.get_text() for label in exact.get_yticklabels()] == list(deep(8).layers)
    parts = gv.gradient_variance(gv.SparseParities(30, 2), deep(30), by="layer", rng=0, max_samples=2048)
    ax = parts.plot()
    assert len(ax.lines) == sum(part.resolved for part in parts.values())
    lost = gv.gradient_variance(gv.SparseParities(30, 15), deep(30), by="layer", rng=0, max_samples=8)
    assert [text.get_text() for text in lost.plot().texts] == [" unresolved"] * 6
    matplotlib.pyplot.close("all")
