r"""Gradients of single examples of a PyTorch module, in three ways, each compared with plain autograd at every batch.

- Layer by layer. A layer z_t = W a_t + b at positions t = 1..T has the gradient sum_t dp/dz_t a_t^T; hooks keep a_t,
  and one backward pass for the whole batch gives dp/dz_t, if each prediction depends on its own example alone.
- By torch.func: vmap of grad.
- One backward pass for each example: slow, always right.

For fixed random c, autograd gives sum_n c_n dp_n/dw of a batch by one more backward pass. A way whose gradients g_n do
not add up to it, sum_n c_n g_n, is left for the next: a formula that is wrong, a parameter that is also used elsewhere,
or a row that belongs to another example.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge, saved_tensors_hooks
from torch.nn import functional

from ...core.arguments import Array
from ..gradients import Block, LayerGradient

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-3}
"""Difference of two computations of one number that is rounding, relative to the largest term: far above rounding in
any usual network, far below what a wrong formula gives."""
_SUM_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
"""The rounding of a sum over a batch, of which one row in the wrong place is a small part."""
_LEAST = 1e-3
"""Gradients that are smaller than this part of the largest are compared as if they were as large."""


class Ways(NamedTuple):
    """Layers whose gradients are had by hooks, with their parameters, and whether torch.func serves for all others."""

    layers: dict[str, tuple[str, ...]]
    vectorised: bool


class Gradients(NamedTuple):
    """The gradients of a batch by the names of their parameters, in order, and the ways by which they were had."""

    blocks: dict[tuple[str, ...], Block]
    ways: Ways


class _Use(NamedTuple):
    inputs: Tensor
    output: GradientEdge


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters w by name; a tied one by the first of its names."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def gradients_of(module: nn.Module, x: Tensor, ways: Ways) -> Gradients:
    """Return the gradient of each prediction by these ways, and by a slower one where they do not give autograd's."""
    weights = trainable(module)
    with _recorded(module, ways.layers) as uses:
        predictions: Tensor = module(x)
    layers = _layerwise(module, predictions, uses, ways.layers)
    # sum_n c_n dp_n/dw by plain autograd
    c = np.random.default_rng(0).standard_normal(len(x))
    weighted = predictions @ torch.from_numpy(c).to(predictions)
    sums = torch.autograd.grad(weighted, list(weights.values()), allow_unused=True)
    truth = {
        name: np.zeros(weights[name].numel()) if of_batch is None else to_numpy(of_batch.flatten())
        for name, of_batch in zip(weights, sums, strict=True)
    }
    check = _Check(c, truth, _SUM_TOLERANCE[predictions.dtype])
    right = {layer: found for layer, found in layers.items() if check.agrees(found)}
    blocks = {names: block for found in right.values() for names, block in found.items()}
    by_layers = set(itertools.chain.from_iterable(blocks))
    rest = [name for name in weights if name not in by_layers]
    others = _vectorised(module, x, rest) if rest and ways.vectorised else {}
    vectorised = ways.vectorised and (not rest or (bool(others) and check.agrees(others)))
    blocks |= others if vectorised else _one_by_one(module, x, rest)
    order = {name: i for i, name in enumerate(weights)}
    in_order = dict(sorted(blocks.items(), key=lambda item: order[item[0][0]]))
    return Gradients(in_order, Ways({layer: ways.layers[layer] for layer in right}, vectorised))


class _Check:
    """Compares gradients g_n with autograd: sum_n c_n g_n with the sums over the batch that it gives."""

    def __init__(self, c: Array, truth: dict[str, Array], tolerance: float) -> None:
        self.c, self.truth, self.tolerance = c, truth, tolerance
        self.largest = max(np.abs(values).max(initial=0.0) for values in truth.values())

    def agrees(self, found: dict[tuple[str, ...], Block]) -> bool:
        """Whether no sum is off by more than rounding; one that is not finite is not for this check to say."""
        size, difference = _LEAST * self.largest, 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            for names, block in found.items():
                truth = np.concatenate([self.truth[name] for name in names])
                off, terms = self._columns(block, truth) if isinstance(block, np.ndarray) else self._pair(block, truth)
                size, difference = max(size, terms), max(difference, np.abs(off).max(initial=0.0))
        return not difference > self.tolerance * size

    def _columns(self, g: Array, truth: Array) -> tuple[Array, float]:
        # |sum_n c_n g_n| <= |c| |g| in each column
        norms = np.sqrt(np.einsum("nj,nj->j", g, g))
        return self.c @ g - truth, float(np.linalg.norm(self.c) * norms.max(initial=0.0))

    def _pair(self, layer: LayerGradient, truth: Array) -> tuple[Array, float]:
        # sum_n c_n delta_n [a, 1]_n^T u for one random u: where a matrix is wrong, so is its product, at far less cost
        a, delta = layer.inputs[:, 0], layer.deltas[:, 0]
        r, q = a.shape[1], delta.shape[1]
        u = np.random.default_rng(1).standard_normal(r + 1)
        projected, right = a @ u[:r], truth[: q * r].reshape(q, r) @ u[:r]
        if layer.bias:
            projected, right = projected + u[r], right + truth[q * r :] * u[r]
        projected *= self.c
        norms = np.sqrt(np.einsum("nj,nj->j", delta, delta))
        return projected @ delta - right, float(np.linalg.norm(projected) * norms.max(initial=0.0))


def _one_by_one(module: nn.Module, x: Tensor, names: list[str]) -> dict[tuple[str, ...], Block]:
    """Gradients (n, size) of these parameters, by one backward pass for each example."""
    parameters = [trainable(module)[name] for name in names]
    found = [np.zeros((len(x), parameter.numel())) for parameter in parameters]
    for i in range(len(x) if names else 0):
        parts = torch.autograd.grad(module(x[i : i + 1]).sum(), parameters, allow_unused=True)
        for rows, part in zip(found, parts, strict=True):
            if part is not None:
                rows[i] = to_numpy(part.flatten())
    return {(name,): rows for name, rows in zip(names, found, strict=True)}


def _vectorised(module: nn.Module, x: Tensor, names: list[str]) -> dict[tuple[str, ...], Block]:
    """Gradients (n, size) of these parameters, by torch.func; none where it does not apply."""

    def prediction(parameters: dict[str, Tensor], example: Tensor) -> Tensor:
        value: Tensor = torch.func.functional_call(module, parameters, (example[None],))
        return value[0]

    parameters = {name: trainable(module)[name].detach() for name in names}
    try:
        # Outside of grad nothing is recorded: the other parameters still require gradients.
        with torch.no_grad():
            found = torch.func.vmap(torch.func.grad(prediction), (None, 0))(parameters, x)
    except Exception:  # whatever torch.func cannot do, plain autograd can
        return {}
    return {(name,): to_numpy(found[name].reshape(len(x), -1)) for name in names}


def _layerwise(
    module: nn.Module, predictions: Tensor, uses: dict[str, list[_Use]], owned: dict[str, tuple[str, ...]]
) -> dict[str, dict[tuple[str, ...], Block]]:
    """Gradients of the parameters of the recorded layers, by one backward pass; those of unexpected form left out."""
    edges = [use.output for of_layer in uses.values() for use in of_layer]
    if not edges:
        return {}
    # dp/dz of all examples at once: sum_m dp_m/dz_n has the one term m = n
    deltas = iter(torch.autograd.grad(predictions.sum(), edges, allow_unused=True, retain_graph=True))
    n, found = len(predictions), {}
    for layer, of_layer in uses.items():
        pairs = [(use.inputs, delta) for use in of_layer if (delta := next(deltas)) is not None]
        if pairs and all(len(inputs) == len(delta) == n for inputs, delta in pairs):
            sides = [_sides(module.get_submodule(layer), inputs, delta) for inputs, delta in pairs]
            a, d = (to_numpy(torch.cat(side, dim=1) if len(side) > 1 else side[0]) for side in zip(*sides, strict=True))
            found[layer] = _blocks_of_layer(owned[layer], a, d)
    return found


def _blocks_of_layer(names: tuple[str, ...], a: Array, delta: Array) -> dict[tuple[str, ...], Block]:
    """A pair, or what it stands for where that is no longer."""
    block = LayerGradient(a, delta, len(names) == 2)
    if not names[0].endswith("weight"):
        return {names: delta.sum(axis=1)}
    return {names: block} if block.is_pair else {(name,): g for name, g in zip(names, block.columns(), strict=True)}


def _sides(layer: nn.Module, inputs: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (n, T, r) and deltas (n, T, q) of a layer, whose weight of q rows has the gradient sum_t delta_t a_t^T."""
    n = inputs.shape[0]
    if isinstance(layer, nn.Linear):
        return inputs.reshape(n, -1, layer.in_features), delta.reshape(n, -1, layer.out_features)
    if isinstance(layer, nn.Embedding):
        # Row k of the weight gets the deltas of the positions of token k: the other way round.
        tokens = inputs.reshape(n, -1)
        chosen = functional.one_hot(tokens, layer.num_embeddings).to(delta.dtype)
        if layer.padding_idx is not None:
            chosen[:, :, layer.padding_idx] = 0
        return delta.reshape(n, -1, layer.embedding_dim), chosen
    assert isinstance(layer, (nn.Conv1d, nn.Conv2d))
    return _patches(layer, inputs), delta.flatten(2).transpose(1, 2)


def _patches(layer: nn.Conv1d | nn.Conv2d, inputs: Tensor) -> Tensor:
    """The part of the input under the kernel at each position, (n, positions, channels x kernel)."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(inputs, layer._reversed_padding_repeated_twice, mode=mode)
    form = tuple(layer.kernel_size), tuple(layer.dilation), (0,) * len(layer.kernel_size), tuple(layer.stride)
    if isinstance(layer, nn.Conv1d):
        padded, form = padded[:, :, None], ((1, *form[0]), (1, *form[1]), (0, 0), (1, *form[3]))
    return functional.unfold(padded, *form).transpose(1, 2)


@contextmanager
def _recorded(module: nn.Module, layers: Iterable[str]) -> Iterator[dict[str, list[_Use]]]:
    """Keep the inputs of these layers, and the edges of the graph at which their outputs appear.

    An edge stays what it is when the output is overwritten, as by nn.ReLU(inplace=True).
    """
    uses: dict[str, list[_Use]] = {layer: [] for layer in layers}

    def recorder(layer: str) -> Callable[..., None]:
        def record(_: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor) -> None:
            if output.requires_grad:
                inputs = args[0] if args else named["input"]
                uses[layer].append(_Use(inputs.detach(), get_gradient_edge(output)))

        return record

    handles = [module.get_submodule(layer).register_forward_hook(recorder(layer), with_kwargs=True) for layer in layers]
    try:
        yield uses
    finally:
        for handle in handles:
            handle.remove()


def recognised(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """Layers of a known form, each with the names of its trainable parameters, which no other module has."""
    names = {id(parameter): name for name, parameter in trainable(module).items()}
    owners = Counter(id(parameter) for part in module.modules() for parameter in part.parameters(recurse=False))
    found = {}
    for layer, part in module.named_modules():
        own = dict(part.named_parameters(recurse=False))
        known = type(part) is nn.Linear
        known |= type(part) in (nn.Conv1d, nn.Conv2d) and part.groups == 1
        known |= type(part) is nn.Embedding and part.max_norm is None and not part.scale_grad_by_freq
        owned = tuple(names[id(parameter)] for parameter in own.values() if id(parameter) in names)
        in_order = tuple(own) in (("weight",), ("weight", "bias"))
        if known and owned and in_order and all(owners[id(p)] == 1 for p in own.values()):
            found[layer] = owned
    return found


def numbers_saved(module: nn.Module, x: Tensor) -> int:
    """Numbers that autograd keeps for the backward pass at x, parameters aside."""
    known = {parameter.data_ptr() for parameter in module.parameters()}
    saved = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal saved
        saved += 0 if tensor.data_ptr() in known else tensor.numel()
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        module(x)
    return saved


def to_numpy(values: Tensor) -> Array:
    """The values as float64."""
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64)
