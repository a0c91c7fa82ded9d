"""A PyTorch module as a model: copied, made sure of, evaluated in chunks and in any thread."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...core.arguments import Array, real_array
from ...core.errors import ShapeError
from . import torch_gradients as gradients
from .one_example import check_examples, distinct_rows
from .torch_gradients import TOLERANCE, Dense, Outer, Plan

Transform = Callable[[Tensor], Tensor]

_REMEDY = "call module.eval() first, or leave out what mixes or draws"
_FORWARD_ROWS = 1024


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
        if tuple(p.shape) not in ((n,), (n, 1)) and not (n == 1 and p.ndim == 0):
            raise ShapeError(
                f"`module` must return one number for each input, shape ({n},) or ({n}, 1) for {n} inputs, "
                f"got {tuple(p.shape)}"
            )
        return p.reshape(n)


class TorchModel:
    """A model given by a PyTorch module; see `from_torch`."""

    def __init__(self, predictor: Predictor, chunk: int | None) -> None:
        self._predictor, self._chunk = predictor, chunk
        weights = gradients.trainable(predictor)
        first = next(iter(weights.values()))
        self._dtype, self._device = first.dtype, first.device
        sizes = {name: parameter.numel() for name, parameter in weights.items()}
        self._names = tuple(sizes)
        self.n_parameters: int = sum(sizes.values())
        self.dim: int | None = _input_dimension(predictor)
        self._plan: Plan | None = None
        self._lock, self._threads = threading.Lock(), threading.local()
        if self.dim is not None:
            self._plan_at(np.random.default_rng(0).standard_normal((4, self.dim)))

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
        if self._plan is None:
            return words
        slow = sum(gradients.trainable(self._predictor)[name].numel() for name in self._plan.rest)
        way = "torch.func" if self._plan.vectorised else "one backward pass an example"
        if not slow:
            return f"{words}, gradients layer by layer"
        of = "" if slow == self.n_parameters else f" of {slow:,} parameter{'' if slow == 1 else 's'}"
        return f"{words}, gradients{of} by {way}"

    @property
    def parameters(self) -> Array:
        """All parameters in the order of the gradient, shape (P,)."""
        parts = [p.detach().flatten() for p in gradients.trainable(self._predictor).values()]
        return _to_numpy(torch.cat(parts))

    def with_parameters(self, parameters: npt.ArrayLike) -> TorchModel:
        """Return the same module with other parameters, given in the order of the gradient, shape (P,)."""
        flat = real_array("parameters", parameters, 1, f"({self.n_parameters},)")
        if flat.size != self.n_parameters:
            raise ShapeError(f"`parameters` must have shape ({self.n_parameters},) for {self!r}, got {flat.shape}")
        other = copy.deepcopy(self._predictor)
        own = gradients.trainable(other).values()
        ends = np.cumsum([parameter.numel() for parameter in own])[:-1]
        with torch.no_grad():
            for parameter, values in zip(own, np.split(flat, ends), strict=True):
                parameter.copy_(torch.from_numpy(values.reshape(parameter.shape)))
        return TorchModel(other, self._chunk)

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,)."""
        array = self._inputs(x)
        rows = self._plan_at(array).chunk
        with _alone():
            return np.concatenate([np.empty(0), *(self._predict(block) for block in _split(array, rows))])

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P), parameters in the order of `module.named_parameters()`."""
        array = self._inputs(x)
        plan = self._plan_at(array)

        def parts(block: Array) -> list[Tensor]:
            found = gradients.columns(gradients.blocks(self._module(), self._tensor(block), plan))
            return [torch.cat([found[name] for name in self._names], dim=1)]

        return self._stacked(parts, array, plan.chunk)[0] if len(array) else np.empty((0, self.n_parameters))

    def tangent_factors(self, x: npt.ArrayLike) -> list[tuple[Array, Array]]:
        """Return a pair for each layer that is used at one position, and one (g, 1) for all other parameters."""
        array = self._inputs(x)
        if not len(array):
            return [(np.empty((0, self.n_parameters)), np.empty((0, 1)))]
        plan = self._plan_at(array)

        def parts(block: Array) -> list[Tensor]:
            found = gradients.blocks(self._module(), self._tensor(block), plan)
            sides: list[Tensor] = []
            for outer in (part for part in found if isinstance(part, Outer)):
                ones = outer.inputs.new_ones(len(block), len(outer.names) - 1)
                sides += [torch.cat([outer.inputs, ones], dim=1), outer.deltas]
            dense = [part.gradient for part in found if isinstance(part, Dense)]
            return [*sides, torch.cat(dense, dim=1), dense[0].new_ones(len(block), 1)] if dense else sides

        sides = self._stacked(parts, array, plan.chunk)
        return list(zip(sides[::2], sides[1::2], strict=True))

    def _stacked(self, parts: Callable[[Array], list[Tensor]], x: Array, rows: int) -> list[Array]:
        """The parts of all chunks, each in one array."""
        found: list[Array] = []
        with _alone():
            start = 0
            for block in _split(x, rows):
                tensors = parts(block)
                found = found or [np.empty((len(x), tensor.shape[1])) for tensor in tensors]
                for whole, tensor in zip(found, tensors, strict=True):
                    whole[start : start + len(block)] = tensor.detach().cpu().numpy()
                start += len(block)
        return found

    def _predict(self, x: Array) -> Array:
        with torch.no_grad():
            return _to_numpy(self._module()(self._tensor(x)))

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

    def _plan_at(self, x: Array) -> Plan:
        """How gradients are had; made sure of at the first inputs, and kept once there were two that differ."""
        if self._plan is not None:
            return self._plan
        rows = distinct_rows(x)
        if not len(rows):
            return Plan((), self._names, False, _FORWARD_ROWS)
        module = self._module()
        tolerance = TOLERANCE[self._dtype]
        with _alone():
            if not module(self._tensor(rows)).requires_grad:
                raise ValueError(
                    "the output of `module` must have a gradient in its parameters; it has none: `forward` detaches "
                    "it, or runs under torch.no_grad()"
                )
            size = self._size(rows)
            check_examples(self._predict, rows, tolerance * size, "`module`", _REMEDY)
            plan = gradients.make_plan(module, gradients.redrawn(self._predictor), self._tensor(rows), tolerance)
        if self._chunk is not None:
            plan = plan._replace(chunk=self._chunk)
        if len(rows) > 1:
            with self._lock:
                self._plan = self._plan or plan
        return self._plan or plan

    def _size(self, x: Array) -> float:
        """The largest |p| + sum_j |w_j dp/dw_j|: the size of the terms that a prediction sums."""
        weights = gradients.trainable(self._predictor)
        size = 0.0
        for i in range(len(x)):
            found = gradients.one_by_one(self._module(), self._tensor(x[i : i + 1]), self._names)
            terms = sum(float(found[name].abs()[0] @ weights[name].detach().flatten().abs()) for name in self._names)
            size = float(np.nanmax([size, terms + abs(self._predict(x[i : i + 1])[0])]))
        return size


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


def _split(x: Array, rows: int) -> Iterable[Array]:
    return (x[start:stop] for start, stop in itertools.pairwise([*range(0, len(x), rows), len(x)]))


def _to_numpy(values: Tensor) -> Array:
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64)
