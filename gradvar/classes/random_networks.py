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
from ..core.errors import NotApplicableError
from ..core.numbers import exp2
from .formulas.arc_cosine import arc_cosine_kernel, log_eigenvalue, n_harmonics
from .inputs import Gaussian
from .members.checks import vector_rows
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

    Known in closed form, of relu neurons and of one hidden layer of relus with Gaussian weights or rows on the sphere:
    mean, covariance, inner products, operator norm and spectrum (of all others these methods raise
    `NotApplicableError`, and members are drawn). With an output layer, whose weights have mean zero, the class mean is
    zero and C_H = kappa/d, kappa the arc-cosine kernel; the centred operator norm is lambda_0, about 1/2 pi, at any
    width. Without it, C_H = kappa/d minus the product of the means, and the norm is lambda_1 = 1/(4d); the norm |w| of
    a Gaussian neuron varies, which leaves lambda_0 Var|w| < lambda_1 of lambda_0.

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

    Raises
    ------
    ValueError, TypeError
        Widths out of range, an unknown activation or distribution of weights.

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
    size = None

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

    def __repr__(self) -> str:
        return f"RandomNetworks({self.dim}, {self.widths}, {self.activation!r}, weights={self.weights!r})"

    @property
    def _key(self) -> tuple[object, ...]:
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

    @property
    def value_work(self) -> float:
        """Multiplications that a value counts as: those of a matrix product are fast, activations are not."""
        return self.n_weights / 8 + 6.0 * max(sum(self.widths), 1)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x), shape (n,): E[relu(w_1)] |x| for a neuron, else 0. Exact."""
        self._need_closed_form("class mean")
        array = inputs_of(x, self.dim, repr(self))
        # E_w relu(<w, x>) = |x| E[relu(w_1)]
        return np.asarray(self._mean_relu * np.linalg.norm(array, axis=1))

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') = kappa(x, x')/dim - mean(x) mean(x'), shape (n, n2). Exact; costs n n2 dim."""
        self._need_closed_form("covariance")
        first, second = inputs_of(x, self.dim, repr(self)), inputs_of(x2, self.dim, repr(self))
        return arc_cosine_kernel(first, second) / self.dim - self.mean(first)[:, None] * self.mean(second)

    def inner_products(self, members: npt.ArrayLike, members2: npt.ArrayLike) -> Array:
        """Return E_x[h h'], shape (m, m2): sum_ij u_i u'_j kappa(w_i, w'_j). Exact; costs m m2 width^2 dim."""
        self._need_closed_form("inner products")
        first, second = self._layers(self._rows("members", members)), self._layers(self._rows("members2", members2))
        units = [layers[0].reshape(-1, self.dim) for layers in (first, second)]
        if not self.widths:
            return arc_cosine_kernel(*units)
        width = self.widths[0]
        outputs = second[1][:, 0]
        products = np.empty((first[0].shape[0], second[0].shape[0]))
        for row, hidden, output in zip(products, *first, strict=True):
            kernel = arc_cosine_kernel(hidden, units[1]).reshape(width, -1, width)
            row[:] = np.einsum("imj,mj->m", np.tensordot(output, kernel, axes=1), outputs)
        return products

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram kernel: lambda_1 = 1/(4 dim) for centred neurons.

        lambda_0 uncentred, and with an output layer. Exact up to rounding.
        """
        return exp2(self.log2_operator_norm(centred))

    def log2_operator_norm(self, centred: bool = True) -> float:
        """Return its base-2 logarithm."""
        self._need_closed_form("operator norm")
        if centred and not self.widths:
            return -2.0 - math.log2(self.dim)
        return log_eigenvalue(self.dim, 0) / math.log(2)

    def spectrum(self, degree: SupportsIndex, centred: bool = True) -> tuple[float, int]:
        """Return the eigenvalue of the (centred) Gram kernel at the harmonics of a degree, and how many there are.

        Parameters
        ----------
        degree : int
            l >= 0.
        centred : bool
            Whether the class mean is taken out: of neurons on the sphere all of l = 0, of Gaussian neurons all but
            lambda_0 Var|w|, of networks with an output layer nothing.

        Returns
        -------
        eigenvalue, multiplicity
            lambda_l, exact up to rounding, and (2l + d - 2) (l + d - 3)!/(l! (d - 2)!), 1 for l = 0. The sum over all
            l of eigenvalue times multiplicity is E h^2 = 1/2, minus E[mean^2] if centred. Harmonics of odd degree
            l >= 3 have the eigenvalue 0.

        Examples
        --------
        >>> H = RandomNetworks(10, (), "relu", weights="sphere")
        >>> H.spectrum(1), H.spectrum(3)
        ((0.025, 10), (0.0, 210))
        """
        number = integer("degree", degree, 0)
        self._need_closed_form("spectrum")
        value = 0.25 / self.dim if number == 1 else math.exp(log_eigenvalue(self.dim, number))
        if number == 0 and centred and not self.widths:
            # Of E|w|^2 = 1 the mean takes (E|w|)^2.
            value = max(value - self.dim * self._mean_relu**2, 0.0) if self.weights == "gaussian" else 0.0
        return value, n_harmonics(self.dim, number)

    @property
    def _mean_relu(self) -> float:
        """E[relu(w_1)] of a neuron, 0 with an output layer."""
        if self.widths:
            return 0.0
        if self.weights == "gaussian":
            return 1 / math.sqrt(2 * math.pi * self.dim)
        return math.exp(0.5 * (log_eigenvalue(self.dim, 0) - math.log(self.dim)))

    def _need_closed_form(self, what: str) -> None:
        if self.activation != "relu" or len(self.widths) > 1 or self.weights == "uniform":
            raise NotApplicableError(
                f"the {what} of {self!r} has no closed form: that is known of relu neurons and of one hidden layer of "
                "relus, with Gaussian weights or rows on the sphere"
            )

    def _rows(self, name: str, members: npt.ArrayLike) -> Array:
        return vector_rows(members, self.n_weights, repr(self), name)

    def _layers(self, rows: Array) -> list[Array]:
        """The matrices of each layer, shapes (m, fan_out, fan_in)."""
        ends = list(itertools.accumulate(r * c for r, c in self._shapes))
        parts = np.split(rows, ends[:-1], axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]
