"""A PyTorch module as a model: copied, made sure of, evaluated in chunks and in any thread."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...core.arguments import Array
from ...core.errors import ShapeError
from ..base import check_one_output, parameter_vector, split_as
from ..gradients import Block, LayerGradient, factors, stacked, written_out
from .one_example import check_examples, distinct_rows
from .torch_gradients import (
    TOLERANCE,
    Gradients,
    Ways,
    gradients_of,
    numbers_saved,
    recognised,
    to_numpy,
    trainable,
)

Transform = Callable[[Tensor], Tensor]

_REMEDY = "call module.eval() first, or leave out what mixes or draws"
_NUMBERS, _MOST_ROWS = 2**22, 1024
"""Numbers that a chunk of examples keeps (32 MiB), and the most examples of one."""


class Predictor(nn.Module):
    """A module with what comes before it, made sure to return one number for each example."""

    def __init__(self, module: nn.Module, transform: Transform | None) -> None:
        super().__init__()
        self.module = module
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        """p(x), shape (n,)."""
        try:
            p: object = self.module(x if self.transform is None else self.transform(x))
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise ValueError(
                f"`module` fails at inputs of shape {tuple(x.shape)}, {x.dtype}: {error} (`transform=` makes of inputs "
                "(n, dim) what a module takes; `dtype=torch.float32` suits one that fixes that dtype)"
            ) from error
        n = x.shape[0]
        if not isinstance(p, Tensor):
            raise TypeError(f"`module` must return a tensor of shape (n,) or (n, 1), got a {type(p).__name__}")
        if not p.is_floating_point():
            raise TypeError(f"`module` must return real numbers, got {p.dtype}")
        if n != 1 or p.ndim:  # the prediction at one input may have no axis
            check_one_output("`module`", tuple(p.shape), n, column=True, remedy=": one number for each input")
        return p.reshape(n)


class TorchModel:
    """A model given by a PyTorch module; see `from_torch`."""

    def __init__(self, predictor: Predictor, chunk: int | None) -> None:
        self._predictor, self._given_chunk = predictor, chunk
        weights = trainable(predictor)
        first = next(iter(weights.values()))
        self._dtype, self._device = first.dtype, first.device
        self.n_parameters: int = sum(parameter.numel() for parameter in weights.values())
        self.dim: int | None = _input_dimension(predictor)
        self._seen: _Seen | None = None
        self._lock, self._threads = threading.Lock(), threading.local()
        if self.dim is not None:
            self._look(np.random.default_rng(0).standard_normal((4, self.dim)))

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_threads")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock, self._threads = threading.Lock(), threading.local()

    def __repr__(self) -> str:
        dtype = str(self._dtype).removeprefix("torch.")
        return f"from_torch({type(self._predictor.module).__name__}, {dtype}, n_parameters={self.n_parameters})"

    @property
    def description(self) -> str:
        """The model in words, and by which way its gradients are had, once that is known."""
        words = f"{type(self._predictor.module).__name__} (PyTorch, {str(self._dtype).removeprefix('torch.')})"
        if self._seen is None:
            return words
        slow = _others(self._predictor, self._seen.ways)
        if not slow:
            return f"{words}, gradients layer by layer"
        way = "torch.func" if self._seen.ways.vectorised else "one backward pass an example"
        of = "" if slow == self.n_parameters else f" of {slow:,} parameter{'' if slow == 1 else 's'}"
        return f"{words}, gradients{of} by {way}"

    @property
    def parameters(self) -> Array:
        """All parameters in the order of the gradient, shape (P,)."""
        return np.concatenate([to_numpy(p.flatten()) for p in trainable(self._predictor).values()])

    def with_parameters(self, parameters: npt.ArrayLike) -> TorchModel:
        """Return the same module with other parameters, given in the order of the gradient, shape (P,)."""
        flat = parameter_vector(parameters, self.n_parameters, self)
        other = copy.deepcopy(self._predictor)
        own = list(trainable(other).values())
        with torch.no_grad():
            for parameter, values in zip(own, split_as([tuple(p.shape) for p in own], flat), strict=True):
                parameter.copy_(torch.from_numpy(values))
        return TorchModel(other, self._given_chunk)

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,)."""
        array = self._inputs(x)
        rows = self._look(array).chunk
        with _alone():
            return np.concatenate([np.empty(0), *(self._predict(part) for part in _split(array, rows))])

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P), parameters in the order of `module.named_parameters()`."""
        array = self._inputs(x)
        seen = self._look(array)
        whole = np.empty((len(array), self.n_parameters))
        with _alone():
            for part, rows in zip(_split(array, seen.chunk), _split(whole, seen.chunk), strict=True):
                rows[:] = written_out(list(self._gradients(part, seen.ways).blocks.values()))
        return whole

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return a pair for each layer that is used at one position, and one (g, 1) for all other parameters."""
        array = self._inputs(x)
        if not len(array):
            return [(np.empty((0, self.n_parameters)), np.empty((0, 1)))]
        seen = self._look(array)
        found = []
        with _alone():
            for part in _split(array, seen.chunk):
                blocks = self._gradients(part, seen.ways).blocks
                _refuse_another_form(blocks, seen)
                found.append(factors(list(blocks.values()), len(part)))
        return stacked(found)

    def _predict(self, x: Array) -> Array:
        with torch.no_grad():
            return to_numpy(self._module()(self._tensor(x)))

    def _gradients(self, x: Array, ways: Ways) -> Gradients:
        return gradients_of(self._module(), self._tensor(x), ways)

    def _inputs(self, x: npt.ArrayLike) -> Array:
        array = np.asarray(x, dtype=np.float64)
        if array.ndim != 2 or self.dim not in (None, array.shape[1]):
            raise ShapeError(f"`x` must have shape (n, {self.dim or 'dim'}) for {self!r}, got {array.shape}")
        return array

    def _tensor(self, x: Array) -> Tensor:
        # A copy in torch's memory: products may differ in the last bits with the alignment.
        return torch.tensor(x, dtype=self._dtype, device=self._device)

    def _module(self) -> Predictor:
        """The calling thread's own copy, on the same weights: hooks and torch.func change a module while they run."""
        own: Predictor | None = getattr(self._threads, "module", None)
        if own is None:
            with self._lock:
                own = copy.deepcopy(self._predictor, {id(p): p for p in self._predictor.parameters()})
            self._threads.module = own
        return own

    def _look(self, x: Array) -> _Seen:
        """Check the module at the first inputs and choose ways; kept once there were two inputs that differ."""
        if self._seen is not None:
            return self._seen
        rows = distinct_rows(x)
        if not len(rows):
            return _Seen(Ways({}, False), (), _MOST_ROWS)
        module = self._module()
        with _alone():
            if not module(self._tensor(rows)).requires_grad:
                raise ValueError(
                    "the output of `module` must have a gradient in its parameters; it has none: `forward` detaches "
                    "it, or runs under torch.no_grad()"
                )
            check_examples(self._predict, rows, TOLERANCE[self._dtype] * self._size(rows), "`module`", _REMEDY)
            # There and back: whatever a module sorts its examples by, they are out of order.
            there_and_back = np.concatenate([rows, rows[::-1]])
            blocks, ways = self._gradients(there_and_back, Ways(recognised(module), True))
            chunk = self._given_chunk
            if chunk is None:
                row = numbers_saved(module, self._tensor(rows[:1])) + _others(module, ways)
                chunk = min(max(_NUMBERS // max(row, 1), 1), _MOST_ROWS)
        seen = _Seen(ways, _pairs(blocks), chunk)
        if len(rows) > 1:
            with self._lock:
                self._seen = self._seen or seen
        return self._seen or seen

    def _size(self, x: Array) -> float:
        """The largest |p| + sum_j |w_j dp/dw_j|: the size of the terms that a prediction sums."""
        module, size = self._module(), 0.0
        weights = list(trainable(module).values())
        for i in range(len(x)):
            p = module(self._tensor(x[i : i + 1])).sum()
            slopes = torch.autograd.grad(p, weights, allow_unused=True)
            terms = [float((w * g).detach().abs().sum()) for w, g in zip(weights, slopes, strict=True) if g is not None]
            size = float(np.nanmax([size, abs(p.item()) + sum(terms)]))
        return size


class _Seen(NamedTuple):
    """How gradients are had, the layers whose gradients are pairs, and how many examples are taken at once."""

    ways: Ways
    pairs: tuple[tuple[str, ...], ...]
    chunk: int


def _pairs(blocks: dict[tuple[str, ...], Block]) -> tuple[tuple[str, ...], ...]:
    return tuple(names for names, block in blocks.items() if isinstance(block, LayerGradient))


def _refuse_another_form(blocks: dict[tuple[str, ...], Block], seen: _Seen) -> None:
    """Raise a `ValueError` unless the layers whose gradients are pairs are those of the first inputs."""
    changed = sorted(set(_pairs(blocks)) ^ set(seen.pairs))
    if changed:
        layer = changed[0][0].removeprefix("module.").rpartition(".")[0]
        raise ValueError(
            f"`module` must send all inputs the same way, but its layer {layer!r} was given something other than one "
            "row for each input, in their order, at some inputs and not at others, or is also used in another way; "
            "pass gradients of your own to from_function instead"
        )


def _others(module: nn.Module, ways: Ways) -> int:
    """The number of parameters that belong to none of the layers."""
    by_layers = set(itertools.chain.from_iterable(ways.layers.values()))
    return sum(parameter.numel() for name, parameter in trainable(module).items() if name not in by_layers)


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
    if dtype not in (None, *TOLERANCE):
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
            predictor = copy.deepcopy(Predictor(module, transform))
        except (RuntimeError, TypeError) as error:
            raise TypeError(
                f"`module` must be such that copy.deepcopy can copy it (no tensor kept from a forward pass): {error}"
            ) from error
        predictor.zero_grad(set_to_none=True)
        predictor.to(device=first.device if device is None else device, dtype=dtype or torch.float64)
    return TorchModel(predictor, chunk)


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


def _split(x: Array, rows: int) -> Iterator[Array]:
    return (x[start:stop] for start, stop in itertools.pairwise([*range(0, len(x), rows), len(x)]))
