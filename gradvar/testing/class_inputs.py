"""Checks of the inputs of a hypothesis class: their points, their probabilities, and what is drawn.

Each public function is one check, as in `class_draws`.
"""

from __future__ import annotations

import math

import numpy as np

from ..core.arguments import Array
from .checks import CheckFailed
from .class_probe import ClassProbe
from .comparison import ROUNDING, agree, identical, sampled, short
from .draws import numbered, same_distribution
from .regions import DRAWN

_SEED, _MOST_CATEGORIES = 20, 512
_MOST_SUMMED, _MOST_COORDINATES = 2**17, 16


def inputs(probe: ClassProbe) -> str:
    """`inputs` is a distribution whose sample(n, rng) has shape (n, dim), is finite, and follows the seed."""
    n_points = probe.inputs.n_points
    one, same, other = (probe.draw_inputs(DRAWN, key) for key in (_SEED, _SEED, _SEED + 1))
    identical("`inputs.sample` must depend on `rng` alone, and one seed gave different inputs", one, same)
    if np.array_equal(one, other) and (n_points is None or n_points >= 2**8):
        raise CheckFailed(f"`inputs.sample` must draw from `rng`: two seeds gave the same {DRAWN} inputs")
    probe.draw_inputs(0, _SEED)
    return f"{short(probe.inputs)}: {DRAWN} inputs of shape (n, {probe.inputs.dim})"


def input_points(probe: ClassProbe) -> str:
    """points(start, stop) and weights(start, stop) agree between blocks, and the weights are probabilities."""
    points, weights = probe.first_points
    return f"{len(points):,} of {probe.inputs.n_points:,} points, weights sum to {math.fsum(weights):.6g}"


def input_sampling(probe: ClassProbe) -> str:
    """inputs.sample draws the points with their weights (chi-square, or moments; one false alarm in a million)."""
    n_points = probe.inputs.n_points
    if probe.points is None and n_points is not None and n_points <= _MOST_SUMMED:
        return _same_moments(probe, n_points)
    points, weights = probe.all_points()
    n = 64 * min(len(numbered(points)), _MOST_CATEGORIES)
    return same_distribution("inputs.sample", "point", probe.draw_inputs(n, 3), points, weights)


def _same_moments(probe: ClassProbe, n_points: int) -> str:
    """Compare E x_i and E x_i x_j over all points, of a few coordinates, with those of drawn inputs."""

    def features(x: Array) -> Array:
        x = x[:, :_MOST_COORDINATES]
        i, j = np.triu_indices(x.shape[1])
        return np.concatenate([x, x[:, i] * x[:, j]], axis=1)

    blocks = (probe.block(start, min(start + 2**12, n_points)) for start in range(0, n_points, 2**12))
    sums = np.array([[weights.sum(), *(weights @ features(points))] for points, weights in blocks]).sum(axis=0)
    total = f"the sum of `inputs.weights` over {n_points:,} points"
    agree(sums[:1], np.ones(1), ROUNDING, lambda at: total, "that of probabilities")
    drawn = sampled([features(probe.draw_inputs(2**12, 3)).T])
    moment = "of `inputs.points` with their weights"
    found = drawn.agrees(sums[None, 1:], lambda at: f"moment number {at[1]} {moment}", "that of drawn inputs")
    return f"moments of 4,096 draws and of {n_points:,} points, {found}"
