"""The bound on a model's gradient over all inputs: no input exceeds it, and it is not far from the largest."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.classes.inputs.base import reach_of
from gradvar.core.activations import ACTIVATIONS, over_intervals
from gradvar.core.reach import Reach
from gradvar.inputs import CyclicGroup, FinitePoints, Gaussian, Hypercube
from gradvar.models.base import largest_gradient
from gradvar.tasks.mixture import Mixture

NETWORKS = {
    "no hidden layer": lambda d, sigma, rng: gv.MLP.random([d, 1], sigma, rng),
    "one hidden layer": lambda d, sigma, rng: gv.MLP.random([d, 7, 1], sigma, rng),
    "two hidden layers": lambda d, sigma, rng: gv.MLP.random([d, 6, 5, 1], sigma, rng),
    "three hidden layers, no biases": lambda d, sigma, rng: gv.MLP.random([d, 4, 6, 3, 1], sigma, rng, bias=False),
    "residual": lambda d, sigma, rng: gv.ResidualMLP.random(d, 5, 2, sigma, rng),
    "convolutional": lambda d, sigma, rng: gv.Convolutional.random(d, [3, 2], 1 + (d > 2), sigma, rng),
    "recurrent": lambda d, sigma, rng: gv.Recurrent.random(d, 4, d, sigma, rng),
    "weight-tied": lambda d, sigma, rng: gv.WeightTied.random(d, 5, 3, sigma, rng),
}
INPUTS = {
    "cube": Hypercube(6),
    "biased cube": Hypercube(5, bias=0.9),
    "points": FinitePoints(np.random.default_rng(1).normal(2.0, 3.0, (40, 3))),
    "bits": CyclicGroup(61),
    "integers": CyclicGroup(11, encoding="integer"),
    "one-hot vectors": CyclicGroup(7, units=False, encoding="one-hot"),
}


def moved(model, rng, size):
    """The network with every weight and bias scaled and moved: biases are not zero, units saturate and die."""
    return model.with_parameters(size * (model.parameters + 0.5 * rng.standard_normal(model.n_parameters)))


def largest(model, inputs):
    return float((model.gradient(inputs.points(0, inputs.n_points)) ** 2).sum(axis=1).max())


@pytest.mark.parametrize("sigma", ACTIVATIONS)
@pytest.mark.parametrize("network", NETWORKS)
def test_no_input_exceeds_it(network, sigma):
    rng = np.random.default_rng(0)
    for inputs in INPUTS.values():
        for size in (0.3, 1.0, 3.0):
            model = moved(NETWORKS[network](inputs.dim, sigma, rng), rng, size)
            bound = largest_gradient(model, reach_of(inputs))
            assert largest(model, inputs) <= bound < math.inf, (inputs, size)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_corner_and_no_point_inside_of_the_cube_exceeds_it(data: st.DataObject):
    activation = data.draw(st.sampled_from(sorted(ACTIVATIONS)))
    sizes = [data.draw(st.integers(1, 6)), *data.draw(st.lists(st.integers(1, 5), max_size=3)), 1]
    scale = data.draw(st.sampled_from([0.1, 1.0, 5.0]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    weights = [scale * rng.standard_normal((out, fan_in)) for fan_in, out in itertools.pairwise(sizes)]
    biases = [None if rng.random() < 0.3 else scale * rng.standard_normal(w.shape[0]) for w in weights]
    model = gv.MLP(weights, biases, activation)
    x = np.array(list(itertools.product([-1.0, 1.0], repeat=sizes[0])))
    largest = (model.gradient(x) ** 2).sum(axis=1).max()
    bound = largest_gradient(model, Hypercube(sizes[0]).reach)
    assert largest <= bound
    # inside of the box and of the ball too
    inside = rng.uniform(-1, 1, (64, sizes[0]))
    assert (model.gradient(inside) ** 2).sum(axis=1).max() <= bound
    if len(sizes) == 2:
        assert_allclose(bound, largest, rtol=1e-8)


@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS)
def test_models_of_one_weight_vector(inputs):
    rng = np.random.default_rng(0)
    norm = np.linalg.norm(inputs.points(0, inputs.n_points), axis=1).max()
    for size in (0.01, 1.0, 30.0):
        w = size * rng.standard_normal(inputs.dim)
        linear, cosine = (largest_gradient(model, reach_of(inputs)) for model in (gv.Linear(w), gv.Cosine(w)))
        assert largest(gv.Linear(w), inputs) <= linear
        assert largest(gv.Cosine(w), inputs) <= cosine <= linear
        assert linear <= 1.21 * norm**2  # bits: six at most, but no residue modulo 61 has more than five


@pytest.mark.parametrize("sigma", ACTIVATIONS)
def test_a_unit_alone_attains_it(sigma):
    # sup over the cube of (d + 1) v^2 sigma'(z)^2 + sigma(z)^2 + 1: z is b + ||w||_1 or b - ||w||_1 somewhere
    for bias in (-3.0, 3.0):
        model = gv.MLP([[[0.25] * 8], [[0.5]]], [[bias], [0.0]], sigma)
        true = largest(model, Hypercube(8))
        ends = [-2.0 + bias, 2.0 + bias]
        free = np.linspace(*ends, 10_001)
        value, slope = ACTIVATIONS[sigma](free)
        least = (9 * 0.25 * slope**2 + value**2).max() + 1  # the largest where z took all values between
        bound = largest_gradient(model, reach_of(Hypercube(8)))
        assert max(true, least * (1 - 1e-6)) <= bound <= least * (1.6 if sigma in ("sigmoid", "gelu") else 1 + 1e-6)


@pytest.mark.parametrize(("sizes", "most"), [([10, 32, 1], 4), ([10, 32, 32, 1], 25)])
def test_it_is_not_far_from_the_largest(sizes, most):
    # Of random networks: 1.1 to 2.7 times the largest with one hidden layer, 2 to 24 times with two
    for sigma in ACTIVATIONS:
        model = gv.MLP.random(sizes, sigma, rng=3)
        assert largest_gradient(model, reach_of(Hypercube(10))) <= most * largest(model, Hypercube(10)), sigma


@pytest.mark.parametrize("sigma", ACTIVATIONS)
def test_extremes_over_intervals_are_among_the_values(sigma):
    rng = np.random.default_rng(0)
    low = rng.normal(0.0, 4.0, 300)
    high = low + rng.exponential(3.0, 300)
    values, slopes = over_intervals(sigma, low, high)
    z = low + (high - low) * np.linspace(0, 1, 4001)[:, None]
    for found, everywhere in zip((values, slopes), ACTIVATIONS[sigma](z), strict=True):
        np.testing.assert_array_less(found.min(axis=0) - 1e-12, everywhere.min(axis=0))
        np.testing.assert_array_less(everywhere.max(axis=0), found.max(axis=0) + 1e-12)
        np.testing.assert_allclose(found.max(axis=0), everywhere.max(axis=0), atol=1e-2)


def test_inputs_without_an_end_bound_only_what_does_not_grow_with_them():
    everywhere = reach_of(Gaussian(3))
    for model in (gv.Linear([1.0] * 3), gv.Cosine([1.0] * 3), gv.MLP.random([3, 4, 1], rng=0)):
        assert largest_gradient(model, everywhere) == math.inf
    for sigma in ACTIVATIONS:
        # dp/dW = 0 and dp/dv = sigma(z): the readout alone has a gradient
        readout = gv.MLP([np.eye(3), [[0.0] * 3]], activation=sigma)
        bound = largest_gradient(readout, everywhere)
        bounded = sigma not in ("relu", "gelu", "softplus", "identity")
        assert bound == pytest.approx(108.0 if sigma == "relu6" else 3.0) if bounded else bound > 1e200
        assert (readout.gradient(Gaussian(3).sample(99, np.random.default_rng(0))) ** 2).sum(axis=1).max() <= bound


def test_inputs_say_how_far_they_reach():
    for inputs in [*INPUTS.values(), gv.PlantedParities(5, 3).inputs]:
        x, reach = inputs.points(0, inputs.n_points), reach_of(inputs)
        assert (x >= reach.low).all()
        assert (x <= reach.high).all()
        assert np.linalg.norm(x, axis=1).max() <= reach.norm * (1 + 1e-12)
    assert reach_of(CyclicGroup(7, encoding="one-hot")).norm == 1.0
    unsaid = Mixture(gv.PlantedParities(5, 3), 5)
    assert reach_of(unsaid).norm == math.inf
    assert largest_gradient(gv.Linear([1.0] * 5), reach_of(unsaid)) == math.inf


def test_who_says_nothing_or_has_another_gradient_has_no_bound():
    class Steeper(gv.MLP):
        def gradient(self, x):
            return 10 * super().gradient(x)

    class Renamed(gv.MLP):
        pass

    weights = gv.MLP.random([4, 3, 1], rng=0).weights
    reach = reach_of(Hypercube(4))
    assert largest_gradient(Steeper(weights), reach) == math.inf
    assert largest_gradient(Renamed(weights), reach) == largest_gradient(gv.MLP(weights), reach) < math.inf
    for model in (
        gv.from_function(lambda x: x[:, 0], lambda x: x[:, :1], 1),
        gv.Attention.random(4, 4, rng=0),
        gv.WeightTied.random(4, 3, None, rng=0),
    ):
        assert largest_gradient(model, reach) == math.inf


def test_high_dimensions_and_wide_layers_take_a_bound_on_the_spectral_norm():
    model = gv.MLP.random([40, 700, 600, 1], rng=0)
    x = Hypercube(40).sample(64, np.random.default_rng(0))
    factors = model.tangent_factors(x)
    seen = sum((a**2).sum(axis=1) * (b**2).sum(axis=1) for a, b in factors).max()
    assert seen <= largest_gradient(model, reach_of(Hypercube(40))) <= 40 * seen


def test_a_reach_holds_sums():
    a, b = Reach(np.array([-1.0]), np.array([2.0])), Reach(np.array([0.0]), np.array([1.0]), 0.5)
    assert (a.norm, a.plus(b).norm, float(a.plus(b).high[0])) == (2.0, 2.5, 3.0)


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_whose_squares_overflow_have_a_bound_that_is_a_number(network):
    for sigma in ACTIVATIONS:
        model = NETWORKS[network](5, sigma, np.random.default_rng(0))
        for size in (1e30, 1e100, 1e200, 1e300):
            bound = largest_gradient(model.with_parameters(size * model.parameters), Hypercube(5).reach)
            assert bound > 0, (sigma, size)  # and not nan
