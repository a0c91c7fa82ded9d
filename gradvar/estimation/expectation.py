"""Plain expectations E_x[f(x)]: enumerated where the inputs are few enough, otherwise a sampled mean."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np

from ..classes.inputs import Inputs
from ..core.arguments import Array, Stream, stream
from ..core.errors import NonFiniteError
from ..core.numbers import ROUNDING, Scaled
from ..results.estimate import Estimate
from ..results.interruption import attach_estimate
from .mean import Mean
from .pilot import planned_size
from .settings import Settings
from .tiles import ordered_map

Columns = Callable[[Array], Array]

MAX_POINTS = 2**22
_PILOT = 4096


def rows_per_tile(row_size: int, largest: int) -> int:
    """The largest power of two <= `largest` for which a tile of rows of that many numbers stays under 64 MiB."""
    rows = largest
    while rows > 16 and rows * row_size > 2**23:
        rows //= 2
    return rows


def _weighted_sum(f: Columns, inputs: Inputs, block: tuple[int, int]) -> Array:
    return inputs.weights(*block) @ f(inputs.points(*block))


def _at_sample(f: Columns, inputs: Inputs, seed: int, task: tuple[int, int, int]) -> Array:
    key, tile, size = task
    return f(inputs.sample(size, stream(seed, key, tile)))


def expectation(
    f: Columns,
    inputs: Inputs,
    settings: Settings,
    *,
    name: str,
    method: str,
    row_size: int,
    most: tuple[float, ...],
    max_points: int = MAX_POINTS,
    pilot: Columns | None = None,
) -> list[Estimate]:
    """Return E_x[f_j(x)] for each column j of f.

    Parameters
    ----------
    f : callable
        Takes inputs (n, dim) and returns (n, q) values, non-negative.
    inputs : Inputs
        The distribution of x. Enumerated when it has at most `max_points` points.
    settings : Settings
        A sampled mean takes its size from a pilot sample, whose draws are not used again, so that it is unbiased.
    name, method : str
        What is averaged and the method's name, for the report.
    row_size : int
        Numbers that one input takes in the model's memory.
    most : tuple of float
        A bound on each column; inf where none is known.
    pilot : callable or None
        What a pilot averages, no more columns than f has; None for f itself.

    Raises
    ------
    Interrupted, WorkersLostError
        On Ctrl-C, or where the executor's workers die, with the mean of the first column so far.
    """
    rows = rows_per_tile(row_size, 4096)
    if inputs.n_points is not None and inputs.n_points <= max_points:
        return _enumerate(f, inputs, settings, method, rows)
    begin = time.perf_counter()

    def first(n: int) -> _MeansPilot:
        values = np.concatenate(list(_values(pilot or f, inputs, settings, Stream.MEAN_PILOT, n, rows)))
        return _MeansPilot(_means(values, most[: values.shape[1]]), settings)

    n = planned_size(first, settings, _PILOT)
    tiles: list[Array] = []

    def estimates() -> list[Estimate]:
        seconds = time.perf_counter() - begin
        means = _means(np.concatenate(tiles), most)
        return [sampled_mean(mean, settings, name, method, seconds) for mean in means]

    with attach_estimate(lambda: estimates()[0] if tiles else None):
        tiles.extend(_values(f, inputs, settings, Stream.MEAN, n, rows))
    return estimates()


def _means(values: Array, most: tuple[float, ...]) -> list[Mean]:
    """The mean of each column, shape (n, q), none of them negative nor above its bound."""
    if not np.isfinite(values).all():
        raise NonFiniteError(
            f"the squared norm of the gradient overflows float64 at some of {len(values):,} sampled inputs; rescale "
            "the weights of the model"
        )
    for column, bound in zip(values.T, most, strict=True):
        if column.max() > bound * (1 + 1e-9):
            raise ValueError(
                f"`largest_gradient` of `model` must bound the squared gradient norm, but says {bound:.6g} where a "
                f"sampled input has {column.max():.6g}"
            )
    return [Mean.of(column, bound) for column, bound in zip(values.T, most, strict=True)]


class _MeansPilot(NamedTuple):
    """Means, each over itself: `rtol` is asked of each, and the variance is the largest of theirs."""

    means: list[Mean]
    settings: Settings
    value: float = 1.0
    floor: float = 0.0

    @property
    def resolved(self) -> bool:
        """Whether all of them are."""
        return all(mean.resolved and mean.value > 0 for mean in self.means)

    def variance_at(self, n: int) -> float:
        """As if the half widths of the intervals were normal."""
        widths = [mean.at(n).half_width(self.settings.confidence) / mean.value for mean in self.means]
        return (max(widths) / self.settings.quantile) ** 2


def _enumerate(f: Columns, inputs: Inputs, settings: Settings, method: str, rows: int) -> list[Estimate]:
    begin = time.perf_counter()
    n = inputs.n_points
    assert n is not None
    blocks = ((start, min(start + rows, n)) for start in range(0, n, rows))
    with closing(ordered_map(partial(_weighted_sum, f, inputs), blocks, settings.executor)) as results:
        return enumerated(list(results), n, method, begin)


def enumerated(sums: list[Array], n: int, method: str, begin: float | None = None) -> list[Estimate]:
    """Return the means over all n inputs, from the weighted sums over blocks of them, shape (q,) each."""
    if not np.isfinite(sums).all():
        raise NonFiniteError(f"the sum over all {n:,} inputs overflows float64; rescale the weights of the model")
    seconds = 0.0 if begin is None else time.perf_counter() - begin
    guarantee = f"exact up to float64 rounding: a sum over all {n:,} inputs"
    return [
        Estimate.exactly(Scaled(mean, mean * ROUNDING), method, guarantee, n_evaluated=n, seconds=seconds)
        for mean in map(math.fsum, zip(*sums, strict=True))
    ]


def _values(f: Columns, inputs: Inputs, settings: Settings, key: int, n: int, rows: int) -> Iterator[Array]:
    tasks = ((key, tile, min(rows, n - tile * rows)) for tile in range(math.ceil(n / rows)))
    with closing(ordered_map(partial(_at_sample, f, inputs, settings.seed), tasks, settings.executor)) as results:
        yield from results


def sampled_mean(mean: Mean, settings: Settings, name: str, method: str, seconds: float, each: int = 1) -> Estimate:
    """Return the mean of independent values with its interval; a value may be the mean over `each` inputs."""
    sampled = f"{name} over {int(mean.n) * each:,} sampled inputs"
    if mean.most < math.inf:
        missed = (
            f"interval for skewed values of at most {mean.most * mean.unit:.3g}, whatever so many inputs have missed"
        )
    elif mean.resolved:
        missed = "interval for skewed values, of which the largest may have been missed once"
    elif mean.squares == 0:
        missed = "no upper end: the values are equal at all of them, and nothing bounds them elsewhere"
    else:
        missed = (
            f"no upper end: {mean.effective:.1f} of them carry the spread, in effect, and nothing bounds them elsewhere"
        )
    tail = 0.5 - settings.confidence / 2
    return Estimate(
        mantissa=mean.value,
        mantissa_interval=(mean.lower(tail), mean.upper(1 - tail)),
        method=method,
        guarantee=f"unbiased: {sampled}; {missed}",
        resolved=mean.resolved,
        mantissa_error=mean.error,
        mantissa_upper=mean.upper(settings.confidence),
        confidence=settings.confidence,
        n_samples=int(mean.n) * each,
        seconds=seconds,
    )


def sampled_norms(
    norms: Array, most: tuple[float, ...], settings: Settings, seconds: float, each: int = 1
) -> tuple[Estimate, ...]:
    """Return G^2, E||s||^2 and perhaps E||u||^2 from independent values of ||g||^2, ||s||^2, ||u||^2.

    They are columns, shape (n, 2) or (n, 3), at most as large as `most` says; a value may be the mean over `each`
    inputs.
    """
    names = "mean of ||dp/dw||^2", "mean of ||s||^2", "mean of ||u||^2"
    return tuple(
        sampled_mean(mean, settings, name, "expectation", seconds, each)
        for mean, name in zip(_means(norms, most), names[: norms.shape[1]], strict=True)
    )
