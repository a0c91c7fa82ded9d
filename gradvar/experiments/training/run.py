"""The verb `descend`: train a model on fresh examples of one target."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, SupportsFloat, SupportsIndex, TypeVar, cast

import numpy as np

from ...classes.inputs import Inputs
from ...core.arguments import Array, SeedLike, Stream, finite, flag, integer, number, positive, seed_of, stream
from ...core.errors import NonFiniteError, ShapeError
from ...estimation.tiles import single_threaded_blas
from ...losses import KnowsValue, Loss, as_loss
from ...losses import by_output as loss_by_output
from ...models.base import KnowsParameters, Pullback, parameter_vector, pullback
from ...models.contraction import contraction
from ...problem import check_order, outputs_of
from ...results.interruption import Interrupted
from .examples import Examples, Function
from .optimizers import Adam, Step, as_optimizer
from .results import Descent

Trained = TypeVar("Trained", bound=KnowsParameters)

_EVALUATED = 500


def descend(
    target: Function,
    model: Trained,
    loss: str | Loss = "square",
    *,
    steps: SupportsIndex,
    batch: SupportsIndex = 128,
    learning_rate: SupportsFloat,
    optimizer: str | Adam = "sgd",
    weight_decay: SupportsFloat = 0.0,
    until: SupportsFloat | None = None,
    inputs: Inputs | None = None,
    rng: SeedLike = None,
    record: SupportsIndex = 500,
    progress: bool = False,
) -> Descent[Trained]:
    r"""Train a model on fresh examples of one target.

    Every step draws a batch (x_n, y_n = target(x_n)) that was never seen before, and follows the gradient of its mean
    loss, with dloss/dp = a(p) + y b(p):

        g = 1/batch sum_n (a(p(x_n)) + y_n b(p(x_n))) dp(x_n)/dw.

    Parameters
    ----------
    target : callable
        A member of a class, `H.member(...)`, which says the distribution of its inputs; or any function from inputs
        (n, dim) to labels (n,), with `inputs`. Of K outputs, class labels 0..K-1 or vectors (n, K).
    model : Model
        With `parameters` and `with_parameters`, as those of the library have. It stays as it is. Of
        `gradvar.trainable(model, layers)` these layers are trained.
    loss : str or Loss
        As for `gradient_variance`. A hinge has slope 1/2 at its kink.
    steps, batch : int
        Steps, and examples in each.
    learning_rate : float
        eta > 0.
    optimizer : {"sgd", "adam"} or Adam
        w <- w - eta g; or Adam (arXiv 1412.6980) with beta = (0.9, 0.999), epsilon = 1e-8; `gradvar.Adam` takes others.
    weight_decay : float
        lambda >= 0: g + lambda w is followed, the gradient of the loss with lambda/2 ||w||^2.
    until : float, optional
        An accuracy: training stops at the first record that has it.
    inputs : Inputs, optional
        The distribution of x, in place of the one that the target says.
    rng : int, SeedSequence, Generator or None
        Source of the examples; the same int gives the same bits. They do not depend on `steps` or `record`.
    record : int
        Steps between two records of the loss, the accuracy and the model; there is one before the first step and one
        after the last as well.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Descent
        `.model`, `.steps`, `.losses`, `.accuracies`, `.snapshots`, `.to_dicts()`, `.to_pandas()`, `.plot()`.

    Raises
    ------
    TypeError, ValueError
        A part that is not what it should be, or does not fit the others.
    DivergedError
        Predictions or parameters that leave the finite numbers; what was recorded is in `.results`.
    Interrupted
        On Ctrl-C, with the steps that were made in `.results`.

    Notes
    -----
    A step costs 6 batch P products: for a fully connected network two or three matrix products a layer, and no
    gradient of a single example. It runs on one thread, which is where matrices this small are fastest.

    Examples
    --------
    >>> import gradvar as gv
    >>> start = gv.MLP.random([4, 16, 1], activation="tanh", rng=0)
    >>> parity = gv.Parities(4).member([True, True, False, False])
    >>> run = gv.descend(parity, start, steps=400, learning_rate=0.1, rng=0)
    >>> run.steps.tolist(), run.accuracies.tolist()[-1], run.model
    ([0, 400], 1.0, MLP(4-16-1, tanh))
    """
    check_order(target=target, model=model)
    if not isinstance(model, KnowsParameters) or isinstance(model, type):
        raise TypeError(
            f"`model` must be a model with `parameters` and `with_parameters(w)` (see gradvar.models), got {model!r}"
        )
    chosen, home = as_loss(loss), getattr(target, "hypotheses", None)
    outputs = outputs_of(home, model) if home is not None else getattr(model, "n_outputs", 1) or 1
    loss_by_output(chosen, outputs)  # an error where it does not take so many
    examples = Examples(target, inputs, chosen, outputs)
    dim = getattr(model, "dim", None)
    if dim is not None and dim != examples.dim:
        raise ShapeError(
            f"`model` takes inputs of dimension {dim} ({model!r}), but those of `target` have dimension {examples.dim}"
        )
    shown = flag("progress", progress)
    count, size, every = integer("steps", steps, 1), integer("batch", batch, 1), integer("record", record, 1)
    rate = positive("learning_rate", learning_rate)
    rule = as_optimizer(optimizer)
    decay = number("weight_decay", weight_decay, "a finite number >= 0", lambda found: 0 <= found < math.inf)
    enough = "None, or an accuracy above 0 and up to 1"
    stop = None if until is None else number("until", until, enough, lambda found: 0 < found <= 1)
    parts = {
        "target": repr(target),
        "model": repr(model),
        "loss": chosen.name,
        "optimizer": f"{rule}, learning rate {rate:g}, batches of {size}"
        + (f", weight decay {decay:g}" if decay else ""),
    }
    parameters = parameter_vector(model.parameters, model.n_parameters, model)
    run = _Run(examples, chosen, rule.steps(rate), rate, decay, stop, seed_of(rng), parts, size, (0, model), parameters)
    from ...core.bars import tqdm

    try:
        with (
            single_threaded_blas(),
            tqdm(total=count, unit="step", disable=not shown) as bar,
        ):
            run.record()
            batches = examples.batches(size, stream(run.seed, Stream.TRAINING))
            for n_steps, (x, y) in enumerate(islice(batches, count), start=1):
                if run.has_learned:
                    break
                run.step(x, y)
                if n_steps % every == 0 or n_steps == count:
                    run.record()
                    _, loss_now, accuracy, _ = run.records[-1]
                    bar.set_postfix_str(f"loss {loss_now:.3g}, accuracy {accuracy:.3g}", refresh=False)
                bar.update()
    except KeyboardInterrupt:
        raise Interrupted(None, run.results()) from None
    return run.results()


@dataclass
class _Run(Generic[Trained]):
    """The state of a descent, and its records so far."""

    examples: Examples
    loss: Loss
    follow: Step
    rate: float
    decay: float
    until: float | None
    seed: int
    parts: dict[str, str]
    batch: int
    now: tuple[int, Trained]
    """The number of steps and the model after them: one pair, so that an interrupt finds them together."""
    parameters: Array
    records: list[tuple[int, float, float, Trained]] = field(default_factory=list)
    """The step of each record, the loss, the accuracy and the model."""
    begin: float = field(default_factory=time.perf_counter)

    def step(self, x: Array, y: Array) -> None:
        """Follow the gradient of the mean loss on a batch."""
        number, model = self.now
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                p, pull = self._pullback(model, x)
                finite("predictions", p)
                # g = 1/batch sum_n (a(p_n) + y_n b(p_n)) dp(x_n)/dw
                a, b = self.loss.split(p)
                gradient = pull((a + y * b) / len(y))
                if self.decay:
                    gradient = gradient + self.decay * self.parameters
                parameters = self.follow(self.parameters, gradient)
            finite("parameters", parameters)
        except NonFiniteError as error:
            raise DivergedError(
                f"training diverged in step {number + 1}: {error}; try a smaller `learning_rate` than "
                f"{self.rate:g}. What was recorded before is in `.results` of this error",
                self.results(),
            ) from error
        self.parameters = parameters
        self.now = (number + 1, cast(Trained, model.with_parameters(parameters)))

    def _pullback(self, model: Trained, x: Array) -> Pullback:
        count = self.examples.n_outputs
        if count == 1 or hasattr(model, "pullback"):
            return pullback(model, x)
        one = contraction(model, count)
        return model.predict(x), lambda c: one.gradient(np.concatenate([x, c], axis=1)).sum(axis=0)

    @property
    def has_learned(self) -> bool:
        """Whether the last record has the accuracy at which to stop."""
        return self.until is not None and self.records[-1][2] >= self.until

    def record(self) -> None:
        """Evaluate the model on fresh examples, the same for every `record`, and keep it."""
        number, model = self.now
        x, y = self.examples.draw(_EVALUATED, stream(self.seed, Stream.EVALUATION, number))
        with np.errstate(over="ignore", invalid="ignore"):
            p = np.asarray(model.predict(x), dtype=np.float64)
            loss = float(self.loss.value(p, y).sum() / len(y)) if isinstance(self.loss, KnowsValue) else math.nan
        accuracy = math.nan
        if y.ndim == 1 and (np.abs(y) == 1).all():
            accuracy = float((0.5 + 0.5 * np.sign(y * p)).mean())
        elif y.ndim == 2 and (y.max(axis=1) == 1).all() and (np.count_nonzero(y, axis=1) == 1).all():
            accuracy = float((p.argmax(axis=1) == y.argmax(axis=1)).mean())
        if self.until is not None and math.isnan(accuracy):
            raise ValueError(f"`until` needs labels that have an accuracy, -1 and +1 or classes; got {self.until:g}")
        self.records.append((number, loss, accuracy, model))

    def results(self) -> Descent[Trained]:
        """Return the descent as far as it has come."""
        n_steps, model = self.now
        return Descent(
            model=model,
            n_steps=n_steps,
            steps=np.array([step for step, *_ in self.records], dtype=np.int64),
            losses=np.array([loss for _, loss, *_ in self.records]),
            accuracies=np.array([accuracy for *_, accuracy, _ in self.records]),
            snapshots=tuple(snapshot for *_, snapshot in self.records),
            seconds=time.perf_counter() - self.begin,
            seed=self.seed,
            parts=self.parts,
            target=self.examples.member,
            batch=self.batch,
        )


class DivergedError(NonFiniteError):
    """A descent has left the finite numbers.

    Attributes
    ----------
    results : Descent
        What was recorded before, with the last finite model.
    """

    def __init__(self, message: str, results: Descent[KnowsParameters]) -> None:
        super().__init__(message)
        self.message, self.results = message, results

    def __reduce__(self) -> tuple[type[DivergedError], tuple[str, Descent[KnowsParameters]]]:
        return type(self), (self.message, self.results)
