r"""Some parities on the cube, biased or not: their projections read off from one transform of each unit.

With f^(S) = E_x[h_S(x) f(x)] for all 2^d sets S, by one transform, the components delta(x) x_i of an input layer need
none of their own: with mu = E x_i and sigma^2 = 1 - mu^2, h_S = prod_{i in S} (x_i - mu)/sigma has

    x_i h_S = mu (1 - 2 [i in S]) h_S + sigma h_{S xor {i}},

and h_S = prod_{i in S} x_i has x_i h_S = h_{S xor {i}}. The moments are over the sets of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from ...classes import BiasedParities, Parities, SparseParities
from ...classes.members.target_class import Restriction
from ...classes.parities import SetsOnCube
from ...core.arguments import Array
from ...problem import Factors, Problem, component_blocks
from .cube import Places, input_layer_widths, is_input_layer

_BLOCK = 2**20
"""Numbers in a block of functions on the cube: 8 MiB."""

Numbers = npt.NDArray[np.int64]
Part = tuple[float, float, float]
"""E_h ||c_h - mean||^2, E_h ||c_h||^2 and ||mean||^2 over some components."""
PartOf = tuple[int, Part]
"""These with the number of the part of the gradient that the components belong to."""


def covers(problem: Problem) -> bool:
    """Whether the class is one of parities, or some members of one, that is the library's own."""
    return type(_home(problem)) in (Parities, SparseParities, BiasedParities)


def _home(problem: Problem) -> object:
    hypotheses = problem.hypotheses
    return hypotheses.parent if type(hypotheses) is Restriction else hypotheses


def tasks(factors: Factors, problem: Problem) -> Iterator[Callable[[], list[PartOf]]]:
    """The moments of blocks of components of the signal, from its factors at all points."""
    home, chosen = _home(problem), problem.hypotheses
    assert isinstance(home, SetsOnCube)
    numbers = home.set_numbers(chosen.members()) if isinstance(chosen, Restriction) else home.set_numbers()
    points = factors[0][0].shape[0]
    x, together = problem.inputs.points(0, points), max(1, _BLOCK // points)
    for (left, right), shares in zip(factors, problem.shares, strict=True):
        if is_input_layer(left, x, shares):
            places = shares[0][0], shares[-1][0] if left.shape[1] > x.shape[1] else None
            for start in range(0, right.shape[1], together):
                yield partial(_of_input_layer, places, home, numbers, right[:, start : start + together])
            continue
        for part, some in shares:
            for column, columns in component_blocks([(left[:, some], right)], together):
                yield partial(_of_products, part, home, numbers, column, columns)


def _of_input_layer(places: Places, home: SetsOnCube, numbers: Numbers, deltas: Array) -> list[PartOf]:
    """The components delta(x) x_i, and delta(x) where there are biases."""
    from ...kernels.shifted_coefficients import shifted_moments  # compiled code only where it is needed

    found = home.coefficients(deltas)
    variance, mean = shifted_moments(found, numbers, home.dim, *home.shift)
    of_weights = places[0] or 0, (variance, variance + mean, mean)
    return [of_weights] if places[1] is None else [of_weights, (places[1], moments(found[numbers]))]


def _of_products(part: int, home: SetsOnCube, numbers: Numbers, column: Array, columns: Array) -> list[PartOf]:
    return [(part, moments(home.coefficients(column[:, None] * columns)[numbers]))]


def transforms_needed(problem: Problem) -> int:
    """Number of functions on the cube that are transformed."""
    return sum(max(left, 1) * right for left, right in input_layer_widths(problem))


def moments(coefficients: Array, prior: Array | None = None) -> Part:
    """The moments over members, by their probabilities, of their projections, shape (m, q)."""
    mean = np.average(coefficients, axis=0, weights=prior)
    centred = coefficients - mean
    if prior is not None:
        centred *= np.sqrt(len(coefficients) * prior)[:, None]
    variance = float(np.einsum("ij,ij->", centred, centred)) / len(coefficients)
    of_mean = float(mean @ mean)
    return variance, variance + of_mean, of_mean
