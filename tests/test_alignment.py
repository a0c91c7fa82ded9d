"""The verbs on one target: its squared signal, and the vector behind it."""

import json

import numpy as np
import pytest

import gradvar as gv


def dataset(rng: np.random.Generator) -> gv.FiniteClass:
    """A class of real targets on weighted points."""
    weights = rng.random(40)
    return gv.FiniteClass(rng.normal(size=(6, 40)), rng.normal(size=(40, 3)), weights=weights / weights.sum())


@pytest.mark.parametrize("loss", ["square", "correlation"])
def test_the_vector_is_the_gradient_minus_that_of_random_labels(loss: str) -> None:
    H, model = dataset(np.random.default_rng(0)), gv.MLP.random([3, 5, 1], rng=1)
    x, w = H.inputs.points(0, 40), H.inputs.weights(0, 40)
    for target in H:
        # dloss/dp = a(p) - h for both: the part with h
        truth = -(w * target(x)) @ model.gradient(x)
        found = gv.target_signal(target, model, loss)
        assert found.exact
        assert (np.abs(found.vector - truth) <= found.errors + 1e-15).all()
        alignment = gv.gradient_alignment(target, model, loss)
        assert alignment.exact
        assert alignment.value == pytest.approx(float(truth @ truth), rel=1e-10)


def test_layers_are_the_vector_in_shapes() -> None:
    model, target = gv.MLP.random([6, 4, 1], rng=0), gv.Parities(6).member([True, False, True, False, False, True])
    found = gv.target_signal(target, model)
    assert {name: part.shape for name, part in found.layers.items()} == model.layers
    assert np.array_equal(np.concatenate([part.ravel() for part in found.layers.values()]), found.vector)
    first = found.layers["weights[0]"]
    x = target.hypotheses.inputs.points(0, 64)
    own = model.weights[1][0] * (1 - np.tanh(x @ model.weights[0].T + model.biases[0]) ** 2)
    truth = -np.einsum("n,nj,ni->ji", target(x), own, x) / 64
    assert first == pytest.approx(truth, abs=1e-14)
    assert (np.abs(first[:, target.which]) > 1e-6).all()  # of even degree, as sech^2 is
    assert np.abs(first[:, ~target.which]).max() > 1e-9


def test_sampled_entries_have_their_standard_errors() -> None:
    model, target = gv.MLP.random([30, 4, 3, 1], rng=0), gv.SparseParities(30, 1).member(4)
    runs = [gv.target_signal(target, model, max_samples=500, rng=seed) for seed in range(60)]
    truth = gv.target_signal(target, model, max_samples=2**17, rng=99)
    off = np.array([(run.vector - truth.vector) / run.errors for run in runs])
    assert not truth.exact
    assert truth.seed == 99
    # 60 runs of 147 entries that hang together: the mean square of a standardised error is 1
    assert 0.8 < (off[:, truth.errors > 0] ** 2).mean() < 1.25
    again = gv.target_signal(target, model, max_samples=500, rng=3)
    assert np.array_equal(again.vector, runs[3].vector)


def test_alignment_of_sampled_pairs_covers_the_closed_form() -> None:
    model, target = gv.MLP.random([30, 6, 1], rng=0), gv.SparseParities(30, 1).member(4)
    truth = gv.gradient_alignment(target, model)
    assert truth.exact
    held = 0
    for seed in range(40):
        low, high = gv.gradient_alignment(
            target, model, method="monte-carlo", rtol=0, max_samples=400, rng=seed
        ).interval
        held += low <= truth.value <= high
    assert held >= 34  # 2.3% of runs at coverage 95%: P(Bin(40, .95) <= 33) = 0.0007


def test_one_target_without_a_variance_is_sent_here() -> None:
    check = gv.bound_check(gv.Parities(4).restrict([3]), gv.Linear([1.0] * 4))
    assert check.variance.value == 0.0
    assert "gradient_alignment" in str(check)
    assert "gradient_alignment" in json.dumps(check.to_dict())


def test_what_is_no_target_is_named() -> None:
    model = gv.MLP.random([4, 3, 1], rng=0)
    with pytest.raises(ValueError, match=r"`target` must be one target, such as H\.member\(0\)"):
        gv.target_signal(gv.Parities(4), model)
    with pytest.raises(TypeError, match="swapped"):
        gv.gradient_alignment(model, gv.Parities(4))
    tasks = gv.PlantedParities(6, 3)
    with pytest.raises(gv.NotApplicableError, match="brings its own"):
        gv.gradient_alignment(tasks.member(0), gv.MLP.random([6, 3, 1], rng=0))


def test_entries_that_were_never_seen_to_vary_have_no_error_bound():
    # active at 9e-5 of the inputs: 200 of them mostly meet none
    model = gv.MLP([[[1.0] * 40, [0.1] * 40], [[1.0, 1.0]]], [[-22.0, 0.0], None], "tanh")
    dead = gv.from_function(
        lambda x: np.maximum(x.sum(axis=1) - 22, 0) + model.predict(x),
        lambda x: np.stack([np.where(x.sum(axis=1) > 22, 1.0, 0.0), x[:, 0]], axis=1),
        2,
        40,
    )
    found = gv.target_signal(gv.SparseParities(40, 1).member(0), dead, max_samples=200, rng=0)
    assert found.vector[0] == 0.0
    assert found.errors[0] == np.inf
