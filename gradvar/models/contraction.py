r"""A model with K outputs as one with a single output: (x, c) -> <c, p_w(x)>, a direction c in R^K beside each input.

Its gradient in w is sum_k c_k dp_k(x)/dw: of a network one backward pass that begins at c.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, real
from ..core.errors import ShapeError
from .base import Model
from .gradients import Block
from .network import Backward, Network
from .precision import looked_at, rounding


@runtime_checkable
class KnowsContraction(Model, Protocol):
    """A model of another library that contracts its outputs by itself."""

    def contraction(self, n_outputs: int) -> Model:
        """The model (x, c) -> <c, p_w(x)>, c in R^n_outputs."""


class Contraction:
    """The model (x, c) -> <c, p_w(x)> of one that offers `predict` (n, K) and `gradient` (n, K, P)."""

    def __init__(self, model: Model, n_outputs: int) -> None:
        self.model, self._count = model, n_outputs
        self.n_parameters = model.n_parameters
        dim: int | None = getattr(model, "dim", None)
        self.dim = None if dim is None else dim + n_outputs
        self.layers: dict[str, tuple[int, ...]] = getattr(model, "layers", {"all": (self.n_parameters,)})
        self.description = str(getattr(model, "description", repr(model)))

    def __repr__(self) -> str:
        return repr(self.model)

    def predict(self, x: Array) -> Array:
        """Return <c, p(x)>, shape (n,)."""
        x, c = self._split(x)
        return np.asarray(np.einsum("nk,nk->n", c, self._given("predict", self.model.predict(x), c.shape)))

    def gradient(self, x: Array) -> Array:
        """Return sum_k c_k dp_k(x)/dw, shape (n, P)."""
        x, c = self._split(x)
        g = self._given("gradient", self.model.gradient(x), (*c.shape, self.n_parameters))
        return np.asarray(np.einsum("nk,nkp->np", c, g))

    def rounding(self, x: Array) -> float:
        """Return what the model's arithmetic leaves in gradients, relative to their norm; 0.0 in float64."""
        if hasattr(self.model, "rounding"):
            return rounding(self.model, self._split(x)[0])
        return looked_at(x, self.predict, lambda some: [self.gradient(some), np.ones((len(some), 1))])

    def _split(self, x: Array) -> tuple[Array, Array]:
        return x[:, : -self._count], x[:, -self._count :]

    def _given(self, name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
        array = real(f"model.{name}", values, str(shape))
        if array.shape != shape:
            raise ShapeError(f"`{name}` of {self.model!r} must return shape {shape}, got {array.shape}")
        return array


class ContractedNetwork(Network):
    """The network (x, c) -> <c, p_w(x)> of one with K outputs, whose parameters are the same."""

    def __init__(self, network: Network, n_outputs: int) -> None:
        self.network, self._count = network, n_outputs
        self.dim = network.dim + n_outputs

    def __repr__(self) -> str:
        return repr(self.network)

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        """The arrays of parameters in the order of the gradient: their names and shapes."""
        return self.network.layers

    def with_parameters(self, parameters: npt.ArrayLike) -> ContractedNetwork:
        """Return this network with other parameters, given in the order of the gradient, shape (P,)."""
        return ContractedNetwork(self.network.with_parameters(parameters), self._count)

    def _forward(self, x: Array) -> tuple[Array, Backward]:
        c = x[:, -self._count :]
        p, back = self.network._forward(x[:, : -self._count])

        def weighted(weights: Array) -> list[Block]:
            return back(c * weights[:, None])

        return np.einsum("nk,nk->n", c, p), weighted

    def _row_size(self) -> int:
        return self.network._row_size() + 2 * self._count

    def _values(self) -> list[Array | float | None]:
        return self.network._values()


def contraction(model: Model, n_outputs: int) -> Model:
    """Return the model (x, c) -> <c, p_w(x)> of one with that many outputs."""
    if isinstance(model, KnowsContraction):
        return model.contraction(n_outputs)
    return ContractedNetwork(model, n_outputs) if isinstance(model, Network) else Contraction(model, n_outputs)
