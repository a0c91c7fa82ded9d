"""The checks of a loss: the affine split of its derivative, its Lipschitz constant, what it says of itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, seed_of, stream
from ..losses import KnowsValue, as_loss
from .checks import Check, CheckFailed, CheckReport, answered_by, called, checks_of, named, offered, report, skip
from .comparison import ROUNDING, agree, number, real, short, status_of, untouched
from .differences import derivative
from .regions import Rows, batches

Value = Callable[[Array, Array], npt.ArrayLike]

_MOST = 1025
"""Predictions of the largest batch."""


class LossProbe:
    """A loss, and the predictions to look at it at."""

    def __init__(self, loss: object, value: Value | None, rng: SeedLike) -> None:
        if value is not None and not callable(value):
            raise TypeError(f"`value` must be a function of predictions and labels, got {value!r}")
        self.loss: object = as_loss(loss) if isinstance(loss, str) else loss
        self._value = value
        self._seed = seed_of(rng)

    @cached_property
    def p(self) -> Array:
        """Predictions of all sizes: where losses bend (0, -1, +1), grids, random ones, and small ones."""
        small = 10.0 ** -np.arange(3, 13, 3)
        drawn = stream(self._seed, 0).standard_normal(64) * 3
        grids = np.linspace(-4, 4, 97), np.linspace(-30, 30, 41)
        return np.concatenate([[0.0, 1.0, -1.0], *grids, drawn, small, -small])

    @cached_property
    @answered_by("split")
    def split(self) -> tuple[Array, Array]:
        """a(p) and b(p), made sure of: each by its own p alone, which is left as it is."""
        whole = self._split_at(self.p)
        self._split_at(self.p[:0])
        self._by_itself("split", whole, lambda rows: self._split_at(self.p[rows]))
        return whole[0], whole[1]

    def _split_at(self, p: Array) -> Array:
        pair = untouched("split", offered(self.loss, "split", required_of="a loss"), p)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CheckFailed(f"`split` must return the pair (a(p), b(p)), got {short(pair)}")
        return np.stack([real(f"{name}(p) of `split`", part, p.shape) for name, part in zip("ab", pair, strict=True)])

    def _by_itself(self, what: str, whole: Array, function: Callable[[Rows], Array]) -> None:
        """Make sure that what belongs to a prediction, along the last axis, does not depend on the others."""
        for rows in batches(self.p.size, _MOST, stream(self._seed, 1)):

            def where(at: tuple[int, ...], rows: Rows = rows) -> str:
                p = self.p[rows[at[-1]]]
                return f"`{what}` must not depend on the other predictions: its value at p = {p:.6g} among {len(rows)}"

            truth = whole[..., rows]
            agree(function(rows), truth, ROUNDING * (1 + np.abs(truth)), where, f"among {self.p.size} it")

    def value_at(self, label: float) -> Callable[[complex], Array]:
        """The function t -> loss(p + t, y), of the value that was given or else the loss's own; made sure of."""
        value = self._value
        if value is None:
            if not isinstance(self.loss, KnowsValue):
                skip("no value to differentiate; pass value=lambda p, y: ...")
            value = self.loss.value
        function, p, y = partial(called, "value", value), self.p, np.full_like(self.p, label)

        def at(rows: Rows) -> Array:
            return real("`value(p, y)`", untouched("value", function, p[rows], y[rows]), rows.shape)

        self._by_itself("value", at(np.arange(p.size)), at)
        return lambda t: real("`value(p, y)`", np.asarray(function(p + t, y.copy())), p.shape)

    @property
    def test_labels(self) -> tuple[float, ...]:
        """Labels that the loss accepts."""
        return (-1.0, 1.0) if getattr(self.loss, "labels", None) == "signs" else (-1.0, 1.0, 0.5, -2.0)


def labels(probe: LossProbe) -> str:
    """The loss says `name`, `labels` ("real" or "signs"), `lipschitz` > 0, `constant` and `evidence`."""
    loss = probe.loss
    for name in ("name", "labels", "lipschitz", "constant", "evidence"):
        if not hasattr(loss, name):
            raise CheckFailed(f"a loss must have `{name}`, and {type(loss).__name__} has none")
    name, accepted, evidence = (getattr(loss, key) for key in ("name", "labels", "evidence"))
    if not isinstance(name, str):
        raise CheckFailed(f"`name` must be a str, got {short(name)}")
    if accepted not in ("real", "signs"):
        raise CheckFailed(f"`labels` must be 'real' or 'signs', got {short(accepted)}")
    status_of("`evidence`", evidence)
    if not _lipschitz(probe) > 0:
        raise CheckFailed(f"`lipschitz` must be > 0 (math.inf for none), got {_lipschitz(probe)}")
    return f"{name}; labels {accepted!r}"


def split(probe: LossProbe) -> str:
    """split(p) returns a(p) and b(p): finite float64 of shape (n,), for n = 0 too, and leaves p as it is."""
    return f"a(p) and b(p) at {probe.split[0].size} predictions"


def lipschitz(probe: LossProbe) -> str:
    """|b(p)| <= `lipschitz`."""
    bound = _lipschitz(probe)
    if bound == math.inf:
        skip("`lipschitz` is infinite: nothing is claimed")
    b = probe.split[1]
    row = int(np.argmax(np.abs(b)))
    if abs(b[row]) > bound * (1 + ROUNDING):
        raise CheckFailed(f"|b({probe.p[row]:.6g})| = {abs(b[row]):.6g} is above `lipschitz` = {bound:.6g}")
    return f"max |b| = {abs(b[row]):.6g} at {b.size} predictions, `lipschitz` = {bound:.6g}"


def constant(probe: LossProbe) -> str:
    """b(p) is `constant` at every p, where that is a number."""
    claim: object = getattr(probe.loss, "constant", None)
    if claim is None:
        skip("`constant` is None: b may depend on p")
    value = number("`constant`", claim)
    b = probe.split[1]
    tolerance = ROUNDING * max(1.0, abs(value))
    agree(b, np.full_like(b, value), tolerance, lambda at: f"b({probe.p[at]:.6g})", "`constant`")
    return f"b = {value:g} at {b.size} predictions"


def split_of_derivative(probe: LossProbe) -> str:
    """a(p) + y b(p) = y r'(y p) at y = -1, +1 for a margin loss that offers its derivative r'."""
    slope_of = offered(probe.loss, "derivative")
    if getattr(probe.loss, "labels", None) != "signs":
        skip("`derivative` is that of a margin loss, whose labels are 'signs'")
    for y in (1.0, -1.0):
        slope = y * real("`derivative`", slope_of(y * probe.p), probe.p.shape)
        _derivative_is(probe, y, slope, ROUNDING * np.abs(slope), "y r'(y p)")
    return f"y r'(y p) at {probe.p.size} predictions and both labels"


def split_of_value(probe: LossProbe) -> str:
    """a(p) + y b(p) is the derivative of the loss's value in p, at every label the loss accepts."""
    a, b = probe.split
    kinks = 0
    for y in probe.test_labels:
        found = derivative(probe.value_at(y), a + y * b, terms=np.abs(probe.p) * (np.abs(a) + np.abs(b)))
        kinks += int(found.kink.sum())
        # At a kink, whose error is infinite, any number between the two slopes is a derivative.
        _derivative_is(probe, y, found.value, found.error, "the derivative of `value` by differences")
    total = len(probe.test_labels) * probe.p.size
    return f"{total - kinks} derivatives of `value`" + (f"; {kinks} at kinks left out" if kinks else "")


CHECKS = (labels, split, lipschitz, constant, split_of_derivative, split_of_value)
"""Every check of a loss: a function of a probe, whose name and docstring are the check's."""


def loss_checks(loss: object, *, value: Value | None = None, rng: SeedLike = 0) -> list[Check]:
    """Return the checks of a loss, one by one, for `pytest.mark.parametrize`.

    Parameters
    ----------
    loss, value, rng
        As for `check_loss`.

    Examples
    --------
    >>> [str(check) for check in loss_checks("hinge")][:3]
    ['labels', 'split', 'lipschitz']
    """
    return checks_of(CHECKS, LossProbe(loss, value, rng))


def check_loss(loss: object, *, value: Value | None = None, rng: SeedLike = 0) -> CheckReport:
    """Look at what Theorem 1 needs of a loss: dloss/dp = a(p) + y b(p) with |b| <= `lipschitz`.

    Parameters
    ----------
    loss : str or Loss
        A name, a `MarginLoss`, or any object with the members of `gradvar.losses.Loss`.
    value : callable, optional
        (p, y) -> loss, arrays of shape (n,): the split is compared with its derivative by differences. The loss's own
        `value`, where it has one, if none is given.
    rng : int, SeedSequence, Generator or None
        Of the predictions, which are 213 between -30 and 30.

    Returns
    -------
    CheckReport
        As for `check_hypothesis_class`.

    Examples
    --------
    >>> import numpy as np, gradvar as gv
    >>> check_loss("hinge", value=lambda p, y: np.maximum(0, 1 - y * p)).passed
    True
    >>> report = check_loss("square", value=lambda p, y: (p - y) ** 2)  # "square" is half of it
    >>> [result.name for result in report.failures]
    ['split-of-value']
    """
    return report(named(loss), loss_checks(loss, value=value, rng=rng))


def _lipschitz(probe: LossProbe) -> float:
    return number("`lipschitz`", getattr(probe.loss, "lipschitz", None))


def _derivative_is(probe: LossProbe, y: float, slope: Array, error: Array, what: str) -> None:
    # dl/dp = a(p) + y b(p), which may cancel
    a, b = probe.split
    size = np.abs(a) + np.abs(b)
    error = error + ROUNDING * size + 2.0**-40 * float(np.median(size))
    agree(a + y * b, slope, error, lambda at: f"a(p) + y b(p) at p = {probe.p[at]:.6g}, y = {y:g}", what)
