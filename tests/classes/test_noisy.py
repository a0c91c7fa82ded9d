"""Flipped labels: against the mean gradient over flips of each member, and the verbs that meet them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.testing import check_hypothesis_class, reference

DIM, POINTS, WEIGHTS = 4, reference.cube(4), np.full(16, 1 / 16)
CLASSES = {
    "all": (gv.Parities(DIM), reference.parity_table(DIM)),
    "degree": (gv.SparseParities(DIM, 2), reference.parity_table(DIM, 2)),
    "some": (gv.Parities(DIM).restrict([3, 5, 5, 9]), reference.parity_table(DIM)[[3, 5, 5, 9]]),
}
MODEL = gv.MLP.random([DIM, 3, 1], scale=2.0, rng=1)


def flipped_gradients(table: np.ndarray, rate: float, loss: str) -> np.ndarray:
    """The gradient of each member's risk, a label h(x) with probability 1 - rate and -h(x) with probability rate."""
    p, g = MODEL.predict(POINTS), MODEL.gradient(POINTS)
    kept, turned = (reference.gradients(sign * table, WEIGHTS, p, g, loss) for sign in (1, -1))
    return (1 - rate) * kept + rate * turned


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("loss", ["square", "correlation", "hinge", "logistic"])
@pytest.mark.parametrize("rate", [0.0, 0.13, 0.5])
def test_variance_is_that_of_the_mean_over_flips(name, loss, rate):
    H, table = CLASSES[name]
    gradients = flipped_gradients(table, rate, loss)
    truth = reference.gradient_variance(gradients)
    for method in ("auto", "enumeration", "covariance-sum"):
        assert_allclose(
            gv.gradient_variance(H.noisy(rate), MODEL, loss, method=method).value, truth, rtol=1e-10, atol=1e-25
        )


@pytest.mark.parametrize("name", CLASSES)
def test_every_bound_gets_the_factor_and_the_norms_stay(name):
    H, _ = CLASSES[name]
    clean, noisy = gv.bound_check(H, MODEL, "hinge"), gv.bound_check(H.noisy(0.2), MODEL, "hinge")
    for bound, of_noisy in zip(clean.bounds.values(), noisy.bounds.values(), strict=True):
        assert_allclose(of_noisy.value, 0.36 * bound.value, rtol=1e-12)
        assert of_noisy.applicable == bound.applicable
    for norm, same in ((clean.gradient_norm_sq, noisy.gradient_norm_sq), (clean.signal_norm_sq, noisy.signal_norm_sq)):
        assert norm.value == same.value
    assert_allclose(noisy.ratio, clean.ratio, rtol=1e-12)
    assert (noisy.verdict, noisy.log2_size) == (clean.verdict, clean.log2_size)


def test_half_of_the_labels_flipped_is_nothing_to_learn():
    check = gv.bound_check(gv.SparseParities(40, 3).noisy(0.5), gv.MLP.random([40, 4, 4, 1], rng=0), max_samples=500)
    assert check.variance.exact
    assert (check.variance.value, check.bound, check.verdict) == (0.0, 0.0, "holds")


def test_a_sampled_variance_and_what_is_reported_on_the_way_have_the_factor():
    H, model, seen = gv.SparseParities(30, 3), gv.MLP.random([30, 4, 4, 1], rng=0), {1.0: [], 0.7: []}
    found = {}
    for kept, reports in seen.items():
        found[kept] = gv.gradient_variance(
            H.noisy((1 - kept) / 2), model, rng=0, max_samples=2048, rtol=0, progress=reports.append
        )
    one, other = found[1.0], found[0.7]
    assert_allclose(other.interval, 0.49 * np.array(one.interval), rtol=1e-12)
    assert_allclose(other.standard_error, 0.49 * one.standard_error, rtol=1e-12)
    assert_allclose([e.value for e in seen[0.7]], [0.49 * e.value for e in seen[1.0]], rtol=1e-12)


def test_an_interrupt_carries_the_scaled_estimate():
    H, model, estimates = gv.SparseParities(30, 3).noisy(0.25), gv.MLP.random([30, 4, 4, 1], rng=0), []

    def stop(estimate: gv.Estimate) -> None:
        estimates.append(estimate)
        raise KeyboardInterrupt

    with pytest.raises(gv.Interrupted) as stopped:
        gv.gradient_variance(H, model, rng=0, max_samples=4096, rtol=0, progress=stop)
    assert stopped.value.estimate is not None
    assert_allclose(stopped.value.estimate.value, estimates[-1].value, rtol=1e-12)


def test_one_noisy_target():
    h, clean = gv.Parities(DIM).noisy(0.1).member([True] * DIM), gv.Parities(DIM).member([True] * DIM)
    assert_array_equal(h(POINTS), clean(POINTS))
    assert_allclose(gv.gradient_alignment(h, MODEL).value, 0.64 * gv.gradient_alignment(clean, MODEL).value)
    assert_allclose(gv.target_signal(h, MODEL).vector, 0.8 * gv.target_signal(clean, MODEL).vector)
    p, y = MODEL.predict(POINTS), clean(POINTS)
    loss = 0.9 * np.maximum(0, 1 - p * y).mean() + 0.1 * np.maximum(0, 1 + p * y).mean()
    assert_allclose(gv.population_loss(h, MODEL, "hinge").value, loss, rtol=1e-12)


def test_training_draws_flipped_labels():
    h, labels = gv.Parities(DIM).noisy(0.3).member([True, False, False, False]), []
    model = gv.from_function(
        lambda x: x @ [9.0, 0, 0, 0], lambda x: x, n_parameters=DIM, dim=DIM
    )  # predicts the sign before the flip
    from gradvar.experiments.training.examples import Examples
    from gradvar.losses import as_loss

    x, y = Examples(h, None, as_loss("hinge")).draw(20_000, np.random.default_rng(0))
    labels = y * model.predict(x)
    assert set(np.unique(y)) == {-1.0, 1.0}
    # 0.3 +- 5 (0.21/20000)^1/2: one false alarm in a million seeds
    assert abs((labels < 0).mean() - 0.3) < 0.0163
    run = gv.descend(h, gv.Linear([0.0] * DIM), steps=10, learning_rate=0.1, rng=0)
    assert run.accuracies[-1] < 0.8


@pytest.mark.parametrize("name", CLASSES)
def test_the_class_says_what_is_true_of_the_mean_labels(name):
    H = CLASSES[name][0].noisy(0.2)
    check_hypothesis_class(H).raise_if_failed()
    assert H.labels == "signs"
    assert list(H) == [H.member(i) for i in range(len(H))]
    assert H == CLASSES[name][0].noisy(0.2) != CLASSES[name][0].noisy(0.1)
    some = H.restrict([H.member(1), H.member(2)])
    assert some == CLASSES[name][0].restrict([1, 2]).noisy(0.2)
    assert_allclose(H.noisy(0.1).rate, 0.2 * 0.9 + 0.8 * 0.1)


def test_refusals():
    for rate in (-0.1, 0.51):
        with pytest.raises(ValueError, match=r"`rate` must be a number in \[0, 1/2\]"):
            gv.Parities(3).noisy(rate)
    with pytest.raises(TypeError, match="`rate`"):
        gv.Parities(3).noisy("0.1")
    for H in (gv.LinearPeriodic(3, 1.0), gv.FiniteClass([[0.5, 1.0]], [[0.0], [1.0]])):
        with pytest.raises(gv.LabelError, match="-1 and \\+1"):
            H.noisy(0.1)
