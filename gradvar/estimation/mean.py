r"""The mean of independent values >= 0, with an interval that knows what the sample may have missed.

With the deviations d_i of n values from their mean, S their sum and M_k = sum_i d_i^k, the truth S_0 = n E v lies
around S like

    S + theta (Gamma(kappa) - kappa),      kappa = M_2^3/M_3^2,      theta = M_3/M_2,

which has the variance M_2 and the skewness of the studentised sum with its sign changed, twice that of the sum. For
values that are rarely 1 and else 0, kappa = S and theta = 1: with the corrections below it is Garwood's interval for a
Poisson mean, and for rare values of different sizes that of Fay and Feuer (Statistics in Medicine 16, 1997). For
kappa -> inf it is normal. Quantiles are longer by Student's over the normal one, with the degrees of freedom of the
part of M_2 that does not go along with S.

**What the sample may have missed.** It may have met one value more, or one less, than is its share. So the upper end
is the larger of that with one value more, the largest, and that without the smallest; the lower end is the smaller of
that with one value more, zero, and that without the largest. The largest is a bound on all values where one is known:
from a sample of equal values v the upper end is then v - log(1 - level) (bound - v)/n, as it has to be. Else it
deviates (1 + kappa^(-1/2)) times as far as the largest that was met, or as zero does; and where kappa < 2 there is no
upper end: too few values carry the spread, as when all are equal.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..core.arguments import Array
from ..core.numbers import ROUNDING

_FEWEST = 2.0
"""The smallest effective number kappa of deviations that carry the spread from which an upper end is drawn."""


class Mean(NamedTuple):
    """The mean of a sample of values >= 0, and what its interval rests on.

    Attributes
    ----------
    n : float
        How many values.
    unit : float
        The power of two in which what follows is measured: powers of the values stay within float64.
    average : float
        Their mean.
    squares, cubes, fourths : float
        M_2, M_3 and M_4, the sums of powers of their deviations from the mean.
    lowest, highest : float
        The smallest deviation and the largest.
    most : float
        The largest value that is possible; inf where that is not known.
    """

    n: float
    unit: float
    average: float
    squares: float
    cubes: float
    fourths: float
    lowest: float
    highest: float
    most: float

    @classmethod
    def of(cls, values: Array, most: float = math.inf) -> Mean:
        """From the values, shape (n,), which are at most `most`."""
        n, unit = values.size, math.ldexp(1.0, math.frexp(float(values.max()))[1])
        average = math.fsum(values / unit) / n
        deviations = values / unit - average
        # Values that differ by rounding do not differ.
        if np.abs(deviations).max() <= ROUNDING * average:
            deviations = np.zeros(1)
        squares = deviations**2
        return cls(
            n=n,
            unit=unit,
            average=average,
            squares=math.fsum(squares) * n / (n - 1),
            cubes=math.fsum(squares * deviations),
            fourths=math.fsum(squares**2),
            lowest=float(deviations.min()),
            highest=float(deviations.max()),
            most=most / unit,
        )

    def at(self, n: float) -> Mean:
        """Return what n values give of which each is met as often."""
        times = n / self.n
        return self._replace(n=n, squares=self.squares * times, cubes=self.cubes * times, fourths=self.fourths * times)

    @property
    def value(self) -> float:
        """The mean."""
        return self.average * self.unit

    @property
    def error(self) -> float:
        """Its standard error."""
        return (math.sqrt(self.squares) / self.n + ROUNDING * self.average) * self.unit

    @property
    def effective(self) -> float:
        """kappa, the effective number of deviations that carry the spread."""
        if self.squares == 0:
            return 0.0
        return self.squares**3 / self.cubes**2 if self.cubes**2 > 0 else math.inf

    @property
    def resolved(self) -> bool:
        """Whether there is an upper end."""
        return self.most < math.inf or self.effective >= _FEWEST

    def lower(self, probability: float) -> float:
        """The end that lies above the truth with this probability, at most."""
        ends = self._quantile(probability, self.highest, -1), self._quantile(probability, -self.average, 1)
        return max(min(ends), 0.0) * self.unit * (1 - ROUNDING)

    def upper(self, probability: float) -> float:
        """The end that the truth lies above with one minus this probability, at most."""
        if not self.resolved:
            return math.inf
        more = self.most - self.average
        if more == math.inf:
            more = max(self.highest, self.average) * (1 + self.effective**-0.5)
        ends = self._quantile(probability, max(more, 0.0), 1), self._quantile(probability, self.lowest, -1)
        return min(max(ends), self.most) * self.unit * (1 + ROUNDING)

    def half_width(self, confidence: float) -> float:
        """Half the width of the interval."""
        return (self.upper(0.5 + confidence / 2) - self.lower(0.5 - confidence / 2)) / 2

    def _quantile(self, probability: float, deviation: float, times: int) -> float:
        """That of the truth, from the sample with a value of this deviation more (times = 1) or less (-1)."""
        from scipy.special import gammaincinv, ndtri

        total = self.n * self.average + times * deviation
        second = self.squares + times * deviation**2
        third = self.cubes + times * deviation**3
        if second <= 1e-12 * deviation**2:  # without this value all are equal
            return total / self.n
        # theta (Gamma(kappa) - kappa), normal from a skewness of 0.002 down
        if second**3 > 1e6 * third**2:
            spread = math.sqrt(second) * float(ndtri(probability))
        else:
            shape, mirrored = second**3 / third**2, probability if third > 0 else 1 - probability
            spread = third / second * (float(gammaincinv(shape, mirrored)) - shape)
        return (total + spread * self._student(probability)) / self.n

    def _student(self, probability: float) -> float:
        """Student's quantile over the normal one, with 2/u degrees of freedom, at most n - 1.

        u = (k - 1 - g^2)/n, the relative variance of M_2 that does not go along with S: k the kurtosis, g the skewness.
        """
        from scipy.special import ndtri, stdtrit

        if self.squares == 0 or probability == 0.5:
            return 1.0
        kurtosis, skewness_sq = self.n * self.fourths / self.squares**2, self.n / self.effective
        uncertainty = max(kurtosis - 1 - skewness_sq, 0.0) / self.n
        freedom = min(2 / uncertainty, self.n - 1) if uncertainty > 0 else self.n - 1
        return float(stdtrit(freedom, probability) / ndtri(probability))


def few_carry(values: Array, fewest: float = _FEWEST) -> bool:
    """Whether so few of the values are larger or smaller than the others that more may have been missed."""
    return 0 < Mean.of(values).effective < fewest
