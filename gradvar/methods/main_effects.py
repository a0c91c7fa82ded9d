r"""What independent draws add to the error of a sum over them, and how sure that is.

For U = sum_a t_a over n members, or projections, drawn alike, of which each t_a is known as t'_a from one half of the
inputs and as t''_a from the other, the variance and the third cumulant that the draws alone give U are n times

    E[x y],      E[x y (x + y)/2],      with x = t' - E t', y = t'' - E t'',

since the errors of the halves are independent; the estimated variance has the variance n var(x y) itself.
"""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Array


class MainEffects(NamedTuple):
    """Of members and projections on an estimate.

    Attributes
    ----------
    variance : float
        What they give its variance: unbiased, and it may be negative.
    third : float
        What they give its third cumulant.
    spread : float
        The variance of the estimated `variance`.
    """

    variance: float
    third: float
    spread: float

    @classmethod
    def of(cls, halves: Array) -> MainEffects:
        """From the terms of n draws by two halves of the inputs, shape (2, n), n >= 3."""
        n = halves.shape[1]
        x, y = halves - halves.mean(axis=1, keepdims=True)
        product = x * y
        third = float((product * (x + y)).mean()) / 2
        return cls(float(product.sum()) * n / (n - 1), third * n**3 / ((n - 1) * (n - 2)), n * float(product.var()))

    def and_of(self, other: MainEffects) -> MainEffects:
        """Both together, a negative variance counting as zero."""
        return MainEffects(
            max(self.variance, 0.0) + max(other.variance, 0.0), self.third + other.third, self.spread + other.spread
        )


NONE = MainEffects(0.0, 0.0, 0.0)
"""Of what is not drawn."""
