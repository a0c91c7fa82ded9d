r"""The signal's weight at every degree on the enumerated cube.

For a function f on the cube let W_k(f) = sum_{|S|=k} (E_x[f chi_S])^2. The signal s = b(p) dp/dw has as many
components as the model has parameters, but they need not be transformed one by one: since

    E_x[chi_S(x) delta(x) x_i] = delta^(S xor {i}),

the input weights of a unit with backpropagated signal delta carry (k+1) W_{k+1}(delta) + (d-k+1) W_{k-1}(delta)
at degree k and its bias W_k(delta): one transform for each hidden unit, not one for each weight. A network with one
hidden layer is taken unit by unit, its pre-activations by doubling; other models by their tangent factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ..arguments import Array
from ..expectation import rows_per_tile
from ..models import MLP
from ..models.activations import ACTIVATIONS
from ..problem import Factors, Problem
from ..settings import Settings
from ..tiles import ordered_map

_BLOCK = 2**20
"""Numbers in a block of rows that is transformed by one task."""


@dataclass(frozen=True)
class LevelSpectrum:
    """Second moments of the signal against the parities.

    Attributes
    ----------
    weights : ndarray, shape (d + 1,)
        sum_{|S|=k} ||E_x[chi_S s]||^2.
    mean_norm_sq : float
        ||E_x[m s]||^2 for the weight function m that was asked for.
    """

    weights: Array
    mean_norm_sq: float


def memory_needed(problem: Problem) -> int:
    """Bytes that `level_spectrum` takes for two workers."""
    points = problem.inputs.n_points
    assert points is not None
    block = 16 * 8 * max(points, _BLOCK)
    return block if _one_hidden_layer(problem.model) else block + 8 * points * problem.row_size


def transforms_needed(problem: Problem) -> int:
    """Number of Walsh-Hadamard transforms that `level_spectrum` takes."""
    model = problem.model
    if _one_hidden_layer(model):
        assert isinstance(model, MLP)
        return 2 * model.sizes[1] + 1
    x = problem.inputs.points(0, 1)
    factors = problem.tangent_factors(x)
    return sum(b.shape[1] * (1 if _has_input_layer(a, x) else a.shape[1]) for a, b in factors)


def level_spectrum(
    problem: Problem, settings: Settings, mean: Callable[[Array], Array] | None = None
) -> LevelSpectrum:
    """Return the weight of the signal at every degree 0..d, and ||E_x[m s]||^2 for m = `mean`, over the whole cube.

    Exact up to rounding. Costs 2 transforms of 2^d for each hidden unit of a network with one hidden layer, and one
    for each product of tangent factors beyond the first layer otherwise.
    """
    tasks = _unit_tasks if _one_hidden_layer(problem.model) else _factor_tasks
    weights = np.zeros(problem.inputs.dim + 1)
    mean_norm_sq = 0.0
    with closing(ordered_map(_run, tasks(problem, settings, mean), settings.executor)) as results:
        for part, part_mean in results:
            weights += part
            mean_norm_sq += part_mean
    return LevelSpectrum(weights, mean_norm_sq)


def _run(task: Callable[[], tuple[Array, float]]) -> tuple[Array, float]:
    return task()


def _one_hidden_layer(model: object) -> bool:
    return type(model) is MLP and len(model.weights) == 2


def first_layer_shift(weights: Array) -> Array:
    """(k+1) W_{k+1} + (d-k+1) W_{k-1} for k = 0..d: the weight at degree k of delta(x) x_i, summed over i."""
    dim = weights.size - 1
    k = np.arange(dim + 1)
    shifted = np.zeros(dim + 1)
    shifted[:-1] += k[1:] * weights[1:]
    shifted[1:] += (dim - k[:-1]) * weights[:-1]
    return shifted


@dataclass(frozen=True)
class _Units:
    """Some units of the hidden layer: their input weights, biases and output weights."""

    weights: Array
    bias: Array
    output: Array
    has_bias: bool
    activation: str
    scale: Array
    """b(p(x)) at every point, or its one value."""
    mean: Array | None

    def __call__(self) -> tuple[Array, float]:
        from ..kernels.walsh_hadamard import level_weights

        value, slope = ACTIVATIONS[self.activation](_preactivations(self.weights, self.bias))
        value, slope = value * self.scale, slope * (self.scale * self.output[:, None])
        mean_norm_sq = 0.0
        if self.mean is not None:
            tilted = slope * self.mean
            mean_norm_sq += float(np.sum(_first_moments(tilted) ** 2))
            if self.has_bias:
                mean_norm_sq += float(np.sum(tilted.mean(axis=1) ** 2))
            mean_norm_sq += float(np.sum((value * self.mean).mean(axis=1) ** 2))
        deltas = level_weights(slope).sum(axis=0)
        weights = first_layer_shift(deltas) + level_weights(value).sum(axis=0)
        return (weights + deltas if self.has_bias else weights), mean_norm_sq


def _unit_tasks(
    problem: Problem, settings: Settings, mean: Callable[[Array], Array] | None
) -> Iterator[Callable[[], tuple[Array, float]]]:
    model = problem.model
    assert isinstance(model, MLP)
    constant = problem.loss.constant
    if constant is None or mean is not None:
        scale, tilt = _pointwise(problem, settings, mean)
    if constant is not None:
        scale = np.array([constant])
    weights, output = model.weights[0], model.weights[1][0]
    bias = model.biases[0]
    together = max(1, _BLOCK >> model.dim)
    for start in range(0, output.size, together):
        units = slice(start, start + together)
        yield _Units(
            weights[units],
            np.zeros(output[units].size) if bias is None else bias[units],
            output[units],
            bias is not None,
            model.activation,
            scale,
            tilt if mean is not None else None,
        )
    if model.biases[1] is not None:
        ones = np.ones((1, 2**model.dim))
        yield _Products(ones, ones * scale, 0, False, False, tilt if mean is not None else None)


def _preactivations(weights: Array, bias: Array) -> Array:
    """<w, x> + b at all points of the cube for each row w, by doubling: one addition a number."""
    units, dim = weights.shape
    z = np.empty((units, 2**dim))
    z[:, 0] = weights.sum(axis=1) + bias
    for i in range(dim):
        half = 2**i
        np.subtract(z[:, :half], 2 * weights[:, i : i + 1], out=z[:, half : 2 * half])
    return z


def _first_moments(rows: Array) -> Array:
    """E_x[f(x) x_i] for each row f and coordinate i, shape (m, d), by folding the cube onto its last half."""
    units, points = rows.shape
    dim = points.bit_length() - 1
    moments = np.empty((units, dim))
    folded = rows
    for i in reversed(range(dim)):
        plus, minus = folded[:, : 2**i], folded[:, 2**i :]
        moments[:, i] = (plus - minus).sum(axis=1)
        folded = plus + minus
    return moments / points


def _pointwise(
    problem: Problem, settings: Settings, mean: Callable[[Array], Array] | None
) -> tuple[Array, Array]:
    """b(p(x)) and m(x) at every point; a constant loss is not asked for its predictions beyond their being finite."""
    points = problem.inputs.n_points
    assert points is not None
    rows = rows_per_tile(problem.row_size, 4096)
    blocks = ((start, min(start + rows, points)) for start in range(0, points, rows))
    with closing(ordered_map(_Pointwise(problem, mean), blocks, settings.executor)) as results:
        columns = np.concatenate(list(results), axis=1)
    return columns[0], columns[1]


@dataclass(frozen=True)
class _Pointwise:
    problem: Problem
    mean: Callable[[Array], Array] | None

    def __call__(self, bounds: tuple[int, int]) -> Array:
        x = self.problem.inputs.points(*bounds)
        scale = self.problem.signal_scale(x) if self.problem.loss.constant is None else np.zeros(x.shape[0])
        return np.stack([scale, np.zeros(x.shape[0]) if self.mean is None else self.mean(x)])


@dataclass(frozen=True)
class _Products:
    """The products A[:, i] B[:, j] of one left column with some right columns, or an input layer with its right ones.

    Arrays are transposed: rows are functions on the cube.
    """

    left: Array
    right: Array
    n_ones: int
    input_layer: bool
    has_bias: bool
    mean: Array | None

    def __call__(self) -> tuple[Array, float]:
        from ..kernels.walsh_hadamard import level_weights

        mean_norm_sq = 0.0
        if self.input_layer:
            rows = self.right.copy()
            if self.mean is not None:
                tilted = rows * self.mean
                mean_norm_sq += float(np.sum(_first_moments(tilted) ** 2))
                if self.has_bias:
                    mean_norm_sq += float(np.sum(tilted.mean(axis=1) ** 2))
            deltas = level_weights(rows).sum(axis=0)
            weights = first_layer_shift(deltas)
            return (weights + deltas if self.has_bias else weights), mean_norm_sq
        rows = self.left * self.right
        if self.mean is not None:
            mean_norm_sq += float(np.sum((rows * self.mean).mean(axis=1) ** 2))
        return level_weights(rows).sum(axis=0), mean_norm_sq


_ = math, Factors


def _has_input_layer(left: Array, x: Array) -> bool:
    return False


def _factor_tasks(
    problem: Problem, settings: Settings, mean: Callable[[Array], Array] | None
) -> Iterator[Callable[[], tuple[Array, float]]]:
    raise NotImplementedError
