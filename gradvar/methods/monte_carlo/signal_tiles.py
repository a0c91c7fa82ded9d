"""The signals of a tile of inputs, kept as factors, and their inner products with those of another tile.

Products are in float64, but for factors of which each product is an integer that float32 holds exactly, as the points
of the cube: these take half the time in float32.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array
from ...kernels.bits import Words, pack
from ...problem import Factors, Problem

Stored: TypeAlias = npt.NDArray[np.floating]
Removed: TypeAlias = Callable[[Factors], tuple[Array, Array, Array]]
"""From the signal's factors: the functions f that are taken out, <s, b> and <b, b'> of their coefficients b."""

_EXACT = 2.0**24
"""float32 holds every integer up to this one."""


@dataclass(frozen=True)
class SignalTile:
    """Inputs of one tile and the factors of their signals.

    Those of rank one, and what the regression takes out, are multiplied out into the two sides of one product.

    Attributes
    ----------
    x : ndarray, shape (n, dim)
        The inputs.
    left, right : ndarray, shape (n, q)
        The two sides.
    factors : list of (ndarray, ndarray)
        The other factors.
    has_points : bool
        Whether the first of them has the inputs, followed by ones, for its left side: a first layer's.
    norms : ndarray, shape (n, 2)
        ||g||^2 and ||s||^2.
    """

    x: Array
    left: Stored
    right: Stored
    factors: list[tuple[Stored, Stored]]
    norms: Array
    has_points: bool

    @classmethod
    def of(cls, problem: Problem, x: Array, removed: Removed | None) -> Self:
        """The signals at these inputs, less what is removed."""
        signal, norms = problem.signal(x)
        plain = [left * right for left, right in signal if left.shape[1] == 1 or right.shape[1] == 1]
        sides = [*plain], [*plain]
        if removed is not None:
            # <s - f b, s' - f' b> = <s, s'> + f (b b') f' - f (b s') - (s b) f'
            f, projected, gram = removed(signal)
            sides[0].extend([f, projected])
            sides[1].extend([f @ gram - projected, -f])
        empty = np.empty((x.shape[0], 0))
        others = [(a, b) for a, b in signal if a.shape[1] > 1 and b.shape[1] > 1]
        factors = [(_in_float32_if_exact(a), _in_float32_if_exact(b)) for a, b in others]
        return cls(
            x,
            _in_float32_if_exact(np.concatenate([empty, *sides[0]], axis=1)),
            _in_float32_if_exact(np.concatenate([empty, *sides[1]], axis=1)),
            factors,
            norms,
            bool(factors) and _are_points(factors[0][0], x),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = [self.x, self.left, self.right, self.norms, *(side for pair in self.factors for side in pair)]
        return sum(array.nbytes for array in arrays)

    def inner_products(self, other: SignalTile) -> Array:
        """<s(x), s(x')> for the pairs, in float64 memory of the thread that its next call overwrites."""
        return self._added(other, self.factors, other.factors)

    def without_points(self, other: SignalTile) -> tuple[Stored, Stored]:
        """The terms K, D of <s(x), s(x')> = K + <(x, 1, ...), (x', 1, ...)> D for tiles that have points.

        In memory of the thread that its next call overwrites.
        """
        others = self.factors[1:], other.factors[1:]
        kernel = self._added(other, *others) if others[0] else _product("left", self.left, other.right)
        return kernel, _product("right", self.factors[0][1], other.factors[0][1])

    @cached_property
    def words(self) -> Words:
        """The inputs packed into bits, 1 for a negative coordinate."""
        return pack(self.x < 0)

    def _added(
        self, other: SignalTile, factors: list[tuple[Stored, Stored]], factors2: list[tuple[Stored, Stored]]
    ) -> Array:
        from ...kernels.pair_sums import multiply_into

        kernel = np.asarray(_memory.array("kernel", (len(self.x), len(other.x)), np.float64), dtype=np.float64)
        # <s, s'> = L R' + sum_l (A_l A_l'^T) * (B_l B_l'^T)
        if self.left.dtype == other.right.dtype == kernel.dtype:
            np.matmul(self.left, other.right.T, out=kernel)
        else:
            np.copyto(kernel, _product("left", self.left, other.right))
        for (a, b), (a2, b2) in zip(factors, factors2, strict=True):
            multiply_into(kernel, _product("left", a, a2), _product("right", b, b2))
        return kernel


class _Memory(threading.local):
    """Arrays of each thread's own: fresh memory for each pair of tiles would cost as much as the products."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[np.floating]] = {}

    def array(self, name: str, shape: tuple[int, int], dtype: npt.DTypeLike) -> npt.NDArray[np.floating]:
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array


_memory = _Memory()


def _product(name: str, a: Stored, b: Stored) -> Stored:
    out: Stored = _memory.array(name, (a.shape[0], b.shape[0]), np.result_type(a, b))
    return np.matmul(a, b.T, out=out)


def _are_points(array: Stored, x: Array) -> bool:
    """Whether the columns are those of x, and then ones."""
    return np.array_equal(array[:, : x.shape[1]], x) and bool((array[:, x.shape[1] :] == 1).all())


def _in_float32_if_exact(array: Array) -> Stored:
    """Return the array in float32 if all sums of products with such an array are integers that float32 holds."""
    largest = float(np.abs(array).max(initial=0.0))
    # |sum_k a_k b_k| <= K max |a|^2
    if largest * largest * float(array.shape[1]) <= _EXACT and (array == np.rint(array)).all():
        return array.astype(np.float32)
    return array
