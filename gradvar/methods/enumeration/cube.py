r"""The signal's weight at every degree on the enumerated cube.

For a function f on the cube let W_k(f) = sum_{|S|=k} (E_x[f chi_S])^2. The signal s = b(p) dp/dw has as many
components as the model has parameters, but they need not be transformed one by one: since

    E_x[chi_S(x) delta(x) x_i] = delta^(S xor {i}),

the input weights of a unit with backpropagated signal delta carry (k+1) W_{k+1}(delta) + (d-k+1) W_{k-1}(delta)
at degree k and its bias W_k(delta): one transform for each hidden unit, not one for each weight. A network with one
hidden layer is taken unit by unit, its pre-activations by doubling, a block of points in the cache at a time; other
models by their tangent factors.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, product
from operator import call

import numpy as np

from ...core.activations import KINKED, Activation, settle, value_and_slope
from ...core.arguments import Array
from ...core.errors import NonFiniteError
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...models import MLP
from ...models.trainable import Share, part_of, whole
from ...problem import Problem
from .passes import Tile, passes
from .points import MeanNorms, n_points, over_points, written

_BLOCK = 2**17
"""Numbers in a block of rows that are transformed together: 1 MiB, unless one row is larger."""
_TASK = 2**20
"""Products that one task transforms: of fewer, threads wait for the interpreter."""
_RESIDENT = 2**16
"""Numbers of the rows that a task multiplies with others, if it has enough of these: 512 KiB stay in the cache."""
_TOGETHER = 32
"""Rows of both sides whose products are averaged together: each is read once for as many of the other."""
_KEPT = 27 * 2**21
"""Numbers of tangent factors that are kept at a time: 432 MiB, unless two functions on the cube are more."""
_IN_CACHE = 2**17
"""Pre-activations of hidden units that are taken at a time: 1 MiB. Of fewer, two threads wait for each other's GIL."""
_ROOM = 2**26
"""Numbers up to which two tasks have rows of a unit's values and slopes at once; beyond, they evaluate it twice."""
_LINE = 8
"""Numbers of a cache line. Transforms of rows that begin at one take an eighth less than of rows as NumPy lays them."""

Mean = Callable[[Array], Array]
Places = tuple[int | None, int | None]
"""The parts of the gradient that the weights and the biases of a layer belong to; None where they are no parameters."""
Part = list[tuple[int | None, Array, float]]
"""The part of the gradient that components of the signal belong to, their weight at each degree, and ||E_x[m s]||^2."""


def memory_needed(problem: Problem) -> int:
    """Bytes that `level_spectrum` takes."""
    points = n_points(problem)
    kept = 0 if _one_hidden_layer(problem) else min(_room(points), sum(map(sum, input_layer_widths(problem))))
    return _workers(points) * _task_bytes(points) + 8 * points * kept


def _room(points: int) -> int:
    """Columns of factors that are kept at a time."""
    return max(2, _KEPT // points)


def _task_bytes(points: int) -> int:
    return 8 * 8 * max(points, _BLOCK)


def _workers(points: int) -> int:
    """How many tasks may run at a time: those that fit in 1 GiB, but two at least."""
    return max(2, min(os.cpu_count() or 1, 2**30 // _task_bytes(points)))


def transforms_needed(problem: Problem) -> int:
    """Number of Walsh-Hadamard transforms that `level_spectrum` takes."""
    model = whole(problem.model)
    if type(model) is MLP and _one_hidden_layer(problem):
        return 2 * model.sizes[1] + 1
    return sum(max(left, 1) * right for left, right in input_layer_widths(problem))


def evaluations_needed(problem: Problem) -> int:
    """How often `level_spectrum` evaluates the model at every input."""
    return 1 if _one_hidden_layer(problem) else len(passes(input_layer_widths(problem), _room(n_points(problem))))


def input_layer_widths(problem: Problem, recognise: bool = True) -> list[tuple[int, int]]:
    """Columns of each left tangent factor, 0 where it is the inputs themselves, and of the right one."""
    x = _probe(problem)
    return [
        (0 if recognise and is_input_layer(left, x, shares) else left.shape[1], right.shape[1])
        for (left, right), shares in zip(problem.tangent_factors(x), problem.shares, strict=True)
    ]


def level_spectrum(
    problem: Problem, settings: Settings, mean: Mean | None = None, norms: MeanNorms | None = None
) -> tuple[Array, Array]:
    """Return sum_{|S|=k} ||E_x[chi_S s]||^2 for k = 0..d, and ||E_x[m s]||^2 for m = `mean`, over the whole cube.

    Of each part of the gradient, shapes (parts, d + 1) and (parts,). `norms` takes the squared norms of the gradients
    at all points, where those are made.

    Exact up to rounding: see `Enumeration`. Costs 2 transforms of 2^d for each hidden unit of a network with one
    hidden layer, and one for each product of tangent factors beyond the first layer otherwise.
    """
    weights, mean_norm_sq = np.zeros((problem.n_parts, problem.inputs.dim + 1)), np.zeros(problem.n_parts)
    workers = _workers(1 << problem.inputs.dim)
    if _one_hidden_layer(problem):
        runs = iter([_unit_tasks(problem, settings, mean)])
    else:
        runs = _factor_passes(problem, settings, mean, norms)
    for tasks in runs:
        with closing(ordered_map(call, tasks, settings.executor, workers)) as results:
            for part, levels, of_mean in chain.from_iterable(results):
                if part is not None:
                    weights[part] += levels
                    mean_norm_sq[part] += of_mean
    if not np.isfinite(weights).all():
        raise NonFiniteError(f"the signal of {problem.model!r} overflows float64 on the cube")
    return weights, mean_norm_sq


def first_layer_shift(weights: Array) -> Array:
    """Return (k+1) W_{k+1} + (d-k+1) W_{k-1} for k = 0..d: the weight at degree k of delta(x) x_i, summed over i."""
    dim = weights.size - 1
    k = np.arange(dim + 1)
    shifted = np.zeros(dim + 1)
    shifted[:-1] += k[1:] * weights[1:]
    shifted[1:] += (dim - k[:-1]) * weights[:-1]
    return shifted


def _one_hidden_layer(problem: Problem) -> bool:
    model = whole(problem.model)
    return type(model) is MLP and len(model.weights) == 2


# Parts of the signal. Rows are functions on the cube: the value at point j in column j.


def _part_of_input_layer(places: Places, deltas: Array, mean: Array | None) -> Part:
    """The components delta(x) x_i of an input layer, and delta(x) of its biases, where these have a place.

    Overwrites `deltas`.
    """
    of_weights = of_bias = 0.0
    if mean is not None:
        tilted = deltas * mean
        of_weights = float(np.sum(_first_moments(tilted) ** 2))
        of_bias = float(np.sum(tilted.mean(axis=1) ** 2))
    levels = _level_weights(deltas)
    return [(places[0], first_layer_shift(levels), of_weights), (places[1], levels, of_bias)]


def _part_of_rows(place: int | None, rows: Array, mean: Array | None) -> Part:
    """Components given as they are. Overwrites `rows`."""
    mean_norm_sq = 0.0 if mean is None else float(np.sum((rows * mean).mean(axis=1) ** 2))
    return [(place, _level_weights(rows), mean_norm_sq)]


def _level_weights(rows: Array) -> Array:
    """The weight at each degree, summed over the rows, which are overwritten."""
    from ...kernels.walsh_hadamard import level_weights  # compiled code only where it is needed

    return np.asarray(level_weights(rows).sum(axis=0))


def _first_moments(rows: Array) -> Array:
    """E_x[f(x) x_i] for each row f and coordinate i, shape (m, d), by folding the cube half onto half."""
    dim = int(rows.shape[1]).bit_length() - 1
    moments = np.empty((rows.shape[0], dim))
    folded = rows
    for i in reversed(range(dim)):
        plus, minus = folded[:, : 2**i], folded[:, 2**i :]
        moments[:, i] = (plus - minus).sum(axis=1)
        folded = plus + minus
    return np.asarray(moments / rows.shape[1])


# A network with one hidden layer, unit by unit.


class _Rows(threading.local):
    """Memory for rows, which each thread keeps from one task to the next: fresh pages cost as much as transforms."""

    def __init__(self) -> None:
        self._kept = np.empty(0)

    def __reduce__(self) -> tuple[type[_Rows], tuple[()]]:
        return _Rows, ()  # a process has its own

    def take(self, *shape: int) -> Array:
        """Return an array whose numbers have to be set."""
        size = math.prod(shape)
        if self._kept.size < size:
            room = np.empty(size + _LINE)
            start = -(room.ctypes.data // room.itemsize) % _LINE
            self._kept = room[start : start + size]
        return self._kept[:size].reshape(shape)


def _part_of_units(
    rows: _Rows,
    weights: Array,
    bias: Array | None,
    output: Array,
    activation: Activation,
    scale: Array,
    mean: Array | None,
    places: Places,
    outer: int | None,
) -> Part:
    """Some hidden units, from b(p(x)) = `scale`, one number or one for each point, and m(x) = `mean` at every point."""
    units, dim = weights.shape
    bits = min(dim, _IN_CACHE.bit_length() - 1)
    shift = np.zeros(units) if bias is None else bias
    slack = (2 * dim + 2) * np.finfo(np.float64).eps * (np.abs(weights).sum(axis=1) + np.abs(shift))
    # <w, x> + b: the first coordinates run through a block of points, the others are the same in all of it
    low, high = _preactivations(weights[:, :bits], 0.0), _preactivations(weights[:, bits:], shift)
    at_once = 2 * 2 * units * 2**dim + scale.size <= _ROOM + 1
    wanted = [side for side, needed in ((0, outer is not None), (1, places != (None, None))) if needed]
    found: Part = []
    for sides in [wanted] if at_once else [[side] for side in wanted]:
        functions = rows.take(len(sides), units, 2**dim)
        for i in range(high.shape[1]):
            block = slice(i << bits, (i + 1) << bits)
            z = low + high[:, i : i + 1]
            if activation in KINKED:
                settle(z, slack[:, None], activation)
            both = value_and_slope(activation)(z)
            here = scale[block] if scale.size > 1 else scale
            for side, function in zip(sides, functions, strict=True):
                np.multiply(both[side], output[:, None] * here if side else here, out=function[:, block])
        for side, function in zip(sides, functions, strict=True):
            found += _part_of_input_layer(places, function, mean) if side else _part_of_rows(outer, function, mean)
    return found


def _part_of_output_bias(place: int, rows: _Rows, scale: Array, dim: int, mean: Array | None) -> Part:
    row = rows.take(1, 2**dim)
    row[:] = scale
    return _part_of_rows(place, row, mean)


def _preactivations(weights: Array, bias: Array | float) -> Array:
    """<w, x> + b at all points of the cube for each row w, by doubling: one addition a number."""
    units, dim = weights.shape
    z = np.empty((units, 2**dim))
    z[:, 0] = weights.sum(axis=1) + bias
    for i in range(dim):
        half = 2**i
        np.subtract(z[:, :half], 2 * weights[:, i : i + 1], out=z[:, half : 2 * half])
    return z


def _unit_tasks(problem: Problem, settings: Settings, mean: Mean | None) -> Iterator[Callable[[], Part]]:
    model, place = whole(problem.model), partial(part_of, problem.model)
    assert isinstance(model, MLP)
    problem.tangent_factors(_probe(problem))  # makes sure of their size
    constant = problem.loss.constant
    scale = _on_cube(problem, settings, problem.signal_scale) if constant is None else np.array(constant)
    tilt = None if mean is None else _on_cube(problem, settings, mean)
    weights, output, bias = model.weights[0], model.weights[1][0], model.biases[0]
    together, rows = max(1, _IN_CACHE >> model.dim), _Rows()
    places = place("weights[0]"), None if bias is None else place("biases[0]")
    for start in range(0, output.size, together):
        units = slice(start, start + together)
        unit = weights[units], None if bias is None else bias[units], output[units]
        yield partial(_part_of_units, rows, *unit, model.activation, scale, tilt, places, place("weights[1]"))
    last = place("biases[1]")
    if model.biases[1] is not None and last is not None:
        yield partial(_part_of_output_bias, last, rows, scale, model.dim, tilt)


# Any other model, by its tangent factors.


@dataclass(frozen=True)
class _Columns:
    """Columns of a pair of tangent factors, as functions on the cube; `left` has none where it is [x] or [x, 1]."""

    left: Array
    right: Array
    shares: list[Share]


def _factor_passes(
    problem: Problem, settings: Settings, mean: Mean | None, norms: MeanNorms | None, recognise: bool = True
) -> Iterator[Iterator[Callable[[], Part]]]:
    """The tasks of one pass over the points after the other."""
    tilt = None if mean is None else _on_cube(problem, settings, mean)
    widths = input_layer_widths(problem, recognise)
    for number, tiles in enumerate(passes(widths, _room(n_points(problem)))):
        kept = _kept(problem, settings, widths, tiles, norms if number == 0 else None)
        if kept is None:
            yield from _factor_passes(problem, settings, mean, norms, recognise=False)
            return
        yield _factor_tasks(kept, problem, tilt)
        del kept  # before the next ones are made


def _kept(
    problem: Problem, settings: Settings, widths: list[tuple[int, int]], tiles: list[Tile], norms: MeanNorms | None
) -> list[_Columns] | None:
    """The columns of some tiles at all points; None where a left factor only looked like the inputs at the probe."""
    points, shapes = n_points(problem), problem.tangent_factors(_probe(problem))
    kept = [
        _Columns(
            np.empty((len(left), points)),
            np.empty((len(right), points)),
            _shares(problem.shares[pair], left, shapes[pair][0].shape[1]),
        )
        for pair, left, right in tiles
    ]
    columns = [side.T for some in kept for side in (some.left, some.right)]
    found = list(written(partial(_columns, problem, widths, tiles), columns, problem, settings))
    if any(norm_sq is None for _, norm_sq in found):
        return None
    if norms is not None:
        norms.take((block, norm_sq) for block, norm_sq in found if norm_sq is not None)
    return kept


def _columns(
    problem: Problem, widths: list[tuple[int, int]], tiles: list[Tile], x: Array
) -> tuple[list[Array], Array | None]:
    """The columns of some tiles, and the squared norms; None instead where a left factor is not the inputs."""
    factors, norm_sq = problem.signal(x)
    seen = zip(widths, factors, problem.shares, strict=True)
    as_taken = all(width or is_input_layer(a, x, shares) for (width, _), (a, _), shares in seen)
    sides = [factors[pair][i][:, some.start : some.stop] for pair, *ranges in tiles for i, some in enumerate(ranges)]
    return sides, norm_sq if as_taken else None


def _factor_tasks(kept: list[_Columns], problem: Problem, tilt: Array | None) -> Iterator[Callable[[], Part]]:
    memory, points = _Rows(), n_points(problem)
    for columns in kept:
        if not len(columns.left):
            has_bias = columns.shares[-1][1].stop > problem.inputs.dim
            places = columns.shares[0][0], columns.shares[-1][0] if has_bias else None
            for rows in _in_blocks(columns.right, _BLOCK // points):
                yield partial(_part_of_input_layer, places, rows, tilt)
            continue
        for part, some in columns.shares:
            if part is None:
                continue
            few, many = sorted((columns.left[some], columns.right), key=len)
            resident = max(1, _RESIDENT // points)
            factors = min(len(few), max(1, _TASK // points // resident))
            for pair in product(_in_blocks(few, factors), _in_blocks(many, _TASK // points // factors)):
                yield partial(_part_of_products, memory, part, *pair)
            if tilt is not None:
                for pair in product(_in_blocks(few, _TOGETHER), _in_blocks(many, _TOGETHER)):
                    yield partial(_mean_of_products, part, *pair, tilt)


def _shares(shares: list[Share], kept: range, width: int) -> list[Share]:
    """Which of the columns that are kept of a left factor, all where it is the inputs, belong to which part."""
    kept = kept or range(width)
    ends = ((part, some.indices(width)) for part, some in shares)
    inside = [(part, max(a, kept.start) - kept.start, min(b, kept.stop) - kept.start) for part, (a, b, _) in ends]
    return [(part, slice(a, b)) for part, a, b in inside if a < b]


def _in_blocks(rows: Array, together: int) -> Iterator[Array]:
    """So many rows at a time, one at least."""
    together = max(1, together)
    return (rows[start : start + together] for start in range(0, rows.shape[0], together))


def _part_of_products(memory: _Rows, place: int, few: Array, many: Array) -> Part:
    from ...kernels.walsh_hadamard import product_level_weights  # compiled code only where it is needed

    return [(place, product_level_weights(few, many, memory.take(1, few.shape[1])), 0.0)]


def _mean_of_products(place: int, few: Array, many: Array, mean: Array) -> Part:
    """The sum of (E_x[m A_i B_j])^2 over the rows of both, by matrix products."""
    means = _sum_of_products(few, many, mean) / mean.size
    return [(place, np.zeros(mean.size.bit_length()), float(np.sum(means**2)))]


def _sum_of_products(few: Array, many: Array, mean: Array) -> Array:
    """sum_x m A_i B_j: of halves of the points, down to 2^11, there in runs of 64, so that few roundings add up."""
    half = mean.size // 2
    if mean.size > 2**11:
        halves = (slice(half), slice(half, None))
        first, second = (_sum_of_products(few[:, some], many[:, some], mean[some]) for some in halves)
        return np.asarray(first + second)
    run = min(mean.size, 64)
    tilted = (few * mean).reshape(len(few), -1, run).transpose(1, 0, 2)
    return np.asarray((tilted @ many.reshape(len(many), -1, run).transpose(1, 2, 0)).sum(axis=0))


def _probe(problem: Problem) -> Array:
    """A few points, spread over the cube, at which the form of the tangent factors is looked at."""
    return problem.inputs.sample(64, np.random.default_rng(0))


def is_input_layer(left: Array, x: Array, shares: list[Share]) -> bool:
    """Whether a left factor is [x], or [x, 1], so that the first-layer shift applies, and [x] belongs to one part."""
    dim = x.shape[1]
    together = shares[0][1].indices(left.shape[1])[1] >= dim
    is_points = left.shape[1] in (dim, dim + 1) and np.array_equal(left[:, :dim], x)
    return is_points and together and bool((left[:, dim:] == 1).all())


def _on_cube(problem: Problem, settings: Settings, f: Callable[[Array], Array]) -> Array:
    """The values of f at all points."""
    values = np.empty(n_points(problem))
    for block, found in over_points(f, problem, settings):
        values[block] = found
    return values
