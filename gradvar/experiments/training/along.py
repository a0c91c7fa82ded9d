"""The verb `along`: the gradient variance, its bound and the verdict at checkpoints of a training run."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex, TypeAlias

import numpy as np

from ...classes.base import HypothesisClass
from ...core.arguments import SeedLike, integer
from ...estimation.settings import MAX_SAMPLES, Settings
from ...losses import Loss, as_loss
from ...methods import Method
from ...models.base import KnowsParameters, Model
from ...models.infinite_mlp import InfiniteMLP
from ...results.bound_check import BoundCheck
from ...results.interruption import Interrupted
from ...results.table import Scalar
from ...verbs.auto import as_method
from ...verbs.check import bound_check
from ..sweep import NamedProblem, SweepResults
from ..sweep.records import Record
from .results import Descent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

AnyModel: TypeAlias = Model | InfiniteMLP
Pair: TypeAlias = tuple[SupportsIndex, AnyModel]


class Along:
    """The gradient variance at checkpoints of a training run; made by `along`.

    Attributes
    ----------
    steps : list of int
        The checkpoints.
    checks : list of BoundCheck
        What `bound_check` found at each.
    seed : int
        The `rng` of each.
    """

    def __init__(
        self, H: HypothesisClass, loss: str | Loss, method: str | Method, settings: Settings, seed: int
    ) -> None:
        if not isinstance(H, HypothesisClass) or isinstance(H, type):
            raise TypeError(f"`H` must be a hypothesis class (see gradvar.classes), got {H!r}")
        self.hypotheses, self.loss, self.method = H, as_loss(loss), as_method(method)
        self.settings, self.seed = settings, seed
        self.steps: list[int] = []
        self.checks: list[BoundCheck] = []
        self._records: list[Record] = []

    def record(self, step: SupportsIndex, model: AnyModel) -> BoundCheck:
        """Check the bound at a checkpoint, add it to the table, and return it.

        The model is done with when this returns: training may go on. A network of another library is wrapped each
        time, since that takes a copy of its weights: `record(step, from_torch(net))`.

        Raises
        ------
        ValueError, TypeError, Interrupted
            As `bound_check` does; the checkpoints before stay as they are. And for a step that is recorded already.
        """
        number = integer("step", step, 0)
        if number in self.steps:
            raise ValueError(f"`step` {number} is recorded already")
        begin = time.perf_counter()
        settings = self.settings
        check = bound_check(
            self.hypotheses,
            model,
            self.loss,
            method=self.method,
            rtol=settings.rtol,
            confidence=settings.confidence,
            max_samples=settings.max_samples,
            rng=self.seed,
            executor=settings.executor,
        )
        problem = NamedProblem(
            {"step": number},
            self.hypotheses,
            model,
            self.loss,
            self.seed,
            self.method,
            settings.rtol,
            settings.confidence,
            settings.max_samples,
        )
        record = Record.done(problem, model, check, time.perf_counter() - begin)
        self.steps.append(number)
        self.checks.append(check)
        self._records.append(record)
        return check

    def __len__(self) -> int:
        return len(self.checks)

    def __iter__(self) -> Iterator[dict[str, Scalar]]:
        return iter(self.to_dicts())

    def __repr__(self) -> str:
        return f"Along({self.hypotheses!r}, {self._said})"

    def __str__(self) -> str:
        return str(self._table)

    def _repr_html_(self) -> str:
        return self._table._repr_html_()

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return a row for each checkpoint: step, value, low, high, bound, ratio, verdict, ... as `SweepResults`."""
        return self._table.to_dicts()

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame, with nan in the place of None.

        Raises
        ------
        ImportError
            Without pandas (the extra `pandas`).
        """
        return self._table.to_pandas()

    def plot(self, x: str = "step", y: str = "value", ax: Axes | None = None) -> Axes:
        """Draw the variance with its interval, and the bound as a dashed line, over the steps; return the Axes.

        Needs matplotlib (the extra `plot`).

        Parameters
        ----------
        x, y : str
            Columns of numbers; y = "ratio" is the variance over its bound, y = "log2" shows numbers that underflow.
        ax : matplotlib Axes or None
            Where to draw; None makes a figure.

        Raises
        ------
        ValueError
            No such column, nothing to draw, numbers that underflow.
        """
        if not self.checks:
            raise ValueError("there are no checkpoints to draw")
        drawn = self._table.plot(x, y, ax)
        if x == "step":
            drawn.set_xscale("linear")  # the first step is 0
        if y == "value" and self._ranges_widely():
            drawn.set_yscale("log")
        drawn.set_title(f"{self.checks[0].problem['class']}: {self._said}", fontsize=10)
        return drawn

    def _ranges_widely(self) -> bool:
        """Whether intervals and bounds are positive and reach over more than a power of ten."""
        ends = [
            end for check in self.checks for end in (check.variance.interval[0], check.bound) if not math.isnan(end)
        ]
        return min(ends) > 0 and max(ends) > 10 * min(ends)

    @property
    def _table(self) -> SweepResults:
        return SweepResults(tuple(self._records))

    @property
    def _said(self) -> str:
        verdicts = Counter(check.verdict for check in self.checks)
        counts = ", ".join(f"{verdict} at {n}" for verdict, n in verdicts.items())
        return f"{counts} of {len(self)} checkpoints" if verdicts else "no checkpoints"


def along(
    H: HypothesisClass,
    snapshots: Iterable[AnyModel | Pair] | Descent[KnowsParameters] = (),
    loss: str | Loss = "square",
    *,
    method: str | Method = "auto",
    rtol: SupportsFloat = 0.1,
    confidence: SupportsFloat = 0.95,
    max_samples: SupportsIndex = MAX_SAMPLES,
    rng: SeedLike = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> Along:
    """Check the gradient variance against its bound at checkpoints of a training run.

    Every checkpoint is what `bound_check` finds with one and the same `rng`: a sampled estimate rests on the same
    inputs at every step (common random numbers), so that the noise of its changes from step to step is less than that
    of its values. Exact methods are taken where they apply.

    Parameters
    ----------
    H : HypothesisClass
        The class of targets; the one that is trained on need not be a member.
    snapshots : Descent or iterable
        The result of `descend`; or models, or pairs (step, model), also from a generator that trains in between.
        Without pairs, steps are counted from 0. None at all to `record` them one by one from a loop of your own.
    loss, method, rtol, confidence, max_samples, executor
        As for `bound_check`.
    rng : int, SeedSequence, Generator or None
        Source of randomness, made one seed for all checkpoints: an int is the `rng` of each.
    progress : bool
        Whether to show a bar over the snapshots.

    Returns
    -------
    Along
        `.record(step, model)`, `.steps`, `.checks`, `.to_dicts()`, `.to_pandas()`, `.plot()`. Print it for the table.

    Raises
    ------
    TypeError, ValueError
        As for `bound_check`, with the step, where no checkpoint is finished.
    CheckpointError
        On any error after that, in a checkpoint or in the iterable of snapshots: the error is its `__cause__`, and the
        finished checkpoints are in `.results`.
    Interrupted
        On Ctrl-C, with the finished checkpoints in `.results`.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.SparseParities(10, 2)
    >>> start = gv.MLP.random([10, 8, 1], rng=0)
    >>> run = gv.descend(H.member(0), start, steps=300, learning_rate=0.1, record=100, rng=0)
    >>> gv.along(H, run)
    Along(SparseParities(dim=10, degree=2), holds at 4 of 4 checkpoints)

    A loop of your own:

    >>> tracker = gv.along(H, loss="hinge", rng=0)
    >>> for step in range(3):
    ...     check = tracker.record(step, gv.Linear([0.1 * step] * 10))
    >>> [row["verdict"] for row in tracker.to_dicts()]
    ['holds', 'holds', 'holds']
    """
    settings = Settings.checked(rtol, confidence, max_samples, rng, executor, False)
    results = Along(H, loss, method, settings, _seed(rng, settings.seed))
    try:
        for step, model in _bar(_pairs(snapshots), progress):
            try:
                results.record(step, model)
            except Exception as error:
                error.add_note(f"in the snapshot at step {step}")
                raise
    except KeyboardInterrupt as interrupt:
        raise Interrupted(getattr(interrupt, "estimate", None), results) from None
    except Exception as error:
        if not results.checks:
            raise
        said = "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        raise CheckpointError(
            f"after step {results.steps[-1]}: {said}. What was finished is in `.results` of this error", results
        ) from error
    return results


def _seed(rng: SeedLike, sequence: np.random.SeedSequence) -> int:
    """The seed of all checkpoints: an int as it is, anything else by 128 bits of its stream."""
    if isinstance(rng, (int, np.integer)):
        return int(rng)
    return int.from_bytes(sequence.generate_state(4).astype("<u4").tobytes(), "little")


def _pairs(snapshots: object) -> Iterator[Pair]:
    if isinstance(snapshots, Descent):
        yield from zip(snapshots.steps, snapshots.snapshots, strict=True)
        return
    accepted = "a Descent, models, or pairs (step, model)"
    if isinstance(snapshots, Model) or not isinstance(snapshots, Iterable):
        raise TypeError(f"`snapshots` must be {accepted}, got {snapshots!r}")
    for count, item in enumerate(snapshots):
        step, model = item if isinstance(item, tuple) and len(item) == 2 else (count, item)
        if not isinstance(model, (Model, InfiniteMLP)):
            raise TypeError(f"`snapshots` must be {accepted}, got {item!r}")
        yield step, model


def _bar(pairs: Iterable[Pair], shown: bool) -> Iterable[Pair]:
    from tqdm.auto import tqdm

    return tqdm(pairs, unit="checkpoint", dynamic_ncols=True, disable=not shown)


class CheckpointError(RuntimeError):
    """An error has ended `along` after checkpoints that were finished: its `__cause__`.

    Attributes
    ----------
    results : Along
        The finished checkpoints.
    """

    def __init__(self, message: str, results: Along) -> None:
        super().__init__(message)
        self.message, self.results = message, results

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[str, Along]]:
        return type(self), (self.message, self.results)
