"""The verb `along`: the gradient variance, its bound and the verdict at checkpoints of a training run."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex, TypeAlias

from ...classes.base import HypothesisClass
from ...classes.members.target import Target
from ...classes.members.target_class import TargetClass
from ...core.arguments import SeedLike, flag, integer
from ...core.numbers import json_number
from ...estimation.settings import Settings
from ...losses import Loss, as_loss
from ...methods import Method
from ...models.base import KnowsParameters
from ...problem import AnyModel, Moment, Problem, as_model, check_order, hypothesis_class, is_model
from ...results.bound_check import BoundCheck
from ...results.estimate import Estimate
from ...results.interruption import Interrupted
from ...results.plots import plot_signal_and_noise
from ...results.plots_style import titled, whole_numbers
from ...results.table import Scalar
from ...tasks.restriction import HasTasks
from ...verbs.alignment import one_member
from ...verbs.auto import as_method
from ...verbs.check import check_bounds
from ...verbs.variance import estimate
from ..sweep.records import Record
from ..sweep.results import RecordTable
from .noise import example_noise
from .results import Descent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST, _TIMES = 512, 32
Pair: TypeAlias = tuple[SupportsIndex, AnyModel]


class Along(RecordTable):
    """The gradient variance at checkpoints of a training run; made by `along`.

    A row has the step and the columns of `SweepResults`: value, low, high, bound, ratio, verdict, ... Where the target
    that is trained on is known, "alignment" is its gradient alignment, A = ||E[h s]||^2 (tasks with inputs of their own
    have none); "noise" is that of one example's gradient u, E||u||^2 - ||E u||^2, with "noise_low" and "noise_high";
    and "batch_noise" is the noise over the batch size: E||g - E u||^2 of the gradient g of a step.

    Attributes
    ----------
    steps : list of int
        The checkpoints.
    checks : list of BoundCheck
        The result of `bound_check` at each.
    seed : int
        The `rng` of each.
    alignments, noises : list of Estimate
        Of the target that is trained on, where it is known.
    """

    def __init__(
        self,
        H: HypothesisClass,
        loss: Loss,
        method: Method,
        settings: Settings,
        target: Target | None = None,
        batch: int | None = None,
    ) -> None:
        self.hypotheses, self.loss, self.method, self.settings, self.seed = H, loss, method, settings, settings.seed
        self.target, self.batch = target, batch
        self.alignments: list[Estimate] = []
        self.noises: list[Estimate] = []
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
        alignment, noise = (None, None) if self.target is None else self._of_target(self.target, model)
        # The row is computed now, since training goes on to change the model.
        row = Record.of_check({"step": number}, self.seed, model, check, time.perf_counter() - begin, alignment)
        self.alignments += [alignment] if alignment is not None else []
        self.noises += [noise] if noise is not None else []
        self.steps.append(number)
        self.checks.append(check)
        self.records.append(row)
        return check

    def _of_target(self, target: Target, model: AnyModel) -> tuple[Estimate | None, Estimate]:
        """The alignment of the target that is trained on, if it is no task, and the noise of one of its examples."""
        given, tasks = as_model(model), target.hypotheses if isinstance(target.hypotheses, HasTasks) else None
        moment = Moment.SECOND if tasks is None else Moment.VARIANCE
        problem = Problem(tasks or one_member(target)[0], given, self.loss, moment)
        # n sampled inputs resolve about noise/n: well below noise/batch
        enough = max(_FEWEST, _TIMES * (self.batch or 128))
        few = replace(self.settings, max_samples=min(self.settings.max_samples, enough))
        alignment = None if tasks else estimate(problem, self.method, few)
        return alignment, example_noise(target, problem, given, self.loss, few)

    @property
    def crossing(self) -> int | None:
        """The first checkpoint at which the target's alignment surely exceeds the noise of a batch; None at none.

        About where learning starts: a guide and no theorem, since over many steps a weaker signal adds up as well.
        """
        found = zip(self.steps, self.alignments, self.noises, strict=False)
        return next((step for step, a, noise in found if a.interval[0] * (self.batch or 0) > noise.value), None)

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Return the rows, step first; numbers that are infinite, or that there are none of, are None."""
        rows = super().to_dicts()
        for row, noise in zip(rows, self.noises, strict=False):
            low, high = noise.interval
            row.update(noise=noise.value, noise_low=json_number(low), noise_high=json_number(high))
            row["batch_noise"] = None if self.batch is None else noise.value / self.batch
        return rows

    def __repr__(self) -> str:
        return f"Along({self.hypotheses!r}, {self._verdicts()})"

    def plot(
        self,
        x: str = "step",
        y: str = "value",
        ax: Axes | None = None,
        *,
        hue: str | None = None,
        facets: str | None = None,
    ) -> Axes:
        """Draw the variance with its interval, and the bound as a dashed line, over the steps; return the Axes.

        Where the target is known, beside them its alignment and the noise of a batch: learning starts about where the
        first exceeds the second (`crossing`). Needs matplotlib (the extra `plot`).

        Parameters
        ----------
        x, y : str
            Columns of numbers; y = "ratio" is the variance over its bound, y = "log2" shows numbers that underflow.
        ax, hue, facets
            As for `SweepResults.plot`.

        Raises
        ------
        ValueError
            No such column, nothing to draw, numbers that underflow.
        """
        if not self.checks:
            raise ValueError("there are no checkpoints to draw")
        ax = super().plot(x, y, ax, hue=hue, facets=facets)
        if x == "step":
            ax.set_xscale("linear")  # the first step is 0
            whole_numbers(ax, "x")
        ends = [
            end for check in self.checks for end in (check.variance.interval[0], check.bound) if not math.isnan(end)
        ]
        if y == "value" and min(ends) > 0 and max(ends) > 10 * min(ends):
            ax.set_yscale("log")
        if y == "value" and x == "step" and self.noises:
            plot_signal_and_noise(ax, self.to_dicts(), self.crossing)
        ax.set_title("", loc="right")
        titled(ax, f"{self.checks[0].problem['class']}: {self._verdicts()}")
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
    target: Target | None = None,
    batch: SupportsIndex | None = None,
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
    target : Target, optional
        The member of a class that is trained on, for its alignment and the noise of its examples at each checkpoint, at
        the cost of another estimate each: that of the `Descent` unless another is given. Sampled ones rest on 32 inputs
        for each example of a batch. Of a task, which has no alignment, the noise alone.
    batch : int, optional
        Examples in a step, as that of the `Descent`.

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
    >>> gv.along(H, run).crossing is None  # 300 steps, and the signal is still below the noise of a batch
    True

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
    if isinstance(snapshots, Descent):
        target, batch = target or _of_class(snapshots.target), snapshots.batch if batch is None else batch
    size = None if batch is None else integer("batch", batch, 1)
    results = Along(hypothesis_class(H), as_loss(loss), as_method(method), settings, target, size)
    from ...core.bars import tqdm

    try:
        for step, model in tqdm(_pairs(snapshots), unit="checkpoint", disable=not shown):
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


def _of_class(target: Target | None) -> Target | None:
    """The target of a descent, where it is of a class that says its inputs."""
    return target if target is not None and isinstance(target.hypotheses, (TargetClass, HasTasks)) else None


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
