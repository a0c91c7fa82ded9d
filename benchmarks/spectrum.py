"""The degree spectrum of a network with one hidden layer, against transforms of its gradients at all 2^d inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

import gradvar as gv

from . import networks
from .timing import Row, Run, Side, contest
from .transform import butterflies


def by_gradvar(dim: int, width: int, activation: str) -> Run:
    model = gv.MLP.random([dim, width, 1], activation=activation, rng=0)
    return lambda turn: (float(gv.degree_spectrum(model)[3]), math.nan)


def by_transform(dim: int, width: int, transform: Callable[[np.ndarray], object]) -> Run:
    """Gradients at all points, a transform of each component, squares binned by degree."""
    gradients = networks.numpy_per_example(networks.network(dim, width))
    points = gv.Hypercube(dim).points(0, 2**dim)
    degrees = np.bitwise_count(np.arange(2**dim))

    def run(turn: int) -> tuple[float, float]:
        rows = gradients(points).T.copy()
        transform(rows)
        squares = (rows / 2**dim) ** 2
        spectrum = np.bincount(degrees, squares.sum(axis=0)) / np.bincount(degrees)
        return float(spectrum[3]), math.nan

    return run


def by_numpy(dim: int, width: int) -> Run:
    return by_transform(dim, width, butterflies)


def by_fht_cpu(dim: int, width: int) -> Run:
    import fht_cpu

    return by_transform(dim, width, lambda rows: fht_cpu.fht(rows))


def rows(quick: bool) -> Iterator[Row]:
    for dim, width in ((12, 64), (14, 32)) if quick else ((12, 64), (14, 32), (16, 64)):
        sides = [
            Side("gradvar", by_gradvar, (dim, width, "tanh")),
            Side("NumPy", by_numpy, (dim, width)),
            Side("fht-cpu", by_fht_cpu, (dim, width)),
        ]
        yield from contest("spectrum", f"{dim}-{width}-1 tanh", sides, 3, exact=True)
    alone = [(20, 128, "relu"), (20, 128, "tanh")]
    if not quick:
        alone += [(22, 128, "relu"), (24, 32, "relu")]
    for dim, width, activation in alone:
        # sigma and sigma' of each unit are transformed: 2 width 2^d numbers.
        for row in contest(
            "spectrum", f"{dim}-{width}-1 {activation}", [Side("gradvar", by_gradvar, (dim, width, activation))], 3
        ):
            yield with_rate(row, 2 * width * 2**dim)


def with_rate(row: Row, numbers: int) -> Row:
    return replace(row, note=f"{1e9 * row.gradvar / numbers:.2f} ns per transformed number") if row.gradvar else row
