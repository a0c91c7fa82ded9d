"""Modules and functions of many kinds: right, as plain autograd of one example after the other says, or refused."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint

import gradvar as gv
from gradvar.testing.reference import cube

X = cube(6)[[0, 5, 63, 17, 40, 41, 2, 33]]


class Given(nn.Module):
    """A module of these parts whose forward is the function `call(self, x)`."""

    def __init__(self, call: Callable[..., torch.Tensor], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.call = call
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(self, x)


def net(*between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), *(between or (nn.Tanh(),)), nn.Linear(8, 1))


def changed(change: Callable[[nn.Sequential], object], run: bool = False) -> nn.Sequential:
    module = net()
    change(module)
    if run:
        module(torch.zeros(1, 6)).sum().backward()
    return module


def attention(self: Given, x: torch.Tensor) -> torch.Tensor:
    tokens = x.reshape(-1, 3, 2)
    return self.head(self.mix(tokens, tokens, tokens, need_weights=False)[0].mean(dim=1))


def mixture(self: Given, x: torch.Tensor) -> torch.Tensor:
    """Each input goes to one expert, in a batch of all that do."""
    shares = torch.softmax(self.gate(x), dim=1)
    chosen, out = shares.argmax(dim=1), x.new_zeros(len(x), 1)
    for k, expert in enumerate(self.experts):
        rows = (chosen == k).nonzero()[:, 0]
        out[rows] = expert(x[rows]) * shares[rows, k : k + 1]
    return out


def unrolled(self: Given, x: torch.Tensor) -> torch.Tensor:
    state = None
    for step in x.T:
        state = self.cell(step[:, None], state)
    return self.head(state)


def turned(self: Given, x: torch.Tensor) -> torch.Tensor:
    """The rows the other way round, and back."""
    return self.head(torch.tanh(self.layer(x.flip(0)))).flip(0)


def rolled(self: Given, x: torch.Tensor) -> torch.Tensor:
    return self.head(torch.tanh(self.layer(x.roll(1, 0)))).roll(-1, 0)


def force(self: Given, x: torch.Tensor) -> torch.Tensor:
    """The squared gradient in the input."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(self.net(x).sum(), x, create_graph=True)[0].square().sum(dim=1)


def in_pieces(self: Given, x: torch.Tensor) -> torch.Tensor:
    hidden = self.layer(x)
    hidden[:, 0] *= 2
    hidden[:, 1:] += self.shift
    return self.head(hidden.clamp_(-1, 1))


def counted(self: Given, x: torch.Tensor) -> torch.Tensor:
    self.calls += 1
    return self.net(x)


def symmetric() -> nn.Module:
    class Symmetric(nn.Module):
        def forward(self, w: torch.Tensor) -> torch.Tensor:
            return w.triu() + w.triu(1).T

    return nn.Sequential(
        parametrize.register_parametrization(nn.Linear(6, 6), "weight", Symmetric()), nn.Tanh(), nn.Linear(6, 1)
    )


def with_buffer(module: nn.Module) -> nn.Module:
    module.register_buffer("calls", torch.zeros(()))
    return module


MODULES: dict[str, Callable[[], nn.Module]] = {
    "LayerNorm": lambda: net(nn.LayerNorm(8), nn.GELU()),
    "GroupNorm": lambda: net(nn.GroupNorm(2, 8), nn.SiLU()),
    "PReLU": lambda: net(nn.PReLU(8)),
    "BatchNorm": lambda: net(nn.BatchNorm1d(8)).eval(),
    "InstanceNorm": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(2, affine=True), nn.Flatten(), nn.Linear(6, 1)
    ),
    "grouped convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 3)),
        nn.Conv1d(2, 4, 2, dilation=2, padding=2, padding_mode="reflect", groups=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(20, 1),
    ),
    "transposed convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 6)), nn.ConvTranspose1d(1, 3, 2, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(36, 1)
    ),
    "two inputs": lambda: Given(lambda self, x: self.form(x[:, :3], x[:, 3:]), form=nn.Bilinear(3, 3, 1)),
    "attention": lambda: Given(attention, mix=nn.MultiheadAttention(2, 1, batch_first=True), head=nn.Linear(2, 1)),
    "a layer used twice": lambda: Given(
        lambda self, x: self.head(torch.tanh(self.layer(torch.tanh(self.layer(x))))),
        layer=nn.Linear(6, 6),
        head=nn.Linear(6, 1),
    ),
    "a weight used without its layer": lambda: Given(
        lambda self, x: (torch.tanh(self.layer(x)) @ self.layer.weight).sum(dim=1), layer=nn.Linear(6, 4)
    ),
    "lists of parameters": lambda: Given(
        lambda self, x: torch.tanh(x @ self.listed[0]) @ self.listed[1],
        listed=nn.ParameterList([torch.randn(6, 4), torch.randn(4, 1)]),
    ),
    "overwritten outputs": lambda: Given(
        lambda self, x: self.head(self.layer(x).mul_(2).add_(1).tanh_()), layer=nn.Linear(6, 6), head=nn.Linear(6, 1)
    ),
    "named arguments": lambda: Given(lambda self, x: self.layer(input=x), layer=nn.Linear(6, 1)),
    "one row after the other": lambda: Given(lambda self, x: torch.cat([self.net(row[None]) for row in x]), net=net()),
    "checkpoint": lambda: Given(lambda self, x: checkpoint(self.net, x, use_reentrant=False), net=net()),
    "complex numbers inside": lambda: Given(
        lambda self, x: (torch.fft.rfft(self.layer(x)).abs() ** 2).sum(dim=1), layer=nn.Linear(6, 8)
    ),
    "sparse gradients": lambda: Given(
        lambda self, x: self.words((x > 0).long()).sum(dim=(1, 2)) ** 2, words=nn.Embedding(2, 4, sparse=True)
    ),
    "hooks of one's own": lambda: changed(lambda m: m[0].register_forward_hook(lambda _, args, out: 2 * out)),
    "functional dropout in eval mode": lambda: Given(
        lambda self, x: self.net(functional.dropout(x, 0.3, self.training)), net=net()
    ).eval(),
    "a mixture of experts": lambda: Given(
        mixture, gate=nn.Linear(6, 3), experts=nn.ModuleList([nn.Linear(6, 1) for _ in range(3)])
    ),
    "a cell": lambda: Given(unrolled, cell=nn.GRUCell(1, 3), head=nn.Linear(3, 1)),
    "pruned": lambda: changed(lambda m: prune.l1_unstructured(m[0], "weight", 0.5)),
    "pruned and trained": lambda: changed(lambda m: prune.l1_unstructured(m[0], "weight", 0.5), run=True),
    "weight norm by hooks": lambda: changed(lambda m: nn.utils.weight_norm(m[0]), run=True),
    "weight norm": lambda: changed(lambda m: parametrizations.weight_norm(m[0]), run=True),
    "spectral norm": lambda: changed(lambda m: parametrizations.spectral_norm(m[0])).eval(),
    "rows the other way round": lambda: Given(turned, layer=nn.Linear(6, 4), head=nn.Linear(4, 1)),
    "rows rolled": lambda: Given(rolled, layer=nn.Linear(6, 4), head=nn.Linear(4, 1)),
    "gradient of the input": lambda: Given(force, net=net()),
    "parts in place": lambda: Given(
        in_pieces, layer=nn.Linear(6, 5), shift=nn.Parameter(torch.ones(4)), head=nn.Linear(5, 1)
    ),
    "a buffer that counts": lambda: with_buffer(Given(counted, net=net())),
    "symmetric weights": symmetric,
    "a weight transposed": lambda: Given(
        lambda self, x: functional.linear(torch.tanh(self.layer(x)), self.layer.weight.T).sum(dim=1),
        layer=nn.Linear(6, 4),
    ),
    "parameters without an axis": lambda: Given(
        lambda self, x: self.a * torch.tanh(self.layer(x)[:, 0]) + self.b,
        layer=nn.Linear(6, 1),
        a=nn.Parameter(torch.tensor(1.3)),
        b=nn.Parameter(torch.tensor(0.1)),
    ),
    "two copies in one batch": lambda: Given(
        lambda self, x: torch.tanh(self.layer(torch.stack([x, -2 * x], 1).reshape(-1, 6))).reshape(-1, 8).prod(dim=1),
        layer=nn.Linear(6, 4),
    ),
    "mean of embeddings": lambda: Given(
        lambda self, x: self.head(torch.tanh(self.words((x > 0).long()))),
        words=nn.EmbeddingBag(2, 5, mode="mean"),
        head=nn.Linear(5, 1),
    ),
    "straight through": lambda: Given(
        lambda self, x: (lambda h: self.head(h + (h.sign() - h).detach()))(self.layer(x)),
        layer=nn.Linear(6, 5),
        head=nn.Linear(5, 1),
    ),
    "a form of all entries": lambda: Given(
        lambda self, x: torch.einsum("ni,nj,ijk->n", x, x, self.w), w=nn.Parameter(torch.randn(6, 6, 2))
    ),
    "two ways": lambda: Given(
        lambda self, x: torch.stack([(self.one if row[0] > 0 else self.two)(row)[0] for row in x]), one=net(), two=net()
    ),
    "orthogonal": lambda: changed(lambda m: parametrizations.orthogonal(m[2])),
}
MIXED: dict[str, Callable[[], nn.Module]] = {
    "the best of the batch": lambda: Given(lambda self, x: torch.clamp(self.net(x), max=self.net(x).mean()), net=net()),
    "functional dropout": lambda: Given(lambda self, x: self.net(functional.dropout(x, 0.3)), net=net()),
    "spectral norm in training mode": lambda: changed(lambda m: parametrizations.spectral_norm(m[0])).train(),
    "a mean in the gradient alone": lambda: Given(
        lambda self, x: (lambda p: p - p.mean() + p.mean().detach())(self.net(x)), net=net()
    ),
    "rows as steps of time": lambda: Given(
        lambda self, x: self.head(self.layer(x)[0]), layer=nn.RNN(6, 3), head=nn.Linear(3, 1)
    ),
    "rows in another order": lambda: Given(lambda self, x: self.net(x[torch.argsort(x[:, 2])]), net=net()),
}


def made(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return make()


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`:FutureWarning")
@pytest.mark.parametrize("kind", MODULES)
def test_a_module_is_what_autograd_says(kind: str):
    model, module = gv.from_torch(made(MODULES[kind])), made(MODULES[kind]).double()
    weights = list(module.parameters())
    truth = []
    for row in torch.tensor(X):
        parts = torch.autograd.grad(module(row[None]).sum(), weights, materialize_grads=True)
        truth.append(np.concatenate([part.to_dense().numpy().ravel() for part in parts]))
    size = np.abs(truth).max()
    assert_allclose(model.gradient(X), truth, rtol=1e-12, atol=1e-13 * size)
    kernel = sum((a @ a.T) * (b @ b.T) for a, b in model.tangent_factors(X))
    assert_allclose(kernel, np.array(truth) @ np.transpose(truth), rtol=1e-12, atol=1e-11 * size**2)


@pytest.mark.parametrize("kind", MIXED)
def test_a_module_that_is_no_function_of_one_example_is_refused(kind: str):
    with pytest.raises(ValueError, match="must be a function of one example"):
        gv.from_torch(made(MIXED[kind])).gradient(X)


W = {"w": np.random.default_rng(0).standard_normal((6, 4)), "v": np.random.default_rng(1).standard_normal(4)}


def plain(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    return jnp.tanh(x @ p["w"]) @ p["v"]


def scanned(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    step = lambda state, t: (jnp.tanh(state * p["v"] + t[:, None] * p["w"][0]), None)  # noqa: E731
    return jax.lax.scan(step, jnp.zeros((len(x), 4)), x.T)[0].sum(axis=1)


def by_rows(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """A scan over the batch that keeps nothing from row to row."""
    return jax.lax.scan(lambda state, row: (state, jnp.tanh(row @ p["w"]) @ p["v"]), 0.0, x)[1]


def summed(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """One that does."""
    return jax.lax.scan(lambda state, row: (state + row[0] * p["v"][0],) * 2, 0.0, x)[1]


def gated(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """Branches, a gradient of the input, complex numbers."""
    branch = lambda row: jax.lax.cond(row[0] > 0, jnp.sum, lambda r: jnp.sum(r**2), row @ p["w"])  # noqa: E731
    slope = jax.grad(lambda x: plain(p, x).sum())(x)
    return jax.vmap(branch)(x) + jnp.square(slope).sum(axis=1) + jnp.abs(jnp.fft.fft(x @ p["w"])) @ p["v"]


def in_order(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    order = jnp.argsort(x[:, 2])
    return plain(p, x[order])[jnp.argsort(order)]


FUNCTIONS: dict[str, tuple[Callable[..., jax.Array], dict[str, object]]] = {
    "compiled": (jax.jit(plain), W),
    "scan": (scanned, W),
    "mapped": (lambda p, x: jax.vmap(lambda row: plain(p, row[None])[0])(x), W),
    "checkpoint": (jax.checkpoint(plain), W),
    "sorted and put back": (in_order, W),
    "scan over the batch": (by_rows, W),
    "branches, slopes, waves": (gated, W),
    "chosen by integers": (lambda p, x: jnp.tanh(x @ p["w"][:, p["i"]]) @ p["v"][p["i"]], {**W, "i": np.array([0, 2])}),
    "constants in float32": (lambda p, x: plain(p, x) * jnp.float32(0.3) + jnp.ones((), jnp.float32), W),
    "counts and keys": (
        lambda p, x: plain(p, x) * p["n"] + jax.random.normal(p["key"], ()),
        {**W, "n": 2, "key": jax.random.key(0)},
    ),
    "weights in float16": (plain, {name: np.float16(w) for name, w in W.items()}),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_function_is_what_autograd_says(kind: str):
    apply, params = FUNCTIONS[kind]
    model = gv.from_jax(apply, params)
    with jax.enable_x64(True):
        w = {name: jnp.asarray(params[name], dtype=float) for name in ("v", "w")}
        slope = jax.grad(lambda w, row: apply({**params, **w}, row)[0])
        rows = [slope(w, jnp.asarray(row[None])) for row in X]
        truth = [np.concatenate([np.ravel(row["v"]), np.ravel(row["w"])]) for row in rows]
    assert_allclose(model.gradient(X), truth, rtol=1e-12, atol=1e-14)
    assert gv.Problem(gv.Parities(6), model).rounding == 0


@pytest.mark.parametrize(
    "apply",
    [summed, lambda p, x: plain(p, x) - plain(p, x).mean() + jax.lax.stop_gradient(plain(p, x).mean())],
    ids=["a running sum", "a mean in the gradient alone"],
)
def test_a_function_that_mixes_examples_is_refused(apply: Callable[..., jax.Array]):
    with pytest.raises(ValueError, match="must be a function of one example"):
        gv.from_jax(apply, W).gradient(X)


def test_a_function_that_mixes_only_large_batches_is_seen():
    model = gv.from_jax(lambda p, x: plain(p, x) + (len(x) > 4) * (plain(p, x) - plain(p, x)[::-1]), W)
    model.gradient(X[:4])
    with pytest.raises(ValueError, match=r"gradients of 8 examples, .* do not add up to the gradient of their batch"):
        model.gradient(X)


def normalised(variables: dict[str, dict[str, jax.Array]], x: jax.Array) -> jax.Array:
    return plain(variables["params"], x - variables["batch_stats"]["mean"])


VARIABLES = {"params": W, "batch_stats": {"mean": np.full(6, 0.3)}}


@pytest.mark.parametrize(
    "trainable",
    [
        lambda path: path.startswith("params/"),
        {"params": True, "batch_stats": False},
        {"params": {"w": True, "v": True}, "batch_stats": {"mean": False}},
    ],
)
def test_what_is_no_weight_is_held_fixed(trainable):
    model = gv.from_jax(normalised, VARIABLES, trainable=trainable)
    assert model.n_parameters == 28
    assert_allclose(model.gradient(X), gv.from_jax(plain, W).gradient(X - 0.3), rtol=1e-12, atol=1e-14)


def test_running_statistics_are_warned_of():
    with pytest.warns(UserWarning, match=r"'batch_stats' .* are counted as weights; hold them fixed by trainable="):
        assert gv.from_jax(normalised, VARIABLES).n_parameters == 34
    assert gv.from_jax(normalised, VARIABLES, trainable=True).n_parameters == 34


@pytest.mark.parametrize("trainable", [3, "params", {"params": True}, {"params": 1, "batch_stats": 0}])
def test_wrong_choices_of_weights_are_named(trainable):
    with pytest.raises(ValueError, match=r"`trainable` must be .* such as 'batch_stats/mean', or bools"):
        gv.from_jax(normalised, VARIABLES, trainable=trainable)


@pytest.mark.parametrize("dtype", ["int32", "words", "complex64"])
def test_wrong_dtypes_are_named(dtype: str):
    with pytest.raises(ValueError, match=r"`dtype` must be float64, float32, float16 or bfloat16, got"):
        gv.from_jax(plain, W, dtype=dtype)
