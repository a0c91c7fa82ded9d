r"""Losses whose derivative is affine in the label: dloss/dp = a(p) + h b(p).

That split is what Theorem 1 of arXiv 1703.07950 needs: only b(p) meets the target, so only the signal
s = b(p) dp/dw carries information about it. For a margin loss r(y p) with labels y in {-1, +1}

    a(p) = (r'(p) - r'(-p)) / 2,        b(p) = (r'(p) + r'(-p)) / 2

(the appendix of the paper's first version prints these two the other way round). At a kink the derivative is
the midpoint of the two sides, so that the perceptron loss has b = -1/2 at every p.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logsumexp, softmax

from .core.arguments import Array, number, real, with_members
from .core.errors import NonFiniteError, ShapeError


@runtime_checkable
class Loss(Protocol):
    """The protocol of losses, by the derivative a(p) + h b(p) in p.

    Attributes
    ----------
    name : str
        Shown in reports, with the formula.
    labels : {"real", "signs"}
        Whether it accepts any real label or only -1 and +1.
    lipschitz : float
        A bound on |b(p)|: 1 for the losses of Theorem 1, inf where there is none.
    constant : float or None
        b(p) when it is the same at every p, else None.
    """

    @property
    def name(self) -> str:
        """Name and formula."""

    @property
    def labels(self) -> str:
        """Accepted labels."""

    @property
    def lipschitz(self) -> float:
        """Bound on |b|."""

    @property
    def constant(self) -> float | None:
        """b where it does not depend on p."""

    @property
    def evidence(self) -> tuple[str, str]:
        """How the Lipschitz bound is known: a status of `Assumption` and a sentence."""

    def split(self, p: Array) -> tuple[Array, Array]:
        """a(p) and b(p), each of shape (n,)."""


@runtime_checkable
class KnowsValue(Loss, Protocol):
    """A loss that says its value, and not only its derivative."""

    def value(self, p: Array, y: Array) -> Array:
        """loss(p, y), shape (n,)."""


@dataclass(frozen=True)
class AffineLoss:
    """A loss for real labels: the derivative is `slope * p - h` with slope 1 (square) or 0 (correlation)."""

    name: str
    slope: float
    labels: str = "real"
    lipschitz: float = 1.0
    constant: float | None = -1.0
    evidence: tuple[str, str] = ("proved", "dloss/dp = a(p) - h: b = -1 at every p")

    def split(self, p: Array) -> tuple[Array, Array]:
        """Return a(p) = slope * p and b(p) = -1, each of shape (n,)."""
        return self.slope * p, np.full_like(p, -1.0)

    def value(self, p: Array, y: Array) -> Array:
        """Return 1/2 (p - y)^2 or -y p, shape (n,)."""
        return np.asarray(self.slope * 0.5 * (p - y) ** 2 - (1 - self.slope) * y * p)


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy -sum_k y_k log softmax(p)_k of K outputs with class labels, or with odds that sum to one."""

    name: str = "cross-entropy, -log softmax(p)_y"
    labels: str = "classes"
    lipschitz: float = 1.0
    constant: float | None = -1.0
    evidence: tuple[str, str] = ("proved", "dloss/dp = softmax(p) - h: b = -1 at every p")

    def split(self, p: Array) -> tuple[Array, Array]:
        """Return a(p) = softmax(p) and b(p) = -1, each of shape (n, K)."""
        return softmax(p, axis=1), np.full_like(p, -1.0)

    def value(self, p: Array, y: Array) -> Array:
        """Return -sum_k y_k log softmax(p)_k, shape (n,), for labels y as unit vectors or odds, shape (n, K)."""
        return np.asarray(np.maximum(logsumexp(p, axis=1) - np.einsum("nk,nk->n", p, y), 0.0))


@dataclass(frozen=True)
class MarginLoss:
    r"""A margin loss r(y p) for labels y in {-1, +1}, given by its derivative r'.

    Parameters
    ----------
    derivative : callable
        r'(margin): takes and returns arrays of shape (n,). At a kink, the midpoint of the two sides is advised.
    lipschitz : float
        A bound on |r'|; `math.inf` for a loss without one (the exponential loss): the variance is computed all
        the same, and Theorem 1 is reported as not applicable.
    name : str
        Shown in reports.

    Raises
    ------
    ValueError
        When |r'| exceeds `lipschitz` at a prediction that is met, with that prediction.

    Examples
    --------
    >>> import numpy as np, gradvar as gv
    >>> squared_hinge = gv.MarginLoss(lambda m: -2 * np.maximum(0, 1 - m), lipschitz=float("inf"))
    >>> logistic = gv.MarginLoss(lambda m: -1 / (1 + np.exp(m)), lipschitz=1.0)
    >>> logistic.split(np.array([0.3]))[1]
    array([-0.5])
    """

    derivative: Callable[[Array], npt.ArrayLike]
    lipschitz: float
    name: str = "margin loss r(y p)"

    def __post_init__(self) -> None:
        if not callable(self.derivative):
            raise TypeError(f"`derivative` must be a function margin -> r'(margin), got {self.derivative!r}")
        number("lipschitz", self.lipschitz, "a positive number (math.inf for none)", lambda found: found > 0)

    @property
    def labels(self) -> str:
        """Labels are -1 and +1."""
        return "signs"

    @property
    def constant(self) -> float | None:
        """Nobody says that b is the same at every p."""
        return None

    @property
    def evidence(self) -> tuple[str, str]:
        """The bound on |r'| is looked at wherever r' is."""
        return "estimated", f"|r'| <= {self.lipschitz:g} as stated, and at every prediction that was met"

    def split(self, p: Array) -> tuple[Array, Array]:
        """Return a(p) and b(p), each of shape (n,)."""
        plus, minus = self._slope(p), self._slope(-p)
        return (plus - minus) / 2, (plus + minus) / 2

    def _slope(self, margin: Array) -> Array:
        slope = real("derivative(margin)", self.derivative(margin), str(margin.shape))
        if slope.shape != margin.shape:
            raise ShapeError(
                f"`derivative` of {self.name} must return shape {margin.shape} for margins of that shape, "
                f"got {slope.shape}"
            )
        if not np.isfinite(slope).all():
            row = int(np.argmin(np.isfinite(slope)))
            raise NonFiniteError(f"`derivative` of {self.name} is {slope[row]} at margin {margin[row]:.6g}")
        if np.abs(slope).max(initial=0.0) > self.lipschitz * (1 + 1e-12):
            row = int(np.argmax(np.abs(slope)))
            raise ValueError(
                f"`lipschitz` = {self.lipschitz:g} is not a bound for {self.name}: "
                f"|r'({margin[row]:.6g})| = {abs(slope[row]):.6g}"
            )
        return slope


@dataclass(frozen=True)
class _Proved(MarginLoss):
    """A margin loss of the paper: r itself is known, and that it is 1-Lipschitz."""

    risk: Callable[[Array], Array] = field(kw_only=True)
    constant: float | None = None
    evidence: tuple[str, str] = ("proved", "r is 1-Lipschitz, so |b| <= 1")

    def value(self, p: Array, y: Array) -> Array:
        """Return r(y p), shape (n,)."""
        return self.risk(y * p)


# Named functions, not lambdas: a problem travels to other processes.
def _ramp(kink: float, margin: Array) -> Array:
    """max(0, kink - m)."""
    return np.maximum(0.0, kink - margin)


def _ramp_slope(kink: float, margin: Array) -> Array:
    """The derivative of max(0, kink - m)."""
    return -np.heaviside(kink - margin, 0.5)


def _logistic(margin: Array) -> Array:
    """log(1 + e^-m)."""
    return np.logaddexp(0.0, -margin)


def _logistic_slope(margin: Array) -> Array:
    """The derivative of log(1 + e^-m)."""
    return np.asarray(-expit(-margin), dtype=np.float64)


LOSSES: dict[str, Loss] = {
    "square": AffineLoss("square, 1/2 (p - y)^2", 1.0),
    "correlation": AffineLoss("correlation, -y p", 0.0),
    "hinge": _Proved(partial(_ramp_slope, 1.0), 1.0, "hinge, max(0, 1 - y p)", risk=partial(_ramp, 1.0)),
    "logistic": _Proved(_logistic_slope, 1.0, "logistic, log(1 + exp(-y p))", -0.5, risk=_logistic),
    "perceptron": _Proved(partial(_ramp_slope, 0.0), 1.0, "perceptron, max(0, -y p)", -0.5, risk=partial(_ramp, 0.0)),
    "cross-entropy": CrossEntropy(),
}


def as_loss(loss: str | Loss) -> Loss:
    """Return the loss with this name, or the loss object itself."""
    if isinstance(loss, str):
        if loss not in LOSSES:
            names = "; ".join(f"{name!r} ({known.name.partition(', ')[2]})" for name, known in LOSSES.items())
            raise ValueError(f"`loss` must be one of {names}; or a MarginLoss, got {loss!r}")
        return LOSSES[loss]
    members = {
        "split": "`split(p)` (predictions (n,) to a(p) and b(p), each (n,))",
        "name": "`name`",
        "labels": '`labels` ("real" or "signs")',
        "lipschitz": "`lipschitz` (a bound on |b|)",
        "constant": "`constant` (b where it is the same at every p, else None)",
        "evidence": '`evidence` (such as ("claimed", "how the bound is known"))',
    }
    with_members("loss", loss, "a name, a MarginLoss or an object with split, labels, lipschitz", members)
    return loss


def by_output(loss: Loss, n_outputs: int) -> Loss:
    """Return the loss that a real function of an input and one of its outputs has: b = -1 for all that K outputs take.

    Raises
    ------
    ValueError
        A loss of one output for K, or of K for one.
    """
    if n_outputs == 1:
        if isinstance(loss, CrossEntropy):
            raise ValueError("`loss` is 'cross-entropy', which takes K >= 2 outputs; of one output it is 'logistic'")
        return loss
    if not isinstance(loss, (AffineLoss, CrossEntropy)):
        raise ValueError(
            f"`loss` must be 'square', 'correlation' or 'cross-entropy' for {n_outputs} outputs, got {loss.name!r}"
        )
    name = loss.name.replace("(p - y)^2", "||p - y||^2").replace("-y p", "-<y, p>")
    return AffineLoss(name, 0.0, evidence=loss.evidence)
