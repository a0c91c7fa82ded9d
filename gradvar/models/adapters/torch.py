"""Models of PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, SupportsIndex

from ...core.arguments import integer

if TYPE_CHECKING:
    import torch

    from .torch_model import TorchModel


def from_torch(
    module: torch.nn.Module,
    *,
    transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
    chunk: SupportsIndex | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> TorchModel:
    """Make a model of a PyTorch module with one output, or with K.

    p_w(x) is the module's output and w its parameters with requires_grad=True, in the order of
    `module.named_parameters()`, each row-major; the others are held fixed. The module is copied: it is left as it is,
    and training it afterwards does not change the model.

    Gradients of single examples are had layer by layer: hooks keep the inputs a_n of the innermost parts that have
    weights, and one backward pass of the batch gives the deltas dp_n/dz_n of their outputs. An nn.Linear that is used
    at one position gives the factors ([a, 1], dp/dz), and no gradient of an example is kept; others are written out.
    Parameters that no such layer has (tied weights, nn.MultiheadAttention, those of the user's own modules) are
    differentiated through the whole module by torch.func; where it does not apply (nn.LSTM), by one backward pass for
    each example, and `description` says so. At every chunk of examples the gradients g_n are compared with plain
    autograd, as sum_n c_n g_n for fixed random c, by one more backward pass. A layer that does not agree is
    differentiated through the whole module, so that a module that sorts its batch is read right.

    Parameters
    ----------
    module : torch.nn.Module
        Takes (n, dim) and returns (n,), (n, 1), or (n, K) for targets with K outputs. A function of each example
        alone: BatchNorm and Dropout in eval mode.
    transform : callable, optional
        Makes of the tensor x, (n, dim), what the module takes: `lambda x: x.reshape(-1, 1, 28, 28)` for images,
        `lambda x: (x > 0).long()` for tokens.
    chunk : int, optional
        Examples that are differentiated at once, >= 1; by default as many as take about 8 MiB.
    device : torch.device or str, optional
        Where the copy lives; by default where the module does.
    dtype : torch.dtype, optional
        Of the copy and of its inputs: torch.float64 (the default) or torch.float32. Results are float64 arrays.

    Returns
    -------
    TorchModel
        Exact up to rounding in `dtype`. Each call holds torch to one thread, so that results are the same bits for
        any number of workers. It pickles if the module and `transform` do.

    Raises
    ------
    ImportError
        PyTorch is not installed.
    ValueError
        A `device` that is not there.
    TypeError, ValueError, ShapeError
        Not a module, or TorchScript; no parameter that requires a gradient; layers in training mode that mix examples
        or draw random numbers. Where the module does not begin with nn.Linear, what its output shows is raised by the
        first call instead: another shape, no gradient, or a prediction that changes with the batch or from call to
        call. From `tangent_factors`: a layer gets one row for each input, in their order, at some inputs only.

    Examples
    --------
    >>> import torch, gradvar as gv
    >>> net = torch.nn.Sequential(torch.nn.Linear(12, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> check = gv.bound_check(gv.Parities(12), gv.from_torch(net))
    >>> check.verdict, gv.from_torch(net).n_parameters
    ('holds', 113)
    """
    try:
        from .torch_model import copied
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError("`from_torch` needs PyTorch: install torch (the extra gradient-variance[torch])") from None
    if transform is not None and not callable(transform):
        raise TypeError(f"`transform` must be a function of the inputs, a tensor (n, dim), got {transform!r}")
    rows = None if chunk is None else integer("chunk", chunk, 1)
    _check_device(device)
    return copied(module, transform, rows, device, dtype)


def adopted(model: object) -> object:
    """Return the model that a PyTorch module is, with its defaults; anything else as it is."""
    torch = sys.modules.get("torch")  # whoever has a module has imported it
    return from_torch(model) if torch and isinstance(model, torch.nn.Module) else model


def _check_device(device: torch.device | str | None) -> None:
    """Raise an error unless a number can be sent to this device and be had back."""
    import torch

    try:
        torch.zeros(1, device=device).item()
    except (AssertionError, RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"`device` must be one that PyTorch finds here, such as 'cpu', got {device!r}: {reason}"
        ) from None
