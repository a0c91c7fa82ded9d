r"""A function of a batch, of another library, as a model: made sure of, and evaluated in chunks.

What it computes in is looked at, not assumed, and each chunk of gradients g_n is compared with the library's own
backward pass of that chunk: sum_n c_n g_n for fixed random c, in which a row in the wrong place shows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, real
from ...core.errors import ShapeError
from ..base import parameter_vector, split_as
from ..gradients import Block, LayerGradient, factors, written_out
from ..precision import relative_rounding

MOST_ROWS = 1024
_NUMBERS = 2**20
"""The most examples of a chunk, and about the most numbers that it keeps (8 MiB)."""
_ROWS, _LOOKED_AT = 4, 8
"""Inputs at which a function is made sure of, and at which its rounding is looked at."""


def fitting_rows(numbers: int) -> int:
    """The examples of one chunk, where one example takes so many numbers."""
    return min(max(_NUMBERS // max(numbers, 1), 1), MOST_ROWS)


class Adapted(ABC):
    """The common part of models of other libraries."""

    n_parameters: int
    dim: int | None = None
    n_outputs: int | None = None
    """K; None before the first call."""
    unit: float = 2.0**-53
    """The unit roundoff of the least precise of what it computes in; known once it was looked at."""
    _words: tuple[str, str, str]
    """The thing that the user gave, its library, and what to do where it is no function of one example."""
    _name: str
    _dtype_name: str
    _chunk: int
    _seen: bool = False

    def __repr__(self) -> str:
        library = type(self).__name__.removesuffix("Model").lower()
        return f"from_{library}({self._name}, {self._dtype_name}, n_parameters={self.n_parameters})"

    @property
    def description(self) -> str:
        """The model in words."""
        return f"{self._name} ({self._words[1]}, {self._dtype_name})"

    @property
    def parameters(self) -> Array:
        """All parameters in the order of the gradient, shape (P,)."""
        return np.concatenate([np.asarray(w, dtype=np.float64).ravel() for w in self._weights()])

    def with_parameters(self, parameters: npt.ArrayLike) -> Self:
        """Return the same function with other parameters, given in the order of the gradient, shape (P,)."""
        flat = parameter_vector(parameters, self.n_parameters, self)
        return self._with(split_as([w.shape for w in self._weights()], flat))

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,), or (n, K) for K outputs."""
        array = self._inputs(x)
        parts = [self._predict(array[rows]) for rows in self._chunks(array)]
        return np.concatenate(parts) if parts else np.empty(0)

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, (n, P) or (n, K, P), parameters in the order in which the library lists them, row-major."""
        array = self._inputs(x)
        if self.n_outputs is not None and self.n_outputs > 1:
            one = self.contraction(self.n_outputs)
            directions = np.eye(self.n_outputs)[:, None] * np.ones((len(array), 1))
            return np.stack([one.gradient(np.concatenate([array, c], axis=1)) for c in directions], axis=1)
        g = np.empty((len(array), self.n_parameters))
        for rows in self._chunks(array):
            g[rows] = written_out(self._blocks(array[rows]))
        return g

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        """The arrays of parameters in the order of the gradient: their names and shapes."""
        return {name: np.shape(w) for name, w in zip(self._names(), self._weights(), strict=True)}

    def blocks(self, x: npt.ArrayLike) -> Iterator[tuple[Array, list[Block]]]:
        """Yield p and the gradient by layers, of some rows of x after the other."""
        array = self._inputs(x)
        for rows in self._chunks(array):
            yield self._predict(array[rows]), self._alike(array[rows])

    def rounding(self, x: npt.ArrayLike) -> float:
        """Return what the library's arithmetic leaves in gradients, relative to their norm; 0.0 in float64."""
        some, w = self._inputs(x)[:_LOOKED_AT], self.parameters
        if self.unit <= 2.0**-53:
            return 0.0
        z = np.random.default_rng(0).standard_normal(w.size)
        return relative_rounding(lambda t: self.with_parameters(w * (1 + t * z)).gradient(some), self.unit)

    @abstractmethod
    def _names(self) -> Iterable[str]:
        """The names of the arrays of parameters, in order."""

    @abstractmethod
    def contraction(self, n_outputs: int) -> Self:
        """Return the model (x, c) -> <c, p(x)> of one with so many outputs, with the same parameters."""

    @abstractmethod
    def _weights(self) -> list[Array]:
        """The arrays of parameters, in order."""

    @abstractmethod
    def _with(self, weights: Iterable[Array]) -> Self:
        """This model with other arrays of parameters."""

    @abstractmethod
    def _predict(self, x: Array) -> Array:
        """The predictions of one chunk."""

    @abstractmethod
    def _blocks(self, x: Array) -> list[Block]:
        """The gradients of one chunk, made sure to agree with the library's backward pass."""

    def _alike(self, x: Array) -> list[Block]:
        """The same, made sure to have the form that those of all chunks have."""
        return self._blocks(x)

    @abstractmethod
    def _look(self, x: Array) -> None:
        """Look at what the function computes in, at a few inputs that differ, and whether it is one of each of them."""
        if self.n_outputs != 1:  # its contraction is looked at
            return
        together, again = self._predict(x), self._predict(x)
        alone = np.concatenate([self._predict(x[i : i + 1]) for i in range(len(x))])
        with np.errstate(invalid="ignore"):
            # |p| + sum_j |w_j dp/dw_j|: the terms that a prediction sums, about
            terms = np.abs(together) + np.abs(written_out(self._blocks(x[:1]))) @ np.abs(self.parameters)
            rounding = _tolerance(self.unit) * float(np.nanmax(terms, initial=0.0))
            # False where one is not finite: not for this check to say
            changed, mixed = (np.abs(other - together) > rounding for other in (again, alone))
        for wrong, other, fault in (
            (changed, again, "at the same input changes from call to call ({} and {}), as with active dropout"),
            (mixed, alone, "at an input depends on the other inputs of the batch ({} among others, {} alone)"),
        ):
            if wrong.any():
                row = int(np.argmax(wrong))
                said = fault.format(f"{together[row]:.12g}", f"{other[row]:.12g}")
                owner, _, remedy = self._words
                raise ValueError(f"{owner} must be a function of one example, but its prediction {said}; {remedy}")

    def _chunks(self, x: Array) -> Iterator[slice]:
        return (slice(start, start + self._chunk) for start in range(0, len(x), self._chunk))

    def _inputs(self, x: npt.ArrayLike) -> Array:
        """The inputs as an array; at the first ones that differ from each other the function is looked at."""
        array = real("x", x, f"(n, {self.dim or 'dim'})")
        if array.ndim != 2 or self.dim not in (None, array.shape[1]):
            raise ShapeError(f"`x` must have shape (n, {self.dim or 'dim'}) for {self!r}, got {array.shape}")
        if not self._seen and len(array):
            some = array[:: max(1, len(array) // (16 * _ROWS))]
            first = np.sort(np.unique(some, axis=0, return_index=True)[1])
            self._look(some[first[:: -(-len(first) // _ROWS)]])
            self._seen = len(first) > 1
        return array


def _tolerance(unit: float) -> float:
    """Difference of two computations of one number that is rounding, relative to the largest term: half the digits.

    Far above rounding in any usual network, far below what a wrong row gives.
    """
    return float(np.sqrt(unit))


def batch_weights(n: int) -> Array:
    """Fixed random c, shape (n,)."""
    return np.random.default_rng(0).standard_normal(n)


def adds_up(block: Block, c: Array, truth: Array, size: float, unit: float) -> bool:
    """Whether sum_n c_n g_n is what the library's backward pass of the batch gives.

    Rounding is at most a part of the norm of the terms, and of a small part of `size`, the norm of all such sums: as
    large where gradients vanish. What is not finite is not for this check to say.
    """
    # For g_n = b_n a_n^T and one random u: where sum_n c_n b_n a_n^T is wrong, so is its product with u.
    ((a, b),) = factors([block], len(c))
    u = np.random.default_rng(1).standard_normal((a.shape[1],))
    if isinstance(block, LayerGradient) and block.bias:
        truth = np.column_stack([truth[: -b.shape[1]].reshape(b.shape[1], -1), truth[-b.shape[1] :]])
    right = truth.reshape(-1, len(u)) @ u
    with np.errstate(invalid="ignore", over="ignore"):
        left = c * (a @ u)
        terms = np.linalg.norm(left * np.linalg.norm(b, axis=1)) + np.sqrt(_tolerance(unit)) * size
        return not np.linalg.norm(left @ b - right) > _tolerance(unit) * terms
