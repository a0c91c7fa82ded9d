r"""Variance reduction: components that the class covariance annihilates are taken out of the signal.

If E_x[h(x) f(x)] is the same for every member h, then E_x'[C_H(x, x') f(x')] = 0 for every x, and

    E[C_H(x, x') <s(x), s(x')>] = E[C_H(x, x') <r(x), r(x')>],      r(x) = s(x) - sum_q f_q(x) b_q,

for any vectors b_q that do not depend on the sample: such components of s only add noise. The b_q are the least
squares coefficients of s on the functions f_q that the class names (`null_functions(x)`), from a sample of their own.

They are as large as q gradients, and a pure function of the problem and the seed: threads fit them together, other
processes each for themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np

from ...classes.base import KnowsNullFunctions
from ...core.arguments import Array, Stream, stream
from ...estimation.expectation import rows_per_tile
from ...estimation.mean import few_carry
from ...estimation.settings import Settings
from ...estimation.tiles import CachedPerProcess, ordered_map, shares_memory, single_threaded_blas
from ...models.base import tangent_factors
from ...models.trainable import whole
from ...problem import Factors, Problem, norms_sq
from .signal_tiles import Removed

_LARGEST = 2**22
"""Numbers in the coefficients: 32 MiB. A model with so many parameters that all functions take more gets the first one,
the constant, alone: projecting on many would cost as much as the pairs."""
_FEWEST, _MOST = 2048, 2**14
_FEWEST_CARRIERS = 5
"""Nothing is taken out where a smaller effective number of inputs carry the spread of ||s||^2."""


class Coefficients(NamedTuple):
    """The coefficients b_q.

    Attributes
    ----------
    factors : list of ndarray
        One array (q, r, s) for each of the signal's factors (n, r), (n, s).
    gram : ndarray, shape (parts, q, q)
        <b_q, b_q'> of each part of the gradient.
    """

    factors: list[Array]
    gram: Array


class Regression(CachedPerProcess):
    """The regression of the signal on functions that the class covariance annihilates.

    It does not take its coefficients along to other processes.

    Attributes
    ----------
    problem : Problem
        Its class names the functions f_q.
    shapes : list of (int, int)
        The widths (r, s) of the signal's factors.
    q : int
        How many functions.
    """

    left_behind = ("_coefficients", "_fitting")

    def __init__(self, problem: Problem, seed: int, shapes: list[tuple[int, int]], q: int) -> None:
        super().__init__()
        self.problem, self.shapes, self.q = problem, shapes, q
        self._fit = partial(_fit, problem, seed, q)
        self.restore()

    def restore(self) -> None:
        """Begin without coefficients: this process will fit its own."""
        self._coefficients: Coefficients | None = None
        self._fitting = threading.Lock()

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients, fitted where they are asked for first."""
        if self._coefficients is None:
            with self._fitting, single_threaded_blas():
                if self._coefficients is None:
                    self._coefficients = self._solved(map(self._fit, self._tasks))
        return self._coefficients

    def fit(self, executor: Executor | None) -> None:
        """Have the workers fit the coefficients."""
        with closing(ordered_map(self._fit, self._tasks, executor)) as results, single_threaded_blas():
            self._coefficients = self._solved(results)

    @property
    def _tasks(self) -> list[tuple[int, int]]:
        n = min(max(_FEWEST, 32 * self.q), _MOST)
        rows = rows_per_tile(self.problem.row_size + self.q * max(r for r, _ in self.shapes), 1024)
        return [(tile, min(rows, n - start)) for tile, start in enumerate(range(0, n, rows))]

    def _solved(self, results: Iterable[tuple[Array, list[Array], Array]]) -> Coefficients:
        gram, sums = np.zeros((self.q, self.q)), [np.zeros((self.q, r, s)) for r, s in self.shapes]
        norms = []
        for products, parts, norms_of_tile in results:
            gram += products
            norms.append(norms_of_tile)
            for total, part in zip(sums, parts, strict=True):
                total += part
        # b = (sum f f')^+ sum f s
        inverse = np.linalg.pinv(gram, hermitian=True)
        if few_carry(np.concatenate(norms), _FEWEST_CARRIERS):
            inverse *= 0.0  # b would be made by inputs too rare to be met again
        coefficients = [np.tensordot(inverse, total, axes=1) for total in sums]
        of_parts = self.problem.split([(b, b) for b in coefficients])
        flat = [np.concatenate([b.reshape(self.q, -1) for b, _ in part], axis=1) for part in of_parts]
        return Coefficients(coefficients, np.stack([part @ part.T for part in flat]))

    def functions(self, x: Array) -> Array:
        """f_q(x), shape (n, q)."""
        return _functions(self.problem, x)[:, : self.q]

    def project(self, factors: Factors) -> Array:
        """<s(x), b_q> of each part, shape (parts, n, q), from the signal's factors. Costs n q P."""
        total = np.zeros((self.problem.n_parts, factors[0][0].shape[0], self.q))
        # <s, b_q> = sum_l A_l' b_ql B_l
        for (left, right), b, shares in zip(factors, self.coefficients.factors, self.problem.shares, strict=True):
            q, r, s = b.shape
            products = left * right if s == 1 else (right @ b.reshape(q * r, s).T).reshape(-1, q, r)
            for part, columns in shares:
                if s == 1:
                    total[part] += products[:, columns] @ b[:, columns].reshape(q, -1).T
                else:
                    total[part] += np.einsum("nr,nqr->nq", left[:, columns], products[:, :, columns])
        return total

    def removed(self, x: Array, parts: int, projections: Array) -> Removed:
        """What is taken out at these inputs; of the gradient as one part the sums over all parts."""
        coefficients, gram = self.coefficients
        if parts < len(gram):
            projections, gram = (array.sum(axis=0, keepdims=True) for array in (projections, gram))
        return Removed(self.functions(x), projections, gram, coefficients)


def regression(problem: Problem, settings: Settings) -> Regression | None:
    """Regress the signal on the class's null functions; None for a class that names none."""
    if not isinstance(problem.hypotheses, KnowsNullFunctions):
        return None
    x = problem.inputs.sample(1, np.random.default_rng(0))
    shapes = [(left.shape[1], right.shape[1]) for left, right in problem.signal_factors(x)]
    size, q = sum(r * s for r, s in shapes), _functions(problem, x).shape[1]
    # A part of a model has the functions of the whole, so that the values of all parts add up to that of the whole.
    size = max(size, whole(problem.predictor).n_parameters)
    if q * size > _LARGEST:
        q = 1
    if q == 0 or q * size > _LARGEST:
        return None
    fitted = Regression(problem, settings.seed, shapes, q)
    if shares_memory(settings.executor):
        fitted.fit(settings.executor)
    return fitted


def _fit(problem: Problem, seed: int, q: int, task: tuple[int, int]) -> tuple[Array, list[Array], Array]:
    """The sums over one tile of f f' and of f s, and ||s||^2 at its inputs."""
    tile, size = task
    x = problem.inputs.sample(size, stream(seed, Stream.CONTROL_VARIATES, tile))
    f, parts = _functions(problem, x)[:, :q], []
    signal = problem.signal_factors(x)
    for left, right in signal:
        r, s = left.shape[1], right.shape[1]
        if s == 1:
            parts.append((f.T @ (left * right)).reshape(q, r, s))
        elif r <= s:  # the products f_q A_r or f_q B_s, whichever are fewer
            parts.append(((f[:, :, None] * left[:, None, :]).reshape(size, -1).T @ right).reshape(q, r, s))
        else:
            products = (f[:, :, None] * right[:, None, :]).reshape(size, -1)
            parts.append((left.T @ products).reshape(r, q, s).transpose(1, 0, 2))
    every = whole(problem.predictor)
    if every is problem.predictor:
        return f.T @ f, parts, norms_sq(signal)
    return f.T @ f, parts, problem.signal_scale(x) ** 2 * norms_sq(tangent_factors(every, x))


def _functions(problem: Problem, x: Array) -> Array:
    hypotheses = problem.hypotheses
    assert isinstance(hypotheses, KnowsNullFunctions)
    return np.asarray(hypotheses.null_functions(x), dtype=np.float64)
