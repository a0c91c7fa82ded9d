r"""Enumeration: every input, every member of the class, no sampling.

    c_h = E_x[h(x) s(x)],      Var = E_h ||c_h - E_h' c_h'||^2

The members' projections c_h come from the class's own fast transform, for a block of the signal's components at a
time, and are centred before they are squared. Parities on the cube take less: only the weight of the signal at
each degree is needed (`methods/cube.py`).
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from operator import call

import numpy as np

from ...classes import BiasedParities
from ...classes.base import KnowsProjection, prior_of
from ...classes.gram.derived import ProjectsByTable, known_gram, projection
from ...classes.parities import CubeParities, Parities
from ...core.arguments import Array, finite, integer, real
from ...core.errors import NonFiniteError, NotApplicableError, ShapeError, TooLargeError
from ...core.numbers import ROUNDING, Scaled
from ...estimation.settings import Settings
from ...estimation.tiles import ordered_map
from ...problem import Factors, Moment, Problem, component_blocks
from ...results.estimate import Estimate
from ..base import COMPILED_CODE, InParts
from . import coefficients, cube, labels
from .points import MeanNorms, n_points, written

_BLOCK = 2**22
"""Numbers in a block of signal components or of their projections: 32 MiB."""
_DENSE = 64
"""Members that a product with the table of all values takes in the time in which a fast transform takes one number."""
_EACH = 5.0
"""Multiplications that a transformed number counts as."""
_PROJECTED = 16.0
"""Those of a number that a class projects."""
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Enumeration(InParts):
    """Evaluate the gradient variance by a sum over all inputs and all members.

    Exact up to float64 rounding, which makes up the interval. With V the value, M = E_h ||c_h||^2 and
    eps = 2^-52, its half width is 1e-12 M + 2 delta V^1/2 + delta^2, where delta^2 is the second moment that the
    rounding of s and of its projections can have over the class:

    - parities of dimension d: (4 (d + 8) eps)^2 E||s||^2 / |H|, by Bessel's inequality;
    - other classes on n points: (4 (n^1/2 + 8) eps)^2 E||s||^2 max_h E h^2.

    Parameters
    ----------
    max_memory : int
        Bytes that may be taken. 8 GiB by default.
    max_work : int or None
        Numbers that may be transformed; None is no limit.

    Raises
    ------
    ValueError, TypeError
        A limit below 1; and a `TooLargeError` of a problem beyond it.

    Examples
    --------
    >>> import gradvar as gv
    >>> H, model = gv.SparseParities(12, 3), gv.MLP.random([12, 4, 4, 1], rng=0)
    >>> gv.gradient_variance(H, model, method=gv.Enumeration(max_memory=2**30)).n_evaluated
    4096
    """

    max_memory: int = 8 * 2**30
    max_work: int | None = None
    name: str = field(default="enumeration", init=False)

    def __post_init__(self) -> None:
        integer("max_memory", self.max_memory, 1)
        if self.max_work is not None:
            integer("max_work", self.max_work, 1)

    def declines(self, problem: Problem) -> ValueError | None:
        """Return None when the inputs and members are finitely many, fit in memory and take no more than `max_work`.

        A `TooLargeError` says how large it would be, and the way out.
        """
        if problem.weightless:
            return NotApplicableError(problem.weightless)
        if problem.inputs.n_points is None:
            return NotApplicableError(f"the inputs are infinitely many ({problem.inputs!r})")
        if projection(problem.hypotheses) is None:
            return NotApplicableError(
                f"{problem.hypotheses!r} has no method `project(f)`, nor does it list up to 2^20 members by `members()`"
            )
        memory, work = self._size(problem)
        if memory > self.max_memory:
            return TooLargeError(self._too_large(problem, memory))
        if self.max_work is not None and work > self.max_work:
            return NotApplicableError(f"it would transform {work:.2g} numbers, more than {self.max_work:.2g}")
        return None

    def work(self, problem: Problem) -> float:
        """Return the multiplications that transforming its numbers, and making them, takes."""
        is_compiled = coefficients.covers(problem) or isinstance(problem.hypotheses, (CubeParities, BiasedParities))
        made, each = 1, _PROJECTED
        if isinstance(problem.hypotheses, CubeParities):
            made, each = cube.evaluations_needed(problem), _EACH
        inputs = n_points(problem) * problem.input_work * made
        return COMPILED_CODE * is_compiled + each * self._size(problem)[1] + inputs

    def plan(self, problem: Problem) -> str:
        """Say what is enumerated, in how much memory."""
        memory, _ = self._size(problem)
        return f"exact sum over all {n_points(problem):,} inputs, in {_bytes(memory)} of memory"

    def estimates(self, problem: Problem, settings: Settings) -> list[Estimate]:
        """Return the gradient variance, exact up to rounding."""
        norms, found = MeanNorms(problem), None
        if isinstance(problem.hypotheses, CubeParities):
            found = _by_levels(problem, problem.hypotheses, settings, norms)
            # The class mean was subtracted after squaring. Where it is nearly all there is, digits were lost: centre
            # first, if there is room.
            variance, second = (math.fsum(getattr(part, name) for part in found) for name in ("variance", "second"))
            lost = problem.moment is Moment.VARIANCE and variance < 1e-3 * second
            if lost and _projection_memory(problem) <= self.max_memory:
                found = None
        if found is None:
            found = _by_projection(problem, settings, norms)
        estimates = []
        for part in found:
            value = {Moment.VARIANCE: part.variance, Moment.SECOND: part.second, Moment.MEAN: part.mean}[problem.moment]
            size = part.second if problem.moment is Moment.VARIANCE else value
            half = ROUNDING * size + 2 * part.rounding * math.sqrt(max(value, 0.0)) + part.rounding**2
            if not math.isfinite(value + half):
                raise NonFiniteError(
                    f"the gradient variance of {problem.model!r} overflows float64; rescale its weights"
                )
            guarantee = f"exact up to float64 rounding: every one of {n_points(problem):,} inputs and every member"
            number = Scaled(max(value, 0.0), half)
            estimates.append(Estimate.exactly(number, "enumeration", guarantee, n_evaluated=n_points(problem)))
        return norms.beside(estimates)

    @staticmethod
    def _size(problem: Problem) -> tuple[int, int]:
        """Bytes and transformed numbers."""
        points = n_points(problem)
        if isinstance(problem.hypotheses, CubeParities):
            if points > 2**62:  # no point of it can be made to measure the model at
                return 64 * points, 64 * points
            return cube.memory_needed(problem), points * cube.transforms_needed(problem)
        if coefficients.covers(problem):
            return _projection_memory(problem), points * coefficients.transforms_needed(problem)
        work = points * problem.predictor.n_parameters
        if labels.covers(problem):
            return _projection_memory(problem), labels.products_needed(problem) // _DENSE
        if isinstance(projection(problem.hypotheses), ProjectsByTable):
            work *= max(1, _n_members(problem) // _DENSE)
        return _projection_memory(problem), work

    def _too_large(self, problem: Problem, memory: int) -> str:
        points = n_points(problem)
        count = f"2^{points.bit_length() - 1}" if points & (points - 1) == 0 else f"{points:,}"
        dim = problem.inputs.dim
        everything = isinstance(problem.hypotheses, Parities)
        way_out = f"pass method='{'closed-form' if everything else 'monte-carlo'}'"
        if isinstance(problem.hypotheses, CubeParities):
            fits = dim - max(1, math.ceil(math.log2(memory) - math.log2(self.max_memory)))
            way_out += f" or dim <= {max(fits, 1)}"
        return (
            f"enumerating {count} inputs needs {_bytes(memory)}, more than max_memory = {_bytes(self.max_memory)}; "
            f"{way_out}"
        )


@dataclass(frozen=True)
class _Moments:
    """Var, E_h ||c_h||^2 and ||E_h c_h||^2, and the root mean square error over H of c_h, by rounding."""

    variance: float
    second: float
    mean: float
    rounding: float


def _by_levels(problem: Problem, hypotheses: CubeParities, settings: Settings, norms: MeanNorms) -> list[_Moments]:
    """Var = sum_k W_k(s)/|H| - ||E[m s]||^2 over the degrees of the class."""
    mean = None if problem.moment is Moment.SECOND else hypotheses.mean
    found = []
    for weights, mean_part in zip(*cube.level_spectrum(problem, settings, mean, norms), strict=True):
        second = math.fsum(weights[hypotheses.degrees.start : hypotheses.degrees.stop]) / hypotheses.size
        rounding = _parity_rounding(hypotheses) * math.sqrt(math.fsum(weights))
        found.append(_Moments(second - float(mean_part), second, float(mean_part), rounding))
    return found


def _parity_rounding(hypotheses: CubeParities) -> float:
    return 4 * (hypotheses.dim + 8) * _EPS / math.sqrt(hypotheses.size)


def _by_projection(problem: Problem, settings: Settings, norms: MeanNorms) -> list[_Moments]:
    """The moments by the class's projection of each block of signal components."""
    hypotheses = projection(problem.hypotheses)
    assert hypotheses is not None
    points = n_points(problem)
    factors = _signal_factors(problem, settings, norms)
    norm_sq = problem.inputs.weights(0, points) @ problem.norms_of_parts(factors)
    if coefficients.covers(problem):
        tasks = coefficients.tasks(factors, problem)
    elif labels.covers(problem):
        tasks = labels.tasks(factors, problem)
    else:
        together = max(1, _BLOCK // max(points, _n_members(problem)))
        tasks = (
            partial(_moments, hypotheses, prior_of(problem.hypotheses), part, block)
            for (left, right), shares in zip(factors, problem.shares, strict=True)
            for part, some in shares
            for block in component_blocks([(left[:, some], right)], together)
        )
    sums: list[list[tuple[float, float, float]]] = [[] for _ in norm_sq]
    with closing(ordered_map(call, tasks, settings.executor)) as results:
        for part, moments in chain.from_iterable(results):
            sums[part].append(moments)
    if isinstance(hypotheses, CubeParities):
        rounding = _parity_rounding(hypotheses)
    else:
        rounding = 4 * (math.sqrt(points) + 8) * _EPS * math.sqrt(_largest_second_moment(hypotheses))
    found = []
    for some, size in zip(sums, norm_sq, strict=True):
        variance, second, mean = (math.fsum(terms) for terms in zip(*some, strict=True))
        found.append(_Moments(variance, second, mean, rounding * math.sqrt(size)))
    return found


def _largest_second_moment(hypotheses: KnowsProjection) -> float:
    """max_h E h^2; of a class that does not say it, the 1 that Theorem 1 assumes."""
    try:
        gram = known_gram(hypotheses)
        return 1.0 if gram is None else gram.largest_second_moment()
    except (NotApplicableError, TooLargeError):
        return 1.0


def _moments(
    hypotheses: KnowsProjection, prior: Array | None, part: int, components: tuple[Array, Array]
) -> list[coefficients.PartOf]:
    """E_h ||c_h - mean||^2, E_h ||c_h||^2 and ||mean||^2 over these components."""
    column, columns = components
    projections = real("H.project", hypotheses.project(column[:, None] * columns))
    if projections.ndim != 2 or projections.shape[1] != columns.shape[1] or projections.shape[0] == 0:
        raise ShapeError(
            f"`H.project` must return shape (|H|, {columns.shape[1]}) for {columns.shape[1]} functions, "
            f"got {projections.shape}"
        )
    finite("H.project", projections)
    return [(part, coefficients.moments(projections, prior))]


def _signal_factors(problem: Problem, settings: Settings, norms: MeanNorms) -> Factors:
    """The signal's factors at all points; `norms` takes their squared norms."""
    points, probe = n_points(problem), problem.signal_factors(problem.inputs.points(0, 1))
    factors = [(np.empty((points, a.shape[1])), np.empty((points, b.shape[1]))) for a, b in probe]
    norms.take(written(partial(_sides, problem), list(chain(*factors)), problem, settings))
    return factors


def _sides(problem: Problem, x: Array) -> tuple[list[Array], Array]:
    """Both sides of each factor of the signal, and its squared norms."""
    factors, norm_sq = problem.signal(x)
    return list(chain(*factors)), norm_sq


def _projection_memory(problem: Problem) -> int:
    """Bytes that `_by_projection` takes: the factors, and the blocks of two workers."""
    points = n_points(problem)
    return 8 * (points * problem.row_size + 16 * max(_BLOCK, points, _n_members(problem)))


def _n_members(problem: Problem) -> int:
    return 1 << min(math.ceil(problem.hypotheses.log2_size), 62)


def _bytes(count: int) -> str:
    if count >= 2**60:
        return f"2^{count.bit_length() - 1} bytes"
    number = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} PiB"
