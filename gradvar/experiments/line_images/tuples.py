"""The signal of a gradient at products of labels, of all tuples of the images that there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ...core.arguments import Array
from ...estimation.u_statistic import Moments, moments

Slopes: TypeAlias = Callable[[Array], Array]
"""b(p) dp/ds at k scores of n examples, (n, k)."""


def signal(scores: Array, hidden: Array, labels: Array, slopes: Slopes, nodes: int) -> Moments:
    r"""Estimate ||E y s||^2, y the product of k labels and s = sum_j b dp/ds_j h_j, the signal of the score's weights.

    The images of a tuple are independent, so that each group gives, of all its tuples, an unbiased

        c = sum_j sum_u A_j(u) nu_j(u_j) prod_{l != j} mu_l(u_l),

        mu_l = mean_i y_i phi(s_i),      nu_l = mean_i y_i phi(s_i) h_i,

    u over the nodes, at quantiles of the scores, between which A = b dp/ds is interpolated: phi are the hat functions.
    U is the mean of <c_g, c_g'> over pairs of groups.

    Parameters
    ----------
    scores, labels : ndarray, shape (G, k, m)
        Of m images for each of k places in each of G groups; images of one place need not be independent.
    hidden : ndarray, shape (G, k, m, P)
        What the score is a linear function of.
    slopes : callable
        A.
    nodes : int
        Of each axis, >= 2.
    """
    from scipy.sparse import csr_array

    groups, k, m = scores.shape
    grid = np.unique(np.quantile(scores, np.linspace(0, 1, nodes)))
    left = np.clip(np.searchsorted(grid, scores, side="right") - 1, 0, len(grid) - 2)
    share = (scores - grid[left]) / np.diff(grid)[left]
    points = np.stack(np.meshgrid(*[grid] * k, indexing="ij"), axis=-1)
    A = _in_parts(slopes, points.reshape(-1, k)).reshape(points.shape)
    c = np.zeros((groups, hidden.shape[-1]))
    rows = np.arange(m)
    for g in range(groups):
        mu, nu = [], []
        for place in range(k):
            y, i, t = labels[g, place] / m, left[g, place], share[g, place]
            values, columns = np.concatenate([(1 - t) * y, t * y]), np.concatenate([i, i + 1])
            phi = csr_array((values, (columns, np.concatenate([rows, rows]))), shape=(len(grid), m))
            mu.append(phi @ np.ones(m))
            nu.append(phi @ hidden[g, place])
        for j in range(k):
            t = A[..., j]
            for other in reversed([other for other in range(k) if other != j]):
                t = np.tensordot(t, mu[other], ([other], [0]))
            c[g] += t @ nu[j]
    h = c @ c.T
    np.fill_diagonal(h, 0.0)
    squares, fourths = float(np.vdot(h, h)), float(np.vdot(h * h, h * h))
    triples = groups * (groups - 1) * (groups - 2)
    triangles, cubes = float(np.trace(h @ h @ h)) / triples, float((h**3).sum()) / (groups * (groups - 1))
    return moments(h.sum(axis=1), squares, triangles, cubes, squares * (squares / fourths) / 2 if fourths > 0 else 0.0)


def noise(scores: Array, hidden: Array, slopes: Slopes) -> float:
    """Return the mean of ||s||^2 over the tuples of images with one number."""
    k = scores.shape[1]
    A = _in_parts(slopes, np.moveaxis(scores, 1, -1).reshape(-1, k)).reshape(len(scores), -1, k)
    s = np.einsum("gmk,gkmp->gmp", A, hidden)
    return float(np.square(s).sum() / (s.shape[0] * s.shape[1]))


def _in_parts(slopes: Slopes, points: Array) -> Array:
    parts = range(0, len(points), 2**14)
    return np.concatenate([slopes(points[start : start + 2**14]) for start in parts])
