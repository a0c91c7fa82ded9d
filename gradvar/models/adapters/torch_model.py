"""A PyTorch module as a model: copied, made sure of, evaluated in chunks and in any thread."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...core.arguments import Array
from ...core.errors import ShapeError
from ..base import check_one_output
from ..gradients import Block, LayerGradient, factors, stacked
from ..precision import unit_of
from .adapted import MOST_ROWS, Adapted, fitting_rows
from .torch_gradients import Blocks, Watch, gradients_of, to_numpy, trainable

Transform = Callable[[Tensor], Tensor]


class Predictor(nn.Module):
    """A module with what comes before it, made sure to return one number for each example, or K."""

    def __init__(self, module: nn.Module, transform: Transform | None) -> None:
        super().__init__()
        self.module = module
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        """p(x), shape (n,), or (n, K) for K outputs."""
        try:
            p: object = self.module(x if self.transform is None else self.transform(x))
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise ValueError(
                f"`module` fails at inputs of shape {tuple(x.shape)}, {x.dtype}: {error} (`transform=` makes of inputs "
                "(n, dim) what a module takes; `dtype=torch.float32` suits one that fixes that dtype)"
            ) from error
        n = x.shape[0]
        if isinstance(p, Tensor) and p.ndim == 2 and p.shape[0] == n and p.shape[1] > 1 and p.is_floating_point():
            return p
        if not isinstance(p, Tensor):
            raise TypeError(f"`module` must return a tensor of shape (n,) or (n, 1), got a {type(p).__name__}")
        if not p.is_floating_point():
            raise TypeError(f"`module` must return real numbers, got {p.dtype}")
        if n != 1 or p.ndim:  # the prediction at one input may have no axis
            check_one_output("`module`", tuple(p.shape), n, column=True, remedy=": one number for each input")
        return p.reshape(n)


class Contracted(nn.Module):
    """The module (x, c) -> <c, p(x)> of a predictor with K outputs."""

    def __init__(self, predictor: nn.Module, n_outputs: int) -> None:
        super().__init__()
        self.predictor, self.n_outputs = predictor, n_outputs

    def forward(self, x: Tensor) -> Tensor:
        """<c, p(x)>, shape (n,)."""
        c = x[:, -self.n_outputs :]
        p: Tensor = self.predictor(x[:, : -self.n_outputs])
        if p.shape != c.shape:
            raise ShapeError(f"`module` must return shape {tuple(c.shape)} as targets do, got {tuple(p.shape)}")
        return (p * c).sum(1)


class TorchModel(Adapted):
    """A model given by a PyTorch module; see `from_torch`."""

    _words = "`module`", "PyTorch", "call module.eval() first, or leave out what mixes or draws"

    def __init__(self, predictor: Predictor, chunk: int | None) -> None:
        self._predictor: nn.Module = predictor
        self._given_chunk, self._chunk = chunk, chunk or MOST_ROWS
        weights = list(trainable(predictor).values())
        self._dtype, self._device = weights[0].dtype, weights[0].device
        self._name = type(predictor.module).__name__
        self._dtype_name = str(self._dtype).removeprefix("torch.")
        self.n_parameters = sum(parameter.numel() for parameter in weights)
        self.dim = _input_dimension(predictor)
        self._pairs: set[tuple[str, ...]] = set()
        self._slow = 0
        self._idle: list[nn.Module] = []
        if self.dim is not None:
            self._inputs(np.random.default_rng(0).standard_normal((4, self.dim)))

    @property
    def description(self) -> str:
        """The model in words, and how many parameters take a backward pass for each example, once that is known."""
        slow = f", gradients of {self._slow:,} parameters by one backward pass an example"
        return super().description + slow * (self._slow > 0)

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return a pair for each nn.Linear that is used at one position, and one (g, 1) for all other parameters."""
        array = self._inputs(x)
        if not len(array):
            return [(np.empty((0, self.n_parameters)), np.empty((0, 1)))]
        return stacked([factors(self._alike(array[rows]), len(array[rows])) for rows in self._chunks(array)])

    def _alike(self, x: Array) -> list[Block]:
        blocks, _ = self._gradients(x)
        changed = sorted(self._pairs ^ _pairs(blocks))
        if changed:
            layer = changed[0][0].removeprefix("module.").rpartition(".")[0]
            raise ValueError(
                f"`module` must send all inputs the same way, but its layer {layer!r} was given something other "
                "than one row for each input, in their order, at some inputs and not at others, or is also used "
                "in another way; pass gradients of your own to from_function instead"
            )
        return list(blocks.values())

    def _names(self) -> list[str]:
        return [name.removeprefix("predictor.").removeprefix("module.") for name in trainable(self._predictor)]

    def contraction(self, n_outputs: int) -> TorchModel:
        """Return the model (x, c) -> <c, p(x)> of one with so many outputs, with the same parameters."""
        other = copy.copy(self)
        other._predictor, other._idle, other._seen = Contracted(self._predictor, n_outputs), [], False
        other.dim = None if self.dim is None else self.dim + n_outputs
        return other

    def _weights(self) -> list[Array]:
        return [to_numpy(parameter) for parameter in trainable(self._predictor).values()]

    def _with(self, weights: Iterable[Array]) -> TorchModel:
        other = copy.copy(self)
        other._predictor, other._idle = copy.deepcopy(self._predictor), []
        with torch.no_grad():
            for parameter, values in zip(trainable(other._predictor).values(), weights, strict=True):
                parameter.copy_(torch.from_numpy(values))
        return other

    def _predict(self, x: Array) -> Array:
        with self._running() as module:  # and gradients recorded: a module may take some of its own
            return to_numpy(module(self._tensor(x)))

    def _blocks(self, x: Array) -> list[Block]:
        return list(self._gradients(x)[0].values())

    def _gradients(self, x: Array) -> tuple[Blocks, list[str]]:
        with self._running() as module:
            return gradients_of(module, self._tensor(x), self.unit)

    def _tensor(self, x: Array) -> Tensor:
        # A copy in torch's memory: products may differ in the last bits with the alignment.
        return torch.tensor(x, dtype=self._dtype, device=self._device)

    @contextmanager
    def _running(self) -> Iterator[nn.Module]:
        """A copy on the same weights, for one thread: hooks, torch.func and some modules change a module as it runs."""
        try:
            module = self._idle.pop()
        except IndexError:
            module = copy.deepcopy(self._predictor, {id(p): p for p in self._predictor.parameters()})
        with _alone():
            yield module
        self._idle.append(module)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_idle": []}

    def _look(self, x: Array) -> None:
        with self._running() as module, Watch() as seen:
            p = module(self._tensor(x).requires_grad_().clone())
        self.n_outputs = 1 if p.ndim == 1 else p.shape[1]
        self.unit = max(seen.unit, unit_of(self._dtype))
        super()._look(x)
        if self.n_outputs > 1:
            return
        # In an order of no kind: whatever a module sorts, turns or rolls its examples by shows.
        blocks, missing = self._gradients(np.random.default_rng(0).permutation(np.concatenate([x, x])))
        sizes = {name: parameter.numel() for name, parameter in trainable(self._predictor).items()}
        self._pairs, self._slow = _pairs(blocks), sum(sizes[name] for name in missing)
        written = self.n_parameters - sum(sizes[name] for names in self._pairs for name in names)
        self._chunk = self._given_chunk or fitting_rows(seen.numbers // len(x) + written)


def _pairs(blocks: Blocks) -> set[tuple[str, ...]]:
    return {names for names, block in blocks.items() if isinstance(block, LayerGradient)}


def copied(
    module: nn.Module,
    transform: Transform | None,
    chunk: int | None,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> TorchModel:
    """Check what can be seen without inputs, copy and convert."""
    # What torch.compile wraps: the compiled code has no layers to look into.
    module = getattr(module, "_orig_mod", module)
    if not isinstance(module, nn.Module):
        raise TypeError(f"`module` must be a torch.nn.Module, got {module!r}")
    if dtype not in (None, torch.float64, torch.float32):
        raise ValueError(f"`dtype` must be torch.float64 or torch.float32, got {dtype!r}")
    if any(nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        raise ValueError("`module` has parameters without a shape yet (lazy layers); call it once on an input first")
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise TypeError(
            "`module` must not be TorchScript, which hides its layers; pass the nn.Module that it was made of"
        )
    if any(parameter.is_complex() for parameter in module.parameters()):
        raise TypeError("`module` must have real parameters, got complex ones")
    _refuse_mixing(module)
    if not any(parameter.requires_grad and parameter.numel() for parameter in module.parameters()):
        raise ValueError(
            "`module` must have parameters with requires_grad=True: they are w; it has none "
            "(module.requires_grad_(True) frees all that are frozen)"
        )
    first = next(module.parameters())
    with torch.inference_mode(False):
        try:
            predictor = copy.deepcopy(Predictor(module, transform), _recomputed(module))
        except (RuntimeError, TypeError) as error:
            raise TypeError(
                f"`module` must be such that copy.deepcopy can copy it (no tensor kept from a forward pass): {error}"
            ) from error
        predictor.zero_grad(set_to_none=True)
        predictor.to(device=first.device if device is None else device, dtype=dtype or torch.float64)
    return TorchModel(predictor, chunk)


def _recomputed(module: nn.Module) -> dict[int, Tensor]:
    """By id, the weights that torch's hooks (prune, weight_norm) compute before each call: these cannot be copied."""
    kept = (
        vars(part).get(getattr(hook, "_tensor_name", getattr(hook, "name", "")))
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )
    return {id(weight): weight.detach() for weight in kept if isinstance(weight, Tensor)}


def _refuse_mixing(module: nn.Module) -> None:
    for name, part in module.named_modules():
        fault = None
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            if part.running_mean is None:
                fault = "keeps no running statistics and takes those of the batch; set track_running_stats=True"
            elif part.training:
                fault = "is in training mode and takes the statistics of the batch; call module.eval() first"
        elif part.training and _dropout_rate(part) > 0:
            fault = f"drops units at random (p = {_dropout_rate(part):g}); call module.eval() first"
        if fault is not None:
            layer = f"its layer {name!r}, {type(part).__name__}," if name else f"{type(part).__name__}"
            raise ValueError(f"`module` must be a function of one example, but {layer} {fault}")


def _dropout_rate(part: nn.Module) -> float:
    if isinstance(part, nn.modules.dropout._DropoutNd):
        return float(part.p)
    return float(part.dropout) if isinstance(part, (nn.MultiheadAttention, nn.RNNBase)) else 0.0


def _input_dimension(predictor: Predictor) -> int | None:
    """The inputs that the first layer takes, where it is linear."""
    first = predictor.module
    while isinstance(first, nn.Sequential) and len(first):
        first = first[0]
    return first.in_features if predictor.transform is None and isinstance(first, nn.Linear) else None


_lock = threading.Lock()
_before = ExitStack()
_holders = 0
_n_threads = 1


@contextmanager
def _alone() -> Iterator[None]:
    """Hold torch to one thread, and attention to its plain form, which torch.func can take apart; record gradients.

    torch keeps the number of threads for each of them and a default for new ones, so that every holder sets it and
    sets it back to what the first one found.
    """
    global _holders, _n_threads
    with _lock:
        if not _holders:
            _n_threads = torch.get_num_threads()
            _before.enter_context(sdpa_kernel(SDPBackend.MATH))
        _holders += 1
        torch.set_num_threads(1)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        with _lock:
            _holders -= 1
            torch.set_num_threads(_n_threads)
            if not _holders:
                _before.close()
