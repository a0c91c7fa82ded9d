"""The part of a gradient that depends on the target, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.arguments import Array
from .notebook import as_page


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetSignal:
    """The vector E_x[h(x) s(x)] of one target h, with the error of each entry.

    Attributes
    ----------
    vector : ndarray, shape (P,)
        In the order of the model's gradient; entries underflow where their logarithm leaves float64.
    errors : ndarray, shape (P,)
        Bounds on the errors where `exact`, else standard errors; inf where the sample saw nothing vary.
    exact : bool
        Whether the entries are exact up to their errors.
    method, guarantee : str
        Where they come from.
    n_samples : int
        Sampled inputs; 0 where exact.
    seed : int or None
        What `rng` was reduced to, where inputs were sampled.
    shapes : dict of str to tuple of int
        The model's arrays of parameters in that order, where it says them; else one, "all".
    """

    vector: Array
    errors: Array
    exact: bool
    method: str
    guarantee: str
    shapes: dict[str, tuple[int, ...]]
    n_samples: int = 0
    seed: int | None = None

    @property
    def layers(self) -> dict[str, Array]:
        """The vector in the shapes of the model's arrays: of first weights (m, d), columns are coordinates of x."""
        return self._split(self.vector)

    @property
    def layer_errors(self) -> dict[str, Array]:
        """The errors in these shapes."""
        return self._split(self.errors)

    def _split(self, vector: Array) -> dict[str, Array]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])
        parts = np.split(vector, ends[:-1])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def _repr_html_(self) -> str:
        sizes = {name: [np.linalg.norm(part), np.abs(part).max(initial=0.0)] for name, part in self.layers.items()}
        rows = [
            (name, str(self.shapes[name]), *(f"{size:.6g}" for size in (*sizes[name], errors.max(initial=0.0))))
            for name, errors in self.layer_errors.items()
        ]
        heads = ("layer", "shape", "norm", "largest entry", "largest error" if self.exact else "largest standard error")
        return as_page(repr(self), [heads, *rows], notes=[self.guarantee])

    def __repr__(self) -> str:
        how = "exact" if self.exact else f"from {self.n_samples:,} sampled inputs"
        return f"TargetSignal(norm={float(np.linalg.norm(self.vector)):.6g}, {self.vector.size:,} entries, {how})"
