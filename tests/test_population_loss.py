"""The risk of one target, by its definition and from samples; and what the verbs forgive or name."""

import numpy as np
import pytest

import gradvar as gv
from gradvar.losses import LOSSES


@pytest.mark.parametrize("loss", ["square", "correlation", "hinge", "logistic", "perceptron"])
def test_risks_are_means_of_the_loss(loss):
    target, model = gv.Parities(6).member(subset=[0, 2, 5]), gv.MLP.random([6, 5, 1], "ReLU", rng=3, scale=2.0)
    x = target.hypotheses.inputs.points(0, 64)
    p, y = model.predict(x), target(x)
    by_hand = {
        "square": (p - y) ** 2 / 2,
        "correlation": -y * p,
        "hinge": np.maximum(0, 1 - y * p),
        "logistic": np.log1p(np.exp(-y * p)),
        "perceptron": np.maximum(0, -y * p),
    }[loss]
    found = gv.population_loss(target, model, loss)
    assert found.exact
    assert found.value == pytest.approx(by_hand.mean(), rel=1e-12)


@pytest.mark.parametrize("loss", ["square", "correlation"])
def test_sampled_risks_hold_the_exact_one(loss):
    # of p = <w, x> and y = x_1: E (p - y)^2/2 = (|w|^2 - 2 w_1 + 1)/2 and -E y p = -w_1
    weights = np.linspace(0.1, 0.9, 30)
    truth = {"square": (weights @ weights - 2 * weights[0] + 1) / 2, "correlation": -weights[0]}[loss]
    target, model = gv.Parities(30).member(subset=[0]), gv.Linear(weights)
    found = [gv.population_loss(target, model, loss, rtol=0, max_samples=300, rng=seed) for seed in range(60)]
    held = sum(one.interval[0] <= truth <= one.interval[1] for one in found)
    assert held >= 51  # P(Bin(60, .95) <= 50) = 2e-4
    assert not any(one.exact for one in found)
    assert gv.population_loss(target, model, loss, rtol=0, max_samples=300, rng=7).value == found[7].value


class _Negative:
    """A loss that may be negative and is none of the library's."""

    def __getattr__(self, name):
        return getattr(LOSSES["correlation"], name)


def test_what_has_no_risk_is_named():
    target, model = gv.Parities(4).member(3), gv.Linear([1.0] * 4)
    with pytest.raises(ValueError, match="must be one target"):
        gv.population_loss(gv.Parities(4), model)
    with pytest.raises(gv.NotApplicableError, match="value"):
        gv.population_loss(target, model, gv.MarginLoss(lambda m: -np.ones_like(m), 1.0))
    with pytest.raises(ValueError, match="must not be negative"):
        gv.population_loss(target, model, _Negative())


class _Half:
    """A class, a model or a loss that lacks something."""

    inputs = gv.Hypercube(4)
    name, labels = "half", "real"

    def predict(self, x):
        return x[:, 0]


def test_what_lacks_something_is_told_which_member():
    H, model, half = gv.Parities(4), gv.Linear([1.0] * 4), _Half()
    with pytest.raises(TypeError, match=r"lacks `log2_size` \(the base-2 logarithm of \|H\|\)"):
        gv.bound_check(half, model)
    with pytest.raises(TypeError, match=r"lacks `gradient\(x\)` .*\(n, P\)\) and `n_parameters`"):
        gv.bound_check(H, half)
    with pytest.raises(TypeError, match=r"lacks `split\(p\)` .* and `lipschitz` .* and `constant`"):
        gv.bound_check(H, model, half)
    with pytest.raises(TypeError, match=r"got the class Parities: make one of it, Parities\(...\)"):
        gv.bound_check(gv.Parities, model)
    with pytest.raises(TypeError, match="got the class MLP: make one of it"):
        gv.bound_check(H, gv.MLP)


def test_activations_may_be_capitalised():
    assert gv.MLP.random([3, 2, 1], "ReLU", rng=0).activation == "relu"
    assert gv.InfiniteMLP(depth=1, activation="ReLU").activation == "relu"
