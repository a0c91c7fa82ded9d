r"""Gradients of single examples of a PyTorch module, in three ways.

- Layer by layer. A layer z_t = W a_t + b at positions t = 1..T has the gradient sum_t dp/dz_t a_t^T; hooks keep a_t,
  and one backward pass for the whole batch gives dp/dz_t, since each prediction depends on its own example alone. At
  T = 1 the gradient is said by its factors. At T > 1 it is written out by one matrix product: as a sum over pairs of
  positions it would take T^2 (r + q) products for each pair of examples in place of r q.
- By torch.func: vmap of grad.
- One backward pass for each example: slow, always right, and what the others are compared with.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge, saved_tensors_hooks
from torch.nn import functional

_NUMBERS, _MOST_ROWS = 2**22, 1024
"""Numbers that a chunk of examples keeps (32 MiB), and the most examples of one."""
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-3}
"""Difference of two computations of one number that is rounding, relative to the largest term: far above rounding in
any usual network, far below what a wrong formula gives."""


class Outer(NamedTuple):
    """The gradient delta a^T of a weight, and delta of the bias where it is a parameter too."""

    names: tuple[str, ...]
    inputs: Tensor
    deltas: Tensor


class Dense(NamedTuple):
    """The gradient of one parameter, written out, (n, size)."""

    name: str
    gradient: Tensor


Block = Outer | Dense


class Plan(NamedTuple):
    """Which parameters are differentiated in which way, and how many examples at once."""

    layers: tuple[str, ...]
    rest: tuple[str, ...]
    vectorised: bool
    chunk: int


class _Use(NamedTuple):
    inputs: Tensor
    output: GradientEdge


def blocks(module: nn.Module, x: Tensor, plan: Plan) -> list[Block]:
    """The gradient of each prediction in the trainable parameters."""
    found = layerwise(module, x, plan.layers) if plan.layers else []
    owned = _recognised(module)
    said = {name for block in found for name in (block.names if isinstance(block, Outer) else (block.name,))}
    silent = [layer for layer in plan.layers if not said.issuperset(owned[layer])]
    if silent:
        raise ValueError(
            f"`module` must send all inputs the same way, but its layer {silent[0].removeprefix('module.')!r} was "
            f"given something other than one row for each of {x.shape[0]} inputs"
        )
    if plan.rest:
        rest = vectorised(module, x, plan.rest) if plan.vectorised else one_by_one(module, x, plan.rest)
        found.extend(Dense(name, gradient) for name, gradient in rest.items())
    return found


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters w by name; a tied one by the first of its names."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def make_plan(module: nn.Module, redrawn: nn.Module, x: Tensor, tolerance: float) -> Plan:
    """Find the way to each parameter that gives what plain autograd gives at x, with these weights and with others.

    A layer also has to show a gradient that is not zero: where nothing flows, every formula looks right.
    """
    names = tuple(trainable(module))
    layers = _recognised(module)
    alive: set[str] = set()
    trials, sizes = (module, redrawn), []
    for at in trials:
        found, size = layerwise(at, x, tuple(layers)), 0.0
        # One example at a time: the gradients of a large network are kept once.
        for i in range(x.shape[0]):
            truth = one_by_one(at, x[i : i + 1], names)
            size = max(size, *(_largest(gradient) for gradient in truth.values()))
            agree, move = _layers_that_agree(layers, columns([_row(block, i) for block in found]), truth, tolerance)
            layers = {layer: owned for layer, owned in layers.items() if layer in agree}
            alive |= move
        sizes.append(size)
    kept = {layer: owned for layer, owned in layers.items() if layer in alive}
    covered = {name for owned in kept.values() for name in owned}
    rest = tuple(name for name in names if name not in covered)
    applies = all(_torch_func_agrees(at, x, rest, tolerance * size) for at, size in zip(trials, sizes, strict=True))
    row = _numbers_saved(module, x[:1]) + sum(trainable(module)[name].numel() for name in rest)
    return Plan(tuple(kept), rest, applies, min(max(_NUMBERS // max(row, 1), 1), _MOST_ROWS))


def one_by_one(module: nn.Module, x: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Gradients (n, size) of these parameters, by one backward pass for each example."""
    parameters = [trainable(module)[name] for name in names]
    found = [x.new_zeros(x.shape[0], parameter.numel()) for parameter in parameters]
    for i in range(x.shape[0]):
        gradients = torch.autograd.grad(module(x[i : i + 1]).sum(), parameters, allow_unused=True)
        for rows, gradient in zip(found, gradients, strict=True):
            if gradient is not None:
                rows[i] = gradient.flatten()
    return dict(zip(names, found, strict=True))


def vectorised(module: nn.Module, x: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    """The same by torch.func."""

    def prediction(parameters: dict[str, Tensor], example: Tensor) -> Tensor:
        value: Tensor = torch.func.functional_call(module, parameters, (example[None],))
        return value[0]

    parameters = {name: trainable(module)[name].detach() for name in names}
    # Outside of grad nothing is recorded: the other parameters still require gradients.
    with torch.no_grad():
        gradients = torch.func.vmap(torch.func.grad(prediction), (None, 0))(parameters, x)
    return {name: gradients[name].reshape(x.shape[0], -1) for name in names}


def layerwise(module: nn.Module, x: Tensor, layers: tuple[str, ...]) -> list[Block]:
    """The same for the parameters of these layers, by one backward pass. Layers of an unexpected form are left out."""
    with _recorded(module, layers) as uses:
        predictions = module(x)
    edges = [use.output for layer in layers for use in uses[layer]]
    if not edges:
        return []
    deltas = iter(torch.autograd.grad(predictions.sum(), edges, allow_unused=True))
    found: list[Block] = []
    names = {id(parameter): name for name, parameter in trainable(module).items()}
    for layer in layers:
        submodule = module.get_submodule(layer)
        pairs = [
            (use.inputs, delta)
            for use, delta in zip(uses[layer], itertools.islice(deltas, len(uses[layer])), strict=True)
            if delta is not None
        ]
        if pairs and all(inputs.shape[0] == delta.shape[0] == x.shape[0] for inputs, delta in pairs):
            sides = [_sides(submodule, inputs, delta) for inputs, delta in pairs]
            left, right = (torch.cat(side, dim=1) for side in zip(*sides, strict=True))
            found.extend(_blocks_of_layer(submodule, names, left, right))
    return found


def _blocks_of_layer(layer: nn.Module, names: dict[int, str], inputs: Tensor, deltas: Tensor) -> Iterator[Block]:
    """Blocks of sum_t delta_t a_t^T, from inputs (n, T, r) and deltas (n, T, q)."""
    weight, bias = (names.get(id(getattr(layer, name, None))) for name in ("weight", "bias"))
    if weight is not None and inputs.shape[1] == 1:
        yield Outer((weight,) if bias is None else (weight, bias), inputs[:, 0], deltas[:, 0])
        return
    if weight is not None:
        yield Dense(weight, (deltas.transpose(1, 2) @ inputs).flatten(1))
    if bias is not None:
        yield Dense(bias, deltas.sum(dim=1))


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
    """What the kernel sees at each position, (n, positions, channels x kernel)."""
    dilations, kernel = tuple(layer.dilation), tuple(layer.kernel_size)
    before_after: list[tuple[int, int]]
    if isinstance(layer.padding, str):
        total = [d * (k - 1) if layer.padding == "same" else 0 for d, k in zip(dilations, kernel, strict=True)]
        before_after = [(both // 2, both - both // 2) for both in total]
    else:
        before_after = [(both, both) for both in layer.padding]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(inputs, [side for pair in before_after[::-1] for side in pair], mode=mode)
    stride = tuple(layer.stride)
    if len(kernel) == 1:
        padded, kernel, dilations, stride = padded[:, :, None], (1, *kernel), (1, *dilations), (1, *stride)
    return functional.unfold(padded, kernel, dilation=dilations, stride=stride).transpose(1, 2)


@contextmanager
def _recorded(module: nn.Module, layers: tuple[str, ...]) -> Iterator[dict[str, list[_Use]]]:
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


def _recognised(module: nn.Module) -> dict[str, tuple[str, ...]]:
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
        if known and owned and own.keys() <= {"weight", "bias"} and all(owners[id(p)] == 1 for p in own.values()):
            found[layer] = owned
    return found


def _row(block: Block, i: int) -> Block:
    if isinstance(block, Dense):
        return Dense(block.name, block.gradient[i : i + 1])
    return Outer(block.names, block.inputs[i : i + 1], block.deltas[i : i + 1])


def columns(found: list[Block]) -> dict[str, Tensor]:
    """The gradient of each parameter, written out."""
    written: dict[str, Tensor] = {}
    for block in found:
        if isinstance(block, Dense):
            written[block.name] = block.gradient
        else:
            written[block.names[0]] = (block.deltas[:, :, None] * block.inputs[:, None, :]).flatten(1)
            written |= dict.fromkeys(block.names[1:], block.deltas)
    return written


def redrawn(module: nn.Module) -> nn.Module:
    """A copy with Gaussian parameters of the same root mean squares, and of size 1/10 where they are zero."""
    other = copy.deepcopy(module)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in trainable(other).values():
            size = float(parameter.square().mean().sqrt()) if parameter.numel() else 0.0
            parameter.copy_(torch.from_numpy(rng.standard_normal(parameter.shape) * (size or 0.1)))
    return other


def _layers_that_agree(
    layers: dict[str, tuple[str, ...]], found: dict[str, Tensor], truth: dict[str, Tensor], tolerance: float
) -> tuple[set[str], set[str]]:
    """Layers of whose parameters the right gradients were found, and those of which some gradient is not zero."""
    sizes = {layer: max(_largest(truth[name]) for name in owned) for layer, owned in layers.items()}
    agree = {
        layer
        for layer, owned in layers.items()
        if all(name in found and _same(found[name], truth[name], tolerance * sizes[layer]) for name in owned)
    }
    return agree, {layer for layer, size in sizes.items() if size > 0}


def _torch_func_agrees(module: nn.Module, x: Tensor, names: tuple[str, ...], tolerance: float) -> bool:
    if not names:
        return True
    try:
        found = vectorised(module, x, names)
    except Exception:  # whatever torch.func cannot do, plain autograd can
        return False
    truth = one_by_one(module, x, names)
    return all(_same(found[name], truth[name], tolerance) for name in names)


def _same(found: Tensor, truth: Tensor, tolerance: float) -> bool:
    return bool(found.shape == truth.shape and ((found - truth).abs() <= tolerance).all())


def _largest(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0


def _numbers_saved(module: nn.Module, x: Tensor) -> int:
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
