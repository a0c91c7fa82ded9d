r"""Variance reduction: what the class covariance annihilates is taken out of the signal.

If E_x[h(x) f(x)] is the same for every member h, then E_x'[C_H(x, x') f(x')] = 0 for every x, and

    E[C_H(x, x') <s(x), s(x')>] = E[C_H(x, x') <r(x), r(x')>],      r(x) = s(x) - sum_q f_q(x) b_q,

for any vectors b_q that do not depend on the sample: such components of s only add noise. The b_q are the least
squares coefficients of s on the functions f_q that the class names (`annihilated(x)`), from a sample of their own.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ..arguments import Array, stream
from ..classes.base import KnowsAnnihilated
from ..expectation import rows_per_tile
from ..problem import Factors, Problem
from ..settings import Settings
from ..tiles import ordered_map

_KEY = 8
_LARGEST = 2**24
"""Numbers in the coefficients: 128 MiB. A model with more parameters gets fewer functions."""
_FEWEST, _MOST = 2048, 2**14


@dataclass(frozen=True)
class Regression:
    """The coefficients b_q, as one array (q, r, s) for each of the signal's factors (n, r), (n, s).

    Attributes
    ----------
    hypotheses : KnowsAnnihilated
        The class that names the functions f_q.
    coefficients : list of ndarray
        b_q in the shape of the factors.
    gram : ndarray, shape (q, q)
        <b_q, b_q'>.
    """

    hypotheses: KnowsAnnihilated
    coefficients: list[Array]
    gram: Array

    def functions(self, x: Array) -> Array:
        """f_q(x), shape (n, q)."""
        return _functions(self.hypotheses, x)[:, : self.gram.shape[0]]

    def project(self, factors: Factors) -> Array:
        """<s(x), b_q>, shape (n, q), from the signal's factors. Costs n q P."""
        total = np.zeros((factors[0][0].shape[0], self.gram.shape[0]))
        for (left, right), b in zip(factors, self.coefficients, strict=True):
            q, r, s = b.shape
            if s == 1:
                total += (left * right) @ b.reshape(q, r).T
            else:
                total += np.einsum("nr,nqr->nq", left, (right @ b.reshape(q * r, s).T).reshape(-1, q, r))
        return total


def regression(problem: Problem, settings: Settings) -> Regression | None:
    """Fit the signal to what the class annihilates; None for a class that names nothing."""
    hypotheses = problem.hypotheses
    if not isinstance(hypotheses, KnowsAnnihilated):
        return None
    x = problem.inputs.sample(1, np.random.default_rng(0))
    shapes = [(left.shape[1], right.shape[1]) for left, right in problem.signal_factors(x)]
    size = sum(r * s for r, s in shapes)
    q = min(_functions(hypotheses, x).shape[1], _LARGEST // size)
    if q == 0:
        return None
    n = min(max(_FEWEST, 32 * q), _MOST)
    rows = rows_per_tile(problem.row_size + q * max(r for r, _ in shapes), 1024)
    tasks = [(tile, min(rows, n - start)) for tile, start in enumerate(range(0, n, rows))]
    fit = _Fit(problem, settings.seed, q)
    gram, sums = np.zeros((q, q)), [np.zeros((q, r, s)) for r, s in shapes]
    with closing(ordered_map(fit, tasks, settings.executor)) as results:
        for products, parts in results:
            gram += products
            for total, part in zip(sums, parts, strict=True):
                total += part
    inverse = np.linalg.pinv(gram, hermitian=True)
    coefficients = [np.tensordot(inverse, total, axes=1) for total in sums]
    flat = np.concatenate([b.reshape(q, -1) for b in coefficients], axis=1)
    return Regression(hypotheses, coefficients, flat @ flat.T)


@dataclass(frozen=True)
class _Fit:
    """One tile's sums of f f' and of f s."""

    problem: Problem
    seed: np.random.SeedSequence
    q: int

    def __call__(self, task: tuple[int, int]) -> tuple[Array, list[Array]]:
        tile, size = task
        x = self.problem.inputs.sample(size, stream(self.seed, _KEY, tile))
        hypotheses = self.problem.hypotheses
        assert isinstance(hypotheses, KnowsAnnihilated)
        f = _functions(hypotheses, x)[:, : self.q]
        parts = []
        for left, right in self.problem.signal_factors(x):
            shape = (self.q, left.shape[1], right.shape[1])
            if right.shape[1] == 1:
                parts.append((f.T @ (left * right)).reshape(shape))
            else:
                parts.append(((f[:, :, None] * left[:, None, :]).reshape(size, -1).T @ right).reshape(shape))
        return f.T @ f, parts


def _functions(hypotheses: KnowsAnnihilated, x: Array) -> Array:
    return np.asarray(hypotheses.annihilated(x), dtype=np.float64)
