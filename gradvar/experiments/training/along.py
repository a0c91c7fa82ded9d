"""The verb `along`: the gradient variance, its bound and the verdict at checkpoints of a training run."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex, TypeAlias

from ...classes.base import HypothesisClass
from ...core.arguments import SeedLike, flag, integer
from ...estimation.settings import Settings
from ...losses import Loss, as_loss
from ...methods import Method
from ...models.base import KnowsParameters
from ...problem import AnyModel, Problem, check_order, hypothesis_class, is_model
from ...results.bound_check import BoundCheck
from ...results.interruption import Interrupted
from ...verbs.auto import as_method
from ...verbs.check import check_bounds
from ..sweep.records import Record
from ..sweep.results import RecordTable
from .results import Descent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pair: TypeAlias = tuple[SupportsIndex, AnyModel]


class Along(RecordTable):
    """The gradient variance at checkpoints of a training run; made by `along`.

    A row has the step and the columns of `SweepResults`: value, low, high, bound, ratio, verdict, ...

    Attributes
    ----------
    steps : list of int
        The checkpoints.
    checks : list of BoundCheck
        The result of `bound_check` at each.
    seed : int
        The `rng` of each.
    """

    def __init__(self, H: HypothesisClass, loss: Loss, method: Method, settings: Settings) -> None:
        self.hypotheses, self.loss, self.method, self.settings, self.seed = H, loss, method, settings, settings.seed
        self.steps: list[int] = []
        self.checks: list[BoundCheck] = []
        self.records: list[Record] = []

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
        check = check_bounds(Problem(self.hypotheses, model, self.loss), self.method, self.settings)
        # The row is computed now, since training goes on to change the model.
        row = Record.of_check({"step": number}, self.seed, model, check, time.perf_counter() - begin)
        self.steps.append(number)
        self.checks.append(check)
        self.records.append(row)
        return check

    def __repr__(self) -> str:
        return f"Along({self.hypotheses!r}, {self._verdicts()})"

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
        ax = super().plot(x, y, ax)
        if x == "step":
            ax.set_xscale("linear")  # the first step is 0
        ends = [
            end for check in self.checks for end in (check.variance.interval[0], check.bound) if not math.isnan(end)
        ]
        if y == "value" and min(ends) > 0 and max(ends) > 10 * min(ends):
            ax.set_yscale("log")
        ax.set_title(f"{self.checks[0].problem['class']}: {self._verdicts()}", fontsize=10)
        return ax

    def _verdicts(self) -> str:
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
    max_samples: SupportsIndex | None = None,
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
    check_order(H=H, snapshots=snapshots)
    shown = flag("progress", progress)
    settings = Settings.checked(rtol, confidence, max_samples, rng, executor, False)
    results = Along(hypothesis_class(H), as_loss(loss), as_method(method), settings)
    from tqdm.auto import tqdm

    try:
        for step, model in tqdm(_pairs(snapshots), unit="checkpoint", dynamic_ncols=True, disable=not shown):
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
        text = "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        raise CheckpointError(
            f"after step {results.steps[-1]}: {text}. What was finished is in `.results` of this error", results
        ) from error
    return results


def _pairs(snapshots: object) -> Iterator[Pair]:
    """Yield the step and the model of each snapshot."""
    if isinstance(snapshots, Descent):
        yield from zip(snapshots.steps, snapshots.snapshots, strict=True)
        return
    accepted = "a Descent, models, or pairs (step, model)"
    if is_model(snapshots) or not isinstance(snapshots, Iterable):
        raise TypeError(f"`snapshots` must be {accepted}, got {snapshots!r}")
    for count, item in enumerate(snapshots):
        step, model = item if isinstance(item, tuple) and len(item) == 2 else (count, item)
        if not is_model(model):
            raise TypeError(f"`snapshots` must be {accepted}, got {item!r}")
        yield step, model


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
