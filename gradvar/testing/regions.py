"""Where to look: inputs of every region, and batches of every size.

A method may be right at a typical input and wrong at an extreme one, right in small batches and wrong from some row on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array

DRAWN = 16
"""Typical inputs that are looked at, beside those of every region."""
_COORDINATES = 6
_BATCHES = (1, 2, 3, 17)
Rows = npt.NDArray[np.intp]


def everywhere(dim: int, rng: np.random.Generator) -> Array:
    """Inputs of R^dim: Gaussian ones, small and large, points of the cube and beyond it, corners, the origin."""
    normal = rng.standard_normal((DRAWN + 8, dim))
    normal[DRAWN : DRAWN + 6] *= 4.0
    normal[DRAWN + 6 :] *= 1e-3
    cube = np.where(rng.random((12, dim)) < 0.5, -1.0, 1.0)
    cube[8:] *= 3.0
    return np.concatenate([normal, cube, np.outer([1.0, -1.0, 3.0, -3.0, 0.0], np.ones(dim))])


def extremes(drawn: Array) -> Array:
    """Of many inputs those with the largest and the smallest norm and values of a few coordinates, each once."""
    few = np.unique(np.linspace(0, drawn.shape[1] - 1, _COORDINATES).astype(np.intp))
    sizes = np.concatenate([drawn[:, few], np.linalg.norm(drawn, axis=1)[:, None]], axis=1)
    return np.unique(drawn[np.concatenate([sizes.argmax(axis=0), sizes.argmin(axis=0)])], axis=0)


def batches(n: int, most: int, rng: np.random.Generator) -> list[Rows]:
    """Rows of n inputs in several orders, even and odd numbers of them up to `most`, some more than once."""
    alone = [np.array([i]) for i in range(n)]
    return [*alone, np.arange(n)[::-1], *(rng.integers(n, size=size) for size in (*_BATCHES[1:], most))]
