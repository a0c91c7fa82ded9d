"""Theorems that give the gradient variance without a sum over the class: one file each."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..base import FirstOf, Method
from .all_biased_parities import AllBiasedParities
from .all_parities import AllParities
from .few_parities import FewParities
from .infinite_width import InfiniteWidth
from .linear_periodic import LinearPeriodicTargets
from .linear_sparse_parities import LinearSparseParities
from .one_member import OneMember
from .two_layer_parities import TwoLayerParities
from .uncorrelated_labels import UncorrelatedLabels

THEOREMS: tuple[Method, ...] = (
    OneMember(),
    AllParities(),
    AllBiasedParities(),
    LinearSparseParities(),
    FewParities(),
    TwoLayerParities(),
    InfiniteWidth(),
    LinearPeriodicTargets(),
    UncorrelatedLabels(),
)


@dataclass(frozen=True)
class ClosedForm(FirstOf):
    """Evaluate the gradient variance by a theorem that covers this class, model and loss.

    The theorems: a class of one member has none; all 2^d parities with any model, on the biased cube normalised ones
    of at most 22 coordinates (Parseval); parities of one degree or a few by name, with a linear model or one hidden
    layer where b is constant, at any dimension; parities with networks of infinite width, in the mean over their
    weights; linear-periodic targets with a cosine model or a network of one hidden layer; all parities, or all
    labelings, of a sample with any model; planted parities with a linear model. Exact up to rounding and quadrature, or
    up to one plain expectation whose interval is reported. Any other problem is a `NotApplicableError`.

    Examples
    --------
    >>> import gradvar as gv
    >>> H, model = gv.SparseParities(1000, 5), gv.MLP.random([1000, 4, 1], rng=0)
    >>> gv.gradient_variance(H, model, method=gv.ClosedForm()).exact
    True
    """

    name: str = field(default="closed-form", init=False)
    none = "no theorem covers it"

    @property
    def methods(self) -> tuple[Method, ...]:
        """The theorems."""
        return THEOREMS
