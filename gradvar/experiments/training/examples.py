"""Labelled examples of one target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ...classes.gram.outputs import class_labels
from ...classes.inputs import Inputs
from ...classes.members.target import Target
from ...classes.members.target_class import Noisy
from ...core.arguments import Array, finite, real_array
from ...core.errors import LabelError, ShapeError
from ...losses import Loss
from ...tasks.base import DrawsExamples

Function: TypeAlias = Callable[[Array], npt.ArrayLike]

_ROWS, _NUMBERS = 2**13, 2**20
"""Examples, and coordinates of inputs, that are drawn at a time: many small batches at once."""


class Examples:
    """Independent labelled examples of one target, checked to fit a loss.

    Parameters
    ----------
    target : callable
        A member of a class (`Target`), which says the inputs; or a function from inputs (n, dim) to labels (n,).
    inputs : Inputs or None
        The distribution of the inputs; needed for a plain function.
    loss : Loss
        Says which labels it accepts.
    n_outputs : int
        K: labels are numbers where it is 1, else vectors, class labels 0..K-1 as unit vectors.
    """

    def __init__(self, target: Function, inputs: Inputs | None, loss: Loss, n_outputs: int = 1) -> None:
        if not callable(target):
            raise TypeError(
                f"`target` must be a function from inputs (n, dim) to labels (n,), such as a member of a class "
                f"(H.member(...)), got {target!r}"
            )
        hypotheses = getattr(target, "hypotheses", None)
        if inputs is not None and (not isinstance(inputs, Inputs) or isinstance(inputs, type)):
            raise TypeError(f"`inputs` must be an input distribution (see gradvar.inputs), got {inputs!r}")
        distribution = getattr(hypotheses, "inputs", None) if inputs is None else inputs
        if not isinstance(distribution, Inputs):
            raise TypeError(
                f"`inputs` must be given for a target that is a plain function, such as inputs=Hypercube(20); "
                f"a member of a class says its own; got the target {target!r}"
            )
        self.target, self.loss, self.n_outputs = target, loss, n_outputs
        self.member = target if isinstance(target, Target) and inputs is None else None
        self.dim = distribution.dim
        self._inputs = distribution
        self._flips = hypotheses.rate if isinstance(hypotheses, Noisy) else 0.0
        self._task = hypotheses if inputs is None and isinstance(hypotheses, DrawsExamples) else None

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return n inputs (n, dim) and their labels (n,), or (n, K)."""
        if self._task is None:
            x = self._inputs.sample(n, rng)
            y = self.target(x)
            if self._flips:
                y = np.asarray(y) * np.where(rng.random(n) < self._flips, -1.0, 1.0)
        else:  # a task draws its own inputs, with their labels
            which = np.asarray(getattr(self.target, "which", None))
            (x,), (y,) = self._task.draw(which[None], n, rng)
        labels = real_array("labels of `target`", y, np.ndim(y), f"({n},)")
        count = self.n_outputs
        if labels.shape != (n,) and (count == 1 or labels.shape != (n, count)):
            several = "" if count == 1 else f" or vectors of shape ({n}, {count})"
            raise ShapeError(f"`target` must return labels of shape ({n},){several} for {n} inputs, got {labels.shape}")
        if count > 1:
            if labels.ndim == 1:
                labels = np.asarray(np.eye(count)[class_labels("labels of `target`", labels, count)])
            elif self.loss.labels == "classes" and (np.abs(labels.sum(axis=1) - 1) > 1e-9).any():
                raise LabelError(f"the loss {self.loss.name!r} accepts class labels, or odds that sum to one")
        finite("x", x)
        if self.loss.labels == "signs" and not (np.abs(labels) == 1).all():
            wrong = labels[np.abs(labels) != 1][0]
            raise LabelError(
                f"the loss {self.loss.name!r} accepts labels -1 and +1 only, but `target` returns {wrong:g}; "
                "use loss='square' or 'correlation'"
            )
        return x, labels

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        """Yield batches without end, each of fresh examples."""
        count = max(1, min(_ROWS, _NUMBERS // self.dim) // size)
        while True:
            x, y = self.draw(count * size, rng)
            for start in range(0, count * size, size):
                yield x[start : start + size], y[start : start + size]
