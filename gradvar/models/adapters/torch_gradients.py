r"""Gradients of single examples of a PyTorch module, layer by layer, each compared with plain autograd at every batch.

A layer is an innermost part of the module that has weights, z_n = L_w(a_n). Hooks keep a_n; one backward pass of the
batch gives delta_n = dp_n/dz_n, if each prediction depends on its own example alone; and then

    dp_n/dw = delta_n dL_w(a_n)/dw,

the pair (a_n, delta_n) itself for nn.Linear, and for others the layer's own backward pass, by vmap over examples. The
module is a layer too, with a_n = x_n and delta_n = 1: from it are had the weights that no single layer has, or those
whose gradients do not agree with autograd. Where that does not agree either, or vmap does not apply (nn.LSTM), there is
one backward pass for each example: slow, always right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ...core.arguments import Array
from ..base import check_one_output
from ..gradients import Block, LayerGradient
from ..precision import unit_of
from .adapted import adds_up, batch_weights

Blocks = dict[tuple[str, ...], Block]
"""The gradients of a batch, (n, size), by the names of their parameters."""


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters w by name; a tied one by the first of its names."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def gradients_of(module: nn.Module, x: Tensor, unit: float) -> tuple[Blocks, list[str]]:
    """Return the gradient of each prediction, in the order of the parameters, and what took a pass for each example."""
    weights, found = trainable(module), Blocks()
    predictions, uses = _recorded(module, x)
    check_one_output("`module`", tuple(predictions.shape), len(x), remedy="; K outputs go with targets of K outputs")
    if not predictions.requires_grad:
        raise ValueError(
            "the output of `module` must have a gradient in its parameters; it has none: `forward` detaches it, or "
            "runs under torch.no_grad()"
        )
    # dp/dz of all examples at once: sum_m dp_m/dz_n has the one term m = n
    edges = [edge for of_layer in uses.values() for _, edge in of_layer]
    deltas = iter(torch.autograd.grad(predictions.sum(), edges, allow_unused=True, retain_graph=True) if edges else ())
    # sum_n c_n dp_n/dw, by a pass of its own: rows that are swapped in the first one are not in this
    c = batch_weights(len(x))
    weighted = predictions @ torch.from_numpy(c).to(predictions)
    pulled = dict(zip(weights, torch.autograd.grad(weighted, list(weights.values()), allow_unused=True), strict=True))
    unused = {name: np.zeros((len(x), weights[name].numel())) for name, part in pulled.items() if part is None}
    sums = {
        name: unused[name][0] if part is None else to_numpy(part.to_dense().flatten()) for name, part in pulled.items()
    }
    size = float(np.linalg.norm(np.concatenate(list(sums.values()))))

    def keep(blocks: Mapping[tuple[str, ...], Block]) -> list[str]:
        """Keep what adds up; return the parameters that are missing."""
        for names, block in blocks.items():
            if adds_up(block, c, np.concatenate([sums[name] for name in names]), size, unit):
                found[names] = block
        return [name for name in weights if not any(name in names for names in found)]

    missing = keep({(name,): zeros for name, zeros in unused.items()})
    for layer, of_layer in uses.items():
        used = [(args, delta) for args, _ in of_layer if (delta := next(deltas)) is not None]
        if used and all(len(side) == len(x) for args, delta in used for side in (*args, delta)):
            missing = keep(_of_layer(module.get_submodule(layer), layer, used))
    if missing:
        missing = keep(_by_vmap(module, missing, (x,), torch.ones_like(predictions)))
    if keep(_one_by_one(module, x, missing)):
        raise ValueError(
            f"`module` must be a function of one example, but the gradients of {len(x):,} examples, had one at a time, "
            "do not add up to the gradient of their batch; leave out what mixes them"
        )
    order = {name: i for i, name in enumerate(weights)}
    return dict(sorted(found.items(), key=lambda item: order[item[0][0]])), missing


def _of_layer(part: nn.Module, layer: str, used: list[tuple[tuple[Tensor, ...], Tensor]]) -> Blocks:
    """Gradients of a layer's own weights from its inputs and deltas, summed over its uses."""
    own, n = list(_own(part)), len(used[0][1])
    names = tuple(f"{layer}.{name}" for name in own)
    if type(part) is nn.Linear and own[0] == "weight":
        a = torch.cat([args[0].reshape(n, -1, part.in_features) for args, _ in used], dim=1)
        delta = torch.cat([delta.reshape(n, -1, part.out_features) for _, delta in used], dim=1)
        block = LayerGradient(to_numpy(a), to_numpy(delta), "bias" in own)
        return {names: block} if block.is_pair else {(name,): g for name, g in zip(names, block.columns(), strict=True)}
    parts = [_by_vmap(part, own, args, delta) for args, delta in used]
    if not all(parts):
        return {}
    return {(name,): np.sum([g[(of,)] for g in parts], axis=0) for name, of in zip(names, own, strict=True)}


def _by_vmap(
    part: nn.Module, names: list[str], args: tuple[Tensor, ...], delta: Tensor
) -> dict[tuple[str, ...], Array]:
    """Gradients (n, size) of sum delta_n part(a_n) in these parameters; none where torch.func does not apply."""

    def pulled(weights: dict[str, Tensor], args: tuple[Tensor, ...], delta: Tensor) -> Tensor:
        z: Tensor = torch.func.functional_call(part, weights, tuple(a[None] for a in args))
        return (z * delta[None]).sum()

    weights = {name: part.get_parameter(name).detach() for name in names}
    try:
        # Outside of grad nothing is recorded: the other parameters still require gradients.
        with torch.no_grad():
            found = torch.func.vmap(torch.func.grad(pulled), (None, 0, 0))(weights, args, delta)
    except Exception:  # whatever torch.func cannot do, plain autograd can
        return {}
    return {(name,): to_numpy(found[name].reshape(len(delta), -1)) for name in names}


def _one_by_one(module: nn.Module, x: Tensor, names: list[str]) -> Blocks:
    """Gradients (n, size) of these parameters, by one backward pass for each example."""
    parameters = [module.get_parameter(name) for name in names]
    found = [np.zeros((len(x), parameter.numel())) for parameter in parameters]
    for i in range(len(x) if names else 0):
        parts = torch.autograd.grad(module(x[i : i + 1]).sum(), parameters, allow_unused=True)
        for rows, part in zip(found, parts, strict=True):
            if part is not None:
                rows[i] = to_numpy(part.to_dense().flatten())
    return {(name,): rows for name, rows in zip(names, found, strict=True)}


def _recorded(module: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, list[tuple[tuple[Tensor, ...], GradientEdge]]]]:
    """The predictions, and what went in and out of the innermost parts whose weights no other part has.

    Of an output the edge in the graph: it outlives what overwrites the output, as nn.ReLU(inplace=True) does.
    """
    owners = Counter(id(parameter) for part in module.modules() for parameter in part.parameters(recurse=False))
    uses: dict[str, list[tuple[tuple[Tensor, ...], GradientEdge]]] = {}

    def recorder(layer: str) -> Callable[..., None]:
        def record(_: nn.Module, args: tuple[object, ...], named: dict[str, object], output: object) -> None:
            tensors = tuple(arg.detach() for arg in args if isinstance(arg, Tensor) and arg.ndim)
            known = len(tensors) == len(args) > 0 and not named
            if known and isinstance(output, Tensor) and output.ndim and output.requires_grad:
                uses.setdefault(layer, []).append((tensors, get_gradient_edge(output)))

        return record

    handles = [
        part.register_forward_hook(recorder(layer), with_kwargs=True)
        for layer, part in module.named_modules()
        if len(own := _own(part)) == len(trainable(part)) > 0 and all(owners[id(p)] == 1 for p in own.values())
    ]
    predictions: Tensor = module(x)
    for handle in handles:
        handle.remove()
    return predictions, uses


def _own(part: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in part.named_parameters(recurse=False) if parameter.requires_grad}


class Watch(TorchFunctionMode):
    """Sees what is computed, while it is on, from tensors that require gradients.

    The largest unit roundoff, and how many numbers there are.
    """

    unit, numbers = 0.0, 0

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Compute, and look at the result."""
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and value.requires_grad and not isinstance(value, nn.Parameter):
                self.unit, self.numbers = max(self.unit, unit_of(value.dtype)), self.numbers + value.numel()
        return result


def to_numpy(values: Tensor) -> Array:
    """The values as float64."""
    return np.asarray(values.detach().cpu().double().numpy())
