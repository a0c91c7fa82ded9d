"""All normalised biased parities by Parseval, against the table of all values."""

from __future__ import annotations

import numpy as np
import pytest

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.methods.closed_form.all_biased_parities import AllBiasedParities
from gradvar.problem import Moment
from gradvar.testing import reference

DIM = 6
SETTINGS = Settings.checked(0.1, 0.95, 64, 0, None, False)
MODELS = {
    "two hidden layers": gv.MLP.random([DIM, 5, 4, 1], "gelu", rng=1),
    "attention": gv.Attention.random(DIM, 4, rng=0),
    "linear": gv.Linear(np.linspace(-1, 1, DIM)),
}


def table_of(H: gv.BiasedParities) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, weights = H.inputs.points(0, 2**H.dim), H.inputs.weights(0, 2**H.dim)
    return H.evaluate(H.members(), x), x, weights


@pytest.mark.parametrize("bias", [0.3, -0.9, 0.0])
@pytest.mark.parametrize("name", MODELS)
def test_moments_against_the_gradients_of_all_members(name: str, bias: float):
    H, model = gv.BiasedParities(DIM, bias), MODELS[name]
    table, x, weights = table_of(H)
    # with E_x[h s] of all members in place of their gradients: what they share is not in it
    scale = gv.Problem(H, model).signal_scale(x)
    vectors = (table * weights * scale) @ model.gradient(x)
    mean = vectors.mean(axis=0)
    expected = {
        Moment.VARIANCE: reference.gradient_variance(vectors),
        Moment.SECOND: float((vectors**2).sum()) / len(vectors),
        Moment.MEAN: float(mean @ mean),
    }
    for moment, value in expected.items():
        found = AllBiasedParities().estimate(gv.Problem(H, model, "square", moment), SETTINGS)
        low, high = found.interval
        assert low - 1e-13 * value <= value <= high + 1e-13 * value
        assert high - low <= 1e-10 * expected[Moment.SECOND]
        assert found.exact


def test_norms_come_with_it():
    H, model = gv.BiasedParities(DIM, 0.4), MODELS["two hidden layers"]
    _, x, weights = table_of(H)
    gradient, _ = AllBiasedParities().estimate(gv.Problem(H, model), SETTINGS).norms
    expected = reference.gradient_norm_sq(weights, model.gradient(x))
    assert gradient.value == pytest.approx(expected, rel=1e-12)


def test_of_a_signal_along_the_mean_nothing_is_known_but_that_it_is_small():
    # s = m has E[h s] = 2^-d for every member: no variance, and all digits cancel
    H = gv.BiasedParities(DIM, 0.4)
    model = gv.from_function(lambda x: np.zeros(len(x)), lambda x: H.mean(x)[:, None], n_parameters=1)
    low, high = AllBiasedParities().estimate(gv.Problem(H, model), SETTINGS).interval
    assert low == 0
    assert high <= 1e-11 * 4.0**-DIM


@pytest.mark.parametrize(
    ("H", "said"),
    [
        (gv.BiasedParities(DIM, 0.3, 2), "not that of all"),
        (gv.BiasedParities(DIM, 0.3, normalised=False), "not that of all"),
        (gv.Parities(DIM), "not that of all"),
        (gv.BiasedParities(23, 0.3), r"2\^23 inputs"),
    ],
    ids=["one degree", "signs", "no bias", "large"],
)
def test_elsewhere_it_declines(H, said: str):
    declined = AllBiasedParities().declines(gv.Problem(H, gv.Linear(np.ones(H.inputs.dim))))
    assert declined is not None
    with pytest.raises(gv.NotApplicableError, match=said):
        raise declined


@pytest.mark.large
def test_where_pairs_of_samples_resolve_nothing_it_is_taken():
    found = gv.gradient_variance(gv.BiasedParities(16, 0.3), gv.MLP.random([16, 8, 8, 1], rng=0))
    assert found.method == "closed-form (Parseval)"
    assert found.exact
