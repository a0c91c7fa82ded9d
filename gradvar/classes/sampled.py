"""A class of targets that can only be drawn."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import SupportsFloat, SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, generator, inputs_of, integer, number, real
from ..core.errors import LabelError, NonFiniteError, NotApplicableError, ShapeError
from .gram.outputs import class_labels
from .inputs import Inputs
from .members.checks import Numbers, number_rows
from .members.target_class import TargetClass

Function = Callable[[Array], npt.ArrayLike]

_MOST_KEPT = 2**14
_LOOKED_AT = 8
"""Members that are drawn twice, where any are evaluated for the first time."""


class SampledClass(TargetClass):
    """Any distribution over targets, finite or not, given by a function that draws one.

    Nothing else is known of the class: its covariance is that of members drawn from it (unbiased, their randomness
    in every interval), its operator norm is estimated from the Gram matrix of a sample.

    A member is described by the seed it is drawn from, so that it is the same function in every process.

    Parameters
    ----------
    sampler : callable
        `sampler(rng)` draws a target with the numpy Generator `rng`, and with nothing else that is random, and
        returns it: a function from inputs (n, dim) to labels (n,).
    inputs : Inputs
        The distribution of x.
    labels : {"real", "signs"}
        "signs" when every target takes the values -1 and +1 only: what the margin losses ask for.
    log2_size : float
        log2 of the number of targets; infinite by default.
    n_outputs : int
        K: targets return (n, K) where it is more than 1.
    n_classes : int, optional
        K >= 2 where targets return class labels 0..K-1, shape (n,).

    Raises
    ------
    TypeError, ValueError
        A sampler that cannot be called with one argument, an unknown word for the labels.

    Examples
    --------
    >>> import numpy as np, gradvar as gv
    >>> def halfspace(rng):
    ...     w = rng.standard_normal(5)
    ...     return lambda x: np.sign(x @ w)
    >>> H = gv.SampledClass(halfspace, gv.Gaussian(5), labels="signs")
    >>> H.evaluate(H.sample(2, rng=0), np.eye(5)).shape
    (2, 5)
    """

    size = None
    is_orthonormal = False
    orthonormality = ("unknown", "nothing is known of the targets but how to draw them")
    _described_by_numbers = True
    log2_size: float = math.inf

    def __init__(
        self,
        sampler: Callable[[np.random.Generator], Function],
        inputs: Inputs,
        *,
        labels: str = "real",
        log2_size: SupportsFloat = math.inf,
        n_outputs: SupportsIndex = 1,
        n_classes: SupportsIndex | None = None,
    ) -> None:
        self.log2_size = check_sampler(sampler, "target x -> labels", labels, log2_size)
        if not isinstance(inputs, Inputs) or isinstance(inputs, type):
            raise TypeError(f"`inputs` must be an input distribution such as gv.Gaussian(dim), got {inputs!r}")
        self.sampler, self.inputs, self.labels = sampler, inputs, labels
        self.n_outputs = integer("n_outputs", n_outputs, 1)
        if n_classes is not None:
            self.labels, self.n_outputs = "classes", integer("n_classes", n_classes, 2)
            self.second_moment = 1 - 1 / self.n_outputs
        self._kept: dict[int, Function] = {}
        self._seen = False

    def __repr__(self) -> str:
        return f"SampledClass({getattr(self.sampler, '__name__', repr(self.sampler))}, {self.inputs!r})"

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": {}}

    @property
    def description(self) -> str:
        """The class in words."""
        return f"targets drawn by {getattr(self.sampler, '__name__', repr(self.sampler))}"

    def members(self) -> Numbers:
        """Raise `NotApplicableError`: the targets can be drawn, not listed."""
        raise NotApplicableError(f"the members of {self!r} cannot be listed; draw some with sample(m, rng)")

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Numbers:
        """Return m members drawn independently, as the seeds of their own draws, shape (m,)."""
        return generator(rng).integers(0, 2**63 - 1, size=integer("m", m, 0))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the labels h(x), shape (m, n), or (m, n, K), of members (seeds, shape (m,)) at inputs x (n, dim).

        Raises
        ------
        ShapeError, NonFiniteError, LabelError, TypeError
            What the sampler returns is no function, or returns something else than n finite labels.
        ValueError
            A sampler that draws from another source than its generator.
        """
        seeds = number_rows(members, "seeds", 0)
        points = inputs_of(x, self.inputs.dim, repr(self))
        vectors = self.n_outputs > 1 and self.labels != "classes"
        values = np.empty((seeds.size, points.shape[0], *([self.n_outputs] if vectors else [])))
        for row, seed in zip(values, seeds, strict=True):
            given = real("sampler(rng)(x)", self._target(int(seed))(points), str(row.shape))
            if given.shape != row.shape:
                raise ShapeError(
                    f"a target of {self!r} must return shape {row.shape} for {len(row)} inputs, got {given.shape}"
                )
            row[:] = given
        if not np.isfinite(values).all():
            raise NonFiniteError(f"the targets of {self!r} must be finite, got {values[~np.isfinite(values)][0]}")
        if not self._seen and values.size:
            self._look(seeds[:_LOOKED_AT], points, values)
        if self.labels == "signs" and not (np.abs(values) == 1).all():
            raise LabelError(f"the targets of {self!r} must be -1 or +1, got {values[np.abs(values) != 1][0]:.6g}")
        return cast(Array, class_labels("targets", values, self.n_outputs)) if self.labels == "classes" else values

    def _look(self, seeds: Numbers, points: Array, values: Array) -> None:
        """Raise a ValueError unless a second draw with the same generator is the same function."""
        for seed, row in zip(seeds, values, strict=False):
            again = np.asarray(self.sampler(np.random.default_rng(int(seed)))(points))
            if not np.allclose(again, row, rtol=0, atol=1e-5 * np.abs(row).max()):  # float32 elsewhere has six digits
                raise ValueError(
                    f"`sampler` of {self!r} must draw with the Generator that it is given and with nothing else that "
                    "is random: from two equal generators it drew two targets"
                )
        self._seen = True

    def _target(self, seed: int) -> Function:
        target = self._kept.get(seed)
        if target is None:
            target = self.sampler(np.random.default_rng(seed))
            if not callable(target):
                raise TypeError(f"`sampler` must return a function from inputs (n, dim) to labels, got {target!r}")
            if len(self._kept) < _MOST_KEPT:
                self._kept[seed] = target
        return target


def check_sampler(sampler: Callable[..., object], draws: str, labels: str, log2_size: SupportsFloat) -> float:
    """Return `log2_size`, and raise an error unless a class can be what `sampler` draws, with these labels."""
    try:
        inspect.signature(sampler).bind(None)
    except TypeError:  # nothing to call, or not with one argument
        raise TypeError(
            "`sampler` must be a function of one argument, the numpy Generator, "
            f"that returns a {draws}, got {sampler!r}"
        ) from None
    except ValueError:  # built-in functions without a signature
        pass
    if labels not in ("real", "signs"):
        raise ValueError(f"`labels` must be 'real' or 'signs', got {labels!r}")
    return number("log2_size", log2_size, "a number >= 0", lambda size: size >= 0)
