"""Inputs with one of K outputs: what makes a target with values in R^K a function with values in R."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np

from ...core.arguments import Array, SeedLike, generator, integer
from .base import Inputs, check_block


@dataclass(frozen=True)
class OutputPairs:
    """Pairs (x, c) of an input and c = K^1/2 e_k, k uniform on the K outputs, so that E[c c'] = I.

    For functions h, p with values in R^K, E_x <h(x), p(x)> = E_(x,c)[<c, h(x)> <c, p(x)>]: what is said of real
    functions of (x, c) is said of them. Pair number j K + k has point number j.

    Attributes
    ----------
    inputs : Inputs
        The distribution of x.
    n_outputs : int
        K >= 2.
    centred : bool
        Whether the coordinates of all targets add up to one, as those of class labels do: 1/K is taken from each, and
        the mean over the outputs from the signal.
    """

    inputs: Inputs
    n_outputs: int
    centred: bool = False

    @property
    def dim(self) -> int:
        """Coordinates of x and of c."""
        return self.inputs.dim + self.n_outputs

    @property
    def n_points(self) -> int | None:
        """K for each point of x; None where these are infinitely many."""
        points = self.inputs.n_points
        return None if points is None else points * self.n_outputs

    @property
    def description(self) -> str:
        """The distribution of x in words."""
        return str(getattr(self.inputs, "description", repr(self.inputs)))

    def sample(self, n: SupportsIndex, rng: SeedLike = None) -> Array:
        """Return n independent pairs, shape (n, dim)."""
        count, source = integer("n", n, 0), generator(rng)
        x = self.inputs.sample(count, source)
        return np.concatenate([x, self._directions[source.integers(0, self.n_outputs, count)]], axis=1)

    def points(self, start: int, stop: int) -> Array:
        """Return pairs number start..stop-1, shape (stop - start, dim)."""
        check_block(start, stop, self.n_points or 0)
        which, outputs = np.divmod(np.arange(start, stop), self.n_outputs)
        first = start // self.n_outputs
        x = self.inputs.points(first, -(-stop // self.n_outputs))
        return np.concatenate([x[which - first], self._directions[outputs]], axis=1)

    def weights(self, start: int, stop: int) -> Array:
        """Return their probabilities, shape (stop - start,)."""
        check_block(start, stop, self.n_points or 0)
        first = start // self.n_outputs
        weights = self.inputs.weights(first, -(-stop // self.n_outputs))
        return weights[np.arange(start, stop) // self.n_outputs - first] / self.n_outputs

    def split(self, pairs: Array) -> tuple[Array, Array]:
        """Return x and c."""
        return pairs[:, : -self.n_outputs], pairs[:, -self.n_outputs :]

    def for_signal(self, pairs: Array) -> Array:
        """Return the pairs at which the signal is dp/dw times b: c less the mean of its coordinates, if centred."""
        if not self.centred:
            return pairs
        x, c = self.split(pairs)
        return np.concatenate([x, c - c.mean(axis=1, keepdims=True)], axis=1)

    @property
    def _directions(self) -> Array:
        return math.sqrt(self.n_outputs) * np.eye(self.n_outputs)
