"""Numbers by layer of networks of PyTorch and JAX: one sample for all layers, whose values sum to the whole."""

import jax
import numpy as np
import pytest
import torch

import gradvar as gv

PARAMETERS = {
    "in": np.random.default_rng(0).standard_normal((12, 6)),
    "out": np.random.default_rng(1).standard_normal(6),
}


def torch_model():
    torch.manual_seed(0)
    layers = (torch.nn.Linear(12, 6), torch.nn.Tanh(), torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))
    return gv.from_torch(torch.nn.Sequential(*layers).double())


def jax_model():
    return gv.from_jax(lambda w, x: jax.numpy.tanh(x @ w["in"]) @ w["out"], PARAMETERS)


@pytest.mark.parametrize("make", [torch_model, jax_model])
@pytest.mark.parametrize(
    "settings", [{"method": "enumeration"}, {"method": "monte-carlo", "max_samples": 600, "rtol": 0}]
)
def test_layers_sum_to_the_whole_and_are_those_of_trainable(make, settings):
    H, model = gv.SparseParities(12, 3), make()
    found = gv.gradient_variance(H, model, by="layer", rng=3, **settings)
    whole = gv.gradient_variance(H, model, rng=3, **settings)
    assert list(found) == list(model.layers)
    assert len(found) > 1
    assert sum(float(part) for part in found.values()) == pytest.approx(whole.value, rel=1e-10)
    for name, part in found.items():
        alone = gv.gradient_variance(H, gv.trainable(model, name), rng=3, **settings)
        assert part.value == pytest.approx(alone.value, rel=1e-9, abs=1e-10 * whole.value)
