r"""The variance that independent draws give a sum over them, and how sure that is.

For U = sum_a t_a over n members, or projections, drawn alike, of which each t_a is known as t'_a from one half of the
inputs and as t''_a from the other, the draws alone give U the variance n E[x y], x = t' - E t', y = t'' - E t'', since
the errors of the halves are independent. Its estimate has the variance n var(x y) itself. Their third cumulant is

    n E[x y (x + y)/2]

where the size of those errors does not depend on t, and less where they grow with it.
"""

from __future__ import annotations

from typing import NamedTuple

from ..core.arguments import Array


class MainEffects(NamedTuple):
    """Of members and projections on an estimate.

    Attributes
    ----------
    variance : float
        What they give its variance: unbiased, and it may be negative.
    third : float
        What they give its third cumulant, or more.
    uncertainty : float
        The variance of the estimated `variance`.
    """

    variance: float
    third: float
    uncertainty: float

    @classmethod
    def of(cls, halves: Array) -> MainEffects:
        """From the terms of n draws by two halves of the inputs, shape (2, n). Fewer than three say nothing."""
        n = halves.shape[1]
        if n < 3:
            return NONE
        x, y = halves - halves.mean(axis=1, keepdims=True)
        product = x * y
        third = float((product * (x + y)).mean()) / 2
        return cls(float(product.sum()) * n / (n - 1), third * n**3 / ((n - 1) * (n - 2)), n * float(product.var()))

    def and_of(self, other: MainEffects) -> MainEffects:
        """Both together."""
        one, two = self._credible(), other._credible()
        return MainEffects(*(a + b for a, b in zip(one, two, strict=True)))

    def _credible(self) -> MainEffects:
        """None where the variance came out negative, and a variance that is no less certain than one draw's square.

        An uncertainty above that is noise of other origin, which the variances beside this one hold.
        """
        if self.variance <= 0:
            return NONE
        return self._replace(uncertainty=min(self.uncertainty, self.variance**2))


NONE = MainEffects(0.0, 0.0, 0.0)
"""Of what is not drawn."""
