"""The result of a descent: the model, the curve of its losses, and the models on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ...classes.members.target import Target
from ...core.arguments import Array
from ...core.numbers import json_number
from ...models.base import KnowsParameters
from ...results.notebook import as_page
from ...results.plots import plot_descent
from ...results.table import Scalar, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Trained_co = TypeVar("Trained_co", bound=KnowsParameters, covariant=True)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Descent(Table, Generic[Trained_co]):
    """A training run: the model after it, and what was recorded on the way.

    Attributes
    ----------
    model : Model
        The model after `n_steps` steps, of the type that training began with.
    n_steps : int
        Steps that were made.
    steps : ndarray of int, shape (k,)
        Steps after which something was recorded; 0 is before the first.
    losses : ndarray, shape (k,)
        Mean loss on 500 fresh examples; nan for a loss that is known by its derivative only.
    accuracies : ndarray, shape (k,)
        Share of the same examples with p(x) of the label's sign, p = 0 counting one half, or with the largest output
        at the class label; nan of other labels. Of standard error (a (1 - a) / 500)^(1/2) <= 0.022.
    snapshots : tuple of Model
        The models at these steps.
    seconds : float
        Time it took.
    seed : int
        What `rng` was reduced to: `rng=seed` gives the same bits, whatever `rng` was.
    parts : dict of str to str
        What was trained on what, in words: "target", "model", "loss", "optimizer".
    target : Target or None
        The member of a class that was trained on, under its own inputs; None for other functions.
    batch : int or None
        Examples in a step.
    """

    column_types = MappingProxyType({"step": int, "loss": float, "accuracy": float})

    model: Trained_co
    n_steps: int
    steps: npt.NDArray[np.int64]
    losses: Array
    accuracies: Array
    snapshots: tuple[Trained_co, ...]
    seconds: float
    seed: int
    parts: dict[str, str] = field(default_factory=dict)
    target: Target | None = None
    batch: int | None = None

    def __len__(self) -> int:
        return len(self.snapshots)

    def __repr__(self) -> str:
        words = [f"{self.n_steps:,} steps of {self.model!r}"]
        for name, values in (("loss", self.losses), ("accuracy", self.accuracies)):
            if values.size and not math.isnan(values[-1]):
                words.append(f"{name} {values[0]:.3g} -> {values[-1]:.3g}")
        return f"Descent({', '.join([*words, f'rng={self.seed}'])})"

    def _repr_html_(self) -> str:
        rows = zip(self.steps, self.losses, self.accuracies, strict=True)
        cells = [(str(step), f"{loss:.4g}", f"{accuracy:.3g}") for step, loss, accuracy in rows]
        parts = [f"{name}: {words}" for name, words in self.parts.items()]
        return as_page(repr(self), [("step", "loss", "accuracy"), *cells], notes=parts)

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return a row for each record: step, loss, accuracy, seed; numbers that there are none of are None."""
        columns = zip(self.steps, self.losses, self.accuracies, strict=True)
        return [
            {"step": int(step), "loss": json_number(loss), "accuracy": json_number(accuracy), "seed": self.seed}
            for step, loss, accuracy in columns
        ]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the loss, and on an axis at the right the accuracy, over the steps; return the Axes of the loss.

        Needs matplotlib (the extra `plot`).
        """
        return plot_descent(self.steps, self.losses, self.accuracies, self.parts, ax)
