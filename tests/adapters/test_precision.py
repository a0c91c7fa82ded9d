"""What a model computes in is in the interval of every number: it holds the truth, and float64 stays exact."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

import gradvar as gv

W, V = np.random.default_rng(0).standard_normal((5, 8)) / 6, np.random.default_rng(1).standard_normal(5)
CLASSES = [gv.SparseParities(8, 7), gv.SparseParities(8, 2), gv.Parities(8)]


def module() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(8, 5, bias=False), nn.Tanh(), nn.Linear(5, 1, bias=False)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(W))
        net[2].weight.copy_(torch.tensor(V[None]))
    return net


class Inside(nn.Module):
    """Its first layer computes in less than the rest."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.dtype = module(), dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.linear(x.to(self.dtype), self.net[0].weight.to(self.dtype))
        return self.net[2](torch.tanh(hidden).to(x.dtype))


def inside(dtype: str) -> Callable[..., object]:
    return lambda p, x: jnp.tanh(x.astype(dtype) @ p[0].T.astype(dtype)).astype(x.dtype) @ p[1]


def by_hand(dtype: type, scale: float = 1.0) -> gv.FunctionModel:
    """NumPy in another dtype; a scale other than 1 hides that from the dtype of the results."""
    w, v = W.astype(dtype), V.astype(dtype)
    given = lambda values: values if scale == 1 else scale * values.astype(float) / scale  # noqa: E731

    def gradient(x: np.ndarray) -> np.ndarray:
        h = np.tanh(x.astype(dtype) @ w.T)
        first = ((1 - h * h) * v)[:, :, None] * x.astype(dtype)[:, None]
        return given(np.concatenate([first.reshape(len(x), -1), h], axis=1))

    return gv.from_function(lambda x: given(np.tanh(x.astype(dtype) @ w.T) @ v), gradient, 45)


LESS = {
    "torch float32": lambda: gv.from_torch(module(), dtype=torch.float32),
    "float32 inside torch": lambda: gv.from_torch(Inside(torch.float32)),
    "bfloat16 inside torch": lambda: gv.from_torch(Inside(torch.bfloat16)),
    "JAX float32": lambda: gv.from_jax(inside("float64"), [W, V], dtype="float32"),
    "JAX bfloat16": lambda: gv.from_jax(inside("float32"), [W, V], dtype="bfloat16"),
    "float32 inside JAX": lambda: gv.from_jax(inside("float32"), [W, V]),
    "bfloat16 inside JAX": lambda: gv.from_jax(inside("bfloat16"), [W, V]),
    "NumPy float32": lambda: by_hand(np.float32),
    "NumPy float16": lambda: by_hand(np.float16),
    "NumPy float32 in float64": lambda: by_hand(np.float32, 1.1),
}
FULL = {
    "torch": lambda: gv.from_torch(module()),
    "JAX": lambda: gv.from_jax(inside("float64"), [W, V]),
    "NumPy": lambda: by_hand(np.float64),
    "kinks": lambda: gv.from_function(
        lambda x: np.maximum(x @ W.T, 0) @ V, lambda x: np.maximum(x @ W.T, 0) * np.sign(x.sum(axis=1))[:, None], 5
    ),
    "a sum of signs": lambda: gv.from_function(lambda x: x.sum(axis=1), lambda x: x, 8),
    "listed inputs alone": lambda: gv.from_function(lambda x: TABLE[index(x)], lambda x: TABLE[index(x)][:, None], 1),
}
TABLE = np.random.default_rng(2).standard_normal(256)


def index(x: np.ndarray) -> np.ndarray:
    if not np.isin(x, (-1, 1)).all():
        raise KeyError("no such input")
    return ((x > 0) @ 2 ** np.arange(8)).astype(int)


@pytest.mark.parametrize("name", LESS)
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64:UserWarning")  # in JAX float32
def test_less_than_float64_is_in_the_interval_and_the_guarantee(name: str):
    model = LESS[name]()
    # JAX compiles for every shape: one class will do there
    for H in CLASSES[: 1 if "JAX" in name else 3]:
        truth = gv.gradient_variance(H, by_hand(np.float64)).value
        found = gv.gradient_variance(H, model)
        assert found.interval[0] <= truth <= found.interval[1]
        assert found.interval[1] - found.interval[0] > 1e-8 * truth
        assert "the model's own rounding" in found.guarantee
        assert "float64" not in found.guarantee
    # what is smaller than the rounding is not told from zero
    assert 0 < gv.Problem(gv.Parities(8), model).rounding < 0.1


@pytest.mark.parametrize("name", FULL)
def test_float64_stays_exact(name: str):
    model = FULL[name]()
    assert gv.Problem(gv.Parities(8), model).rounding == 0
    found = gv.gradient_variance(gv.SparseParities(8, 2), model)
    assert found.exact
    assert "float64 rounding" in found.guarantee


def test_a_variance_below_the_precision_says_so():
    tiny = module()
    with torch.no_grad():
        tiny[0].weight.mul_(1e-3)
    H = gv.SparseParities(8, 7)
    truth = gv.gradient_variance(H, gv.from_torch(tiny)).value
    found = gv.gradient_variance(H, gv.from_torch(tiny, dtype=torch.float32))
    assert found.interval[0] <= truth <= found.interval[1]
    assert found.interval[0] == 0


def test_sampled_numbers_and_norms_hold_it_too():
    H = gv.SparseParities(8, 2)
    low, full = gv.from_torch(Inside(torch.bfloat16)), by_hand(np.float64)
    found = gv.gradient_variance(H, low, method="monte-carlo", max_samples=512, rtol=0, rng=0)
    assert "the interval holds the model's own rounding" in found.guarantee
    check, truth = (gv.bound_check(H, model) for model in (low, full))
    for norm, exact in ((check.gradient_norm_sq, truth.gradient_norm_sq), (check.signal_norm_sq, truth.signal_norm_sq)):
        assert norm.interval[0] <= exact.value <= norm.interval[1]
        assert "the model's own rounding" in norm.guarantee
    assert check.verdict == "holds"
