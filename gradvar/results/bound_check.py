"""The result of `bound_check`: plain data that prints itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.numbers import format_log2, format_number
from .findings import Findings
from .plots import plot_bound_check
from .report import as_html, as_text, explained, ratio_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundCheck(Findings):
    """The gradient variance of one problem next to the bounds on it.

    Attributes
    ----------
    variance : Estimate
        Var(H, F, w) = E_h ||grad F_h(w) - E_h' grad F_h'(w)||^2, over the uniform choice of target h in H.
    gradient_norm_sq : Estimate
        G^2 = E_x ||dp/dw||^2 of the predictor.
    signal_norm_sq : Estimate
        E_x ||s||^2 of the signal s = b(p) dp/dw, where dloss/dp = a(p) + h b(p).
    example_norm_sq : Estimate or None
        E||u||^2 of the gradient u = (a(p) + y b(p)) dp/dw on one example of a random task, for tasks that come with
        inputs of their own; None for targets that share their inputs.
    log2_size : float
        log2 |H|.
    bound, log2_bound : float
        Theorem 1, G^2/|H| (times the squared Lipschitz constant of the loss); the operator-norm bound where
        Theorem 1 does not apply. nan where no bound is known, as for tasks with inputs of their own.
    bound_name : str or None
        Which of `bounds` that is; None where no bound is known.
    bounds : dict of str to Bound
        Every bound by name, also those that do not apply: G^2/|H| is a yardstick.
    ratio : float
        variance / bound, meaningful even when both underflow; nan when the variance is unresolved or there is
        no bound.
    verdict : {"holds", "violated", "inconclusive", "no bound"}
        Never stronger than the intervals: intervals of Var and of the bound that overlap are inconclusive.
    reason : str
        Why, in a sentence; where it is inconclusive, which side is uncertain and what would settle it.
    assumptions : tuple of Assumption
        The assumptions of Theorem 1 and how each is known.
    consequences : tuple of Consequence
        What the number means for an optimiser.
    seed : int
        What `rng` was reduced to: `rng=seed` gives the same bits, whatever `rng` was.
    problem : dict of str to str
        The three parts in words: "class", "inputs", "model", "loss".

    Examples
    --------
    >>> import gradvar as gv
    >>> check = gv.bound_check(gv.Parities(10), gv.Linear([1.0] * 10))
    >>> check.verdict, check.bound_name, round(check.bounds["cross-predictability"].value, 4)
    ('holds', 'theorem-1', 0.3125)
    """

    listed = (
        "problem variance gradient_norm_sq signal_norm_sq example_norm_sq log2_size "
        "bound log2_bound bound_name bounds ratio verdict reason assumptions consequences seed"
    )

    def __repr__(self) -> str:
        variance = self.variance
        value = format_number(variance.mantissa, variance.exponent) if variance.resolved else "unresolved"
        if self.bound_name is None:
            return f"BoundCheck({self.verdict}: variance={value})"
        bound = self.bounds[self.bound_name]
        known = f"{self.bound_name}{bound.spread and f', in {bound.spread}'}"
        ratio = ratio_text(variance, bound.log2)
        return f"BoundCheck({self.verdict}: variance={value}, bound={format_log2(bound.log2)} ({known}), ratio={ratio})"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def explain(self) -> str:
        """Return the long report: every bound with its formula, and how each number and assumption is known."""
        return explained(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the variance, its interval and every bound on one logarithmic axis; return the Axes.

        Needs matplotlib (the extra `plot`).
        """
        return plot_bound_check(self, ax)
