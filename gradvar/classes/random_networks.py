"""Networks with random weights as targets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.activations import ACTIVATIONS
from ..core.arguments import Array, SeedLike, generator, inputs_of, integer, sequence
from ..core.errors import NotApplicableError, ShapeError
from .inputs import Gaussian
from .members.target_class import TargetClass

_LAWS = {
    "gaussian": "N(0, 1/fan_in) weights",
    "sphere": "rows of weights uniform on the unit sphere",
    "uniform": "weights uniform in +-(3/fan_in)^1/2",
}
_WIDTHS = "a sequence of integers >= 1"
_BLOCK = 2**20


class RandomNetworks(TargetClass):
    r"""Fully connected networks with independent random weights, x ~ N(0, I): the infinite class of natural networks.

    h(x) = W_L sigma(W_{L-1} ... sigma(W_1 x)), without biases and with a linear output of one number; for `widths=()`
    a single neuron h(x) = sigma(<w, x>). Daniely and Vardi (arXiv 2006.03177) show that one hidden layer of them is
    hard to learn under *some* input distribution; under the Gaussian the class has a large gradient variance, of the
    order of G^2/dim.

    The weights of a layer with fan_in inputs: "gaussian", independent N(0, 1/fan_in); "sphere", each row uniform on the
    unit sphere; "uniform", independent and uniform between -(3/fan_in)^(1/2) and (3/fan_in)^(1/2). Each row has mean
    square norm 1, the output row too.

    Known in closed form, and then methods of the class (`ReluNetworks`): covariance, operator norm and inner products
    of relu neurons and of one hidden layer of relus, with Gaussian weights or rows on the sphere. Of all others
    members are drawn.

    Parameters
    ----------
    dim : int
        Number of inputs, >= 1; >= 2 for "sphere".
    widths : sequence of int
        Widths of the hidden layers.
    activation : str
        As of `MLP`.
    weights : {"gaussian", "sphere", "uniform"}
        How weights are drawn.

    Examples
    --------
    >>> H = RandomNetworks(10, (), "relu", weights="sphere")
    >>> round(H.operator_norm(), 12), round(H.operator_norm(centred=False), 6)
    (0.025, 0.167301)
    >>> H = RandomNetworks(10, (64, 64), "tanh")
    >>> H.evaluate(H.sample(3, rng=0), np.ones((2, 10))).shape
    (3, 2)
    """

    labels = "real"
    is_orthonormal = False
    orthonormality = ("failed", "infinite class: E h h' depends continuously on the weights")
    log2_size = math.inf
    size = None

    def __new__(
        cls,
        dim: SupportsIndex,
        widths: Sequence[SupportsIndex] = (),
        activation: str = "relu",
        weights: str = "gaussian",
    ) -> RandomNetworks:
        """Return a `ReluNetworks` where the closed forms are known."""
        shallow = len(sequence("widths", widths, _WIDTHS)) <= 1
        if cls is RandomNetworks and shallow and activation == "relu" and weights in ("gaussian", "sphere"):
            from .relu_networks import ReluNetworks

            return super().__new__(ReluNetworks)
        return super().__new__(cls)

    def __init__(
        self,
        dim: SupportsIndex,
        widths: Sequence[SupportsIndex] = (),
        activation: str = "relu",
        weights: str = "gaussian",
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"`activation` must be one of {', '.join(map(repr, ACTIVATIONS))}, got {activation!r}")
        if weights not in _LAWS:
            raise ValueError(f"`weights` must be one of {', '.join(map(repr, _LAWS))}, got {weights!r}")
        self.dim = integer("dim", dim, 2 if weights == "sphere" else 1)
        hidden = sequence("widths", widths, _WIDTHS)
        self.widths = tuple(integer(f"widths[{i}]", width, 1) for i, width in enumerate(hidden))
        self.activation, self.weights = activation, weights
        self.inputs = Gaussian(self.dim)
        sizes = [self.dim, *self.widths, 1]
        self._shapes = [(fan_out, fan_in) for fan_in, fan_out in itertools.pairwise(sizes)]
        self.n_weights: int = sum(rows * columns for rows, columns in self._shapes)

    def __reduce__(self) -> tuple[type[RandomNetworks], tuple[object, ...]]:
        return RandomNetworks, self._key

    def __repr__(self) -> str:
        return f"RandomNetworks({self.dim}, {self.widths}, {self.activation!r}, weights={self.weights!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RandomNetworks) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[int, tuple[int, ...], str, str]:
        return self.dim, self.widths, self.activation, self.weights

    @property
    def description(self) -> str:
        """The class in words."""
        what = (
            f"networks {'-'.join(str(s) for s in (self.dim, *self.widths, 1))} of {self.activation} units"
            if self.widths
            else f"single {self.activation} neurons on {self.dim} inputs"
        )
        return f"{what}, {_LAWS[self.weights]}"

    def members(self) -> Array:
        """Raise `NotApplicableError`: the class is infinite."""
        raise NotApplicableError(f"{self!r} has infinitely many members; draw some with sample(m, rng)")

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return m members drawn independently, as rows of weights, shape (m, n_weights): each layer row by row."""
        count, source = integer("m", m, 0), generator(rng)
        layers = [self._draw(source, (count, *shape)).reshape(count, math.prod(shape)) for shape in self._shapes]
        return np.concatenate(layers, axis=1)

    def _draw(self, source: np.random.Generator, shape: tuple[int, int, int]) -> Array:
        fan_in = shape[2]
        if self.weights == "uniform":
            return source.uniform(-1.0, 1.0, shape) * math.sqrt(3 / fan_in)
        drawn = source.standard_normal(shape)
        if self.weights == "gaussian":
            return drawn / math.sqrt(fan_in)
        return np.asarray(drawn / np.linalg.norm(drawn, axis=2, keepdims=True))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return h(x), shape (m, n), for members (m, n_weights) and inputs x (n, dim). Costs m n n_weights."""
        rows = self._rows("members", members)
        transposed = np.ascontiguousarray(inputs_of(x, self.dim, repr(self)).T)
        values = np.empty((rows.shape[0], transposed.shape[1]))
        step = max(1, _BLOCK // max(1, max(self._shapes)[0] * values.shape[1]))
        for start in range(0, rows.shape[0], step):
            layers = self._layers(rows[start : start + step])
            z = layers[0] @ transposed
            for layer in layers[1:]:
                z = layer @ ACTIVATIONS[self.activation](z)[0]
            values[start : start + step] = z[:, 0] if self.widths else ACTIVATIONS[self.activation](z)[0][:, 0]
        return values

    def _rows(self, name: str, members: npt.ArrayLike) -> Array:
        rows = np.asarray(members, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.n_weights:
            raise ShapeError(f"`{name}` must have shape (m, {self.n_weights}) for {self!r}, got {rows.shape}")
        return rows

    def _layers(self, rows: Array) -> list[Array]:
        """The matrices of each layer, shapes (m, fan_out, fan_in)."""
        ends = list(itertools.accumulate(r * c for r, c in self._shapes))
        parts = np.split(rows, ends[:-1], axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]
